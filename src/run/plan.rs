//! From options to a plan: what they mean together, settled before anything is touched.

use std::path::Path;
use std::time::Duration;

use chrono::DateTime;
use fleetstorm_model::config::layers::Layer;
use fleetstorm_model::config::units::{RateLimit, Shard, Span, StartTime};
use fleetstorm_model::config::{self, Config, Scenario};
use fleetstorm_model::encoding::Format;
use fleetstorm_model::fleet::{Fleet, time_zones};
use fleetstorm_model::manifest::{Manifest, STREAM_VERSION, TopicEntry, Transactions};
use fleetstorm_model::record::TopicSet;
use fleetstorm_model::schedule::{Pace, Profile, Slots, Time};
use fleetstorm_model::simulation::jobs;
use fleetstorm_model::simulation::temporal::Curve;

use super::bytes;
use super::error::RunError;
use crate::cli::{FleetOptions, OnBacklog, RunOptions, SinkKind};
use crate::sink::kafka::topics::Stamps;
use crate::sink::options::Acks;

/// A run as far as its options decide it. Partitions and schema ids are still to come.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The manifest, with the partitions that topics are created with and no schema ids.
    pub manifest: Manifest,
    /// Whether the start follows the clock, so that it is taken anew when all is ready.
    start: Start,
    /// Whether the run was begun before: its topics and schemas are to be as they were.
    pub resumed: bool,
    /// What the user should know.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Start {
    /// Given, or derived from the run's length.
    Fixed,
    /// When all is ready.
    Now,
}

/// What is simulated, all layers resolved.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// The configuration.
    pub config: Config,
    /// The seed, drawn where none is given.
    pub seed: u64,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Fixed {
    /// What `fleet` describes.
    ///
    /// # Errors
    /// [`RunError::Config`].
    pub fn new(fleet: &FleetOptions) -> Result<Fixed, RunError> {
        let config::Resolved { config, mut notes } = configuration(fleet)?;
        notes.extend(unknown_regions(&config));
        let seed = config.seed.unwrap_or_else(drawn_seed);
        Ok(Fixed { config, seed, notes })
    }
}

/// Settles what of the configuration depends on the run's length, for a start at `start_ms`, and
/// refuses what the run's slots can't carry.
///
/// # Errors
/// [`RunError::Usage`].
pub fn settle(manifest: &mut Manifest, start_ms: i64) -> Result<(), RunError> {
    spread_jobs(manifest, start_ms)?;
    manifest.events_fit().map_err(RunError::Usage)
}

/// The default fleet time between two readings of a machine.
const INTERVAL: Duration = Duration::from_secs(1);
/// How far in the past a live start may lie beside a rate: shards start seconds apart.
const LATE_START_MS: i64 = 60_000;
/// What is said of shards that nothing paces.
const APART: &str = "nothing paces these shards, so one may be hours of event time ahead of another, and \
                     jobs with windows then drop the other's records as late: give a --rate or a --speed, \
                     or each shard topics of its own (--topic-prefix)";
/// The most arrivals a machine and reading that event slots can carry: see `jobs` in the
/// configuration.
const MOST_ARRIVALS: f64 = 0.2;

impl Plan {
    /// The plan of `options` at the instant `now_ms` (milliseconds since the epoch).
    ///
    /// # Errors
    /// [`RunError::Config`] and [`RunError::Usage`], which names the options that disagree.
    pub fn new(options: &RunOptions, now_ms: i64) -> Result<Plan, RunError> {
        let to_stdout = options.keep.report.as_deref().is_some_and(|path| path == Path::new("-"));
        if to_stdout && options.destination.sink == SinkKind::Stdout {
            return usage(
                "--sink stdout and --report - both write to standard output: give --report a file",
            );
        }
        let Fixed { config, seed, notes } = Fixed::new(&options.fleet)?;
        let (time, pace) = time_and_pace(options)?;
        let topics = options.topics.topics.iter().copied().collect::<TopicSet>();
        let mut manifest = Manifest {
            stream_version: STREAM_VERSION,
            fleetstorm: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            // Until it is settled: what the offered load and the size of records are estimated by,
            // so that shards of one start agree.
            start: instant(
                options.pace.start.and_then(|s| s.resolve(now_ms).ok()).unwrap_or(now_ms),
            ),
            time,
            pace,
            bytes: None,
            interval: match options.pace.interval {
                Some(interval) => interval,
                None => Span::new(INTERVAL).map_err(|error| RunError::Usage(error.to_string()))?,
            },
            machines_refresh: options.pace.machines_refresh,
            records: options.pace.records,
            duration: options.pace.duration,
            shard: shard(options)?,
            format: format(options)?,
            job_key: options.topics.job_key,
            transactions: transactions(options)?,
            topics: topics
                .iter()
                .map(|topic| {
                    TopicEntry::new(topic, &options.topics.topic_prefix, options.topics.partitions)
                })
                .collect(),
            config,
        };
        pace_fits(options, &manifest)?;
        if let Some(per_second) = options.pace.byte_rate {
            bytes::pace(&mut manifest, per_second)?;
        }
        let start = start(options, &mut manifest, now_ms)?;
        let start_ms = match start {
            Start::Fixed => manifest.start.timestamp_millis(),
            Start::Now => now_ms,
        };
        settle(&mut manifest, start_ms)?;
        let behind = manifest.time == Time::Live && start_ms < now_ms - LATE_START_MS;
        let mut notes = notes;
        if manifest.shard.count() > 1 && (manifest.pace == Pace::Max || behind) {
            notes.push(APART.to_owned());
        }
        Ok(Plan { manifest, start, resumed: false, notes })
    }

    /// The plan of a run that was begun and goes on.
    pub fn resumed(manifest: Manifest) -> Plan {
        Plan { manifest, start: Start::Fixed, resumed: true, notes: Vec::new() }
    }

    /// The instants that the run's records will carry, as seen at `now_ms`.
    pub fn stamps(&self, now_ms: i64) -> Stamps {
        let manifest = &self.manifest;
        let earliest = match self.start {
            Start::Fixed => manifest.start.timestamp_millis(),
            Start::Now => now_ms,
        };
        let latest = match manifest.time {
            // Never ahead of the instant of sending, which a future start only delays.
            Time::Live => Some(now_ms),
            // Announcements alone carry the start.
            Time::Simulated if manifest.grid().slots == 0 => Some(earliest),
            Time::Simulated => match manifest.fleet_time() {
                Some(length) => Some(earliest.saturating_add(length.as_millis() as i64)),
                None if self.outruns_the_clock() || earliest > now_ms => None,
                None => Some(now_ms),
            },
        };
        Stamps { now: now_ms, earliest, latest }
    }

    /// The manifest of a run whose records start now, or a moment from now, where the start
    /// follows the clock: `now_ms` plus the time that everything may take to be ready.
    pub fn begin(&mut self, now_ms: i64, lead: Duration) -> &Manifest {
        if self.start == Start::Now {
            let lead = match self.manifest.time {
                Time::Live => lead.as_millis() as i64,
                Time::Simulated => 0,
            };
            self.manifest.start = instant(now_ms + lead);
        }
        &self.manifest
    }

    /// Whether simulated time passes faster than the clock.
    fn outruns_the_clock(&self) -> bool {
        let schedule = self.manifest.schedule();
        schedule.rates().is_none_or(|(_, highest)| highest > schedule.natural_rate())
    }
}

fn configuration(fleet: &FleetOptions) -> Result<config::Resolved, RunError> {
    let mut layers = Vec::new();
    if let Some(name) = &fleet.scenario {
        layers.push(config::scenario::find(name).map(Scenario::layer)?);
    }
    if let Some(path) = &fleet.config {
        layers.push(Layer::from_file(path)?);
    }
    for text in &fleet.set {
        layers.push(Layer::from_set(text)?);
    }
    let flags = [
        ("--machines", "n_machines", fleet.machines),
        ("--readings", "n_readings", fleet.readings),
        ("--jobs", "n_jobs", fleet.jobs),
        ("--seed", "seed", fleet.seed),
    ];
    for (flag, key, value) in flags {
        if let Some(value) = value {
            layers.push(Layer::from_flag(flag, key, value));
        }
    }
    Ok(config::resolve(layers)?)
}

/// Regions whose local time would count and isn't known.
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

fn usage<T>(text: impl Into<String>) -> Result<T, RunError> {
    Err(RunError::Usage(text.into()))
}

fn time_and_pace(options: &RunOptions) -> Result<(Time, Pace), RunError> {
    let pace = &options.pace;
    let by_rate = [
        ("--rate", pace.rate.is_some()),
        ("--byte-rate", pace.byte_rate.is_some()),
        ("--rate-profile", pace.rate_profile.is_some()),
        ("--peak-rate", pace.peak_rate.is_some()),
    ];
    let by_rate = by_rate.iter().find(|(_, given)| *given).map(|(option, _)| *option);
    if let (Some(option), Some(_)) = (by_rate, pace.speed) {
        return usage(format!(
            "--speed and {option} exclude each other: a rate already decides how fast the fleet's clock runs"
        ));
    }
    let implied = match (pace.rate, pace.speed) {
        (Some(RateLimit::Max), _) => Some("--rate max"),
        (_, Some(_)) => Some("--speed"),
        _ => None,
    };
    let time = match (pace.time, implied) {
        (Some(Time::Live), Some(option)) => {
            return usage(format!(
                "{option} excludes --time live: records sent ahead of their fleet's clock can't carry the instant of sending; leave out --time, or say --time simulated"
            ));
        }
        (Some(time), _) => time,
        (None, Some(_)) => Time::Simulated,
        (None, None) => Time::Live,
    };
    if let (Time::Live, Some(option), Some(_)) = (time, by_rate, pace.interval) {
        return usage(format!(
            "--interval and {option} exclude each other in live time, where the rate decides how far apart readings are; leave out one, or say --time simulated"
        ));
    }
    let pace = match (&pace.rate_profile, pace.peak_rate, pace.rate, pace.speed) {
        (Some(source), ..) => {
            let profile = source.profile().map_err(|error| RunError::Usage(error.to_string()))?;
            Pace::Rate(if pace.repeat { profile.repeated() } else { profile })
        }
        (None, Some(peak), ..) => Pace::Load(peak),
        (None, None, Some(RateLimit::Max), _) => Pace::Max,
        (None, None, Some(RateLimit::At(rate)), _) => Pace::Rate(Profile::Constant(rate)),
        (None, None, None, Some(speed)) => Pace::Natural(speed.factor()),
        (None, None, None, None) => Pace::Natural(1.0),
    };
    Ok((time, pace))
}

/// Refuses options on the pace that the run's pace has no use for.
fn pace_fits(options: &RunOptions, manifest: &Manifest) -> Result<(), RunError> {
    let patterns = &manifest.config.temporal_patterns;
    if matches!(manifest.pace, Pace::Load(_)) && !patterns.enable_diurnal && !patterns.enable_weekly
    {
        return usage(
            "--peak-rate follows the fleet's temporal curve, and there is none: set temporal_patterns.enable_diurnal=true, or choose a scenario that does, as production",
        );
    }
    if matches!(manifest.pace, Pace::Load(_)) {
        manifest.curve_moves().map_err(RunError::Usage)?;
    }
    if manifest.pace == Pace::Max {
        if options.pace.on_backlog == OnBacklog::Drop {
            return usage(
                "--on-backlog drop and --rate max exclude each other: where nothing is due at an instant, nothing falls behind",
            );
        }
        if options.pace.max_rate_error.is_some() {
            return usage(
                "--max-rate-error and --rate max exclude each other: there is no rate to hold",
            );
        }
    }
    Ok(())
}

/// The shard: that of the options, with the index of a Kubernetes Indexed Job where they say so.
fn shard(options: &RunOptions) -> Result<Shard, RunError> {
    let Some(choice) = options.pace.shard else { return Ok(Shard::WHOLE) };
    let index = std::env::var(JOB_INDEX).ok();
    choice
        .resolve(index.as_deref())
        .map_err(|error| RunError::Usage(format!("--shard, {JOB_INDEX}: {error}")))
}

/// Where Kubernetes tells a pod of an Indexed Job which it is.
const JOB_INDEX: &str = "JOB_COMPLETION_INDEX";

/// The transactions that the options ask for.
fn transactions(options: &RunOptions) -> Result<Option<Transactions>, RunError> {
    let Some(id) = &options.destination.transactional_id else { return Ok(None) };
    if options.destination.acks.is_some_and(|acks| acks != Acks::All) {
        return usage("--transactional-id needs --acks all: transactions rest on idempotence");
    }
    if options.destination.sink != SinkKind::Kafka {
        return usage("--transactional-id needs --sink kafka");
    }
    let (threads, producers) = (options.pace.threads, options.pace.producers);
    if let (Some(threads), Some(producers)) = (threads, producers)
        && threads != producers
    {
        return usage(
            "with --transactional-id each thread has a producer of its own: give --threads alone",
        );
    }
    Ok(Some(Transactions {
        id: id.clone(),
        producers: threads.or(producers).unwrap_or(1),
        records: options.destination.transaction_records,
        time: options.destination.transaction_time,
    }))
}

fn format(options: &RunOptions) -> Result<Format, RunError> {
    match (options.destination.sink, options.topics.format) {
        (SinkKind::Stdout, Some(Format::Avro)) => {
            usage("--sink stdout prints JSON lines: leave out --format avro")
        }
        (SinkKind::Stdout, _) => Ok(Format::Json),
        (_, format) => Ok(format.unwrap_or(Format::Avro)),
    }
}

/// Turns `n_jobs` into the probability of an arrival.
fn spread_jobs(manifest: &mut Manifest, start_ms: i64) -> Result<(), RunError> {
    let Some(n_jobs) = manifest.config.n_jobs else {
        return Ok(());
    };
    let Some(length) = manifest.fleet_time() else {
        return usage(format!(
            "n_jobs = {n_jobs} needs a run of known length: give --readings, --records or --duration, or set jobs.arrival_probability instead"
        ));
    };
    let rounds = length.as_secs_f64() / manifest.interval.duration().as_secs_f64();
    // Where load follows the clock, jobs do: fewer readings bring one, and each more likely.
    let fleet = Fleet::new(&manifest.config, manifest.seed);
    let end_ms = start_ms.saturating_add(manifest.span_ms(length));
    let mut course = Curve::new(&manifest.config, &fleet);
    let curve = course.as_mut().map_or(1.0, |c| c.mean(start_ms, end_ms));
    let readings = rounds * f64::from(manifest.config.n_machines) * curve;
    // Those that are under way at the start are told of as well.
    let spacing_ms = manifest.schedule().spacing_ms();
    let begun = jobs::under_way(|readings| {
        let before = start_ms.saturating_sub((readings as f64 * spacing_ms) as i64);
        course.as_mut().map_or(1.0, |c| c.of_fleet(before))
    }) * f64::from(manifest.config.n_machines);
    let arrival = if n_jobs == 0 { 0.0 } else { n_jobs as f64 / (readings + begun) };
    if n_jobs as f64 > readings * MOST_ARRIVALS {
        return usage(format!(
            "n_jobs = {n_jobs} is too many for {readings:.0} readings: at most one reading in five can bring a job, so {:.0}",
            readings * MOST_ARRIVALS
        ));
    }
    manifest.config.jobs.arrival_probability = arrival;
    Ok(())
}

/// Settles the start, and refuses what no start can serve.
fn start(options: &RunOptions, manifest: &mut Manifest, now_ms: i64) -> Result<Start, RunError> {
    let given = options.pace.start;
    if manifest.shard.count() > 1 {
        if !matches!(given, Some(StartTime::Absolute(_))) {
            return usage(
                "--shard needs --start with an instant, as 2026-01-01T00:00:00Z: shards that start by their own clocks would disagree",
            );
        }
        if manifest.config.seed.is_none() {
            return usage("--shard needs --seed: each shard would draw its own");
        }
    }
    let start_ms = match (given, manifest.time) {
        (None | Some(StartTime::Now), Time::Live) => return Ok(Start::Now),
        (None, Time::Simulated) => match manifest.fleet_time() {
            Some(length) => {
                // A reading stands in the middle of its part of the round, so that its last slot
                // may reach beyond: (S - 2) / 2S of a part, for S slots.
                let slots = Slots::new(manifest.topic_set()).len() as u32;
                let part = manifest.interval.duration() / manifest.config.n_machines;
                let beyond = part * slots.saturating_sub(2) / (2 * slots.max(1));
                let length = (length + beyond).as_millis() as i64 + 1;
                now_ms.saturating_sub(length).max(0)
            }
            None => return Ok(Start::Now),
        },
        (Some(given), _) => {
            given.resolve(now_ms).map_err(|error| RunError::Usage(format!("--start: {error}")))?
        }
    };
    let paced_by_rate = matches!(manifest.pace, Pace::Rate(_) | Pace::Load(_));
    if manifest.time == Time::Live && paced_by_rate && start_ms < now_ms - LATE_START_MS {
        return usage(
            "--start in the past and --rate exclude each other in live time: what lies behind is caught up at the natural pace only; leave out --rate, or say --time simulated",
        );
    }
    manifest.start = instant(start_ms);
    Ok(Start::Fixed)
}

fn instant(ms: i64) -> DateTime<chrono::Utc> {
    // Only out of range for years that no start reaches.
    DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::cli::{Cli, Command};

    fn stamps(options: &str) -> (i64, Option<i64>) {
        let words = format!("fleetstorm run --seed 1 {options}");
        let cli = Cli::read(words.split_whitespace());
        let Ok(Cli { command: Command::Run(options), .. }) = cli else {
            panic!("`run` is asked for")
        };
        let stamps = Plan::new(&options, 1000).expect("the options agree").stamps(1000);
        (stamps.earliest, stamps.latest)
    }

    #[test]
    fn announcements_alone_carry_the_start_and_nothing_beyond() {
        assert_eq!(stamps("--topics machines --records 5 --rate max"), (1000, Some(1000)));
        assert_eq!(stamps("--topics machines --rate max"), (1000, Some(1000)));
        assert_eq!(stamps("--topics machines,usage --rate max"), (1000, None));
    }
}
