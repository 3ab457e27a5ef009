//! `fleetstorm check` as a user runs it: output of jobs that are right, and of jobs that are wrong in
//! each way, in files and in topics of the embedded broker.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Finished, Running, SOON, command, now_ms, run};

/// A run of one thread, backdated, whose last windows stay open.
struct Made {
    directory: TempDir,
    /// The right answer to `zone-load`, a row a line.
    rows: Vec<Value>,
}

const MANIFEST: &str = "run.json";

impl Made {
    fn new() -> Made {
        let directory = TempDir::new().expect("there is room");
        let report = format!("--report={}", directory.path().join(MANIFEST).display());
        let options = "run -q --sink=null --scenario=production --seed=3 --machines=20 --readings=60 \
                       --rate=max --threads=1 --start=2026-01-01T00:00:00Z";
        let words: Vec<&str> = options.split_whitespace().chain([report.as_str()]).collect();
        run(&words).exits(0);
        let mut made = Made { directory, rows: Vec::new() };
        let answer = made.ask("expect", "zone-load --format=json");
        answer.exits(0);
        let rows = answer.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        made.rows = rows.collect();
        let exact = made.rows.iter().filter(|row| row["certainty"] == "exact").count();
        assert!(exact >= 10 && exact < made.rows.len(), "{exact} of {}", made.rows.len());
        made
    }

    fn ask(&self, command: &str, options: &str) -> Finished {
        run(&self.words(command, options))
    }

    fn words(&self, command: &str, options: &str) -> Vec<String> {
        let manifest = format!("--manifest={}", self.directory.path().join(MANIFEST).display());
        let words = options.split_whitespace().map(str::to_owned);
        [command.to_owned(), manifest].into_iter().chain(words).collect()
    }

    /// The rows that a job writes: those that are closed.
    fn closed(&self) -> Vec<Value> {
        self.rows.iter().filter(|row| row["certainty"] == "exact").cloned().collect()
    }

    /// Checks rows as a job's JSON lines.
    fn check(&self, rows: &[Value], options: &str) -> Finished {
        let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        let file = self.file("output.jsonl", &lines.join("\n"));
        self.ask("check", &format!("zone-load --output-file {} {options}", file.display()))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.directory.path().join(name);
        fs::write(&file, text).expect("there is room");
        file
    }
}

/// The counts of a verdict that are not 0.
fn counts(ended: &Finished) -> Vec<(String, u64)> {
    let report = ended.report();
    let counts = report["counts"].as_object().expect("counts").iter();
    let counts = counts.map(|(name, count)| (name.clone(), count.as_u64().expect("a count")));
    counts.filter(|(_, count)| *count > 0).collect()
}

fn count(ended: &Finished, name: &str) -> u64 {
    counts(ended).into_iter().find(|(found, _)| found == name).map_or(0, |(_, count)| count)
}

#[test]
fn right_rows_are_right_and_each_fault_is_named() {
    let made = Made::new();
    let rows = made.closed();
    let n = rows.len() as u64;
    let right = made.check(&rows, "--report=-");
    right.exits(0);
    assert_eq!(count(&right, "right"), n);
    assert_eq!(count(&right, "pending"), made.rows.len() as u64 - n);

    let mut wrong = rows.clone();
    wrong[2]["readings"] = json!(wrong[2]["readings"].as_u64().expect("a count") + 1);
    let ended = made.check(&wrong, "--report=-");
    ended.exits(33);
    assert_eq!((count(&ended, "wrong"), count(&ended, "right")), (1, n - 1));
    let finding = &ended.report()["findings"][0];
    assert_eq!(finding["keys"]["zone"], rows[2]["zone"]);
    assert_eq!(finding["fields"][0]["name"], "readings");
    assert_eq!(finding["fields"][0]["expected"], rows[2]["readings"]);
    assert_eq!(finding["place"]["line"], 3);

    let ended = made.check(&rows[1..], "--report=-");
    assert_eq!(count(ended.exits(34), "missing"), 1);

    let twice = [&rows[..], &rows[..1]].concat();
    assert_eq!(count(made.check(&twice, "--report=-").exits(33), "duplicated"), 1);
    made.check(&twice, "--at-least-once").exits(0);

    let mut extra = rows.clone();
    extra[0]["zone"] = json!("zone-x");
    let ended = made.check(&extra, "--report=-");
    ended.exits(33);
    assert_eq!((count(&ended, "extra"), count(&ended, "missing")), (1, 1));

    // What people read names the same.
    let said = made.check(&wrong, "").stderr;
    assert!(said.contains("1 wrong") && said.contains("readings: "), "{said}");
}

#[test]
fn columns_have_other_names_and_csv_other_forms() {
    let made = Made::new();
    let mut lines = vec!["WINDOW_END,Z,CNT,cpu_avg,cpu_max,p99_max".to_owned()];
    for row in made.closed() {
        let end = chrono::DateTime::from_timestamp_millis(row["window_end"].as_i64().expect("ms"));
        let end = end.expect("an instant").format("%Y-%m-%d %H:%M:%S%.3f");
        let zone = row["zone"].as_str().expect("a zone");
        let numbers =
            ["readings", "cpu_avg", "cpu_max", "p99_max"].map(|name| row[name].to_string());
        lines.push(format!("{end},{zone},{}", numbers.join(",")));
    }
    let file = made.file("output.csv", &lines.join("\n"));
    let options = format!("zone-load --output-file {}", file.display());
    let columns = "--columns zone=Z,readings=CNT";
    made.ask("check", &format!("{options} {columns}")).exits(0);
    made.ask("check", &options).fails(2, &["no column `zone`", "CNT", "--columns zone="]);
    let unknown = made.ask("check", &format!("{options} --columns zones=Z"));
    unknown.fails(2, &["--columns names `zones`", "readings"]);
    // As some programs write UTF-8.
    made.file("output.csv", &format!("\u{feff}{}", lines.join("\n")));
    made.ask("check", &format!("{options} {columns}")).exits(0);
    // A cell that is no number is shown, and the rest is checked.
    lines[1] = lines[1].replace("zone-", "zone-x,");
    lines[2] = lines[2].rsplit_once(',').map(|(row, _)| format!("{row},much")).expect("a row");
    made.file("output.csv", &lines.join("\n"));
    let ended = made.ask("check", &format!("{options} {columns} --report=-"));
    ended.exits(33);
    assert!(count(&ended, "undecodable") >= 1, "{}", ended.stdout);
    assert!(ended.stdout.contains("`p99_max` holds `much`"), "{}", ended.stdout);
}

/// An embedded broker with a registry.
struct Own {
    running: Running,
    reach: String,
}

impl Own {
    fn start() -> Own {
        let words = ["broker", "--listen=127.0.0.1:0", "--registry=127.0.0.1:0"];
        let running = Running::spawn(&mut command(&words));
        let reach = format!("-b {} -r {}", running.told("Broker:"), running.told("Registry:"));
        Own { running, reach }
    }

    /// Writes records: keys and values, null where none.
    fn write(&self, topic: &str, records: &[(Vec<u8>, Option<Vec<u8>>)]) {
        let bootstrap = self.running.told("Broker:");
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("a producer");
        for (key, value) in records {
            let mut record = BaseRecord::to(topic).key(key);
            if let Some(value) = value {
                record = record.payload(value);
            }
            producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
        }
        producer.flush(Duration::from_secs(30)).expect("the broker takes them");
    }
}

#[test]
fn the_answer_written_to_a_topic_is_right_by_every_engine() {
    let (made, own) = (Made::new(), Own::start());
    for engine in ["flink-sql", "flink-datastream", "kafka-streams", "ksqldb"] {
        for query in ["zone-load", "busiest", "fleet-status", "failed-by-outage"] {
            let asked = format!("{query} --semantics {engine} {}", own.reach);
            let topic = format!("{query}-{engine}");
            made.ask("expect", &format!("{asked} --to-topic {topic}")).exits(0);
            let checked = made.ask("check", &format!("{asked} --output-topic {topic} --report=-"));
            checked.exits(0);
            assert_eq!(checked.report()["verdict"], "right");
            assert_eq!(count(&checked, "wrong") + count(&checked, "missing"), 0, "{topic}");
        }
    }
    // Windows of another time zone are named.
    let zoned = format!("zone-load {} --zone-offset=+02:00", own.reach);
    made.ask("expect", &format!("{zoned} --to-topic zoned")).exits(0);
    made.ask("check", &format!("{zoned} --output-topic zoned")).exits(0);
    let plain = made.ask("check", &format!("zone-load {} --output-topic zoned", own.reach));
    assert!(plain.exits(33).stderr.contains("windows are +02:00"), "{}", plain.stderr);
}

#[test]
fn windowed_keys_of_streams_are_read_and_tombstones_delete() {
    let (made, own) = (Made::new(), Own::start());
    let key = |row: &Value| {
        let start = row["window_start"].as_i64().expect("ms");
        [row["zone"].as_str().expect("a zone").as_bytes(), &start.to_be_bytes()].concat()
    };
    let value = |row: &Value| {
        let mut row = row.clone();
        let fields = row.as_object_mut().expect("a row");
        fields.retain(|name, _| !["window_start", "window_end", "zone"].contains(&name.as_str()));
        Some(row.to_string().into_bytes())
    };
    // Every window is told as often as it grows: the last of a key counts.
    let mut records = Vec::new();
    for row in &made.rows {
        let mut early = row.clone();
        early["readings"] = json!(1);
        records.push((key(row), value(&early)));
    }
    records.extend(made.rows.iter().map(|row| (key(row), value(row))));
    let mut stray = made.rows[0].clone();
    stray["zone"] = json!("zone-x");
    records.push((key(&stray), value(&stray)));
    own.write("streams", &records);
    let asked = format!(
        "zone-load --semantics kafka-streams --value-format json --output-topic streams {}",
        own.reach
    );
    let windowed = format!("{asked} --windowed-key time --report=-");
    let checked = made.ask("check", &windowed);
    assert_eq!(
        counts(checked.exits(33)).iter().find(|(name, _)| name == "extra").map(|c| c.1),
        Some(1)
    );
    own.write("streams", &[(key(&stray), None)]);
    let checked = made.ask("check", &windowed);
    checked.exits(0);
    assert_eq!(count(&checked, "right"), made.rows.len() as u64);
    // Said otherwise, the keys fit nothing.
    made.ask("check", &format!("{asked} --windowed-key session"))
        .fails(2, &["none of", "session window", "--windowed-key"]);
    made.ask("check", &asked).fails(2, &["no column `window_start`"]);
}

#[test]
fn columns_are_taken_from_keys_of_json_and_avro() {
    let (made, own) = (Made::new(), Own::start());
    let value = |row: &Value| {
        let mut row = row.clone();
        row.as_object_mut().expect("a row").remove("zone");
        Some(row.to_string().into_bytes())
    };
    let zone = |row: &Value| row["zone"].as_str().expect("a zone").to_owned();
    let schema = json!({"schema": json!({
        "type": "record",
        "name": "Zone",
        "fields": [{"name": "Z", "type": ["null", "string"]}],
    })
    .to_string()});
    let url = format!("{}/subjects/zone-key/versions", own.running.told("Registry:"));
    let answer = reqwest::blocking::Client::new().post(url).json(&schema).send();
    let answer: Value = answer.and_then(|answer| answer.json()).expect("the registry answers");
    let id = answer["id"].as_u64().expect("an id") as u32;
    // A zero, the schema's id; of the union its second, then the text's length as a zigzag.
    let avro = |zone: &str| {
        [&[0][..], &id.to_be_bytes(), &[2, 2 * zone.len() as u8], zone.as_bytes()].concat()
    };
    let write = |topic: &str, key: &dyn Fn(&str) -> Vec<u8>| {
        let records =
            made.closed().iter().map(|row| (key(&zone(row)), value(row))).collect::<Vec<_>>();
        own.write(topic, &records);
    };
    write("text", &|zone| zone.as_bytes().to_vec());
    write("json", &|zone| json!({"Z": zone}).to_string().into_bytes());
    write("avro", &avro);
    for (format, columns) in
        [("text", ""), ("json", "--columns zone=Z"), ("avro", "--columns zone=Z")]
    {
        let asked = format!(
            "zone-load --output-topic {format} --value-format json --key-format {format} {columns} {}",
            own.reach
        );
        let checked = made.ask("check", &format!("{asked} --report=-"));
        checked.exits(0);
        assert_eq!(count(&checked, "right"), made.closed().len() as u64, "{format}");
    }
    let other = format!(
        "zone-load --output-topic text --value-format json --key-format avro {}",
        own.reach
    );
    made.ask("check", &other).fails(2, &["its key", "--key-format"]);
}

/// How late answers are is what the broker's clock says, after a window's end.
#[test]
fn answers_that_come_late_are_told_by_the_broker_s_clock() {
    let own = Own::start();
    let directory = TempDir::new().expect("there is room");
    let report = directory.path().join(MANIFEST);
    let options = "run -q --sink=null --seed=3 --machines=20 --rate=200 --duration=3s --threads=1 --time=live";
    let report = format!("--report={}", report.display());
    run(&options.split_whitespace().chain([report.as_str()]).collect::<Vec<_>>()).exits(0);
    let made = Made { directory, rows: Vec::new() };
    let asked = format!("zone-load --window tumble:1s {}", own.reach);
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", own.running.told("Broker:"))
        .create()
        .expect("an admin client");
    let topic = NewTopic::new("appended", 1, TopicReplication::Fixed(1))
        .set("message.timestamp.type", "LogAppendTime");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("one");
    let made_topic = runtime.block_on(admin.create_topics([&topic], &AdminOptions::new()));
    assert!(made_topic.expect("an answer")[0].is_ok());
    let before = now_ms();
    for topic in ["appended", "created"] {
        made.ask("expect", &format!("{asked} --to-topic {topic}")).exits(0);
    }
    let told = |topic: &str, engine: &str| {
        let asked = format!("{asked} --semantics {engine} --output-topic {topic} --report=-");
        made.ask("check", &asked).exits(0).report()
    };
    let appended = told("appended", "flink-sql");
    let first_end = first_window_end(&made, &asked);
    assert_eq!(appended["lateness"]["clock"], "append_time");
    let longest = appended["lateness"]["max_ms"].as_i64().expect("a time");
    assert!(longest >= before - first_end && longest <= now_ms() - first_end, "{appended}");
    // The answer's records carry the windows' ends.
    let created = told("created", "flink-sql");
    assert_eq!(created["lateness"]["clock"], "create_time");
    assert_eq!(created["lateness"]["max_ms"], 0);
    // Kafka Streams stamps its records by event time, which says nothing.
    assert!(told("created", "kafka-streams")["lateness"].is_null());
}

/// The end of the first window of an answer.
fn first_window_end(made: &Made, asked: &str) -> i64 {
    let asked: Vec<&str> = asked.split(" -b ").collect();
    let answer = made.ask("expect", &format!("{} --format=json", asked[0]));
    let first: Value =
        serde_json::from_str(answer.stdout.lines().next().expect("a row")).expect("JSON");
    first["window_end"].as_i64().expect("ms")
}

#[test]
fn what_can_not_be_decoded_is_counted_and_shown() {
    let (made, own) = (Made::new(), Own::start());
    let asked = format!("zone-load {}", own.reach);
    made.ask("expect", &format!("{asked} --to-topic poisoned")).exits(0);
    let record = |value: &[u8]| (b"key".to_vec(), Some(value.to_vec()));
    own.write("poisoned", &[record(b"{\"zone\":1}"), record(b"\0\0\0\x03\xe7abc"), record(b"")]);
    let checked = made.ask("check", &format!("{asked} --output-topic poisoned --report=-"));
    checked.exits(33);
    assert_eq!((count(&checked, "undecodable"), count(&checked, "wrong")), (3, 0));
    let report = checked.report();
    let why: Vec<&str> = report["undecodable"]
        .as_array()
        .expect("some")
        .iter()
        .filter_map(|u| u["why"].as_str())
        .collect();
    assert!(why[0].contains("looks like JSON"), "{why:?}");
    assert!(why[1].contains("no schema 999"), "{why:?}");
    assert!(why[2].contains("too few"), "{why:?}");
    let asked = format!("{asked} --output-topic poisoned --value-format json");
    made.ask("check", &asked).fails(2, &["no column `window_start`"]);
}

#[test]
fn a_job_that_still_runs_is_waited_for() {
    let (made, own) = (Made::new(), Own::start());
    let asked = format!("zone-load {}", own.reach);
    let following =
        made.words("check", &format!("{asked} --output-topic later --follow --within 2m"));
    let following = Running::spawn(&mut command(&following));
    made.ask("expect", &format!("{asked} --to-topic later")).exits(0);
    following.finish(SOON).exits(0);
    let never = made.ask("check", &format!("{asked} --output-topic never --follow --within 1s"));
    never.fails(12, &["there is no topic `never`"]);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let made = Made::new();
    // A report that would take the place of what is read.
    let rows = made.closed();
    let manifest = made.directory.path().join(MANIFEST);
    let over = made.check(&rows, &format!("--report {}", manifest.display()));
    over.fails(2, &["would be written over", "--report"]);
    made.check(&rows, "").exits(0);
    let nowhere = made.ask("check", "zone-load");
    assert!(nowhere.exits(2).stderr.contains("--output-topic <TOPIC>"), "{}", nowhere.stderr);
    made.ask("check", "zone-load --output-topic t").fails(2, &["--schema-registry"]);
    made.ask("check", "zone-load --output-topic t --value-format json")
        .fails(2, &["--bootstrap-server"]);
    made.ask("check", "zone-load --output-file /nowhere.csv").fails(2, &["/nowhere.csv"]);
    made.ask("check", "zone-loads --output-file x.csv").fails(2, &["zone-load"]);
    let large = "distinct-reporters --window cumulate:10h/1h --output-file x.csv";
    made.ask("check", large).fails(2, &["larger than the run"]);
    made.ask("expect", "zone-load --to-topic t -b localhost:1").fails(2, &["--schema-registry"]);
}
