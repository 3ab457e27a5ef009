//! The records of a share of a run, made again in the order in which its thread sent them.

use super::ledger::Content;
use super::runs::Dropped;
use crate::encoding::Encoder;
use crate::fleet::Share;
use crate::generator::{Generator, KeyedRecord};
use crate::manifest::Manifest;
use crate::record::Topic;

/// A record that the run is to have sent.
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
    /// What of it is compared.
    #[inline]
    pub fn content(&self) -> Content<'a> {
        Content { partition: self.partition, timestamp_ms: self.timestamp_ms, value: self.value }
    }
}

/// The stream of one share.
pub struct Walk {
    generator: Generator,
    encoder: Encoder,
    buffer: Vec<u8>,
    topics: bool,
    dropped: Dropped,
    start_ms: i64,
    end_slot: u64,
    end_ns: u64,
}

impl Walk {
    /// The stream of `share` of the run that `manifest` describes, of which these slots were dropped:
    /// the state changes that they would have carried waited for later ones.
    pub fn new(manifest: &Manifest, share: Share, dropped: Dropped) -> Walk {
        Walk {
            dropped,
            generator: Generator::new(manifest, share),
            encoder: manifest.encoder(),
            buffer: Vec::with_capacity(512),
            topics: manifest.topic_set().contains(Topic::Machines),
            start_ms: manifest.start.timestamp_millis(),
            end_slot: manifest.end_slot().unwrap_or(u64::MAX),
            end_ns: manifest.end_ns().unwrap_or(u64::MAX),
        }
    }

    /// How many machines the share has.
    pub fn machines(&self) -> usize {
        self.generator.machines()
    }

    /// The name of the machine at a place.
    pub fn name(&self, at: usize) -> &str {
        self.generator.machine_id(at)
    }

    /// Hands every record to `each`, in order, up to the run's end or to the first reading, of this
    /// round and timestamp, before which `goes_on` says no.
    pub fn run(
        mut self,
        mut goes_on: impl FnMut(u64, i64) -> bool,
        mut each: impl FnMut(&Due<'_>),
    ) {
        if self.topics {
            for at in 0..self.generator.machines() {
                self.announce(at, self.start_ms, &mut each);
            }
        }
        let slots = self.generator.slots();
        if slots.is_empty() || self.generator.machines() == 0 {
            return;
        }
        for round in 0.. {
            for at in 0..self.generator.machines() {
                let reading = self.generator.read(round, at);
                if !goes_on(round, self.generator.time(&reading, 0).timestamp_ms) {
                    return;
                }
                for (slot, &kind) in slots.kinds().iter().enumerate() {
                    let number = self.generator.slot_number(&reading, slot);
                    let time = self.generator.time(&reading, slot);
                    if number >= self.end_slot || time.intended_ns.is_some_and(|d| d >= self.end_ns)
                    {
                        return;
                    }
                    if self.dropped.hold(number) {
                        continue;
                    }
                    let Walk { generator, encoder, buffer, .. } = &mut self;
                    generator.fill(&reading, kind, time.timestamp_ms, |keyed| {
                        if let Some(keyed) = keyed {
                            each(&due(at, &keyed, encoder, buffer));
                        }
                    });
                }
                if let Some(timestamp_ms) = self.generator.announced_again(round, at) {
                    self.announce(at, timestamp_ms, &mut each);
                }
            }
        }
    }

    fn announce(&mut self, at: usize, timestamp_ms: i64, each: &mut impl FnMut(&Due<'_>)) {
        let Walk { generator, encoder, buffer, .. } = self;
        generator.announce(at, timestamp_ms, |keyed| each(&due(at, &keyed, encoder, buffer)));
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
