//! What the threads of a producer share: its counts, and room that batches and requests have left.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use parking_lot::Mutex;

use super::batch::{Batch, Room};
use crate::sink::tally::Tally;

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

/// For how long brokers have held connections back, since a quota was used up.
#[derive(Debug, Default)]
pub(super) struct Throttled {
    /// In all, where pauses of several brokers overlap once.
    total_ns: AtomicU64,
    /// Until when the last pause lasts, on the producer's clock.
    until_ns: AtomicU64,
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
            throttled: Throttled::default(),
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

impl Throttled {
    /// Adds a pause that begins at `now_ns`. By one thread.
    pub(super) fn add(&self, now_ns: u64, pause: Duration) {
        let until_ns = now_ns + pause.as_nanos() as u64;
        let before_ns = self.until_ns.fetch_max(until_ns, Ordering::Relaxed);
        let more_ns = until_ns.saturating_sub(before_ns.max(now_ns));
        self.total_ns.fetch_add(more_ns, Ordering::Relaxed);
    }

    /// How long they have lasted up to `now_ns`.
    pub(super) fn total(&self, now_ns: u64) -> Duration {
        let ahead_ns = self.until_ns.load(Ordering::Relaxed).saturating_sub(now_ns);
        let total_ns = self.total_ns.load(Ordering::Relaxed);
        Duration::from_nanos(total_ns.saturating_sub(ahead_ns))
    }

    /// Whether one lasts at `now_ns`.
    pub(super) fn is_on(&self, now_ns: u64) -> bool {
        self.until_ns.load(Ordering::Relaxed) > now_ns
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_that_overlap_count_once_and_what_is_ahead_does_not() {
        let throttled = Throttled::default();
        let s = |seconds: u64| seconds * 1_000_000_000;
        throttled.add(s(10), Duration::from_secs(4));
        throttled.add(s(12), Duration::from_secs(4));
        throttled.add(s(13), Duration::from_secs(1));
        assert_eq!(throttled.total(s(15)), Duration::from_secs(5));
        assert!(throttled.is_on(s(15)) && !throttled.is_on(s(16)));
        throttled.add(s(20), Duration::from_secs(1));
        assert_eq!(throttled.total(s(30)), Duration::from_secs(7));
    }
}
