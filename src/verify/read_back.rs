//! Reading a run's topics back: every record between two offsets of each partition.

use fleetstorm_model::manifest::TopicEntry;
use fleetstorm_model::record::Topic;
use rdkafka::message::{Message, Timestamp};

use super::VerifyError;
use super::ledger::Content;
use crate::consume::{OffsetRange, Reader};
use crate::pacing::StopFlag;
use crate::sink::kafka::Cluster;

/// The records of one partition that are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionRange {
    /// The topic.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// The offset of the first.
    pub from: i64,
    /// The offset behind the last.
    pub to: i64,
    /// How many offsets before `from` were the run's and are gone: aged out, or deleted.
    pub removed: u64,
}

/// A record that arrived.
#[derive(Debug, Clone, Copy)]
pub struct ConsumedRecord<'a> {
    /// Its topic.
    pub topic: Topic,
    /// Its offset.
    pub offset: i64,
    /// Its key; empty where it has none.
    pub key: &'a [u8],
    /// The rest of it.
    pub content: Content<'a>,
    /// Whether its timestamp is the broker's.
    pub restamped: bool,
}

/// The topics of a run on its cluster.
pub struct Topics<'a> {
    reader: Reader,
    entries: &'a [TopicEntry],
    ranges: Vec<PartitionRange>,
}

impl<'a> Topics<'a> {
    /// The topics of `entries` from their start offsets up to where they end now, or where the run
    /// ended by `ends` (of a topic, its partitions' offsets).
    ///
    /// # Errors
    /// [`VerifyError`] where a topic is missing, or has other partitions than it had.
    pub fn open(
        cluster: &Cluster,
        entries: &'a [TopicEntry],
        ends: impl Fn(Topic) -> Option<Vec<i64>>,
        stop: &StopFlag,
    ) -> Result<Topics<'a>, VerifyError> {
        let reader = Reader::new(cluster.settings(), stop)?;
        let mut ranges = Vec::new();
        for entry in entries {
            if cluster.partitions(&entry.name)?.is_none_or(|found| found < entry.partitions) {
                return Err(VerifyError::Topic {
                    topic: entry.name.clone(),
                    partitions: entry.partitions,
                });
            }
            let ends = ends(entry.topic);
            for whole in reader.ends(&entry.name, entry.partitions)? {
                let at = |offsets: &Option<Vec<i64>>| {
                    offsets.as_ref()?.get(whole.partition as usize).copied()
                };
                let start = at(&entry.start_offsets).unwrap_or(0);
                let to = at(&ends).map_or(whole.to, |end| end.min(whole.to));
                ranges.push(PartitionRange {
                    topic: entry.topic,
                    partition: whole.partition,
                    from: start.max(whole.from),
                    to,
                    removed: u64::try_from(whole.from.min(to) - start).unwrap_or(0),
                });
            }
        }
        Ok(Topics { reader, entries, ranges })
    }

    /// What there is to read.
    pub fn ranges(&self) -> &[PartitionRange] {
        &self.ranges
    }

    /// Hands every record of the partitions that `wanted` names to `each`; the records of a partition
    /// come in their order.
    ///
    /// # Errors
    /// [`VerifyError`] where the cluster stops answering, or the program is to stop.
    pub fn read(
        &self,
        wanted: impl Fn(&PartitionRange) -> bool,
        mut each: impl FnMut(&ConsumedRecord<'_>),
    ) -> Result<(), VerifyError> {
        // A topic at a time: the end of a partition is told by its number alone.
        for entry in self.entries {
            let of_topic = self.ranges.iter().filter(|range| range.topic == entry.topic);
            let ranges: Vec<OffsetRange> = of_topic
                .filter(|range| wanted(range))
                .map(|&PartitionRange { partition, from, to, .. }| OffsetRange {
                    partition,
                    from,
                    to,
                })
                .collect();
            self.reader.read(&entry.name, &ranges, |message| {
                let (timestamp_ms, restamped) = match message.timestamp() {
                    Timestamp::CreateTime(ms) => (ms, false),
                    Timestamp::LogAppendTime(ms) => (ms, true),
                    Timestamp::NotAvailable => (-1, true),
                };
                let value = message.payload().unwrap_or_default();
                each(&ConsumedRecord {
                    topic: entry.topic,
                    offset: message.offset(),
                    key: message.key().unwrap_or_default(),
                    content: Content { partition: message.partition(), timestamp_ms, value },
                    restamped,
                });
            })?;
        }
        Ok(())
    }
}
