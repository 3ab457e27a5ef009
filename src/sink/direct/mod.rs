//! A producer of our own, beside librdkafka's: records are written into record batches by the threads
//! that make them, and one thread talks to the brokers. It speaks plain TCP and TLS, with every kind
//! of acknowledgement and idempotence; SASL and transactions are librdkafka's.
//!
//! Where partitions are is still asked through librdkafka, whose connection the run has anyway.

mod batch;
mod codec;
mod link;
mod partition;
mod pump;
mod settings;
mod tls;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

use super::kafka::{Cluster, KafkaError, KafkaSettings, Needs};
use super::tally::Tally;
use super::{Message, Sink, SinkError};
use crate::pacing::StopFlag;
use crate::record::Topic;

use batch::{Batch, Note, OpenBatch, UNPACED};
use codec::Compressor;
use pump::{Event, Place, Pump};
use settings::Settings;

/// Why there is no direct producer.
#[derive(Debug, thiserror::Error)]
pub enum DirectError {
    /// A property that it doesn't have.
    #[error(
        "--transport direct doesn't have the property {property}: leave it out, or use --transport librdkafka"
    )]
    Property {
        /// Its name.
        property: String,
    },
    /// A value that it can't take.
    #[error("--transport direct can't take this value of the property {property}")]
    Value {
        /// Its name.
        property: String,
    },
    /// SASL.
    #[error("--transport direct doesn't speak SASL: use --transport librdkafka")]
    Sasl,
    /// Transactions.
    #[error("--transport direct has no transactions: use --transport librdkafka")]
    Transactions,
    /// The properties of TLS can't be used.
    #[error("{property} can't be used: {problem}")]
    Tls {
        /// Its name.
        property: String,
        /// What is wrong.
        problem: String,
    },
    /// The run was stopped meanwhile.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The brokers can't be written to.
    #[error("the producer could not be started: {0}")]
    Start(String),
}

/// A running producer, shared by the sinks of some threads.
pub struct Direct {
    settings: Settings,
    shared: Arc<Shared>,
    events: UnboundedSender<Event>,
    /// Of each topic, the numbers of its partitions: the first and how many.
    topics: [(usize, usize); Topic::COUNT],
    thread: Option<JoinHandle<()>>,
}

/// What sinks and the thread that talks to the brokers share.
#[derive(Debug)]
struct Shared {
    base: Instant,
    tally: Tally,
    /// Records handed over and neither acknowledged nor given up.
    in_flight: AtomicU64,
    /// Their bytes.
    bytes: AtomicUsize,
    /// How many records and bytes may be in flight.
    most: (u64, usize),
    /// Of each partition, how many batches were handed over that could not be sent yet.
    waiting: Box<[AtomicUsize]>,
    rooms: Mutex<Rooms>,
    /// Why the last connection ended, until the producer can send.
    trouble: Mutex<Option<String>>,
    frames: Frames,
}

/// Room of batches of which all is known, for others.
#[derive(Debug, Default)]
struct Rooms {
    all: Vec<(BytesMut, Vec<Note>)>,
    bytes: usize,
}

/// Room of requests that were written, for others.
#[derive(Debug, Default)]
struct Frames(Mutex<Vec<BytesMut>>);

/// One thread's way to the producer.
pub struct DirectSink {
    shared: Arc<Shared>,
    events: UnboundedSender<Event>,
    topics: [(usize, usize); Topic::COUNT],
    stop: StopFlag,
    open: Vec<Option<OpenBatch>>,
    /// The partitions that have an open batch.
    begun: Vec<usize>,
    /// When the oldest open batch was begun.
    oldest_ns: u64,
    linger_ns: u64,
    batch_bytes: usize,
    compressor: Compressor,
    now_ns: u64,
    until_clock: u32,
    refusing: bool,
}

/// Which open batches are handed over.
#[derive(Debug, Clone, Copy)]
enum Which {
    All,
    /// Those that can be sent: where others wait already, a batch is better filled meanwhile.
    Sendable,
    /// Those and that of a partition.
    SendableAnd(usize),
}

/// What a producer that is not paced may have in flight: what it sends while the first of it is
/// acknowledged, and no more than stays in the processor's caches.
const UNPACED_BYTES: usize = 8 << 20;
/// What all producers of a paced run may have in flight, as for librdkafka.
const PACED_BYTES: usize = 64 << 20;
/// How many records share a reading of the clock in a run that is not paced: they are made within a
/// few microseconds, and latencies are told to the microsecond.
const CLOCK_EVERY: u32 = 8;
/// How long a wait for the first connections lasts between two looks at the run's end.
const READY_TURN: Duration = Duration::from_millis(100);
/// How long a thread waits before it looks again whether a full producer has room.
const FULL_PAUSE: Duration = Duration::from_micros(500);
/// A pause in which a batch that can't be sent yet would wait for too long.
const LONG_PAUSE: Duration = Duration::from_millis(50);
/// How much room is kept for batches to come.
const ROOM_BYTES: usize = UNPACED_BYTES;
const MOST_FRAMES: usize = 8;

impl Direct {
    /// Whether it can be started with such settings.
    ///
    /// # Errors
    /// [`DirectError`] where they ask for what it doesn't have.
    pub fn check(settings: &KafkaSettings) -> Result<(), DirectError> {
        Settings::read(settings, None, 1).map(drop)
    }

    /// One of a run's producers, for the topics named, with their partitions, in the order of
    /// [`Topic::ALL`].
    ///
    /// # Errors
    /// [`DirectError`] where the settings ask for what it doesn't have, or no broker lets it write.
    pub fn start(
        cluster: &Cluster,
        topics: &[Option<(String, u32)>; Topic::COUNT],
        needs: Needs,
    ) -> Result<Direct, DirectError> {
        let partitions = topics.iter().flatten().map(|(_, count)| *count as usize).sum();
        let settings = Settings::read(cluster.settings(), needs.largest_batch, partitions)?;
        let most_bytes = if needs.paced { PACED_BYTES } else { UNPACED_BYTES };
        let most_bytes = settings.most_bytes.unwrap_or(most_bytes);
        let shared = Arc::new(Shared {
            base: Instant::now(),
            tally: Tally::new(),
            in_flight: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            waiting: (0..partitions).map(|_| AtomicUsize::new(0)).collect(),
            most: (settings.most_records.max(1), most_bytes / needs.producers.max(1) as usize),
            rooms: Mutex::default(),
            trouble: Mutex::default(),
            frames: Frames::default(),
        });
        let mut places = Vec::new();
        let mut numbers = [(0, 0); Topic::COUNT];
        for ((topic, named), numbers) in Topic::ALL.into_iter().zip(topics).zip(&mut numbers) {
            let Some((name, count)) = named else { continue };
            *numbers = (places.len(), *count as usize);
            places.extend((0..*count as i32).map(|index| Place {
                topic,
                name: name.clone(),
                index,
            }));
        }
        let (events, queue) = unbounded_channel();
        let (ready, is_ready) = mpsc::channel();
        let (scout, own) = (cluster.scout(), settings.clone());
        let (told, sender) = (Arc::clone(&shared), events.clone());
        let broken = |error: std::io::Error| DirectError::Start(error.to_string());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
        let thread = std::thread::Builder::new()
            .name("direct".to_owned())
            .spawn(move || {
                let pump = Pump::new(own, told, scout, places, sender, ready);
                runtime.block_on(LocalSet::new().run_until(pump.run(queue)));
            })
            .map_err(broken)?;
        let direct = Direct { settings, shared, events, topics: numbers, thread: Some(thread) };
        let deadline = Instant::now() + cluster.settings().patience;
        loop {
            match is_ready.recv_timeout(READY_TURN) {
                Ok(Ok(())) => return Ok(direct),
                Ok(Err(problem)) => return Err(DirectError::Start(problem)),
                Err(_) => cluster.interrupted()?,
            }
            if Instant::now() >= deadline {
                let trouble = direct.shared.trouble.lock().take();
                let unknown = || "the partitions' leaders can't be reached".to_owned();
                return Err(DirectError::Start(trouble.unwrap_or_else(unknown)));
            }
        }
    }

    /// A sink for one thread. A set `stop` ends its wait for room in a full producer.
    pub fn sink(&self, stop: StopFlag) -> DirectSink {
        let partitions: usize = self.topics.iter().map(|(_, count)| count).sum();
        DirectSink {
            shared: Arc::clone(&self.shared),
            events: self.events.clone(),
            topics: self.topics,
            stop,
            open: (0..partitions).map(|_| None).collect(),
            begun: Vec::with_capacity(partitions),
            oldest_ns: 0,
            linger_ns: self.settings.linger.as_nanos() as u64,
            batch_bytes: self.settings.batch_bytes,
            compressor: Compressor::new(self.settings.codec, self.settings.level),
            now_ns: 0,
            until_clock: 0,
            refusing: false,
        }
    }

    /// Counts what becomes of its records.
    pub fn tally(&self) -> &Tally {
        &self.shared.tally
    }

    /// How many records the producer holds that are neither acknowledged nor given up.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::Acquire) as usize
    }

    /// Why it sends no more, where that is so.
    pub fn fatal(&self) -> Option<String> {
        let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        ended.then(|| "its thread has ended by a mistake in this program".to_owned())
    }

    /// Waits until every record has been acknowledged or given up, `patience` at most; returns how
    /// many are still neither.
    pub fn flush(&self, patience: Duration) -> usize {
        let deadline = Instant::now() + patience;
        loop {
            let left = self.in_flight();
            if left == 0 || Instant::now() >= deadline || self.fatal().is_some() {
                return left;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        let _ended = self.events.send(Event::Stop);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl Shared {
    /// Nanoseconds on the producer's clock.
    fn now_ns(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }

    /// Whether batches of a partition wait to be sent.
    fn is_waiting(&self, partition: usize) -> bool {
        self.waiting[partition].load(Ordering::Relaxed) > 0
    }

    /// Takes a batch back of which all is known.
    fn give_back(&self, batch: Batch) {
        self.in_flight.fetch_sub(batch.count() as u64, Ordering::Release);
        self.bytes.fetch_sub(batch.len(), Ordering::Release);
        let (data, notes) = batch.into_room();
        self.keep_room(data, notes);
    }

    /// Keeps a batch's room for another.
    fn keep_room(&self, data: BytesMut, notes: Vec<Note>) {
        let mut rooms = self.rooms.lock();
        if rooms.bytes < ROOM_BYTES {
            rooms.bytes += data.capacity();
            rooms.all.push((data, notes));
        }
    }

    /// Room that a batch has left, if there is some.
    fn take_room(&self) -> Option<(BytesMut, Vec<Note>)> {
        let mut rooms = self.rooms.lock();
        let room = rooms.all.pop()?;
        rooms.bytes -= room.0.capacity();
        Some(room)
    }

    /// Whether it holds `1 / part` of what it may.
    fn is_full(&self, part: u64) -> bool {
        let (most_records, most_bytes) = self.most;
        self.bytes.load(Ordering::Acquire) >= most_bytes / part as usize
            || self.in_flight.load(Ordering::Acquire) >= most_records.div_ceil(part)
    }
}

impl Frames {
    fn take(&self) -> BytesMut {
        self.0.lock().pop().unwrap_or_default()
    }

    fn give(&self, frame: BytesMut) {
        let mut frames = self.0.lock();
        if frames.len() < MOST_FRAMES {
            frames.push(frame);
        }
    }
}

impl DirectSink {
    /// Adds a record to its partition's batch.
    #[inline]
    fn append(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        let (first, count) = self.topics[message.topic.index()];
        let partition = message.partition as usize;
        if partition >= count {
            let name = message.topic;
            return Err(SinkError::Fatal(format!("topic {name} has no partition {partition}")));
        }
        let number = first + partition;
        let bytes = message.key.len() + message.value.len();
        if message.intended_ns.is_some() || self.until_clock == 0 {
            self.now_ns = self.shared.now_ns();
            self.until_clock = CLOCK_EVERY;
            if !self.begun.is_empty() && self.now_ns >= self.oldest_ns + self.linger_ns {
                self.hand_over(Which::Sendable)?;
            }
        }
        self.until_clock -= 1;
        if let Some(open) = &self.open[number]
            && open.is_full(bytes, self.batch_bytes)
        {
            self.hand_over(Which::SendableAnd(number))?;
        }
        let open = match &mut self.open[number] {
            Some(open) => open,
            none => {
                if self.begun.is_empty() {
                    self.oldest_ns = self.now_ns;
                }
                self.begun.push(number);
                none.insert(OpenBatch::new(self.shared.take_room()))
            }
        };
        let note = Note {
            enqueued_ns: self.now_ns,
            intended_ns: message.intended_ns.unwrap_or(UNPACED),
            bytes: bytes as u32,
        };
        open.push(message.key.as_bytes(), message.value, message.timestamp_ms, note);
        Ok(())
    }

    /// Hands open batches over: together, since they then share a request.
    fn hand_over(&mut self, which: Which) -> Result<(), SinkError> {
        let mut batches = Vec::with_capacity(self.begun.len());
        let (mut records, mut bytes) = (0, 0);
        let begun = self.begun.len();
        for at in 0..begun {
            let number = self.begun[at];
            let waits = match which {
                Which::All => false,
                Which::Sendable => self.shared.is_waiting(number),
                Which::SendableAnd(full) => number != full && self.shared.is_waiting(number),
            };
            if waits {
                self.begun.push(number);
                continue;
            }
            let Some(open) = self.open[number].take() else { continue };
            let (batch, room) = open.close(number, &mut self.compressor)?;
            if let Some(room) = room {
                self.shared.keep_room(room, Vec::new());
            }
            records += batch.count() as u64;
            bytes += batch.len();
            batches.push(batch);
        }
        self.begun.drain(..begun);
        // What stays open is looked at again after a linger.
        self.oldest_ns = self.now_ns;
        if batches.is_empty() {
            return Ok(());
        }
        self.shared.in_flight.fetch_add(records, Ordering::AcqRel);
        self.shared.bytes.fetch_add(bytes, Ordering::AcqRel);
        let ended = || SinkError::Fatal("its thread has ended".to_owned());
        self.events.send(Event::Batches(batches)).map_err(|_| ended())
    }
}

impl Sink for DirectSink {
    #[inline]
    fn send(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        while self.shared.is_full(1) {
            self.hand_over(Which::Sendable)?;
            if self.stop.is_set() {
                return Err(SinkError::Stopped);
            }
            std::thread::sleep(FULL_PAUSE);
        }
        self.append(message)
    }

    fn offer(&mut self, message: &Message<'_>) -> Result<bool, SinkError> {
        // Full, it takes none until half of it is gone.
        self.refusing = self.shared.is_full(if self.refusing { 2 } else { 1 });
        if self.refusing {
            self.hand_over(Which::Sendable)?;
            return Ok(false);
        }
        self.append(message).map(|()| true)
    }

    #[inline]
    fn wants_rest(&self) -> bool {
        !self.begun.is_empty()
    }

    /// Hands over what would wait for longer than its linger for company.
    fn rest(&mut self, until_next: Duration) -> Result<(), SinkError> {
        if self.begun.is_empty() {
            return Ok(());
        }
        self.now_ns = self.shared.now_ns();
        let next_ns = self.now_ns + until_next.as_nanos() as u64;
        if next_ns <= self.oldest_ns + self.linger_ns {
            return Ok(());
        }
        // Nobody comes by in a long pause when it can be sent.
        self.hand_over(if until_next >= LONG_PAUSE { Which::All } else { Which::Sendable })
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.hand_over(Which::All)
    }
}
