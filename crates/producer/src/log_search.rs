//! The search of a partition's log for batches in doubt: those of the producer's sequence after the last
//! record that is known to be appended.
//!
//! A broker writes a batch's producer id, epoch and base sequence into the log as it received them. The
//! search ends where the log ended when all our requests had come back, so other writers can't make it go
//! on forever.

use bytes::{Buf, Bytes};

use crate::batch::ProducerId;

/// A search in progress.
#[derive(Debug)]
pub(crate) struct LogSearch {
    /// The offset to go on from.
    pub(crate) next: i64,
    /// Whether that offset is out of range.
    pub(crate) is_outside: bool,
    /// The offset at which it ends.
    end: i64,
    /// The batches of the sequence that were found.
    pub(crate) found: Vec<LogBatch>,
}

/// A batch in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogBatch {
    /// Its producer.
    pub(crate) producer: ProducerId,
    /// Its base sequence.
    pub(crate) sequence: i32,
    /// How many records it was sent with.
    pub(crate) count: usize,
    /// The offset after its last record.
    pub(crate) end: i64,
}

/// The size of a batch header in Kafka's format 2, and of the part before what its length counts.
const HEADER: usize = 61;
const BEFORE_LENGTH: usize = 12;

impl LogSearch {
    /// A search from the offset `known` on to `end`.
    pub(crate) fn new(known: i64, end: i64) -> LogSearch {
        LogSearch { next: known, is_outside: false, end, found: Vec::new() }
    }

    /// Takes a fetched part of the log, from `next` on. Returns whether the search got any further.
    pub(crate) fn take(
        &mut self,
        batches: impl Iterator<Item = LogBatch>,
        producer: ProducerId,
    ) -> bool {
        let before = self.next;
        for batch in batches.filter(|batch| batch.end > before) {
            self.next = self.next.max(batch.end);
            if batch.producer == producer {
                self.found.push(batch);
            }
        }
        self.next > before
    }

    /// Whether the search has seen everything.
    pub(crate) fn is_over(&self) -> bool {
        self.next >= self.end
    }
}

/// The batches of a fetched part of a log. A batch that is cut off at its end is left out.
pub(crate) fn batches(mut records: Bytes) -> impl Iterator<Item = LogBatch> {
    std::iter::from_fn(move || {
        if records.len() < HEADER {
            return None;
        }
        let mut header = records.slice(..HEADER);
        let base_offset = header.get_i64();
        let length = usize::try_from(header.get_i32()).ok()?.checked_add(BEFORE_LENGTH)?;
        if length < HEADER || length > records.len() {
            return None;
        }
        header.advance(4 + 1 + 4 + 2); // leader epoch, format, checksum, attributes
        let last_delta = header.get_i32();
        header.advance(16); // first and latest time
        let producer = ProducerId { id: header.get_i64(), epoch: header.get_i16() };
        let sequence = header.get_i32();
        records.advance(length);
        Some(LogBatch {
            producer,
            sequence,
            count: usize::try_from(last_delta).map_or(0, |last| last + 1),
            end: base_offset + i64::from(last_delta) + 1,
        })
    })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::batch::OpenBatch;
    use crate::codec::{Codec, Compressor};
    use crate::note::{NO_OPAQUE, RecordNote};

    const ME: ProducerId = ProducerId { id: 5, epoch: 0 };
    const OTHER: ProducerId = ProducerId { id: 6, epoch: 0 };

    #[test]
    fn batches_are_read_from_a_log_and_a_cut_one_is_left_out() {
        let mut log = BytesMut::new();
        for (producer, sequence, records, base) in [(ME, 10, 3, 100), (OTHER, 0, 2, 103)] {
            let mut open = OpenBatch::new(None);
            for _ in 0..records {
                open.push(
                    b"k",
                    b"v",
                    0,
                    RecordNote { enqueued_ns: 0, opaque: NO_OPAQUE, bytes: 2 },
                );
            }
            let (mut batch, _) = open.close(0, &mut Compressor::new(Codec::Lz4, None)).unwrap();
            batch.sequence = Some(sequence);
            let mut bytes = BytesMut::from(batch.stamped(Some(producer)));
            bytes[..8].copy_from_slice(&i64::to_be_bytes(base));
            log.extend_from_slice(&bytes);
        }
        let all = log.freeze();
        let read: Vec<LogBatch> = batches(all.clone()).collect();
        let mine = LogBatch { producer: ME, sequence: 10, count: 3, end: 103 };
        assert_eq!(read, [mine, LogBatch { producer: OTHER, sequence: 0, count: 2, end: 105 }]);
        assert_eq!(batches(all.slice(..all.len() - 1)).collect::<Vec<_>>(), [mine]);
        assert_eq!(batches(all.slice(..30)).count(), 0);
    }

    #[test]
    fn a_search_ends_at_the_end_and_finds_its_own() {
        let mut search = LogSearch::new(100, 105);
        let batch = |producer, end| LogBatch { producer, sequence: 0, count: 1, end };
        assert!(!search.take(std::iter::empty(), ME));
        // A fetch begins with the batch that holds the offset, which may begin before it.
        assert!(search.take([batch(ME, 100), batch(OTHER, 103)].into_iter(), ME));
        assert!(!search.is_over() && search.found.is_empty() && search.next == 103);
        assert!(search.take([batch(ME, 105)].into_iter(), ME));
        assert!(search.is_over() && search.found == [batch(ME, 105)]);
    }
}
