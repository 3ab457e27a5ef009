//! The embedded broker and registry, as a user meets them first: a run without any option, read
//! while it lasts by a consumer that knows nothing of this program but what it prints.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use apache_avro::types::Value as Avro;
use fleetstorm_broker::{Broker, Settings};
use fleetstorm_model::record::partitioning::KeyHash;
use rdkafka::Message;
use serde_json::Value;

use crate::support::consumer::{Decoder, Reader, field, get};
use crate::support::{Finished, Running, SOON, TOPICS, assert_all_acked, run, sent, slots, total};

/// A run to the embedded broker that reports on stdout.
fn embedded(more: &[&str]) -> Finished {
    run(&[&["run", "--report", "-"], more].concat())
}

/// The addresses that a run has printed.
fn addresses(running: &Running) -> (String, String) {
    let registry = running.told("Registry:");
    assert!(registry.starts_with("http://127.0.0.1:"), "{registry}");
    (running.told("Broker:"), registry)
}

#[test]
fn partitions_that_no_key_reaches_are_counted_and_warned_of() {
    let run = |more: &[&str]| {
        let ended = embedded(&[&["--records", "9", "--rate", "max"], more].concat());
        ended.exits(0);
        let warned = ended.stderr.lines().filter(|line| line.contains("get no record"));
        warned.map(str::to_owned).collect::<Vec<String>>()
    };
    // A machine has one key, which falls into one partition.
    let [one] = &run(&["--machines", "1"])[..] else { panic!("one line for all topics") };
    for word in ["5 of 6 partitions", "telemetry, usage, status, jobs, machines", "idle-timeout"] {
        assert!(one.contains(word), "{word:?} is in: {one}");
    }
    // Jobs have keys of their own.
    let by_job = run(&["--machines", "1", "--job-key", "job_id"]);
    assert!(by_job[0].contains("telemetry, usage, status, machines get"), "{by_job:?}");
    assert!(run(&["--machines", "1", "--partitions", "1"]).is_empty());
    assert!(run(&["--machines", "200"]).is_empty());
}

#[test]
fn a_run_of_some_records_needs_nothing_else() {
    let ended = embedded(&["--records", "300"]);
    let report = ended.exits(0).report();
    assert_all_acked(&report);
    assert_eq!(slots(&report), 300);
    assert_eq!(sent(&report, "machines"), 100);
    for word in [
        "Broker:",
        "Producer:  direct",
        "Registry:",
        "embedded",
        "kcat -b 127.0.0.1:",
        "1.0 GiB in all in memory",
        "Done",
    ] {
        assert!(ended.stderr.contains(word), "{word:?} is on stderr:\n{}", ended.stderr);
    }
    let topics = report["manifest"]["topics"].as_array().expect("topics are listed");
    let ids: BTreeSet<u64> = topics.iter().filter_map(|t| t["schema_id"].as_u64()).collect();
    assert_eq!(ids.len(), 5, "each topic's schema has an id: {topics:?}");
}

#[test]
fn what_the_direct_transport_lacks_is_left_to_librdkafka() {
    // One that it has, one that it hasn't, a codec that it hasn't.
    for (property, producer) in [
        ("linger.ms=1", "direct"),
        ("enable.gapless.guarantee=false", "librdkafka"),
        ("compression.type=snappy", "librdkafka"),
    ] {
        let ended = embedded(&["--records", "30", "-X", property]);
        assert_all_acked(&ended.exits(0).report());
        let words = format!("Producer:  {producer}\n");
        assert!(ended.stderr.contains(&words), "{property}: {}", ended.stderr);
    }
}

#[test]
fn a_run_of_some_time_ends_by_itself() {
    let ended = embedded(&["--duration", "2s"]);
    let report = ended.exits(0).report();
    assert_all_acked(&report);
    // The last event slot of the second round is due after its end, so after the two seconds.
    assert!((599..=600).contains(&slots(&report)), "{} of 600 slots", slots(&report));
    assert_eq!(report["results"]["ended"], "complete");
    let latency = &report["results"]["latency_ms"];
    for kind in ["intended", "enqueued"] {
        assert!(latency[kind]["p50"].as_f64() <= latency[kind]["max"].as_f64(), "{latency:#}");
        assert!(latency[kind]["p99"].as_f64() > Some(0.0), "{latency:#}");
    }
}

#[test]
fn a_run_as_fast_as_possible_is_acknowledged_whole() {
    let report = embedded(&["--rate", "max", "--records", "60000"]).exits(0).report();
    assert_all_acked(&report);
    assert_eq!(slots(&report), 60_000);
}

#[test]
fn an_independent_consumer_reads_it_while_it_runs() {
    let running = Running::start(&["run"]);
    let (broker, registry) = addresses(&running);
    running.line("Simulating");
    let decoder = Decoder::new(&registry);
    for (topic, count) in [("machines", 100), ("telemetry", 250), ("usage", 100), ("status", 100)] {
        let reader = Reader::open(&broker, topic);
        assert_eq!(reader.partitions, 6);
        let mut keys = BTreeSet::new();
        for message in reader.take(count) {
            let key = message.key().expect("records have keys");
            let record = decoder.decode(message.payload().expect("records have values"));
            let machine = match field(&record, "machine_id") {
                Avro::String(machine) => machine,
                other => panic!("machine_id is a text: {other:?}"),
            };
            assert_eq!(key, machine.as_bytes());
            assert_eq!(message.partition(), KeyHash::of(key).partition(6));
            if topic == "telemetry" {
                let stamp = message.timestamp().to_millis().expect("records have timestamps");
                assert_eq!(field(&record, "timestamp"), &Avro::TimestampMillis(stamp));
            }
            keys.insert(machine.clone());
        }
        if topic == "machines" {
            assert_eq!(keys.len(), 100, "each machine is announced");
        }
    }
    let subjects = get(&format!("{registry}/subjects"));
    let subjects: BTreeSet<&str> =
        subjects.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(
        subjects,
        TOPICS.map(|topic| format!("{topic}-value")).iter().map(|s| &**s).collect()
    );
    running.signal("INT");
    running.finish(SOON).exits(130);
}

#[test]
fn keep_holds_broker_and_registry_open_until_an_interrupt() {
    let running = Running::start(&["run", "--records", "300", "--keep", "--report", "-"]);
    let (broker, registry) = addresses(&running);
    running.line("stay open");
    running.line("Done");
    let decoder = Decoder::new(&registry);
    for message in Reader::open(&broker, "telemetry").take(100) {
        decoder.decode(message.payload().expect("records have values"));
    }
    running.signal("INT");
    let told = Instant::now();
    let ended = running.finish(SOON);
    assert!(told.elapsed() < Duration::from_secs(5), "it took {:?}", told.elapsed());
    // The run itself is complete: to end the wait after it is no failure.
    let report = ended.exits(0).report();
    assert_all_acked(&report);
    assert_eq!(report["results"]["ended"], "complete");
}

#[test]
fn json_needs_no_registry() {
    let running = Running::start(&["run", "--format", "json", "--records", "300", "--keep"]);
    let broker = running.told("Broker:");
    let said = running.line("stay open");
    assert!(!said.is_empty());
    for message in Reader::open(&broker, "telemetry").take(100) {
        let value: Value = serde_json::from_slice(message.payload().expect("records have values"))
            .expect("values are JSON");
        let key = std::str::from_utf8(message.key().expect("records have keys")).expect("text");
        assert_eq!(value["machine_id"], key);
        assert_eq!(value["timestamp"].as_i64(), message.timestamp().to_millis());
    }
    running.signal("TERM");
    let ended = running.finish(SOON);
    assert!(!ended.exits(0).stderr.contains("Registry:"), "{}", ended.stderr);

    let report = embedded(&["--format", "json", "--records", "30"]).exits(0).report();
    let topics = report["manifest"]["topics"].as_array().expect("topics are listed");
    assert_eq!(topics.len(), TOPICS.len());
    assert!(topics.iter().all(|topic| topic["schema_id"].is_null()), "{topics:?}");
}

#[test]
fn prefix_partitions_and_topics_are_as_asked() {
    let running = Running::start(&[
        "run",
        "--topic-prefix",
        "lab.",
        "--partitions",
        "2",
        "--topics",
        "usage",
        "--machines",
        "5",
        "--records",
        "20",
        "--keep",
    ]);
    let (broker, registry) = addresses(&running);
    running.line("stay open");
    let reader = Reader::open(&broker, "lab.usage");
    assert_eq!(reader.partitions, 2);
    for message in reader.take(20) {
        let key = message.key().expect("records have keys");
        assert_eq!(message.partition(), KeyHash::of(key).partition(2));
    }
    assert_eq!(get(&format!("{registry}/subjects")), serde_json::json!(["lab.usage-value"]));
    running.signal("INT");
    running.finish(SOON).exits(0);
}

#[test]
fn another_process_can_publish_to_it() {
    let running = Running::start(&["run", "--records", "30", "--keep", "--seed", "1"]);
    let (broker, registry) = addresses(&running);
    running.line("stay open");
    let ended = embedded(&["-b", &broker, "-r", &registry, "--records", "300", "--seed", "2"]);
    let report = ended.exits(0).report();
    assert_all_acked(&report);
    // The machines that are there are others under the same names, and that is told.
    for word in ["`machines` holds another fleet", "machine-0000", "--topic-prefix"] {
        assert!(ended.stderr.contains(word), "{word:?} is on stderr:\n{}", ended.stderr);
    }
    // Ten of the first run, a hundred of the second.
    let reader = Reader::open(&broker, "telemetry");
    reader.take(110);
    // After it, the first run's fleet is another, and the second's the same.
    for (seed, another) in [("1", true), ("1", false)] {
        let options = ["-b", &broker, "-r", &registry, "--records", "3", "--seed", seed];
        let ended = embedded(&options);
        ended.exits(0);
        assert_eq!(ended.stderr.contains("holds another fleet"), another, "{}", ended.stderr);
    }
    running.signal("INT");
    running.finish(SOON).exits(0);
}

#[test]
fn another_process_can_create_topics_there() {
    let running = Running::start(&["run", "--records", "30", "--keep"]);
    let (broker, registry) = addresses(&running);
    running.line("stay open");
    let ended = embedded(&[
        "-b",
        &broker,
        "-r",
        &registry,
        "--records",
        "300",
        "--topic-prefix",
        "other-",
        "--partitions",
        "2",
    ]);
    assert_all_acked(&ended.exits(0).report());
    assert!(ended.stderr.contains("other-telemetry"), "{}", ended.stderr);
    running.signal("INT");
    running.finish(SOON).exits(0);
}

#[test]
fn the_broker_starts_alone_and_takes_runs() {
    let running = Running::start(&[
        "broker",
        "--listen",
        "127.0.0.1:0",
        "--registry",
        "127.0.0.1:0",
        "--memory",
        "64MiB",
    ]);
    let (broker, registry) = addresses(&running);
    let note = running.line("Note:");
    assert!(note.contains("64.0 MiB") && note.contains("no security"), "{note}");
    let ended = embedded(&["-b", &broker, "-r", &registry, "--records", "300"]);
    assert_all_acked(&ended.exits(0).report());
    let taken = run(&["broker", "--listen", &broker]);
    taken.fails(24, &[&broker]);
    running.signal("INT");
    running.finish(SOON).exits(0);
}

#[test]
fn a_broker_for_everyone_needs_an_address_to_be_reached_by() {
    run(&["broker", "--listen", "0.0.0.0:0"]).fails(2, &["--advertise"]);
    run(&["broker", "--listen", "0.0.0.0:0", "--advertise", "nowhere"]).fails(2, &["nowhere"]);
}

#[test]
fn a_registry_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    let ended = embedded(&["--records", "30", "--embedded-registry", &address]);
    ended.fails(24, &[&address, "taken", "--embedded-registry"]);
    assert_eq!(ended.stdout, "");
    assert!(ended.took < Duration::from_secs(10), "it took {:?}", ended.took);
}

#[test]
fn the_registry_listens_where_it_is_told_to() {
    let free = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.local_addr().expect("it has an address").to_string()
    };
    let ended = embedded(&["--records", "30", "--embedded-registry", &free]);
    ended.exits(0);
    assert!(ended.stderr.contains(&format!("http://{free}")), "{}", ended.stderr);
}

#[test]
fn fewer_acknowledgements_are_warned_of() {
    for (acks, word) in [("1", "idempotent"), ("0", "lost")] {
        let ended = embedded(&["--acks", acks, "--records", "30"]);
        let warned = ended.exits(0).stderr.lines().any(|line| {
            line.contains("WARN") && line.contains(&format!("--acks {acks}")) && line.contains(word)
        });
        assert!(warned, "{}", ended.stderr);
        assert_all_acked(&ended.report());
    }
    let ended = embedded(&["--records", "30"]);
    assert!(!ended.exits(0).stderr.contains("WARN"), "{}", ended.stderr);
}

#[test]
fn properties_that_an_option_sets_or_that_there_are_not_are_refused() {
    embedded(&["-X", "acks=1", "--records", "30"]).fails(2, &["acks", "--acks", "-X"]);
    embedded(&["-X", "enable.idempotence=false", "--records", "30"])
        .fails(2, &["enable.idempotence", "--acks"]);
    embedded(&["-X", "nosuch.property=1", "--records", "30"]).fails(2, &["nosuch.property"]);
    embedded(&["-X", "linger.ms=soon", "--records", "30"]).fails(2, &["linger.ms", "soon"]);
    embedded(&["-X", "linger.ms=1", "--records", "30"]).exits(0);
}

#[test]
fn an_interrupt_delivers_what_was_sent() {
    let running = Running::start(&["run", "--rate", "max", "--report", "-"]);
    running.line("Simulating");
    thread::sleep(Duration::from_secs(1));
    running.signal("INT");
    let ended = running.finish(SOON);
    let report = ended.exits(130).report();
    assert_eq!(report["results"]["ended"], "interrupted");
    assert_eq!(total(&report, "sent"), total(&report, "acked") + total(&report, "failed"));
    assert_all_acked(&report);
}

#[test]
fn a_run_killed_in_a_transaction_is_resumed_where_it_was_committed() {
    let broker = Broker::start(Settings::new()).expect("a broker starts");
    let bootstrap = broker.bootstrap();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let report = folder.path().join("run.json");
    let report = report.to_str().expect("it is text");
    let load = "--format json --seed 11 --rate max --records 1500000 --threads 2 \
                --transactional-id drill --transaction-records 20000";
    let first = ["run", "-b", &bootstrap, "--report", report];
    let running =
        Running::start(&[&first[..], &load.split_whitespace().collect::<Vec<_>>()].concat());
    running.line("Simulating");
    Reader::open(&bootstrap, "telemetry").take(20_000);
    running.signal("KILL");
    assert_eq!(running.finish(SOON).status.code(), None, "it was killed in its midst");
    let resumed = run(&["run", "-b", &bootstrap, "--resume", report, "--report", report]);
    assert!(resumed.exits(0).stderr.contains("Resuming:"), "{}", resumed.stderr);
    let verdict = run(&["verify", "-b", &bootstrap, "--manifest", report, "--report", "-"]);
    assert_eq!(verdict.exits(0).report()["whole"], true);
}
