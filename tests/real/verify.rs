//! `fleetstorm verify` against real Kafka: that it finds each kind of harm, and counts it as itself.
//! A run's records are copied by a client of the test's own to other topics, with the harm done on
//! the way, and the run's manifest is pointed at the copies.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use crate::cluster::{TestCluster, prefix, record_count};
use crate::support::consumer::Reader;
use crate::support::{Finished, Running, SOON, run, total};

const TOPICS: [&str; 5] = ["telemetry", "usage", "status", "jobs", "machines"];

/// A run whose records are in its topics.
struct Original {
    cluster: TestCluster,
    folder: tempfile::TempDir,
    prefix: String,
    report: Value,
}

impl Original {
    fn new(name: &str, more: &[&str]) -> Original {
        let cluster = TestCluster::from_environment();
        let prefix = prefix(name);
        let arguments = ["--seed", "3", "--machines", "20", "--rate", "max"];
        let report = cluster.run(&prefix, &[&arguments[..], more].concat()).exits(0).report();
        Original { cluster, folder: tempfile::tempdir().unwrap(), prefix, report }
    }

    /// The records of a topic, partition by partition.
    fn records(&self, topic: &str) -> Vec<OwnedMessage> {
        let name = format!("{}{topic}", self.prefix);
        let count = record_count(&self.cluster.bootstrap, &name) as usize;
        Reader::open(&self.cluster.bootstrap, &name).take(count)
    }

    /// Copies all topics to others, `harm` done to the records of `topic`; returns their prefix.
    fn copy(&self, topic: &str, harm: impl Fn(&mut Vec<OwnedMessage>)) -> String {
        let prefix = format!("copy-{}", prefix(topic));
        self.cluster.create_all(&prefix, &[]);
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.cluster.bootstrap)
            .set("enable.idempotence", "true")
            .create()
            .expect("a producer can be made");
        for name in TOPICS {
            let mut records = self.records(name);
            if name == topic {
                harm(&mut records);
            }
            let to = format!("{prefix}{name}");
            for record in &records {
                let record = BaseRecord::to(&to)
                    .partition(record.partition())
                    .key(record.key().expect("records have keys"))
                    .payload(record.payload().expect("records have values"))
                    .timestamp(record.timestamp().to_millis().expect("records have timestamps"));
                producer.send(record).expect("the queue is long enough");
                producer.poll(std::time::Duration::ZERO);
            }
        }
        producer.flush(SOON).expect("the copies are delivered");
        prefix
    }

    /// Verifies the report, changed by `change`, against topics of this prefix.
    fn verify(&self, prefix: &str, change: impl Fn(&mut Value)) -> (Finished, Value) {
        let mut report = self.report.clone();
        for entry in report["manifest"]["topics"].as_array_mut().expect("there are topics") {
            let name = format!("{prefix}{}", entry["topic"].as_str().expect("it is text"));
            entry["name"] = name.into();
            let entry = entry.as_object_mut().expect("it is an object");
            entry.remove("start_offsets");
            entry.remove("id");
        }
        report["results"].as_object_mut().expect("it ended").remove("end_offsets");
        change(&mut report);
        let path = self.folder.path().join("report.json");
        fs::write(&path, report.to_string()).expect("a file can be written");
        verify(&self.cluster, &[&path])
    }

    /// Asserts what a verification finds in copies with `harm` done to `topic`.
    #[track_caller]
    fn assert_found(
        &self,
        topic: &str,
        code: i32,
        found: &[(&str, u64)],
        harm: impl Fn(&mut Vec<OwnedMessage>),
    ) -> Value {
        let copies = self.copy(topic, harm);
        let (done, verdict) = self.verify(&copies, |_| {});
        done.exits(code);
        for kind in ["lost", "duplicated", "out_of_order", "altered", "unexpected"] {
            let expected = found.iter().find(|(name, _)| *name == kind).map_or(0, |(_, n)| *n);
            assert_eq!(verdict["topics"][topic][kind], expected, "{kind}: {verdict:#}");
            assert_eq!(verdict["total"][kind], expected, "{kind} in all");
        }
        verdict
    }
}

fn verify(cluster: &TestCluster, reports: &[&Path]) -> (Finished, Value) {
    let mut arguments: Vec<&str> =
        vec!["verify", "-b", &cluster.bootstrap, "-r", &cluster.registry];
    arguments.extend(["--report", "-", "--manifest"]);
    arguments.extend(reports.iter().map(|path| path.to_str().expect("it is text")));
    let done = run(&arguments);
    let verdict = serde_json::from_str(&done.stdout).unwrap_or(Value::Null);
    (done, verdict)
}

/// The places of a key's records, the key that has most of them.
fn places(records: &[OwnedMessage]) -> Vec<usize> {
    let mut by_key: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
    for (at, record) in records.iter().enumerate() {
        by_key.entry(record.key().expect("records have keys").to_vec()).or_default().push(at);
    }
    by_key.into_values().max_by_key(|places| (places.len(), places[0])).expect("there are records")
}

/// The record with another value.
fn with_value(record: &OwnedMessage, value: Vec<u8>) -> OwnedMessage {
    OwnedMessage::new(
        Some(value),
        record.key().map(<[u8]>::to_vec),
        record.topic().to_owned(),
        record.timestamp(),
        record.partition(),
        record.offset(),
        None,
    )
}

#[test]
fn each_harm_is_found_and_counted_as_itself() {
    let original = Original::new("harm", &["--records", "6000"]);
    let (done, verdict) = original.verify(&original.prefix, |_| {});
    done.exits(0);
    assert_eq!(verdict["matches"], true);
    assert_eq!(verdict["schemas"], "match");
    assert_eq!(verdict["total"]["arrived"], total(&original.report, "sent"));

    original.assert_found("usage", 0, &[], |_| {});
    original.assert_found("telemetry", 30, &[("lost", 1)], |records| {
        records.remove(places(records)[7]);
    });
    // The last of a key, behind which nothing shows that it is missing.
    original.assert_found("usage", 30, &[("lost", 1)], |records| {
        records.remove(*places(records).last().unwrap());
    });
    original.assert_found("telemetry", 32, &[("duplicated", 2)], |records| {
        for nth in [3, 9] {
            let record = records[places(records)[nth]].clone();
            records.push(record);
        }
    });
    original.assert_found("usage", 32, &[("out_of_order", 1)], |records| {
        let places = places(records);
        records.swap(places[4], places[5]);
    });
    let verdict = original.assert_found("telemetry", 32, &[("altered", 1)], |records| {
        let at = places(records)[6];
        let mut value = records[at].payload().unwrap().to_vec();
        // The last byte is `is_anomaly`.
        *value.last_mut().unwrap() ^= 1;
        records[at] = with_value(&records[at], value);
    });
    let example = &verdict["examples"][0];
    assert_eq!(example["finding"], "altered");
    assert_eq!(example["fields"], json!({ "is_anomaly": [false, true] }), "{example:#}");
    original.assert_found("status", 32, &[("unexpected", 1)], |records| {
        let stranger = &records[0];
        records.push(OwnedMessage::new(
            stranger.payload().map(<[u8]>::to_vec),
            Some(b"stranger".to_vec()),
            stranger.topic().to_owned(),
            stranger.timestamp(),
            stranger.partition(),
            0,
            None,
        ));
    });
}

#[test]
fn a_compacted_topic_needs_the_last_of_each_key() {
    let original = Original::new("compacted", &["--records", "6000"]);
    let last_of_each = |records: &mut Vec<OwnedMessage>| {
        let mut last = HashMap::new();
        for (at, record) in records.iter().enumerate() {
            last.insert(record.key().unwrap().to_vec(), at);
        }
        let mut places: Vec<usize> = last.into_values().collect();
        places.sort_unstable();
        *records = places.into_iter().map(|at| records[at].clone()).collect();
    };
    // `status` is compacted where the broker says so; the copy's topics are not.
    let copies = original.copy("status", last_of_each);
    let (done, verdict) = original.verify(&copies, |_| {});
    done.exits(30);
    assert!(verdict["topics"]["status"]["lost"].as_u64() > Some(0));
    original.cluster.set_topic_config(&format!("{copies}status"), "cleanup.policy", "compact");
    let (done, verdict) = original.verify(&copies, |_| {});
    done.exits(0);
    let status = &verdict["topics"]["status"];
    assert!(status["compacted"].as_u64() > Some(0), "{status:#}");
    let without_one = original.copy("status", |records| {
        last_of_each(records);
        records.pop();
    });
    original.cluster.set_topic_config(&format!("{without_one}status"), "cleanup.policy", "compact");
    let (done, _) = original.verify(&without_one, |_| {});
    done.exits(30);
}

#[test]
fn records_that_aged_out_are_told_as_such() {
    let original = Original::new("aged", &["--records", "6000"]);
    let name = format!("{}telemetry", original.prefix);
    let gone = original.cluster.delete_records(&name, 40);
    let path = original.folder.path().join("aged.json");
    fs::write(&path, original.report.to_string()).unwrap();
    let (done, verdict) = verify(&original.cluster, &[&path]);
    done.exits(0);
    assert_eq!(verdict["topics"]["telemetry"]["aged"], gone);
    assert_eq!(verdict["total"]["lost"], 0);
}

#[test]
fn topics_that_held_records_before_and_after() {
    let cluster = TestCluster::from_environment();
    let (prefix, folder) = (prefix("shared"), tempfile::tempdir().unwrap());
    let reports: Vec<_> = (1..4)
        .map(|n| {
            let (seed, records) = (n.to_string(), (2000 * n).to_string());
            let arguments =
                ["--rate", "max", "--machines", "15", "--seed", &seed, "--records", &records];
            let done = cluster.run(&prefix, &arguments);
            let path = folder.path().join(format!("{n}.json"));
            fs::write(&path, &done.exits(0).stdout).unwrap();
            path
        })
        .collect();
    for report in &reports {
        let (done, verdict) = verify(&cluster, &[report]);
        done.exits(0);
        assert_eq!(verdict["matches"], true, "{verdict:#}");
    }
    // Together they are no run.
    verify(&cluster, &[&reports[0], &reports[1]]).0.fails(2, &["not of one run"]);
    verify(&cluster, &[&reports[0], &reports[0]]).0.fails(2, &["shard 0/1"]);
}

#[test]
fn shards_are_verified_alone_and_together() {
    let cluster = TestCluster::from_environment();
    let (prefix, folder) = (prefix("shards"), tempfile::tempdir().unwrap());
    // The topics are there, so that each shard begins at their beginning.
    cluster.create_all(&prefix, &[]);
    let start = |index| {
        let shard = format!("{index}/3");
        let arguments = ["--rate", "3000", "--machines", "200", "--seed", "5", "--readings", "30"];
        let more = ["--start", "2026-01-01T00:00:00Z", "--shard", &shard, "--job-key", "job_id"];
        let simulated = ["--time", "simulated"];
        cluster.start(&prefix, &[&arguments[..], &more, &simulated].concat())
    };
    let running: Vec<Running> = (0..3).map(start).collect();
    let reports: Vec<_> = running
        .into_iter()
        .enumerate()
        .map(|(index, shard)| {
            let path = folder.path().join(format!("{index}.json"));
            fs::write(&path, &shard.finish(SOON).exits(0).stdout).unwrap();
            path
        })
        .collect();
    let all: Vec<&Path> = reports.iter().map(AsRef::as_ref).collect();
    let (done, together) = verify(&cluster, &all);
    done.exits(0);
    assert_eq!(together["total"]["of_other_shards"], 0);
    let of = |verdict: &Value, count: &str| verdict["total"][count].as_u64().unwrap();
    let (mut own, mut of_others) = (0, 0);
    for path in &all {
        let (done, alone) = verify(&cluster, &[path]);
        done.exits(0);
        let report: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        // Its own reading ends where it ended; what the others wrote before that is theirs.
        let there = |of: &Value| -> u64 {
            of.as_array().unwrap().iter().map(|offset| offset.as_u64().unwrap()).sum()
        };
        let topics = report["manifest"]["topics"].as_array().unwrap().iter();
        let span: u64 = topics
            .map(|entry| {
                let ends = &report["results"]["end_offsets"][entry["topic"].as_str().unwrap()];
                there(ends) - there(&entry["start_offsets"])
            })
            .sum();
        assert_eq!(of(&alone, "arrived"), span);
        assert_eq!(of(&alone, "arrived") - of(&alone, "of_other_shards"), total(&report, "sent"));
        own += total(&report, "sent");
        of_others += of(&alone, "of_other_shards");
    }
    assert_eq!(own, of(&together, "arrived"));
    assert!(of_others > 0, "the shards ran side by side");
}

#[test]
fn an_acknowledged_record_that_is_gone_is_missed_without_a_known_end() {
    let original = Original::new("ended", &["--records", "6000"]);
    let copies = original.copy("usage", |records| {
        records.remove(*places(records).last().unwrap());
    });
    let interrupted = |report: &mut Value| report["results"]["ended"] = "interrupted".into();
    let (done, verdict) = original.verify(&copies, interrupted);
    done.exits(30);
    assert_eq!((&verdict["total"]["lost"], &verdict["whole"]), (&json!(1), &json!(false)));
    // A run without results leaves a prefix: nothing says that the last was ever sent.
    let (done, verdict) = original.verify(&copies, |report| report["results"] = Value::Null);
    done.exits(0);
    assert_eq!(verdict["whole"], false);
}

#[test]
fn what_can_not_be_verified_is_refused() {
    let original = Original::new("refused", &["--records", "300"]);
    let refused = |change: fn(&mut Value)| original.verify(&original.prefix, change).0;
    refused(|report| report["manifest"]["stream_version"] = 999.into())
        .fails(2, &["stream version 999"]);
    refused(|report| report["manifest"]["topics"][0]["name"] = "no-such-topic".into())
        .fails(12, &["no-such-topic"]);
    refused(|report| {
        report["manifest"]["topics"][1]["schema_id"] =
            report["manifest"]["topics"][0]["schema_id"].clone()
    })
    .fails(32, &["another schema"]);
    refused(|report| report["manifest"] = json!({})).fails(2, &["is not a report"]);
}
