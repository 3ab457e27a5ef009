//! What became of the records: counts a topic, errors by kind, latency.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::record::Topic;

/// Counts what was delivered and what failed. Shared by all threads; taken once a delivery, for a
/// few nanoseconds.
#[derive(Debug)]
pub struct Tally {
    base: Instant,
    zero_ns: AtomicI64,
    inner: Mutex<Deliveries>,
}

/// What became of the records so far.
#[derive(Debug, Clone)]
pub struct Deliveries {
    /// A topic's counts, in the order of [`Topic::ALL`].
    pub topics: [TopicCounts; Topic::COUNT],
    /// Failed records by kind of error.
    pub errors: BTreeMap<String, u64>,
    /// From the intended instant to the acknowledgement, in microseconds.
    pub intended_us: Histogram<u64>,
    /// From the hand-over to the producer to the acknowledgement, in microseconds.
    pub enqueued_us: Histogram<u64>,
}

/// What became of one topic's records so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TopicCounts {
    /// Records acknowledged.
    pub acked: u64,
    /// Records given up.
    pub failed: u64,
    /// Bytes of keys and values acknowledged.
    pub bytes: u64,
}

/// Latencies up to this are told apart; longer ones are counted as this long.
const LONGEST: Duration = Duration::from_secs(3600);

impl Default for Tally {
    fn default() -> Tally {
        Tally::new()
    }
}

impl Tally {
    /// A tally of nothing yet.
    pub fn new() -> Tally {
        Tally {
            base: Instant::now(),
            zero_ns: AtomicI64::new(0),
            inner: Mutex::new(Deliveries {
                topics: [TopicCounts::default(); Topic::COUNT],
                errors: BTreeMap::new(),
                intended_us: histogram(),
                enqueued_us: histogram(),
            }),
        }
    }

    /// Begins to measure latency: the schedule's zero was `elapsed_ns` nanoseconds ago. What was
    /// delivered before counts as delivered, its latency no more.
    pub fn begin(&self, elapsed_ns: i64) {
        let zero = self.base.elapsed().as_nanos() as i64 - elapsed_ns;
        self.zero_ns.store(zero, Ordering::Relaxed);
        let mut deliveries = self.lock();
        deliveries.intended_us.reset();
        deliveries.enqueued_us.reset();
    }

    /// Counts a record of `topic` as acknowledged: `bytes` of key and value, `enqueued` after its
    /// hand-over, due at `intended_ns` from the schedule's zero where it was paced.
    pub fn acknowledge(
        &self,
        topic: Topic,
        bytes: usize,
        enqueued: Duration,
        intended_ns: Option<u64>,
    ) {
        let since_intended = intended_ns.map(|intended| {
            let zero = self.zero_ns.load(Ordering::Relaxed);
            let now = self.base.elapsed().as_nanos() as i64 - zero;
            (now - intended as i64).max(0) as u64 / 1000
        });
        let mut deliveries = self.lock();
        let counts = &mut deliveries.topics[topic.index()];
        counts.acked += 1;
        counts.bytes += bytes as u64;
        deliveries.enqueued_us.saturating_record(enqueued.as_micros() as u64);
        if let Some(us) = since_intended {
            deliveries.intended_us.saturating_record(us);
        }
    }

    /// Counts a record of `topic` as given up for an error of this kind.
    pub fn fail(&self, topic: Topic, error: &str) {
        let mut deliveries = self.lock();
        deliveries.topics[topic.index()].failed += 1;
        match deliveries.errors.get_mut(error) {
            Some(count) => *count += 1,
            None => {
                deliveries.errors.insert(error.to_owned(), 1);
            }
        }
    }

    /// The counts so far.
    pub fn snapshot(&self) -> Deliveries {
        self.lock().clone()
    }

    /// Records acknowledged and given up so far, over all topics, and the 99th percentile of their
    /// latency: from the intended instant where there is one, else from the hand-over.
    pub fn progress(&self) -> (u64, u64, Duration) {
        let deliveries = self.lock();
        let acked = deliveries.topics.iter().map(|t| t.acked).sum();
        let failed = deliveries.topics.iter().map(|t| t.failed).sum();
        let latency = match deliveries.intended_us.len() {
            0 => &deliveries.enqueued_us,
            _ => &deliveries.intended_us,
        };
        (acked, failed, Duration::from_micros(latency.value_at_quantile(0.99)))
    }

    fn lock(&self) -> MutexGuard<'_, Deliveries> {
        // Counts stay usable whatever happened to a thread that held them.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn histogram() -> Histogram<u64> {
    // Three digits; can only fail for bounds that aren't these.
    Histogram::new_with_max(LONGEST.as_micros() as u64, 3)
        .unwrap_or_else(|_| unreachable!("the bounds are constant"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_latency_is_measured_from_the_intended_instant() {
        let tally = Tally::new();
        tally.begin(5_000_000_000);
        tally.acknowledge(Topic::Usage, 40, Duration::from_millis(2), Some(3_000_000_000));
        tally.acknowledge(Topic::Usage, 41, Duration::from_millis(4), None);
        tally.fail(Topic::Jobs, "MessageTimedOut");
        tally.fail(Topic::Jobs, "MessageTimedOut");
        let seen = tally.snapshot();
        let usage = TopicCounts { acked: 2, failed: 0, bytes: 81 };
        assert_eq!(seen.topics[Topic::Usage.index()], usage);
        assert_eq!(seen.errors["MessageTimedOut"], 2);
        // Five seconds after zero, due at three: two seconds, whatever the producer says.
        assert!(seen.intended_us.min() >= 1_998_000 && seen.intended_us.len() == 1);
        assert!(seen.enqueued_us.max() < 5_000);
        assert_eq!(tally.progress().0, 2);
    }
}
