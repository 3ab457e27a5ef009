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
    /// Seconds in which brokers held the producers back, since a quota was used up; of shards, the
    /// most of any.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub throttled_s: f64,
    /// Records that were in the topics before, where the run was resumed; the rest counts what was
    /// sent since.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub already_there: u64,
    /// Slots that the run had dropped before it was resumed: `dropped` lists their spans as well.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub already_dropped: u64,
    /// Stories (of a job, a machine's status, an incident) that lack a part: slots were dropped, and
    /// their last changes still waited for one when the run ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub torn: u64,
    /// Records that were sent behind the run's end to close windows: they are in `records`, and in no
    /// rate.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub closing: u64,
    /// Where each thread was when the run ended before its end, in the order of shards and threads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<ThreadEnd>,
    /// How far the run fell behind its schedule.
    pub behind: BehindResults,
    /// How far records came out of the order of their timestamps.
    #[serde(default)]
    pub event_time: EventTimeResults,
    /// The spans of slots that were dropped, where that was asked for.
    pub dropped: Vec<DroppedSpan>,
    /// Latencies, in milliseconds.
    pub latency_ms: LatencyResults,
    /// Records given up, by kind of error.
    pub errors: BTreeMap<String, u64>,
    /// Topics that changed while the run lasted, in the order in which that was noticed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed_topics: Vec<ChangedTopic>,
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
    /// Records of which nobody knows: sent, less confirmed and given up.
    #[serde(default)]
    pub unconfirmed: u64,
    /// Records that were dropped rather than sent late, as was asked for.
    pub dropped: u64,
    /// Bytes of keys and values confirmed.
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

/// A topic that changed while the run lasted.
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

/// The rate of a run over all topics, without the announcement of machines: of what is measured, which
/// is every record where nothing is paced, else those that were due after the run was ready.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RateResults {
    /// The slots a second that the schedule called for, on average over the time measured; none where
    /// as fast as possible, or where nothing was due.
    pub target: Option<f64>,
    /// Records handed over a second, over the time measured; none where there was no such time.
    pub achieved: Option<f64>,
    /// Records confirmed a second, over the time measured and on to the last confirmation.
    pub acknowledged: Option<f64>,
    /// The error of the records handed over, as a fraction of those that were due, where slots that
    /// carried nothing are left out; of bytes where a rate of bytes was asked for. One record a shard
    /// forgiven, which the end decides. None where nothing was paced, and of less than a second or a
    /// record.
    pub error: Option<f64>,
    /// Bytes of keys and values a second that were asked for, where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_bytes_per_second: Option<f64>,
    /// Bytes of keys and values handed over a second: of `achieved`.
    pub bytes_per_second: Option<f64>,
    /// Bytes of keys and values confirmed a second: of `acknowledged`.
    pub acknowledged_bytes_per_second: Option<f64>,
    /// Slots that carried nothing.
    pub silent: u64,
    /// Their share of the slots measured; none where there were none.
    pub silent_share: Option<f64>,
    /// What all this is made of.
    pub measured: Measured,
    /// The part of a paced run that was due before it was ready, as that of `--start -7d`, and was sent
    /// at once; none where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Past>,
    /// The largest error of a whole second in which something was due, as a fraction; none where there
    /// was no such second.
    pub max_second_error: Option<f64>,
    /// The most records that were due and not yet handed over at any moment, as a fraction of all
    /// that were due by then; two forgiven. None where nothing was paced.
    pub max_drift: Option<f64>,
    /// From the instant at which a record was due to its hand-over, in milliseconds.
    pub late_ms: Option<Percentiles>,
    /// Records due and records handed over in each second of the schedule, of an hour: the first is
    /// that in which measuring began. What was dropped was due and not handed over.
    pub seconds: Vec<(u32, u32)>,
}

/// Slots, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotCounts {
    /// Those whose record was handed over.
    pub sent: u64,
    /// The bytes of keys and values of these.
    pub bytes: u64,
    /// Those that carried nothing.
    pub silent: u64,
    /// Those whose record was dropped.
    pub dropped: u64,
    /// Those that were dropped and whose state change waited for a later slot.
    pub deferred: u64,
    /// Those whose record was in the topic before the run was resumed.
    pub already_there: u64,
}

/// What a rate is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// When measuring began, in seconds of the schedule; after 0 where part of the run was past.
    pub from_s: f64,
    /// When the last slot was worked off, or the time was over that the run was given.
    pub to_s: f64,
    /// When the last record was confirmed; `to_s` at least.
    pub acknowledged_s: f64,
    /// The slots.
    #[serde(flatten)]
    pub slots: SlotCounts,
    /// Records confirmed.
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
    /// Records handed over a second.
    pub achieved: f64,
    /// Bytes of keys and values handed over a second.
    pub bytes_per_second: f64,
}

/// How far a run fell behind its schedule: records that were late by a fifth of a second or more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BehindResults {
    /// At their hand-over: the producer's queue was full, or the machine too slow.
    pub handed_over: Lag,
    /// At their acknowledgement.
    pub acknowledged: Lag,
}

/// How far the records of a partition may lie behind later ones in event time, since threads share it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTimeResults {
    /// How far threads were allowed to be apart, in milliseconds of the records' timestamps; none
    /// where there was one, and for shards together.
    pub max_skew_ms: Option<i64>,
    /// No record was sent further than this behind a later one of its partition, in milliseconds; none
    /// for shards together, which only their pace keeps so.
    pub max_backstep_ms: Option<i64>,
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

/// A span of slots of one thread, none of which sent anything.
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
    /// The slots that would have carried a record: those dropped and those deferred.
    pub records: u64,
}

/// Latencies of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyResults {
    /// From the instant at which a record was due to its acknowledgement.
    pub intended: Option<Percentiles>,
    /// From the hand-over to the producer to its acknowledgement, of the same records; where nothing is
    /// paced, of all. Machines that were announced again count as well.
    pub enqueued: Option<Percentiles>,
    /// The same of the past part, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Percentiles>,
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
    /// Of the past part, from the hand-over to the acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<String>,
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

fn is_nothing(seconds: &f64) -> bool {
    *seconds == 0.0
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The seconds that a report lists.
pub const LISTED_SECONDS: usize = 3600;

/// The largest error of the rate over whole seconds, of which `seconds` tell the records due and
/// those handed over, as a fraction of what was due: the last second, which may be cut, left out, and
/// the first where measuring began within it (at `from_s` of the schedule), and those in which nothing
/// was due; one record more or less forgiven, which the edge of a second decides.
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
    /// The past part with these slots, which took so long; none where there are none.
    pub fn new(slots: SlotCounts, took_s: f64) -> Option<Past> {
        let per_second = |n: u64| if took_s > 0.0 { n as f64 / took_s } else { 0.0 };
        let (achieved, bytes_per_second) = (per_second(slots.sent), per_second(slots.bytes));
        (slots.total() > 0).then_some(Past { slots, took_s, achieved, bytes_per_second })
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

/// What `of` makes of the latencies of each topic.
fn named<T>(latencies: &Latencies, of: impl Fn(&TopicLatency) -> T) -> BTreeMap<String, T> {
    latencies.topics().map(|(topic, latency)| (topic.name().to_owned(), of(latency))).collect()
}
