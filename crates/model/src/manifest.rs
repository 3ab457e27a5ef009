//! The manifest: the resolved run. It holds everything that decides a record, so the run's records can be
//! regenerated from it.

mod check;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::config::units::{ByteRate, Rate, Shard, Span};
use crate::encoding::{Encoder, Format, SchemaId};
use crate::fleet::Fleet;
use crate::record::{Topic, TopicSet};
use crate::schedule::{Course, Grid, Pace, Schedule, Slots, Time, offered};
use crate::simulation::temporal_curve::TemporalCurve;

pub use check::{Infeasible, ManifestError};

/// The version of the record stream. It changes whenever the bytes of a given manifest would.
pub const STREAM_VERSION: u32 = 4;

/// The resolved run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The [`STREAM_VERSION`] of the program that made the run.
    pub stream_version: u32,
    /// The version of the program that made the run.
    pub fleetstorm: String,
    /// The seed, drawn where the configuration gives none.
    pub seed: u64,
    /// The instant from which the schedule runs, to the millisecond.
    pub start: DateTime<Utc>,
    /// Which time the records carry.
    pub time: Time,
    /// How fast slots are worked off.
    pub pace: Pace,
    /// The byte rate that the pace was computed from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<BytesPace>,
    /// Fleet time between two readings of a machine.
    pub interval: Span,
    /// How often machines are announced again, in the records' time; none: only at the start.
    pub machines_refresh: Option<Span>,
    /// The run ends before the slot of this number.
    pub records: Option<u64>,
    /// The run ends this long after its start, on the clock of its pace.
    pub duration: Option<Span>,
    /// The run closes its windows: in each partition a last record whose event time lies so long after
    /// the run's end. None: it doesn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_windows: Option<Span>,
    /// Which part of the fleet this process simulates.
    pub shard: Shard,
    /// How values are encoded.
    pub format: Format,
    /// The key of the jobs topic.
    pub job_key: JobKey,
    /// The transactions that records are sent in, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Transactions>,
    /// The selected topics, in order.
    pub topics: Vec<TopicEntry>,
    /// The configuration of the fleet and its behaviour.
    pub config: Config,
}

/// A byte rate, which became a rate of records before the run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BytesPace {
    /// The requested bytes of keys and values per second.
    pub per_second: ByteRate,
    /// The bytes of key and value of a slot, on average over the first readings of the run.
    pub mean_slot_bytes: f64,
}

/// The transactions of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transactions {
    /// The prefix of transactional ids. The first producer's is this, a hyphen, the shard's index, a
    /// hyphen and 0. A resumed run has the same ids, and so fences the previous one.
    pub id: String,
    /// The number of producers, one per thread; at least one.
    pub producers: u32,
    /// The most records of a transaction.
    pub records: u64,
    /// The longest time that a transaction stays open.
    pub time: Span,
}

/// A topic that a run writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicEntry {
    /// Which topic it is.
    pub topic: Topic,
    /// Its full name, prefix included.
    pub name: String,
    /// How many partitions it has, at least one.
    pub partitions: u32,
    /// The id of its values' schema; none for JSON.
    pub schema_id: Option<SchemaId>,
    /// Its topic id in its cluster, which changes if the topic is recreated. `None` if no broker was
    /// asked, or has topic ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The end offset of each partition when the run began: the offset of the first record that may be
    /// the run's. `None` if no broker was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_offsets: Option<Vec<i64>>,
}

impl TopicEntry {
    /// A topic of a run before its schema is registered.
    pub fn new(topic: Topic, prefix: &str, partitions: u32) -> TopicEntry {
        TopicEntry {
            topic,
            name: format!("{prefix}{topic}"),
            partitions,
            schema_id: None,
            id: None,
            start_offsets: None,
        }
    }
}

/// What the jobs topic is keyed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum), value(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum JobKey {
    /// The machine, as in every other topic: the topics are co-partitioned.
    MachineId,
    /// The job: the topic is an upsert stream of jobs.
    JobId,
}

impl Manifest {
    /// The selected topics as a set.
    pub fn topic_set(&self) -> TopicSet {
        self.topics.iter().map(|entry| entry.topic).collect()
    }

    /// The partition count of every topic, in the order of [`Topic::ALL`]; 1 where not selected.
    pub fn partitions(&self) -> [u32; Topic::COUNT] {
        let mut partitions = [1; Topic::COUNT];
        for entry in &self.topics {
            partitions[entry.topic.index()] = entry.partitions.max(1);
        }
        partitions
    }

    /// The grid of the run's slots.
    pub fn grid(&self) -> Grid {
        Grid {
            machines: self.config.n_machines,
            slots: Slots::new(self.topic_set()).len(),
            interval: self.interval.duration(),
        }
    }

    /// The run's schedule.
    pub fn schedule(&self) -> Schedule {
        let start_ms = self.start.timestamp_millis();
        let offered = |peak| self.offered(peak, start_ms);
        Schedule::new(self.grid(), start_ms, self.time, &self.pace, offered)
    }

    /// The course that the fleet's temporal curve makes of the rate `peak`.
    fn offered(&self, peak: Rate, start_ms: i64) -> Course {
        match TemporalCurve::new(&self.config, &Fleet::new(&self.config, self.seed)) {
            Some(mut curve) => offered::course(peak, &mut curve, start_ms, self.time, self.grid()),
            None => Course::constant(peak.per_second()),
        }
    }

    /// The encoder of the run's values.
    pub fn encoder(&self) -> Encoder {
        match self.format {
            Format::Json => Encoder::json(),
            Format::Avro => {
                let mut ids = [SchemaId(0); Topic::COUNT];
                for entry in &self.topics {
                    if let Some(id) = entry.schema_id {
                        ids[entry.topic.index()] = id;
                    }
                }
                Encoder::avro(ids)
            }
        }
    }

    /// The number of slots after which the run ends, by `records` and `n_readings`; `None` if it ends
    /// otherwise.
    pub fn end_slot(&self) -> Option<u64> {
        let by_readings = self.config.n_readings.map(|n| self.schedule().slots_in(n));
        match (self.records, by_readings) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether it is known before the run which slot is its last: where a clock ends a run that nothing
    /// paces, it isn't.
    pub fn has_known_end(&self) -> bool {
        match self.pace {
            Pace::Max => self.end_slot().is_some() && self.duration.is_none(),
            _ => self.end_slot().is_some() || self.end_ns().is_some(),
        }
    }

    /// The event time of the records that close the run's windows, in milliseconds since the epoch: so
    /// long after the timestamp of the run's last slot as was asked for. None where it closes none, or
    /// has no known end.
    pub fn closing_ms(&self) -> Option<i64> {
        let after = self.close_windows.filter(|_| self.has_known_end())?;
        let after_ms = i64::try_from(after.duration().as_millis()).unwrap_or(i64::MAX).max(1);
        let schedule = self.schedule();
        let by_slots = self.end_slot().unwrap_or(u64::MAX);
        let by_time = self.end_ns().map_or(u64::MAX, |end_ns| schedule.first_due_from(end_ns));
        let end_ms = match by_slots.min(by_time).checked_sub(1) {
            Some(last) => schedule.time_of(last).timestamp_ms,
            None => self.start.timestamp_millis(),
        };
        Some(end_ms.saturating_add(after_ms))
    }

    /// The fleet time that the run spans, from its first round to its last, where that is known
    /// before it runs: by `n_readings`, by `records`, or at the natural pace by `duration`.
    pub fn fleet_time(&self) -> Option<Duration> {
        let interval = self.interval.duration().as_secs_f64();
        let schedule = self.schedule();
        let slots_per_round = schedule.slots_in(1);
        let by_slots = self
            .end_slot()
            .filter(|_| slots_per_round > 0)
            .map(|slots| slots as f64 / slots_per_round as f64 * interval);
        let by_duration = self.ends_after().and_then(|seconds| {
            let rounds = schedule.due(seconds)? / slots_per_round as f64;
            rounds.is_finite().then_some(rounds * interval)
        });
        let seconds = match (by_slots, by_duration) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }

    /// How long the run lasts on the clock of its pace, in seconds: by `duration`, or by the end of the
    /// profile; `None` if neither ends it.
    pub fn ends_after(&self) -> Option<f64> {
        let by_duration = self.duration.map(|duration| duration.duration().as_secs_f64());
        match (by_duration, self.schedule().end()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The same in nanoseconds from the schedule's zero: what is due from then on is not sent.
    pub fn end_ns(&self) -> Option<u64> {
        self.ends_after().map(|seconds| (seconds * 1e9) as u64)
    }

    /// How far the records' timestamps reach in `fleet_time`, in milliseconds: in live time at a
    /// rate, that decides.
    pub fn span_ms(&self, fleet_time: Duration) -> i64 {
        let schedule = self.schedule();
        let records = schedule.natural_rate() * fleet_time.as_secs_f64();
        let seconds = match self.time {
            Time::Live => schedule.instant(records).filter(|seconds| seconds.is_finite()),
            Time::Simulated => None,
        };
        (seconds.unwrap_or(fleet_time.as_secs_f64()) * 1000.0) as i64
    }
}
