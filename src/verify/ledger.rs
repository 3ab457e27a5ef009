//! What arrived for each key: a count and an ordered hash by topic, so that memory grows with keys, not
//! with records.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use fleetstorm_model::record::Topic;

/// The records of one topic and key so far: their number, and an ordered hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chain {
    /// How many.
    pub count: u64,
    values: u64,
    times: u64,
}

/// The part of a record that is compared.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// Its partition.
    pub partition: i32,
    /// Its timestamp, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// Its value.
    pub value: &'a [u8],
}

/// The chains of all keys.
#[derive(Debug, Default)]
pub struct Ledger {
    rows: HashMap<Box<[u8]>, u32>,
    chains: Vec<[Chain; Topic::COUNT]>,
    /// Records by topic, in the order of [`Topic::ALL`].
    pub records: [u64; Topic::COUNT],
    /// Whether the broker replaced the timestamps of a topic's records with its own.
    pub restamped: [bool; Topic::COUNT],
    /// The latest timestamp that a producer gave.
    pub last_ms: Option<i64>,
}

impl Content<'_> {
    /// The hash of the record; without its timestamp if the broker gave it.
    pub fn hash(&self, restamped: bool) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.partition.hash(&mut hasher);
        if !restamped {
            self.timestamp_ms.hash(&mut hasher);
        }
        hasher.write(self.value);
        hasher.finish()
    }
}

impl Chain {
    /// Adds the next record.
    #[inline]
    pub fn add(&mut self, content: &Content<'_>) {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.values);
        hasher.write_i32(content.partition);
        hasher.write(content.value);
        self.values = hasher.finish();
        // An odd multiplier (of Knuth's generator MMIX): the order counts, and nothing is lost.
        let times = self.times.wrapping_mul(6_364_136_223_846_793_005);
        self.times = times.wrapping_add(content.timestamp_ms as u64);
        self.count += 1;
    }

    /// Whether both hold the same records, apart from timestamps that the broker gave.
    pub fn is_same(&self, other: &Chain, restamped: bool) -> bool {
        self.count == other.count
            && self.values == other.values
            && (restamped || self.times == other.times)
    }
}

impl Ledger {
    /// Adds a record that arrived; `restamped` if the broker gave its timestamp.
    pub fn add(&mut self, topic: Topic, key: &[u8], content: &Content<'_>, restamped: bool) {
        let row = match self.rows.get(key) {
            Some(&row) => row,
            None => {
                let row = self.chains.len() as u32;
                self.chains.push([Chain::default(); Topic::COUNT]);
                self.rows.insert(key.into(), row);
                row
            }
        };
        self.chains[row as usize][topic.index()].add(content);
        self.records[topic.index()] += 1;
        if restamped {
            self.restamped[topic.index()] = true;
        } else {
            self.last_ms = self.last_ms.max(Some(content.timestamp_ms));
        }
    }

    /// The row of a key, if any of its records arrived.
    pub fn row(&self, key: &[u8]) -> Option<u32> {
        self.rows.get(key).copied()
    }

    /// The chain of a row and a topic.
    #[inline]
    pub fn chain(&self, row: u32, topic: Topic) -> Chain {
        self.chains[row as usize][topic.index()]
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.chains.len()
    }

    /// All keys with their rows.
    pub fn rows(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.rows.iter().map(|(key, &row)| (&**key, row))
    }

    /// The most records of any topic and key.
    pub fn longest(&self) -> u64 {
        self.chains.iter().flatten().map(|chain| chain.count).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(value: &[u8], timestamp_ms: i64) -> Content<'_> {
        Content { partition: 0, timestamp_ms, value }
    }

    #[test]
    fn chains_tell_order_values_times_and_partitions_apart() {
        let of = |records: &[Content<'_>]| {
            let mut chain = Chain::default();
            records.iter().for_each(|record| chain.add(record));
            chain
        };
        let (a, b) = (content(b"a", 1), content(b"b", 2));
        let chain = of(&[a, b]);
        assert!(chain.is_same(&of(&[a, b]), false));
        assert!(!chain.is_same(&of(&[b, a]), true), "another order");
        assert!(!chain.is_same(&of(&[a, content(b"c", 2)]), true), "another value");
        assert!(!chain.is_same(&of(&[a, Content { partition: 1, ..b }]), true));
        assert!(!chain.is_same(&of(&[a]), true), "fewer");
        let later = of(&[a, content(b"b", 3)]);
        assert!(!chain.is_same(&later, false) && chain.is_same(&later, true));
        assert!(
            !of(&[content(b"", 1), content(b"", 2)])
                .is_same(&of(&[content(b"", 2), content(b"", 1)]), false)
        );
    }

    #[test]
    fn a_ledger_keeps_keys_and_topics_apart() {
        let mut ledger = Ledger::default();
        ledger.add(Topic::Usage, b"m1", &content(b"a", 5), false);
        ledger.add(Topic::Usage, b"m2", &content(b"a", 9), true);
        ledger.add(Topic::Jobs, b"m1", &content(b"a", 4), false);
        let row = ledger.row(b"m1").unwrap();
        assert_eq!(ledger.chain(row, Topic::Usage).count, 1);
        assert_eq!(ledger.chain(row, Topic::Telemetry).count, 0);
        assert_eq!((ledger.row(b"m3"), ledger.keys(), ledger.last_ms), (None, 2, Some(5)));
        assert!(ledger.restamped[Topic::Usage.index()] && !ledger.restamped[Topic::Jobs.index()]);
    }
}
