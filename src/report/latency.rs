//! Collects the latencies of a run from its producers, second by second.

use std::io;
use std::time::{Duration, Instant, SystemTime};

use hdrhistogram::Histogram;

use super::hdr_log::HdrLog;
use super::live::P99;
use crate::sink::latency::Latencies;
use crate::sink::tally::Tally;

/// Collects latencies, and logs each second's if there is a log.
#[derive(Debug)]
pub struct LatencyRecorder {
    total: Latencies,
    interval: Latencies,
    /// Swapped with a producer's latencies, so that the producer never waits.
    spare: Latencies,
    log: Option<HdrLog>,
    failed: Option<io::Error>,
    started: Instant,
    taken: Duration,
    p99: Option<P99>,
}

/// How often latencies are collected.
const EVERY: Duration = Duration::from_secs(1);

impl LatencyRecorder {
    /// A recorder that begins now.
    pub fn new(mut log: Option<HdrLog>) -> LatencyRecorder {
        let failed = log.as_mut().and_then(|log| log.begin(SystemTime::now()).err());
        LatencyRecorder {
            total: Latencies::default(),
            interval: Latencies::default(),
            spare: Latencies::default(),
            log: log.filter(|_| failed.is_none()),
            failed,
            started: Instant::now(),
            taken: Duration::ZERO,
            p99: None,
        }
    }

    /// Collects from `tallies` if a second has passed.
    pub fn look<'a>(&mut self, tallies: impl Iterator<Item = &'a Tally>) {
        if self.started.elapsed() >= self.taken + EVERY {
            self.take(tallies);
        }
    }

    /// Collects from `tallies`.
    pub fn take<'a>(&mut self, tallies: impl Iterator<Item = &'a Tally>) {
        self.interval.clear();
        for tally in tallies {
            tally.take_latencies(&mut self.spare);
            self.interval.add(&self.spare);
            self.spare.clear();
        }
        self.total.add(&self.interval);
        let (from, to) = (self.taken, self.started.elapsed());
        self.taken = to;
        if let Some(log) = &mut self.log
            && let Err(error) = log.interval(&self.interval, from, to)
        {
            self.failed = Some(error);
            self.log = None;
        }
        let all = self.total.total();
        let at = |latency: &Histogram<u64>| Duration::from_micros(latency.value_at_quantile(0.99));
        self.p99 = match (all.intended.is_empty(), all.enqueued.is_empty()) {
            (false, _) => Some(P99::Due(at(&all.intended))),
            (true, false) => Some(P99::Sent(at(&all.enqueued))),
            (true, true) => None,
        };
    }

    /// The 99th percentile so far: from the intended time if there is one, else from when records were
    /// enqueued.
    pub fn p99(&self) -> Option<P99> {
        self.p99
    }

    /// The latencies, and the error of the log, if there was one.
    pub fn finish(self) -> (Latencies, Option<io::Error>) {
        (self.total, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use fleetstorm_model::record::Topic;

    #[test]
    fn the_log_holds_each_interval_and_the_total_all_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latency.hlog");
        let tallies = [Tally::new(), Tally::new()];
        let mut recorder = LatencyRecorder::new(Some(HdrLog::create(&path, false).unwrap()));
        for interval in 1..=3 {
            for tally in &tallies {
                for _ in 0..interval {
                    let took = Duration::from_millis(interval);
                    tally.counting().acknowledge(Topic::Usage, 1, took, None);
                }
            }
            recorder.take(tallies.iter());
        }
        let (total, failed) = recorder.finish();
        assert!(failed.is_none());
        assert_eq!(total.total().enqueued.len(), 12);
        let text = std::fs::read_to_string(&path).unwrap();
        // The column names are Java's; the reader here knows none.
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('"')).collect();
        let text = lines.join("\n") + "\n";
        let intervals: Vec<(String, u64)> = IntervalLogIterator::new(text.as_bytes())
            .filter_map(|entry| match entry.unwrap() {
                LogEntry::Interval(interval) => {
                    use base64::Engine;
                    let bytes = base64::engine::general_purpose::STANDARD
                        .decode(interval.encoded_histogram())
                        .unwrap();
                    let histogram: Histogram<u64> =
                        Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
                    let tag = interval.tag().map_or("", |tag| tag.as_str());
                    Some((tag.to_owned(), histogram.len()))
                }
                _ => None,
            })
            .collect();
        let tagged = |n| [(String::new(), n), ("usage.enqueued".to_owned(), n)];
        assert_eq!(intervals, [tagged(2), tagged(4), tagged(6)].concat());
    }
}
