//! Kafka and Redpanda by librdkafka: connections, topics, and a producer that takes records by topic
//! handle, partition and timestamp.

pub mod access;
mod admin;
mod authentication;
mod connect;
mod delivery;
mod delivery_report;
mod describe;
mod error;
mod event;
mod poll;
mod produce;
pub mod publish;
mod settings;
mod token;
pub mod topic_state;
pub mod topics;
mod transaction;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fleetstorm_model::manifest::Transactions;
use fleetstorm_model::record::Topic;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer;

use super::tally::Tally;
use super::throttled::Throttled;
use super::{Message, Sink, SinkError};
use crate::pacing::StopFlag;

pub use authentication::AuthenticationFailure;
pub use connect::{Cluster, Node};
pub use error::{KafkaError, error_kind};
pub use produce::give_token;
pub use settings::{KafkaSettings, Tuning};
pub use token::{Token, TokenSource, oauth_token};
pub use transaction::id as transactional_id;

use delivery::RecordOpaque;
use poll::Poller;
use produce::{EventQueue, KafkaProducer, TopicHandle};
use transaction::Transaction;

/// How long a thread waits before it retries a full producer. At full speed the queue holds tens of
/// milliseconds of records, so it doesn't run dry meanwhile.
const FULL_PAUSE: Duration = Duration::from_millis(1);
/// More records than the limit in bytes allows. So only that limit counts when records of a schedule pile
/// up during a stall.
const MOST_QUEUED: u32 = 1_000_000;
/// After how many refused records a sink checks again how many are in flight.
const LOOK_EVERY: u32 = 16;
/// After how many records a polling sink looks for delivery reports.
const POLL_EVERY: u32 = 256;
/// The most events that it takes then.
const MOST_EVENTS: u32 = 16;

/// A running producer, shared by the sinks of several threads.
pub struct Kafka {
    producer: KafkaProducer,
    events: Arc<EventQueue>,
    poller: Option<Poller>,
    handles: Arc<[Option<TopicHandle>; Topic::COUNT]>,
    tally: Arc<Tally>,
    throttled: Arc<Throttled>,
    transactions: Option<Transactions>,
}

/// Who polls for delivery reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polling {
    /// A thread of its own: a paced thread is never kept from its schedule, and each acknowledgement is
    /// timed when it comes.
    Thread,
    /// The sinks, between records: the thread that made a record frees it, which costs half as much. For
    /// threads that never wait.
    Sinks,
}

/// What a producer must know of its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// The most bytes of a batch, as in [`Tuning`].
    pub largest_batch: Option<u64>,
    /// Who polls for delivery reports.
    pub polling: Polling,
    /// Whether records are due at times, so that the queue should have room for a stall.
    pub paced: bool,
    /// How many producers the run has.
    pub producers: u32,
}

/// A thread's sink for the producer.
pub struct KafkaSink {
    producer: KafkaProducer,
    events: Arc<EventQueue>,
    /// Records until the next poll; `None` if a thread polls.
    until_poll: Option<u32>,
    handles: Arc<[Option<TopicHandle>; Topic::COUNT]>,
    tally: Arc<Tally>,
    stop: StopFlag,
    /// Once the producer was full: how many records in flight it must get down to before it takes more.
    refusing_above: Option<usize>,
    refused: u32,
    transaction: Option<Transaction>,
}

impl Kafka {
    /// Starts one of a run's producers, with the cluster's settings, for the topics named, in the order
    /// of [`Topic::ALL`].
    ///
    /// # Errors
    /// [`KafkaError`] if the settings or a topic's name are rejected.
    pub fn start(
        cluster: &Cluster,
        names: &[Option<String>; Topic::COUNT],
        needs: Needs,
        transactions: Option<(&Transactions, String)>,
    ) -> Result<Kafka, KafkaError> {
        let tally = Arc::new(Tally::new());
        let delivery = delivery::Delivery::new(Arc::clone(&tally));
        let throttled = delivery.throttled();
        let queued_records = if needs.paced { MOST_QUEUED } else { cluster.window() };
        let tuning = Tuning {
            largest_batch: needs.largest_batch,
            queued_records: Some(queued_records),
            producers: needs.producers,
            transactional_id: transactions.as_ref().map(|(_, id)| id.clone()),
        };
        let producer = cluster.settings().producer(delivery, tuning)?;
        // Connects before the first record, which would have to wait for it.
        if let Err(error) =
            producer.client().fetch_metadata(None, cluster.settings().connect_timeout)
        {
            return Err(KafkaError::request("read the cluster's metadata", &error));
        }
        let mut handles = [const { None }; Topic::COUNT];
        for (handle, name) in handles.iter_mut().zip(names) {
            if let Some(name) = name {
                let opened =
                    TopicHandle::new(&producer, name).map_err(|code| KafkaError::Request {
                        action: format!("open topic `{name}`"),
                        cause: error::describe(code),
                    })?;
                *handle = Some(opened);
            }
        }
        let timeout = cluster.settings().connect_timeout;
        let transactions = match transactions {
            Some((transactions, id)) => {
                // The token is set through the producer's events.
                let _poller = Poller::start(&producer)?;
                transaction::fence(&producer, &id, timeout)?;
                Some(transactions.clone())
            }
            None => None,
        };
        let poller = match needs.polling {
            Polling::Thread => Some(Poller::start(&producer)?),
            Polling::Sinks => None,
        };
        let events = Arc::new(poll::queue(&producer)?);
        let handles = Arc::new(handles);
        Ok(Kafka { producer, events, poller, handles, tally, throttled, transactions })
    }

    /// A sink for one thread. A set `stop` ends its wait for room in a full producer.
    pub fn sink(&self, stop: StopFlag) -> KafkaSink {
        KafkaSink {
            producer: Arc::clone(&self.producer),
            events: Arc::clone(&self.events),
            until_poll: self.poller.is_none().then_some(POLL_EVERY),
            handles: Arc::clone(&self.handles),
            tally: Arc::clone(&self.tally),
            stop,
            refusing_above: None,
            refused: 0,
            transaction: self
                .transactions
                .as_ref()
                .map(|of| Transaction::new(&self.producer, &self.tally, of)),
        }
    }

    /// The tally of its records.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// For how long brokers have throttled it.
    pub fn throttled(&self) -> &Throttled {
        &self.throttled
    }

    /// Waits until every record is acknowledged or has failed, for at most `timeout`. Returns how many
    /// are still neither.
    pub fn flush(&self, timeout: Duration) -> usize {
        let deadline = Instant::now() + timeout;
        loop {
            let left = self.in_flight();
            let now = Instant::now();
            if left == 0 || now >= deadline {
                return left;
            }
            // Short turns, so that a second signal or a dead broker is noticed in between.
            let turn = (deadline - now).min(Duration::from_millis(100));
            let _timed_out_or_done = self.producer.flush(turn);
        }
    }

    /// How many records the producer holds that are neither acknowledged nor failed.
    pub fn in_flight(&self) -> usize {
        in_flight(&self.producer)
    }

    /// The fatal error that ended the producer, if there was one.
    pub fn fatal_error(&self) -> Option<String> {
        let (code, reason) = self.producer.client().fatal_error()?;
        Some(format!("{reason} ({code:?})"))
    }
}

impl KafkaSink {
    /// Offers a record to the producer once. Returns whether it is done with: the producer took it, or
    /// rejected it for good and it counts as failed.
    #[inline]
    fn produce(&mut self, message: &Message<'_>) -> Result<bool, SinkError> {
        let Some(handle) = &self.handles[message.topic.index()] else {
            return Err(SinkError::Fatal(format!("topic {} was not opened", message.topic)));
        };
        if let Some(records) = &mut self.until_poll {
            *records -= 1;
            if *records == 0 {
                *records = POLL_EVERY;
                // Each event holds a batch of reports, so a few events keep up with what is sent
                // meanwhile.
                for _ in 0..MOST_EVENTS {
                    if !self.events.serve(Duration::ZERO) {
                        break;
                    }
                }
            }
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.begin()?;
        }
        let ticket = RecordOpaque { topic: message.topic, intended_ns: message.intended_ns }.pack();
        let taken = handle.produce(
            message.partition,
            message.key.as_bytes(),
            message.value,
            message.timestamp_ms,
            ticket,
        );
        match taken {
            Ok(()) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.count()?;
                }
                Ok(true)
            }
            Err(RDKafkaErrorCode::QueueFull) => Ok(false),
            // A transaction that can't go on says why when it is committed.
            Err(RDKafkaErrorCode::State) if self.transaction.is_some() => {
                self.flush()?;
                Err(SinkError::Fatal("its transaction has ended".to_owned()))
            }
            Err(code @ RDKafkaErrorCode::Fatal) => Err(SinkError::Fatal(error::describe(code))),
            Err(code) => {
                self.tally.fail(message.topic, &format!("{code:?}"));
                Ok(true)
            }
        }
    }

    /// Lets a full producer make room: takes the delivery reports that are there, or waits a moment.
    fn await_room(&self) {
        if self.until_poll.is_some() && self.events.serve(Duration::ZERO) {
            return;
        }
        std::thread::sleep(FULL_PAUSE);
    }

    /// Whether a producer that was full is still more than half full, checked once in a while.
    fn refuses(&mut self) -> bool {
        let Some(bound) = self.refusing_above else { return false };
        self.refused = self.refused.wrapping_add(1);
        if self.refused.is_multiple_of(LOOK_EVERY) && in_flight(&self.producer) <= bound {
            self.refusing_above = None;
        }
        self.refusing_above.is_some()
    }
}

impl Sink for KafkaSink {
    #[inline]
    fn send(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        while !self.produce(message)? {
            if self.stop.is_set() {
                return Err(SinkError::Stopped);
            }
            self.await_room();
        }
        Ok(())
    }

    #[inline]
    fn wants_before_pause(&self) -> bool {
        self.transaction.is_some()
    }

    fn before_pause(&mut self, until_next: Duration) -> Result<(), SinkError> {
        self.transaction.as_mut().map_or(Ok(()), |transaction| transaction.before_pause(until_next))
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.transaction.as_mut().map_or(Ok(()), Transaction::commit)
    }

    fn try_send(&mut self, message: &Message<'_>) -> Result<bool, SinkError> {
        if self.refuses() {
            return Ok(false);
        }
        let taken = self.produce(message)?;
        if !taken {
            self.refusing_above = Some(in_flight(&self.producer) / 2);
        }
        Ok(taken)
    }
}

fn in_flight(producer: &KafkaProducer) -> usize {
    usize::try_from(producer.in_flight_count()).unwrap_or(0)
}
