//! Runs that are planned from options as a user gives them, and worked off by the run's own worker
//! into a collecting sink. The schedule's zero is put far into the past, so that nothing is waited
//! for.
// Not every test needs all of it.
#![allow(dead_code)]

#[path = "options.rs"]
pub mod options;

use fleetstorm::exit::ProgramError;
use fleetstorm::pacing::{Pacer, StopFlag};
use fleetstorm::run::worker::{Ended, Progress, Worker};
use fleetstorm::sink::{Message, Sink, SinkError};
use fleetstorm_model::fleet::Share;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;
use fleetstorm_model::run::Run;
use std::collections::BTreeMap;

/// The process's clock when a plan is made: 2026-01-01.
pub const NOW_MS: i64 = 1_767_225_600_000;
pub const SECOND_NS: u64 = 1_000_000_000;
/// How long ago schedules began: longer than any run here lasts.
pub const ELAPSED_NS: u64 = 30 * 86_400 * SECOND_NS;

/// A record as a sink received it, its value as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    pub topic: Topic,
    pub key: String,
    pub partition: i32,
    pub timestamp_ms: i64,
    pub intended_ns: Option<u64>,
    pub value: serde_json::Value,
}

/// What a run made.
#[derive(Debug)]
pub struct Made {
    /// Records that own a slot, in the order in which they came.
    pub records: Vec<Received>,
    /// Announcements of machines.
    pub announced: Vec<Received>,
    /// Slots that carried nothing.
    pub silent: u64,
}

struct Collector<'a>(&'a mut Vec<Received>);

impl Sink for Collector<'_> {
    fn send(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        self.0.push(Received {
            topic: message.topic,
            key: message.key.to_owned(),
            partition: message.partition,
            timestamp_ms: message.timestamp_ms,
            intended_ns: message.intended_ns,
            value: serde_json::from_slice(message.value).expect("values are JSON"),
        });
        Ok(())
    }
}

impl Made {
    /// Slots worked off.
    pub fn slots(&self) -> u64 {
        self.records.len() as u64 + self.silent
    }

    /// The records of a topic.
    pub fn of(&self, topic: Topic) -> impl Iterator<Item = &Received> {
        self.records.iter().filter(move |record| record.topic == topic)
    }

    /// Records of each key of each topic, in order.
    pub fn streams(&self) -> BTreeMap<(Topic, &str), Vec<&Received>> {
        let mut streams: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for record in self.announced.iter().chain(&self.records) {
            streams.entry((record.topic, record.key.as_str())).or_default().push(record);
        }
        streams
    }

    /// The instants of its records, which must all have one.
    pub fn instants(&self) -> Vec<u64> {
        self.records.iter().map(|r| r.intended_ns.expect("the run is paced")).collect()
    }

    /// The latest timestamp of any of its records.
    pub fn last_ms(&self) -> i64 {
        self.records.iter().map(|r| r.timestamp_ms).max().expect("the run has records")
    }
}

/// The run with these options, in JSON, as seen at `now_ms`.
pub fn run_at(now_ms: i64, options: &str) -> Result<Run, ProgramError> {
    options::run_at(now_ms, &format!("--format json {options}"))
}

pub fn manifest(options: &str) -> Manifest {
    run_at(NOW_MS, options).unwrap_or_else(|error| panic!("{options}: {error}")).manifest
}

/// Works off a run whose schedule began `elapsed_ns` ago and is measured from `measured_ns` on.
pub fn work(manifest: &Manifest, elapsed_ns: u64, measured_ns: u64) -> Made {
    let stop = StopFlag::default();
    let mut received = Vec::new();
    let mut worker = Worker::new(manifest, Share::WHOLE, Collector(&mut received));
    if manifest.topic_set().contains(Topic::Machines) {
        assert_eq!(worker.announce(&stop).ok(), Some(Ended::Finished));
    }
    let pacer = Pacer::new(elapsed_ns as i64, stop);
    let ended = worker.run(&pacer, measured_ns, &Progress::default());
    assert_eq!(ended.ok(), Some(Ended::Finished));
    let silent = worker.sent().silent();
    let (announced, records) = received.into_iter().partition(|r| r.topic == Topic::Machines);
    let made = Made { records, announced, silent };
    // So that nothing below holds because there was nothing to look at.
    let has_slots = manifest.topic_set().iter().any(|topic| topic != Topic::Machines);
    assert_eq!(made.slots() > 0, has_slots, "a run of no slots");
    made
}

pub fn make(options: &str) -> Made {
    work(&manifest(options), ELAPSED_NS, 0)
}
