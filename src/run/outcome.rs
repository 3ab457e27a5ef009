//! From what was counted to the results of a run.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::sent::{DroppedSlots, Sent};
use crate::config::units::Shard;
use crate::fleet::{Groups, Share};
use crate::manifest::Manifest;
use crate::pacing::Schedule;
use crate::record::Topic;
use crate::report::results::{
    BehindResults, DroppedSpan, Ending, Histograms, LISTED_SECONDS, Lag, LatencyResults,
    Percentiles, RateResults, Results, TopicResults,
};
use crate::sink::Transport;
use crate::sink::latency::Latencies;
use crate::sink::tally::Deliveries;

/// What was counted in a run.
pub struct Counts<'a> {
    /// The run.
    pub manifest: &'a Manifest,
    /// How it ended.
    pub ended: Ending,
    /// By each thread: what it handed over.
    pub sent: &'a [&'a Sent],
    /// By the producers: what became of it; none where the sink confirms nothing.
    pub deliveries: Option<&'a Deliveries>,
    /// Where the topics end now.
    pub end_offsets: &'a BTreeMap<String, Vec<i64>>,
    /// Whose producers sent; none where there were none.
    pub transport: Option<Transport>,
    /// Records of the run that were there before, where it was resumed.
    pub already_there: u64,
    /// How long the deliveries took.
    pub latencies: &'a Latencies,
    /// When the work began, in seconds from the schedule's zero, 0 at least.
    pub began_s: f64,
    /// How long it took, in seconds.
    pub worked_s: f64,
    /// How long it took until all was delivered.
    pub elapsed_s: f64,
}

impl Counts<'_> {
    /// The results that they make.
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
            dropped: self.dropped(),
            latency_ms: LatencyResults::of(self.latencies),
            errors: deliveries.errors.clone(),
            end_offsets: self.end_offsets.clone(),
            transport: self.transport,
            already_there: self.already_there,
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
                dropped,
                bytes: counts.bytes,
            },
            None => TopicResults {
                sent: handed_over,
                acked: handed_over,
                failed: 0,
                dropped,
                bytes: sent.bytes[i],
            },
        }
    }

    fn rate(&self, sent: &Sent) -> RateResults {
        let machines = Topic::Machines.index();
        let slots = match sent.measured {
            0 => sent.records.iter().sum::<u64>() - sent.records[machines] + sent.silent,
            // What was dropped was due, and not sent.
            measured => measured - sent.dropped.iter().sum::<u64>(),
        };
        let bytes = sent.bytes.iter().sum::<u64>() - sent.bytes[machines];
        let per_second = |n: f64| if self.worked_s > 0.0 { n / self.worked_s } else { 0.0 };
        let schedule = self.manifest.schedule();
        let target = self.target(&schedule);
        let listed = sent.seconds.len().min(LISTED_SECONDS);
        RateResults {
            target,
            achieved: per_second(slots as f64),
            error: target.map(|rate| {
                // The first slot is due a little after the zero of the schedule.
                let due = rate * self.worked_s - schedule.due_before(0);
                let off = (slots as f64 - due).abs();
                if off <= 1.0 { 0.0 } else { off / due.max(1.0) }
            }),
            bytes_per_second: per_second(bytes as f64),
            silent: sent.silent,
            max_second_error: sent.max_second_error(),
            max_drift: target.map(|_| sent.max_drift),
            late_ms: Percentiles::of(&sent.late_us),
            measured_from_s: sent.measured_from_ns as f64 / 1e9,
            seconds: sent.seconds[..listed].iter().map(|s| (s.due, s.sent)).collect(),
        }
    }

    /// The part of the run's rate that falls to this shard, on average over the time worked.
    fn target(&self, schedule: &Schedule) -> Option<f64> {
        let (lowest, highest) = schedule.rates()?;
        let mean = if lowest == highest || self.worked_s <= 0.0 {
            highest
        } else {
            let until = schedule.due(self.began_s + self.worked_s)?;
            (until - schedule.due(self.began_s)?) / self.worked_s
        };
        let machines = self.manifest.config.n_machines;
        let share = Share { shard: self.shard(), thread: (0, 1) };
        let ours = Groups::new(machines).machines(share).count();
        Some(mean * ours as f64 / f64::from(machines))
    }

    fn dropped(&self) -> Vec<DroppedSpan> {
        let threads = self.sent.len() as u32;
        let of_thread = |(thread, sent): (u32, &&Sent)| {
            let thread = Shard::new(thread, threads).unwrap_or_default();
            sent.spans.iter().map(|span| self.span(thread, span)).collect::<Vec<_>>()
        };
        (0..).zip(self.sent).flat_map(of_thread).collect()
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

    fn shard(&self) -> (u32, u32) {
        (self.manifest.shard.index(), self.manifest.shard.count())
    }
}

fn after(start: DateTime<Utc>, ns: u64) -> DateTime<Utc> {
    let since = TimeDelta::nanoseconds(i64::try_from(ns).unwrap_or(i64::MAX));
    start.checked_add_signed(since).unwrap_or(start)
}
