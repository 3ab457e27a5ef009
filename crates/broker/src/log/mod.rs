//! The log of a partition: its batches as they came, in memory.

pub(crate) mod batch;
pub(crate) mod codec;
mod compaction;
pub(crate) mod header;
pub(crate) mod producers;
pub(crate) mod records;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use kafka_protocol::error::ResponseError;

use batch::Batch;
use header::{HEADER, Header};
use producers::{Producers, SequenceCheck};

/// The batches of one partition, and what follows from them.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// In order of their offsets.
    batches: VecDeque<Batch>,
    /// The first offset that may be read.
    start: i64,
    /// The offset of the next record.
    end: i64,
    /// The bytes of all batches.
    bytes: usize,
    /// The bytes that the last compaction left.
    compacted_bytes: usize,
    pub(crate) producers: Producers,
    /// Aborted transactions, in the order of their markers.
    aborted: Vec<AbortedTxn>,
    /// Each leader epoch and its start offset.
    epochs: Vec<(i32, i64)>,
}

/// An aborted transaction, whose records read_committed consumers skip.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AbortedTxn {
    pub(crate) producer_id: i64,
    pub(crate) first: i64,
    /// The offset of its marker.
    pub(crate) last: i64,
}

/// The result of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppendInfo {
    pub(crate) base_offset: i64,
    /// The append time, if the topic has LogAppendTime; else -1.
    pub(crate) log_append_time: i64,
    /// Whether it was a duplicate.
    pub(crate) duplicate: bool,
}

/// The timestamp, offset and leader epoch of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetAndTimestamp {
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
}

impl Log {
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The high watermark: all records count as replicated.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The offset before which every transaction has ended.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        self.producers.first_unstable_offset().unwrap_or(self.end)
    }

    pub(crate) fn batches(&self) -> impl DoubleEndedIterator<Item = &Batch> {
        self.batches.iter()
    }

    /// Appends a checked batch, unless it is a duplicate.
    ///
    /// # Errors
    /// Kafka's error code, and a message.
    pub(crate) fn append(
        &mut self,
        sent: &[u8],
        header: Header,
        leader_epoch: i32,
        log_append_time: Option<i64>,
    ) -> Result<AppendInfo, (ResponseError, String)> {
        if let SequenceCheck::Duplicate(base_offset) = self.producers.check_sequence(&header)? {
            return Ok(AppendInfo { base_offset, log_append_time: -1, duplicate: true });
        }
        let base_offset = self.end;
        let placed = batch::place(sent, header, base_offset, leader_epoch, log_append_time);
        // Kafka's producer state goes by the batch as it is in the log.
        self.producers.stored(&placed.header);
        self.push(placed);
        Ok(AppendInfo {
            base_offset,
            log_append_time: log_append_time.unwrap_or(-1),
            duplicate: false,
        })
    }

    /// Ends a producer's transaction in this partition.
    pub(crate) fn end_transaction(
        &mut self,
        producer: (i64, i16),
        commit: bool,
        leader_epoch: i32,
        now: i64,
    ) {
        let offset = self.end;
        let marker = batch::marker(offset, leader_epoch, producer, commit, now);
        if !commit && let Some(first) = self.producers.transaction_start(producer.0) {
            self.aborted.push(AbortedTxn { producer_id: producer.0, first, last: offset });
        }
        self.producers.stored(&marker.header);
        self.push(marker);
    }

    fn push(&mut self, batch: Batch) {
        self.end = batch.header.last_offset() + 1;
        self.bytes += batch.bytes.len();
        self.batches.push_back(batch);
    }

    /// Notes that a leader of this epoch appends from here on.
    pub(crate) fn begin_epoch(&mut self, epoch: i32) {
        match self.epochs.last_mut() {
            Some(last) if last.1 == self.end => last.0 = epoch,
            _ => self.epochs.push((epoch, self.end)),
        }
    }

    /// The largest known leader epoch up to `asked`, and its end offset.
    pub(crate) fn end_of_epoch(&self, asked: i32) -> Option<(i32, i64)> {
        let known = self.epochs.iter().rposition(|&(epoch, _)| epoch <= asked)?;
        let end = self.epochs.get(known + 1).map_or(self.end, |&(_, start)| start);
        Some((self.epochs[known].0, end))
    }

    /// The index of the first batch that reaches `offset`.
    fn position(&self, offset: i64) -> usize {
        self.batches.partition_point(|b| b.header.last_offset() < offset)
    }

    /// The batches from `from` on that begin before `below`: up to `most` bytes, but at least one if
    /// `at_least_one`. Returns the bytes, and the offset after the last.
    pub(crate) fn read(
        &self,
        from: i64,
        below: i64,
        most: usize,
        at_least_one: bool,
    ) -> (Bytes, i64) {
        let mut size = 0;
        let first = self.position(from);
        let mut last = first;
        for batch in self.batches.range(first..) {
            let wanted = size + batch.bytes.len();
            let allowed = wanted <= most || (at_least_one && size == 0);
            if batch.header.base_offset >= below || !allowed {
                break;
            }
            size = wanted;
            last += 1;
        }
        let Some(behind) = last.checked_sub(1).filter(|_| last > first) else {
            return (Bytes::new(), from);
        };
        let next = self.batches[behind].header.last_offset() + 1;
        if last - first == 1 {
            return (self.batches[first].bytes.clone(), next);
        }
        let mut all = BytesMut::with_capacity(size);
        for batch in self.batches.range(first..last) {
            all.extend_from_slice(&batch.bytes);
        }
        (all.freeze(), next)
    }

    /// How many bytes a read from `from` would return, counted up to `enough`.
    pub(crate) fn readable(&self, from: i64, below: i64, enough: usize) -> usize {
        let mut size = 0;
        for batch in self.batches.range(self.position(from)..) {
            if batch.header.base_offset >= below || size >= enough {
                break;
            }
            size += batch.bytes.len();
        }
        size
    }

    /// The aborted transactions with records between the two offsets.
    pub(crate) fn aborted_between(&self, from: i64, to: i64) -> Vec<AbortedTxn> {
        let touches = |a: &&AbortedTxn| a.last >= from && a.first < to;
        self.aborted.iter().filter(touches).copied().collect()
    }

    /// The first record before offset `before` whose timestamp is at least `timestamp`.
    pub(crate) fn offset_for_timestamp(
        &self,
        timestamp: i64,
        before: i64,
    ) -> Option<OffsetAndTimestamp> {
        self.batches
            .iter()
            .filter(|b| b.header.max_timestamp >= timestamp && !b.header.is_control())
            .filter_map(|b| {
                first_record(b, |offset, time| {
                    time >= timestamp && offset >= self.start && offset < before
                })
            })
            .next()
    }

    /// The first record with the highest timestamp.
    pub(crate) fn at_max_timestamp(&self) -> Option<OffsetAndTimestamp> {
        let data = || self.batches.iter().filter(|b| !b.header.is_control());
        let highest = data().map(|b| b.header.max_timestamp).max()?;
        data()
            .filter(|b| b.header.max_timestamp == highest)
            .find_map(|b| first_record(b, |offset, time| time >= highest && offset >= self.start))
    }

    /// Deletes the records before `offset`, and the batches that lie before it as a whole.
    pub(crate) fn truncate_before(&mut self, offset: i64) {
        self.start = self.start.max(offset.min(self.end));
        while self.batches.front().is_some_and(|b| b.header.last_offset() < self.start) {
            if let Some(gone) = self.batches.pop_front() {
                self.bytes -= gone.bytes.len();
                self.compacted_bytes = self.compacted_bytes.min(self.bytes);
            }
        }
        self.aborted.retain(|a| a.last >= self.start);
        // The epoch of the first offset stays, and begins there.
        let held = self.epochs.iter().rposition(|&(_, from)| from <= self.start).unwrap_or(0);
        self.epochs.drain(..held);
        if let Some(first) = self.epochs.first_mut() {
            first.1 = first.1.max(self.start);
        }
    }

    /// Deletes the oldest batches whose records are all older than `limit_ms`.
    pub(crate) fn drop_older(&mut self, limit_ms: i64) {
        while self.batches.front().is_some_and(|b| b.header.max_timestamp < limit_ms) {
            self.drop_oldest();
        }
    }

    /// Deletes the oldest batch. Returns false if there is none.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.batches.front() else { return false };
        let behind = oldest.header.last_offset() + 1;
        self.truncate_before(behind);
        true
    }
}

/// The first record of a batch that `will_do` accepts, by offset and timestamp. If the batch can't be
/// decompressed, the batch itself.
fn first_record(batch: &Batch, will_do: impl Fn(i64, i64) -> bool) -> Option<OffsetAndTimestamp> {
    let header = &batch.header;
    let leader_epoch = header.leader_epoch;
    let Ok(records) = records::read(header, batch.bytes.slice(HEADER..)) else {
        return will_do(header.last_offset(), header.max_timestamp).then_some(OffsetAndTimestamp {
            timestamp: header.max_timestamp,
            offset: header.base_offset,
            leader_epoch,
        });
    };
    records
        .iter()
        .map(|r| {
            let offset = header.base_offset + i64::from(r.offset_delta);
            let timestamp = if header.is_log_append_time() {
                header.max_timestamp
            } else {
                header.base_timestamp.saturating_add(r.timestamp_delta)
            };
            OffsetAndTimestamp { timestamp, offset, leader_epoch }
        })
        .find(|at| will_do(at.offset, at.timestamp))
}
