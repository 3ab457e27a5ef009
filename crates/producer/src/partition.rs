//! The batches of one partition, in the order in which they must be appended.
//!
//! Several requests may be in flight at once. If a batch has to be retried, nothing more is sent until
//! the others have come back too. Then all that came back is sent again in order. Nothing is sent to a
//! new leader before the old one has answered. So no batch overtakes another, with a sequence or without.
//!
//! With a sequence, its first batch is sent alone, and so is the first to a new leader: a broker that
//! knows nothing of a sequence accepts any batch as its first, and then calls the real first one a
//! duplicate. After that, brokers reject a batch whose predecessor is missing. If a batch is rejected,
//! those sent after it are rejected too and move up in the sequence.
//!
//! A batch with an unknown outcome is in doubt. Brokers forget sequences (by the timestamps of the
//! records: `producer.id.expiration.ms`), so the log is searched for a batch in doubt before it is sent
//! again, from the end of what is known to be appended. See `log_search`.

mod in_doubt;

use std::collections::VecDeque;

use bytes::Bytes;

use crate::batch::{Batch, ProducerId};
use crate::error_outcome::BatchOutcome;
use crate::log_search::LogSearch;

/// The queue of one partition.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    /// In the order of their numbers.
    waiting: VecDeque<Batch>,
    /// In the order of their numbers.
    in_flight: VecDeque<Batch>,
    /// The number of the next batch.
    next_number: u64,
    /// Nothing is sent until all batches in flight have come back.
    draining: bool,
    /// The broker that has the batches in flight.
    sent_to: i32,
    /// Nothing is sent before this, on the producer's clock.
    not_before_ns: u64,
    producer_id: Option<ProducerId>,
    /// The previous producer id, whose sequence has ended here.
    ended_producer_id: Option<ProducerId>,
    next_sequence: i32,
    /// Whether the leader has appended a batch of the sequence.
    sequence_known: bool,
    /// The sequence ends once none of its batches is in doubt.
    ending: bool,
    /// The offset after the last record that is known to be appended, or the end of the log when the
    /// producer started; `None` before that was queried.
    known_end_offset: Option<i64>,
    /// The search for batches in doubt.
    search: Option<LogSearch>,
    /// Whether a query about the log is in flight.
    querying: bool,
}

/// A batch with a final outcome.
#[derive(Debug)]
pub(crate) enum Completed {
    /// It was appended.
    Acknowledged(Batch),
    /// It failed.
    Failed(Batch),
}

/// A batch in flight.
pub(crate) struct Sent {
    /// Its bytes.
    pub(crate) bytes: Bytes,
    /// Its number, by which the response finds it.
    pub(crate) number: u64,
}

/// What must be known about a partition's log before more can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogQuery {
    /// Its end offset.
    EndOffset,
    /// Its start offset: the offset to search from has been deleted.
    StartOffset,
    /// Its batches from an offset on.
    Batches {
        /// The offset.
        from: i64,
    },
}

/// The distance between numbers of batches, so that the parts of a split batch fit between.
const NUMBER_STEP: u64 = 1 << 32;

impl Partition {
    /// Adds a batch after the others.
    pub(crate) fn push(&mut self, mut batch: Batch) {
        batch.number = self.next_number;
        batch.number_span = NUMBER_STEP;
        self.next_number += NUMBER_STEP;
        self.waiting.push_back(batch);
    }

    /// How many batches are not in flight.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether it has no batches.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }

    /// Whether a batch may be sent to a broker at `now_ns`, beside at most `most` others. A batch begun
    /// before `expired_before_ns` is to fail instead.
    pub(crate) fn is_ready(
        &self,
        to: i32,
        now_ns: u64,
        expired_before_ns: u64,
        most: usize,
    ) -> bool {
        self.waiting.front().is_some_and(|next| next.created_ns >= expired_before_ns)
            && !self.draining
            && (self.in_flight.is_empty() || self.sent_to == to)
            && self.in_flight.len() < self.max_in_flight(to, most)
            && now_ns >= self.not_before_ns
            && (self.producer_id.is_none()
                || (self.known_end_offset.is_some() && !self.has_batches_in_doubt()))
    }

    fn max_in_flight(&self, to: i32, most: usize) -> usize {
        let known = self.sequence_known && self.sent_to == to;
        if self.producer_id.is_none() || known { most } else { 1 }
    }

    /// Until when a retry waits, if one does.
    pub(crate) fn retry_at_ns(&self) -> Option<u64> {
        let waits = !self.waiting.is_empty() && !self.draining && !self.querying;
        waits.then_some(self.not_before_ns)
    }

    /// The size of the next batch, in bytes.
    pub(crate) fn next_bytes(&self) -> usize {
        self.waiting.front().map_or(0, Batch::len)
    }

    /// Whether it has a producer id.
    pub(crate) fn has_producer_id(&self) -> bool {
        self.producer_id.is_some()
    }

    /// Whether it needs a producer id now: not while batches of an earlier one are in flight, which may
    /// come back.
    pub(crate) fn needs_producer_id(&self) -> bool {
        self.producer_id.is_none() && self.in_flight.is_empty() && !self.waiting.is_empty()
    }

    /// Begins a sequence of `producer` with the waiting batches. Returns whether it could: not if that
    /// producer's sequence has ended here.
    pub(crate) fn begin_sequence(&mut self, producer: ProducerId) -> bool {
        if self.ended_producer_id == Some(producer) {
            return false;
        }
        self.producer_id = Some(producer);
        (self.next_sequence, self.sequence_known) = (0, false);
        self.waiting.iter_mut().for_each(|batch| batch.needs_sequence = true);
        true
    }

    /// The next batch, in flight to a broker from now on.
    pub(crate) fn send(&mut self, to: i32) -> Option<Sent> {
        let mut batch = self.waiting.pop_front()?;
        self.sequence_known &= self.sent_to == to;
        self.sent_to = to;
        if self.producer_id.is_some() && batch.needs_sequence {
            batch.needs_sequence = false;
            batch.sequence = Some(self.next_sequence);
            self.next_sequence = after(self.next_sequence, batch.count());
        }
        let sent = Sent { bytes: batch.stamped(self.producer_id), number: batch.number };
        self.in_flight.push_back(batch);
        Some(sent)
    }

    /// Takes the outcome of a batch. A retry waits until `retry_ns`.
    pub(crate) fn complete(
        &mut self,
        number: u64,
        outcome: BatchOutcome,
        retry_ns: u64,
    ) -> Option<Completed> {
        let at = self.in_flight.iter().position(|batch| batch.number == number)?;
        let mut batch = self.in_flight.remove(at)?;
        let completed = match outcome {
            BatchOutcome::Appended { base_offset } => {
                self.sequence_known = true;
                let end = base_offset.map(|base| base + batch.count() as i64);
                // The search for a batch in doubt must begin before its place.
                if !(self.draining && self.has_batches_in_doubt()) {
                    self.known_end_offset = self.known_end_offset.max(end);
                }
                Some(Completed::Acknowledged(batch))
            }
            BatchOutcome::TooLarge if batch.count() > 1 => {
                self.reuse_sequence_of(&batch);
                match batch.split() {
                    Ok(parts) => {
                        parts.into_iter().for_each(|part| self.requeue(part, 0));
                        None
                    }
                    Err(batch) => Some(Completed::Failed(*batch)),
                }
            }
            BatchOutcome::Rejected | BatchOutcome::TooLarge => {
                self.reuse_sequence_of(&batch);
                Some(Completed::Failed(batch))
            }
            BatchOutcome::NotAppended => {
                self.requeue(batch, retry_ns);
                None
            }
            BatchOutcome::Unknown => {
                batch.in_doubt = true;
                self.requeue(batch, retry_ns);
                None
            }
            BatchOutcome::DuplicateSequence => {
                // Appended by an earlier request, or its sequence number was another batch's.
                batch.in_doubt = true;
                self.ending = true;
                self.requeue(batch, retry_ns);
                None
            }
            BatchOutcome::OutOfOrderSequence => {
                let before = |other: &Batch| other.number < number;
                let is_first = !self.waiting.front().is_some_and(before)
                    && !self.in_flight.front().is_some_and(before);
                // Without a sequence it has moved up to that of a rejected batch.
                if is_first && !batch.needs_sequence {
                    // Nothing of ours is before it: the broker has lost what it had acknowledged.
                    self.ending = true;
                }
                self.requeue(batch, retry_ns);
                None
            }
        };
        if self.in_flight.is_empty() {
            self.draining = false;
            self.end_sequence_if_certain();
        }
        completed
    }

    /// Fails what has waited since before `before_ns`, and what was sent after it.
    pub(crate) fn expire(&mut self, before_ns: u64) -> Vec<Batch> {
        let mut expired = Vec::new();
        // What is in flight gets a response, or its connection closes.
        if !self.in_flight.is_empty() {
            return expired;
        }
        let mut unknown = false;
        while let Some(batch) = self.waiting.front()
            && (batch.created_ns < before_ns || (unknown && !batch.needs_sequence))
            && let Some(batch) = self.waiting.pop_front()
        {
            unknown |= !batch.needs_sequence;
            expired.push(batch);
        }
        if unknown {
            self.search = None;
            self.end_sequence();
        }
        expired
    }

    /// Fails all waiting batches, if none is in flight.
    pub(crate) fn fail_all(&mut self) -> Vec<Batch> {
        self.expire(u64::MAX)
    }

    /// Postpones deadlines by `lost_ns`, in which this process did not run.
    pub(crate) fn postpone_deadlines(&mut self, lost_ns: u64) {
        let batches = self.waiting.iter_mut().chain(&mut self.in_flight);
        batches.for_each(|batch| batch.created_ns += lost_ns);
    }

    /// Ends the sequence, if it is to end, once none of its batches is in flight or in doubt.
    fn end_sequence_if_certain(&mut self) {
        if self.ending && self.in_flight.is_empty() && !self.has_batches_in_doubt() {
            self.end_sequence();
        }
    }

    fn end_sequence(&mut self) {
        self.ending = false;
        self.ended_producer_id = self.producer_id.take().or(self.ended_producer_id);
    }

    /// Puts a batch that came back into its place.
    fn requeue(&mut self, batch: Batch, retry_ns: u64) {
        let at = self.waiting.partition_point(|other| other.number < batch.number);
        self.waiting.insert(at, batch);
        self.not_before_ns = retry_ns;
        self.draining = true;
    }

    /// Moves up the batches that were sent after a rejected one, and so were rejected too.
    fn reuse_sequence_of(&mut self, refused: &Batch) {
        let Some(sequence) = refused.sequence else { return };
        self.next_sequence = sequence;
        let behind = self.waiting.iter_mut().chain(&mut self.in_flight);
        for batch in behind.filter(|batch| batch.number > refused.number) {
            batch.needs_sequence = true;
        }
        self.draining = true;
    }
}

/// The sequence number after a batch of `count` records that begins at `sequence`. Sequence numbers wrap.
fn after(sequence: i32, count: usize) -> i32 {
    (i64::from(sequence) + count as i64).rem_euclid(1 << 31) as i32
}

#[cfg(test)]
mod model_test;
#[cfg(test)]
mod tests;
