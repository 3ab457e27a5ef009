//! The slots of a reading: the constant number of records that each reading owns.

use crate::record::{Topic, TopicSet};

/// What a slot carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotKind {
    /// The reading's telemetry.
    Telemetry,
    /// The reading's usage.
    Usage,
    /// The oldest state change of the machine that waits, else a heartbeat.
    Event,
}

/// The slots of each reading, in their order. Topics that are not selected have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    kinds: [SlotKind; 3],
    count: u8,
}

impl Slots {
    /// The slots that the selected topics call for; empty if only `machines` is selected.
    pub fn new(topics: TopicSet) -> Slots {
        let wanted = [
            (SlotKind::Telemetry, topics.contains(Topic::Telemetry)),
            (SlotKind::Usage, topics.contains(Topic::Usage)),
            (
                SlotKind::Event,
                [Topic::Status, Topic::Jobs, Topic::Incidents]
                    .into_iter()
                    .any(|topic| topics.contains(topic)),
            ),
        ];
        let mut slots = Slots { kinds: [SlotKind::Event; 3], count: 0 };
        for (kind, wanted) in wanted {
            if wanted {
                slots.kinds[usize::from(slots.count)] = kind;
                slots.count += 1;
            }
        }
        slots
    }

    /// How many slots a reading has, 0 to 3.
    #[inline]
    pub fn len(self) -> usize {
        usize::from(self.count)
    }

    /// Whether readings have no slots.
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The kinds, in the order in which a reading's slots follow one another.
    #[inline]
    pub fn kinds(&self) -> &[SlotKind] {
        &self.kinds[..self.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_topics_decide() {
        assert_eq!(
            Slots::new(TopicSet::ALL).kinds(),
            [SlotKind::Telemetry, SlotKind::Usage, SlotKind::Event]
        );
        let only = |topic| Slots::new([topic].into_iter().collect());
        assert_eq!(only(Topic::Jobs).kinds(), [SlotKind::Event]);
        assert_eq!(only(Topic::Incidents).kinds(), [SlotKind::Event]);
        assert_eq!(only(Topic::Usage).kinds(), [SlotKind::Usage]);
        assert!(only(Topic::Machines).is_empty());
    }
}
