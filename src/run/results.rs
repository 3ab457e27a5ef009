//! Computes the results of a run from its counts.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fleetstorm_model::config::units::Shard;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;
use fleetstorm_model::schedule::Pace;

use super::sent::{DroppedSlots, Sent};
use crate::report::rate;
use crate::report::results::{
    BehindResults, ChangedTopic, DroppedSpan, Ending, EventTimeResults, Histograms, LISTED_SECONDS,
    Lag, LatencyResults, Measured, Past, Percentiles, RateResults, Results, ThreadEnd,
    TopicResults,
};
use crate::sink::Transport;
use crate::sink::latency::Latencies;
use crate::sink::tally::Deliveries;

/// The counts of a run.
pub struct Counts<'a> {
    /// The run.
    pub manifest: &'a Manifest,
    /// How it ended.
    pub ended: Ending,
    /// What each thread handed over.
    pub sent: &'a [&'a Sent],
    /// The outcomes, from the producers; `None` if the sink doesn't acknowledge any.
    pub deliveries: Option<&'a Deliveries>,
    /// The same before windows were closed: what the rate counts.
    pub rated: Option<&'a Deliveries>,
    /// The current end offsets.
    pub end_offsets: &'a BTreeMap<String, Vec<i64>>,
    /// Topics that changed during the run.
    pub changed_topics: &'a [ChangedTopic],
    /// The transport; `None` without producers.
    pub transport: Option<Transport>,
    /// For how long brokers throttled the producers.
    pub throttled: Duration,
    /// If the run was resumed: its records that were there before.
    pub already_there: u64,
    /// The latencies.
    pub latencies: &'a Latencies,
    /// How far apart its threads may be in event time, in milliseconds; `None` with one thread.
    pub max_skew_ms: Option<i64>,
    /// When the run was ready to send, in seconds from the schedule's zero.
    pub began_s: f64,
    /// When measuring began.
    pub from_s: f64,
    /// When the work was done; at least `from_s`.
    pub to_s: f64,
    /// How long it took until everything was delivered, in seconds.
    pub elapsed_s: f64,
    /// What was dropped before the run was resumed.
    pub dropped_before: &'a [DroppedSpan],
}

impl Counts<'_> {
    /// Computes the results.
    pub fn results(&self) -> Results {
        let mut sent = Sent::default();
        for worker in self.sent {
            sent.add(worker);
        }
        let records = self
            .manifest
            .topic_set()
            .iter()
            .map(|topic| (topic.name().to_owned(), self.topic(topic, &sent)))
            .collect();
        let nothing = Deliveries::default();
        let deliveries = self.deliveries.unwrap_or(&nothing);
        Results {
            ended: self.ended,
            records,
            elapsed_s: self.elapsed_s,
            rate: self.rate(&sent),
            behind: BehindResults {
                handed_over: Lag::of(&sent.behind),
                acknowledged: Lag::of(&deliveries.behind),
            },
            event_time: EventTimeResults {
                max_skew_ms: self.max_skew_ms,
                max_backstep_ms: Some(sent.max_backstep_ms),
            },
            dropped: self.dropped(),
            latency_ms: LatencyResults::of(self.latencies),
            errors: deliveries.errors.clone(),
            changed_topics: self.changed_topics.to_vec(),
            end_offsets: self.end_offsets.clone(),
            transport: self.transport,
            throttled_s: self.throttled.as_secs_f64(),
            already_there: self.already_there,
            already_dropped: self.dropped_before.iter().map(|span| span.records).sum(),
            torn: sent.torn,
            closing: sent.closing,
            threads: self.threads(),
            histograms: Histograms::of(self.latencies, &sent.late_us),
        }
    }

    fn topic(&self, topic: Topic, sent: &Sent) -> TopicResults {
        let i = topic.index();
        let (handed_over, dropped) = (sent.records[i], sent.dropped[i]);
        match self.deliveries.map(|deliveries| deliveries.topics[i]) {
            Some(counts) => TopicResults {
                sent: handed_over,
                acked: counts.acked,
                failed: counts.failed,
                unconfirmed: handed_over.saturating_sub(counts.acked).saturating_sub(counts.failed),
                dropped,
                bytes: counts.bytes,
            },
            None => TopicResults {
                sent: handed_over,
                acked: handed_over,
                failed: 0,
                unconfirmed: 0,
                dropped,
                bytes: sent.bytes[i],
            },
        }
    }

    fn rate(&self, sent: &Sent) -> RateResults {
        let paced = self.manifest.pace != Pace::Max;
        let (acked, acked_bytes) = match self.rated {
            None => (sent.measured.sent, sent.measured.bytes),
            Some(deliveries) if paced => (deliveries.measured.records, deliveries.measured.bytes),
            // Repeated announcements are not part of the requested rate.
            Some(deliveries) => Topic::ALL
                .iter()
                .filter(|&&topic| topic != Topic::Machines)
                .map(|topic| deliveries.topics[topic.index()])
                .fold((0, 0), |(acked, bytes), topic| (acked + topic.acked, bytes + topic.bytes)),
        };
        let last_acked_s = self.rated.map_or(0.0, |d| d.last_ns as f64 / 1e9);
        let part = rate::Part {
            fraction: rate::fraction(self.manifest, &[self.manifest.shard]),
            shards: 1,
            measured: Measured {
                from_s: self.from_s,
                to_s: self.to_s,
                acknowledged_s: last_acked_s.max(self.to_s),
                slots: sent.measured,
                acked,
                acked_bytes,
            },
        };
        let listed = sent.seconds.len().min(LISTED_SECONDS);
        let past_s = sent.past_until_ns as f64 / 1e9 - self.began_s;
        RateResults {
            silent: sent.silent(),
            past: Past::new(sent.past, past_s.max(0.0)),
            max_second_error: sent.max_second_error(),
            max_drift: paced.then_some(sent.max_drift),
            late_ms: Percentiles::of(&sent.late_us),
            seconds: sent.seconds[..listed].iter().map(|s| (s.due, s.sent)).collect(),
            ..rate::of(self.manifest, &[part])
        }
    }

    /// Where the threads were, where the run ended before its end.
    fn threads(&self) -> Vec<ThreadEnd> {
        if self.ended == Ending::Complete && self.manifest.has_known_end() {
            return Vec::new();
        }
        let threads = self.sent.len() as u32;
        let of_thread = |(thread, sent): (u32, &&Sent)| ThreadEnd {
            shard: self.manifest.shard,
            thread: Shard::new(thread, threads).unwrap_or_default(),
            records: sent.passed(),
        };
        (0..).zip(self.sent).map(of_thread).collect()
    }

    fn dropped(&self) -> Vec<DroppedSpan> {
        let threads = self.sent.len() as u32;
        let of_thread = |(thread, sent): (u32, &&Sent)| {
            let thread = Shard::new(thread, threads).unwrap_or_default();
            sent.spans.iter().map(|span| self.span(thread, span)).collect::<Vec<_>>()
        };
        let since = (0..).zip(self.sent).flat_map(of_thread);
        self.dropped_before.iter().cloned().chain(since).collect()
    }

    fn span(&self, thread: Shard, span: &DroppedSlots) -> DroppedSpan {
        DroppedSpan {
            shard: self.manifest.shard,
            thread,
            first_slot: span.first,
            last_slot: span.last,
            from: after(self.manifest.start, span.from_ns),
            to: after(self.manifest.start, span.to_ns),
            records: span.records,
        }
    }
}

fn after(start: DateTime<Utc>, ns: u64) -> DateTime<Utc> {
    let since = TimeDelta::nanoseconds(i64::try_from(ns).unwrap_or(i64::MAX));
    start.checked_add_signed(since).unwrap_or(start)
}
