//! Which broker leads each partition, by the cluster's metadata.

mod client;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::ServerAddress;
use crate::protocol::{MetadataResponse, ResponseBroker};
use crate::topic::TopicPartition;

pub(crate) use client::MetadataClient;

/// A cluster's metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClusterMetadata {
    /// The live brokers.
    pub(crate) brokers: Vec<BrokerAddress>,
    /// The leader of each partition, by topic; -1 for none.
    leaders: BTreeMap<String, Vec<i32>>,
}

/// A broker and its address for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokerAddress {
    pub(crate) id: i32,
    pub(crate) address: ServerAddress,
}

/// The partitions by their numbers, and their leaders.
pub(crate) struct Metadata {
    partitions: Vec<TopicPartition>,
    numbers: BTreeMap<String, BTreeMap<i32, usize>>,
    /// The leader of each partition, if it has one.
    leaders: Vec<Option<i32>>,
    /// Since when a partition's topic is missing.
    missing_since_ns: Vec<Option<u64>>,
    /// Whether a request is in flight.
    refreshing: bool,
    /// The next request is not sent before this.
    refresh_not_before_ns: u64,
    /// When the last response came.
    refreshed_ns: u64,
}

/// How long after one request the next may follow.
const REFRESH_BACKOFF: Duration = Duration::from_millis(200);
/// How old metadata may get, as Java's metadata.max.age.ms and librdkafka's
/// topic.metadata.refresh.interval.ms.
const MAX_AGE: Duration = Duration::from_secs(300);
/// How long a topic may be missing before its records fail, as librdkafka's
/// topic.metadata.propagation.max.ms.
const MISSING_MAX: Duration = Duration::from_secs(30);

impl ClusterMetadata {
    /// The metadata in a broker's response.
    fn from_response(response: MetadataResponse) -> ClusterMetadata {
        let brokers = response.brokers.into_iter().map(|ResponseBroker { id, host, port }| {
            BrokerAddress { id, address: ServerAddress { host, port } }
        });
        ClusterMetadata { brokers: brokers.collect(), leaders: response.leaders }
    }
}

impl Metadata {
    /// Metadata of these partitions, with no leader known yet.
    pub(crate) fn new(partitions: Vec<TopicPartition>) -> Metadata {
        let mut numbers: BTreeMap<String, BTreeMap<i32, usize>> = BTreeMap::new();
        for (number, partition) in partitions.iter().enumerate() {
            numbers.entry(partition.name.clone()).or_default().insert(partition.index, number);
        }
        let count = partitions.len();
        Metadata {
            partitions,
            numbers,
            leaders: vec![None; count],
            missing_since_ns: vec![None; count],
            refreshing: false,
            refresh_not_before_ns: 0,
            refreshed_ns: 0,
        }
    }

    /// The partition with this number.
    pub(crate) fn partition(&self, number: usize) -> &TopicPartition {
        &self.partitions[number]
    }

    /// The number of a partition.
    pub(crate) fn number(&self, topic: &str, index: i32) -> Option<usize> {
        self.numbers.get(topic)?.get(&index).copied()
    }

    /// The leader of a partition, if it has one.
    pub(crate) fn leader(&self, number: usize) -> Option<i32> {
        self.leaders[number]
    }

    /// Whether a broker leads any partition.
    pub(crate) fn is_leader(&self, broker: i32) -> bool {
        self.leaders.contains(&Some(broker))
    }

    /// Whether the topic of a partition has been missing for too long.
    pub(crate) fn is_deleted(&self, number: usize, now_ns: u64) -> bool {
        let deleted_ns = now_ns.saturating_sub(MISSING_MAX.as_nanos() as u64);
        self.missing_since_ns[number].is_some_and(|since_ns| since_ns < deleted_ns)
    }

    /// Whether the metadata is older than its maximum age.
    pub(crate) fn is_old(&self, now_ns: u64) -> bool {
        now_ns >= self.refreshed_ns + MAX_AGE.as_nanos() as u64
    }

    /// Whether to send a request now, and notes it if so. Not while one is in flight or just was.
    pub(crate) fn begin_refresh(&mut self, now_ns: u64) -> bool {
        let begins = !self.refreshing && now_ns >= self.refresh_not_before_ns;
        self.refreshing |= begins;
        begins
    }

    /// Takes the response, or `None` if the request failed.
    pub(crate) fn update(&mut self, cluster: Option<&ClusterMetadata>, now_ns: u64) {
        self.refreshing = false;
        self.refresh_not_before_ns = now_ns + REFRESH_BACKOFF.as_nanos() as u64;
        let Some(cluster) = cluster else { return };
        self.refreshed_ns = now_ns;
        for (number, partition) in self.partitions.iter().enumerate() {
            let leaders = cluster.leaders.get(&partition.name);
            let leader = leaders.and_then(|leaders| leaders.get(partition.index as usize).copied());
            self.leaders[number] = leader.filter(|id| *id >= 0);
            let since_ns = &mut self.missing_since_ns[number];
            *since_ns = if leader.is_some() { None } else { since_ns.or(Some(now_ns)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::{Topic, partitions_of};

    const S: u64 = 1_000_000_000;

    fn cluster(leaders: &[(&str, &[i32])]) -> ClusterMetadata {
        let leaders = leaders.iter().map(|(topic, ids)| ((*topic).to_owned(), ids.to_vec()));
        ClusterMetadata { brokers: Vec::new(), leaders: leaders.collect() }
    }

    #[test]
    fn leaders_come_and_go_and_topics_are_missed_for_a_while() {
        let mut metadata = Metadata::new(partitions_of(&[Topic::new("a", 2), Topic::new("b", 1)]));
        assert_eq!((metadata.leader(0), metadata.is_deleted(0, 100 * S)), (None, false));
        metadata.update(Some(&cluster(&[("a", &[1, -1]), ("b", &[2])])), S);
        assert_eq!([0, 1, 2].map(|number| metadata.leader(number)), [Some(1), None, Some(2)]);
        assert!(metadata.is_leader(2) && !metadata.is_leader(3));
        assert_eq!((metadata.number("b", 0), metadata.number("b", 1)), (Some(2), None));
        // A partition without a leader is there; a topic that isn't named is not.
        metadata.update(Some(&cluster(&[("a", &[1])])), 2 * S);
        metadata.update(Some(&cluster(&[("a", &[1])])), 20 * S);
        metadata.update(None, 30 * S);
        assert!(!metadata.is_deleted(2, 32 * S) && metadata.is_deleted(2, 33 * S));
        assert!(metadata.is_deleted(1, 33 * S) && !metadata.is_deleted(0, 33 * S));
        metadata.update(Some(&cluster(&[("a", &[1, 3]), ("b", &[3])])), 34 * S);
        assert!(!metadata.is_deleted(2, 99 * S));
    }

    #[test]
    fn one_request_is_out_at_a_time_and_answers_grow_old() {
        let mut metadata = Metadata::new(partitions_of(&[Topic::new("a", 1)]));
        assert!(metadata.begin_refresh(S) && !metadata.begin_refresh(S));
        metadata.update(None, 2 * S);
        assert!(!metadata.begin_refresh(2 * S + S / 10) && metadata.begin_refresh(3 * S));
        metadata.update(Some(&cluster(&[])), 4 * S);
        assert!(!metadata.is_old(303 * S) && metadata.is_old(304 * S));
    }
}
