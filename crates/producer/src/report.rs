//! Delivery reports, one per batch: the records of a batch share their outcome.

use std::time::Duration;

use crate::error::DeliveryError;
use crate::note::{NO_OPAQUE, RecordNote};

/// Receives delivery reports, on the sender thread. Be quick: nothing is sent until it returns.
pub trait DeliveryReports: Send + Sync + 'static {
    /// The records of a batch were acknowledged.
    fn acknowledged(&self, batch: Delivery<'_>);

    /// The records of a batch failed.
    fn failed(&self, batch: Delivery<'_>, error: DeliveryError);

    /// A broker throttles the producer for this long from now on: a quota is exceeded (KIP-219).
    fn throttled(&self, _pause: Duration) {}
}

/// A batch with a final outcome.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    pub(crate) topic: usize,
    pub(crate) partition: i32,
    pub(crate) notes: &'a [RecordNote],
    pub(crate) now_ns: u64,
}

/// A record of a [`Delivery`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveredRecord {
    /// The bytes of its key and value.
    pub bytes: usize,
    /// How long ago it was enqueued.
    pub since_enqueued: Duration,
    /// The opaque of the record.
    pub opaque: Option<u64>,
}

impl<'a> Delivery<'a> {
    /// The index of its topic.
    #[must_use]
    pub fn topic(&self) -> usize {
        self.topic
    }

    /// Its partition in the topic.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Its records, in their order.
    #[inline]
    pub fn records(&self) -> impl ExactSizeIterator<Item = DeliveredRecord> + 'a {
        let now_ns = self.now_ns;
        self.notes.iter().map(move |note| DeliveredRecord {
            bytes: note.bytes as usize,
            since_enqueued: Duration::from_nanos(now_ns.saturating_sub(note.enqueued_ns)),
            opaque: (note.opaque != NO_OPAQUE).then_some(note.opaque),
        })
    }
}
