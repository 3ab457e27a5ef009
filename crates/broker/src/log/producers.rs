//! The producer state of a partition, and the batches that it rejects: the rules of Kafka's
//! `ProducerStateManager` and `ProducerAppendInfo`.

use std::collections::{BTreeMap, HashMap, VecDeque};

use kafka_protocol::error::ResponseError;

use super::header::Header;

/// How many batches of each producer are kept to detect duplicates.
const REMEMBERED: usize = 5;

/// The producers of a partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Producers {
    known: HashMap<i64, Producer>,
    /// The first offsets of open transactions, with their producers.
    ongoing: BTreeMap<i64, i64>,
}

/// The state of one producer.
#[derive(Debug, Clone)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    /// The last batches, oldest first; empty after a transaction marker with a new epoch.
    batches: VecDeque<Known>,
    /// The timestamp of the latest record, as the producer gave it.
    last_timestamp: i64,
    transaction_start: Option<i64>,
}

/// A batch that is kept to detect duplicates.
#[derive(Debug, Clone, Copy)]
struct Known {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    last_offset: i64,
}

/// How a batch's sequence compares with the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SequenceCheck {
    /// It is the next of its producer, or has no sequence.
    InOrder,
    /// It is a duplicate of the batch at this offset.
    Duplicate(i64),
}

/// A producer's state in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerState {
    /// Its producer id.
    pub producer_id: i64,
    /// Its latest epoch.
    pub epoch: i16,
    /// The sequence number of its last record; -1 if unknown.
    pub last_sequence: i32,
    /// The offset of its last record; -1 if unknown.
    pub last_offset: i64,
    /// The timestamp of its last batch, by which the state expires, in milliseconds.
    pub last_timestamp: i64,
    /// The first offset of its open transaction.
    pub transaction_start: Option<i64>,
}

impl Producers {
    /// Checks a batch's sequence, epoch and transaction.
    pub(crate) fn check_sequence(
        &self,
        batch: &Header,
    ) -> Result<SequenceCheck, (ResponseError, String)> {
        if !batch.has_producer() {
            return Ok(SequenceCheck::InOrder);
        }
        let Some(known) = self.known.get(&batch.producer_id) else {
            return Ok(SequenceCheck::InOrder);
        };
        let last = batch.last_sequence();
        if known.epoch == batch.producer_epoch
            && let Some(twin) = known
                .batches
                .iter()
                .find(|k| k.first_sequence == batch.base_sequence && k.last_sequence == last)
        {
            return Ok(SequenceCheck::Duplicate(twin.base_offset));
        }
        if batch.producer_epoch < known.epoch {
            return Err((
                ResponseError::InvalidProducerEpoch,
                format!(
                    "epoch {} of producer {} is older than {}",
                    batch.producer_epoch, batch.producer_id, known.epoch
                ),
            ));
        }
        let expected = if batch.producer_epoch == known.epoch {
            known.batches.back().map_or(0, |k| after(k.last_sequence))
        } else {
            0
        };
        if batch.base_sequence != expected {
            return Err((
                ResponseError::OutOfOrderSequenceNumber,
                format!(
                    "sequence number {} of producer {} epoch {} is out of order: {expected} is next",
                    batch.base_sequence, batch.producer_id, batch.producer_epoch
                ),
            ));
        }
        if known.transaction_start.is_some() && !batch.is_transactional() {
            return Err((
                ResponseError::InvalidTxnState,
                format!(
                    "a batch outside of the open transaction of producer {}",
                    batch.producer_id
                ),
            ));
        }
        Ok(SequenceCheck::InOrder)
    }

    /// Notes a batch that was appended.
    pub(crate) fn stored(&mut self, batch: &Header) {
        if !batch.has_producer() {
            return;
        }
        let producer = self.known.entry(batch.producer_id).or_insert_with(|| Producer {
            epoch: batch.producer_epoch,
            batches: VecDeque::new(),
            last_timestamp: batch.max_timestamp,
            transaction_start: None,
        });
        if producer.epoch != batch.producer_epoch {
            producer.batches.clear();
            producer.epoch = batch.producer_epoch;
        }
        producer.last_timestamp = batch.max_timestamp;
        if batch.is_control() {
            if let Some(start) = producer.transaction_start.take() {
                self.ongoing.remove(&start);
            }
            return;
        }
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Known {
            first_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            base_offset: batch.base_offset,
            last_offset: batch.last_offset(),
        });
        if batch.is_transactional() && producer.transaction_start.is_none() {
            producer.transaction_start = Some(batch.base_offset);
            self.ongoing.insert(batch.base_offset, batch.producer_id);
        }
    }

    /// The first offset of a producer's open transaction.
    pub(crate) fn transaction_start(&self, producer_id: i64) -> Option<i64> {
        self.known.get(&producer_id)?.transaction_start
    }

    /// The first offset of any open transaction.
    pub(crate) fn first_unstable_offset(&self) -> Option<i64> {
        self.ongoing.keys().next().copied()
    }

    /// Expires producers whose last record, by its own timestamp, is older than `expiry_ms`.
    pub(crate) fn expire(&mut self, now_ms: i64, expiry_ms: i64) {
        self.known.retain(|_, p| {
            p.transaction_start.is_some() || now_ms.saturating_sub(p.last_timestamp) < expiry_ms
        });
    }

    /// Keeps what a broker knows after a clean restart: the last batch of each producer that has not
    /// expired.
    pub(crate) fn reload(&mut self, now_ms: i64, expiry_ms: i64) {
        for producer in self.known.values_mut() {
            let surplus = producer.batches.len().saturating_sub(1);
            producer.batches.drain(..surplus);
        }
        self.expire(now_ms, expiry_ms);
    }

    /// Drops all producers without an open transaction.
    pub(crate) fn forget(&mut self) {
        self.known.retain(|_, p| p.transaction_start.is_some());
    }

    /// All known producers, by id.
    pub(crate) fn states(&self) -> Vec<ProducerState> {
        let mut states: Vec<_> = self
            .known
            .iter()
            .map(|(&producer_id, p)| ProducerState {
                producer_id,
                epoch: p.epoch,
                last_sequence: p.batches.back().map_or(-1, |k| k.last_sequence),
                last_offset: p.batches.back().map_or(-1, |k| k.last_offset),
                last_timestamp: p.last_timestamp,
                transaction_start: p.transaction_start,
            })
            .collect();
        states.sort_by_key(|s| s.producer_id);
        states
    }
}

fn after(sequence: i32) -> i32 {
    sequence.checked_add(1).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(epoch: i16, sequence: i32, count: i32, offset: i64) -> Header {
        Header {
            base_offset: offset,
            leader_epoch: 0,
            attributes: 0,
            last_offset_delta: count - 1,
            base_timestamp: 1_000,
            max_timestamp: 1_000 + offset,
            producer_id: 7,
            producer_epoch: epoch,
            base_sequence: sequence,
            count,
        }
    }

    fn code(producers: &Producers, batch: &Header) -> Result<SequenceCheck, ResponseError> {
        producers.check_sequence(batch).map_err(|(code, _)| code)
    }

    #[test]
    fn any_sequence_is_taken_of_one_who_is_not_known() {
        assert_eq!(code(&Producers::default(), &batch(3, 42, 5, 0)), Ok(SequenceCheck::InOrder));
    }

    #[test]
    fn the_last_five_batches_are_known_again_and_older_ones_are_out_of_order() {
        let mut producers = Producers::default();
        for i in 0..6 {
            let next = batch(0, i * 10, 10, i64::from(i) * 10);
            assert_eq!(code(&producers, &next), Ok(SequenceCheck::InOrder));
            producers.stored(&next);
        }
        for i in 1..6 {
            let again = batch(0, i * 10, 10, 0);
            assert_eq!(code(&producers, &again), Ok(SequenceCheck::Duplicate(i64::from(i) * 10)));
        }
        let oldest = batch(0, 0, 10, 0);
        assert_eq!(code(&producers, &oldest), Err(ResponseError::OutOfOrderSequenceNumber));
        let other_length = batch(0, 50, 9, 0);
        assert_eq!(code(&producers, &other_length), Err(ResponseError::OutOfOrderSequenceNumber));
        let gap = batch(0, 61, 1, 0);
        assert_eq!(code(&producers, &gap), Err(ResponseError::OutOfOrderSequenceNumber));
        assert_eq!(code(&producers, &batch(0, 60, 1, 0)), Ok(SequenceCheck::InOrder));
    }

    #[test]
    fn a_new_epoch_begins_at_0_and_an_old_one_is_refused() {
        let mut producers = Producers::default();
        producers.stored(&batch(1, 0, 10, 0));
        assert_eq!(
            code(&producers, &batch(2, 10, 1, 10)),
            Err(ResponseError::OutOfOrderSequenceNumber)
        );
        assert_eq!(code(&producers, &batch(2, 0, 1, 10)), Ok(SequenceCheck::InOrder));
        producers.stored(&batch(2, 0, 1, 10));
        assert_eq!(
            code(&producers, &batch(1, 10, 1, 11)),
            Err(ResponseError::InvalidProducerEpoch)
        );
    }

    #[test]
    fn sequences_begin_at_0_again_after_the_highest() {
        let mut producers = Producers::default();
        producers.stored(&batch(0, i32::MAX - 1, 2, 0));
        assert_eq!(code(&producers, &batch(0, 0, 3, 2)), Ok(SequenceCheck::InOrder));
        let mut producers = Producers::default();
        producers.stored(&batch(0, i32::MAX, 3, 0));
        assert_eq!(code(&producers, &batch(0, 2, 1, 3)), Ok(SequenceCheck::InOrder));
    }

    #[test]
    fn state_expires_by_the_timestamps_of_records() {
        let mut producers = Producers::default();
        producers.stored(&batch(0, 0, 1, 0));
        producers.expire(1_999, 1_000);
        assert_eq!(producers.states().len(), 1);
        producers.expire(2_000, 1_000);
        assert_eq!(producers.states(), []);
        assert_eq!(code(&producers, &batch(0, 9, 1, 1)), Ok(SequenceCheck::InOrder));
    }

    #[test]
    fn a_restart_leaves_the_last_batch() {
        let mut producers = Producers::default();
        producers.stored(&batch(0, 0, 10, 0));
        producers.stored(&batch(0, 10, 10, 10));
        producers.reload(1_000, 1_000);
        assert_eq!(code(&producers, &batch(0, 10, 10, 0)), Ok(SequenceCheck::Duplicate(10)));
        assert_eq!(
            code(&producers, &batch(0, 0, 10, 0)),
            Err(ResponseError::OutOfOrderSequenceNumber)
        );
    }
}
