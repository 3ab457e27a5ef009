//! Runs against real Kafka and a real registry, every record read back by clients that share no
//! code with the program: tests/readers/read_topics.py, and for a few figures a consumer here.
//!
//! FLEETSTORM_TEST_BOOTSTRAP, FLEETSTORM_TEST_REGISTRY and FLEETSTORM_TEST_PYTHON name what is
//! needed; `tests/run` sets them. Each test has topics of its own, so that all can run side by side.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use apache_avro::types::Value as Avro;
use rdkafka::Message;
use rdkafka::message::OwnedMessage;
use serde_json::{Value, json};

use crate::cluster::{TestCluster, prefix, record_count};
use crate::support::consumer::{Decoder, Reader, field, get};
use crate::support::{
    ALL_TOPICS, Running, SOON, TOPICS, assert_all_acked, merge, now_ms, run, sent, slots, total,
};

/// An absolute instant, some milliseconds from now, as `--start` takes it.
fn instant(from_now_ms: i64) -> String {
    (now_ms() + from_now_ms).to_string()
}

// --- event time --------------------------------------------------------------------------------

#[test]
fn threads_that_nobody_paces_stay_together_in_event_time() {
    let cluster = TestCluster::from_environment();
    for transport in ["direct", "librdkafka"] {
        for (skew, most) in [("20s", 20_000), ("2500ms", 2500)] {
            let prefix = prefix("skew");
            let options = format!(
                "--seed 5 --machines 60 --time simulated --rate max --threads 2 --records 60000 \
                 --topics telemetry --max-skew {skew} --transport {transport}"
            );
            let options: Vec<&str> = options.split_whitespace().collect();
            let report = cluster.run(&prefix, &options).exits(0).report();
            let told = &report["results"]["event_time"];
            assert_eq!(told["max_skew_ms"], most);
            let told = told["max_backstep_ms"].as_i64().expect("it is told");
            let reader = Reader::open(&cluster.bootstrap, &format!("{prefix}telemetry"));
            let mut latest: HashMap<i32, i64> = HashMap::new();
            let mut backstep = 0;
            for message in reader.take(60_000) {
                let at = message.timestamp().to_millis().expect("records have timestamps");
                let latest = latest.entry(message.partition()).or_insert(at);
                *latest = at.max(*latest);
                backstep = backstep.max(*latest - at);
            }
            // Two threads share the partitions, so that some records change places.
            assert!(0 < backstep && backstep <= told && told <= most, "{backstep}, {told}, {most}");
        }
    }
}

// --- every record arrives ----------------------------------------------------------------------

#[test]
fn every_record_as_fast_as_possible_is_acknowledged_and_read_back() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("fast");
    let report = cluster.run(&prefix, &["--rate", "max", "--records", "300000"]).exits(0).report();
    assert_all_acked(&report);
    assert_eq!(slots(&report), 300_000);
    cluster.assert_read_back(&prefix, &report, &[]);
}

#[test]
fn every_record_at_a_fixed_rate_is_acknowledged_and_read_back() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("paced");
    let report = cluster.run(&prefix, &["--rate", "2000", "--duration", "5s"]).exits(0).report();
    assert_all_acked(&report);
    assert!(slots(&report).abs_diff(10_000) <= 2, "{} of 10,000 slots", slots(&report));
    let rate = &report["results"]["rate"];
    assert_eq!(rate["target"], 2000.0);
    // Far from what is held on an idle machine: no test may hang on the clock of a busy one.
    assert!(rate["max_second_error"].as_f64().expect("seconds were measured") <= 0.5, "{rate}");
    assert!(report["results"]["latency_ms"]["intended"]["p50"].as_f64() > Some(0.0));
    cluster.assert_read_back(&prefix, &report, &[]);
}

#[test]
fn json_is_read_back_without_a_registry() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("json");
    let report = run(&[
        "run",
        "-b",
        &cluster.bootstrap,
        "--format",
        "json",
        "--topic-prefix",
        &prefix,
        "--rate",
        "max",
        "--records",
        "6000",
        "--report",
        "-",
    ])
    .exits(0)
    .report();
    assert_all_acked(&report);
    assert!(report["manifest"]["topics"][0]["schema_id"].is_null());
    cluster.assert_read_back(&prefix, &report, &["--format", "json"]);
}

#[test]
fn jobs_keyed_by_job_are_read_back() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("jobkey");
    let report = cluster
        .run(&prefix, &["--rate", "max", "--records", "30000", "--job-key", "job_id"])
        .exits(0)
        .report();
    assert!(sent(&report, "jobs") > 0);
    cluster.assert_read_back(&prefix, &report, &["--job-key", "job_id"]);
}

#[test]
fn fewer_acknowledgements_lose_nothing_on_a_sound_broker() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("acks");
    let report = cluster
        .run(&prefix, &["--rate", "max", "--records", "6000", "--acks", "1"])
        .exits(0)
        .report();
    assert_all_acked(&report);
    cluster.assert_read_back(&prefix, &report, &[]);
}

#[test]
fn chaos_and_its_ground_truth_are_read_back() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("chaos");
    let topics = ["--topics", "telemetry,usage,status,jobs,machines,incidents"];
    let options = ["--scenario", "chaos", "--rate", "max", "--records", "90000"];
    let ended = cluster.run(&prefix, &[&options[..], &topics].concat());
    let report = ended.exits(0).report();
    assert_all_acked(&report);
    assert_eq!(slots(&report), 90_000);
    assert!(sent(&report, "incidents") > 1000 && sent(&report, "telemetry") < 30_000);
    cluster.assert_read_back(&prefix, &report, &topics);
}

#[test]
fn four_shards_at_once_make_the_unsharded_run_at_its_rate() {
    const RATE: f64 = 2000.0;
    const SECONDS: f64 = 30.0;
    let cluster = TestCluster::from_environment();
    let prefix = prefix("shards");
    // Time enough for all to be ready. The unsharded run prints what it would send, meanwhile.
    let start = instant(8000);
    let options = ["--seed", "11", "--start", &start, "--rate", "2000", "--duration", "30s"];
    let printed = ["run", "--sink", "stdout", "--topic-prefix", &prefix];
    let whole = Running::start(&[&printed, &options[..]].concat());
    let shard = |shard| {
        let json = ["--format", "json", "--shard", shard];
        cluster.start(&prefix, &[&options[..], &json].concat())
    };
    // All create the topics, at the same moment.
    let running = ["0/4", "1/4", "2/4", "3/4"].map(shard);
    let limit = SOON * 2;
    let shards = running.map(|shard| shard.finish(limit));
    let printed = whole.finish(limit).exits(0).stdout.clone();
    shards.iter().for_each(|shard| assert_all_acked(&shard.exits(0).report()));
    let merged = merge(&shards);
    assert_all_acked(&merged);
    assert_eq!(merged["manifest"]["shard"], "0/1");

    // Every record once, and no other: what is read back is what the unsharded run would send.
    let mut expected: Vec<Record> = printed.lines().map(Record::of_line).collect();
    let mut found = Vec::new();
    for topic in TOPICS {
        let name = format!("{prefix}{topic}");
        let count = record_count(&cluster.bootstrap, &name);
        assert_eq!(count, sent(&merged, topic), "{topic} of the shards together");
        let read = Reader::open(&cluster.bootstrap, &name).take(count as usize);
        found.extend(read.iter().map(Record::of_message));
    }
    expected.sort();
    found.sort();
    assert!(found.len() > 1);
    assert!(found.windows(2).all(|pair| pair[0] != pair[1]), "no record is there twice");
    assert_eq!(found.len(), expected.len());
    let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    assert_eq!(differs, None);

    // 60,000 slots. Each shard has every fourth or so, at instants of its own, of which the end cuts
    // one more or less: four at most in all, 0.007 %. The rest of the 0.1 % that are asked for is
    // what the last slots may come late, 30 ms of the 30 s.
    let due = RATE * SECONDS;
    assert!((slots(&merged) as f64 - due).abs() <= 4.0, "{} slots of {due}", slots(&merged));
    let rate = &merged["results"]["rate"];
    let figure = |name: &str| rate[name].as_f64().expect("it was paced");
    assert!((figure("target") - RATE).abs() < 1e-6 * RATE, "{rate:#}");
    let off = (figure("achieved") - RATE).abs() / RATE;
    assert!(off <= 0.001, "{} of {RATE} records/s, off by {off}", figure("achieved"));
    assert!(figure("error") <= 0.001, "{}", figure("error"));
    cluster.assert_read_back(&prefix, &merged, &["--format", "json"]);
}

/// What makes a record the same as another, its value as text.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    topic: String,
    key: String,
    timestamp: i64,
    partition: i64,
    value: String,
}

impl Record {
    /// The record that `--sink stdout` prints as a line.
    fn of_line(line: &str) -> Record {
        let fields: Value = serde_json::from_str(line).expect("it is JSON");
        let text = |name: &str| fields[name].as_str().expect("a text").to_owned();
        let number = |name: &str| fields[name].as_i64().expect("a number");
        Record {
            topic: text("topic"),
            key: text("key"),
            timestamp: number("timestamp"),
            partition: number("partition"),
            value: fields["value"].to_string(),
        }
    }

    fn of_message(message: &OwnedMessage) -> Record {
        let text =
            |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.expect("bytes")).into_owned();
        let value: Value =
            serde_json::from_slice(message.payload().expect("a value")).expect("it is JSON");
        Record {
            topic: message.topic().to_owned(),
            key: text(message.key()),
            timestamp: message.timestamp().to_millis().expect("a timestamp"),
            partition: i64::from(message.partition()),
            value: value.to_string(),
        }
    }
}

#[test]
fn a_termination_in_full_flow_delivers_what_was_sent() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("stopped");
    let running = cluster.start(&prefix, &["--rate", "max"]);
    running.line("Simulating");
    let deadline = Instant::now() + SOON;
    while record_count(&cluster.bootstrap, &format!("{prefix}telemetry")) < 10_000 {
        assert!(Instant::now() < deadline, "records arrive");
        thread::sleep(Duration::from_millis(50));
    }
    running.signal("TERM");
    let told = Instant::now();
    let ended = running.finish(SOON);
    // --shutdown-timeout is 30 s.
    assert!(told.elapsed() < Duration::from_secs(35), "it took {:?}", told.elapsed());
    let report = ended.exits(130).report();
    assert_eq!(report["results"]["ended"], "interrupted");
    assert_eq!(total(&report, "sent"), total(&report, "acked") + total(&report, "failed"));
    assert_all_acked(&report);
    for topic in TOPICS {
        let arrived = record_count(&cluster.bootstrap, &format!("{prefix}{topic}"));
        assert_eq!(arrived, sent(&report, topic), "{topic}");
    }
}

// --- topics ------------------------------------------------------------------------------------

#[test]
fn topics_are_created_with_six_partitions_and_the_right_cleanup() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("created");
    let ended = cluster.run(&prefix, &["--seed", "3", "--records", "30"]);
    ended.exits(0);
    assert!(!ended.stderr.contains("WARN"), "nothing to warn of:\n{}", ended.stderr);
    for topic in TOPICS {
        let name = format!("{prefix}{topic}");
        assert!(ended.stderr.contains(&name), "{name} is told of:\n{}", ended.stderr);
        assert_eq!(cluster.shape(&name).0, 6, "{topic}");
        let cleanup = if ["status", "machines"].contains(&topic) { "compact" } else { "delete" };
        assert_eq!(cluster.topic_config(&name, "cleanup.policy"), cleanup, "{topic}");
    }
    // A run beside them finds all as it should be.
    let again = cluster.run(&prefix, &["--seed", "3", "--records", "30"]);
    again.exits(0);
    assert!(!again.stderr.contains("WARN"), "nothing to warn of:\n{}", again.stderr);
    assert!(!again.stderr.contains("Created:"), "nothing is created:\n{}", again.stderr);
}

#[test]
fn partitions_replicas_and_configuration_of_topics_are_as_asked() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("asked");
    let options = [
        ["--partitions", "3"],
        ["--replication-factor", "1"],
        ["--topic-config", "telemetry:retention.ms=123456000"],
        ["--topic-config", "segment.ms=3600000"],
        ["--records", "300"],
    ]
    .concat();
    let report = cluster.run(&prefix, &options).exits(0).report();
    for topic in TOPICS {
        let name = format!("{prefix}{topic}");
        assert_eq!(cluster.shape(&name), (3, 1), "partitions and replicas of {topic}");
        assert_eq!(cluster.topic_config(&name, "segment.ms"), "3600000", "{topic}");
    }
    let retention = |topic| cluster.topic_config(&format!("{prefix}{topic}"), "retention.ms");
    assert_eq!(retention("telemetry"), "123456000");
    assert_ne!(retention("usage"), "123456000");
    assert_eq!(report["manifest"]["topics"][0]["partitions"], 3);
    cluster.assert_read_back(&prefix, &report, &[]);
}

#[test]
fn an_existing_topic_is_used_as_it_is_with_a_warning() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("existing");
    cluster.create(&format!("{prefix}telemetry"), 3, &[]);
    cluster.create(&format!("{prefix}machines"), 6, &[("cleanup.policy", "delete")]);
    cluster.create(&format!("{prefix}usage"), 6, &[("cleanup.policy", "compact")]);
    let ended = cluster.run(&prefix, &["--records", "300"]);
    let report = ended.exits(0).report();
    assert_all_acked(&report);
    let warned = |words: &[&str]| {
        ended
            .stderr
            .lines()
            .any(|line| line.contains("WARN") && words.iter().all(|word| line.contains(word)))
    };
    assert!(warned(&["telemetry has 3", "co-partitioned"]), "{}", ended.stderr);
    assert!(warned(&["machines`", "not compacted"]), "{}", ended.stderr);
    assert!(warned(&["usage`", "is compacted"]), "{}", ended.stderr);
    let partitions: HashMap<&str, u64> = report["manifest"]["topics"]
        .as_array()
        .expect("topics are listed")
        .iter()
        .filter_map(|t| Some((t["topic"].as_str()?, t["partitions"].as_u64()?)))
        .collect();
    assert_eq!(partitions["telemetry"], 3);
    assert_eq!(partitions["usage"], 6);
    assert_eq!(cluster.shape(&format!("{prefix}telemetry")).0, 3, "it stays as it was");
    // The reader checks that each record is in the partition of its key, by the topic's own count.
    cluster.assert_read_back(&prefix, &report, &["--topics", "telemetry,machines,status,jobs"]);
}

// --- schemas -----------------------------------------------------------------------------------

#[test]
fn subjects_are_named_by_the_strategy_asked_for() {
    let cluster = TestCluster::from_environment();
    let names = ["Telemetry", "Usage", "Status", "Job", "Machine"];
    for strategy in ["topic", "record", "topic-record"] {
        let prefix = prefix(&format!("subjects-{strategy}"));
        let ended = cluster.run(&prefix, &["--records", "30", "--subject-strategy", strategy]);
        assert_all_acked(&ended.exits(0).report());
        let answer = get(&format!("{}/subjects", cluster.registry));
        let subjects: Vec<&str> =
            answer.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        for (topic, name) in TOPICS.iter().zip(names) {
            let subject = match strategy {
                "topic" => format!("{prefix}{topic}-value"),
                "record" => format!("fleetstorm.{name}"),
                _ => format!("{prefix}{topic}-fleetstorm.{name}"),
            };
            assert!(subjects.contains(&subject.as_str()), "{subject} is in {subjects:?}");
        }
    }
}

#[test]
fn registered_schemas_are_the_programs_own() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("register");
    let ended = run(&["schemas", "register", "-r", &cluster.registry, "--topic-prefix", &prefix]);
    ended.exits(0);
    assert_eq!(ended.stdout.lines().count(), ALL_TOPICS.len(), "{}", ended.stdout);
    for topic in ALL_TOPICS {
        let subject = format!("{prefix}{topic}-value");
        let latest = get(&format!("{}/subjects/{subject}/versions/latest", cluster.registry));
        let registered: Value =
            serde_json::from_str(latest["schema"].as_str().expect("a text")).expect("JSON");
        let shown = run(&["schemas", "show", topic]);
        let ours: Value = serde_json::from_str(&shown.exits(0).stdout).expect("JSON");
        assert_eq!(registered, ours, "{topic}");
        let id = latest["id"].to_string();
        let told = ended
            .stdout
            .lines()
            .any(|line| line.split_whitespace().eq([id.as_str(), subject.as_str()]));
        assert!(told, "{id} {subject} is in:\n{}", ended.stdout);
    }
}

// --- time --------------------------------------------------------------------------------------

#[test]
fn a_backfill_sends_the_past_at_once_with_its_own_timestamps() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("backfill");
    let before = now_ms();
    // A hundred machines and three slots a reading: 120 rounds of a minute.
    let ended =
        cluster.run(&prefix, &["--start", "-2h", "--interval", "60s", "--records", "35700"]);
    let report = ended.exits(0).report();
    assert!(ended.took < Duration::from_secs(40), "it took {:?}", ended.took);
    assert_all_acked(&report);
    assert_eq!(slots(&report), 35_700);
    let begin = before - 2 * 3_600_000;
    let decoder = Decoder::new(&cluster.registry);
    let mut last: HashMap<Vec<u8>, i64> = HashMap::new();
    let count = sent(&report, "telemetry") as usize;
    assert_eq!(count, 11_900);
    for message in Reader::open(&cluster.bootstrap, &format!("{prefix}telemetry")).take(count) {
        let stamp = message.timestamp().to_millis().expect("records have timestamps");
        assert!(stamp >= begin, "{stamp} is after the start {begin}");
        assert!(stamp <= now_ms(), "{stamp} is in the past");
        let record = decoder.decode(message.payload().expect("records have values"));
        assert_eq!(field(&record, "timestamp"), &Avro::TimestampMillis(stamp));
        let key = message.key().expect("records have keys").to_vec();
        if let Some(earlier) = last.insert(key, stamp) {
            assert!((59_999..=60_001).contains(&(stamp - earlier)), "readings are a minute apart");
        }
    }
    assert_eq!(last.len(), 100);
}

#[test]
fn live_records_are_stamped_with_the_moment_of_sending() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("live");
    let running = cluster.start(&prefix, &["--duration", "6s"]);
    running.line("Simulating");
    let reader = Reader::open(&cluster.bootstrap, &format!("{prefix}telemetry"));
    for _ in 0..300 {
        let message = reader.next();
        let stamp = message.timestamp().to_millis().expect("records have timestamps");
        let late = now_ms() - stamp;
        // A busy machine is late, none is early.
        assert!((-50..10_000).contains(&late), "the record arrived {late} ms after its timestamp");
    }
    assert_all_acked(&running.finish(SOON).exits(0).report());
}

#[test]
fn simulated_time_of_known_length_ends_now() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("simulated");
    let report = cluster
        .run(&prefix, &["--rate", "max", "--interval", "60s", "--records", "30000"])
        .exits(0)
        .report();
    assert_all_acked(&report);
    assert_eq!(report["manifest"]["time"], json!("simulated"));
    let count = sent(&report, "telemetry") as usize;
    let stamps: Vec<i64> = Reader::open(&cluster.bootstrap, &format!("{prefix}telemetry"))
        .take(count)
        .iter()
        .filter_map(|message| message.timestamp().to_millis())
        .collect();
    let (first, last) = (stamps.iter().min().copied(), stamps.iter().max().copied());
    let (first, last) = (first.expect("there are records"), last.expect("there are records"));
    // A hundred rounds of a minute, up to the moment at which the run began.
    assert!((last - first - 100 * 60_000).abs() < 60_000, "from {first} to {last}");
    assert!((now_ms() - last) < 90_000, "the last is stamped {last}");
    assert!(last <= now_ms(), "none is ahead of the clock");
}

// --- the producer ------------------------------------------------------------------------------

#[test]
fn the_producer_is_idempotent_by_default() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("idempotent");
    let says_so = |acks: &str| {
        // Of the direct one's idempotence speak tests/real/direct.rs and the drills of faults.
        let options = ["--transport", "librdkafka", "--records", "30", "-vv", "-X", "debug=eos"];
        let more = ["--acks", acks];
        let more = if acks.is_empty() { &[][..] } else { &more };
        let ended = cluster.run(&prefix, &[&options, more].concat());
        assert_all_acked(&ended.exits(0).report());
        // What librdkafka says when it asks the broker for a producer's id.
        ended.stderr.contains("Idempotent producer state change")
    };
    assert!(says_so(""));
    assert!(says_so("all"));
    assert!(!says_so("1"), "and the test can tell");
}
