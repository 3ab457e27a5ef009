//! Which partitions the fleet's keys reach.

use std::collections::BTreeMap;

use fleetstorm_model::fleet::Fleet;
use fleetstorm_model::manifest::{JobKey, Manifest};
use fleetstorm_model::record::{KeyHash, Topic};

/// Warnings about partitions that get no record, since no machine's key falls there: one for all topics
/// with as many partitions. All shards' machines count, since they share the topics.
pub(super) fn warnings(manifest: &Manifest) -> Vec<String> {
    let mut by_count: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for entry in &manifest.topics {
        // Jobs never end, and neither do their keys.
        if entry.topic != Topic::Jobs || manifest.job_key == JobKey::MachineId {
            by_count.entry(entry.partitions).or_default().push(&entry.name);
        }
    }
    let fleet = Fleet::new(&manifest.config, manifest.seed);
    let told = by_count.into_iter().filter_map(|(partitions, topics)| {
        let empty = partitions - reached(&fleet, partitions);
        (empty > 0).then(|| {
            format!(
                "{empty} of {partitions} partitions of {} get no record, since no machine's key falls \
                 there: windows and joins that wait for all partitions need an idle timeout (in Flink \
                 SQL: table.exec.source.idle-timeout), or topics with fewer partitions (--partitions)",
                topics.join(", "),
            )
        })
    });
    told.collect()
}

/// How many partitions the machines' keys fall into.
fn reached(fleet: &Fleet, partitions: u32) -> u32 {
    let mut seen = vec![false; partitions as usize];
    let mut reached = 0;
    for index in 0..fleet.len() {
        let partition = KeyHash::of(fleet.machine_id(index).as_bytes()).partition(partitions);
        if let Some(seen) = usize::try_from(partition).ok().and_then(|at| seen.get_mut(at))
            && !std::mem::replace(seen, true)
        {
            reached += 1;
            // The first few thousand machines of a large fleet are enough.
            if reached == partitions {
                break;
            }
        }
    }
    reached
}
