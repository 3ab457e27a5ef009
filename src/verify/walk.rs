//! Regenerates the records of a share of a run, in the order in which its thread sent them.

use fleetstorm_model::encoding::Encoder;
use fleetstorm_model::fleet::Share;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;
use fleetstorm_model::stream::{KeyedRecord, Step, Stream};

use super::ledger::Content;
use super::runs::Dropped;

/// A record that the run sent.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// Its machine's place in the share.
    pub at: usize,
    /// Its topic.
    pub topic: Topic,
    /// Its key.
    pub key: &'a str,
    /// Whether the key is the machine's name.
    pub by_machine: bool,
    /// Its partition.
    pub partition: i32,
    /// Its timestamp, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// Its value as it was sent.
    pub value: &'a [u8],
}

impl<'a> Due<'a> {
    /// The part that is compared.
    #[inline]
    pub fn content(&self) -> Content<'a> {
        Content { partition: self.partition, timestamp_ms: self.timestamp_ms, value: self.value }
    }
}

/// The records of one share.
pub struct Walk {
    stream: Stream,
    encoder: Encoder,
    buffer: Vec<u8>,
    dropped: Dropped,
}

impl Walk {
    /// The records of `share` of the run of `manifest`, of which these slots were dropped: their state
    /// changes waited for later slots.
    pub fn new(manifest: &Manifest, share: Share, dropped: Dropped) -> Walk {
        Walk {
            dropped,
            stream: Stream::new(manifest, share),
            encoder: manifest.encoder(),
            buffer: Vec::with_capacity(512),
        }
    }

    /// How many machines the share has.
    pub fn machines(&self) -> usize {
        self.stream.machines()
    }

    /// The name of the machine at a place.
    pub fn name(&self, at: usize) -> &str {
        self.stream.machine_id(at)
    }

    /// Passes every record to `each`, in order, up to the run's end, or to the first reading for whose
    /// round and timestamp `goes_on` returns false.
    pub fn run(
        mut self,
        mut goes_on: impl FnMut(u64, i64) -> bool,
        mut each: impl FnMut(&Due<'_>),
    ) {
        let Walk { stream, encoder, buffer, dropped } = &mut self;
        while let Some(step) = stream.next() {
            let at = match step {
                Step::Announcement(announcement) => announcement.at,
                Step::Slot(slot) => {
                    if slot.index == 0 && !goes_on(slot.round, slot.reading_ms) {
                        return;
                    }
                    if dropped.hold(slot.number) {
                        continue;
                    }
                    slot.at
                }
                Step::Closing(closing) => closing.at,
            };
            stream.record(&step, |keyed| {
                if let Some(keyed) = keyed {
                    each(&due(at, &keyed, encoder, buffer));
                }
            });
        }
    }
}

#[inline]
fn due<'a>(
    at: usize,
    keyed: &KeyedRecord<'a>,
    encoder: &Encoder,
    buffer: &'a mut Vec<u8>,
) -> Due<'a> {
    Due {
        at,
        topic: keyed.record.topic(),
        key: keyed.key,
        by_machine: keyed.by_machine,
        partition: keyed.partition,
        timestamp_ms: keyed.timestamp_ms,
        value: encoder.encode(keyed.record, buffer),
    }
}
