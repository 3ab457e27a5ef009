//! `fleetstorm report merge` on reports that shards of real runs have written.

use std::fs;
use std::path::Path;

use fleetstorm::report::histogram;
use serde_json::{Value, json};

use crate::support::{Finished, Running, SOON, command, merge, now_ms, run, slots, total};

/// Runs without a broker, all topics, with every kind of event.
const RUN: &[&str] = &[
    "run",
    "--sink",
    "null",
    "--seed",
    "5",
    "--start",
    "2026-01-01T00:00:00Z",
    "--rate",
    "max",
    "--machines",
    "300",
    "--readings",
    "40",
    "--scenario",
    "chaos",
    "--topics",
    "telemetry,usage,status,jobs,machines,incidents",
    "--report",
    "-",
];

/// The report of a run of its own, as text.
fn report(more: &[&str]) -> String {
    let ended = run(&[RUN, more].concat());
    ended.exits(0);
    ended.stdout
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder can be made")
}

/// A file in `folder`, and its path as text.
fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file can be written");
    path.to_str().expect("its path is text").to_owned()
}

fn merging(files: &[&str]) -> Finished {
    run(&[&["report", "merge"], files].concat())
}

#[test]
fn shards_merged_count_what_the_unsharded_run_counts() {
    let folder = folder();
    let whole: Value = serde_json::from_str(&report(&[])).expect("JSON");
    let files: Vec<String> = (0..4)
        .map(|i| file(&folder, &format!("{i}"), &report(&["--shard", &format!("{i}/4")])))
        .collect();
    // In any order.
    let [a, b, c, d] = [2, 0, 3, 1].map(|i: usize| files[i].as_str());
    let ended = merging(&[a, b, c, d]);
    let merged = ended.exits(0).report();
    assert!(total(&whole, "sent") > 30_000);
    assert_eq!(merged["results"]["records"], whole["results"]["records"]);
    assert_eq!(merged["results"]["rate"]["silent"], whole["results"]["rate"]["silent"]);
    assert_eq!(merged["manifest"], whole["manifest"], "the shard is the whole fleet too");
    assert_eq!(merged["shards"], json!(["0/4", "1/4", "2/4", "3/4"]));
    // A table for people, unless they want none.
    assert!(ended.stderr.contains("telemetry") && !ended.stderr.contains("missing"));
    assert_eq!(run(&["-q", "report", "merge", a, b]).exits(0).stderr, "");

    // Some, and then all: in a file.
    let some = file(&folder, "some", &merging(&[a, b]).exits(0).stdout);
    let out = folder.path().join("out.json");
    let ended = merging(&[&some, c, d, "--out", out.to_str().expect("text")]);
    assert_eq!(ended.exits(0).stdout, "");
    let again: Value = serde_json::from_slice(&fs::read(&out).expect("it is there")).expect("JSON");
    assert_eq!(again["results"]["records"], whole["results"]["records"]);
    assert_eq!(again["shards"], merged["shards"]);
}

#[test]
fn missing_shards_are_named() {
    let folder = folder();
    let [a, b] =
        ["1/4", "2/4"].map(|shard| file(&folder, &shard[..1], &report(&["--shard", shard])));
    let ended = merging(&[&a, &b]);
    let merged = ended.exits(0).report();
    assert!(ended.stderr.contains("0/4, 3/4"), "{}", ended.stderr);
    assert_eq!(merged["shards"], json!(["1/4", "2/4"]));
    assert_eq!(merged["manifest"]["shard"], "1/4");
    // One alone as well.
    let ended = merging(&[&a]);
    ended.exits(0);
    assert!(ended.stderr.contains("0/4, 2/4, 3/4"), "{}", ended.stderr);
}

#[test]
fn a_single_whole_report_is_given_back() {
    let folder = folder();
    let whole = report(&["-q"]);
    let path = file(&folder, "whole", &whole);
    let ended = merging(&[&path]);
    assert_eq!(ended.exits(0).stdout, whole);
    assert!(!ended.stderr.contains("WARN"), "{}", ended.stderr);
}

#[test]
fn percentiles_are_those_of_all_records_together() {
    // Two brokers, one for each: what they take differs. The lists of values are joined here.
    let start = (now_ms() + 3000).to_string();
    let options = "run --format json --seed 3 --rate 1000 --records 1500 --report -";
    let shards = ["0/2", "1/2"].map(|shard| {
        let more = ["--start", &start, "--shard", shard];
        Running::start(&options.split(' ').chain(more).collect::<Vec<_>>())
    });
    let ended = shards.map(|shard| shard.finish(SOON));
    let reports = [0, 1].map(|i: usize| ended[i].exits(0).report());
    let merged = merge(&ended);
    assert_eq!(slots(&merged), 1500);
    for (percentiles, histogram) in [
        ("/results/rate/late_ms", "/results/histograms/late"),
        ("/results/latency_ms/topics/usage/intended", "/results/histograms/topics/usage/intended"),
        ("/results/latency_ms/topics/usage/enqueued", "/results/histograms/topics/usage/enqueued"),
    ] {
        let mut values: Vec<u64> = Vec::new();
        for report in &reports {
            let text = report.pointer(histogram).and_then(Value::as_str).expect("a histogram");
            for step in histogram::decode(text).expect("it is one").iter_recorded() {
                let value = step.value_iterated_to();
                values.extend((0..step.count_since_last_iteration()).map(|_| value));
            }
        }
        values.sort_unstable();
        assert!(values.len() >= 500, "{} values", values.len());
        let merged = merged.pointer(percentiles).expect("percentiles");
        for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p9999", 0.9999)] {
            let rank = (quantile * values.len() as f64).ceil() as usize;
            let expected = values[rank.max(1) - 1] as f64 / 1000.0;
            assert_eq!(merged[name].as_f64(), Some(expected), "{name} of {percentiles}");
        }
    }
}

#[test]
fn what_cannot_be_merged_is_refused_in_one_line() {
    let folder = folder();
    let good = report(&["--shard", "0/2"]);
    let zero = file(&folder, "zero.json", &good);
    let copy = file(&folder, "copy.json", &good);
    let other = report(&["--shard", "1/2", "--set", "base_cpu_load=0.7"]);
    let other = file(&folder, "other.json", &other);
    let third = file(&folder, "third.json", &report(&["--shard", "1/3"]));
    let text = file(&folder, "text.json", "Done after 3 s.\n");
    let list = file(&folder, "list.json", "[]");
    let changed = |name, key: &str, to: Value| {
        let mut document: Value = serde_json::from_str(&good).expect("JSON");
        *document.pointer_mut(key).expect("it is there") = to;
        file(&folder, name, &document.to_string())
    };
    let going = changed("going.json", "/results", Value::Null);
    let newer = changed("newer.json", "/manifest/stream_version", json!(1_000_000));
    let absent = folder.path().join("absent.json").display().to_string();
    for (files, words) in [
        (vec![&zero, &copy], vec!["zero.json", "copy.json", "shard 0/2"]),
        (vec![&zero, &other], vec!["zero.json", "other.json", "config.base_cpu_load", "0.7"]),
        (vec![&zero, &third], vec!["zero.json", "third.json", "number of shards", "2 and 3"]),
        (vec![&zero, &absent], vec!["absent.json", "No such file"]),
        (vec![&zero, &text], vec!["text.json", "not JSON"]),
        (vec![&zero, &list], vec!["list.json", "not a report"]),
        (vec![&zero, &going], vec!["going.json", "no results"]),
        (vec![&zero, &newer], vec!["newer.json", "stream version 1000000"]),
    ] {
        let files: Vec<&str> = files.into_iter().map(String::as_str).collect();
        let ended = merging(&files);
        ended.fails(2, &words);
        assert_eq!(ended.stdout, "");
    }
    assert_eq!(run(&["report", "merge"]).status.code(), Some(2), "files are needed");
    let nowhere = folder.path().join("missing").join("out.json").display().to_string();
    merging(&[&zero, "--out", &nowhere]).fails(50, &[&nowhere]);
}

#[test]
fn the_kubernetes_job_makes_one_run() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose/kubernetes/job.yaml");
    let text = fs::read_to_string(path).expect("the job is there");
    let documents: Vec<Value> =
        text.split("\n---\n").map(|yaml| serde_saphyr::from_str(yaml).expect("YAML")).collect();
    let [map, job] = documents.as_slice() else { panic!("a ConfigMap and a Job") };
    assert_eq!((&map["kind"], &job["kind"]), (&json!("ConfigMap"), &json!("Job")));
    let spec = &job["spec"];
    assert_eq!(spec["completionMode"], "Indexed");
    assert_eq!((&spec["completions"], &spec["parallelism"]), (&json!(4), &json!(4)));
    let container = &spec["template"]["spec"]["containers"][0];
    let words: Vec<&str> =
        container["args"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();

    // Its placeholder is refused rather than taken for something.
    let folder = folder();
    let fleet = map["data"]["fleet.yaml"].as_str().expect("the fleet's configuration");
    let fleet = file(&folder, "fleet.yaml", fleet);
    let arguments = |start: &str| -> Vec<String> {
        let word = |word: &&str| {
            word.replace("/etc/fleetstorm/fleet.yaml", &fleet)
                .replace("@START@", start)
                // Ten seconds that are over, sent at once.
                .replace("=10m", "=10s")
        };
        words.iter().map(word).chain(["--sink=null".to_owned()]).collect()
    };
    let shard = |start: &str, index: &str| {
        let mut command = command(&arguments(start));
        Running::spawn(command.env("JOB_COMPLETION_INDEX", index))
    };
    shard("@START@", "0").finish(SOON).exits(2);

    let start = (now_ms() - 11_000).to_string();
    let shards = ["0", "1", "2", "3"].map(|index| shard(&start, index).finish(SOON));
    shards.iter().for_each(|shard| _ = shard.exits(0));
    let merged = merge(&shards);
    assert_eq!(merged["manifest"]["shard"], "0/1");
    // 20,000/s for ten seconds: one more or less at the edge of each shard.
    assert!(slots(&merged).abs_diff(200_000) <= 4, "{} slots", slots(&merged));
}
