//! The figures of a run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fleetstorm_model::config::units::Shard;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::histogram;
use crate::pacing::Behind;
use crate::sink::Transport;
use crate::sink::kafka::topic_state::TopicChange;
use crate::sink::latency::{Latencies, TopicLatency};

/// The results of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// How the run ended.
    pub ended: Ending,
    /// Counts by topic name, without prefix.
    pub records: BTreeMap<String, TopicResults>,
    /// Seconds from the schedule's zero (or the start of the process, if that came later) until the last
    /// record was acknowledged or failed.
    pub elapsed_s: f64,
    /// The rate.
    pub rate: RateResults,
    /// The transport; `None` without a broker, or if shards differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Seconds for which brokers throttled the producers; of shards, the most of any.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub throttled_s: f64,
    /// If the run was resumed: records that were in the topics before. All other figures count what was
    /// sent since.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub already_there: u64,
    /// Slots that the run had dropped before it was resumed. `dropped` lists their spans too.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub already_dropped: u64,
    /// Stories (of a job, a machine's status, an incident) that lack a part: slots were dropped, and
    /// their last changes still waited for one when the run ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub torn: u64,
    /// Records that were sent after the run's end to close windows: they are in `records`, and in no
    /// rate.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub closing: u64,
    /// Where each thread was when the run ended before its end, in the order of shards and threads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<ThreadEnd>,
    /// How far the run fell behind its schedule.
    pub behind: BehindResults,
    /// How far records came out of timestamp order.
    #[serde(default)]
    pub event_time: EventTimeResults,
    /// The spans of dropped slots, with `--on-backlog drop`.
    pub dropped: Vec<DroppedSpan>,
    /// Latencies, in milliseconds.
    pub latency_ms: LatencyResults,
    /// Failed records, by kind of error.
    pub errors: BTreeMap<String, u64>,
    /// Topics that changed during the run, in the order in which that was noticed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed_topics: Vec<ChangedTopic>,
    /// The end offset of each partition when the run ended, by topic name without prefix. Topics that
    /// don't report them are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub end_offsets: BTreeMap<String, Vec<i64>>,
    /// The histograms behind the percentiles.
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
    /// The reader of its output went away.
    Closed,
    /// The sink or the program failed.
    Failed,
}

/// The outcomes of a topic's records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicResults {
    /// Records handed to the sink.
    pub sent: u64,
    /// Records that were acknowledged.
    pub acked: u64,
    /// Records that failed.
    pub failed: u64,
    /// Records with an unknown outcome: sent, neither acknowledged nor failed.
    #[serde(default)]
    pub unconfirmed: u64,
    /// Records that were dropped rather than sent late.
    pub dropped: u64,
    /// Bytes of keys and values acknowledged.
    pub bytes: u64,
}

/// Where a thread was in its part of the run when that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreadEnd {
    /// Its shard.
    pub shard: Shard,
    /// Which thread it is of the shard.
    pub thread: Shard,
    /// The records that it had come past, from the first of its part on: those that it sent, and of a
    /// resumed run those that were there.
    pub records: u64,
}

/// A topic that changed during the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangedTopic {
    /// Its full name.
    pub topic: String,
    /// When the change was noticed, up to half a minute after it.
    pub noticed: DateTime<Utc>,
    /// How it changed.
    #[serde(flatten)]
    pub change: TopicChange,
}

/// The rate of a run over all topics, without announcements. Measured is every record if nothing is
/// paced, else those that were due after the run was ready.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RateResults {
    /// The slots per second that the schedule called for, on average over the time measured; `None` if
    /// nothing is paced, or nothing was due.
    pub target: Option<f64>,
    /// Records handed over per second, over the time measured; `None` if there was no such time.
    pub achieved: Option<f64>,
    /// Records acknowledged per second, over the time measured and until the last acknowledgement.
    pub acknowledged: Option<f64>,
    /// The error of the records handed over, as a fraction of those that were due, without slots that
    /// carried nothing; of bytes, if a rate of bytes was requested. One record per shard is forgiven,
    /// since the end decides about it. `None` if nothing was paced, or for less than a second or a
    /// record.
    pub error: Option<f64>,
    /// Bytes of keys and values per second that were requested, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_bytes_per_second: Option<f64>,
    /// Bytes of keys and values handed over per second: those of `achieved`.
    pub bytes_per_second: Option<f64>,
    /// Bytes of keys and values acknowledged per second: those of `acknowledged`.
    pub acknowledged_bytes_per_second: Option<f64>,
    /// Slots that carried nothing.
    pub silent: u64,
    /// Their fraction of the slots measured; `None` if there were none.
    pub silent_share: Option<f64>,
    /// The counts behind these figures.
    pub measured: Measured,
    /// The part of a paced run that was due before it was ready, as with `--start -7d`, and was sent at
    /// once; `None` if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Past>,
    /// The largest error of a whole second in which something was due, as a fraction; `None` if there was
    /// no such second.
    pub max_second_error: Option<f64>,
    /// The most records that were due and not yet handed over at any moment, as a fraction of all that
    /// were due by then; two are forgiven. `None` if nothing was paced.
    pub max_drift: Option<f64>,
    /// From when a record was due until it was handed over, in milliseconds.
    pub late_ms: Option<Percentiles>,
    /// Records due and records handed over in each second of the schedule, for an hour. The first second
    /// is that in which measuring began. Dropped records were due and not handed over.
    pub seconds: Vec<(u32, u32)>,
}

/// Slots, by their outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotCounts {
    /// Slots whose record was handed over.
    pub sent: u64,
    /// The bytes of keys and values of these.
    pub bytes: u64,
    /// Slots that carried nothing.
    pub silent: u64,
    /// Slots whose record was dropped.
    pub dropped: u64,
    /// Slots that were dropped, and whose state change waited for a later slot.
    pub deferred: u64,
    /// Slots whose record was in the topic before the run was resumed.
    pub already_there: u64,
}

/// The counts behind a rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// When measuring began, in seconds of the schedule; after 0 if part of the run was past.
    pub from_s: f64,
    /// When the last slot was done, or the run's duration was over.
    pub to_s: f64,
    /// When the last record was acknowledged; at least `to_s`.
    pub acknowledged_s: f64,
    /// The slots.
    #[serde(flatten)]
    pub slots: SlotCounts,
    /// Records acknowledged.
    pub acked: u64,
    /// The bytes of keys and values of these.
    pub acked_bytes: u64,
}

/// The part of a paced run that was due before it was ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// The slots.
    #[serde(flatten)]
    pub slots: SlotCounts,
    /// How long it took to hand them over, in seconds.
    pub took_s: f64,
    /// Records handed over per second.
    pub achieved: f64,
    /// Bytes of keys and values handed over per second.
    pub bytes_per_second: f64,
}

/// How far a run fell behind its schedule: records that were a fifth of a second late or more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BehindResults {
    /// When they were handed over: the producer's queue was full, or the machine too slow.
    pub handed_over: Lag,
    /// When they were acknowledged.
    pub acknowledged: Lag,
}

/// How far the records of a partition may lie behind earlier ones in event time, since threads share it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTimeResults {
    /// How far apart threads were allowed to be, in milliseconds of timestamps; `None` with one thread,
    /// and for shards together.
    pub max_skew_ms: Option<i64>,
    /// No record was sent further than this behind an earlier one of its partition, in milliseconds;
    /// `None` for shards together, which only their pace keeps close.
    pub max_backstep_ms: Option<i64>,
}

/// How far something fell behind, and for how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// The longest that a record was late, in seconds.
    pub longest_s: f64,
    /// How long some record was overdue, in seconds.
    pub total_s: f64,
    /// How many separate times.
    pub times: u64,
}

/// A span of slots in which one thread sent nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedSpan {
    /// The shard.
    pub shard: Shard,
    /// The thread, as a part of the shard.
    pub thread: Shard,
    /// The number of the first slot, over the whole fleet.
    pub first_slot: u64,
    /// The number of the last slot.
    pub last_slot: u64,
    /// When the first was due.
    pub from: DateTime<Utc>,
    /// When the last was due.
    pub to: DateTime<Utc>,
    /// How many slots would have carried a record: those dropped and those deferred.
    pub records: u64,
}

/// Latencies of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyResults {
    /// From when a record was due to its acknowledgement.
    pub intended: Option<Percentiles>,
    /// From when a record was enqueued to its acknowledgement, for the same records; if nothing is paced,
    /// for all. Repeated announcements count as well.
    pub enqueued: Option<Percentiles>,
    /// The same for the past part, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Percentiles>,
    /// The same by topic name, without prefix.
    pub topics: BTreeMap<String, TopicPercentiles>,
}

/// Latencies of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TopicPercentiles {
    /// From when a record was due to its acknowledgement.
    pub intended: Option<Percentiles>,
    /// From when a record was enqueued to its acknowledgement.
    pub enqueued: Option<Percentiles>,
}

/// Histograms of microseconds, as [`super::histogram`] encodes them; `None` if empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histograms {
    /// From when a record was due until it was handed over.
    pub late: Option<String>,
    /// Of the past part: from when a record was enqueued to its acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<String>,
    /// Latencies by topic name, without prefix.
    pub topics: BTreeMap<String, TopicHistograms>,
}

/// Histograms of a topic's latencies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicHistograms {
    /// From when a record was due to its acknowledgement.
    pub intended: Option<String>,
    /// From when a record was enqueued to its acknowledgement.
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

fn is_nothing(seconds: &f64) -> bool {
    *seconds == 0.0
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How many seconds a report lists.
pub const LISTED_SECONDS: usize = 3600;

/// The largest error of the rate over whole seconds, as a fraction of what was due. `seconds` are the
/// records due and handed over. Left out are the last second, which may be cut short, the first if
/// measuring began within it (at `from_s` of the schedule), and those in which nothing was due. One
/// record more or less is forgiven, since the edge of a second decides about it.
pub fn max_second_error(
    from_s: f64,
    seconds: impl ExactSizeIterator<Item = (u32, u32)>,
) -> Option<f64> {
    let whole = seconds.len().checked_sub(1)?;
    let cut = usize::from(from_s.fract() > 0.0);
    seconds
        .take(whole)
        .skip(cut)
        .filter(|&(due, _)| due > 0)
        .map(|(due, sent)| {
            let off = due.abs_diff(sent);
            if off <= 1 { 0.0 } else { f64::from(off) / f64::from(due) }
        })
        .reduce(f64::max)
}

impl Results {
    /// Failed records, over all topics.
    pub fn failed(&self) -> u64 {
        self.total().failed
    }

    /// Records with an unknown outcome, over all topics.
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
            unconfirmed: self.unconfirmed.saturating_add(other.unconfirmed),
            dropped: self.dropped.saturating_add(other.dropped),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl SlotCounts {
    /// These and `other` together.
    #[must_use]
    pub fn plus(self, other: &SlotCounts) -> SlotCounts {
        SlotCounts {
            sent: self.sent.saturating_add(other.sent),
            bytes: self.bytes.saturating_add(other.bytes),
            silent: self.silent.saturating_add(other.silent),
            dropped: self.dropped.saturating_add(other.dropped),
            deferred: self.deferred.saturating_add(other.deferred),
            already_there: self.already_there.saturating_add(other.already_there),
        }
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        [self.sent, self.silent, self.dropped, self.deferred, self.already_there]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

impl Past {
    /// The past part with these slots, which took this long; `None` if there are none.
    pub fn new(slots: SlotCounts, took_s: f64) -> Option<Past> {
        let per_second = |n: u64| if took_s > 0.0 { n as f64 / took_s } else { 0.0 };
        let (achieved, bytes_per_second) = (per_second(slots.sent), per_second(slots.bytes));
        (slots.total() > 0).then_some(Past { slots, took_s, achieved, bytes_per_second })
    }
}

impl Percentiles {
    /// The percentiles of a histogram of microseconds; `None` if it is empty.
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
            past: latencies.past().and_then(Percentiles::of),
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
            past: latencies.past().and_then(histogram::encode),
            topics: named(latencies, |latency| TopicHistograms {
                intended: histogram::encode(&latency.intended),
                enqueued: histogram::encode(&latency.enqueued),
            }),
        }
    }
}

/// Applies `of` to the latencies of each topic.
fn named<T>(latencies: &Latencies, of: impl Fn(&TopicLatency) -> T) -> BTreeMap<String, T> {
    latencies.topics().map(|(topic, latency)| (topic.name().to_owned(), of(latency))).collect()
}
