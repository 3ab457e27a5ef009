//! The records that close the windows of a run: after its end, one in each partition that has keys.
//!
//! A watermark is the least over partitions, and moves by records alone. The last windows of a run
//! that has ended stay open for ever, unless each partition gets one more record whose event time
//! lies far enough after them.

use std::collections::{HashMap, HashSet};

use crate::fleet::{Fleet, MachineId};
use crate::manifest::{JobKey, Manifest};
use crate::record::{KeyHash, SerialId, Topic};
use crate::simulation::status::Health;

/// A record that closes windows: [`Stream::close`](crate::stream::Stream::close) makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// The place of its machine in the share.
    pub at: usize,
    /// Its topic.
    pub topic: Topic,
    /// Its event time, and the timestamp of its record, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    pub(crate) carries: Carries,
}

/// What a closing record says of its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    /// The reading after its last: of this round.
    Reading { round: u64 },
    /// Its health at the run's end.
    Status { health: Health, last_heartbeat: i64 },
    /// A job of this number that was cancelled before it began: no job stays open for it.
    Job { number: u32 },
    /// What it is, again.
    Machine,
}

/// The key that closes a partition of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closer {
    pub(crate) topic: Topic,
    /// Its machine's number in the fleet.
    pub(crate) machine: u32,
    /// Of the topic `jobs`: the number of its job.
    pub(crate) job: u32,
}

/// The numbers of jobs that close windows go down from here, where no machine's jobs get to.
const LAST_JOB: u32 = u32::MAX;

/// The keys that close the partitions of the run that `manifest` describes: of each partition the first
/// machine of the fleet whose name goes there, so that it is one whatever shares the fleet is divided
/// into. Partitions that no machine's name goes to have none, nor any other record.
pub(crate) fn closers(manifest: &Manifest, fleet: &Fleet) -> Vec<Closer> {
    let mut by_partitions: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut closers = Vec::new();
    for entry in &manifest.topics {
        let (topic, partitions) = (entry.topic, entry.partitions.max(1));
        match topic {
            // The ground truth says what befell machines: nothing did.
            Topic::Incidents => {}
            // Jobs of the first machine do for every partition.
            Topic::Jobs if manifest.job_key == JobKey::JobId => {
                let jobs = jobs(fleet, partitions).into_iter();
                closers.extend(jobs.map(|job| Closer { topic, machine: 0, job }));
            }
            _ => {
                let first = by_partitions.entry(partitions);
                let machines = first.or_insert_with(|| machines(fleet, partitions));
                let closer = |&machine: &u32| Closer { topic, machine, job: LAST_JOB };
                closers.extend(machines.iter().map(closer));
            }
        }
    }
    closers
}

/// The first machine of each of so many partitions that has any.
fn machines(fleet: &Fleet, partitions: u32) -> Vec<u32> {
    let of = |machine: &u32| hash(&fleet.machine_id(*machine)).partition(partitions);
    firsts(0..fleet.len(), partitions, of)
}

/// The last number of a job of the first machine for each of so many partitions.
fn jobs(fleet: &Fleet, partitions: u32) -> Vec<u32> {
    let machine = fleet.machine_id(0);
    let of = |number: &u32| {
        let id = SerialId::job(fleet.seed(), &machine, *number);
        KeyHash::of(id.as_str().as_bytes()).partition(partitions)
    };
    firsts((0..=LAST_JOB).rev(), partitions, of)
}

/// Of those in `all` that share a partition, the first.
fn firsts(
    all: impl Iterator<Item = u32>,
    partitions: u32,
    partition: impl Fn(&u32) -> i32,
) -> Vec<u32> {
    let mut found = HashSet::new();
    let mut firsts = Vec::new();
    for one in all {
        if found.insert(partition(&one)) {
            firsts.push(one);
            if firsts.len() == partitions as usize {
                break;
            }
        }
    }
    firsts
}

fn hash(machine: &MachineId) -> KeyHash {
    KeyHash::of(machine.as_bytes())
}

/// A topic's partitions that no record of a run goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithoutKeys {
    /// The topic.
    pub topic: Topic,
    /// How many of its partitions no machine's name goes to.
    pub partitions: u32,
    /// How many it has.
    pub of: u32,
}

/// The topics whose windows the run closes, and whose partitions don't all have keys: such a partition
/// gets no closing record either, and holds the watermark back until it is taken for idle.
pub fn without_keys(manifest: &Manifest) -> Vec<WithoutKeys> {
    let closers = closers(manifest, &Fleet::new(&manifest.config, manifest.seed));
    let entries = manifest.topics.iter().filter(|entry| entry.topic != Topic::Incidents);
    let count = |topic| closers.iter().filter(|closer| closer.topic == topic).count() as u32;
    let without = entries.map(|entry| {
        let of = entry.partitions.max(1);
        WithoutKeys { topic: entry.topic, partitions: of - count(entry.topic), of }
    });
    without.filter(|without| without.partitions > 0).collect()
}
