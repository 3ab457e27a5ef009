//! One thread's way to the producer: records into open batches, batches to the thread that talks to
//! the brokers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fleetstorm_model::record::Topic;
use tokio::sync::mpsc::UnboundedSender;

use super::batch::{Note, OpenBatch, UNPACED};
use super::codec::Compressor;
use super::sender::Event;
use super::settings::Settings;
use super::shared::{Load, Shared};
use crate::pacing::StopFlag;
use crate::sink::{Message, Sink, SinkError};

/// One thread's way to the producer.
pub struct DirectSink {
    shared: Arc<Shared>,
    events: UnboundedSender<Event>,
    topics: [(usize, usize); Topic::COUNT],
    stop: StopFlag,
    open: Vec<Option<OpenBatch>>,
    /// The partitions that have an open batch.
    begun: Vec<usize>,
    /// The records and their bytes in open batches, which count as held like those handed over.
    held: Load,
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

/// How many records share a reading of the clock in a run that is not paced: they are made within a
/// few microseconds, and latencies are told to the microsecond.
const CLOCK_EVERY: u32 = 8;
/// How long a thread waits before it looks again whether a full producer has room.
const FULL_PAUSE: Duration = Duration::from_micros(500);
/// A pause in which a batch that can't be sent yet would wait for too long.
const LONG_PAUSE: Duration = Duration::from_millis(50);

impl DirectSink {
    /// A sink for a thread, for topics whose partitions have these numbers.
    pub(super) fn new(
        shared: Arc<Shared>,
        events: UnboundedSender<Event>,
        topics: [(usize, usize); Topic::COUNT],
        settings: &Settings,
        stop: StopFlag,
    ) -> DirectSink {
        let partitions: usize = topics.iter().map(|(_, count)| count).sum();
        DirectSink {
            shared,
            events,
            topics,
            stop,
            open: (0..partitions).map(|_| None).collect(),
            begun: Vec::with_capacity(partitions),
            held: Load::default(),
            oldest_ns: 0,
            linger_ns: settings.linger.as_nanos() as u64,
            batch_bytes: settings.batch_bytes,
            compressor: Compressor::new(settings.codec, settings.level),
            now_ns: 0,
            until_clock: 0,
            refusing: false,
        }
    }

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
                none.insert(OpenBatch::new(self.shared.take_buffer()))
            }
        };
        let note = Note {
            enqueued_ns: self.now_ns,
            intended_ns: message.intended_ns.unwrap_or(UNPACED),
            bytes: bytes as u32,
        };
        let took = open.push(message.key.as_bytes(), message.value, message.timestamp_ms, note);
        self.held.records += 1;
        self.held.bytes += took;
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
            self.held.records -= open.records();
            self.held.bytes -= open.bytes();
            let (batch, buffer) = open.close(number, &mut self.compressor)?;
            if let Some(buffer) = buffer {
                self.shared.return_buffer(buffer);
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
        while self.shared.is_full(1, self.held) {
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
        self.refusing = self.shared.is_full(if self.refusing { 2 } else { 1 }, self.held);
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
        let next_ns = self.now_ns.saturating_add(until_next.as_nanos() as u64);
        if next_ns <= self.oldest_ns + self.linger_ns {
            return Ok(());
        }
        // Nobody comes by in a long pause when it can be sent.
        self.hand_over(if until_next >= LONG_PAUSE { Which::All } else { Which::Sendable })
    }

    fn pass_on(&mut self) -> Result<(), SinkError> {
        self.hand_over(Which::All)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.hand_over(Which::All)
    }
}
