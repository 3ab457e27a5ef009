//! The figures of a run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::histogram;
use crate::config::units::Shard;
use crate::pacing::Behind;
use crate::sink::Transport;
use crate::sink::latency::{Latencies, TopicLatency};

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
    /// Whose producers sent; none without any, and of shards that differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Records that were in the topics before, where the run was resumed; the rest counts what was
    /// sent since.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub already_there: u64,
    /// How far the run fell behind its schedule.
    pub behind: BehindResults,
    /// The spans of slots that were dropped, where that was asked for.
    pub dropped: Vec<DroppedSpan>,
    /// Latencies, in milliseconds.
    pub latency_ms: LatencyResults,
    /// Records given up, by kind of error.
    pub errors: BTreeMap<String, u64>,
    /// Where the partitions of each topic ended when the run did, by topic name without prefix:
    /// offsets behind the run's last records. Topics that don't tell are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub end_offsets: BTreeMap<String, Vec<i64>>,
    /// What the percentiles are of.
    pub histograms: Histograms,
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
    /// Records that were dropped rather than sent late, as was asked for.
    pub dropped: u64,
    /// Bytes of keys and values confirmed.
    pub bytes: u64,
}

/// The rate of a run, in records a second over all topics, without the announcement of machines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateResults {
    /// The rate asked for, on average over the time worked; none where as fast as possible.
    pub target: Option<f64>,
    /// Slots worked off a second, silent ones included and dropped ones not, over the time in which they were; where
    /// paced, those that were due after the process was ready.
    pub achieved: f64,
    /// The error of the whole run as a fraction of what was due; one record forgiven, which the end
    /// decides. None where nothing was paced.
    pub error: Option<f64>,
    /// Bytes of keys and values handed over a second.
    pub bytes_per_second: f64,
    /// Slots that carried nothing.
    pub silent: u64,
    /// The largest error of a whole second, as a fraction; none where nothing was paced or no
    /// second was whole.
    pub max_second_error: Option<f64>,
    /// The most records that were due and not yet handed over at any moment, as a fraction of all
    /// that were due by then; two forgiven. None where nothing was paced.
    pub max_drift: Option<f64>,
    /// From the instant at which a record was due to its hand-over, in milliseconds.
    pub late_ms: Option<Percentiles>,
    /// The instant of the schedule, in seconds, from which on slots are measured; after 0 where the
    /// process was ready later.
    #[serde(default)]
    pub measured_from_s: f64,
    /// Records due and records handed over in each second of the schedule, of an hour: the first is
    /// that in which measuring began.
    pub seconds: Vec<(u32, u32)>,
}

/// How far a run fell behind its schedule: records that were late by a fifth of a second or more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BehindResults {
    /// At their hand-over: the producer's queue was full, or the machine too slow.
    pub handed_over: Lag,
    /// At their acknowledgement.
    pub acknowledged: Lag,
}

/// How far something fell behind, and for how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// The longest that a record was late, in seconds.
    pub longest_s: f64,
    /// How long some record was overdue, in seconds.
    pub total_s: f64,
    /// How many times, with gaps between.
    pub times: u64,
}

/// A span of slots of one thread, in which all that carried a record were dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedSpan {
    /// The part of the fleet: the shard.
    pub shard: Shard,
    /// The part of the shard: the thread's.
    pub thread: Shard,
    /// The number of the first slot over the whole fleet.
    pub first_slot: u64,
    /// The number of the last slot.
    pub last_slot: u64,
    /// When the first was due.
    pub from: DateTime<Utc>,
    /// When the last was due.
    pub to: DateTime<Utc>,
    /// The records dropped.
    pub records: u64,
}

/// Latencies of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyResults {
    /// From the instant at which a record was due to its acknowledgement.
    pub intended: Option<Percentiles>,
    /// From the hand-over to the producer to its acknowledgement.
    pub enqueued: Option<Percentiles>,
    /// The same by topic name, without prefix.
    pub topics: BTreeMap<String, TopicPercentiles>,
}

/// Latencies of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TopicPercentiles {
    /// From the instant at which a record was due to its acknowledgement.
    pub intended: Option<Percentiles>,
    /// From the hand-over to the producer to its acknowledgement.
    pub enqueued: Option<Percentiles>,
}

/// Histograms of microseconds, as [`super::histogram`] writes them; none of what there was none of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histograms {
    /// From the instant at which a record was due to its hand-over.
    pub late: Option<String>,
    /// Latencies by topic name, without prefix.
    pub topics: BTreeMap<String, TopicHistograms>,
}

/// Histograms of a topic's latencies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicHistograms {
    /// From the instant at which a record was due to its acknowledgement.
    pub intended: Option<String>,
    /// From the hand-over to the producer to its acknowledgement.
    pub enqueued: Option<String>,
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
    /// 99.99 % are at most this.
    pub p9999: f64,
    /// The longest.
    pub max: f64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The seconds that a report lists.
pub const LISTED_SECONDS: usize = 3600;

/// The largest error of the rate over whole seconds, of which `seconds` tell the records due and
/// those handed over, as a fraction of what was due: the last second, which may be cut, left out, and
/// the first where measuring began within it (at `from_s` of the schedule); one record more or less
/// forgiven, which the edge of a second decides.
pub fn max_second_error(
    from_s: f64,
    seconds: impl ExactSizeIterator<Item = (u32, u32)>,
) -> Option<f64> {
    let whole = seconds.len().checked_sub(1)?;
    let cut = usize::from(from_s.fract() > 0.0);
    seconds
        .take(whole)
        .skip(cut)
        .map(|(due, sent)| {
            let off = due.abs_diff(sent);
            if off <= 1 { 0.0 } else { f64::from(off) / f64::from(due.max(1)) }
        })
        .reduce(f64::max)
}

impl Results {
    /// Records given up, over all topics.
    pub fn failed(&self) -> u64 {
        self.total().failed
    }

    /// Records that are neither confirmed nor given up: sent, and never heard of again.
    pub fn unconfirmed(&self) -> u64 {
        let open = |t: &TopicResults| t.sent.saturating_sub(t.acked).saturating_sub(t.failed);
        self.records.values().fold(0, |sum: u64, topic| sum.saturating_add(open(topic)))
    }

    /// The sum of all topics.
    pub fn total(&self) -> TopicResults {
        self.records.values().fold(TopicResults::default(), |sum, topic| sum.plus(topic))
    }
}

impl TopicResults {
    /// These and `other` together.
    #[must_use]
    pub fn plus(self, other: &TopicResults) -> TopicResults {
        TopicResults {
            sent: self.sent.saturating_add(other.sent),
            acked: self.acked.saturating_add(other.acked),
            failed: self.failed.saturating_add(other.failed),
            dropped: self.dropped.saturating_add(other.dropped),
            bytes: self.bytes.saturating_add(other.bytes),
        }
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
            p9999: at(0.9999),
            max: microseconds.max() as f64 / 1000.0,
        })
    }
}

impl Lag {
    /// The lag that `behind` has noted.
    pub fn of(behind: &Behind) -> Lag {
        Lag {
            longest_s: behind.longest_s(),
            total_s: behind.total_s(),
            times: behind.times() as u64,
        }
    }
}

impl LatencyResults {
    /// The percentiles of `latencies`.
    pub fn of(latencies: &Latencies) -> LatencyResults {
        let total = latencies.total();
        LatencyResults {
            intended: Percentiles::of(&total.intended),
            enqueued: Percentiles::of(&total.enqueued),
            topics: named(latencies, |latency| TopicPercentiles {
                intended: Percentiles::of(&latency.intended),
                enqueued: Percentiles::of(&latency.enqueued),
            }),
        }
    }
}

impl Histograms {
    /// The histograms of `latencies`, and of how late records were handed over.
    pub fn of(latencies: &Latencies, late_us: &Histogram<u64>) -> Histograms {
        Histograms {
            late: histogram::encode(late_us),
            topics: named(latencies, |latency| TopicHistograms {
                intended: histogram::encode(&latency.intended),
                enqueued: histogram::encode(&latency.enqueued),
            }),
        }
    }
}

/// What `of` makes of the latencies of each topic.
fn named<T>(latencies: &Latencies, of: impl Fn(&TopicLatency) -> T) -> BTreeMap<String, T> {
    latencies.topics().map(|(topic, latency)| (topic.name().to_owned(), of(latency))).collect()
}
