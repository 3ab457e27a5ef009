//! The batches of one partition, in the order in which they must arrive.
//!
//! Up to some requests are in flight at once. Where one of their batches comes back to be sent
//! again, nothing more is sent until the others have come back too; then all that came back is sent
//! again in order. Nor is anything sent to a new leader before the old one's answers are there. So no
//! batch overtakes another, with a sequence or without.
//!
//! With a sequence, its first batch goes alone: a broker that has none of a sequence takes any batch
//! as its first, and would call the true first a duplicate. Then brokers refuse a batch whose
//! predecessor they lack, and know one that they have: a retry neither reorders nor duplicates. Where
//! a batch is refused for good, what was sent behind it has been refused too, and takes its place in
//! the sequence. Where nobody knows whether a batch that is given up was stored, the sequence begins
//! anew under another producer.

use std::collections::VecDeque;

use bytes::Bytes;

use super::answer::Answer;
use super::batch::{Batch, ProducerId};

/// The queue of one partition.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// In the order of their numbers.
    waiting: VecDeque<Batch>,
    /// In the order of their numbers.
    in_flight: VecDeque<Batch>,
    pushed: u64,
    /// Nothing is sent until all that is in flight has come back.
    gathering: bool,
    /// The broker that has what is in flight.
    sent_to: i32,
    /// Nothing is sent before this, on the producer's clock.
    not_before_ns: u64,
    producer: Option<ProducerId>,
    /// The producer before, whose sequence has come to its end here.
    spent: Option<ProducerId>,
    next_sequence: i32,
    /// Whether a batch of the sequence was stored.
    proven: bool,
}

/// A batch of which all is known.
#[derive(Debug)]
pub(super) enum Settled {
    /// It was stored.
    Stored(Batch),
    /// It was given up.
    GivenUp(Batch),
}

/// A batch in flight.
pub(super) struct Sent {
    /// Its bytes.
    pub(super) bytes: Bytes,
    /// By what its answer finds it.
    pub(super) number: u64,
}

impl Partition {
    /// Adds a batch behind the others.
    pub(super) fn push(&mut self, mut batch: Batch) {
        batch.number = self.pushed;
        self.pushed += 1;
        self.waiting.push_back(batch);
    }

    /// How many batches are not in flight.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether it holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }

    /// Whether a batch may be sent to a broker at `now_ns`, beside at most `most` others; one that was
    /// begun before `late_ns` is to be given up instead.
    pub(super) fn is_ready(&self, to: i32, now_ns: u64, late_ns: u64, most: usize) -> bool {
        self.waiting.front().is_some_and(|next| next.begun_ns >= late_ns)
            && !self.gathering
            && (self.in_flight.is_empty() || self.sent_to == to)
            && self.in_flight.len() < self.most_in_flight(most)
            && now_ns >= self.not_before_ns
    }

    fn most_in_flight(&self, most: usize) -> usize {
        if self.producer.is_none() || self.proven { most } else { 1 }
    }

    /// Until when a retry waits, if one does.
    pub(super) fn waits_until(&self) -> Option<u64> {
        (!self.waiting.is_empty() && !self.gathering).then_some(self.not_before_ns)
    }

    /// The bytes of the batch that is sent next.
    pub(super) fn next_len(&self) -> usize {
        self.waiting.front().map_or(0, Batch::len)
    }

    /// Whether it has a producer to stand in the sequence of.
    pub(super) fn has_producer(&self) -> bool {
        self.producer.is_some()
    }

    /// Whether it needs a producer now: not while answers to an earlier one's batches are out, which
    /// may send them back.
    pub(super) fn lacks_producer(&self) -> bool {
        self.producer.is_none() && self.in_flight.is_empty() && !self.waiting.is_empty()
    }

    /// Begins a sequence, that of `producer`, with what waits. Returns whether it could: not where
    /// that producer's has come to its end here.
    pub(super) fn begin(&mut self, producer: ProducerId) -> bool {
        if self.spent == Some(producer) {
            return false;
        }
        self.producer = Some(producer);
        (self.next_sequence, self.proven) = (0, false);
        self.waiting.iter_mut().for_each(|batch| batch.sequence = None);
        true
    }

    /// The next batch, which is in flight to a broker from now on.
    pub(super) fn send(&mut self, to: i32) -> Option<Sent> {
        self.sent_to = to;
        let mut batch = self.waiting.pop_front()?;
        if self.producer.is_some() && batch.sequence.is_none() {
            batch.sequence = Some(self.next_sequence);
            self.next_sequence = after(self.next_sequence, batch.count());
        }
        let sent = Sent { bytes: batch.stamped(self.producer), number: batch.number };
        self.in_flight.push_back(batch);
        Some(sent)
    }

    /// Takes the answer to the batch of this number; what is to be sent again waits until
    /// `retry_ns`.
    pub(super) fn settle(&mut self, number: u64, answer: Answer, retry_ns: u64) -> Option<Settled> {
        let at = self.in_flight.iter().position(|batch| batch.number == number)?;
        let mut batch = self.in_flight.remove(at)?;
        let settled = match answer {
            Answer::Stored => {
                self.proven = true;
                Some(Settled::Stored(batch))
            }
            Answer::Never => {
                if batch.may_be_stored {
                    self.end_sequence();
                    self.gathering = true;
                } else {
                    self.close_gap(&batch);
                }
                Some(Settled::GivenUp(batch))
            }
            Answer::Again => {
                batch.may_be_stored = true;
                self.give_back(batch, retry_ns);
                None
            }
            Answer::Gap => {
                let before = |other: &Batch| other.number < number;
                let is_first = !self.waiting.front().is_some_and(before)
                    && !self.in_flight.front().is_some_and(before);
                // Without a place, it has been given that of one that was refused.
                if is_first && batch.sequence.is_some() {
                    // Nothing of ours is before it: the broker has lost what it had confirmed.
                    self.end_sequence();
                }
                self.give_back(batch, retry_ns);
                None
            }
        };
        if self.in_flight.is_empty() {
            self.gathering = false;
        }
        settled
    }

    /// Gives up what has waited since before `before_ns`, and with it what was sent behind it.
    pub(super) fn expire(&mut self, before_ns: u64) -> Vec<Batch> {
        let mut expired = Vec::new();
        // What is in flight is answered, or its connection given up.
        if !self.in_flight.is_empty() {
            return expired;
        }
        let mut unknown = false;
        while let Some(batch) = self.waiting.front()
            && (batch.begun_ns < before_ns || (unknown && batch.sequence.is_some()))
            && let Some(batch) = self.waiting.pop_front()
        {
            unknown |= batch.sequence.is_some();
            expired.push(batch);
        }
        if unknown {
            self.end_sequence();
        }
        expired
    }

    /// Gives up all that waits, where nothing is in flight.
    pub(super) fn abandon(&mut self) -> Vec<Batch> {
        self.expire(u64::MAX)
    }

    fn end_sequence(&mut self) {
        self.spent = self.producer.take().or(self.spent);
    }

    /// Puts a batch that was sent back in its order.
    fn give_back(&mut self, batch: Batch, retry_ns: u64) {
        let at = self.waiting.partition_point(|other| other.number < batch.number);
        self.waiting.insert(at, batch);
        self.not_before_ns = retry_ns;
        self.gathering = true;
    }

    /// Lets what was sent behind a batch that the broker refused, and so was refused too, move up.
    fn close_gap(&mut self, refused: &Batch) {
        let Some(sequence) = refused.sequence else { return };
        self.next_sequence = sequence;
        let behind = self.waiting.iter_mut().chain(&mut self.in_flight);
        for batch in behind.filter(|batch| batch.number > refused.number) {
            batch.sequence = None;
        }
        self.gathering = true;
    }
}

/// The sequence number behind a batch of `count` records that begins at `sequence`; they wrap.
fn after(sequence: i32, count: usize) -> i32 {
    (i64::from(sequence) + count as i64).rem_euclid(1 << 31) as i32
}

#[cfg(test)]
mod tests {
    use super::super::batch::{Note, OpenBatch, UNPACED};
    use super::super::codec::{Codec, Compressor};
    use super::*;

    const LEADER: i32 = 1;
    const ME: ProducerId = ProducerId { id: 5, epoch: 0 };

    fn batch(records: u64) -> Batch {
        let mut open = OpenBatch::new(None);
        for at in 0..records {
            let note = Note { enqueued_ns: at, intended_ns: UNPACED, bytes: 2 };
            open.push(b"k", b"v", 0, note);
        }
        open.close(0, &mut Compressor::new(Codec::None, None)).unwrap().0
    }

    /// A partition whose batches have 10, 20, 30, ... records; `sent` of `pushed` are in flight, as
    /// if others had been stored before.
    fn partition(pushed: u64, sent: usize) -> Partition {
        let mut partition = Partition::default();
        partition.begin(ME);
        partition.proven = true;
        (1..=pushed).for_each(|at| partition.push(batch(10 * at)));
        (0..sent).for_each(|_| assert!(partition.send(LEADER).is_some()));
        partition
    }

    /// Sends all that may be sent; their numbers and sequences.
    fn send(partition: &mut Partition, now_ns: u64) -> Vec<(u64, Option<i32>)> {
        let mut sent = Vec::new();
        while partition.is_ready(LEADER, now_ns, 0, 5) {
            let number = partition.send(LEADER).unwrap().number;
            let batch = partition.in_flight.back().unwrap();
            assert_eq!(batch.number, number);
            sent.push((number, batch.sequence));
        }
        sent
    }

    #[test]
    fn a_sequence_counts_records_and_wraps() {
        let mut partition = partition(3, 0);
        assert_eq!(send(&mut partition, 0), [(0, Some(0)), (1, Some(10)), (2, Some(30))]);
        assert_eq!(after(i32::MAX, 1), 0);
        assert_eq!(after(i32::MAX - 3, 10), 6);
    }

    #[test]
    fn the_first_of_a_sequence_goes_alone() {
        let mut partition = Partition::default();
        partition.begin(ME);
        (1..=3).for_each(|at| partition.push(batch(10 * at)));
        assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
        partition.settle(0, Answer::Again, 0);
        assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
        partition.settle(0, Answer::Stored, 0);
        assert_eq!(send(&mut partition, 0), [(1, Some(10)), (2, Some(30))]);
    }

    #[test]
    fn no_retry_overtakes_another_and_none_changes_its_place() {
        let mut partition = partition(4, 3);
        // The middle one comes back first, then the last, then the first.
        assert!(partition.settle(1, Answer::Again, 100).is_none());
        assert!(!partition.is_ready(LEADER, 1_000, 0, 5), "others are still in flight");
        assert!(partition.settle(2, Answer::Gap, 100).is_none());
        assert!(partition.settle(0, Answer::Again, 100).is_none());
        assert!(!partition.is_ready(LEADER, 99, 0, 5), "a retry waits");
        assert!(!partition.is_ready(LEADER, 100, 1, 5), "what is late is not sent again");
        assert!(partition.has_producer());
        let again = [(0, Some(0)), (1, Some(10)), (2, Some(30)), (3, Some(60))];
        assert_eq!(send(&mut partition, 100), again);
    }

    #[test]
    fn what_is_refused_leaves_its_place_to_the_next() {
        let mut partition = partition(4, 3);
        assert!(matches!(partition.settle(0, Answer::Stored, 0), Some(Settled::Stored(_))));
        assert!(matches!(partition.settle(1, Answer::Never, 0), Some(Settled::GivenUp(_))));
        assert!(!partition.is_ready(LEADER, 0, 0, 5));
        assert!(partition.settle(2, Answer::Gap, 0).is_none());
        assert!(partition.has_producer(), "its place was that of another");
        assert_eq!(send(&mut partition, 0), [(2, Some(10)), (3, Some(40))]);
    }

    #[test]
    fn what_is_refused_but_may_be_stored_ends_the_sequence() {
        let mut partition = partition(3, 2);
        partition.settle(0, Answer::Again, 0);
        partition.settle(1, Answer::Again, 0);
        assert_eq!(send(&mut partition, 0), [(0, Some(0)), (1, Some(10)), (2, Some(30))]);
        assert!(matches!(partition.settle(0, Answer::Never, 0), Some(Settled::GivenUp(_))));
        assert!(!partition.lacks_producer(), "answers are still out");
        partition.settle(1, Answer::Gap, 0);
        partition.settle(2, Answer::Again, 0);
        assert!(partition.lacks_producer() && !partition.begin(ME));
        assert!(partition.begin(ProducerId { id: 6, epoch: 0 }));
        assert_eq!(send(&mut partition, 0), [(1, Some(0))]);
        partition.settle(1, Answer::Stored, 0);
        assert_eq!(send(&mut partition, 0), [(2, Some(20))]);
    }

    #[test]
    fn nothing_overtakes_on_the_way_to_a_new_leader() {
        for idempotent in [true, false] {
            let mut partition = partition(2, 1);
            if !idempotent {
                partition.producer = None;
            }
            assert!(partition.is_ready(LEADER, 0, 0, 5));
            assert!(!partition.is_ready(LEADER + 1, 0, 0, 5), "its answer is still out");
            partition.settle(0, Answer::Again, 0);
            assert!(partition.is_ready(LEADER + 1, 0, 0, 5));
            assert_eq!(partition.send(LEADER + 1).unwrap().number, 0);
        }
    }

    #[test]
    fn a_gap_that_is_not_ours_begins_a_sequence() {
        let mut partition = partition(2, 2);
        assert!(partition.settle(0, Answer::Gap, 0).is_none());
        assert!(!partition.lacks_producer(), "an answer is still out");
        assert!(partition.settle(1, Answer::Gap, 0).is_none());
        assert!(partition.lacks_producer() && !partition.begin(ME));
        assert!(partition.begin(ProducerId { id: 6, epoch: 0 }));
        assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
        partition.settle(0, Answer::Stored, 0);
        assert_eq!(send(&mut partition, 0), [(1, Some(10))]);
    }

    #[test]
    fn what_nobody_knows_of_is_given_up_with_what_was_sent_behind_it() {
        let mut partition = partition(4, 2);
        assert!(partition.expire(u64::MAX).is_empty(), "some are in flight");
        partition.settle(0, Answer::Again, 0);
        partition.settle(1, Answer::Again, 0);
        // All begun at 0: older than 1, but what was never sent need not go for the others' sake.
        partition.waiting[1].begun_ns = 7;
        partition.waiting[2].begun_ns = 7;
        partition.waiting[3].begun_ns = 7;
        let expired: Vec<u64> = partition.expire(1).iter().map(|batch| batch.number).collect();
        assert_eq!(expired, [0, 1]);
        assert!(!partition.has_producer() && !partition.begin(ME));
        assert!(partition.begin(ProducerId { id: 6, epoch: 0 }));
        assert_eq!(send(&mut partition, 0), [(2, Some(0))]);
    }

    #[test]
    fn without_a_sequence_the_order_is_kept_too() {
        let mut partition = Partition::default();
        (1..=3).for_each(|at| partition.push(batch(at)));
        assert_eq!(send(&mut partition, 0), [(0, None), (1, None), (2, None)]);
        for number in [2, 0, 1] {
            partition.settle(number, Answer::Again, 0);
        }
        assert_eq!(send(&mut partition, 0), [(0, None), (1, None), (2, None)]);
        partition.settle(1, Answer::Never, 0);
        partition.settle(0, Answer::Stored, 0);
        partition.settle(2, Answer::Stored, 0);
        assert!(partition.is_empty());
    }
}
