//! The records of a run as an iterator of owned values.

use std::time::Duration;

use crate::record::{Record, Topic};
use crate::stream::{KeyedRecord, Step, Stream};

/// A record with all that a producer needs.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedRecord {
    /// The topic, by its name before any prefix.
    pub topic: Topic,
    /// The key.
    pub key: String,
    /// The partition of the key, as Java clients choose it.
    pub partition: i32,
    /// The Kafka record's timestamp, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// When it is to be sent, counted from the start of the run; none for announcements of machines,
    /// for what closes windows, and where nothing is paced.
    pub due: Option<Duration>,
    /// The value.
    pub value: Record<String>,
}

/// The records of a share of a run, in order. See [`Run::records`](super::Run::records).
#[derive(Debug)]
pub struct Records {
    stream: Stream,
    only: Option<Topic>,
}

impl Records {
    pub(super) fn new(stream: Stream) -> Records {
        Records { stream, only: None }
    }

    /// Those of one topic: the others are made and not copied.
    pub fn only(self, topic: Topic) -> Records {
        Records { only: Some(topic), ..self }
    }
}

impl Iterator for Records {
    type Item = OwnedRecord;

    fn next(&mut self) -> Option<OwnedRecord> {
        loop {
            let step = self.stream.next()?;
            let due = match step {
                Step::Slot(slot) => slot.due_ns.map(Duration::from_nanos),
                Step::Announcement(_) | Step::Closing(_) => None,
            };
            let only = self.only;
            let wanted = |keyed: &KeyedRecord<'_>| only.is_none_or(|t| t == keyed.record.topic());
            let record = self.stream.record(&step, |keyed| {
                keyed.filter(wanted).map(|keyed| OwnedRecord {
                    topic: keyed.record.topic(),
                    key: keyed.key.to_owned(),
                    partition: keyed.partition,
                    timestamp_ms: keyed.timestamp_ms,
                    due,
                    value: keyed.record.owned(),
                })
            });
            if record.is_some() {
                return record;
            }
        }
    }
}
