//! How far a run got: for each topic and key, how many of its first records are there.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use fleetstorm_model::fleet::Share;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;

use super::read_back::Topics;
use super::runs::{Dropped, Run, Runs};
use super::{Evidence, VerifyError, belongs_to_another_shard};
use crate::pacing::StopFlag;
use crate::report::read::ReadReport;
use crate::report::results::DroppedSpan;
use crate::sink::kafka::Cluster;

/// The records of a run that are in its topics already.
#[derive(Debug, Clone, Default)]
pub struct Position {
    run: Option<Run>,
    keys: HashMap<Box<[u8]>, [u64; Topic::COUNT]>,
    /// How many there are, of the run's own shard.
    pub records: u64,
    /// Other records: duplicates, records after a missing one, or of other shards.
    pub others: u64,
}

impl Position {
    /// The position of the run of `report`, read back from its topics. A key's records count up to the
    /// first that is missing.
    ///
    /// # Errors
    /// [`VerifyError`] if the topics can't be read.
    pub fn read(
        cluster: &Cluster,
        report: ReadReport,
        stop: &StopFlag,
        threads: u32,
    ) -> Result<Position, VerifyError> {
        let runs = Runs::of(report)?;
        let manifest: Manifest = runs.manifest();
        let topics = Topics::open(cluster, &manifest.topics, |_| None, stop)?;
        if let Some(range) = topics.ranges().iter().find(|range| range.removed > 0) {
            let topic = manifest.topics.iter().find(|entry| entry.topic == range.topic);
            return Err(VerifyError::Removed {
                topic: topic.map(|entry| entry.name.clone()).unwrap_or_default(),
                records: range.removed,
            });
        }
        let evidence = Evidence::gather(&runs, &topics, threads)?;
        let ledger = &evidence.ledger;
        let run = runs.runs.first().cloned();
        let mut position = Position { run, ..Position::default() };
        for (key, row) in ledger.rows() {
            let counts = Topic::ALL.map(|topic| ledger.chain(row, topic).count);
            let records: u64 = counts.iter().sum();
            if evidence.known[row as usize].load(Ordering::Relaxed) {
                position.records += records;
                position.keys.insert(key.into(), counts);
            } else if !belongs_to_another_shard(&runs, key) {
                position.others += records;
            }
        }
        let comparison = evidence.comparison(cluster, &manifest, &topics);
        for (suspect, leading) in comparison.compare(&evidence.suspects())?.leading {
            let counts = position.keys.entry(suspect.key.as_bytes().into()).or_default();
            let count = &mut counts[suspect.topic.index()];
            let others = count.saturating_sub(leading);
            position.others += others;
            position.records -= others;
            *count = leading;
        }
        Ok(position)
    }

    /// What the run dropped before. It stays dropped.
    pub fn dropped(&self) -> &[DroppedSpan] {
        self.run.as_ref().map_or(&[], |run| &run.dropped)
    }

    /// The dropped slots of a share. Its threads are those that it had.
    pub fn dropped_of(&self, share: Share) -> Dropped {
        self.run.as_ref().map(|run| run.dropped(share)).unwrap_or_default()
    }

    /// How many threads the run must go on with: as many as it had, if they dropped slots.
    pub fn threads(&self) -> Option<u32> {
        self.dropped().first().map(|span| span.thread.count())
    }

    /// How many of the first records of a topic and key are there.
    pub fn count(&self, topic: Topic, key: &str) -> u64 {
        self.keys.get(key.as_bytes()).map_or(0, |counts| counts[topic.index()])
    }
}
