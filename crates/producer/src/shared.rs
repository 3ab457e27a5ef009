//! What the threads of a producer share: its clock, its buffered records, and why it can't send.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::batch::Batch;
use crate::buffers::{BatchBuffers, FrameBuffers};
use crate::error::BrokerDisconnected;
use crate::error_code::ErrorCode;
use crate::report::DeliveryReports;

/// What appenders and the sender thread share.
pub(crate) struct Shared {
    base: Instant,
    pub(crate) reports: Arc<dyn DeliveryReports>,
    /// Records in batches that were handed over, neither acknowledged nor failed.
    in_flight: AtomicU64,
    /// Their bytes.
    bytes: AtomicUsize,
    /// The most records and bytes that the producer may hold.
    max: Buffered,
    /// How many batches of each partition wait to be sent.
    waiting: Box<[AtomicUsize]>,
    pub(crate) batch_buffers: BatchBuffers,
    pub(crate) frame_buffers: Arc<FrameBuffers>,
    /// Why the last connection closed, until the producer can send.
    pub(crate) last_failure: Mutex<Option<BrokerDisconnected>>,
    /// The code with which the brokers refused a producer id. Nothing more can be sent then.
    pub(crate) producer_id_refused: Mutex<Option<ErrorCode>>,
}

/// Records and their bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Buffered {
    pub(crate) records: u64,
    pub(crate) bytes: usize,
}

impl Shared {
    /// For a producer of this many partitions, with this limit.
    pub(crate) fn new(
        partitions: usize,
        max: Buffered,
        reports: Arc<dyn DeliveryReports>,
    ) -> Shared {
        Shared {
            base: Instant::now(),
            reports,
            in_flight: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            max,
            waiting: (0..partitions).map(|_| AtomicUsize::new(0)).collect(),
            batch_buffers: BatchBuffers::default(),
            frame_buffers: Arc::default(),
            last_failure: Mutex::default(),
            producer_id_refused: Mutex::default(),
        }
    }

    /// Nanoseconds on the producer's clock.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }

    /// How many records are neither acknowledged nor failed.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Whether batches of a partition wait to be sent.
    pub(crate) fn is_waiting(&self, partition: usize) -> bool {
        self.waiting[partition].load(Ordering::Relaxed) > 0
    }

    /// Notes how many batches of each partition wait to be sent.
    pub(crate) fn set_waiting(&self, waiting: impl Iterator<Item = usize>) {
        for (count, now) in self.waiting.iter().zip(waiting) {
            count.store(now, Ordering::Relaxed);
        }
    }

    /// Counts batches that are handed over.
    pub(crate) fn add(&self, handed_over: Buffered) {
        self.in_flight.fetch_add(handed_over.records, Ordering::AcqRel);
        self.bytes.fetch_add(handed_over.bytes, Ordering::AcqRel);
    }

    /// Uncounts a batch with a final outcome.
    pub(crate) fn release(&self, batch: Batch) {
        self.in_flight.fetch_sub(batch.count() as u64, Ordering::Release);
        self.bytes.fetch_sub(batch.counted_bytes, Ordering::Release);
        if let Some(buffer) = batch.into_buffer() {
            self.batch_buffers.put(buffer);
        }
    }

    /// Whether it holds `1 / part` of its limit, an appender's open batches included.
    #[inline]
    pub(crate) fn is_full(&self, part: u64, open: Buffered) -> bool {
        let (records, bytes) = (&self.in_flight, &self.bytes);
        bytes.load(Ordering::Acquire) + open.bytes >= self.max.bytes / part as usize
            || records.load(Ordering::Acquire) + open.records >= self.max.records.div_ceil(part)
    }
}
