//! What became of records, as the caller is told: a batch at a time, since a batch has one outcome.

use std::time::Duration;

use crate::error::DeliveryError;
use crate::note::{NO_OPAQUE, RecordNote};

/// Takes delivery reports. It is called by the producer's one thread, which sends nothing meanwhile, so
/// it should be quick.
pub trait DeliveryReports: Send + Sync + 'static {
    /// The records of a batch were acknowledged.
    fn acknowledged(&self, batch: Delivery<'_>);

    /// The records of a batch were given up.
    fn failed(&self, batch: Delivery<'_>, kind: DeliveryError);

    /// A broker holds the producer back for so long from now on, since a quota is used up (KIP-219).
    fn throttled(&self, _pause: Duration) {}
}

/// A batch whose outcome is final.
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
    /// How long ago it was handed over.
    pub since_enqueued: Duration,
    /// The number that the caller gave it.
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
