//! `fleetstorm score` as a user runs it: detectors whose figures are known, in files and in topics of the
//! embedded broker.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use fleetstorm_model::Manifest;
use fleetstorm_model::run::{Incident, Run};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Finished, Running, command, run};

const BACKFILL: &str = "--sink=stdout --scenario=anomaly_detection --seed=3 --machines=15 \
                        --readings=300 --rate=max --topics=telemetry --start=2026-01-01T00:00:00Z \
                        --set enable_failures=true --set failure_probability=0.002";

/// A run, its readings and its episodes.
struct Made {
    directory: TempDir,
    readings: Vec<Value>,
    episodes: Vec<Incident>,
}

impl Made {
    fn new(options: &str) -> Made {
        let directory = TempDir::new().expect("there is room");
        let report = format!("--report={}", directory.path().join("run.json").display());
        let words = ["run", "-q", report.as_str()].into_iter().chain(options.split_whitespace());
        let made = run(&words.collect::<Vec<_>>());
        made.exits(0);
        let readings = made.stdout.lines().map(|line| {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            line["value"].clone()
        });
        let readings = readings.collect();
        let text = fs::read_to_string(directory.path().join("run.json")).expect("it was written");
        let report: Value = serde_json::from_str(&text).expect("JSON");
        let manifest: Manifest =
            serde_json::from_value(report["manifest"].clone()).expect("a manifest");
        let episodes = Run::of(manifest).incidents().into_iter().filter(|i| i.is_anomaly);
        Made { directory, readings, episodes: episodes.collect() }
    }

    /// Scores with the words of `options`, the report on stdout.
    fn score(&self, options: &str) -> Finished {
        let manifest = format!("--manifest={}", self.directory.path().join("run.json").display());
        let words = ["score", manifest.as_str(), "--report=-"].into_iter();
        run(&words.chain(options.split_whitespace()).collect::<Vec<_>>())
    }

    /// Scores the lines of a CSV file.
    fn score_csv(&self, lines: &[String], options: &str) -> Finished {
        let text = format!("machine_id,timestamp,score\n{}", lines.join("\n"));
        let file = self.file("alarms.csv", &text);
        self.score(&format!("--output-file {} {options}", file.display()))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.directory.path().join(name);
        fs::write(&file, text).expect("there is room");
        file
    }
}

/// The machine and the instant of a reading or an alarm.
fn place(reading: &Value) -> (&str, i64) {
    let machine = reading["machine_id"].as_str().expect("a name");
    (machine, reading["timestamp"].as_i64().expect("an instant"))
}

/// Whether an alarm detects an episode, by definition.
fn detects(alarm: (&str, i64), episode: &Incident, grace_ms: i64) -> bool {
    let end_ms = episode.end_ms.map_or(i64::MAX, |end_ms| end_ms + grace_ms);
    alarm.0 == episode.machine_id && (episode.start_ms..=end_ms).contains(&alarm.1)
}

#[test]
fn figures_of_a_file_are_those_of_the_definitions() {
    let made = Made::new(BACKFILL);
    let hot = made.readings.iter().filter(|r| r["cpu_percent"].as_f64() > Some(75.0));
    let alarms: Vec<(&str, i64)> = hot.clone().map(place).collect();
    let lines: Vec<String> = hot
        .map(|r| {
            let (machine, at) = place(r);
            format!("{machine},{at},{}", r["cpu_percent"])
        })
        .collect();
    for grace_ms in [0, 4000] {
        let picture = made.directory.path().join("score.svg");
        let options =
            format!("--grace-period {}s --picture {}", grace_ms / 1000, picture.display());
        let ended = made.score_csv(&lines, &options);
        let report = ended.exits(0).report();
        let found = |episode: &&Incident| alarms.iter().any(|&a| detects(a, episode, grace_ms));
        for figures in report["kinds"].as_array().expect("kinds").iter().chain([&report["all"]]) {
            let kind = figures["kind"].as_str().expect("a name");
            let of_kind = || made.episodes.iter().filter(|e| kind == "all" || e.kind == kind);
            assert_eq!(figures["episodes"], of_kind().count(), "{kind}");
            assert_eq!(figures["detected"], of_kind().filter(found).count(), "{kind}");
        }
        let right =
            alarms.iter().filter(|&&a| made.episodes.iter().any(|e| detects(a, e, grace_ms)));
        assert_eq!(report["alarms"]["right"], right.count());
        let anomalous = |r: &&Value| r["is_anomaly"] == true;
        let all = made.readings.iter().filter(anomalous).count();
        let both = made.readings.iter().filter(anomalous).filter(|r| alarms.contains(&place(r)));
        let recall = both.count() as f64 / all as f64;
        let told = report["readings"]["recall"]["value"].as_f64().expect("a number");
        assert!((told - recall).abs() < 1e-9, "{told} {recall}");
        // What people read, and see, names the same.
        let missed = format!("{}", report["all"]["missed"]);
        for word in ["cpu_spike", "AUC-PR", "per machine-hour", "merged within 30.0 s", &missed] {
            assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        }
        let picture = fs::read_to_string(picture).expect("it was drawn");
        for word in ["<svg", "cpu spike", "delay from the episode", "at random"] {
            assert!(picture.contains(word), "{word}");
        }
    }
}

#[test]
fn a_perfect_detector_and_a_silent_one() {
    let made = Made::new(BACKFILL);
    let anomalous = made.readings.iter().filter(|r| r["is_anomaly"] == true);
    let lines: Vec<String> =
        anomalous.map(place).map(|(machine, at)| format!("{machine},{at},1")).collect();
    let report = made.score_csv(&lines, "").exits(0).report();
    for value in [
        &report["all"]["recall"]["value"],
        &report["merged"]["precision"]["value"],
        &report["readings"]["precision"]["value"],
        &report["readings"]["average_precision"]["value"],
    ] {
        assert_eq!(value, 1.0, "{report:#}");
    }
    assert_eq!(report["all"]["delay_ms"]["max"], 0.0);
    assert!(report["all"]["recall"]["random"].as_f64() < Some(1.0));
    // Nothing was sent live, so nothing is told of emission.
    assert_eq!(report["all"]["emission_delay_ms"], Value::Null);
    let ended = made.score_csv(&[], "");
    let report = ended.exits(0).report();
    assert_eq!(report["all"]["recall"]["value"], 0.0);
    assert_eq!(report["merged"]["precision"]["value"], Value::Null);
    assert_eq!(report["all"]["recall"]["interval"][0], 0.0);
}

#[test]
fn rows_that_are_no_alarms_of_the_run_are_counted_and_shown() {
    let made = Made::new(BACKFILL);
    let at = made.episodes[0].start_ms;
    let machine = &made.episodes[0].machine_id;
    let lines = [
        format!("{machine},{at},0.9"),
        format!("{machine},{at},0.8"),
        format!("{machine},{},0.2", at + 1000),
        format!("machine-of-others,{at},0.9"),
        format!("{machine},2027-01-01 00:00:00,0.9"),
        format!("{machine},yesterday,0.9"),
        format!("{machine},{at},much"),
    ];
    let ended = made.score_csv(&lines, "--threshold 0.5");
    let report = ended.exits(0).report();
    let alarms = &report["alarms"];
    let counts =
        ["rows", "repeated", "unknown_machine", "outside_run", "below_threshold", "scored"];
    assert_eq!(counts.map(|name| alarms[name].as_u64().expect("a count")), [5, 1, 1, 1, 1, 1]);
    assert_eq!(alarms["unknown_machines"], json!(["machine-of-others"]));
    assert_eq!(report["undecodable"], 2);
    for word in ["`yesterday`", "`much`", "machine-of-others", "2 of 7 records"] {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
}

/// An embedded broker with a registry.
struct Own {
    running: Running,
    registry: String,
}

impl Own {
    fn start() -> Own {
        let words = ["broker", "--listen=127.0.0.1:0", "--registry=127.0.0.1:0"];
        let running = Running::spawn(&mut command(&words));
        let registry = running.told("Registry:");
        Own { running, registry }
    }

    fn reach(&self) -> String {
        format!("-b {} -r {}", self.running.told("Broker:"), self.registry)
    }

    /// Writes records: keys, values and times of writing.
    fn write(&self, topic: &str, records: &[(&str, Vec<u8>, i64)]) {
        let bootstrap = self.running.told("Broker:");
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("a producer");
        for (key, value, written_ms) in records {
            let record = BaseRecord::to(topic).key(*key).payload(value).timestamp(*written_ms);
            producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
        }
        producer.flush(Duration::from_secs(30)).expect("the broker takes them");
    }

    /// Registers a schema, and gives its id.
    fn register(&self, subject: &str, schema: &str) -> u32 {
        let url = format!("{}/subjects/{subject}/versions", self.registry);
        let asked = reqwest::blocking::Client::new().post(url).json(&json!({"schema": schema}));
        let answer: Value = asked.send().expect("it answers").json().expect("JSON");
        answer["id"].as_u64().expect("an id") as u32
    }
}

#[test]
fn alarms_of_a_topic_are_scored_while_the_run_is_live() {
    // In live time, so that how long alarms took is told. Nothing but the run's own instants is looked at.
    let made = Made::new(
        "--sink=null --scenario=anomaly_detection --seed=3 --machines=30 --interval=50ms --duration=2s",
    );
    let own = Own::start();
    let schema = r#"{"type": "record", "name": "Alarm", "fields": [
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "sure", "type": ["null", "double"]}]}"#;
    let id = own.register("alarms-value", schema);
    let parsed = Schema::parse_str(schema).expect("a schema");
    let writer = GenericDatumWriter::builder(&parsed).build().expect("a writer");
    let mut records = Vec::new();
    for episode in &made.episodes {
        let sure = Avro::Union(1, Box::new(Avro::Double(0.5)));
        let at = Avro::TimestampMillis(episode.start_ms);
        let alarm = Avro::Record(vec![("at".to_owned(), at), ("sure".to_owned(), sure)]);
        let mut value = [&[0][..], &id.to_be_bytes()].concat();
        writer.write_value(&mut value, alarm).expect("it fits");
        records.push((episode.machine_id.as_str(), value, episode.start_ms + 1500));
    }
    own.write("alarms", &records);
    let asked = format!("--output-topic alarms --columns timestamp=at,score=sure {}", own.reach());
    let ended = made.score(&asked);
    let report = ended.exits(0).report();
    assert_eq!(report["all"]["recall"]["value"], 1.0);
    let emission = &report["all"]["emission_delay_ms"];
    assert_eq!(
        (&emission["p50"], &emission["max"]),
        (&json!(1500.0), &json!(1500.0)),
        "{report:#}"
    );
    assert_eq!(report["emission_clock"], "create_time");
    assert!(ended.stderr.contains("LogAppendTime"), "{}", ended.stderr);
    // One that can't be decoded is counted, and shown.
    own.write("alarms", &[("machine-000001", b"{}".to_vec(), 0)]);
    let ended = made.score(&asked);
    assert_eq!(ended.exits(0).report()["undecodable"], 1);
    assert!(ended.stderr.contains("looks like JSON"), "{}", ended.stderr);

    let json_alarms: Vec<_> = made
        .episodes
        .iter()
        .map(|episode| {
            let value = json!({"timestamp": episode.start_ms, "machine_id": episode.machine_id});
            ("", value.to_string().into_bytes(), episode.start_ms)
        })
        .collect();
    own.write("json", &json_alarms);
    let ended = made.score(&format!("--output-topic json --value-format json {}", own.reach()));
    let report = ended.exits(0).report();
    assert_eq!(report["all"]["recall"]["value"], 1.0);
    assert_eq!(report["all"]["emission_delay_ms"]["max"], 0.0);
    assert_eq!(report["readings"]["average_precision"]["value"], Value::Null);
}

#[test]
fn what_can_not_be_scored_is_said_in_a_line() {
    let made = Made::new(BACKFILL);
    let file = made.file("alarms.csv", "machine,at\nm,1\n");
    let file = file.display();
    made.score(&format!("--output-file {file}"))
        .fails(2, &["no column `machine_id`", "machine, at", "--columns machine_id="]);
    let columns = "--columns machine_id=machine,timestamp=at";
    made.score(&format!("--output-file {file} {columns} --threshold 1"))
        .fails(2, &["no column `score`"]);
    made.score(&format!("--output-file {file} --columns zone=z"))
        .fails(2, &["--columns names `zone`", "machine_id, timestamp, score"]);
    made.score(&format!("--output-file {file} {columns} --picture score.png"))
        .fails(2, &["score.png", ".svg"]);
    made.score("--output-file /nowhere.csv").fails(2, &["/nowhere.csv"]);
    made.score("--output-topic t").fails(2, &["--schema-registry"]);
    let calm = "--sink=null --readings=20 --machines=5 --rate=max --seed=1";
    Made::new(calm)
        .score(&format!("--output-file {file} {columns}"))
        .fails(2, &["--set anomalies.enable=true"]);
}
