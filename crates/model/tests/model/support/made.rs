//! What runs make, with the instants at which it is due, values read as JSON.

use std::collections::BTreeMap;

use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;
use fleetstorm_model::run::{Run, RunError};
use fleetstorm_model::stream::Step;

use super::options;

/// The clock when a run is built: 2026-01-01.
pub const NOW_MS: i64 = 1_767_225_600_000;
pub const SECOND_NS: u64 = 1_000_000_000;

/// A record, its value as JSON.
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
pub fn run_at(now_ms: i64, options: &str) -> Result<Run, RunError> {
    options::run_at(now_ms, &format!("--format json {options}"))
}

pub fn manifest(options: &str) -> Manifest {
    run_at(NOW_MS, options).unwrap_or_else(|error| panic!("{options}: {error}")).manifest
}

/// Makes all of a run.
pub fn make(options: &str) -> Made {
    let run = Run::of(manifest(options));
    let encoder = run.encoder();
    let mut stream = run.stream_of(0, 1);
    let mut buffer = Vec::new();
    let mut made = Made { records: Vec::new(), announced: Vec::new(), silent: 0 };
    while let Some(step) = stream.next() {
        let intended_ns = match step {
            Step::Slot(slot) => slot.due_ns,
            Step::Announcement(_) | Step::Closing(_) => None,
        };
        stream.record(&step, |keyed| {
            let Some(keyed) = keyed else {
                made.silent += 1;
                return;
            };
            let value = encoder.encode(keyed.record, &mut buffer);
            let received = Received {
                topic: keyed.record.topic(),
                key: keyed.key.to_owned(),
                partition: keyed.partition,
                timestamp_ms: keyed.timestamp_ms,
                intended_ns,
                value: serde_json::from_slice(value).expect("values are JSON"),
            };
            match received.topic {
                Topic::Machines => made.announced.push(received),
                _ => made.records.push(received),
            }
        });
    }
    // So that nothing holds because there was nothing to look at.
    let has_slots = run.manifest.topic_set().iter().any(|topic| topic != Topic::Machines);
    assert_eq!(made.slots() > 0, has_slots, "a run of no slots");
    made
}
