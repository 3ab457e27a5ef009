//! The sender thread: batches and responses in, requests and delivery reports out. It alone knows what is
//! in flight, so none of that is locked.

mod connections;
mod deadlines;
mod requests;
mod responses;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender as ReadySender;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::timeout;

use crate::address::ServerAddress;
use crate::batch::{Batch, ProducerId};
use crate::broker::Broker;
use crate::error::{DeliveryError, ProducerError};
use crate::event::Event;
use crate::metadata::{Metadata, MetadataClient};
use crate::partition::Partition;
use crate::report::Delivery;
use crate::settings::{ConnectionSettings, ProducerSettings};
use crate::shared::Shared;
use crate::topic::{Topic, partitions_of};

/// The thread's state.
pub(crate) struct Sender {
    settings: ProducerSettings,
    connection_settings: Rc<ConnectionSettings>,
    shared: Arc<Shared>,
    metadata: Metadata,
    metadata_client: MetadataClient,
    partitions: Vec<Partition>,
    brokers: BTreeMap<i32, Broker>,
    /// How many connection attempts were made.
    connection_attempts: u64,
    producer_id: Option<ProducerId>,
    /// Sends once: when the producer can send, or why it never will.
    ready: Option<ReadySender<Result<(), ProducerError>>>,
    /// No producer id is requested before this, on the producer's clock.
    producer_id_not_before_ns: u64,
    /// When deadlines were last checked.
    expired_ns: u64,
    /// When the thread was last awake.
    awake_ns: u64,
    /// When the process last resumed after it had been stopped.
    resumed_ns: u64,
    /// Topics whose logs this user may not read.
    unreadable_topics: BTreeSet<String>,
    events: UnboundedSender<Event>,
}

/// How often deadlines are checked.
const TICK: Duration = Duration::from_millis(500);

impl Sender {
    /// The sender of a producer for these topics. `ready` hears when it can send. Connections and
    /// metadata come as `events`.
    pub(crate) fn new(
        settings: ProducerSettings,
        bootstrap: Vec<ServerAddress>,
        topics: &[Topic],
        shared: Arc<Shared>,
        events: UnboundedSender<Event>,
        ready: ReadySender<Result<(), ProducerError>>,
    ) -> Sender {
        let partitions = partitions_of(topics);
        let names = topics.iter().map(|topic| topic.name.clone()).collect();
        let connection_settings = Rc::new(settings.connection.clone());
        Sender {
            metadata_client: MetadataClient::new(Rc::clone(&connection_settings), bootstrap, names),
            settings,
            connection_settings,
            shared,
            partitions: partitions.iter().map(|_| Partition::default()).collect(),
            metadata: Metadata::new(partitions),
            brokers: BTreeMap::new(),
            connection_attempts: 0,
            producer_id: None,
            ready: Some(ready),
            producer_id_not_before_ns: 0,
            expired_ns: 0,
            awake_ns: 0,
            resumed_ns: 0,
            unreadable_topics: BTreeSet::new(),
            events,
        }
    }

    /// Works until it is stopped.
    pub(crate) async fn run(mut self, mut events: UnboundedReceiver<Event>) {
        self.refresh_metadata();
        loop {
            let first = timeout(self.poll_timeout(), events.recv()).await;
            self.postpone_deadlines();
            let mut next = first.unwrap_or_default();
            while let Some(event) = next {
                if matches!(event, Event::Stop) {
                    return;
                }
                self.handle(event);
                next = events.try_recv().ok();
            }
            self.expire();
            self.connect();
            self.dispatch();
            self.tell_ready();
            self.awake_ns = self.shared.now_ns();
        }
    }

    /// How long nothing needs to be done unless an event comes.
    fn poll_timeout(&self) -> Duration {
        let now_ns = self.shared.now_ns();
        let retries = self.partitions.iter().filter_map(Partition::retry_at_ns);
        let idle = self.brokers.values().filter(|broker| broker.is_idle());
        let reconnects = idle.map(|broker| broker.connect_at_ns);
        let throttled = self.brokers.values().map(|broker| broker.throttled_until_ns);
        let others = reconnects.chain(throttled).chain([self.producer_id_not_before_ns]);
        let soonest = retries.chain(others).filter(|at| *at > now_ns).min();
        soonest.map_or(TICK, |at| Duration::from_nanos(at - now_ns).min(TICK))
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Batches(batches) => {
                for mut batch in batches {
                    // The batch may have been open while the process was stopped.
                    batch.created_ns = batch.created_ns.max(self.resumed_ns);
                    self.partitions[batch.partition].push(batch);
                }
            }
            Event::Connection(id, event) => self.handle_connection(id, event),
            Event::Metadata(answer) => self.update_metadata(answer),
            Event::Stop => {}
        }
    }

    /// When a retry that is decided now is sent, on the producer's clock.
    fn retry_ns(&self) -> u64 {
        self.shared.now_ns() + self.settings.retry_backoff.as_nanos() as u64
    }

    /// Reports a batch as acknowledged, or as failed.
    fn report(&self, batch: Batch, error: Option<DeliveryError>) {
        let partition = self.metadata.partition(batch.partition);
        let delivery = Delivery {
            topic: partition.topic,
            partition: partition.index,
            notes: &batch.notes,
            now_ns: self.shared.now_ns(),
        };
        match error {
            None => self.shared.reports.acknowledged(delivery),
            Some(kind) => self.shared.reports.failed(delivery, kind),
        }
        self.shared.release(batch);
    }

    /// Reports once that records can be sent: all leaders are connected, and a producer id is allocated
    /// if one is needed.
    fn tell_ready(&mut self) {
        if self.ready.is_none() || self.needs_producer_id() {
            return;
        }
        let connected = |id: i32| self.brokers.get(&id).is_some_and(|b| b.connection.is_some());
        let mut leaders = (0..self.partitions.len()).map(|number| self.metadata.leader(number));
        let all = leaders.all(|leader| leader.is_some_and(connected));
        if all && let Some(ready) = self.ready.take() {
            let _nobody_waits = ready.send(Ok(()));
        }
    }

    /// Whether a producer id is still missing.
    fn needs_producer_id(&self) -> bool {
        self.settings.is_idempotent() && self.producer_id.is_none()
    }
}
