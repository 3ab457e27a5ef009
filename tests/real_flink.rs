//! Flink SQL reads Confluent's Avro, on the real Kafka and registry as on the program's own.

#[path = "support/flink.rs"]
mod flink;
mod support;

use std::collections::BTreeMap;

use support::kafka::TestCluster;
use support::{Running, command, prefix};

/// Makes a run, and has Flink count its telemetry by zone.
fn counted(bootstrap: &str, registry: &str, prefix: &str) -> BTreeMap<String, u64> {
    let load = ["--seed", "3", "--machines", "30", "--rate", "max", "--records", "60000"];
    let to = ["run", "-b", bootstrap, "-r", registry, "--topic-prefix", prefix, "--report", "-"];
    let done = support::run(&[&to[..], &load].concat());
    let report = done.exits(0).report();
    let sent = support::sent(&report, "telemetry");

    let rows = flink::sql(&format!(
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

#[test]
fn flink_counts_what_was_sent_on_both_brokers() {
    let cluster = TestCluster::from_environment();
    let there = counted(&cluster.bootstrap, &cluster.registry, &prefix("flink"));

    let own = ["broker", "--listen", "127.0.0.1:0", "--registry", "127.0.0.1:0"];
    let own = Running::spawn(&mut command(&own));
    let here = counted(&own.told("Broker:"), &own.told("Registry:"), "");
    assert_eq!(here, there);
}
