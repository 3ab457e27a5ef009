//! A thread's handle on the producer: it writes records into open batches, and hands full batches to the
//! sender thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::batch::OpenBatch;
use crate::codec::Compressor;
use crate::error::SendError;
use crate::event::Event;
use crate::note::{NO_OPAQUE, RecordNote};
use crate::settings::ProducerSettings;
use crate::shared::{Buffered, Shared};
use crate::topic::PartitionTable;

/// A record to send.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The index of its topic in the list that the producer was given.
    pub topic: usize,
    /// Its partition in the topic.
    pub partition: i32,
    /// Its key.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// Its timestamp, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// A number that comes back in the delivery report. The clock is read for each record that has one;
    /// up to eight others share a reading.
    pub opaque: Option<u64>,
}

/// A thread's handle on the producer. Records of a partition stay in the order in which an appender took
/// them. Call [`Appender::close_batches`] before you drop it: otherwise the records in its open batches
/// are lost.
pub struct Appender {
    shared: Arc<Shared>,
    events: UnboundedSender<Event>,
    partitions: PartitionTable,
    stop: Option<Arc<AtomicBool>>,
    /// The open batch of each partition.
    open: Vec<Option<OpenBatch>>,
    /// The partitions that have an open batch.
    open_partitions: Vec<usize>,
    /// Records and bytes in open batches. They count towards what the producer may hold.
    buffered: Buffered,
    /// When the oldest open batch was begun.
    oldest_ns: u64,
    linger_ns: u64,
    batch_bytes: usize,
    compressor: Compressor,
    now_ns: u64,
    until_clock: u32,
    refusing: bool,
}

/// Which open batches are closed and handed over.
#[derive(Debug, Clone, Copy)]
enum Which {
    All,
    /// Those that can be sent now. Behind batches that wait, a batch had better fill up.
    Sendable,
    /// Those, and the batch of this partition.
    SendableAnd(usize),
}

/// How many records without an opaque share a reading of the clock. A thread that never waits makes them
/// within microseconds.
const CLOCK_EVERY: u32 = 8;
/// How long a thread sleeps before it checks again whether a full producer has room.
const FULL_PAUSE: Duration = Duration::from_micros(500);
/// From this length on, a pause closes all batches, even those that can't be sent yet.
const LONG_PAUSE: Duration = Duration::from_millis(50);

impl Appender {
    /// An appender for a thread.
    pub(crate) fn new(
        shared: Arc<Shared>,
        events: UnboundedSender<Event>,
        partitions: PartitionTable,
        settings: &ProducerSettings,
    ) -> Appender {
        let count = partitions.len();
        let batch_bytes = settings.batch_bytes;
        Appender {
            shared,
            events,
            partitions,
            stop: None,
            open: (0..count).map(|_| None).collect(),
            open_partitions: Vec::with_capacity(count),
            buffered: Buffered::default(),
            oldest_ns: 0,
            linger_ns: settings.linger.as_nanos() as u64,
            batch_bytes: batch_bytes
                .unwrap_or_else(|| ProducerSettings::default_batch_bytes(count)),
            compressor: Compressor::new(settings.codec, settings.compression_level),
            now_ns: 0,
            until_clock: 0,
            refusing: false,
        }
    }

    /// Stops waiting for room in a full producer once the flag is set.
    #[must_use]
    pub fn with_stop_flag(mut self, flag: Arc<AtomicBool>) -> Appender {
        self.stop = Some(flag);
        self
    }

    /// Adds a record to its partition's batch. Waits while the producer is full.
    ///
    /// # Errors
    /// [`SendError`] if the producer takes no more records. A failed record is not an error here: its
    /// delivery report says so.
    #[inline]
    pub fn send(&mut self, record: &Record<'_>) -> Result<(), SendError> {
        while self.shared.is_full(1, self.buffered) {
            self.hand_over(Which::Sendable)?;
            if self.stop.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return Err(SendError::Stopped);
            }
            std::thread::sleep(FULL_PAUSE);
        }
        self.append(record)
    }

    /// Adds a record if there is room, and returns whether it did. Once the producer was full, it takes
    /// none until half of it is free.
    ///
    /// # Errors
    /// As [`Appender::send`].
    pub fn try_send(&mut self, record: &Record<'_>) -> Result<bool, SendError> {
        self.refusing = self.shared.is_full(if self.refusing { 2 } else { 1 }, self.buffered);
        if self.refusing {
            self.hand_over(Which::Sendable)?;
            return Ok(false);
        }
        self.append(record).map(|()| true)
    }

    /// Whether it has open batches.
    #[inline]
    #[must_use]
    pub fn has_open_batches(&self) -> bool {
        !self.open_partitions.is_empty()
    }

    /// Closes the batches whose linger ends before the next record, which is due in `until_next`. Call it
    /// before each pause between records.
    ///
    /// # Errors
    /// As [`Appender::send`].
    pub fn before_pause(&mut self, until_next: Duration) -> Result<(), SendError> {
        if self.open_partitions.is_empty() {
            return Ok(());
        }
        self.now_ns = self.shared.now_ns();
        let next_ns = self.now_ns.saturating_add(until_next.as_nanos() as u64);
        if next_ns <= self.oldest_ns + self.linger_ns {
            return Ok(());
        }
        // Nothing would close a batch during a long pause.
        self.hand_over(if until_next >= LONG_PAUSE { Which::All } else { Which::Sendable })
    }

    /// Closes all open batches and hands them to the sender thread. Doesn't wait for acknowledgements:
    /// [`Producer::flush`](crate::Producer::flush) does.
    ///
    /// # Errors
    /// As [`Appender::send`].
    pub fn close_batches(&mut self) -> Result<(), SendError> {
        self.hand_over(Which::All)
    }

    /// Adds a record to its partition's batch.
    #[inline]
    fn append(&mut self, record: &Record<'_>) -> Result<(), SendError> {
        let Some(number) = self.partitions.number(record.topic, record.partition) else {
            let (topic, partition) = (record.topic, record.partition);
            return Err(SendError::NoSuchPartition { topic, partition });
        };
        let bytes = record.key.len() + record.value.len();
        if record.opaque.is_some() || self.until_clock == 0 {
            self.now_ns = self.shared.now_ns();
            self.until_clock = CLOCK_EVERY;
            if !self.open_partitions.is_empty() && self.now_ns >= self.oldest_ns + self.linger_ns {
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
                if self.open_partitions.is_empty() {
                    self.oldest_ns = self.now_ns;
                }
                self.open_partitions.push(number);
                none.insert(OpenBatch::new(self.shared.batch_buffers.take()))
            }
        };
        let note = RecordNote {
            enqueued_ns: self.now_ns,
            opaque: record.opaque.unwrap_or(NO_OPAQUE),
            bytes: bytes as u32,
        };
        let taken = open.push(record.key, record.value, record.timestamp_ms, note);
        self.buffered.records += 1;
        self.buffered.bytes += taken;
        Ok(())
    }

    /// Closes batches and hands them over together, so that they share a request.
    fn hand_over(&mut self, which: Which) -> Result<(), SendError> {
        let mut batches = Vec::with_capacity(self.open_partitions.len());
        let mut handed_over = Buffered::default();
        let count = self.open_partitions.len();
        for at in 0..count {
            let number = self.open_partitions[at];
            let waits = match which {
                Which::All => false,
                Which::Sendable => self.shared.is_waiting(number),
                Which::SendableAnd(full) => number != full && self.shared.is_waiting(number),
            };
            if waits {
                self.open_partitions.push(number);
                continue;
            }
            let Some(open) = self.open[number].take() else { continue };
            self.buffered.records -= open.records();
            self.buffered.bytes -= open.bytes();
            let (batch, buffer) = open.close(number, &mut self.compressor)?;
            if let Some(buffer) = buffer {
                self.shared.batch_buffers.put(buffer);
            }
            handed_over.records += batch.count() as u64;
            handed_over.bytes += batch.len();
            batches.push(batch);
        }
        self.open_partitions.drain(..count);
        // What stays open is checked again after a linger.
        self.oldest_ns = self.now_ns;
        if batches.is_empty() {
            return Ok(());
        }
        self.shared.add(handed_over);
        self.events.send(Event::Batches(batches)).map_err(|_| SendError::ThreadEnded)
    }
}

impl std::fmt::Debug for Appender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appender").field("buffered", &self.buffered).finish_non_exhaustive()
    }
}
