//! `fleetstorm expect` and `fleetstorm queries` as a user runs them; the answers against a second
//! model in Python, which evaluates each query by its definition over the records' lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use fleetstorm_broker::{Broker, Settings};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::consumer::Reader;
use crate::support::{Finished, Running, SOON, run};

/// The queries, and the engines whose meaning they are asked by.
const QUERIES: [(&str, &[&str]); 9] = [
    ("zone-load", &["flink-sql", "flink-datastream"]),
    ("hot-machines", &["flink-sql", "kafka-streams"]),
    ("anomaly-sessions", &["flink-sql", "kafka-streams", "ksqldb"]),
    ("failed-by-outage", &["flink-sql"]),
    ("load-by-memory", &["flink-sql"]),
    ("fleet-status", &["flink-sql", "kafka-streams"]),
    ("busiest", &["flink-sql"]),
    ("distinct-reporters", &["flink-sql"]),
    ("deduplicated", &["flink-sql"]),
];

/// A run's report and its records as lines, in a directory.
fn make(seed: u64, more: &[&str]) -> TempDir {
    let directory = TempDir::new().expect("there is room");
    let report = directory.path().join("run.json");
    let (seed, report) = (format!("--seed={seed}"), format!("--report={}", report.display()));
    let fixed = [
        "run",
        "-q",
        "--sink=stdout",
        "--scenario=chaos",
        "--machines=20",
        "--rate=max",
        "--start=2026-01-01T00:00:00Z",
        &seed,
        &report,
    ];
    let made = run(&[&fixed, more].concat());
    made.exits(0);
    fs::write(directory.path().join("lines"), made.stdout).expect("there is room");
    directory
}

fn expect(directory: &Path, more: &[&str]) -> Finished {
    let manifest = format!("--manifest={}", directory.join("run.json").display());
    run(&[&["expect", &manifest], more].concat())
}

/// Whether the second model agrees with an answer, and what it says.
fn second_model(directory: &Path, query: &str, engine: &str, answer: &str) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/answers.py");
    let answers = directory.join("answers");
    fs::write(&answers, answer).expect("there is room");
    let mut python = Command::new("python3");
    python.arg(script).args([query, engine]).arg(directory.join("lines")).arg(answers);
    let ended = Running::spawn(&mut python).finish(SOON);
    (ended.status.success(), format!("{}{}", ended.stdout, ended.stderr))
}

#[test]
fn answers_are_those_of_a_second_model() {
    for seed in [1, 2, 3] {
        let made = make(seed, &["--readings=700"]);
        for (query, engines) in QUERIES {
            for engine in engines {
                let asked = [query, "--format=json", "--semantics", engine];
                let answer = expect(made.path(), &asked);
                answer.exits(0);
                let (agrees, said) = second_model(made.path(), query, engine, &answer.stdout);
                assert!(agrees, "seed {seed}: {said}");
            }
        }
    }
}

#[test]
fn answers_of_a_run_that_closes_its_windows_are_those_of_a_second_model() {
    for seed in [1, 2] {
        let made = make(seed, &["--readings=700", "--close-windows=5m"]);
        for (query, engines) in QUERIES {
            for engine in engines {
                let asked = [query, "--format=json", "--semantics", engine];
                let answer = expect(made.path(), &asked);
                answer.exits(0);
                let (agrees, said) = second_model(made.path(), query, engine, &answer.stdout);
                assert!(agrees, "seed {seed}: {said}");
            }
        }
    }
}

/// What each machine sent, as the broker has it and as the interrupted run's report says.
#[test]
fn an_interrupted_run_of_several_threads_has_the_answer_of_what_it_sent() {
    let broker = Broker::start(Settings::new()).expect("a broker starts");
    let ahead = [("message.timestamp.after.max.ms", "9223372036854775807")];
    for topic in ["usage", "status", "jobs"] {
        broker.create_topic(topic, 6, &ahead).expect("topics can be made");
    }
    let directory = TempDir::new().expect("there is room");
    let path = directory.path().join("run.json");
    let words = format!(
        "run -b {} --format json --report {} --seed 7 --machines 100 --time simulated --rate 20000 \
         --threads 4 --topics usage,status,jobs",
        broker.bootstrap(),
        path.display()
    );
    let running = Running::start(&words.split_whitespace().collect::<Vec<_>>());
    running.line("Simulating");
    Reader::open(&broker.bootstrap(), "usage").take(3000);
    running.signal("INT");
    running.finish(SOON);
    let mut there: BTreeMap<String, (u64, f64)> = BTreeMap::new();
    for partition in 0..6 {
        for record in broker.records("usage", partition).expect("they can be read") {
            let value: Value =
                serde_json::from_slice(&record.value.expect("it has one")).expect("it is JSON");
            let machine = value["machine_id"].as_str().expect("text").to_owned();
            let sum = there.entry(machine).or_default();
            *sum = (sum.0 + 1, sum.1 + value["cpu_percent"].as_f64().expect("a number"));
        }
    }
    let asked = [
        "--from=usage",
        "--window=none",
        "--by=machine_id",
        "--select=count,sum(cpu_percent)",
        "--format=json",
    ];
    let answer = expect(directory.path(), &asked);
    answer.exits(0);
    let rows: Vec<Value> =
        answer.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), there.len());
    for row in rows {
        let (count, sum) = there[row["machine_id"].as_str().expect("text")];
        assert_eq!(row["count"], count, "{row}");
        let told = row["cpu_percent_sum"].as_f64().or(row["sum_cpu_percent"].as_f64());
        let told = told.or(row["sum(cpu_percent)"].as_f64()).expect("it has a sum");
        assert!((told - sum).abs() <= 1e-9 * sum, "{row}: {sum}");
    }
    // Where a report doesn't tell where each thread was, nobody knows.
    let mut report: Value = serde_json::from_slice(&fs::read(&path).expect("it is there")).unwrap();
    assert_eq!(report["results"]["threads"].as_array().map(Vec::len), Some(4));
    report["results"]["threads"] = Value::Array(Vec::new());
    fs::write(&path, report.to_string()).expect("there is room");
    expect(directory.path(), &asked).fails(2, &["--resume"]);
}

#[test]
fn the_second_model_notices_a_wrong_definition() {
    let made = make(1, &["--readings=700"]);
    let wrong: [(&str, &[&str]); 5] = [
        ("zone-load", &["--window=tumble:11s"]),
        ("zone-load", &["--watermark=11s"]),
        ("hot-machines", &["--window=hop:61s/1s"]),
        ("anomaly-sessions", &["--window=session:29999ms"]),
        ("distinct-reporters", &["--zone-offset=+00:01"]),
    ];
    for (query, more) in wrong {
        let answer = expect(made.path(), &[&[query, "--format=json"], more].concat());
        answer.exits(0);
        let (agrees, said) = second_model(made.path(), query, "flink-sql", &answer.stdout);
        assert!(!agrees, "{query} {more:?}: {said}");
    }
}

#[test]
fn a_question_of_ones_own_has_an_answer_in_every_format() {
    let made = make(1, &["--readings=60"]);
    let own = [
        "--from=telemetry",
        "--window=hop:60s/10s",
        "--by=zone,machine_type",
        "--select=count,avg(cpu_percent),max(latency_p99),count_distinct(machine_id)",
        "--where=error_count=0",
    ];
    let table = expect(made.path(), &own);
    table.exits(0);
    assert!(table.stdout.starts_with("window_start"), "{}", table.stdout);
    assert!(table.stderr.contains("exact") && table.stderr.contains("pending"), "{}", table.stderr);
    let csv = expect(made.path(), &[&own[..], &["--format=csv", "--bounded"]].concat());
    assert!(csv.stdout.starts_with("window_start,window_end,zone,machine_type,count,"));
    assert!(!csv.stdout.contains("pending"), "{}", csv.stdout);
}

#[test]
fn bad_questions_end_in_one_line_that_says_what_to_do() {
    let made = make(1, &["--readings=30"]);
    let cases: [(&[&str], &str); 7] = [
        (&["zone-lode"], "did you mean `zone-load`?"),
        (&["distinct-reporters"], "a window of 10m is larger than the run, which spans 30s"),
        (&["zone-load", "--grace=1s"], "give the bound by --watermark"),
        (&["zone-load", "--zone-offset=2"], "as +02:00"),
        (&["--from=telemetry", "--select=avg(cpu)"], "did you mean `cpu_percent`?"),
        (&["--from=telemetry", "--select=count", "--window=tumble"], "write tumble:10s"),
        (&["--from=jobs", "--select=count", "--where=zone=a"], "it has job_id, machine_id"),
    ];
    for (more, what) in cases {
        let ended = expect(made.path(), more);
        ended.exits(2);
        assert!(ended.stderr.contains(what), "{more:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stdout.is_empty());
    }
    let report = made.path().join("run.json");
    let text = fs::read_to_string(&report).expect("it was written");
    let older = text.replace("\"stream_version\": ", "\"stream_version\": 9");
    fs::write(&report, older).expect("there is room");
    let ended = expect(made.path(), &["zone-load"]);
    ended.exits(2);
    assert!(ended.stderr.contains("use the fleetstorm that made the run"), "{}", ended.stderr);
}

#[test]
fn queries_are_listed_and_shown() {
    let list = run(&["queries", "list"]);
    list.exits(0);
    assert_eq!(list.stdout.lines().count(), QUERIES.len());
    for (query, _) in QUERIES {
        let definition = run(&["queries", "show", query]);
        definition.exits(0);
        assert!(definition.stdout.starts_with(&format!("# {query}")), "{}", definition.stdout);
        for engine in ["flink-sql", "kafka-streams", "ksqldb", "model"] {
            run(&["queries", "show", query, "--engine", engine]).exits(0);
        }
    }
}
