//! Histograms of latency, by topic.

use std::time::Duration;

use hdrhistogram::Histogram;

use fleetstorm_model::record::Topic;

/// Latencies of the records of each topic. A topic's histograms are created with its first record.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    topics: [Option<Box<TopicLatency>>; Topic::COUNT],
    past: Option<Box<Histogram<u64>>>,
}

/// Latencies of records, in microseconds.
#[derive(Debug, Clone)]
pub struct TopicLatency {
    /// From the intended instant to the acknowledgement.
    pub intended: Histogram<u64>,
    /// From when it was enqueued to the acknowledgement.
    pub enqueued: Histogram<u64>,
}

/// The longest latency that is kept. Longer ones count as this one.
const LONGEST: Duration = Duration::from_secs(3600);

/// An empty histogram of microseconds: three digits, up to an hour.
pub fn histogram() -> Histogram<u64> {
    // Can only fail for other bounds.
    Histogram::new_with_max(LONGEST.as_micros() as u64, 3)
        .unwrap_or_else(|_| unreachable!("the bounds are constant"))
}

/// Adds the counts of one [`histogram`] to another.
pub fn add(sum: &mut Histogram<u64>, other: &Histogram<u64>) {
    if !other.is_empty() {
        // Can only fail if `other` has wider bounds.
        sum.add(other).unwrap_or_else(|_| unreachable!("all histograms have the same bounds"));
    }
}

impl Latencies {
    /// Counts a record of `topic`: acknowledged `enqueued` after it was enqueued and, if it was paced,
    /// `intended` after it was due.
    #[inline]
    pub fn record(&mut self, topic: Topic, enqueued: Duration, intended: Option<Duration>) {
        let latency = self.topic(topic);
        latency.enqueued.saturating_record(enqueued.as_micros() as u64);
        if let Some(intended) = intended {
            latency.intended.saturating_record(intended.as_micros() as u64);
        }
    }

    /// Counts a record of a paced run's past part, acknowledged `enqueued` after it was enqueued.
    #[inline]
    pub fn record_past(&mut self, enqueued: Duration) {
        self.past_mut().saturating_record(enqueued.as_micros() as u64);
    }

    /// The latencies of the past part, of all topics; `None` if there are none.
    pub fn past(&self) -> Option<&Histogram<u64>> {
        self.past.as_deref().filter(|past| !past.is_empty())
    }

    /// The same, to be added to.
    #[inline]
    pub fn past_mut(&mut self) -> &mut Histogram<u64> {
        self.past.get_or_insert_with(|| Box::new(histogram()))
    }

    /// The latencies of `topic`, to be added to.
    #[inline]
    pub fn topic(&mut self, topic: Topic) -> &mut TopicLatency {
        self.topics[topic.index()].get_or_insert_with(Box::default)
    }

    /// Adds the latencies of `other`.
    pub fn add(&mut self, other: &Latencies) {
        for (topic, latency) in other.topics() {
            self.topic(topic).add(latency);
        }
        if let Some(past) = other.past() {
            add(self.past_mut(), past);
        }
    }

    /// Clears all counts, and keeps the memory.
    pub fn clear(&mut self) {
        for latency in self.topics.iter_mut().flatten() {
            latency.intended.reset();
            latency.enqueued.reset();
        }
        if let Some(past) = &mut self.past {
            past.reset();
        }
    }

    /// The topics that have records, with their latencies.
    pub fn topics(&self) -> impl Iterator<Item = (Topic, &TopicLatency)> {
        Topic::ALL
            .into_iter()
            .zip(&self.topics)
            .filter_map(|(topic, latency)| Some((topic, latency.as_deref()?)))
            .filter(|(_, latency)| !latency.enqueued.is_empty())
    }

    /// The latencies of all topics together.
    pub fn total(&self) -> TopicLatency {
        let mut total = TopicLatency::default();
        for (_, latency) in self.topics() {
            total.add(latency);
        }
        total
    }
}

impl TopicLatency {
    /// Adds the latencies of `other`.
    pub fn add(&mut self, other: &TopicLatency) {
        add(&mut self.intended, &other.intended);
        add(&mut self.enqueued, &other.enqueued);
    }
}

impl Default for TopicLatency {
    fn default() -> TopicLatency {
        TopicLatency { intended: histogram(), enqueued: histogram() }
    }
}
