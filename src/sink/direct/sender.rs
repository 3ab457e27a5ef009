//! The thread that talks to the brokers: batches in, requests out, answers in, counts out. It alone
//! knows what is in flight, so nothing of it is locked.

mod answers;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::timeout;

use super::batch::{Batch, ProducerId};
use super::broker::{Broker, Content};
use super::connection::{self, Connection, ConnectionId};
use super::metadata::{Metadata, Place};
use super::outcome::Outcome;
use super::partition::Partition;
use super::settings::Settings;
use super::shared::Shared;
use crate::sink::kafka::{MetadataClient, Node, Placement, error_kind};

/// What the thread is told.
pub(super) enum Event {
    /// Batches to send, in their order.
    Batches(Vec<Batch>),
    /// A connection was opened.
    Connected(ConnectionId, Connection),
    /// A connection broke, or could not be opened: why.
    Closed(ConnectionId, String),
    /// A broker answered.
    Answer(ConnectionId, Bytes),
    /// A request that isn't answered was written.
    Written(ConnectionId),
    /// Where the partitions are, or why that isn't known.
    Placed(Result<Placement, String>),
    /// Nobody will send any more, nor ask what became of what was sent.
    Stop,
}

/// The thread's state.
pub(super) struct Sender {
    settings: Rc<Settings>,
    shared: Arc<Shared>,
    metadata: Metadata,
    partitions: Vec<Partition>,
    brokers: BTreeMap<i32, Broker>,
    producer: Option<ProducerId>,
    /// Told once, when the producer can send.
    ready: Option<std::sync::mpsc::Sender<Result<(), String>>>,
    /// Not before this a producer id is asked for, on the producer's clock.
    ask_at_ns: u64,
    /// When what is late was last looked for.
    expired_ns: u64,
    /// When the thread was last awake.
    awake_ns: u64,
    /// When the process last went on after it had been stopped.
    resumed_ns: u64,
    /// Topics whose logs this user may not read.
    unreadable: BTreeSet<String>,
    events: UnboundedSender<Event>,
}

/// How often what is late is looked for.
const TICK: Duration = Duration::from_millis(500);
/// The thread wakes every [`TICK`] at least. One that slept for longer than this did not run: the
/// process was stopped, or its machine asleep.
const STOPPED: Duration = Duration::from_secs(2);

const UNKNOWN_TOPIC: i16 = 3;
const TIMED_OUT: &str = "MessageTimedOut";

impl Sender {
    pub(super) fn new(
        settings: Settings,
        shared: Arc<Shared>,
        metadata_client: MetadataClient,
        places: Vec<Place>,
        events: UnboundedSender<Event>,
        ready: std::sync::mpsc::Sender<Result<(), String>>,
    ) -> Sender {
        Sender {
            settings: Rc::new(settings),
            shared,
            partitions: places.iter().map(|_| Partition::default()).collect(),
            metadata: Metadata::new(metadata_client, places, events.clone()),
            brokers: BTreeMap::new(),
            producer: None,
            ready: Some(ready),
            ask_at_ns: 0,
            expired_ns: 0,
            awake_ns: 0,
            resumed_ns: 0,
            unreadable: BTreeSet::new(),
            events,
        }
    }

    /// Works until it is stopped.
    pub(super) async fn run(mut self, mut events: UnboundedReceiver<Event>) {
        self.metadata.refresh(self.shared.now_ns());
        loop {
            let first = timeout(self.patience(), events.recv()).await;
            self.forgive_lost_time();
            let mut next = first.unwrap_or_default();
            while let Some(event) = next {
                if matches!(event, Event::Stop) {
                    return;
                }
                self.take(event);
                next = events.try_recv().ok();
            }
            self.expire();
            self.connect();
            self.dispatch();
            self.tell_ready();
            self.awake_ns = self.shared.now_ns();
        }
    }

    /// How long nothing need be done unless something happens.
    fn patience(&self) -> Duration {
        let now_ns = self.shared.now_ns();
        let retries = self.partitions.iter().filter_map(Partition::waits_until);
        let dials = self.brokers.values().filter(|b| b.connection.is_none() && !b.connecting);
        let dials = dials.map(|broker| broker.connect_at_ns);
        let throttled = self.brokers.values().map(|broker| broker.throttled_until_ns);
        let others = dials.chain(throttled).chain([self.ask_at_ns]);
        let soonest = retries.chain(others).filter(|at| *at > now_ns).min();
        soonest.map_or(TICK, |at| Duration::from_nanos(at - now_ns).min(TICK))
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Batches(batches) => {
                for mut batch in batches {
                    // It may have been open while the process was stopped.
                    batch.begun_ns = batch.begun_ns.max(self.resumed_ns);
                    self.partitions[batch.partition].push(batch);
                }
            }
            Event::Connected(id, connection) => {
                let Some(broker) = self.brokers.get_mut(&id.broker) else { return };
                if broker.nth == id.nth {
                    (broker.connecting, broker.failures) = (false, 0);
                    broker.connection = Some(connection);
                }
            }
            Event::Closed(id, cause) => self.close(id, &cause),
            Event::Answer(id, answer) => {
                if let Err(cause) = self.answered(id, answer) {
                    self.close(id, &cause);
                }
            }
            Event::Written(id) => {
                let broker = self.brokers.get_mut(&id.broker).filter(|b| b.nth == id.nth);
                if let Some(request) = broker.and_then(|b| b.requests.pop_front())
                    && let Content::Batches(batches) = request.content
                {
                    self.settle_all(&batches, Outcome::Stored { base_offset: None });
                }
            }
            Event::Placed(placed) => {
                self.metadata.take(placed.as_ref(), self.shared.now_ns());
                self.take_brokers(placed.map(|placement| placement.nodes).unwrap_or_default());
            }
            Event::Stop => {}
        }
    }

    // --- connections -----------------------------------------------------------------------

    /// Takes the brokers' addresses.
    fn take_brokers(&mut self, nodes: Vec<Node>) {
        for node in nodes {
            let broker = self.brokers.entry(node.id).or_default();
            if (&broker.host, broker.port) != (&node.host, node.port) {
                (broker.host, broker.port) = (node.host, node.port);
                broker.connect_at_ns = 0;
            }
        }
    }

    /// Connects to brokers that are needed.
    fn connect(&mut self) {
        let now_ns = self.shared.now_ns();
        let mut leaderless = false;
        for (number, partition) in self.partitions.iter().enumerate() {
            leaderless |= !partition.is_empty() && self.metadata.leader(number).is_none();
        }
        if leaderless {
            self.metadata.refresh(self.shared.now_ns());
        }
        let in_need = self.settings.idempotent && self.producer.is_none();
        for (&id, broker) in &mut self.brokers {
            let leads = self.metadata.leads(id);
            let idle = broker.connection.is_none() && !broker.connecting;
            if !(leads || in_need) || !idle || now_ns < broker.connect_at_ns {
                continue;
            }
            broker.connecting = true;
            broker.nth += 1;
            let connection = ConnectionId { broker: id, nth: broker.nth };
            tokio::task::spawn_local(connection::open(
                connection,
                broker.host.clone(),
                broker.port,
                Rc::clone(&self.settings),
                Arc::clone(&self.shared),
                self.events.clone(),
            ));
        }
    }

    /// A connection has ended: nobody knows what became of the requests that were in flight there.
    fn close(&mut self, id: ConnectionId, cause: &str) {
        let now_ns = self.shared.now_ns();
        let Some(broker) = self.brokers.get_mut(&id.broker).filter(|b| b.nth == id.nth) else {
            return;
        };
        if broker.connection.is_none() && !broker.connecting {
            return;
        }
        let trouble = format!("the connection to {}:{} ended: {cause}", broker.host, broker.port);
        tracing::debug!("{trouble}");
        if self.ready.is_some() {
            *self.shared.trouble.lock() = Some(trouble);
        }
        (broker.connection, broker.connecting) = (None, false);
        let pause = self.settings.reconnect_pause(broker.failures);
        broker.failures += 1;
        broker.connect_at_ns = now_ns + pause.as_nanos() as u64;
        let requests = std::mem::take(&mut broker.requests);
        for request in requests {
            match request.content {
                Content::Batches(batches) => self.settle_all(&batches, Outcome::Unknown),
                Content::Offsets(asked) => self.unanswered(asked.into_iter().map(|(at, _)| at)),
                Content::Logs(asked) => self.unanswered(asked.into_iter()),
                Content::ProducerId => {}
            }
        }
        self.metadata.refresh(self.shared.now_ns());
    }

    // --- time ------------------------------------------------------------------------------

    /// Before when a batch must have begun to be given up at `now_ns`; 0 where none is.
    fn late_ns(&self, now_ns: u64) -> u64 {
        let timeout = self.settings.delivery_timeout;
        timeout.map_or(0, |timeout| now_ns.saturating_sub(timeout.as_nanos() as u64))
    }

    /// When what is tried again now is tried next, on the producer's clock.
    fn retry_ns(&self) -> u64 {
        self.shared.now_ns() + self.settings.retry_backoff.as_nanos() as u64
    }

    /// Lets nothing be late for time in which this process did not run.
    fn forgive_lost_time(&mut self) {
        let slept_ns = self.shared.now_ns().saturating_sub(self.awake_ns);
        if slept_ns < STOPPED.as_nanos() as u64 {
            return;
        }
        self.resumed_ns = self.shared.now_ns();
        for partition in &mut self.partitions {
            partition.forgive(slept_ns);
        }
        let requests = self.brokers.values_mut().flat_map(|broker| &mut broker.requests);
        requests.for_each(|request| request.sent_ns += slept_ns);
    }

    /// Gives up what is too late.
    fn expire(&mut self) {
        let now_ns = self.shared.now_ns();
        if now_ns < self.expired_ns + TICK.as_nanos() as u64 {
            return;
        }
        self.expired_ns = now_ns;
        let late_ns = self.late_ns(now_ns);
        let slow_ns = now_ns.saturating_sub(self.settings.request_timeout.as_nanos() as u64);
        let overdue: Vec<ConnectionId> = self
            .brokers
            .iter()
            .filter(|(_, broker)| broker.is_overdue(slow_ns))
            .map(|(&broker, b)| ConnectionId { broker, nth: b.nth })
            .collect();
        for id in overdue {
            self.close(id, "it did not answer a request in time");
        }
        for number in 0..self.partitions.len() {
            if self.partitions[number].is_empty() {
                continue;
            }
            let is_gone = self.metadata.is_gone(number, now_ns);
            let (given_up, kind) = if is_gone {
                (self.partitions[number].abandon(), error_kind(UNKNOWN_TOPIC))
            } else {
                (self.partitions[number].expire(late_ns), TIMED_OUT.to_owned())
            };
            for batch in given_up {
                self.count(batch, Some(&kind));
            }
        }
    }

    /// Tells once that records can be sent: all leaders are connected, and there is a producer where
    /// one is needed.
    fn tell_ready(&mut self) {
        if self.ready.is_none() || (self.settings.idempotent && self.producer.is_none()) {
            return;
        }
        let connected = |id: i32| self.brokers.get(&id).is_some_and(|b| b.connection.is_some());
        let mut leaders = (0..self.partitions.len()).map(|number| self.metadata.leader(number));
        let placed = leaders.all(|leader| leader.is_some_and(connected));
        if placed && let Some(ready) = self.ready.take() {
            let _nobody_waits = ready.send(Ok(()));
        }
    }
}
