//! The first comparison: for each topic and key, how many records arrived, and whether they are the run's
//! first records, in order.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use fleetstorm_model::fleet::Share;
use fleetstorm_model::manifest::JobKey;
use fleetstorm_model::record::Topic;

use super::ledger::{Chain, Ledger};
use super::runs::Run;
use super::walk::{Due, Walk};

/// The result for a share.
#[derive(Debug, Default)]
pub struct Checked {
    /// Of the keys without differences, by topic: records that arrived.
    pub fine: [u64; Topic::COUNT],
    /// Keys that differ.
    pub suspects: Vec<Suspect>,
    /// How many readings of the share were regenerated.
    pub readings: u64,
}

/// A key of a topic for which more, fewer or other records arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// The topic.
    pub topic: Topic,
    /// The key.
    pub key: Box<str>,
    /// Records expected plus records that arrived: what a closer look has to hold.
    pub weight: u64,
}

/// The expected records of one topic and key.
#[derive(Debug, Clone, Copy, Default)]
struct Expected {
    total: u64,
    /// The first records, as many as arrived.
    chain: Chain,
}

impl Expected {
    #[inline]
    fn add(&mut self, due: &Due<'_>, arrived: u64) {
        self.total += 1;
        if self.chain.count < arrived {
            self.chain.add(&due.content());
        }
    }
}

/// How many rounds a walk without a known end goes on beyond any that could have filled the longest key.
const BEYOND: u64 = 1000;

/// Regenerates the records of `share` and compares them with the ledger. Marks its keys as `known`.
pub fn check(run: &Run, share: Share, ledger: &Ledger, known: &[AtomicBool]) -> Checked {
    let walk = Walk::new(&run.manifest, share, run.dropped(share));
    let names: Vec<Box<str>> = (0..walk.machines()).map(|at| walk.name(at).into()).collect();
    let rows: Vec<Option<u32>> = names.iter().map(|name| ledger.row(name.as_bytes())).collect();
    let arrived = |row: Option<u32>, topic| row.map_or(0, |row| ledger.chain(row, topic).count);
    let topics: Vec<Topic> = run.manifest.topic_set().iter().collect();
    let by_machine = |topic| topic != Topic::Jobs || run.manifest.job_key == JobKey::MachineId;

    let mut expected = vec![[Expected::default(); Topic::COUNT]; names.len()];
    let mut jobs: HashMap<Box<str>, Expected> = HashMap::new();
    let keyed_by_machine = topics.iter().filter(|&&topic| by_machine(topic));
    let open = rows.iter().map(|&row| {
        keyed_by_machine.clone().filter(|&&topic| arrived(row, topic) > 0).count() as u64
    });
    // Keys for which more arrived than was regenerated so far.
    let open = Cell::new(open.sum::<u64>());
    let last_ms = ledger.last_ms.unwrap_or(i64::MIN);
    let last_round = ledger.longest().saturating_mul(4).saturating_add(BEYOND);
    let readings = Cell::new(0u64);
    walk.run(
        |round, timestamp_ms| {
            // An open end: all that arrived was stamped by then, or has been regenerated.
            let goes_on =
                run.whole || timestamp_ms <= last_ms || (open.get() > 0 && round < last_round);
            readings.set(readings.get() + u64::from(goes_on));
            goes_on
        },
        |due| {
            if due.by_machine {
                let count = arrived(rows[due.at], due.topic);
                let key = &mut expected[due.at][due.topic.index()];
                key.add(due, count);
                if key.total == count {
                    open.set(open.get() - 1);
                }
            } else {
                let count = arrived(ledger.row(due.key.as_bytes()), due.topic);
                match jobs.get_mut(due.key) {
                    Some(key) => key.add(due, count),
                    None => jobs.entry(due.key.into()).or_default().add(due, count),
                }
            }
        },
    );

    let mut checked = Checked { readings: readings.get(), ..Checked::default() };
    let mut compare = |topic: Topic, key: &str, row: Option<u32>, expected: &Expected| {
        if let Some(row) = row {
            known[row as usize].store(true, Ordering::Relaxed);
        }
        let seen = row.map(|row| ledger.chain(row, topic)).unwrap_or_default();
        let enough = !run.whole || seen.count == expected.total;
        if enough && seen.is_same(&expected.chain, ledger.restamped[topic.index()]) {
            checked.fine[topic.index()] += seen.count;
        } else {
            let weight = expected.total + seen.count;
            checked.suspects.push(Suspect { topic, key: key.into(), weight });
        }
    };
    for &topic in topics.iter().filter(|&&topic| by_machine(topic)) {
        for (at, name) in names.iter().enumerate() {
            compare(topic, name, rows[at], &expected[at][topic.index()]);
        }
    }
    for (key, expected) in &jobs {
        compare(Topic::Jobs, key, ledger.row(key.as_bytes()), expected);
    }
    checked
}
