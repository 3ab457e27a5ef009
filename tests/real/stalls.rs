//! A broker that stalls: what latency, the report and `--on-backlog` make of it. Each test has a
//! cluster of its own, whose broker it holds still for a while.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use fleetstorm::report::histogram;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;

use crate::own_cluster::OwnCluster;
use crate::support::consumer::Reader;
use crate::support::{Running, SOON, assert_all_acked, sent, total};

/// How long the broker is held still, at least.
const STALL: Duration = Duration::from_secs(2);
const LIBRDKAFKA: [&str; 2] = ["--transport", "librdkafka"];
const TOPICS: [&str; 4] = ["telemetry", "usage", "status", "jobs"];

/// A cluster of one broker, with stalls.
struct Cluster(OwnCluster);

impl Cluster {
    fn start(name: &str) -> Cluster {
        Cluster(OwnCluster::start(name, &["--no-registry"]))
    }

    /// Makes a run of ten seconds at 1,000 records/s whose producer may hold 200 records, holds the
    /// broker still in its midst, and returns the report.
    fn stalled_run(&self, more: &[&str]) -> Value {
        let arguments: [&[&str]; 4] = [
            &["run", "-b", &self.0.bootstrap, "--format", "json", "--seed", "5", "--report", "-"],
            &["--rate", "1000", "--duration", "10s", "-X", "queue.buffering.max.messages=200"],
            // Time to announce the machines on a busy machine, so that nothing is late before.
            &["--start", "+5s"],
            more,
        ];
        let running = Running::start(&arguments.concat());
        running.line("Simulating");
        // Records flow: the stall comes in their midst.
        Reader::open(&self.0.bootstrap, "telemetry").take(500);
        self.0.call(&["pause-broker", "1"]);
        thread::sleep(STALL);
        self.0.call(&["resume-broker", "1"]);
        let report = running.finish(SOON).exits(0).report();
        assert_all_acked(&report);
        report
    }
}

#[test]
fn stalled_time_is_in_the_latency_from_the_intended_instant() {
    stalled_time_is_in_the_latency("stalls", &[]);
}

#[test]
fn stalled_time_is_in_the_latency_by_librdkafka() {
    stalled_time_is_in_the_latency("stalls-librdkafka", &LIBRDKAFKA);
}

fn stalled_time_is_in_the_latency(name: &str, transport: &[&str]) {
    let cluster = Cluster::start(name);
    let log = tempfile::NamedTempFile::new().unwrap();
    let options = [transport, &["--hdr-log", log.path().to_str().unwrap()]].concat();
    let report = cluster.stalled_run(&options);
    let results = &report["results"];
    assert_eq!(total(&report, "dropped"), 0);
    // Records are a millisecond apart: the first one due in the stall waits for all of it but that.
    let stall_ms = STALL.as_secs_f64() * 1000.0 - 1.0;
    let of = |latency: &Value, at: &str| latency[at].as_f64().expect("it is measured");
    let intended = &results["latency_ms"]["intended"];
    assert!(of(intended, "max") >= stall_ms, "{intended}");
    assert!(of(intended, "p9999") >= 0.95 * stall_ms, "{intended}");
    // A fifth of the run's records are due in the stall, each later one by a millisecond less, so a
    // tenth wait for a second or more. Who looks from the hand-over sees 200 of them, a fiftieth.
    assert!(of(intended, "p90") >= stall_ms / 2.0, "{intended}");
    let enqueued = &results["latency_ms"]["enqueued"];
    assert!(of(enqueued, "p90") < of(intended, "p90") / 2.0, "{enqueued} and {intended}");
    let of_topics = results["latency_ms"]["topics"].as_object().expect("it is by topic");
    assert_eq!(of_topics.keys().collect::<Vec<_>>(), ["jobs", "status", "telemetry", "usage"]);
    for topic in ["status", "telemetry", "usage"] {
        assert!(of(&of_topics[topic]["intended"], "max") >= 0.95 * stall_ms, "{topic}");
    }

    let behind = &results["behind"];
    for (what, queued_s) in [("acknowledged", 0.0), ("handed_over", 0.2)] {
        // The queue takes a fifth of a second of records before the hand-over stalls.
        let least = stall_ms / 1000.0 - queued_s - 0.01;
        assert!(of(&behind[what], "longest_s") >= least, "{what}: {behind}");
        assert!(of(&behind[what], "total_s") >= least, "{what}: {behind}");
        assert!(behind[what]["times"].as_u64() >= Some(1), "{what}: {behind}");
    }

    let text = std::fs::read_to_string(log.path()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('"')).collect();
    let text = lines.join("\n") + "\n";
    let mut by_tag: BTreeMap<String, hdrhistogram::Histogram<u64>> = BTreeMap::new();
    for entry in IntervalLogIterator::new(text.as_bytes()) {
        let LogEntry::Interval(interval) = entry.expect("the log can be read") else { continue };
        let tag = interval.tag().map_or("", |tag| tag.as_str()).to_owned();
        let read = histogram::decode(interval.encoded_histogram()).expect("it is a histogram");
        by_tag.entry(tag).or_insert_with(|| read.clone() - &read).add(&read).unwrap();
    }
    // Announcements are no part of it.
    let of_topics = TOPICS.map(|topic| by_tag[&format!("{topic}.intended")].len());
    assert_eq!(by_tag[""].len(), of_topics.iter().sum::<u64>());
    assert_eq!(by_tag["telemetry.enqueued"].len(), sent(&report, "telemetry"));
    assert!(by_tag[""].max() as f64 / 1000.0 >= stall_ms);
}

#[test]
fn stalled_slots_are_dropped_where_that_is_asked_for_and_all_others_arrive() {
    stalled_slots_are_dropped("drops", &[]);
}

#[test]
fn stalled_slots_are_dropped_by_librdkafka() {
    stalled_slots_are_dropped("drops-librdkafka", &LIBRDKAFKA);
}

fn stalled_slots_are_dropped(name: &str, transport: &[&str]) {
    let cluster = Cluster::start(name);
    let report = cluster.stalled_run(&[transport, &["--on-backlog", "drop"]].concat());
    let spans = report["results"]["dropped"].as_array().expect("spans are listed");
    let number = |span: &Value, name: &str| span[name].as_u64().expect("it is a number");
    let dropped: u64 = spans.iter().map(|span| number(span, "records")).sum();
    // The queue takes a tenth of what comes in two seconds.
    assert!(dropped >= 1500, "{dropped} dropped");
    let deferred = number(&report["results"]["rate"]["measured"], "deferred");
    assert_eq!(total(&report, "dropped") + deferred, dropped);
    for topic in ["jobs", "machines"] {
        assert_eq!(number(&report["results"]["records"][topic], "dropped"), 0, "{topic}");
    }
    assert_eq!(sent(&report, "machines"), 100, "announcements are never dropped");
    let waited = report["results"]["behind"]["handed_over"]["longest_s"].as_f64().unwrap();
    assert!(waited < STALL.as_secs_f64() / 2.0, "nothing waits for the broker, but {waited} s");

    // What was dropped is missing from the rate: of 9,999 slots, one forgiven.
    let error = report["results"]["rate"]["error"].as_f64().unwrap();
    assert!(error >= (dropped - 1) as f64 / 10_000.0, "off by {error} with {dropped} dropped");

    // What arrived is the run as its manifest makes it, but for the slots of the spans, and with the
    // state changes of these in later ones.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), report.to_string()).unwrap();
    let path = file.path().to_str().unwrap();
    let verify = ["verify", "-b", &cluster.0.bootstrap, "--manifest", path, "--report", "-"];
    let verdict = Running::start(&verify).finish(SOON).exits(0).report();
    assert_eq!(verdict["total"]["arrived"], total(&report, "sent"), "{verdict:#}");
    assert_eq!(verdict["matches"], true, "{verdict:#}");
}
