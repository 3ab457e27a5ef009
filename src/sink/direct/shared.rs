//! What the threads of a producer share: its counts, and room that batches and requests have left.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use bytes::BytesMut;
use parking_lot::Mutex;

use super::batch::{Batch, Room};
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
    pub(super) most: (u64, usize),
    /// Of each partition, how many batches were handed over that could not be sent yet.
    pub(super) waiting: Box<[AtomicUsize]>,
    pub(super) rooms: Mutex<Rooms>,
    /// Why the last connection ended, until the producer can send.
    pub(super) trouble: Mutex<Option<String>>,
    /// Why nothing more can be sent, where that is so.
    pub(super) fatal: Mutex<Option<String>>,
    pub(super) throttled: Throttled,
    pub(super) frames: Frames,
}

/// Room of batches of which all is known, for others.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    all: Vec<Room>,
    bytes: usize,
}

/// Room of requests that were written, for others.
#[derive(Debug, Default)]
pub(super) struct Frames(Mutex<Vec<BytesMut>>);

/// How much room is kept for batches to come.
const ROOM_BYTES: usize = 8 << 20;
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
            most: (most_records, most_bytes),
            rooms: Mutex::default(),
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

    /// Takes a batch back of which all is known.
    pub(super) fn give_back(&self, batch: Batch) {
        self.in_flight.fetch_sub(batch.count() as u64, Ordering::Release);
        self.bytes.fetch_sub(batch.counted, Ordering::Release);
        if let Some(room) = batch.into_room() {
            self.keep_room(room);
        }
    }

    /// Keeps a batch's room for another.
    pub(super) fn keep_room(&self, room: Room) {
        let mut rooms = self.rooms.lock();
        if rooms.bytes < ROOM_BYTES {
            rooms.bytes += room.bytes();
            rooms.all.push(room);
        }
    }

    /// Room that a batch has left, if there is some.
    pub(super) fn take_room(&self) -> Option<Room> {
        let mut rooms = self.rooms.lock();
        let room = rooms.all.pop()?;
        rooms.bytes -= room.bytes();
        Some(room)
    }

    /// Whether it holds `1 / part` of what it may, together with so many records and bytes that are
    /// still to be handed over.
    #[inline]
    pub(super) fn is_full(&self, part: u64, (records, bytes): (u64, usize)) -> bool {
        let (most_records, most_bytes) = self.most;
        self.bytes.load(Ordering::Acquire) + bytes >= most_bytes / part as usize
            || self.in_flight.load(Ordering::Acquire) + records >= most_records.div_ceil(part)
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
