//! A producer that a quota of the cluster holds back: it waits, takes no request for lost, and says so.

use std::time::Duration;

use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse, ApiKey};

use crate::cluster::{TestCluster, prefix};
use crate::support::{assert_all_acked, check, run};
use crate::wire::ask;

/// Bytes a second that the quota allows.
const RATE: f64 = 100_000.0;
/// A run of some 3 MB, which takes half a minute at that rate.
const TIMEOUT: Duration = Duration::from_secs(150);

/// Gives clients of this name a quota.
fn limit(bootstrap: &str, client_id: &str) {
    let entity = EntityData::default()
        .with_entity_type("client-id".into())
        .with_entity_name(Some(client_id.to_owned().into()));
    let rate = OpData::default().with_key("producer_byte_rate".into()).with_value(RATE);
    let entry = EntryData::default().with_entity(vec![entity]).with_ops(vec![rate]);
    let question = AlterClientQuotasRequest::default().with_entries(vec![entry]);
    let answer: AlterClientQuotasResponse = ask(bootstrap, ApiKey::AlterClientQuotas, &question);
    assert!(answer.entries.iter().all(|entry| entry.error_code == 0), "{answer:?}");
}

/// A quota holds back all clients of a name, so that each test has its own.
fn held_back(transport: &str) {
    let cluster = TestCluster::from_environment();
    let prefix = prefix(&format!("quota-{transport}"));
    limit(&cluster.bootstrap, &prefix);
    let client = format!("client.id={prefix}");
    let load = ["--rate", "5000", "--duration", "6s", "-X", &client, "-X", "compression.type=none"];
    // Shorter than the pauses that the quota makes: a request that the broker has not read is not late.
    let timeout =
        if transport == "direct" { "socket.timeout.ms=3000" } else { "socket.timeout.ms=60000" };
    let more = ["--transport", transport, "-X", timeout, "--topics", "telemetry,usage"];
    let running = cluster.start(&prefix, &[&load[..], &more].concat());
    let ended = running.finish(TIMEOUT);
    let report = ended.exits(0).report();
    assert_all_acked(&report);
    let results = &report["results"];
    // What is sent beyond the quota's first seconds waits for it. librdkafka tells the longest pause of
    // each two seconds only, and none of those after the last time that it told.
    let least = if transport == "direct" { 3.0 } else { 0.0 };
    assert!(results["throttled_s"].as_f64().is_some_and(|s| s > least), "{}", ended.stderr);
    assert!(ended.stderr.contains("throttled"), "{}", ended.stderr);
    // No rate that nobody asked for, and none that was not held.
    let rate = &results["rate"];
    let of = |name: &str| rate[name].as_f64().expect("it is told");
    assert!(of("achieved") <= 5_100.0, "{rate}");
    assert!(of("acknowledged") < 0.7 * 5_000.0, "{rate}");
    let verdict = tempfile::NamedTempFile::new().expect("a file can be made");
    serde_json::to_writer(&verdict, &report).expect("it can be written");
    let manifest = verdict.path().to_str().expect("its path is text");
    let at = ["-b", &cluster.bootstrap, "-r", &cluster.registry];
    run(&[&["verify", "--manifest", manifest], &at[..]].concat()).exits(0);
    // The doctor tells beforehand.
    let told = run(&[&["doctor", "--report", "-", "-X", &client], &at[..]].concat());
    let quota = check(&told, "quota");
    assert_eq!(quota["state"], "warn", "{quota}");
    let seen = quota["seen"].as_str().expect("it says what it saw");
    assert!(seen.contains("producer_byte_rate") && seen.contains("100.0 kB/s"), "{seen}");
}

#[test]
fn direct_waits_for_a_quota() {
    held_back("direct");
}

#[test]
fn librdkafka_waits_for_a_quota() {
    held_back("librdkafka");
}
