//! The topics of a producer, and the numbers of their partitions among all.

/// A topic that a producer writes to. Records name it by its index in the list of topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: u32,
}

impl Topic {
    /// A topic with this many partitions.
    pub fn new(name: impl Into<String>, partitions: u32) -> Topic {
        Topic { name: name.into(), partitions }
    }
}

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicPartition {
    /// The topic's index.
    pub(crate) topic: usize,
    /// The topic's name.
    pub(crate) name: String,
    /// The partition's index in the topic.
    pub(crate) index: i32,
}

/// Where each topic's partitions begin in the list of all.
#[derive(Debug, Clone)]
pub(crate) struct PartitionTable(Box<[PartitionRange]>);

#[derive(Debug, Clone, Copy)]
struct PartitionRange {
    first: usize,
    count: usize,
}

/// All partitions of some topics, in order.
pub(crate) fn partitions_of(topics: &[Topic]) -> Vec<TopicPartition> {
    let partitions = topics.iter().enumerate().flat_map(|(topic, Topic { name, partitions })| {
        (0..*partitions as i32).map(move |index| TopicPartition {
            topic,
            name: name.clone(),
            index,
        })
    });
    partitions.collect()
}

impl PartitionTable {
    /// The table of some topics, whose partitions are in the order of [`partitions_of`].
    pub(crate) fn new(topics: &[Topic]) -> PartitionTable {
        let mut first = 0;
        let ranges = topics.iter().map(|topic| {
            let range = PartitionRange { first, count: topic.partitions as usize };
            first += range.count;
            range
        });
        PartitionTable(ranges.collect())
    }

    /// How many partitions there are.
    pub(crate) fn len(&self) -> usize {
        self.0.last().map_or(0, |last| last.first + last.count)
    }

    /// The number of a partition among all; `None` if there is no such partition.
    #[inline]
    pub(crate) fn number(&self, topic: usize, index: i32) -> Option<usize> {
        let range = self.0.get(topic)?;
        let index = index as usize;
        (index < range.count).then(|| range.first + index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_numbered_through_all_topics() {
        let topics = [Topic::new("a", 2), Topic::new("b", 0), Topic::new("c", 3)];
        let (table, all) = (PartitionTable::new(&topics), partitions_of(&topics));
        assert_eq!((table.len(), all.len()), (5, 5));
        for (number, partition) in all.iter().enumerate() {
            assert_eq!(table.number(partition.topic, partition.index), Some(number));
        }
        for (topic, index) in [(0, 2), (0, -1), (1, 0), (3, 0)] {
            assert_eq!(table.number(topic, index), None);
        }
    }
}
