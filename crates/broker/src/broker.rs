//! The broker's handle.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::config::{self, Values};
use crate::faults::{ActiveFault, Fault};
use crate::listener;
use crate::log::batch::Batch;
use crate::log::header::HEADER;
use crate::log::producers::ProducerState;
use crate::log::records;
use crate::settings::Settings;
use crate::state::{Node, Shared};
use crate::topics;

/// How often the broker looks for expired members, transactions and records.
const TICK: Duration = Duration::from_millis(200);

/// A running broker, on threads of its own. Dropping it stops it and deletes everything.
pub struct Broker {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    open: Mutex<Vec<Option<Open>>>,
    /// `None` only while the broker is dropped.
    runtime: Option<Runtime>,
}

/// A node's listener.
struct Open {
    task: AbortHandle,
    /// Closes once its port is closed.
    closed: mpsc::Receiver<()>,
}

/// Why a broker can't do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// It can't listen.
    #[error(
        "the broker can't listen on {address}: {cause}; choose another address, or port 0 for any free one"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        cause: io::Error,
    },
    /// Its threads can't be started.
    #[error("the broker can't start its threads: {0}")]
    Threads(io::Error),
    /// A setting, a topic or its configuration is invalid.
    #[error("{0}")]
    Invalid(String),
    /// There is no such topic, partition or node.
    #[error("{0} does not exist")]
    NotFound(String),
}

/// A batch in a partition's log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredBatch {
    /// The offset of its first record.
    pub base_offset: i64,
    /// The offset of its last record.
    pub last_offset: i64,
    /// The epoch of the leader that stored it.
    pub leader_epoch: i32,
    /// Its producer id; -1 without idempotence.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The sequence number of its first record.
    pub base_sequence: i32,
    /// How many records it has.
    pub count: i32,
    /// Whether it belongs to a transaction.
    pub transactional: bool,
    /// Whether it is a control batch, the marker of a transaction.
    pub control: bool,
    /// The codec's number: none, gzip, snappy, lz4, zstd.
    pub codec: i16,
    /// The highest timestamp of its records, in milliseconds since 1970.
    pub max_timestamp: i64,
    /// The whole batch.
    pub bytes: Bytes,
    /// Its records; empty if they can't be decompressed.
    pub records: Vec<StoredRecord>,
}

/// A record in a partition's log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredRecord {
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; `None` for a tombstone.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// How a node restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// As after a clean shutdown: the last batch of each producer is known, unless the producer has
    /// expired.
    Clean,
    /// Without producer state, as if it were lost.
    WithoutProducerState,
}

impl Broker {
    /// Starts a broker. It answers from when this returns.
    ///
    /// # Errors
    /// [`BrokerError`] if it can't listen, or a setting is invalid.
    pub fn start(settings: Settings) -> Result<Broker, BrokerError> {
        for (name, value) in &settings.config {
            let setting = config::find(config::BROKER, name)
                .ok_or_else(|| BrokerError::Invalid(format!("the broker has no setting {name}")))?;
            setting.check(value).map_err(|e| BrokerError::Invalid(e.to_string()))?;
        }
        let mut listeners = Vec::new();
        let mut nodes = Vec::new();
        for (id, offset) in (1..=settings.nodes.max(1)).zip(0_u16..) {
            let mut address = settings.listen;
            if address.port() != 0 {
                address.set_port(address.port().saturating_add(offset));
            }
            let listener = bind(address)?;
            let bound =
                listener.local_addr().map_err(|cause| BrokerError::Listen { address, cause })?;
            let (host, port) = match &settings.advertise {
                Some((host, port)) => (host.clone(), port.saturating_add(offset)),
                None => (bound.ip().to_string(), bound.port()),
            };
            nodes.push(Node { id, host, port, live: true, cut: watch::Sender::new(0) });
            listeners.push((bound, listener));
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("broker")
            .enable_all()
            .build()
            .map_err(BrokerError::Threads)?;
        let shared = Arc::new(Shared::new(settings, nodes));
        let mut addresses = Vec::new();
        let mut open = Vec::new();
        for ((address, listener), node) in listeners.into_iter().zip(1..) {
            open.push(Some(listen(&runtime, listener, &shared, node)?));
            addresses.push(address);
        }
        runtime.spawn(tick(shared.clone()));
        Ok(Broker { shared, addresses, open: Mutex::new(open), runtime: Some(runtime) })
    }

    /// The bootstrap servers: host:port of every node, separated by commas.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let all: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        all.join(",")
    }

    /// The address of a node. Nodes are numbered from 1.
    #[must_use]
    pub fn address(&self, node: i32) -> Option<SocketAddr> {
        self.addresses.get(usize::try_from(node).ok()?.checked_sub(1)?).copied()
    }

    /// Creates a topic on all nodes, with topic settings by Kafka's names.
    ///
    /// # Errors
    /// [`BrokerError::Invalid`] if the name or a setting is invalid, the topic exists, or the count is
    /// below 1.
    pub fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<(), BrokerError> {
        topics::check_name(name).map_err(|e| BrokerError::Invalid(e.to_string()))?;
        if !(1..=topics::MAX_PARTITIONS).contains(&partitions) {
            return Err(BrokerError::Invalid(format!(
                "a topic can't have {partitions} partitions"
            )));
        }
        let mut values = Values::new();
        for &(key, value) in settings {
            let setting = config::find(config::TOPIC, key)
                .ok_or_else(|| BrokerError::Invalid(format!("a topic has no setting {key}")))?;
            setting.check(value).map_err(|e| BrokerError::Invalid(e.to_string()))?;
            values.insert(key.to_owned(), value.to_owned());
        }
        let mut state = self.shared.state();
        if state.topics.get(name).is_some() {
            return Err(BrokerError::Invalid(format!("topic {name} already exists")));
        }
        let nodes = state.nodes.len();
        state.create_topic(name, usize::try_from(partitions).unwrap_or(1), nodes, values);
        Ok(())
    }

    /// The batches of a partition, oldest first.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if there is no such partition.
    pub fn batches(&self, topic: &str, partition: i32) -> Result<Vec<StoredBatch>, BrokerError> {
        let batches: Vec<Batch> =
            self.look(topic, partition, |p| p.log.batches().cloned().collect())?;
        Ok(batches.into_iter().map(stored).collect())
    }

    /// The records of a partition that producers wrote, oldest first, those of aborted transactions too.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if there is no such partition.
    pub fn records(&self, topic: &str, partition: i32) -> Result<Vec<StoredRecord>, BrokerError> {
        let batches = self.batches(topic, partition)?;
        Ok(batches.into_iter().filter(|b| !b.control).flat_map(|b| b.records).collect())
    }

    /// The log start offset and the end offset of a partition.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if there is no such partition.
    pub fn offsets(&self, topic: &str, partition: i32) -> Result<(i64, i64), BrokerError> {
        self.look(topic, partition, |p| (p.log.start(), p.log.end()))
    }

    /// A partition's producer state, by producer id.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if there is no such partition.
    pub fn producers(
        &self,
        topic: &str,
        partition: i32,
    ) -> Result<Vec<ProducerState>, BrokerError> {
        self.look(topic, partition, |p| p.log.producers.states())
    }

    /// The leader of a partition and its epoch; -1 if no replica is live.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if there is no such partition.
    pub fn leader(&self, topic: &str, partition: i32) -> Result<(i32, i32), BrokerError> {
        self.look(topic, partition, |p| (p.leader, p.epoch))
    }

    /// How many requests of an API came, to one node or to all.
    #[must_use]
    pub fn requests(&self, node: Option<i32>, api: ApiKey) -> u64 {
        self.shared.request_count(node, api)
    }

    /// Injects a fault, after those that are active: the first that matches a request applies.
    pub fn fault(&self, fault: Fault) -> ActiveFault {
        self.shared.faults.lock().add(fault)
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.lock().clear();
    }

    /// Moves a partition's leadership to another node, with a new epoch. Producer state moves along.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if there is no such partition or live node.
    pub fn move_leader(&self, topic: &str, partition: i32, node: i32) -> Result<(), BrokerError> {
        self.check_live(node)?;
        self.change(topic, partition, |p| {
            if !p.replicas.contains(&node) {
                p.replicas.push(node);
            }
            p.lead(node);
        })
    }

    /// Deletes a partition's producer state: the next batch of each producer may have any sequence.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if there is no such partition.
    pub fn forget_producer_state(&self, topic: &str, partition: i32) -> Result<(), BrokerError> {
        self.change(topic, partition, |p| p.log.producers.forget())
    }

    /// Drops all connections to a node.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if there is no such node.
    pub fn drop_connections(&self, node: i32) -> Result<(), BrokerError> {
        let state = self.shared.state();
        let found = state.node(node).ok_or_else(|| no_node(node))?;
        found.cut.send_modify(|cuts| *cuts += 1);
        Ok(())
    }

    /// Restarts a node: its connections are dropped, its logs stay, its partitions get a new epoch.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if there is no such node.
    pub fn restart(&self, node: i32, how: Restart) -> Result<(), BrokerError> {
        let now = self.shared.now_ms();
        {
            let mut state = self.shared.state();
            let expiry = config::broker_number(&state.config, "producer.id.expiration.ms");
            for (_, topic) in state.topics.iter_mut() {
                for partition in topic.partitions.iter_mut().filter(|p| p.leader == node) {
                    partition.lead(node);
                    match how {
                        Restart::Clean => partition.log.producers.reload(now, expiry),
                        Restart::WithoutProducerState => partition.log.producers.forget(),
                    }
                }
            }
        }
        self.drop_connections(node)
    }

    /// Stops a node: its port closes, its connections are dropped, and the next live replica leads its
    /// partitions, if there is one.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if there is no such node.
    pub fn stop_node(&self, node: i32) -> Result<(), BrokerError> {
        let place = self.place(node)?;
        {
            let mut state = self.shared.state();
            if let Some(found) = state.nodes.iter_mut().find(|n| n.id == node) {
                found.live = false;
            }
            let live = state.live();
            for (_, topic) in state.topics.iter_mut() {
                for partition in topic.partitions.iter_mut().filter(|p| p.leader == node) {
                    let next = partition.replicas.iter().copied().find(|r| live.contains(r));
                    partition.lead(next.unwrap_or(-1));
                }
            }
        }
        if let Some(open) = self.open.lock()[place].take() {
            open.task.abort();
            let _ = open.closed.recv();
        }
        self.drop_connections(node)
    }

    /// Starts a stopped node on its port. It leads its partitions without a leader.
    ///
    /// # Errors
    /// [`BrokerError`] if there is no such node, or its port is taken.
    pub fn start_node(&self, node: i32) -> Result<(), BrokerError> {
        let place = self.place(node)?;
        let mut open = self.open.lock();
        if open[place].is_some() {
            return Ok(());
        }
        let listener = bind(self.addresses[place])?;
        if let Some(runtime) = &self.runtime {
            open[place] = Some(listen(runtime, listener, &self.shared, node)?);
        }
        let mut state = self.shared.state();
        if let Some(found) = state.nodes.iter_mut().find(|n| n.id == node) {
            found.live = true;
        }
        for (_, topic) in state.topics.iter_mut() {
            for p in &mut topic.partitions {
                if p.leader < 0 && p.replicas.contains(&node) {
                    p.lead(node);
                }
            }
        }
        Ok(())
    }

    /// Sets the broker's clock forward, and does what is due by then: producer state and records expire
    /// by it.
    pub fn advance_clock(&self, by: Duration) {
        self.shared.advance(by);
        self.shared.expire();
    }

    /// The broker's time, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.shared.now_ms()
    }

    /// Reads from a partition.
    fn look<T>(
        &self,
        topic: &str,
        partition: i32,
        look: impl FnOnce(&topics::Partition) -> T,
    ) -> Result<T, BrokerError> {
        let state = self.shared.state();
        let found = state.topics.partition(topic, partition);
        found.map(look).ok_or_else(|| BrokerError::NotFound(format!("{topic}-{partition}")))
    }

    fn change(
        &self,
        topic: &str,
        partition: i32,
        change: impl FnOnce(&mut topics::Partition),
    ) -> Result<(), BrokerError> {
        let mut state = self.shared.state();
        let found = state.topics.partition_mut(topic, partition);
        found.map(change).ok_or_else(|| BrokerError::NotFound(format!("{topic}-{partition}")))
    }

    fn check_live(&self, node: i32) -> Result<(), BrokerError> {
        let state = self.shared.state();
        state.node(node).filter(|n| n.live).map(drop).ok_or_else(|| no_node(node))
    }

    fn place(&self, node: i32) -> Result<usize, BrokerError> {
        let place = usize::try_from(node).ok().and_then(|n| n.checked_sub(1));
        place.filter(|&p| p < self.addresses.len()).ok_or_else(|| no_node(node))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn no_node(node: i32) -> BrokerError {
    BrokerError::NotFound(format!("live node {node}"))
}

fn bind(address: SocketAddr) -> Result<TcpListener, BrokerError> {
    let fail = |cause| BrokerError::Listen { address, cause };
    let listener = TcpListener::bind(address).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    Ok(listener)
}

fn listen(
    runtime: &Runtime,
    listener: TcpListener,
    shared: &Arc<Shared>,
    node: i32,
) -> Result<Open, BrokerError> {
    let _inside = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener).map_err(BrokerError::Threads)?;
    let (done, closed) = mpsc::channel();
    let shared = shared.clone();
    // The port closes before the channel does.
    let held = (listener, done);
    let task = runtime.spawn(async move {
        let held = held;
        listener::accept(&held.0, shared, node).await;
    });
    Ok(Open { task: task.abort_handle(), closed })
}

async fn tick(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(TICK.min(shared.check_interval())).await;
        shared.expire();
    }
}

fn stored(batch: Batch) -> StoredBatch {
    let header = batch.header;
    let records = records::read(&header, batch.bytes.slice(HEADER..)).unwrap_or_default();
    let records = records.into_iter().map(|r| StoredRecord {
        offset: header.base_offset + i64::from(r.offset_delta),
        timestamp: if header.is_log_append_time() {
            header.max_timestamp
        } else {
            header.base_timestamp.saturating_add(r.timestamp_delta)
        },
        key: r.key,
        value: r.value,
        headers: r.headers,
    });
    StoredBatch {
        base_offset: header.base_offset,
        last_offset: header.last_offset(),
        leader_epoch: header.leader_epoch,
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        count: header.count,
        transactional: header.is_transactional(),
        control: header.is_control(),
        codec: header.codec(),
        max_timestamp: header.max_timestamp,
        records: records.collect(),
        bytes: batch.bytes,
    }
}
