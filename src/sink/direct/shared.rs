//! What the threads of a producer share: its counts, and buffers that batches and requests have left.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use bytes::BytesMut;
use parking_lot::Mutex;

use super::batch::{Batch, Buffer};
use crate::sink::tally::Tally;
use crate::sink::throttled::Throttled;

/// What sinks and the thread that talks to the brokers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) base: Instant,
    pub(super) tally: Tally,
    /// Records handed over and neither acknowledged nor given up.
    pub(super) in_flight: AtomicU64,
    /// Their bytes.
    pub(super) bytes: AtomicUsize,
    /// How many records and bytes may be in flight.
    pub(super) most: Load,
    /// Of each partition, how many batches were handed over that could not be sent yet.
    pub(super) waiting: Box<[AtomicUsize]>,
    pub(super) pool: Mutex<BufferPool>,
    /// Why the last connection ended, until the producer can send.
    pub(super) trouble: Mutex<Option<String>>,
    /// Why nothing more can be sent, where that is so.
    pub(super) fatal: Mutex<Option<String>>,
    pub(super) throttled: Throttled,
    pub(super) frames: Frames,
}

/// Records and their bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    pub(super) records: u64,
    pub(super) bytes: usize,
}

/// Buffers of batches whose outcome is final, for others.
#[derive(Debug, Default)]
pub(super) struct BufferPool {
    all: Vec<Buffer>,
    bytes: usize,
}

/// Buffers of requests that were written, for others.
#[derive(Debug, Default)]
pub(super) struct Frames(Mutex<Vec<BytesMut>>);

/// How many bytes of buffers are kept for batches to come.
const POOL_BYTES: usize = 8 << 20;
const MOST_FRAMES: usize = 8;

impl Shared {
    /// Of a producer of so many partitions, which may hold so many records and bytes.
    pub(super) fn new(partitions: usize, most_records: u64, most_bytes: usize) -> Shared {
        Shared {
            base: Instant::now(),
            tally: Tally::new(),
            in_flight: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            waiting: (0..partitions).map(|_| AtomicUsize::new(0)).collect(),
            most: Load { records: most_records, bytes: most_bytes },
            pool: Mutex::default(),
            trouble: Mutex::default(),
            fatal: Mutex::default(),
            throttled: Throttled::new(),
            frames: Frames::default(),
        }
    }

    /// Nanoseconds on the producer's clock.
    pub(super) fn now_ns(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }

    /// Whether batches of a partition wait to be sent.
    pub(super) fn is_waiting(&self, partition: usize) -> bool {
        self.waiting[partition].load(Ordering::Relaxed) > 0
    }

    /// Takes back a batch whose outcome is final.
    pub(super) fn give_back(&self, batch: Batch) {
        self.in_flight.fetch_sub(batch.count() as u64, Ordering::Release);
        self.bytes.fetch_sub(batch.counted, Ordering::Release);
        if let Some(buffer) = batch.into_buffer() {
            self.return_buffer(buffer);
        }
    }

    /// Keeps a batch's buffer for another.
    pub(super) fn return_buffer(&self, buffer: Buffer) {
        let mut pool = self.pool.lock();
        if pool.bytes < POOL_BYTES {
            pool.bytes += buffer.bytes();
            pool.all.push(buffer);
        }
    }

    /// Buffer that a batch has left, if there is some.
    pub(super) fn take_buffer(&self) -> Option<Buffer> {
        let mut pool = self.pool.lock();
        let buffer = pool.all.pop()?;
        pool.bytes -= buffer.bytes();
        Some(buffer)
    }

    /// Whether it holds `1 / part` of what it may, together with what is still to be handed
    /// over.
    #[inline]
    pub(super) fn is_full(&self, part: u64, held: Load) -> bool {
        let (records, bytes) = (&self.in_flight, &self.bytes);
        bytes.load(Ordering::Acquire) + held.bytes >= self.most.bytes / part as usize
            || records.load(Ordering::Acquire) + held.records >= self.most.records.div_ceil(part)
    }
}

impl Frames {
    pub(super) fn take(&self) -> BytesMut {
        self.0.lock().pop().unwrap_or_default()
    }

    pub(super) fn give(&self, frame: BytesMut) {
        let mut frames = self.0.lock();
        if frames.len() < MOST_FRAMES {
            frames.push(frame);
        }
    }
}
