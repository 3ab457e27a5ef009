//! The figures of a run.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// How the run ended.
    pub ended: Ending,
    /// Counts by topic name, without prefix.
    pub records: BTreeMap<String, TopicResults>,
    /// From the schedule's zero (or the start of the process, where that came later) until the
    /// last record was acknowledged or given up, in seconds.
    pub elapsed_s: f64,
    /// The rate.
    pub rate: RateResults,
    /// Latencies, in milliseconds.
    pub latency_ms: LatencyResults,
    /// Records given up, by kind of error.
    pub errors: BTreeMap<String, u64>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// It came to its end.
    Complete,
    /// It was interrupted.
    Interrupted,
    /// Who read its output went away.
    Closed,
    /// The sink or the program failed.
    Failed,
}

/// What became of the records of a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicResults {
    /// Records handed to the sink.
    pub sent: u64,
    /// Records that the sink confirmed.
    pub acked: u64,
    /// Records that were given up.
    pub failed: u64,
    /// Bytes of keys and values confirmed.
    pub bytes: u64,
}

/// The rate of a run, in records a second over all topics, without the announcement of machines.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RateResults {
    /// The rate asked for; none where as fast as possible.
    pub target: Option<f64>,
    /// Slots worked off a second, silent ones included, over the time in which they were; where
    /// paced, those that were due after the process was ready.
    pub achieved: f64,
    /// Slots that carried nothing.
    pub silent: u64,
    /// The largest error of a whole second, as a fraction; none where nothing was paced or no
    /// second was whole.
    pub max_second_error: Option<f64>,
}

/// Latencies of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LatencyResults {
    /// From the instant at which a record was due to its acknowledgement.
    pub intended: Option<Percentiles>,
    /// From the hand-over to the producer to its acknowledgement.
    pub enqueued: Option<Percentiles>,
}

/// Percentiles of a latency, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// 90 % are at most this.
    pub p90: f64,
    /// 99 % are at most this.
    pub p99: f64,
    /// 99.9 % are at most this.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

impl Results {
    /// Records given up, over all topics.
    pub fn failed(&self) -> u64 {
        self.records.values().map(|topic| topic.failed).sum()
    }

    /// Records that are neither confirmed nor given up: sent, and never heard of again.
    pub fn unconfirmed(&self) -> u64 {
        self.records.values().map(|t| t.sent.saturating_sub(t.acked + t.failed)).sum()
    }

    /// The sum of all topics.
    pub fn total(&self) -> TopicResults {
        self.records.values().fold(TopicResults::default(), |sum, topic| TopicResults {
            sent: sum.sent + topic.sent,
            acked: sum.acked + topic.acked,
            failed: sum.failed + topic.failed,
            bytes: sum.bytes + topic.bytes,
        })
    }
}

impl Percentiles {
    /// The percentiles of a histogram of microseconds; none of an empty one.
    pub fn of(microseconds: &Histogram<u64>) -> Option<Percentiles> {
        let at = |quantile| microseconds.value_at_quantile(quantile) as f64 / 1000.0;
        (!microseconds.is_empty()).then(|| Percentiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: microseconds.max() as f64 / 1000.0,
        })
    }
}
