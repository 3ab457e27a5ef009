//! What the nodes of the cluster share, behind one lock that is never held across a wait.

mod transactions;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kafka_protocol::messages::ApiKey;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::config::{self, Values};
use crate::faults::Faults;
use crate::groups::Groups;
use crate::ids;
use crate::settings::Settings;
use crate::topics::{Topic, Topics};
use crate::transactions::Transactions;

/// The cluster id, by which it can be told from a real cluster.
pub const CLUSTER_ID: &str = "fleetstorm-broker-0000";

/// A cluster's state, and what wakes requests that wait for it.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    state: Mutex<State>,
    /// Wakes requests that wait for records.
    pub(crate) appended: Notify,
    pub(crate) faults: Mutex<Faults>,
    /// When retention and producer expiration last ran.
    aged_ms: AtomicI64,
    /// How far the broker's clock is ahead of the machine's, in milliseconds.
    ahead_ms: AtomicI64,
    requests: Mutex<BTreeMap<(i32, i16), u64>>,
}

/// The state behind the lock.
pub(crate) struct State {
    pub(crate) nodes: Vec<Node>,
    pub(crate) topics: Topics,
    /// The broker settings that were set.
    pub(crate) config: Values,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    next_producer_id: i64,
    /// The bytes of all logs.
    pub(crate) bytes: usize,
}

/// A node as clients see it.
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) live: bool,
    /// Counts how often all its connections were dropped.
    pub(crate) cut: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn new(settings: Settings, nodes: Vec<Node>) -> Shared {
        let config = settings.config.iter().cloned().collect();
        let shared = Shared {
            settings,
            state: Mutex::new(State {
                nodes,
                topics: Topics::default(),
                config,
                groups: Groups::new(),
                transactions: Transactions::new(),
                next_producer_id: 1_000,
                bytes: 0,
            }),
            appended: Notify::new(),
            faults: Mutex::default(),
            aged_ms: AtomicI64::new(0),
            ahead_ms: AtomicI64::new(0),
            requests: Mutex::default(),
        };
        shared.aged_ms.store(shared.now_ms(), Ordering::Relaxed);
        shared
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The broker's time, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX) + self.ahead_ms.load(Ordering::Relaxed)
    }

    /// Sets the broker's clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// How often producer state is checked for expiration.
    pub(crate) fn check_interval(&self) -> Duration {
        let ms =
            config::broker_number(&self.state().config, "producer.id.expiration.check.interval.ms");
        Duration::from_millis(u64::try_from(ms).unwrap_or(1).max(1))
    }

    /// Expires what is due: group members and transactions each time, producer state and records at the
    /// check interval.
    pub(crate) fn expire(&self) {
        let now = self.now_ms();
        let aborted = {
            let mut state = self.state();
            for group in state.groups.values_mut() {
                group.expire(Instant::now());
            }
            state.groups.retain(|_, group| !group.is_unused());
            state.compact(now, &self.settings);
            state.abort_overdue(now)
        };
        if aborted {
            self.appended.notify_waiters();
        }
        let interval = i64::try_from(self.check_interval().as_millis()).unwrap_or(i64::MAX);
        if now - self.aged_ms.load(Ordering::Relaxed) >= interval {
            self.aged_ms.store(now, Ordering::Relaxed);
            self.state().expire(now);
        }
    }

    /// Counts a request.
    pub(crate) fn count_request(&self, node: i32, api: ApiKey) {
        *self.requests.lock().entry((node, api as i16)).or_default() += 1;
    }

    /// How many requests of an API came, to one node or to all.
    pub(crate) fn request_count(&self, node: Option<i32>, api: ApiKey) -> u64 {
        self.requests
            .lock()
            .iter()
            .filter(|((n, a), _)| *a == api as i16 && node.is_none_or(|node| node == *n))
            .map(|(_, count)| count)
            .sum()
    }
}

impl State {
    /// The ids of the live nodes.
    pub(crate) fn live(&self) -> Vec<i32> {
        self.nodes.iter().filter(|n| n.live).map(|n| n.id).collect()
    }

    pub(crate) fn node(&self, id: i32) -> Option<&Node> {
        self.nodes.iter().find(|n| n.id == id)
    }

    /// The coordinator of groups and transactions, which is the controller too.
    pub(crate) fn coordinator(&self) -> Option<&Node> {
        self.nodes.iter().find(|n| n.live)
    }

    /// A new producer id.
    pub(crate) fn producer_id(&mut self) -> i64 {
        self.next_producer_id += 1;
        self.next_producer_id - 1
    }

    /// The replicas for the next partition of a topic: nodes in turn, up to the replication factor.
    pub(crate) fn replicas(&self, partition: usize, factor: usize) -> Vec<i32> {
        let all = self.nodes.len();
        (0..factor.min(all)).map(|i| self.nodes[(partition + i) % all].id).collect()
    }

    /// Creates a topic. The name must be valid and free, the numbers at least 1.
    pub(crate) fn create_topic(
        &mut self,
        name: &str,
        partitions: usize,
        factor: usize,
        config: Values,
    ) {
        let live = self.live();
        let mut topic = Topic { id: ids::random(), partitions: Vec::new(), config };
        for index in 0..partitions {
            topic.add_partition(self.replicas(index, factor), &live);
        }
        self.topics.insert(name, topic);
    }

    /// Creates a topic that a client named, if auto.create.topics.enable is on.
    pub(crate) fn auto_create_topic(&mut self, name: &str) {
        if config::broker_value(&self.config, "auto.create.topics.enable") != "true" {
            return;
        }
        let number = |name| usize::try_from(config::broker_number(&self.config, name)).unwrap_or(1);
        let (partitions, factor) =
            (number("num.partitions").max(1), number("default.replication.factor").max(1));
        self.create_topic(name, partitions, factor, Values::new());
    }

    /// Deletes the oldest batches of partitions that exceed their limits.
    pub(crate) fn enforce_retention(&mut self, settings: &Settings, topic: &str, partition: i32) {
        let own = self
            .topics
            .get(topic)
            .map_or(-1, |t| config::topic_number(&t.config, &self.config, "retention.bytes"));
        let most = usize::try_from(own)
            .map_or(settings.partition_bytes, |own| own.min(settings.partition_bytes));
        if let Some(p) = self.topics.partition_mut(topic, partition) {
            while p.log.bytes() > most {
                let before = p.log.bytes();
                if !p.log.drop_oldest() {
                    break;
                }
                self.bytes -= before - p.log.bytes();
            }
        }
        while self.bytes > settings.total_bytes {
            let largest = self
                .topics
                .iter_mut()
                .flat_map(|(_, t)| t.partitions.iter_mut())
                .max_by_key(|p| p.log.bytes());
            let Some(largest) = largest else { break };
            let before = largest.log.bytes();
            if !largest.log.drop_oldest() {
                break;
            }
            self.bytes -= before - largest.log.bytes();
        }
    }

    /// Compacts logs of at least a segment, since Kafka doesn't compact the active segment; and earlier
    /// if the limits would otherwise delete records of a compacted topic.
    fn compact(&mut self, now_ms: i64, settings: &Settings) {
        let bound = (settings.partition_bytes / 2).min(settings.total_bytes / 64);
        let State { topics, config, bytes, .. } = self;
        for (_, topic) in topics.iter_mut() {
            if !topic.is_compacted(config) {
                continue;
            }
            let tombstones_ms = config::topic_number(&topic.config, config, "delete.retention.ms");
            let segment = config::topic_number(&topic.config, config, "segment.bytes");
            let segment = usize::try_from(segment).unwrap_or(0);
            let least = segment.min(bound);
            for partition in topic.partitions.iter_mut().filter(|p| p.log.is_dirty(least)) {
                let before = partition.log.bytes();
                partition.log.compact(now_ms.saturating_sub(tombstones_ms));
                *bytes -= before - partition.log.bytes();
            }
        }
    }

    /// Expires producers and deletes old batches in all partitions.
    pub(crate) fn expire(&mut self, now_ms: i64) {
        let expiry = config::broker_number(&self.config, "producer.id.expiration.ms");
        let State { topics, config, bytes, .. } = self;
        for (_, topic) in topics.iter_mut() {
            let keeps_ms = config::topic_number(&topic.config, config, "retention.ms");
            let deletes = topic.is_deleted_from(config) && keeps_ms >= 0;
            for partition in &mut topic.partitions {
                partition.log.producers.expire(now_ms, expiry);
                let before = partition.log.bytes();
                if deletes {
                    partition.log.drop_older(now_ms - keeps_ms);
                }
                *bytes -= before - partition.log.bytes();
            }
        }
    }
}
