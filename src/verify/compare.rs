//! The second comparison, for the keys that differ: record by record, a limited number of keys at a time.

use std::collections::HashMap;

use fleetstorm_model::record::{KeyHash, Topic};

use super::check::Suspect;
use super::read_back::{ConsumedRecord, Topics};
use super::verdict::{Counts, Example, Finding};
use super::{Part, VerifyError};

/// The most records, expected and arrived, of the keys that are compared at once: a few hundred
/// megabytes.
const MOST_AT_ONCE: u64 = 4_000_000;
/// Most examples that are kept of each finding. More would not be read.
const MOST_EXAMPLES: usize = 5;

/// What a topic does with records.
#[derive(Debug, Clone, Copy, Default)]
pub struct TopicRules {
    /// Whether the topic is compacted: earlier records of a key may be gone.
    pub compacted: bool,
    /// Whether the broker replaces timestamps with its own (LogAppendTime).
    pub restamped: bool,
}

/// The comparison of keys that differ.
pub struct Comparison<'a> {
    /// The parts of the runs.
    pub parts: &'a [Part<'a>],
    /// Their topics.
    pub topics: &'a Topics<'a>,
    /// What each topic does with its records.
    pub rules: [TopicRules; Topic::COUNT],
    /// By topic: its number of partitions.
    pub partitions: [u32; Topic::COUNT],
}

/// The findings for the keys that differ.
#[derive(Debug, Default)]
pub struct Found {
    /// By topic.
    pub counts: [Counts; Topic::COUNT],
    /// A few of each kind and topic.
    pub examples: Vec<Example>,
    /// For each key: how many of its first records are there.
    pub leading: Vec<(Suspect, u64)>,
}

/// An expected record.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    hash: u64,
    timestamp_ms: i64,
}

/// A record that arrived and equals no expected one.
#[derive(Debug, Clone, Copy)]
struct Unmatched {
    offset: i64,
    timestamp_ms: i64,
}

/// One topic and key under comparison.
#[derive(Debug, Default)]
struct Case {
    whole: bool,
    wanted: Vec<Wanted>,
    /// Indexes in `wanted` by hash, in order.
    by_hash: Vec<(u64, u32)>,
    found: Vec<bool>,
    arrived: u64,
    duplicated: Vec<i64>,
    out_of_order: Vec<i64>,
    unmatched: Vec<Unmatched>,
    first: Option<usize>,
    highest: Option<usize>,
}

impl Case {
    fn expect(&mut self, wanted: Wanted) {
        self.wanted.push(wanted);
    }

    /// All expected records are known now.
    fn sort(&mut self) {
        self.by_hash = self.wanted.iter().enumerate().map(|(at, w)| (w.hash, at as u32)).collect();
        self.by_hash.sort_unstable();
        self.found = vec![false; self.wanted.len()];
    }

    fn arrive(&mut self, hash: u64, offset: i64, timestamp_ms: i64) {
        self.arrived += 1;
        let from = self.by_hash.partition_point(|&(h, _)| h < hash);
        let same = self.by_hash[from..].iter().take_while(|&&(h, _)| h == hash);
        let mut known = false;
        for &(_, at) in same {
            known = true;
            let at = at as usize;
            if !self.found[at] {
                self.found[at] = true;
                self.first = Some(self.first.map_or(at, |first| first.min(at)));
                if self.highest.is_some_and(|highest| at < highest) {
                    self.out_of_order.push(offset);
                } else {
                    self.highest = Some(at);
                }
                return;
            }
        }
        if known {
            self.duplicated.push(offset);
        } else {
            self.unmatched.push(Unmatched { offset, timestamp_ms });
        }
    }

    /// The findings for the key, for a topic with these rules, whose first records may have aged out.
    fn judge(mut self, rules: TopicRules, aged_out: bool) -> Judgement {
        // A record that compaction replaced with a later one was there.
        let leading = match rules.compacted {
            true => self.highest.map_or(0, |highest| highest as u64 + 1),
            false => self.found.iter().take_while(|&&found| found).count() as u64,
        };
        // An altered record is where its timestamp, or its turn, says that another should be.
        let mut altered = Vec::new();
        let mut missing: Vec<usize> =
            (0..self.wanted.len()).filter(|&at| !self.found[at]).collect();
        let mut unexpected = Vec::new();
        let mut by_time: HashMap<i64, Vec<usize>> = HashMap::new();
        if rules.restamped {
            let mut places = missing.iter().copied();
            for record in &self.unmatched {
                match places.next() {
                    Some(at) => altered.push((at, record.offset)),
                    None => unexpected.push(record.offset),
                }
            }
        } else {
            for &at in missing.iter().rev() {
                by_time.entry(self.wanted[at].timestamp_ms).or_default().push(at);
            }
            for record in &self.unmatched {
                match by_time.get_mut(&record.timestamp_ms).and_then(Vec::pop) {
                    Some(at) => altered.push((at, record.offset)),
                    None => unexpected.push(record.offset),
                }
            }
        }
        for &(at, _) in &altered {
            self.found[at] = true;
            self.first = Some(self.first.map_or(at, |first| first.min(at)));
            self.highest = Some(self.highest.map_or(at, |highest| highest.max(at)));
        }
        missing.retain(|&at| !self.found[at]);
        let (mut lost, mut aged, mut compacted) = (Vec::new(), 0, 0);
        for at in missing {
            let early = self.first.is_none_or(|first| at < first);
            let passed = self.highest.is_some_and(|highest| at < highest);
            if early && aged_out {
                aged += 1;
            } else if passed && rules.compacted {
                compacted += 1;
            } else if passed || self.whole {
                lost.push(at);
            }
        }
        let matched = self.found.iter().filter(|&&found| found).count() as u64;
        Judgement {
            leading,
            counts: Counts {
                expected: matched + lost.len() as u64 + aged + compacted,
                arrived: self.arrived,
                lost: lost.len() as u64,
                duplicated: self.duplicated.len() as u64,
                out_of_order: self.out_of_order.len() as u64,
                altered: altered.len() as u64,
                unexpected: unexpected.len() as u64,
                aged,
                compacted,
                of_other_shards: 0,
            },
            lost: lost.first().map(|&at| (at, self.wanted[at].timestamp_ms)),
            duplicated: self.duplicated.first().copied(),
            out_of_order: self.out_of_order.first().copied(),
            unexpected: unexpected.first().copied(),
            altered: altered.first().copied(),
        }
    }
}

/// The findings for one key, with the first record of each.
struct Judgement {
    counts: Counts,
    /// How many of the first records are there.
    leading: u64,
    /// The index of the key's record, and its timestamp.
    lost: Option<(usize, i64)>,
    duplicated: Option<i64>,
    out_of_order: Option<i64>,
    unexpected: Option<i64>,
    /// The index of the key's record, and the offset of the record in its place.
    altered: Option<(usize, i64)>,
}

impl Comparison<'_> {
    /// Compares `suspects`, each with the part that expects it.
    ///
    /// # Errors
    /// [`VerifyError`] if the topics can't be read again.
    pub fn compare(&self, mut suspects: &[(usize, Suspect)]) -> Result<Found, VerifyError> {
        let mut found = Found::default();
        while !suspects.is_empty() {
            let mut weight = 0;
            let fit = suspects
                .iter()
                .take_while(|(_, suspect)| {
                    weight += suspect.weight;
                    weight <= MOST_AT_ONCE
                })
                .count()
                .max(1);
            let (now, later) = suspects.split_at(fit);
            self.batch(now, &mut found)?;
            suspects = later;
        }
        Ok(found)
    }

    fn batch(&self, suspects: &[(usize, Suspect)], found: &mut Found) -> Result<(), VerifyError> {
        // By topic: cases by key.
        let mut cases: [HashMap<&str, Case>; Topic::COUNT] = Default::default();
        for (part, suspect) in suspects {
            let whole = self.parts[*part].run.whole;
            let case = Case { whole, ..Case::default() };
            cases[suspect.topic.index()].insert(&suspect.key, case);
        }
        for (index, part) in self.parts.iter().enumerate() {
            if suspects.iter().any(|(of, _)| *of == index) {
                self.expect(part, &mut cases);
            }
        }
        cases.iter_mut().flat_map(HashMap::values_mut).for_each(Case::sort);

        let partition = |topic: Topic, key: &str| {
            KeyHash::of(key.as_bytes()).partition(self.partitions[topic.index()])
        };
        // All partitions of a topic: a record may be in the wrong one.
        let concerned: [bool; Topic::COUNT] = std::array::from_fn(|at| !cases[at].is_empty());
        self.topics.read(
            |span| concerned[span.topic.index()],
            |arrived: &ConsumedRecord<'_>| {
                let Ok(key) = std::str::from_utf8(arrived.key) else { return };
                if let Some(case) = cases[arrived.topic.index()].get_mut(key) {
                    let hash = arrived.content.hash(self.rules[arrived.topic.index()].restamped);
                    case.arrive(hash, arrived.offset, arrived.content.timestamp_ms);
                }
            },
        )?;

        for (part, suspect) in suspects {
            let Some(case) = cases[suspect.topic.index()].remove(&*suspect.key) else { continue };
            let of = partition(suspect.topic, &suspect.key);
            let ranges = self.topics.ranges();
            let aged_out = ranges
                .iter()
                .any(|s| s.topic == suspect.topic && s.partition == of && s.removed > 0);
            let judgement = case.judge(self.rules[suspect.topic.index()], aged_out);
            found.add(*part, suspect, of, &judgement);
        }
        Ok(())
    }

    /// Regenerates the records of the cases' keys in a part.
    fn expect(&self, part: &Part<'_>, cases: &mut [HashMap<&str, Case>; Topic::COUNT]) {
        part.walk(|due| {
            if let Some(case) = cases[due.topic.index()].get_mut(due.key) {
                case.expect(Wanted {
                    hash: due.content().hash(self.rules[due.topic.index()].restamped),
                    timestamp_ms: due.timestamp_ms,
                });
            }
        });
    }
}

impl Found {
    fn add(&mut self, part: usize, suspect: &Suspect, partition: i32, judgement: &Judgement) {
        self.counts[suspect.topic.index()].add(&judgement.counts);
        self.leading.push((suspect.clone(), judgement.leading));
        let findings = [
            (Finding::Lost, judgement.lost.map(|(nth, at)| (None, Some(nth), Some(at)))),
            (Finding::Altered, judgement.altered.map(|(nth, o)| (Some(o), Some(nth), None))),
            (Finding::Duplicated, judgement.duplicated.map(|o| (Some(o), None, None))),
            (Finding::OutOfOrder, judgement.out_of_order.map(|o| (Some(o), None, None))),
            (Finding::Unexpected, judgement.unexpected.map(|o| (Some(o), None, None))),
        ];
        for (finding, example) in findings {
            let Some((offset, nth, timestamp_ms)) = example else { continue };
            self.show(Example {
                finding,
                topic: suspect.topic,
                key: suspect.key.to_string(),
                partition,
                offset,
                nth,
                timestamp_ms,
                fields: None,
                part,
            });
        }
    }

    /// Keeps an example, unless there are enough of its kind.
    pub fn show(&mut self, example: Example) {
        let alike = self.examples.iter().filter(|e| e.finding == example.finding).count();
        if alike < MOST_EXAMPLES {
            self.examples.push(example);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The counts of a key whose records 0.. are expected at instants of the same numbers, and of
    /// which these arrived; negative numbers are unmatched at that instant.
    fn judged(
        expected: usize,
        arrived: &[i64],
        rules: TopicRules,
        aged: bool,
        whole: bool,
    ) -> Counts {
        let mut case = Case { whole, ..Case::default() };
        for at in 0..expected {
            case.expect(Wanted { hash: 1000 + at as u64, timestamp_ms: at as i64 });
        }
        case.sort();
        for (offset, &what) in arrived.iter().enumerate() {
            let hash = if what < 0 { 7 } else { 1000 + what as u64 };
            case.arrive(hash, offset as i64, what.abs());
        }
        case.judge(rules, aged).counts
    }

    const PLAIN: TopicRules = TopicRules { compacted: false, restamped: false };

    #[test]
    fn each_kind_of_difference_is_counted_as_itself() {
        let base = Counts { expected: 5, arrived: 5, ..Counts::default() };
        assert_eq!(judged(5, &[0, 1, 2, 3, 4], PLAIN, false, true), base);
        assert_eq!(
            judged(5, &[0, 1, 3, 4], PLAIN, false, true),
            Counts { arrived: 4, lost: 1, ..base }
        );
        assert_eq!(
            judged(5, &[0, 1, 2, 1, 2, 3, 4], PLAIN, false, true),
            Counts { arrived: 7, duplicated: 2, ..base }
        );
        assert_eq!(
            judged(5, &[0, 2, 1, 3, 4], PLAIN, false, true),
            Counts { out_of_order: 1, ..base }
        );
        assert_eq!(judged(5, &[0, 1, -2, 3, 4], PLAIN, false, true), Counts { altered: 1, ..base });
        assert_eq!(
            judged(5, &[0, 1, 2, 3, 4, -9], PLAIN, false, true),
            Counts { arrived: 6, unexpected: 1, ..base }
        );
    }

    #[test]
    fn what_lies_behind_the_last_arrival_is_lost_only_where_the_end_is_known() {
        let lost = |whole| judged(5, &[0, 1, 2], PLAIN, false, whole).lost;
        assert_eq!((lost(true), lost(false)), (2, 0));
        assert_eq!(judged(5, &[0, 2], PLAIN, false, false).lost, 1, "a hole is a loss anyway");
    }

    #[test]
    fn what_aged_out_or_was_compacted_away_is_not_lost() {
        let aged = judged(5, &[2, 3, 4], PLAIN, true, true);
        assert_eq!((aged.aged, aged.lost), (2, 0));
        let hole = judged(5, &[2, 4], PLAIN, true, true);
        assert_eq!((hole.aged, hole.lost), (2, 1));
        let compacting = TopicRules { compacted: true, ..PLAIN };
        let last = judged(5, &[1, 4], compacting, false, true);
        assert_eq!((last.compacted, last.lost), (3, 0));
        assert_eq!(
            judged(5, &[1, 3], compacting, false, true).lost,
            1,
            "its last value is missing"
        );
    }

    #[test]
    fn a_run_goes_on_behind_what_is_there_or_was_replaced() {
        let leading = |arrived: &[usize], rules| {
            let mut case = Case::default();
            for at in 0..5 {
                case.expect(Wanted { hash: at, timestamp_ms: at as i64 });
            }
            case.sort();
            arrived.iter().for_each(|&at| case.arrive(at as u64, at as i64, at as i64));
            case.judge(rules, false).leading
        };
        let compacting = TopicRules { compacted: true, ..PLAIN };
        assert_eq!(leading(&[0, 1, 2], PLAIN), 3);
        assert_eq!(leading(&[0, 2], PLAIN), 1, "behind a hole it is sent again");
        assert_eq!(leading(&[3], compacting), 4, "three were replaced by the fourth");
        assert_eq!(leading(&[], compacting), 0);
    }

    #[test]
    fn restamped_records_are_told_apart_by_their_turn() {
        let restamped = TopicRules { restamped: true, ..PLAIN };
        let counts = judged(3, &[0, -77, 2], restamped, false, true);
        assert_eq!((counts.altered, counts.lost, counts.unexpected), (1, 0, 0));
    }
}
