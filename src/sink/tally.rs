//! The outcomes of the records: counts by topic, errors by kind, latencies.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fleetstorm_model::record::Topic;

use super::latency::Latencies;
use crate::pacing::Behind;

/// Counts the delivered and the failed records of one producer. The thread that gets its delivery reports
/// holds it, for a few nanoseconds per record; others look now and then.
#[derive(Debug)]
pub struct Tally {
    base: Instant,
    zero_ns: AtomicI64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    deliveries: Deliveries,
    /// The latencies since they were last taken.
    latencies: Latencies,
    paced: bool,
    /// Whether latencies are measured no more.
    over: bool,
}

/// A locked tally.
pub struct Counting<'a> {
    now_ns: u64,
    inner: MutexGuard<'a, Inner>,
}

/// The outcomes so far.
#[derive(Debug, Clone, Default)]
pub struct Deliveries {
    /// A topic's counts, in the order of [`Topic::ALL`].
    pub topics: [TopicCounts; Topic::COUNT],
    /// Failed records by kind of error.
    pub errors: BTreeMap<String, u64>,
    /// When acknowledgements were behind the schedule.
    pub behind: Behind,
    /// Acknowledged records that were due while the run was measured.
    pub measured: Measured,
    /// When the last record was acknowledged, in nanoseconds from the schedule's zero; 0 if none was.
    pub last_ns: u64,
}

/// Acknowledged records that are measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    /// How many.
    pub records: u64,
    /// Their bytes of keys and values.
    pub bytes: u64,
}

/// The outcomes of one topic's records so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TopicCounts {
    /// Records acknowledged.
    pub acked: u64,
    /// Records failed.
    pub failed: u64,
    /// Bytes of keys and values acknowledged.
    pub bytes: u64,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally::new()
    }
}

impl Tally {
    /// An empty tally.
    pub fn new() -> Tally {
        Tally { base: Instant::now(), zero_ns: AtomicI64::new(0), inner: Mutex::default() }
    }

    /// Begins to measure latency: the schedule's zero was `elapsed_ns` nanoseconds ago. What was
    /// delivered before counts as delivered, but not in the latencies. If the run is `paced`, records
    /// without an intended time belong to its past part, whose latencies are kept apart.
    pub fn begin(&self, elapsed_ns: i64, paced: bool) {
        let zero = self.base.elapsed().as_nanos() as i64 - elapsed_ns;
        self.zero_ns.store(zero, Ordering::Relaxed);
        let mut inner = self.lock();
        inner.latencies.clear();
        inner.deliveries.last_ns = 0;
        inner.paced = paced;
    }

    /// Stops measuring. Deliveries from now on are only counted.
    pub fn end(&self) {
        self.lock().over = true;
    }

    /// Locks the tally, to count records whose outcome came just now.
    pub fn counting(&self) -> Counting<'_> {
        let now = self.base.elapsed().as_nanos() as i64 - self.zero_ns.load(Ordering::Relaxed);
        Counting { now_ns: u64::try_from(now).unwrap_or(0), inner: self.lock() }
    }

    /// Counts a record of `topic` as failed, with this kind of error.
    pub fn fail(&self, topic: Topic, error: &str) {
        self.counting().fail(topic, error);
    }

    /// Counts what was acknowledged beyond these counts, by topic, as failed with this kind of error: its
    /// transaction was aborted.
    pub fn revoke(&self, acked: &[u64; Topic::COUNT], error: &str) {
        let deliveries = &mut self.lock().deliveries;
        let mut revoked = 0;
        for (counts, &before) in deliveries.topics.iter_mut().zip(acked) {
            let since = counts.acked.saturating_sub(before);
            counts.acked -= since;
            counts.failed += since;
            revoked += since;
        }
        let measured = &mut deliveries.measured.records;
        *measured = measured.saturating_sub(revoked);
        if revoked > 0 {
            deliveries.count_error(error, revoked);
        }
    }

    /// The outcomes so far.
    pub fn deliveries(&self) -> Deliveries {
        self.lock().deliveries.clone()
    }

    /// Records acknowledged and failed so far, over all topics.
    pub fn progress(&self) -> (u64, u64) {
        let topics = &self.lock().deliveries.topics;
        (topics.iter().map(|t| t.acked).sum(), topics.iter().map(|t| t.failed).sum())
    }

    /// Takes the latencies since the last call, in exchange for `empty` ones.
    pub fn take_latencies(&self, empty: &mut Latencies) {
        std::mem::swap(&mut self.lock().latencies, empty);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The counts stay usable whatever happened to a thread that held them.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counting<'_> {
    /// Counts a record of `topic` as acknowledged: `bytes` of key and value, `enqueued` after it was
    /// enqueued, due at `intended_ns` from the schedule's zero if it was paced.
    #[inline]
    pub fn acknowledge(
        &mut self,
        topic: Topic,
        bytes: usize,
        enqueued: Duration,
        intended_ns: Option<u64>,
    ) {
        let Inner { deliveries, latencies, paced, over } = &mut *self.inner;
        let counts = &mut deliveries.topics[topic.index()];
        counts.acked += 1;
        counts.bytes += bytes as u64;
        if *over {
            return;
        }
        deliveries.last_ns = self.now_ns;
        let since_due = intended_ns.map(|due_ns| {
            deliveries.measured.records += 1;
            deliveries.measured.bytes += bytes as u64;
            deliveries.behind.note(due_ns, self.now_ns);
            Duration::from_nanos(self.now_ns.saturating_sub(due_ns))
        });
        // Announcements are not slots, so they are never past.
        if *paced && since_due.is_none() && topic != Topic::Machines {
            latencies.record_past(enqueued);
        } else {
            latencies.record(topic, enqueued, since_due);
        }
    }

    /// Counts a record of `topic` as failed, with this kind of error.
    pub fn fail(&mut self, topic: Topic, error: &str) {
        let deliveries = &mut self.inner.deliveries;
        deliveries.topics[topic.index()].failed += 1;
        deliveries.count_error(error, 1);
    }
}

impl Deliveries {
    /// Adds the outcomes of another producer.
    pub fn add(&mut self, other: &Deliveries) {
        for (sum, counts) in self.topics.iter_mut().zip(&other.topics) {
            sum.acked += counts.acked;
            sum.failed += counts.failed;
            sum.bytes += counts.bytes;
        }
        for (kind, &count) in &other.errors {
            self.count_error(kind, count);
        }
        self.behind.add(&other.behind);
        self.measured.records += other.measured.records;
        self.measured.bytes += other.measured.bytes;
        self.last_ns = self.last_ns.max(other.last_ns);
    }

    fn count_error(&mut self, kind: &str, count: u64) {
        match self.errors.get_mut(kind) {
            Some(sum) => *sum += count,
            None => {
                self.errors.insert(kind.to_owned(), count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_latency_is_measured_from_the_intended_instant() {
        let tally = Tally::new();
        tally.begin(5_000_000_000, false);
        let mut now = tally.counting();
        now.acknowledge(Topic::Usage, 40, Duration::from_millis(2), Some(3_000_000_000));
        now.acknowledge(Topic::Usage, 41, Duration::from_millis(4), None);
        now.fail(Topic::Jobs, "MessageTimedOut");
        drop(now);
        tally.fail(Topic::Jobs, "MessageTimedOut");
        let mut seen = tally.deliveries();
        let usage = TopicCounts { acked: 2, failed: 0, bytes: 81 };
        assert_eq!(seen.topics[Topic::Usage.index()], usage);
        assert_eq!(seen.errors["MessageTimedOut"], 2);
        assert!(seen.behind.longest_s() >= 2.0);
        // Five seconds after zero, due at three: two seconds, whatever the producer says.
        let mut latencies = Latencies::default();
        tally.take_latencies(&mut latencies);
        let total = latencies.total();
        assert!(total.intended.min() >= 1_998_000 && total.intended.len() == 1);
        assert!(total.enqueued.max() < 5_000 && total.enqueued.len() == 2);
        tally.take_latencies(&mut latencies);
        assert_eq!(latencies.topics().count(), 0, "what was taken is taken");
        assert_eq!(seen.measured, Measured { records: 1, bytes: 40 });
        assert!(seen.last_ns >= 5_000_000_000);
        // Of a paced run, what has no instant lies in its past, announcements apart.
        tally.begin(0, true);
        tally.counting().acknowledge(Topic::Usage, 1, Duration::from_millis(3), None);
        tally.counting().acknowledge(Topic::Machines, 1, Duration::from_millis(3), None);
        tally.take_latencies(&mut latencies);
        assert_eq!(
            (latencies.past().map(|past| past.len()), latencies.topics().count()),
            (Some(1), 1)
        );
        seen.add(&tally.deliveries());
        assert_eq!((seen.errors["MessageTimedOut"], tally.progress()), (4, (4, 2)));
    }
}
