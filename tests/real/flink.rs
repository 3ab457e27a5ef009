//! Flink SQL and Confluent's clients read what was written, on the real Kafka and registry as on the
//! program's own.

use std::collections::BTreeMap;
use std::process::Command;

use crate::cluster::{TestCluster, prefix, required};
use crate::flink_client;
use crate::support::{ALL_TOPICS, Running, SOON, command, run, sent};

/// Makes a run, and has Flink count its telemetry by zone.
fn counted(bootstrap: &str, registry: &str, prefix: &str) -> BTreeMap<String, u64> {
    let load = ["--seed", "3", "--machines", "30", "--rate", "max", "--records", "60000"];
    let to = ["run", "-b", bootstrap, "-r", registry, "--topic-prefix", prefix, "--report", "-"];
    let done = run(&[&to[..], &load].concat());
    let report = done.exits(0).report();
    let sent = sent(&report, "telemetry");

    let rows = flink_client::sql(&format!(
        "SET 'execution.runtime-mode'='batch';
        CREATE TABLE telemetry (k STRING, machine_id STRING, zone STRING, cpu_percent DOUBLE)
        WITH ('connector'='kafka', 'topic'='{prefix}telemetry',
          'properties.bootstrap.servers'='{bootstrap}',
          'scan.startup.mode'='earliest-offset', 'scan.bounded.mode'='latest-offset',
          'key.format'='raw', 'key.fields'='k', 'value.fields-include'='EXCEPT_KEY',
          'value.format'='avro-confluent', 'value.avro-confluent.url'='{registry}');
        SELECT zone, COUNT(*) AS n FROM telemetry WHERE k = machine_id GROUP BY zone;"
    ));
    let count = |row: &Vec<String>| (row[0].clone(), row[1].parse().expect("a count"));
    let counts: BTreeMap<String, u64> = rows.iter().map(count).collect();
    assert_eq!(counts.values().sum::<u64>(), sent, "{rows:?}");
    counts
}

/// What Confluent's registry answers its client.
const ANSWERED: &str = r#"again the same: true
looked up: true
by id: {"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}
its version: 1
compatible: true
not compatible: false
another: true
versions: [1, 2]
latest: {"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"b","type":"int","default":0}]}
latest id: true
listed: true
refused: 409
missing: 40403
deleted: [1, 2]
"#;

#[test]
fn flink_registry_client_is_answered_as_by_confluent() {
    let own = ["broker", "--listen", "127.0.0.1:0", "--registry", "127.0.0.1:0"];
    let own = Running::spawn(&mut command(&own));
    let arguments = [own.told("Registry:"), "readings-value".to_owned()];
    let arguments = arguments.each_ref().map(String::as_str);
    assert_eq!(flink_client::registry_client("RegistryClient.java", &arguments), ANSWERED);
}

/// Clients that may not register find what the program has registered, by the text that they print.
#[test]
fn flink_and_confluent_kafka_find_schemas_by_their_text() {
    let cluster = TestCluster::from_environment();
    let own = ["broker", "--listen", "127.0.0.1:0", "--registry", "127.0.0.1:0"];
    let own = Running::spawn(&mut command(&own));
    for registry in [cluster.registry, own.told("Registry:")] {
        let prefix = prefix("text");
        let register = ["schemas", "register", "-r", &registry, "--topic-prefix", &prefix];
        let registered = run(&register);
        registered.exits(0);
        let id_of = |line: &str| line.split_whitespace().next().expect("an id").to_owned();
        let ids: Vec<String> = registered.stdout.lines().map(id_of).collect();

        let mut arguments = vec![registry];
        for topic in ALL_TOPICS {
            let file = format!("{}/schemas/{topic}.avsc", env!("CARGO_MANIFEST_DIR"));
            arguments.extend([format!("{prefix}{topic}-value"), file]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let by_java = flink_client::registry_client("LookUp.java", &arguments);
        assert_eq!(by_java.lines().collect::<Vec<_>>(), ids);
        let reader = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers/look_up.py");
        let mut python = Command::new(required("FLEETSTORM_TEST_PYTHON"));
        let by_python = Running::spawn(python.arg(reader).args(&arguments)).finish(SOON);
        assert!(by_python.status.success(), "{}", by_python.stderr);
        assert_eq!(by_python.stdout.lines().collect::<Vec<_>>(), ids);
    }
}

#[test]
fn flink_counts_what_was_sent_on_both_brokers() {
    let cluster = TestCluster::from_environment();
    let there = counted(&cluster.bootstrap, &cluster.registry, &prefix("flink"));

    let own = ["broker", "--listen", "127.0.0.1:0", "--registry", "127.0.0.1:0"];
    let own = Running::spawn(&mut command(&own));
    let here = counted(&own.told("Broker:"), &own.told("Registry:"), "");
    assert_eq!(here, there);
}
