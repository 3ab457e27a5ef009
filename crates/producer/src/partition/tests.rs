//! The order of batches and their places in the sequence, as outcomes come in.

use super::*;
use crate::batch::OpenBatch;
use crate::codec::{Codec, Compressor};
use crate::log_search::LogBatch;
use crate::note::{NO_OPAQUE, RecordNote};

const LEADER: i32 = 1;
const ME: ProducerId = ProducerId { id: 5, epoch: 0 };
const APPENDED: BatchOutcome = BatchOutcome::Appended { base_offset: None };

fn batch(records: u64) -> Batch {
    let mut open = OpenBatch::new(None);
    for at in 0..records {
        let note = RecordNote { enqueued_ns: at, opaque: NO_OPAQUE, bytes: 2 };
        open.push(b"k", b"v", 0, note);
    }
    open.close(0, &mut Compressor::new(Codec::None, None)).unwrap().0
}

/// A partition whose batches have 10, 20, 30, ... records; `sent` of `pushed` are in flight, as
/// if others had been stored before.
fn partition(pushed: u64, sent: usize) -> Partition {
    let mut partition = Partition { known_end_offset: Some(1_000), ..Partition::default() };
    partition.begin_sequence(ME);
    (partition.sequence_known, partition.sent_to) = (true, LEADER);
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
fn later(partition: &mut Partition, nth: u64, outcome: BatchOutcome) -> Option<Completed> {
    partition.complete(nth * NUMBER_STEP, outcome, 100)
}

/// Settles the nth batch that was pushed.
fn complete(partition: &mut Partition, nth: u64, outcome: BatchOutcome) -> Option<Completed> {
    partition.complete(nth * NUMBER_STEP, outcome, 0)
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
    let mut partition = Partition { known_end_offset: Some(0), ..Partition::default() };
    partition.begin_sequence(ME);
    (1..=3).for_each(|at| partition.push(batch(10 * at)));
    assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
    complete(&mut partition, 0, BatchOutcome::NotAppended);
    assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
    complete(&mut partition, 0, APPENDED);
    assert_eq!(send(&mut partition, 0), [(1, Some(10)), (2, Some(30))]);
}

#[test]
fn no_retry_overtakes_another_and_none_changes_its_place() {
    let mut partition = partition(4, 3);
    // The middle one comes back first, then the last, then the first.
    assert!(later(&mut partition, 1, BatchOutcome::NotAppended).is_none());
    assert!(!partition.is_ready(LEADER, 1_000, 0, 5), "others are still in flight");
    assert!(later(&mut partition, 2, BatchOutcome::OutOfOrderSequence).is_none());
    assert!(later(&mut partition, 0, BatchOutcome::NotAppended).is_none());
    assert!(!partition.is_ready(LEADER, 99, 0, 5), "a retry waits");
    assert!(!partition.is_ready(LEADER, 100, 1, 5), "what is late is not sent again");
    assert!(partition.has_producer_id());
    let again = [(0, Some(0)), (1, Some(10)), (2, Some(30)), (3, Some(60))];
    assert_eq!(send(&mut partition, 100), again);
}

#[test]
fn what_is_refused_leaves_its_place_to_the_next() {
    let mut partition = partition(4, 3);
    assert!(matches!(complete(&mut partition, 0, APPENDED), Some(Completed::Acknowledged(_))));
    assert!(matches!(
        complete(&mut partition, 1, BatchOutcome::Rejected),
        Some(Completed::Failed(_))
    ));
    assert!(!partition.is_ready(LEADER, 0, 0, 5));
    assert!(complete(&mut partition, 2, BatchOutcome::OutOfOrderSequence).is_none());
    assert!(partition.has_producer_id(), "its place was that of another");
    assert_eq!(send(&mut partition, 0), [(2, Some(10)), (3, Some(40))]);
}

#[test]
fn a_batch_in_doubt_is_not_sent_again_before_the_log_was_searched() {
    let mut partition = partition(3, 2);
    complete(&mut partition, 0, BatchOutcome::Unknown);
    assert_eq!(partition.log_query(0), None, "an answer is still out");
    complete(&mut partition, 1, BatchOutcome::Unknown);
    assert_eq!(send(&mut partition, 0), []);
    assert_eq!(partition.log_query(0), Some(LogQuery::EndOffset));
    partition.log_query_sent();
    assert_eq!(partition.log_query(0), None, "it is being asked");
    assert!(partition.on_end_offset(1_012).is_empty());
    assert_eq!(partition.log_query(0), Some(LogQuery::Batches { from: 1_000 }));
    // Another writer's batch looks alike.
    let other = LogBatch { producer: ProducerId { id: 6, epoch: 0 }, ..logged(10, 20, 1_002) };
    assert!(partition.on_batches([other].into_iter(), 0).is_empty());
    assert_eq!(partition.log_query(0), Some(LogQuery::Batches { from: 1_002 }));
    let stored = partition.on_batches([logged(0, 10, 1_012)].into_iter(), 0);
    assert_eq!(numbers(&stored), [0]);
    assert_eq!(partition.known_end_offset, Some(1_012));
    // Only what is missing is sent, at its place, alone until the broker proves to know it.
    assert_eq!(send(&mut partition, 0), [(1, Some(10))]);
    complete(&mut partition, 1, APPENDED);
    assert_eq!(send(&mut partition, 0), [(2, Some(30))]);
}

#[test]
fn a_batch_in_doubt_is_searched_for_where_it_would_stand() {
    let mut partition = partition(3, 3);
    complete(&mut partition, 0, BatchOutcome::Unknown);
    complete(&mut partition, 1, BatchOutcome::Appended { base_offset: Some(1_010) });
    complete(&mut partition, 2, BatchOutcome::Unknown);
    partition.on_end_offset(1_060);
    // Not from the end of the second, behind which the first can't be.
    assert_eq!(partition.log_query(0), Some(LogQuery::Batches { from: 1_000 }));
    let found = [logged(0, 10, 1_010), logged(10, 20, 1_030), logged(30, 30, 1_060)];
    assert_eq!(numbers(&partition.on_batches(found.into_iter(), 0)), [0, 2]);
    assert!(partition.is_empty() && partition.has_producer_id());
}

#[test]
fn nothing_behind_the_known_end_means_that_nothing_was_stored() {
    let mut partition = partition(2, 0);
    assert_eq!(send(&mut partition, 0), [(0, Some(0)), (1, Some(10))]);
    complete(&mut partition, 0, BatchOutcome::Appended { base_offset: Some(1_000) });
    complete(&mut partition, 1, BatchOutcome::Unknown);
    assert!(partition.on_end_offset(1_010).is_empty());
    assert_eq!(partition.log_query(0), None);
    assert_eq!(send(&mut partition, 0), [(1, Some(10))]);
}

#[test]
fn a_search_waits_for_replicas_and_begins_anew_where_its_answer_is_lost() {
    let mut partition = partition(1, 1);
    complete(&mut partition, 0, BatchOutcome::Unknown);
    partition.on_end_offset(1_010);
    // The batch is there, and its replicas lag: a reader is not shown it yet.
    assert!(partition.on_batches(std::iter::empty(), 50).is_empty());
    assert_eq!(partition.log_query(49), None);
    assert_eq!(partition.log_query(50), Some(LogQuery::Batches { from: 1_000 }));
    partition.log_query_sent();
    partition.log_query_failed(80);
    assert_eq!(
        (partition.log_query(79), partition.log_query(80)),
        (None, Some(LogQuery::EndOffset))
    );
    assert_eq!(send(&mut partition, 100), []);
    partition.on_end_offset(1_010);
    // Records are deleted by their age while the search is under way.
    partition.on_offset_out_of_range();
    assert_eq!(partition.log_query(80), Some(LogQuery::StartOffset));
    assert!(partition.on_start_offset(1_010).is_empty());
    assert_eq!(send(&mut partition, 100), [(0, Some(0))]);
}

#[test]
fn a_duplicate_counts_as_stored_only_where_the_log_has_it() {
    for is_there in [true, false] {
        let mut partition = partition(2, 1);
        complete(&mut partition, 0, BatchOutcome::DuplicateSequence);
        partition.on_end_offset(1_010);
        let stands = is_there.then(|| logged(0, 10, 1_010));
        let other = logged(0, 3, 1_010);
        let stored = partition.on_batches([stands.unwrap_or(other)].into_iter(), 0);
        assert_eq!(stored.len(), usize::from(is_there));
        // Either way its sequence is not as the broker has it.
        assert!(partition.needs_producer_id() && !partition.begin_sequence(ME));
        assert!(partition.begin_sequence(ProducerId { id: 6, epoch: 0 }));
        let next = if is_there { (1, Some(0)) } else { (0, Some(0)) };
        assert_eq!(send(&mut partition, 0), [next]);
    }
}

#[test]
fn a_sequence_does_not_end_while_a_batch_of_it_is_in_doubt() {
    let mut partition = partition(3, 2);
    complete(&mut partition, 0, BatchOutcome::Unknown);
    complete(&mut partition, 1, BatchOutcome::Unknown);
    partition.on_end_offset(1_010);
    assert!(partition.on_batches([logged(0, 10, 1_010)].into_iter(), 0).len() == 1);
    assert_eq!(send(&mut partition, 0), [(1, Some(10))]);
    // The broker forgot the sequence meanwhile, and has none of it.
    complete(&mut partition, 1, BatchOutcome::OutOfOrderSequence);
    assert!(partition.needs_producer_id(), "nothing is in doubt");
    let mut partition = self::partition(2, 2);
    complete(&mut partition, 1, BatchOutcome::Unknown);
    complete(&mut partition, 0, BatchOutcome::OutOfOrderSequence);
    assert!(!partition.needs_producer_id(), "the second may be stored under it");
    partition.on_end_offset(1_020);
    assert_eq!(partition.on_batches([logged(10, 20, 1_020)].into_iter(), 0).len(), 1);
    assert!(partition.needs_producer_id());
}

#[test]
fn what_may_not_be_read_is_sent_again_at_its_place() {
    let mut partition = partition(1, 1);
    complete(&mut partition, 0, BatchOutcome::Unknown);
    partition.on_end_offset(1_010);
    partition.skip_search();
    assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
}

#[test]
fn the_first_to_a_new_leader_goes_alone() {
    let mut partition = partition(3, 0);
    assert_eq!(send_to(&mut partition, LEADER + 1, 0), [(0, Some(0))]);
    complete(&mut partition, 0, APPENDED);
    let others = [(1, Some(10)), (2, Some(30))];
    assert_eq!(send_to(&mut partition, LEADER + 1, 0), others);
}

#[test]
fn where_a_log_ends_is_asked_before_the_first_batch() {
    let mut partition = Partition::default();
    assert_eq!(partition.log_query(0), Some(LogQuery::EndOffset));
    partition.push(batch(10));
    partition.begin_sequence(ME);
    assert_eq!(send(&mut partition, 0), []);
    partition.on_end_offset(7);
    assert_eq!((partition.log_query(0), partition.known_end_offset), (None, Some(7)));
    assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
}

#[test]
fn a_batch_that_is_too_large_is_split_and_its_parts_take_its_place() {
    let mut partition = partition(3, 2);
    assert!(complete(&mut partition, 0, BatchOutcome::TooLarge).is_none());
    complete(&mut partition, 1, BatchOutcome::OutOfOrderSequence);
    let sent = send(&mut partition, 0);
    assert_eq!(sent, [(0, Some(0)), (0, Some(5)), (1, Some(10)), (2, Some(30))]);
    // A single record that is too large is given up.
    let mut partition = self::partition(0, 0);
    partition.push(batch(1));
    send(&mut partition, 0);
    let given_up = complete(&mut partition, 0, BatchOutcome::TooLarge);
    assert!(matches!(given_up, Some(Completed::Failed(_))));
}

#[test]
fn nothing_overtakes_on_the_way_to_a_new_leader() {
    for idempotent in [true, false] {
        let mut partition = partition(2, 1);
        if !idempotent {
            partition.producer_id = None;
        }
        assert!(partition.is_ready(LEADER, 0, 0, 5));
        assert!(!partition.is_ready(LEADER + 1, 0, 0, 5), "its answer is still out");
        complete(&mut partition, 0, BatchOutcome::NotAppended);
        assert!(partition.is_ready(LEADER + 1, 0, 0, 5));
        let sent = send_to(&mut partition, LEADER + 1, 0);
        assert_eq!(sent[0].0, 0);
    }
}

#[test]
fn a_gap_that_is_not_ours_begins_a_sequence() {
    let mut partition = partition(2, 2);
    assert!(complete(&mut partition, 0, BatchOutcome::OutOfOrderSequence).is_none());
    assert!(!partition.needs_producer_id(), "an answer is still out");
    assert!(complete(&mut partition, 1, BatchOutcome::OutOfOrderSequence).is_none());
    assert!(partition.needs_producer_id() && !partition.begin_sequence(ME));
    assert!(partition.begin_sequence(ProducerId { id: 6, epoch: 0 }));
    assert_eq!(send(&mut partition, 0), [(0, Some(0))]);
    complete(&mut partition, 0, APPENDED);
    assert_eq!(send(&mut partition, 0), [(1, Some(10))]);
}

#[test]
fn what_nobody_knows_of_is_given_up_with_what_was_sent_behind_it() {
    let mut partition = partition(4, 2);
    assert!(partition.expire(u64::MAX).is_empty(), "some are in flight");
    complete(&mut partition, 0, BatchOutcome::NotAppended);
    complete(&mut partition, 1, BatchOutcome::NotAppended);
    // All begun at 0: older than 1, but what was never sent need not go for the others' sake.
    partition.waiting[1].created_ns = 7;
    partition.waiting[2].created_ns = 7;
    partition.waiting[3].created_ns = 7;
    let expired: Vec<u64> = numbers(&partition.expire(1));
    assert_eq!(expired, [0, 1]);
    assert!(!partition.has_producer_id() && !partition.begin_sequence(ME));
    assert!(partition.begin_sequence(ProducerId { id: 6, epoch: 0 }));
    assert_eq!(send(&mut partition, 0), [(2, Some(0))]);
}

#[test]
fn without_a_sequence_the_order_is_kept_too() {
    let mut partition = Partition::default();
    (1..=3).for_each(|at| partition.push(batch(at)));
    assert_eq!(send(&mut partition, 0), [(0, None), (1, None), (2, None)]);
    for number in [2, 0, 1] {
        complete(&mut partition, number, BatchOutcome::NotAppended);
    }
    assert_eq!(send(&mut partition, 0), [(0, None), (1, None), (2, None)]);
    complete(&mut partition, 1, BatchOutcome::Rejected);
    complete(&mut partition, 0, APPENDED);
    complete(&mut partition, 2, APPENDED);
    assert!(partition.is_empty());
}
