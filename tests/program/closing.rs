//! Runs that close their windows, as a user makes them: what is sent behind the end, when, and what
//! `verify`, `--resume` and `expect` make of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fleetstorm_broker::{Broker, Settings};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::options::manifest_at;
use crate::parts::{FIXED, Made, NOW_MS, assert_same, streamed};
use crate::support::consumer::{ANSWER, Reader};
use crate::support::{ALL_TOPICS, Finished, Running, SOON, run, total};
use crate::worker::{LONG_AGO_NS, work};

const PARTITIONS: i32 = 6;
/// Telemetry, usage, status, jobs and machines.
const TOPICS: [&str; 5] = ["telemetry", "usage", "status", "jobs", "machines"];
const CLOSING: u64 = 5 * PARTITIONS as u64;

fn broker(settings: &[(&str, &str)]) -> Broker {
    let broker = Broker::start(Settings::new()).expect("a broker starts");
    for topic in ALL_TOPICS {
        broker.create_topic(topic, PARTITIONS, settings).expect("topics can be made");
    }
    broker
}

/// A broker that takes records from ahead of its clock.
fn patient() -> Broker {
    broker(&[("message.timestamp.after.max.ms", "9223372036854775807")])
}

/// Runs with these options, to this broker and into a report at `path`.
fn made(broker: &Broker, path: &Path, words: &str) -> Finished {
    let all = format!(
        "run -q -b {} --format json --report {} {words}",
        broker.bootstrap(),
        path.to_str().expect("text")
    );
    run(&all.split_whitespace().collect::<Vec<_>>())
}

fn report(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("it is there")).expect("it is JSON")
}

fn verdict(broker: &Broker, path: &Path) -> (Option<i32>, Value) {
    let path = path.to_str().expect("text");
    let address = broker.bootstrap();
    let verified = run(&["verify", "-q", "-b", &address, "--manifest", path, "--report", "-"]);
    (verified.status.code(), verified.report())
}

/// The report of a run, with another manifest.
fn rewritten(path: &Path, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut report = report(path);
    change(&mut report);
    let path = path.with_extension("changed");
    fs::write(&path, report.to_string()).expect("there is room");
    path
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room")
}

#[test]
fn workers_close_what_the_stream_does() {
    for mode in ["--scenario chaos --rate max --readings 111", "--duration 3100ms --machines 40"] {
        let manifest = manifest_at(NOW_MS, &format!("{FIXED} {mode} --close-windows 5m"));
        let whole = Made::of(streamed(&manifest, (0, 1)));
        for threads in [1, 4] {
            let made = (0..threads).fold(Made::default(), |mut made, thread| {
                made.join(Made::of(work(&manifest, (thread, threads), LONG_AGO_NS, 0)));
                made
            });
            assert_same(&whole, &made, &format!("{mode}, {threads} threads"));
        }
    }
}

#[test]
fn whoever_sends_each_partition_ends_with_its_closing_record_and_all_is_verified() {
    let paces = ["--rate max --readings 200", "--rate 3000 --duration 900ms"];
    for transport in ["direct", "librdkafka"] {
        for threads in [1, 4] {
            for pace in paces {
                let (broker, folder) = (patient(), folder());
                let path = folder.path().join("run.json");
                let words = format!(
                    "--seed 3 --machines 100 {pace} --transport {transport} --threads {threads} \
                     --close-windows 5m"
                );
                made(&broker, &path, &words).exits(0);
                let told = report(&path);
                assert_eq!(told["results"]["closing"], CLOSING, "{words}");
                for topic in TOPICS {
                    for partition in 0..PARTITIONS {
                        let records = broker.records(topic, partition).expect("they can be read");
                        let (last, before) = records.split_last().expect("there is one");
                        let highest = before.iter().map(|record| record.timestamp).max();
                        let context = format!("{words}: {topic}-{partition}");
                        let gap = last.timestamp - highest.expect("there are others");
                        assert!(gap >= 300_000, "{context}: {gap} ms");
                    }
                }
                let (code, verdict) = verdict(&broker, &path);
                assert_eq!((code, &verdict["matches"]), (Some(0), &json!(true)), "{verdict:#}");
                assert_eq!(verdict["total"]["arrived"], total(&told, "sent"), "{verdict:#}");
            }
        }
    }
}

#[test]
fn transactions_close_windows_as_well() {
    let (broker, folder) = (patient(), folder());
    let path = folder.path().join("run.json");
    let words = "--seed 3 --machines 60 --rate max --readings 50 --transactional-id t --threads 2 \
                 --close-windows 5m";
    made(&broker, &path, words).exits(0);
    assert_eq!(report(&path)["results"]["closing"], CLOSING);
    assert_eq!(verdict(&broker, &path).0, Some(0));
}

/// The figures of what closes windows are its own: those of the rate are as without.
#[test]
fn what_closes_windows_is_counted_and_spoils_no_rate() {
    for pace in ["--rate max --readings 60", "--rate 2000 --time simulated --readings 10"] {
        let figures = |more: &str| {
            let (broker, folder) = (patient(), folder());
            let path = folder.path().join("run.json");
            let fixed = "--seed 3 --machines 60 --start 2026-01-01T00:00:00Z";
            made(&broker, &path, &format!("{fixed} {pace} {more}")).exits(0);
            report(&path)
        };
        let (plain, closed) = (figures(""), figures("--close-windows 5m"));
        for count in ["sent", "acked"] {
            assert_eq!(total(&closed, count), total(&plain, count) + CLOSING, "{pace}: {count}");
        }
        for figure in ["sent", "bytes", "acked", "acked_bytes", "silent"] {
            let of = |report: &Value| report["results"]["rate"]["measured"][figure].clone();
            assert_eq!(of(&closed), of(&plain), "{pace}: {figure}");
        }
        let of = |report: &Value| report["results"]["rate"]["past"].clone();
        assert_eq!(of(&closed), of(&plain), "{pace}");
        assert!(closed["results"]["histograms"]["past"].is_null(), "{pace}");
        assert!(plain["results"].get("closing").is_none());
    }
}

#[test]
fn a_closing_record_that_is_missing_is_found() {
    let (broker, folder) = (patient(), folder());
    let path = folder.path().join("run.json");
    let fixed = "--seed 3 --machines 100 --rate max --readings 20 --start 2026-01-01T00:00:00Z";
    made(&broker, &path, fixed).exits(0);
    let promised = rewritten(&path, |report| report["manifest"]["close_windows"] = json!("5m"));
    let (code, all) = verdict(&broker, &promised);
    assert_eq!((code, &all["total"]["lost"]), (Some(30), &json!(CLOSING)), "{all:#}");
    assert_eq!(all["topics"]["telemetry"]["lost"], 6);

    // By another's hand, all but one.
    let words = format!("run -q --sink stdout {fixed} --close-windows 5m");
    let lines = run(&words.split_whitespace().collect::<Vec<_>>()).exits(0).stdout.clone();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .create()
        .expect("a producer can be made");
    let closing: Vec<&str> = lines.lines().collect();
    let closing = &closing[closing.len() - CLOSING as usize..];
    let is_spared = |line: &Value| line["topic"] == "usage" && line["partition"] == 4;
    let mut spared = None;
    for text in closing {
        let line: Value = serde_json::from_str(text).expect("a line is JSON");
        if is_spared(&line) {
            spared = Some(line["key"].clone());
            continue;
        }
        let (_, value) = text.split_once("\"value\":").expect("it has a value");
        let value = value.strip_suffix('}').expect("the line ends");
        let record = BaseRecord::to(line["topic"].as_str().expect("text"))
            .partition(line["partition"].as_i64().expect("a number") as i32)
            .key(line["key"].as_str().expect("text"))
            .timestamp(line["timestamp"].as_i64().expect("a number"))
            .payload(value);
        producer.send(record).expect("the queue has room");
    }
    producer.flush(ANSWER).expect("all is acknowledged");
    // They came behind the run's own end.
    let promised = rewritten(&path, |report| {
        report["manifest"]["close_windows"] = json!("5m");
        report["results"]["end_offsets"] = json!({});
    });
    let (code, one) = verdict(&broker, &promised);
    assert_eq!((code, &one["total"]["lost"]), (Some(30), &json!(1)), "{one:#}");
    assert_eq!(one["total"]["unexpected"], 0, "{one:#}");
    let example = &one["examples"][0];
    assert_eq!(Some(&example["key"]), spared.as_ref(), "{one:#}");
    assert_eq!((&example["topic"], &example["partition"]), (&json!("usage"), &json!(4)));
}

#[test]
fn an_interrupted_run_closes_nothing_and_a_resumed_one_does() {
    let (broker, folder) = (patient(), folder());
    let path = folder.path().join("run.json");
    let words = "--seed 7 --machines 60 --time simulated --rate 400 --records 2400 --threads 2 \
                 --start 2026-01-01T00:00:00Z --close-windows 5m";
    let all = format!(
        "run -b {} --format json --report {} {words}",
        broker.bootstrap(),
        path.to_str().expect("text")
    );
    let running = Running::start(&all.split_whitespace().collect::<Vec<_>>());
    running.line("Simulating");
    Reader::open(&broker.bootstrap(), "usage").take(200);
    running.signal("INT");
    running.finish(SOON);
    let before = report(&path);
    assert_eq!(before["results"]["ended"], "interrupted");
    assert!(before["results"].get("closing").is_none());
    let (code, verdict_before) = verdict(&broker, &path);
    assert_eq!((code, &verdict_before["whole"]), (Some(0), &json!(false)), "{verdict_before:#}");

    let resume = |path: &Path| {
        let path = path.to_str().expect("text");
        let all = format!("run -q -b {} --resume {path} --report {path}", broker.bootstrap());
        run(&all.split_whitespace().collect::<Vec<_>>()).exits(0);
    };
    resume(&path);
    let after = report(&path);
    assert_eq!(after["results"]["closing"], CLOSING);
    let (code, verdict_after) = verdict(&broker, &path);
    assert_eq!((code, &verdict_after["whole"]), (Some(0), &json!(true)), "{verdict_after:#}");
    // There is nothing left to do for another.
    resume(&path);
    let again = report(&path);
    assert_eq!(total(&again, "sent"), 0);
    assert_eq!(verdict(&broker, &path).0, Some(0));
}

/// A run that was killed between its last slot and its first closing record.
#[test]
fn closing_records_alone_are_sent_by_a_resumed_run() {
    let (broker, folder) = (patient(), folder());
    let path = folder.path().join("run.json");
    made(&broker, &path, "--seed 7 --machines 60 --rate max --records 2400").exits(0);
    let killed = rewritten(&path, |report| {
        report["manifest"]["close_windows"] = json!("5m");
        report["results"] = Value::Null;
    });
    let text = killed.to_str().expect("text");
    let all = format!("run -q -b {} --resume {text} --report {text}", broker.bootstrap());
    run(&all.split_whitespace().collect::<Vec<_>>()).exits(0);
    assert_eq!(total(&report(&killed), "sent"), CLOSING);
    assert_eq!(report(&killed)["results"]["closing"], CLOSING);
    let (code, verdict) = verdict(&broker, &killed);
    assert_eq!((code, &verdict["matches"]), (Some(0), &json!(true)), "{verdict:#}");
}

#[test]
fn a_topic_that_refuses_records_from_so_far_ahead_is_told_before_any_is_sent() {
    let (broker, folder) = (broker(&[("message.timestamp.after.max.ms", "60000")]), folder());
    let path = folder.path().join("run.json");
    let words = "--seed 7 --machines 10 --duration 1s";
    let refused = made(&broker, &path, &format!("{words} --close-windows 5m"));
    assert_ne!(refused.status.code(), Some(0));
    assert!(refused.error().contains("5m ahead"), "{}", refused.stderr);
    assert_eq!(broker.records("telemetry", 0).expect("they can be read").len(), 0);
    made(&broker, &path, &format!("{words} --close-windows 10s")).exits(0);
}

#[test]
fn lines_of_several_threads_end_with_what_closes_windows() {
    let words = "run -q --sink stdout --seed 3 --machines 100 --rate max --readings 100 --threads 4 \
                 --close-windows 5m";
    let lines = run(&words.split_whitespace().collect::<Vec<_>>()).exits(0).stdout.clone();
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let (before, closing) = lines.split_at(lines.len() - CLOSING as usize);
    let stamp = |line: &Value| line["timestamp"].as_i64().expect("a number");
    let highest = before.iter().map(stamp).max().expect("there are some");
    let mut partitions: BTreeMap<(String, i64), u64> = BTreeMap::new();
    for line in closing {
        assert!(stamp(line) >= highest + 300_000, "{line}");
        let topic = line["topic"].as_str().expect("text").to_owned();
        *partitions.entry((topic, line["partition"].as_i64().expect("a number"))).or_default() += 1;
    }
    assert_eq!(partitions.len() as u64, CLOSING);
}

/// Rows of an answer, as `expect` has them.
fn rows(directory: &Path, more: &[&str]) -> (Vec<Value>, String) {
    let manifest = format!("--manifest={}", directory.join("run.json").display());
    let answer = run(&[&["expect", &manifest, "--format=json"], more].concat());
    answer.exits(0);
    let rows = answer.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    (rows.collect(), answer.stderr.clone())
}

#[test]
fn no_window_is_left_open_but_those_of_the_closing_records() {
    let folder = folder();
    let path = folder.path().join("run.json");
    let words = "run -q --sink stdout --scenario chaos --seed 5 --machines 40 --rate max --readings 700 \
                 --start 2026-01-01T00:00:00Z --close-windows 5m";
    let report_to = format!("--report={}", path.display());
    let words: Vec<&str> = words.split_whitespace().chain([report_to.as_str()]).collect();
    let lines = run(&words).exits(0).stdout.clone();
    // The start, 700 s, and 5 minutes; the last slot is just before the end.
    let closing_ms = NOW_MS + 700_000 + 300_000;
    for (query, engine) in [
        ("zone-load", "flink-sql"),
        ("hot-machines", "flink-sql"),
        ("anomaly-sessions", "flink-datastream"),
        ("load-by-memory", "flink-sql"),
        ("busiest", "flink-sql"),
        ("distinct-reporters", "flink-sql"),
    ] {
        let (rows, said) = rows(folder.path(), &[query, "--semantics", engine]);
        let mut closed = 0;
        for row in &rows {
            let end_ms = row["window_end"].as_i64().expect("it has a window");
            if row["certainty"] == "pending" {
                assert!(end_ms > closing_ms - 1000, "{query}: {row}");
            } else {
                assert!(end_ms <= closing_ms, "{query}: {row}");
                closed += 1;
            }
        }
        assert!(closed > 0, "{query}: {rows:?}");
        assert!(!said.contains("partitions have no records"), "{query}: {said}");
        assert!(!said.contains("has had no records"), "{query}: {said}");
    }
    // What closes windows is counted.
    let telemetry = lines.lines().filter(|line| line.starts_with("{\"topic\":\"telemetry\""));
    let (counted, _) = rows(folder.path(), &["--from=telemetry", "--select=count"]);
    assert_eq!(counted[0]["count"], telemetry.count());
}

#[test]
fn partitions_without_keys_are_told_of() {
    let folder = folder();
    let report_to = format!("--report={}", folder.path().join("run.json").display());
    let words =
        "run --sink stdout --seed 5 --machines 3 --rate max --readings 60 --close-windows 5m";
    let words: Vec<&str> = words.split_whitespace().chain([report_to.as_str()]).collect();
    let ended = run(&words);
    ended.exits(0);
    let told = "no key goes to 4 of 6 partitions of telemetry, usage, status, jobs, machines";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert!(ended.stderr.contains("table.exec.source.idle-timeout"), "{}", ended.stderr);
    let (_, said) = rows(folder.path(), &["zone-load"]);
    assert!(said.contains("4 of 6 partitions have no records"), "{said}");
    let (_, said) = rows(folder.path(), &["zone-load", "--semantics=flink-datastream"]);
    assert!(said.contains("withIdleness"), "{said}");
}
