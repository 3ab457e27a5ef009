//! The direct transport against real Kafka. `fleetstorm verify` is the judge: it reads back by
//! librdkafka, and knows every record and its place.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::{
    ApiKey, DescribeProducersRequest, DescribeProducersResponse, TopicName,
};
use serde_json::Value;

use crate::cluster::{TestCluster, prefix, record_count};
use crate::support::{SOON, TOPICS, assert_all_acked, run, sent, slots, total};
use crate::wire::ask;

const DIRECT: [&str; 2] = ["--transport", "direct"];

/// Verifies a run from its report.
#[track_caller]
fn assert_verified(cluster: &TestCluster, report: &Value) {
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    serde_json::to_writer(&file, report).expect("it can be written");
    let path = file.path().to_str().expect("its path is text");
    let arguments = ["verify", "-b", &cluster.bootstrap, "-r", &cluster.registry, "--report", "-"];
    let verdict = run(&[&arguments[..], &["--manifest", path]].concat()).exits(0).report();
    assert_eq!(verdict["total"]["arrived"].as_u64(), Some(total(report, "acked")), "{verdict:#}");
}

#[test]
fn every_codec_and_acknowledgement_brings_each_record_once() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("direct-codecs");
    for (n, (acks, codec)) in [
        ("all", "none"),
        ("all", "lz4"),
        ("all", "zstd"),
        ("1", "gzip"),
        ("1", "none"),
        ("0", "lz4"),
    ]
    .into_iter()
    .enumerate()
    {
        let prefix = format!("{prefix}{n}-");
        let codec = format!("compression.type={codec}");
        let options = ["--rate", "max", "--records", "24000", "--threads", "2", "--acks", acks];
        let options = [&options[..], &["-X", &codec], &DIRECT].concat();
        let report = cluster.run(&prefix, &options).exits(0).report();
        assert_all_acked(&report);
        assert_eq!(slots(&report), 24_000);
        let waiting = Instant::now();
        // Without acknowledgements the broker may still be at it.
        for topic in TOPICS {
            let (name, sent) = (format!("{prefix}{topic}"), sent(&report, topic));
            while record_count(&cluster.bootstrap, &name) < sent {
                assert!(waiting.elapsed() < SOON, "the broker takes what was written");
                thread::sleep(Duration::from_millis(100));
            }
        }
        assert_verified(&cluster, &report);
        // Whatever a batch looks like, a reader that shares nothing with us can read it.
        cluster.assert_read_back(&prefix, &report, &[]);
    }
}

/// How many idempotent producers the broker remembers of a topic's partitions.
fn idempotent_producers(bootstrap: &str, topic: &str) -> usize {
    let partitions = (0..6).collect();
    let topic = TopicRequest::default()
        .with_name(TopicName(topic.to_owned().into()))
        .with_partition_indexes(partitions);
    let question = DescribeProducersRequest::default().with_topics(vec![topic]);
    let answer: DescribeProducersResponse = ask(bootstrap, ApiKey::DescribeProducers, &question);
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let producers: BTreeSet<i64> =
        partitions.flat_map(|p| &p.active_producers).map(|p| p.producer_id.0).collect();
    producers.len()
}

#[test]
fn each_producer_is_idempotent_unless_acknowledgements_give_that_up() {
    let cluster = TestCluster::from_environment();
    for (acks, producers, expected) in [("all", "1", 1), ("all", "2", 2), ("1", "1", 0)] {
        let prefix = prefix(&format!("direct-idempotent-{acks}-{producers}"));
        let options = ["--records", "600", "--rate", "max", "--acks", acks, "--threads", producers];
        let options = [&options[..], &["--producers", producers], &DIRECT].concat();
        assert_all_acked(&cluster.run(&prefix, &options).exits(0).report());
        let topic = format!("{prefix}telemetry");
        assert_eq!(idempotent_producers(&cluster.bootstrap, &topic), expected, "{acks}");
    }
}

#[test]
fn a_paced_run_has_latencies_and_one_of_many_partitions_and_producers_is_whole() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("direct-paced");
    let options = ["--rate", "3000", "--duration", "4s", "--partitions", "60"];
    let more = ["--threads", "2", "--producers", "2", "-X", "linger.ms=20"];
    let report = cluster.run(&prefix, &[&options[..], &more, &DIRECT].concat()).exits(0).report();
    assert_all_acked(&report);
    assert!(slots(&report).abs_diff(12_000) <= 2, "{} of 12,000 slots", slots(&report));
    let latency = &report["results"]["latency_ms"];
    for kind in ["intended", "enqueued"] {
        assert!(latency[kind]["p50"].as_f64() > Some(0.0), "{latency:#}");
    }
    assert_verified(&cluster, &report);
}

#[test]
fn a_record_waits_for_no_longer_than_its_linger_for_company() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("direct-linger");
    // A record in three seconds: what waited for the next one would be seconds late.
    let options = ["--rate", "0.34", "--duration", "8s", "--machines", "1"];
    let report = cluster.run(&prefix, &[&options[..], &DIRECT].concat()).exits(0).report();
    assert_all_acked(&report);
    let median = report["results"]["latency_ms"]["enqueued"]["p50"].as_f64();
    let median = median.expect("latencies are measured");
    assert!(median < 1_000.0, "{median}");
}

#[test]
fn small_batches_are_kept_to_and_records_too_large_for_any_are_counted() {
    let cluster = TestCluster::from_environment();
    let small = prefix("direct-small");
    cluster.create_all(&small, &[("max.message.bytes", "2000")]);
    let options = ["--records", "3000", "--rate", "max"];
    let report = cluster.run(&small, &[&options[..], &DIRECT].concat()).exits(0).report();
    assert_all_acked(&report);
    assert_verified(&cluster, &report);

    let none = prefix("direct-large");
    cluster.create_all(&none, &[("max.message.bytes", "120")]);
    let options = ["--records", "300", "--topics", "telemetry"];
    let ended = cluster.run(&none, &[&options[..], &DIRECT].concat());
    let report = ended.exits(31).report();
    assert_eq!(report["results"]["errors"]["MessageSizeTooLarge"], 300, "{report:#}");
    ended.fails(31, &["max.message.bytes"]);
}

#[test]
fn batches_that_the_topic_no_longer_takes_are_split() {
    let cluster = TestCluster::from_environment();
    // Larger than the topic takes from the start: never made so large.
    let large = prefix("direct-batch-size");
    let options = ["--rate", "max", "--records", "60000", "-X", "batch.size=4000000"];
    let report = cluster.run(&large, &[&options[..], &DIRECT].concat()).exits(0).report();
    assert_all_acked(&report);
    assert_verified(&cluster, &report);
    // Larger than the topic takes in the midst of the run.
    for codec in ["none", "lz4"] {
        let lowered = prefix(&format!("direct-lowered-{codec}"));
        let codec = format!("compression.type={codec}");
        let options = ["--rate", "30000", "--duration", "6s", "-X", "linger.ms=200", "-X", &codec];
        let running = cluster.start(&lowered, &[&options[..], &DIRECT].concat());
        running.line("Simulating");
        thread::sleep(Duration::from_secs(2));
        for topic in ["telemetry", "usage"] {
            let topic = format!("{lowered}{topic}");
            cluster.set_topic_config(&topic, "max.message.bytes", "3000");
        }
        let report = running.finish(SOON).exits(0).report();
        assert_all_acked(&report);
        assert_verified(&cluster, &report);
    }
}

#[test]
fn what_it_does_not_have_is_refused_by_name() {
    let cluster = TestCluster::from_environment();
    for (options, words) in [
        (&["--transactional-id", "tx"][..], &["direct", "transactions", "librdkafka"][..]),
        (&["-X", "sasl.username=u"], &["SASL", "librdkafka"]),
        (&["-X", "compression.type=snappy"], &["compression.type"]),
        (&["-X", "batch.num.messages=10"], &["batch.num.messages", "librdkafka"]),
    ] {
        let ended = cluster.run(&prefix("direct-refused"), &[options, &DIRECT].concat());
        ended.fails(2, words);
        assert!(ended.took < SOON && ended.stdout.is_empty());
    }
}

#[test]
fn the_embedded_broker_takes_it_too() {
    let arguments = ["run", "--records", "3000", "--rate", "max", "--report", "-"];
    let report = run(&[&arguments[..], &DIRECT].concat()).exits(0).report();
    assert_all_acked(&report);
    assert_eq!(slots(&report), 3_000);
}
