//! The batches of one partition, in the order in which they must arrive.
//!
//! Up to some requests are in flight at once. Where one of their batches comes back to be sent
//! again, nothing more is sent until the others have come back too; then all that came back is sent
//! again in order. Nor is anything sent to a new leader before the old one has answered. So no batch
//! overtakes another, with a sequence or without.
//!
//! With a sequence, its first batch goes alone, and so does the first to a new leader: a broker that
//! knows nothing of a sequence takes any batch as its first, and calls the true first a duplicate.
//! After that brokers refuse a batch whose predecessor they lack. Where a batch is refused, what was
//! sent behind it has been refused too, and takes its place in the sequence.
//!
//! A batch whose outcome is unknown is in doubt. Brokers forget sequences (by the timestamps of the
//! records: `producer.id.expiration.ms`), so a batch in doubt is not sent again before the log was
//! searched for it, from the end of what is known to be stored. See `search`.

use std::collections::VecDeque;

use bytes::Bytes;

use super::batch::{Batch, ProducerId};
use super::outcome::Outcome;
use super::search::{LogBatch, Search};

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
    /// The producer before, whose sequence has ended here.
    spent: Option<ProducerId>,
    next_sequence: i32,
    /// Whether the leader has stored a batch of the sequence.
    proven: bool,
    /// The sequence ends as soon as nothing of it is in doubt.
    ending: bool,
    /// The offset behind the last record that is known to be stored, or the end of the log when the
    /// producer began; none until that was asked.
    known_end: Option<i64>,
    /// The search for batches in doubt.
    search: Option<Search>,
    /// Whether a question about the log is with the broker.
    asking: bool,
}

/// A batch with a final outcome.
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

/// What has to be asked about a partition's log before more can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Where it ends.
    End,
    /// Where it begins: what was to be read has been deleted.
    Start,
    /// Which batches stand in it from an offset on.
    Batches {
        /// The offset.
        from: i64,
    },
}

/// How far apart the numbers of batches are, so that the parts of one that is split find room.
const NUMBER_STEP: u64 = 1 << 32;

impl Partition {
    /// Adds a batch behind the others.
    pub(super) fn push(&mut self, mut batch: Batch) {
        batch.number = self.pushed;
        batch.number_span = NUMBER_STEP;
        self.pushed += NUMBER_STEP;
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
            && self.in_flight.len() < self.most_in_flight(to, most)
            && now_ns >= self.not_before_ns
            && (self.producer.is_none() || (self.known_end.is_some() && !self.has_doubt()))
    }

    fn most_in_flight(&self, to: i32, most: usize) -> usize {
        let known = self.proven && self.sent_to == to;
        if self.producer.is_none() || known { most } else { 1 }
    }

    /// Until when a retry waits, if one does.
    pub(super) fn waits_until(&self) -> Option<u64> {
        let waits = !self.waiting.is_empty() && !self.gathering && !self.asking;
        waits.then_some(self.not_before_ns)
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
    /// that producer's has ended here.
    pub(super) fn begin(&mut self, producer: ProducerId) -> bool {
        if self.spent == Some(producer) {
            return false;
        }
        self.producer = Some(producer);
        (self.next_sequence, self.proven) = (0, false);
        self.waiting.iter_mut().for_each(|batch| batch.needs_place = true);
        true
    }

    /// The next batch, which is in flight to a broker from now on.
    pub(super) fn send(&mut self, to: i32) -> Option<Sent> {
        let mut batch = self.waiting.pop_front()?;
        self.proven &= self.sent_to == to;
        self.sent_to = to;
        if self.producer.is_some() && batch.needs_place {
            batch.needs_place = false;
            batch.sequence = Some(self.next_sequence);
            self.next_sequence = after(self.next_sequence, batch.count());
        }
        let sent = Sent { bytes: batch.stamped(self.producer), number: batch.number };
        self.in_flight.push_back(batch);
        Some(sent)
    }

    /// Takes the outcome of the batch of this number; what is to be sent again waits until
    /// `retry_ns`.
    pub(super) fn settle(
        &mut self,
        number: u64,
        outcome: Outcome,
        retry_ns: u64,
    ) -> Option<Settled> {
        let at = self.in_flight.iter().position(|batch| batch.number == number)?;
        let mut batch = self.in_flight.remove(at)?;
        let settled = match outcome {
            Outcome::Stored { base_offset } => {
                self.proven = true;
                let end = base_offset.map(|base| base + batch.count() as i64);
                self.known_end = self.known_end.max(end);
                Some(Settled::Stored(batch))
            }
            Outcome::TooLarge if batch.count() > 1 => {
                self.close_gap(&batch);
                match batch.split() {
                    Ok(parts) => {
                        parts.into_iter().for_each(|part| self.give_back(part, 0));
                        None
                    }
                    Err(batch) => Some(Settled::GivenUp(*batch)),
                }
            }
            Outcome::Refused | Outcome::TooLarge => {
                self.close_gap(&batch);
                Some(Settled::GivenUp(batch))
            }
            Outcome::Deferred => {
                self.give_back(batch, retry_ns);
                None
            }
            Outcome::Unknown => {
                batch.in_doubt = true;
                self.give_back(batch, retry_ns);
                None
            }
            Outcome::Duplicate => {
                // Stored by an earlier request, or its place in the sequence was another's.
                batch.in_doubt = true;
                self.ending = true;
                self.give_back(batch, retry_ns);
                None
            }
            Outcome::OutOfSequence => {
                let before = |other: &Batch| other.number < number;
                let is_first = !self.waiting.front().is_some_and(before)
                    && !self.in_flight.front().is_some_and(before);
                // Without a place, it has been given that of one that was refused.
                if is_first && !batch.needs_place {
                    // Nothing of ours is before it: the broker has lost what it had confirmed.
                    self.ending = true;
                }
                self.give_back(batch, retry_ns);
                None
            }
        };
        if self.in_flight.is_empty() {
            self.gathering = false;
            self.end_where_certain();
        }
        settled
    }

    // --- batches in doubt ------------------------------------------------------------------

    /// Whether a batch that waits may have been stored.
    fn has_doubt(&self) -> bool {
        self.producer.is_some() && self.waiting.iter().any(|batch| batch.in_doubt)
    }

    /// What has to be asked about its log at `now_ns`, if anything: where it ends before the first
    /// batch of all, and what stands in it where batches are in doubt.
    pub(super) fn question(&self, now_ns: u64) -> Option<Question> {
        let is_due = !self.asking && self.in_flight.is_empty() && now_ns >= self.not_before_ns;
        match &self.search {
            _ if !is_due => None,
            Some(search) if search.is_outside => Some(Question::Start),
            Some(search) => Some(Question::Batches { from: search.next }),
            None => (self.known_end.is_none() || self.has_doubt()).then_some(Question::End),
        }
    }

    /// Notes that a question is with the broker.
    pub(super) fn asked(&mut self) {
        self.asking = true;
    }

    /// Notes that a question has no answer; it is asked again from `retry_ns` on.
    pub(super) fn unanswered(&mut self, retry_ns: u64) {
        self.asking = false;
        self.search = None;
        self.not_before_ns = retry_ns;
    }

    /// Takes where the log ends. Returns the batches that are stored after all.
    pub(super) fn take_end(&mut self, end: i64) -> Vec<Batch> {
        self.asking = false;
        match self.known_end {
            None => self.known_end = Some(end),
            _ if !self.has_doubt() => {}
            Some(known) if end <= known => {
                // Nothing came behind what is known; less where an unclean election cut the log.
                self.known_end = Some(end);
                return self.resolve(&[]);
            }
            Some(known) => self.search = Some(Search::new(known, end)),
        }
        Vec::new()
    }

    /// Takes where the log begins. Returns the batches that are stored after all.
    pub(super) fn take_start(&mut self, start: i64) -> Vec<Batch> {
        self.asking = false;
        if let Some(search) = &mut self.search {
            search.is_outside = false;
            search.next = search.next.max(start);
        }
        self.end_search()
    }

    /// Takes the batches that stand in the log from the offset on that was asked for; it is asked
    /// again from `retry_ns` on where none do yet. Returns the batches that are stored after all, once
    /// that is known of each.
    pub(super) fn take_batches(
        &mut self,
        batches: impl Iterator<Item = LogBatch>,
        retry_ns: u64,
    ) -> Vec<Batch> {
        self.asking = false;
        if let (Some(search), Some(producer)) = (&mut self.search, self.producer)
            && !search.take(batches, producer)
        {
            self.not_before_ns = retry_ns;
        }
        self.end_search()
    }

    /// Notes that the log doesn't have the offset that was asked for: its beginning or its end has
    /// passed it.
    pub(super) fn out_of_range(&mut self) {
        self.asking = false;
        if let Some(search) = &mut self.search {
            search.is_outside = true;
        }
    }

    /// Settles the batches in doubt where all of the log was seen.
    fn end_search(&mut self) -> Vec<Batch> {
        match self.search.take_if(|search| search.is_over()) {
            Some(search) => self.resolve(&search.found),
            None => Vec::new(),
        }
    }

    /// Gives the search up: the broker doesn't show the log. Batches in doubt are sent again at their
    /// places in the sequence, which keeps them from being stored twice while the broker knows it.
    pub(super) fn resolve_unseen(&mut self) {
        self.asking = false;
        self.search = None;
        self.waiting.iter_mut().for_each(|batch| batch.in_doubt = false);
        self.proven = false;
        self.end_where_certain();
    }

    /// Settles the batches in doubt by those of the sequence that stand in the log.
    fn resolve(&mut self, found: &[LogBatch]) -> Vec<Batch> {
        self.search = None;
        self.proven = false;
        let mut stored = Vec::new();
        let mut missing = false;
        let mut left = VecDeque::with_capacity(self.waiting.len());
        for mut batch in std::mem::take(&mut self.waiting) {
            let is_it = |one: &&LogBatch| {
                Some(one.sequence) == batch.sequence && one.count == batch.count()
            };
            match found.iter().find(is_it).filter(|_| batch.in_doubt) {
                Some(at) => {
                    // A place behind one that is missing can't be followed by it any more.
                    self.ending |= missing;
                    self.known_end = self.known_end.max(Some(at.end));
                    stored.push(batch);
                }
                None => {
                    missing |= batch.in_doubt;
                    batch.in_doubt = false;
                    left.push_back(batch);
                }
            }
        }
        self.waiting = left;
        self.end_where_certain();
        stored
    }

    // --- giving up -------------------------------------------------------------------------

    /// Gives up what has waited since before `before_ns`, and with it what was sent behind it.
    pub(super) fn expire(&mut self, before_ns: u64) -> Vec<Batch> {
        let mut expired = Vec::new();
        // What is in flight is answered, or its connection given up.
        if !self.in_flight.is_empty() {
            return expired;
        }
        let mut unknown = false;
        while let Some(batch) = self.waiting.front()
            && (batch.begun_ns < before_ns || (unknown && !batch.needs_place))
            && let Some(batch) = self.waiting.pop_front()
        {
            unknown |= !batch.needs_place;
            expired.push(batch);
        }
        if unknown {
            self.search = None;
            self.end_sequence();
        }
        expired
    }

    /// Gives up all that waits, where nothing is in flight.
    pub(super) fn abandon(&mut self) -> Vec<Batch> {
        self.expire(u64::MAX)
    }

    /// Lets `lost_ns` in which this process did not run pass without making anything late.
    pub(super) fn forgive(&mut self, lost_ns: u64) {
        let batches = self.waiting.iter_mut().chain(&mut self.in_flight);
        batches.for_each(|batch| batch.begun_ns += lost_ns);
    }

    /// Ends a sequence that is to end, once nothing of it is in flight or in doubt.
    fn end_where_certain(&mut self) {
        if self.ending && self.in_flight.is_empty() && !self.has_doubt() {
            self.end_sequence();
        }
    }

    fn end_sequence(&mut self) {
        self.ending = false;
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
            batch.needs_place = true;
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
    const STORED: Outcome = Outcome::Stored { base_offset: None };

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
        let mut partition = Partition { known_end: Some(1_000), ..Partition::default() };
        partition.begin(ME);
        (partition.proven, partition.sent_to) = (true, LEADER);
        (1..=pushed).for_each(|at| partition.push(batch(10 * at)));
        (0..sent).for_each(|_| assert!(partition.send(LEADER).is_some()));
        partition
    }

    /// Sends all that may be sent to a broker; their numbers and sequences.
    fn send_to(partition: &mut Partition, to: i32, now_ns: u64) -> Vec<(u64, Option<i32>)> {
        let mut sent = Vec::new();
        while partition.is_ready(to, now_ns, 0, 5) {
            let number = partition.send(to).unwrap().number;
            let batch = partition.in_flight.back().unwrap();
            assert_eq!(batch.number, number);
            sent.push((number / NUMBER_STEP, batch.sequence));
        }
        sent
    }

    fn send(partition: &mut Partition, now_ns: u64) -> Vec<(u64, Option<i32>)> {
        send_to(partition, LEADER, now_ns)
    }

    /// Settles the nth batch that was pushed; it waits until 100 where it is sent again.
    fn later(partition: &mut Partition, nth: u64, outcome: Outcome) -> Option<Settled> {
        partition.settle(nth * NUMBER_STEP, outcome, 100)
    }

    /// Settles the nth batch that was pushed.
    fn settle(partition: &mut Partition, nth: u64, outcome: Outcome) -> Option<Settled> {
        partition.settle(nth * NUMBER_STEP, outcome, 0)
    }

    /// The nth batch that was pushed, of `count` records, as it stands in the log.
    fn logged(sequence: i32, count: usize, end: i64) -> LogBatch {
        LogBatch { producer: ME, sequence, count, end }
    }

    /// The numbers of batches.
    fn numbers(batches: &[Batch]) -> Vec<u64> {
        batches.iter().map(|batch| batch.number / NUMBER_STEP).collect()
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
        let mut partition = Partition { known_end: Some(0), ..Partition::default() };
        partition.begin(ME);
        (1..=3).for_each(|at| partition.push(batch(10 * at)));
        assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
        settle(&mut partition, 0, Outcome::Deferred);
        assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
        settle(&mut partition, 0, STORED);
        assert_eq!(send(&mut partition, 0), [(1, Some(10)), (2, Some(30))]);
    }

    #[test]
    fn no_retry_overtakes_another_and_none_changes_its_place() {
        let mut partition = partition(4, 3);
        // The middle one comes back first, then the last, then the first.
        assert!(later(&mut partition, 1, Outcome::Deferred).is_none());
        assert!(!partition.is_ready(LEADER, 1_000, 0, 5), "others are still in flight");
        assert!(later(&mut partition, 2, Outcome::OutOfSequence).is_none());
        assert!(later(&mut partition, 0, Outcome::Deferred).is_none());
        assert!(!partition.is_ready(LEADER, 99, 0, 5), "a retry waits");
        assert!(!partition.is_ready(LEADER, 100, 1, 5), "what is late is not sent again");
        assert!(partition.has_producer());
        let again = [(0, Some(0)), (1, Some(10)), (2, Some(30)), (3, Some(60))];
        assert_eq!(send(&mut partition, 100), again);
    }

    #[test]
    fn what_is_refused_leaves_its_place_to_the_next() {
        let mut partition = partition(4, 3);
        assert!(matches!(settle(&mut partition, 0, STORED), Some(Settled::Stored(_))));
        assert!(matches!(settle(&mut partition, 1, Outcome::Refused), Some(Settled::GivenUp(_))));
        assert!(!partition.is_ready(LEADER, 0, 0, 5));
        assert!(settle(&mut partition, 2, Outcome::OutOfSequence).is_none());
        assert!(partition.has_producer(), "its place was that of another");
        assert_eq!(send(&mut partition, 0), [(2, Some(10)), (3, Some(40))]);
    }

    #[test]
    fn a_batch_in_doubt_is_not_sent_again_before_the_log_was_searched() {
        let mut partition = partition(3, 2);
        settle(&mut partition, 0, Outcome::Unknown);
        assert_eq!(partition.question(0), None, "an answer is still out");
        settle(&mut partition, 1, Outcome::Unknown);
        assert_eq!(send(&mut partition, 0), []);
        assert_eq!(partition.question(0), Some(Question::End));
        partition.asked();
        assert_eq!(partition.question(0), None, "it is being asked");
        assert!(partition.take_end(1_012).is_empty());
        assert_eq!(partition.question(0), Some(Question::Batches { from: 1_000 }));
        // Another writer's batch looks alike.
        let other = LogBatch { producer: ProducerId { id: 6, epoch: 0 }, ..logged(10, 20, 1_002) };
        assert!(partition.take_batches([other].into_iter(), 0).is_empty());
        assert_eq!(partition.question(0), Some(Question::Batches { from: 1_002 }));
        let stored = partition.take_batches([logged(0, 10, 1_012)].into_iter(), 0);
        assert_eq!(numbers(&stored), [0]);
        assert_eq!(partition.known_end, Some(1_012));
        // Only what is missing is sent, at its place, alone until the broker proves to know it.
        assert_eq!(send(&mut partition, 0), [(1, Some(10))]);
        settle(&mut partition, 1, STORED);
        assert_eq!(send(&mut partition, 0), [(2, Some(30))]);
    }

    #[test]
    fn nothing_behind_the_known_end_means_that_nothing_was_stored() {
        let mut partition = partition(2, 0);
        assert_eq!(send(&mut partition, 0), [(0, Some(0)), (1, Some(10))]);
        settle(&mut partition, 0, Outcome::Stored { base_offset: Some(1_000) });
        settle(&mut partition, 1, Outcome::Unknown);
        assert!(partition.take_end(1_010).is_empty());
        assert_eq!(partition.question(0), None);
        assert_eq!(send(&mut partition, 0), [(1, Some(10))]);
    }

    #[test]
    fn a_search_waits_for_replicas_and_begins_anew_where_its_answer_is_lost() {
        let mut partition = partition(1, 1);
        settle(&mut partition, 0, Outcome::Unknown);
        partition.take_end(1_010);
        // The batch is there, and its replicas lag: a reader is not shown it yet.
        assert!(partition.take_batches(std::iter::empty(), 50).is_empty());
        assert_eq!(partition.question(49), None);
        assert_eq!(partition.question(50), Some(Question::Batches { from: 1_000 }));
        partition.asked();
        partition.unanswered(80);
        assert_eq!((partition.question(79), partition.question(80)), (None, Some(Question::End)));
        assert_eq!(send(&mut partition, 100), []);
        partition.take_end(1_010);
        // Records are deleted by their age while the search is under way.
        partition.out_of_range();
        assert_eq!(partition.question(80), Some(Question::Start));
        assert!(partition.take_start(1_010).is_empty());
        assert_eq!(send(&mut partition, 100), [(0, Some(0))]);
    }

    #[test]
    fn a_duplicate_counts_as_stored_only_where_the_log_has_it() {
        for is_there in [true, false] {
            let mut partition = partition(2, 1);
            settle(&mut partition, 0, Outcome::Duplicate);
            partition.take_end(1_010);
            let stands = is_there.then(|| logged(0, 10, 1_010));
            let other = logged(0, 3, 1_010);
            let stored = partition.take_batches([stands.unwrap_or(other)].into_iter(), 0);
            assert_eq!(stored.len(), usize::from(is_there));
            // Either way its sequence is not as the broker has it.
            assert!(partition.lacks_producer() && !partition.begin(ME));
            assert!(partition.begin(ProducerId { id: 6, epoch: 0 }));
            let next = if is_there { (1, Some(0)) } else { (0, Some(0)) };
            assert_eq!(send(&mut partition, 0), [next]);
        }
    }

    #[test]
    fn a_sequence_does_not_end_while_a_batch_of_it_is_in_doubt() {
        let mut partition = partition(3, 2);
        settle(&mut partition, 0, Outcome::Unknown);
        settle(&mut partition, 1, Outcome::Unknown);
        partition.take_end(1_010);
        assert!(partition.take_batches([logged(0, 10, 1_010)].into_iter(), 0).len() == 1);
        assert_eq!(send(&mut partition, 0), [(1, Some(10))]);
        // The broker forgot the sequence meanwhile, and has none of it.
        settle(&mut partition, 1, Outcome::OutOfSequence);
        assert!(partition.lacks_producer(), "nothing is in doubt");
        let mut partition = self::partition(2, 2);
        settle(&mut partition, 1, Outcome::Unknown);
        settle(&mut partition, 0, Outcome::OutOfSequence);
        assert!(!partition.lacks_producer(), "the second may be stored under it");
        partition.take_end(1_020);
        assert_eq!(partition.take_batches([logged(10, 20, 1_020)].into_iter(), 0).len(), 1);
        assert!(partition.lacks_producer());
    }

    #[test]
    fn what_may_not_be_read_is_sent_again_at_its_place() {
        let mut partition = partition(1, 1);
        settle(&mut partition, 0, Outcome::Unknown);
        partition.take_end(1_010);
        partition.resolve_unseen();
        assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
    }

    #[test]
    fn the_first_to_a_new_leader_goes_alone() {
        let mut partition = partition(3, 0);
        assert_eq!(send_to(&mut partition, LEADER + 1, 0), [(0, Some(0))]);
        settle(&mut partition, 0, STORED);
        let others = [(1, Some(10)), (2, Some(30))];
        assert_eq!(send_to(&mut partition, LEADER + 1, 0), others);
    }

    #[test]
    fn where_a_log_ends_is_asked_before_the_first_batch() {
        let mut partition = Partition::default();
        assert_eq!(partition.question(0), Some(Question::End));
        partition.push(batch(10));
        partition.begin(ME);
        assert_eq!(send(&mut partition, 0), []);
        partition.take_end(7);
        assert_eq!((partition.question(0), partition.known_end), (None, Some(7)));
        assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
    }

    #[test]
    fn a_batch_that_is_too_large_is_split_and_its_parts_take_its_place() {
        let mut partition = partition(3, 2);
        assert!(settle(&mut partition, 0, Outcome::TooLarge).is_none());
        settle(&mut partition, 1, Outcome::OutOfSequence);
        let sent = send(&mut partition, 0);
        assert_eq!(sent, [(0, Some(0)), (0, Some(5)), (1, Some(10)), (2, Some(30))]);
        // A single record that is too large is given up.
        let mut partition = self::partition(0, 0);
        partition.push(batch(1));
        send(&mut partition, 0);
        let given_up = settle(&mut partition, 0, Outcome::TooLarge);
        assert!(matches!(given_up, Some(Settled::GivenUp(_))));
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
            settle(&mut partition, 0, Outcome::Deferred);
            assert!(partition.is_ready(LEADER + 1, 0, 0, 5));
            let sent = send_to(&mut partition, LEADER + 1, 0);
            assert_eq!(sent[0].0, 0);
        }
    }

    #[test]
    fn a_gap_that_is_not_ours_begins_a_sequence() {
        let mut partition = partition(2, 2);
        assert!(settle(&mut partition, 0, Outcome::OutOfSequence).is_none());
        assert!(!partition.lacks_producer(), "an answer is still out");
        assert!(settle(&mut partition, 1, Outcome::OutOfSequence).is_none());
        assert!(partition.lacks_producer() && !partition.begin(ME));
        assert!(partition.begin(ProducerId { id: 6, epoch: 0 }));
        assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
        settle(&mut partition, 0, STORED);
        assert_eq!(send(&mut partition, 0), [(1, Some(10))]);
    }

    #[test]
    fn what_nobody_knows_of_is_given_up_with_what_was_sent_behind_it() {
        let mut partition = partition(4, 2);
        assert!(partition.expire(u64::MAX).is_empty(), "some are in flight");
        settle(&mut partition, 0, Outcome::Deferred);
        settle(&mut partition, 1, Outcome::Deferred);
        // All begun at 0: older than 1, but what was never sent need not go for the others' sake.
        partition.waiting[1].begun_ns = 7;
        partition.waiting[2].begun_ns = 7;
        partition.waiting[3].begun_ns = 7;
        let expired: Vec<u64> = numbers(&partition.expire(1));
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
            settle(&mut partition, number, Outcome::Deferred);
        }
        assert_eq!(send(&mut partition, 0), [(0, None), (1, None), (2, None)]);
        settle(&mut partition, 1, Outcome::Refused);
        settle(&mut partition, 0, STORED);
        settle(&mut partition, 2, STORED);
        assert!(partition.is_empty());
    }
}
