//! The builder of a run: every setting that decides a record.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::Layer;
use crate::config::units::{ByteRate, Shard, Span, StartTime};
use crate::config::{self, Config, Scenario};
use crate::encoding::Format;
use crate::fleet::time_zones;
use crate::manifest::{JobKey, Manifest, STREAM_VERSION, TopicEntry, Transactions};
use crate::record::{Topic, TopicSet};
use crate::schedule::{Pace, Time};

use super::error::RunError;
use super::settle::{self, LATE_START_MS, Start, instant};
use super::{Run, byte_rate, out_of_reach, unseen};

/// Builds a [`Run`]. Every setting has the program's default.
#[derive(Debug, Clone)]
pub struct RunBuilder {
    scenario: Option<String>,
    config_file: Option<PathBuf>,
    set: Vec<String>,
    machines: Option<u64>,
    readings: Option<u64>,
    jobs: Option<u64>,
    seed: Option<u64>,
    time: Time,
    pace: Pace,
    byte_rate: Option<ByteRate>,
    interval: Duration,
    machines_refresh: Option<Span>,
    records: Option<u64>,
    duration: Option<Span>,
    close_windows: Option<Span>,
    start: Option<StartTime>,
    shard: Shard,
    format: Format,
    job_key: JobKey,
    transactions: Option<Transactions>,
    topics: Vec<Topic>,
    topic_prefix: String,
    partitions: u32,
}

impl Default for RunBuilder {
    fn default() -> RunBuilder {
        RunBuilder {
            scenario: None,
            config_file: None,
            set: Vec::new(),
            machines: None,
            readings: None,
            jobs: None,
            seed: None,
            time: Time::Live,
            pace: Pace::Natural(1.0),
            byte_rate: None,
            interval: Duration::from_secs(1),
            machines_refresh: None,
            records: None,
            duration: None,
            close_windows: None,
            start: None,
            shard: Shard::WHOLE,
            format: Format::Avro,
            job_key: JobKey::MachineId,
            transactions: None,
            topics: Topic::ALL[..5].to_vec(),
            topic_prefix: String::new(),
            partitions: 6,
        }
    }
}

impl RunBuilder {
    /// The preset to start from: none unless given.
    pub fn scenario(mut self, name: impl Into<String>) -> Self {
        self.scenario = Some(name.into());
        self
    }

    /// A configuration file, YAML or JSON, which wins over the scenario.
    pub fn config_file(mut self, path: impl AsRef<Path>) -> Self {
        self.config_file = Some(path.as_ref().to_owned());
        self
    }

    /// Sets a configuration key, as `anomalies.enable=true`: wins over scenario and file.
    pub fn set(mut self, setting: impl Into<String>) -> Self {
        self.set.push(setting.into());
        self
    }

    /// Machines in the fleet: 100 unless the configuration says otherwise.
    pub fn machines(mut self, machines: u64) -> Self {
        self.machines = Some(machines);
        self
    }

    /// Readings of each machine after which the run ends.
    pub fn readings(mut self, readings: u64) -> Self {
        self.readings = Some(readings);
        self
    }

    /// The expected number of jobs over a run of known length.
    pub fn jobs(mut self, jobs: u64) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// The seed of every random stream: drawn unless given.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Which time the records carry: live unless given.
    pub fn time(mut self, time: Time) -> Self {
        self.time = time;
        self
    }

    /// How fast slots are worked off: at the fleet's natural pace unless given.
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Bytes of keys and values per second, turned into a rate of records by their mean size. Wins over
    /// [`RunBuilder::pace`].
    pub fn byte_rate(mut self, rate: ByteRate) -> Self {
        self.byte_rate = Some(rate);
        self
    }

    /// Fleet time between two readings of a machine: a second unless given.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Announces all machines again this often, in the records' time.
    pub fn machines_refresh(mut self, every: Span) -> Self {
        self.machines_refresh = Some(every);
        self
    }

    /// Ends the run after this many slots of the schedule.
    pub fn records(mut self, records: u64) -> Self {
        self.records = Some(records);
        self
    }

    /// Ends the run this long after its start, on the clock of its pace.
    pub fn duration(mut self, duration: Span) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Closes all windows: after the run's end each partition that has keys gets one more record, whose
    /// event time lies so long after the run's last. Needs a run whose end is known, and no shard.
    pub fn close_windows(mut self, after: Span) -> Self {
        self.close_windows = Some(after);
        self
    }

    /// When the run starts. Default: in live time, when it is built; in simulated time, so that it ends
    /// then, if its length is known.
    pub fn start(mut self, start: StartTime) -> Self {
        self.start = Some(start);
        self
    }

    /// The part of the fleet that is simulated: all of it unless given. Needs a seed and an absolute
    /// start, so that the shards of a run agree.
    pub fn shard(mut self, shard: Shard) -> Self {
        self.shard = shard;
        self
    }

    /// How values are encoded: as Avro unless given.
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// The key of the jobs topic: the machine unless given.
    pub fn job_key(mut self, key: JobKey) -> Self {
        self.job_key = key;
        self
    }

    /// The transactions that records are sent in: none unless given.
    pub fn transactions(mut self, transactions: Transactions) -> Self {
        self.transactions = Some(transactions);
        self
    }

    /// The selected topics: all but `incidents` unless given.
    pub fn topics(mut self, topics: impl IntoIterator<Item = Topic>) -> Self {
        self.topics = topics.into_iter().collect();
        self
    }

    /// Put before every topic's name.
    pub fn topic_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.topic_prefix = prefix.into();
        self
    }

    /// The partitions of each topic, at least one: 6 unless given.
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = partitions.max(1);
        self
    }

    /// The run, as seen now.
    ///
    /// # Errors
    /// [`RunError`] if there is no such run.
    pub fn build(self) -> Result<Run, RunError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.build_at(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The run, as seen at `now_ms` (milliseconds since the epoch): what relative starts count from.
    ///
    /// # Errors
    /// [`RunError`] if there is no such run.
    pub fn build_at(self, now_ms: i64) -> Result<Run, RunError> {
        let config::Resolved { config, mut notes } = self.configuration()?;
        notes.extend(unknown_regions(&config));
        let topics: TopicSet = self.topics.iter().copied().collect();
        let mut manifest = Manifest {
            stream_version: STREAM_VERSION,
            fleetstorm: env!("CARGO_PKG_VERSION").to_owned(),
            seed: config.seed.unwrap_or_else(drawn_seed),
            // Until the start is settled, this one serves to estimate the offered load and the size of
            // records, so that shards with the same start agree.
            start: instant(self.start.and_then(|s| s.resolve(now_ms).ok()).unwrap_or(now_ms)),
            time: self.time,
            pace: self.pace,
            bytes: None,
            interval: Span::new(self.interval).map_err(RunError::Interval)?,
            machines_refresh: self.machines_refresh,
            records: self.records,
            duration: self.duration,
            close_windows: self.close_windows,
            shard: self.shard,
            format: self.format,
            job_key: self.job_key,
            transactions: self.transactions,
            topics: topics
                .iter()
                .map(|topic| TopicEntry::new(topic, &self.topic_prefix, self.partitions))
                .collect(),
            config,
        };
        if matches!(manifest.pace, Pace::Load(_)) {
            let patterns = &manifest.config.temporal_patterns;
            if !patterns.enable_diurnal && !patterns.enable_weekly {
                return Err(RunError::NoCurve);
            }
            manifest.curve_moves()?;
        }
        if let Some(per_second) = self.byte_rate {
            byte_rate::pace(&mut manifest, per_second)?;
        }
        let start = settle::start(self.start, &mut manifest, now_ms)?;
        let start_ms = match start {
            Start::Fixed => manifest.start.timestamp_millis(),
            Start::WhenReady => now_ms,
        };
        settle::jobs(&mut manifest, start_ms)?;
        manifest.events_fit()?;
        manifest.windows_close()?;
        let behind = manifest.time == Time::Live && start_ms < now_ms - LATE_START_MS;
        if manifest.shard.count() > 1 && (manifest.pace == Pace::Max || behind) {
            notes.push(APART.to_owned());
        }
        notes.extend(out_of_reach::notes(&manifest));
        notes.extend(unseen::notes(&manifest, start == Start::Fixed));
        Ok(Run { manifest, start, notes })
    }

    fn configuration(&self) -> Result<config::Resolved, RunError> {
        let mut layers = Vec::new();
        if let Some(name) = &self.scenario {
            layers.push(config::scenarios::find(name).map(Scenario::layer)?);
        }
        if let Some(path) = &self.config_file {
            layers.push(Layer::from_file(path)?);
        }
        for text in &self.set {
            layers.push(Layer::from_set(text)?);
        }
        let flags = [
            ("--machines", "n_machines", self.machines),
            ("--readings", "n_readings", self.readings),
            ("--jobs", "n_jobs", self.jobs),
            ("--seed", "seed", self.seed),
        ];
        for (flag, key, value) in flags {
            if let Some(value) = value {
                layers.push(Layer::from_flag(flag, key, value));
            }
        }
        Ok(config::resolve(layers)?)
    }
}

/// The note for shards that nothing paces.
const APART: &str = "nothing paces these shards, so one may be hours of event time ahead of another, and \
                     jobs with windows then drop the other's records as late: give a --rate or a --speed, \
                     or each shard topics of its own (--topic-prefix)";

/// The note for regions whose local time matters and isn't known.
fn unknown_regions(config: &Config) -> Option<String> {
    let patterns = &config.temporal_patterns;
    let counts = patterns.enable_diurnal || patterns.enable_weekly || config.maintenance.enable;
    let unknown: Vec<&str> = config
        .regions
        .iter()
        .filter(|region| time_zones::of_region(region, &patterns.time_zones).is_none())
        .map(String::as_str)
        .collect();
    (counts && !unknown.is_empty()).then(|| {
        format!(
            "no time zone is known for {}: UTC stands in; name one in temporal_patterns.time_zones",
            unknown.join(", ")
        )
    })
}

/// A seed of 53 bits, which every JSON reader keeps exactly.
fn drawn_seed() -> u64 {
    rand::random::<u64>() >> 11
}
