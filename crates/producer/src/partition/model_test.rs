//! A partition's queue against a model of its brokers, in simulated time: whatever is lost, refused,
//! forgotten or moved in between, each record that is acknowledged stands in the log once, those that
//! are given up don't, and all are in their order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::batch::OpenBatch;
use crate::codec::{Codec, Compressor};
use crate::log_search::{self, LogBatch};
use crate::note::{NO_OPAQUE, RecordNote};

/// How many batches of a producer a broker knows again.
const REMEMBERED: usize = 5;
const BACKOFF_NS: u64 = 100;

/// A request on its way, or with the broker.
struct InFlight {
    batch: LogBatch,
    number: u64,
    has_producer_id: bool,
}

/// What stands in the log.
struct Stored {
    batch: LogBatch,
    number: u64,
}

/// The brokers of a partition, and the queue that writes to them.
struct Model {
    partition: Partition,
    idempotent: bool,
    now_ns: u64,
    leader: i32,
    /// Requests to the broker that the queue last sent to, in their order.
    requests: VecDeque<InFlight>,
    requests_to: i32,
    log: Vec<Stored>,
    /// The last batches of each producer, by its id.
    producers: BTreeMap<i64, VecDeque<LogBatch>>,
    producer_id: i64,
    pushed: Vec<usize>,
    /// Records by the batch that they were pushed with.
    acknowledged: BTreeMap<u64, usize>,
    failed: BTreeMap<u64, usize>,
}

/// What befalls the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// It is refused before it is stored, and may be taken later.
    NotAppended,
    /// It is refused for good.
    Rejected,
    /// It is larger than the topic takes.
    TooLarge,
    /// It is stored, and answered with a code that tells nothing.
    AppendedUnknown,
    /// It is not stored, and answered with such a code.
    Unknown,
}

impl Model {
    fn new(idempotent: bool) -> Model {
        Model {
            partition: Partition::default(),
            idempotent,
            now_ns: 0,
            leader: 1,
            requests: VecDeque::new(),
            requests_to: 1,
            log: Vec::new(),
            producers: BTreeMap::new(),
            producer_id: 1,
            pushed: Vec::new(),
            acknowledged: BTreeMap::new(),
            failed: BTreeMap::new(),
        }
    }

    fn push(&mut self, records: usize) {
        let mut open = OpenBatch::new(None);
        for _ in 0..records {
            let note = RecordNote { enqueued_ns: 0, opaque: NO_OPAQUE, bytes: 2 };
            open.push(b"k", b"v", 0, note);
        }
        let (batch, _) = open.close(0, &mut Compressor::new(Codec::None, None)).unwrap();
        self.partition.push(batch);
        self.pushed.push(records);
    }

    /// Sends what may be sent, as the sender does.
    fn dispatch(&mut self) {
        if self.idempotent && self.partition.needs_producer_id() {
            let id = ProducerId { id: self.producer_id, epoch: 0 };
            if !self.partition.begin_sequence(id) {
                self.producer_id += 1;
            }
        }
        while self.partition.is_ready(self.leader, self.now_ns, 0, 5)
            && (!self.idempotent || self.partition.has_producer_id())
        {
            let sent = self.partition.send(self.leader).unwrap();
            let batch = log_search::batches(sent.bytes).next().unwrap();
            self.requests_to = self.leader;
            let has_producer_id = batch.producer.id >= 0;
            assert_eq!(has_producer_id, self.idempotent);
            self.requests.push_back(InFlight { batch, number: sent.number, has_producer_id });
        }
        assert!(self.requests.len() <= 5);
    }

    /// What a broker says of a request, by Kafka's rules on sequences.
    fn append(&mut self, request: &InFlight) -> BatchOutcome {
        let LogBatch { producer, sequence, count, .. } = request.batch;
        if request.has_producer_id
            && let Some(known) = self.producers.get(&producer.id)
        {
            if let Some(twin) = known.iter().find(|k| (k.sequence, k.count) == (sequence, count)) {
                return BatchOutcome::Appended { base_offset: Some(twin.end - count as i64) };
            }
            let last = known.back().map_or(0, |last| after(last.sequence, last.count));
            if sequence != last {
                return BatchOutcome::OutOfOrderSequence;
            }
        }
        let base = self.log.last().map_or(0, |last| last.batch.end);
        let stored = LogBatch { end: base + count as i64, ..request.batch };
        self.log.push(Stored { batch: stored, number: request.number });
        if request.has_producer_id {
            let known = self.producers.entry(producer.id).or_default();
            known.push_back(stored);
            if known.len() > REMEMBERED {
                known.pop_front();
            }
        }
        BatchOutcome::Appended { base_offset: Some(base) }
    }

    /// The broker takes the next request, and its answer arrives.
    fn answer(&mut self, fault: Fault) {
        let Some(request) = self.requests.pop_front() else { return };
        let outcome = if self.requests_to == self.leader {
            match fault {
                Fault::None => self.append(&request),
                Fault::NotAppended => BatchOutcome::NotAppended,
                Fault::Rejected => BatchOutcome::Rejected,
                Fault::TooLarge => BatchOutcome::TooLarge,
                Fault::Unknown => BatchOutcome::Unknown,
                Fault::AppendedUnknown => match self.append(&request) {
                    BatchOutcome::Appended { .. } => BatchOutcome::Unknown,
                    other => other,
                },
            }
        } else {
            BatchOutcome::Unknown // NOT_LEADER_OR_FOLLOWER
        };
        self.complete(request.number, outcome);
    }

    /// The connection ends; the broker still takes some of what it was sent.
    fn disconnect(&mut self, taken: usize, forgets: bool) {
        // One that forgets while nothing is in doubt takes whichever batch comes first, which nobody can
        // help.
        let forgets = forgets && !self.requests.is_empty();
        for (at, request) in std::mem::take(&mut self.requests).into_iter().enumerate() {
            if at < taken && self.requests_to == self.leader {
                self.append(&request);
            }
            self.complete(request.number, BatchOutcome::Unknown);
        }
        if forgets {
            self.producers.clear();
        }
    }

    fn complete(&mut self, number: u64, outcome: BatchOutcome) {
        match self.partition.complete(number, outcome, self.now_ns + BACKOFF_NS) {
            Some(Completed::Acknowledged(batch)) => self.acknowledge(&batch),
            Some(Completed::Failed(batch)) => {
                *self.failed.entry(batch.number / NUMBER_STEP).or_default() += batch.count();
            }
            None => {}
        }
    }

    fn acknowledge(&mut self, batch: &Batch) {
        *self.acknowledged.entry(batch.number / NUMBER_STEP).or_default() += batch.count();
    }

    /// A question about the log is asked and answered, or its answer is lost.
    fn query(&mut self, is_lost: bool) {
        if !self.idempotent {
            return;
        }
        let Some(query) = self.partition.log_query(self.now_ns) else { return };
        self.partition.log_query_sent();
        let retry_ns = self.now_ns + BACKOFF_NS;
        if is_lost {
            self.partition.log_query_failed(retry_ns);
            return;
        }
        let stored = match query {
            LogQuery::EndOffset => {
                let end = self.log.last().map_or(0, |last| last.batch.end);
                self.partition.on_end_offset(end)
            }
            LogQuery::StartOffset => self.partition.on_start_offset(0),
            LogQuery::Batches { from } => {
                // Two at a time, beginning with the one that holds the offset.
                let batches = self.log.iter().map(|stored| stored.batch);
                let some: Vec<_> = batches.filter(|batch| batch.end > from).take(2).collect();
                self.partition.on_batches(some.into_iter(), retry_ns)
            }
        };
        stored.iter().for_each(|batch| self.acknowledge(batch));
    }

    fn step(&mut self, (action, detail): (u8, u8)) {
        match action % 16 {
            0..=3 => self.push(usize::from(detail % 4) + 1),
            4..=6 => self.answer(Fault::None),
            7 => self.answer(match detail % 5 {
                0 => Fault::NotAppended,
                1 => Fault::Rejected,
                2 => Fault::TooLarge,
                3 => Fault::AppendedUnknown,
                _ => Fault::Unknown,
            }),
            8 => self.disconnect(usize::from(detail % 8) / 2, detail >= 128),
            9 => self.leader = 3 - self.leader,
            10..=12 => self.query(detail < 64),
            _ => self.now_ns += u64::from(detail),
        }
        self.dispatch();
    }

    /// Lets all come to its end, with nothing in the way.
    fn drain(&mut self) {
        for _ in 0..10_000 {
            if self.partition.is_empty() {
                return;
            }
            self.dispatch();
            self.answer(Fault::None);
            self.query(false);
            self.now_ns += BACKOFF_NS;
        }
        panic!("it comes to no end: {:?}", self.partition);
    }

    /// Asserts what is promised of the log.
    fn check(&self) {
        let mut stored: BTreeMap<u64, usize> = BTreeMap::new();
        for one in &self.log {
            *stored.entry(one.number / NUMBER_STEP).or_default() += one.batch.count;
        }
        for (number, records) in self.pushed.iter().enumerate() {
            let of = |counts: &BTreeMap<u64, usize>| {
                counts.get(&(number as u64)).copied().unwrap_or_default()
            };
            let (acknowledged, failed) = (of(&self.acknowledged), of(&self.failed));
            assert_eq!(acknowledged + failed, *records, "batch {number} has one outcome");
            if self.idempotent {
                assert_eq!(of(&stored), acknowledged, "batch {number} is stored once");
            } else {
                assert!(of(&stored) >= acknowledged, "batch {number} is stored");
            }
        }
        // Without a sequence a batch may come twice, and a later one between; each first is in order.
        let mut first = BTreeMap::new();
        for (at, one) in self.log.iter().enumerate() {
            first.entry(one.number).or_insert(at);
        }
        if self.idempotent {
            assert!(first.values().is_sorted(), "the log is in order");
        }
    }
}

proptest! {
    #[test]
    fn what_is_acknowledged_is_stored_once_and_in_order(
        script in proptest::collection::vec(any::<(u8, u8)>(), 0..300),
        idempotent in any::<bool>(),
    ) {
        let mut model = Model::new(idempotent);
        script.into_iter().for_each(|step| model.step(step));
        model.drain();
        model.check();
    }
}
