//! Real clients do the same to this broker and to Apache Kafka, and what they print is compared. The
//! cluster is that of `FLEETSTORM_TEST_BOOTSTRAP`, of one broker; Kafka's tools are the jars that
//! `tests/cluster/cluster` has fetched.

#[path = "broker/client/mod.rs"]
mod client;

use std::collections::BTreeMap;
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use client::{Client, name};
use fleetstorm_broker::{Broker, Settings};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{ApiKey, BrokerId, FetchRequest, MetadataRequest};
use kafka_protocol::records::RecordBatchDecoder;

/// How long a client may take for what it is to do.
const SOON: Duration = Duration::from_secs(120);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a client against both, with a name of its own for topics and groups, and compares.
fn agree(what: &str, client: impl Fn(&str, &str) -> String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let own = format!("clients-{what}-{now}");
    let broker = Broker::start(Settings::new()).unwrap();
    let here = client(&broker.bootstrap(), &own);
    let kafka = env::var("FLEETSTORM_TEST_BOOTSTRAP").expect("FLEETSTORM_TEST_BOOTSTRAP is set");
    let there = client(&kafka, &own);
    assert!(!here.trim().is_empty(), "nothing was printed");
    assert_eq!(here, there, "left: this broker, right: Kafka");
}

/// One of Kafka's tools, which gets `input`; what it prints.
fn kafka(class: &str, arguments: &[&str], input: &str) -> String {
    tool("target/cluster/kafka/*", class, arguments, input)
}

/// A tool of Kafka's in some jars, which gets `input`; what it prints.
fn tool(jars: &str, class: &str, arguments: &[&str], input: &str) -> String {
    let jars = root().join(jars);
    let log = root().join("tests/cluster/log4j2.properties");
    let mut command = Command::new("java");
    command
        .args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"])
        .arg(jars)
        .arg(format!("-Dlog4j2.configurationFile={}", log.display()))
        .arg(class)
        .args(arguments);
    run(command, input)
}

fn topics(bootstrap: &str, arguments: &[&str]) -> String {
    let arguments = [&["--bootstrap-server", bootstrap], arguments].concat();
    kafka("org.apache.kafka.tools.TopicCommand", &arguments, "")
}

/// Runs a program to its end, which must be good.
fn run(mut command: Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let id = child.id();
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    let Ok(ended) = ended.recv_timeout(SOON) else {
        Command::new("kill").arg(id.to_string()).status().unwrap();
        panic!("{command:?} has not ended");
    };
    let Output { status, stdout, stderr } = ended.unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// The lines in order, with one space where several were.
fn sorted(text: &str) -> String {
    let mut lines: Vec<String> =
        text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    lines.retain(|l| !l.is_empty());
    lines.sort();
    lines.join("\n")
}

// --- Kafka's own tools --------------------------------------------------------------------------

#[test]
fn clients_console_tools_agree() {
    agree("console", |bootstrap, own| {
        let server = ["--bootstrap-server", bootstrap];
        let mut said = topics(bootstrap, &["--create", "--topic", own, "--partitions", "3"]);
        let input: String = (0..200).map(|i| format!("k{i}:v{i}\n")).collect();
        let keyed = ["--topic", own, "--reader-property", "parse.key=true", "--reader-property"];
        let keyed = [&server[..], &keyed, &["key.separator=:"]].concat();
        kafka("org.apache.kafka.tools.ConsoleProducer", &keyed, &input);
        let all = ["--from-beginning", "--max-messages", "200", "--group", own, "--topic", own];
        let print: Vec<&str> = ["print.key=true", "print.partition=true", "print.offset=true"]
            .into_iter()
            .flat_map(|p| ["--formatter-property", p])
            .collect();
        let read = [&server[..], &all, &print].concat();
        let consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
        said += &sorted(&kafka(consumer, &read, ""));
        said += &sorted(&kafka(
            "org.apache.kafka.tools.GetOffsetShell",
            &[&server[..], &["--topic", own]].concat(),
            "",
        ));
        let group = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
        let mut of_group = |arguments: &[&str]| {
            said += "\n";
            said += &sorted(&kafka(group, &[&server[..], arguments].concat(), ""));
        };
        of_group(&["--describe", "--group", own]);
        let back = ["--reset-offsets", "--group", own, "--topic", own, "--to-offset", "5"];
        of_group(&[&back[..], &["--execute"]].concat());
        of_group(&["--describe", "--group", own]);
        of_group(&["--delete", "--group", own]);
        said
    });
}

#[test]
fn clients_topics_and_settings_agree() {
    agree("topics", |bootstrap, own| {
        let config = |arguments: &[&str]| {
            let named = ["--entity-type", "topics", "--entity-name", own];
            let all = [&["--bootstrap-server", bootstrap], arguments, &named].concat();
            kafka("kafka.admin.ConfigCommand", &all, "")
        };
        let compacted = ["--config", "cleanup.policy=compact"];
        let create = [&["--create", "--topic", own, "--partitions", "2"], &compacted[..]].concat();
        let mut said = topics(bootstrap, &create);
        said += &topics(bootstrap, &["--alter", "--topic", own, "--partitions", "4"]);
        said +=
            &config(&["--alter", "--add-config", "max.message.bytes=2000000,retention.ms=1000"]);
        said += &config(&["--alter", "--delete-config", "retention.ms"]);
        said += &config(&["--describe"]);
        // What differs by nature: ids, and a setting that the cluster makes for all.
        let described = topics(bootstrap, &["--describe", "--topic", own]);
        for line in described.lines() {
            let parts = line.split('\t').filter(|p| !p.starts_with("TopicId"));
            let line = parts.collect::<Vec<_>>().join(" ");
            said += &line.replace("min.insync.replicas=1,", "");
            said += "\n";
        }
        said += &topics(bootstrap, &["--delete", "--topic", own]);
        said
    });
}

#[test]
fn clients_verifiable_producer_and_consumer_agree() {
    verifiable("verifiable", "target/cluster/kafka/*");
}

#[test]
fn clients_of_java_2_8_agree() {
    let mut fetch = Command::new("mvn");
    let pom = root().join("crates/broker/tests/clients/java-2.8/pom.xml");
    fetch.args(["-q", "-B", "package", "-f"]).arg(pom);
    run(fetch, "");
    verifiable("java-2.8", "target/kafka-2.8/jars/*");
}

/// Kafka's verifiable producer and consumer, of some jars.
fn verifiable(what: &str, jars: &str) {
    agree(what, |bootstrap, own| {
        topics(bootstrap, &["--create", "--topic", own, "--partitions", "3"]);
        let server = ["--bootstrap-server", bootstrap, "--topic", own, "--max-messages", "3000"];
        let produce = [&server[..], &["--acks", "-1"]].concat();
        let produced = tool(jars, "org.apache.kafka.tools.VerifiableProducer", &produce, "");
        let acked = produced.matches("producer_send_success").count();
        let all = ["--group-id", own, "--reset-policy", "earliest", "--verbose"];
        let consume = [&server[..], &all].concat();
        let consumed = tool(jars, "org.apache.kafka.tools.VerifiableConsumer", &consume, "");
        let mut values: Vec<u32> = consumed
            .lines()
            .filter(|l| l.contains("\"record_data\""))
            .filter_map(|l| l.split("\"value\":\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        values.sort_unstable();
        format!("{acked} {values:?}")
    });
}

// --- other clients ------------------------------------------------------------------------------

#[test]
fn clients_confluent_kafka_agrees() {
    let python = env::var("FLEETSTORM_TEST_PYTHON").expect("FLEETSTORM_TEST_PYTHON is set");
    agree("confluent", |bootstrap, own| {
        topics(bootstrap, &["--create", "--topic", own, "--partitions", "3"]);
        let mut command = Command::new(&python);
        command.arg(root().join("crates/broker/tests/clients/confluent.py")).args([bootstrap, own]);
        run(command, "")
    });
}

#[test]
fn clients_franz_go_agrees() {
    go("franz");
}

#[test]
fn clients_sarama_agrees() {
    go("sarama");
}

/// A client in Go, of a folder of its own.
fn go(name: &str) {
    let program = root().join("target").join(name);
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg(".");
    build.current_dir(root().join("crates/broker/tests/clients").join(name));
    run(build, "");
    agree(name, |bootstrap, own| {
        topics(bootstrap, &["--create", "--topic", own, "--partitions", "3"]);
        let mut command = Command::new(&program);
        command.args([bootstrap, own]);
        run(command, "")
    });
}

#[test]
fn clients_kcat_agrees() {
    agree("kcat", |bootstrap, own| {
        topics(bootstrap, &["--create", "--topic", own, "--partitions", "1"]);
        let kcat = |arguments: &[&str], input: &str| {
            let mut command = Command::new("kcat");
            command.args(["-q", "-b", bootstrap]).args(arguments);
            run(command, input)
        };
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let input: String = (0..100).map(|i| format!("{i}:{codec} {i}\n")).collect();
            kcat(&["-P", "-t", own, "-K:", "-z", codec, "-H", "from=kcat"], &input);
        }
        kcat(&["-P", "-t", own, "-X", &format!("transactional.id={own}")], "in a transaction\n");
        let format = ["-f", "%p %o %k %s %h\n", "-X", "isolation.level=read_committed"];
        let mut said = kcat(&[&["-C", "-t", own, "-e"], &format[..]].concat(), "");
        let grouped = ["-e", "-X", "auto.offset.reset=earliest", "-f", "%o %s\n", "-G", own, own];
        said += &kcat(&grouped, "");
        said
    });
}

// --- Kafka Streams ------------------------------------------------------------------------------

#[test]
fn clients_kafka_streams_agrees() {
    let pom = root().join("crates/broker/tests/clients/streams/pom.xml");
    let mut build = Command::new("mvn");
    build.args(["-q", "-B", "package", "-f"]).arg(pom);
    run(build, "");
    for guarantee in ["at_least_once", "exactly_once_v2"] {
        agree(&format!("streams-{guarantee}"), |bootstrap, own| streams(bootstrap, own, guarantee));
    }
}

/// A Streams job that is ended when dropped.
struct Job(Child);

impl Drop for Job {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// Thirty machines in four zones, a hundred readings of each over 100 s: what the job counts by zone
/// and window. The expected counts are known, and are checked before anything is compared.
fn streams(bootstrap: &str, own: &str, guarantee: &str) -> String {
    let [zones, readings, counts] = ["zones", "readings", "counts"].map(|t| format!("{own}-{t}"));
    for topic in [&zones, &readings, &counts] {
        topics(bootstrap, &["--create", "--topic", topic, "--partitions", "3"]);
    }
    let mut client = Client::connect(bootstrap.parse().unwrap());
    // A whole window's beginning, ten minutes ago.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let start = now / 10_000 * 10_000 - 600_000;
    let zone = |machine: i64| format!("zone{}", machine % 4);
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    for partition in 0..3 {
        let machines = || (0..30).filter(move |m| m % 3 == i64::from(partition));
        let rows: Vec<_> = machines().map(|m| (format!("m{m}"), zone(m), start - 1_000)).collect();
        send(&mut client, &zones, partition, &rows);
        for second in 0..100 {
            let rows = machines().map(|m| {
                let time = start + second * 1_000 + m;
                *expected
                    .entry(format!("{}@{}", zone(m), time / 10_000 * 10_000 - start))
                    .or_default() += 1;
                (format!("m{m}"), "reading".to_owned(), time)
            });
            send(&mut client, &readings, partition, &rows.collect::<Vec<_>>());
        }
    }
    let jars = root().join("target/streams");
    let state = root().join("target/streams-state").join(own).join(bootstrap.replace(':', "-"));
    let _job = Job(Command::new("java")
        .arg("-cp")
        .arg(format!("{0}/streams-1.jar:{0}/jars/*", jars.display()))
        .args(["Job", bootstrap, own])
        .arg(&state)
        .args([guarantee, &zones, &readings, &counts])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap());
    let begun = Instant::now();
    loop {
        let seen: BTreeMap<String, i64> = last_values(&mut client, &counts)
            .into_iter()
            .map(|(key, value)| {
                let (zone, window) = key.split_once('@').unwrap();
                let window: i64 = window.parse().unwrap();
                (format!("{zone}@{}", window - start), value.parse().unwrap())
            })
            .collect();
        if seen == expected {
            return format!("{seen:?}");
        }
        assert!(begun.elapsed() < SOON, "{guarantee}: expected {expected:?}, seen {seen:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn send(client: &mut Client, topic: &str, partition: i32, rows: &[(String, String, i64)]) {
    let batch = client::rows(rows);
    let outcome = client.produce(topic, partition, batch).unwrap();
    assert_eq!(outcome.error_code, 0, "{topic}-{partition}");
}

/// The last committed value of each key in three partitions.
fn last_values(client: &mut Client, topic: &str) -> BTreeMap<String, String> {
    let mut last = BTreeMap::new();
    for partition in 0..3 {
        let mut offset = 0;
        loop {
            let wanted = FetchPartition::default()
                .with_partition(partition)
                .with_fetch_offset(offset)
                .with_partition_max_bytes(10 << 20);
            let of_topic =
                FetchTopic::default().with_topic(name(topic)).with_partitions(vec![wanted]);
            let request = FetchRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_max_bytes(10 << 20)
                .with_isolation_level(1)
                .with_session_epoch(-1)
                .with_topics(vec![of_topic]);
            let answer = client.ask(&request, 11).unwrap();
            let found = &answer.responses[0].partitions[0];
            assert_eq!(found.error_code, 0);
            let aborted: Vec<_> = found.aborted_transactions.iter().flatten().collect();
            assert!(aborted.is_empty(), "nothing is aborted here: {aborted:?}");
            let mut bytes: Bytes = found.records.clone().unwrap_or_default();
            let sets = RecordBatchDecoder::decode_all(&mut bytes).unwrap();
            let before = offset;
            for record in sets.into_iter().flat_map(|s| s.records) {
                offset = record.offset + 1;
                if !record.control {
                    let text = |b: Option<Bytes>| String::from_utf8(b.unwrap().to_vec()).unwrap();
                    last.insert(text(record.key), text(record.value));
                }
            }
            if offset == before {
                break;
            }
        }
    }
    last
}

#[test]
fn clients_are_answered_by_the_broker_under_test() {
    // The hand-made client of this file reads Kafka's metadata as well as this broker's.
    let broker = Broker::start(Settings::new()).unwrap();
    let kafka = env::var("FLEETSTORM_TEST_BOOTSTRAP").expect("FLEETSTORM_TEST_BOOTSTRAP is set");
    for bootstrap in [broker.bootstrap(), kafka] {
        let mut client = Client::connect(bootstrap.parse().unwrap());
        let answer = client.ask(&MetadataRequest::default().with_topics(None), 12).unwrap();
        assert_eq!(answer.brokers.len(), 1, "{bootstrap} has one broker");
    }
    assert_eq!(broker.requests(None, ApiKey::Metadata), 1);
}
