//! A run: its manifest, from a builder or a file, and its records as iterators.

mod builder;
mod byte_rate;
mod error;
mod incidents;
mod out_of_reach;
mod records;
mod settle;
mod unseen;

use chrono::{DateTime, Utc};

use crate::encoding::Encoder;
use crate::fleet::Share;
use crate::manifest::Manifest;
use crate::record::{JobRecord, MachineRecord, Record, StatusRecord, Telemetry, Topic, Usage};
use crate::stream::Stream;

pub use builder::RunBuilder;
pub use error::RunError;
pub use incidents::Incident;
pub use records::{OwnedRecord, Records};
pub use settle::Start;

/// A simulated run.
///
/// ```
/// use fleetstorm_model::run::Run;
///
/// let run = Run::builder()
///     .scenario("production")
///     .machines(5)
///     .readings(3)
///     .seed(7)
///     .start("2026-01-01T00:00:00Z".parse()?)
///     .build()?;
/// assert_eq!(run.telemetry().count(), 15);
/// // Machines are announced first.
/// assert!(run.records().take(5).all(|record| record.topic.name() == "machines"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What decides every record.
    pub manifest: Manifest,
    /// When it starts.
    pub start: Start,
    /// What the user should know before it begins.
    pub notes: Vec<String>,
}

impl Run {
    /// A builder with the program's defaults.
    pub fn builder() -> RunBuilder {
        RunBuilder::default()
    }

    /// The run of an existing manifest.
    pub fn of(manifest: Manifest) -> Run {
        Run { manifest, start: Start::Fixed, notes: Vec::new() }
    }

    /// Sets the start of a run that starts when all is ready.
    pub fn begin(&mut self, start: DateTime<Utc>) {
        if self.start == Start::WhenReady {
            self.manifest.start = start;
            self.start = Start::Fixed;
        }
    }

    /// All records of the run's shard, in the order in which one thread makes them.
    pub fn records(&self) -> Records {
        self.records_of(0, 1)
    }

    /// The records of `thread`, of `threads` (at least one) that share the machines of the shard.
    /// Every machine belongs to one thread, so that a key's records stay in order.
    pub fn records_of(&self, thread: u32, threads: u32) -> Records {
        Records::new(self.stream_of(thread, threads))
    }

    /// What is due of `thread`, of `threads`: [`Run::records_of`] without an allocation a record.
    pub fn stream_of(&self, thread: u32, threads: u32) -> Stream {
        let shard = (self.manifest.shard.index(), self.manifest.shard.count());
        Stream::new(&self.manifest, Share { shard, thread: (thread, threads.max(1)) })
    }

    /// The readings' telemetry, where the topic is selected.
    pub fn telemetry(&self) -> impl Iterator<Item = Telemetry<String>> {
        self.of_topic(Topic::Telemetry, |record| match record {
            Record::Telemetry(telemetry) => Some(telemetry),
            _ => None,
        })
    }

    /// The readings' usage, where the topic is selected.
    pub fn usage(&self) -> impl Iterator<Item = Usage<String>> {
        self.of_topic(Topic::Usage, |record| match record {
            Record::Usage(usage) => Some(usage),
            _ => None,
        })
    }

    /// Changes of machines' health and their heartbeats, where the topic is selected.
    pub fn status(&self) -> impl Iterator<Item = StatusRecord<String>> {
        self.of_topic(Topic::Status, |record| match record {
            Record::Status(status) => Some(status),
            _ => None,
        })
    }

    /// Changes of jobs' states, where the topic is selected.
    pub fn jobs(&self) -> impl Iterator<Item = JobRecord<String>> {
        self.of_topic(Topic::Jobs, |record| match record {
            Record::Job(job) => Some(job),
            _ => None,
        })
    }

    /// What each machine is, where the topic is selected.
    pub fn machines(&self) -> impl Iterator<Item = MachineRecord<String>> {
        self.of_topic(Topic::Machines, |record| match record {
            Record::Machine(machine) => Some(machine),
            _ => None,
        })
    }

    /// The ground truth: every incident of the run's shard, in the order in which they begin, whether
    /// the topic `incidents` is selected or not. A run without an end has no such list: it never
    /// returns.
    pub fn incidents(&self) -> Vec<Incident> {
        incidents::of(&self.manifest)
    }

    /// The encoder of the run's values.
    pub fn encoder(&self) -> Encoder {
        self.manifest.encoder()
    }

    fn of_topic<T>(
        &self,
        topic: Topic,
        take: impl Fn(Record<String>) -> Option<T>,
    ) -> impl Iterator<Item = T> {
        self.records().only(topic).filter_map(move |record| take(record.value))
    }
}
