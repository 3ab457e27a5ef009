//! The records of a resumed run that are in its topics already. Workers skip them.

use std::collections::HashMap;
use std::sync::Arc;

use fleetstorm_model::fleet::Share;
use fleetstorm_model::record::Topic;
use fleetstorm_model::stream::KeyedRecord;

use crate::verify::position::Position;
use crate::verify::runs::Dropped;

/// What a worker still has to skip.
pub struct Resumed {
    position: Arc<Position>,
    dropped: Dropped,
    /// By the machine's place: records keyed by its name.
    machines: Vec<[u64; Topic::COUNT]>,
    /// Records of jobs by name, if those are keys.
    jobs: HashMap<Box<str>, u64>,
}

impl Resumed {
    /// What the worker of `share` has to skip. Its machines have these names.
    pub fn new<'a>(
        position: &Arc<Position>,
        share: Share,
        names: impl Iterator<Item = &'a str>,
    ) -> Resumed {
        Resumed {
            dropped: position.dropped_of(share),
            position: Arc::clone(position),
            machines: names.map(|name| Topic::ALL.map(|t| position.count(t, name))).collect(),
            jobs: HashMap::new(),
        }
    }

    /// Whether a slot was dropped: it sent nothing, and stays that way.
    #[inline]
    pub fn dropped(&self, slot: u64) -> bool {
        self.dropped.hold(slot)
    }

    /// Whether the next record, of the machine at this place, is there already.
    pub fn holds(&mut self, at: usize, keyed: &KeyedRecord<'_>) -> bool {
        let topic = keyed.record.topic();
        let left = if keyed.by_machine {
            &mut self.machines[at][topic.index()]
        } else {
            // A new key is looked up twice, so that no other record costs an allocation.
            if !self.jobs.contains_key(keyed.key) {
                self.jobs.insert(keyed.key.into(), self.position.count(topic, keyed.key));
            }
            match self.jobs.get_mut(keyed.key) {
                Some(left) => left,
                None => return false,
            }
        };
        let holds = *left > 0;
        *left -= u64::from(holds);
        holds
    }
}
