//! Topics that change under a run: each change is told once, in the report, and `verify` names a topic
//! that was made anew rather than records that are lost.

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use serde_json::{Value, json};

use crate::cluster::{TestCluster, delete_topic, prefix};
use crate::support::{Finished, SOON, run};

/// Makes a run by a transport, changes its topic `usage` in the midst of it, and returns how it ended.
fn changed(name: &str, transport: &str, change: impl Fn(&TestCluster, &str)) -> (Finished, String) {
    let cluster = TestCluster::from_environment();
    let prefix = prefix(name);
    let load = ["--topics", "telemetry,usage", "--rate", "500", "--duration", "6s", "--seed", "1"];
    let how = ["--transport", transport, "--give-up-after", "3s"];
    let running = cluster.start(&prefix, &[&load[..], &how].concat());
    running.line("Simulating");
    std::thread::sleep(std::time::Duration::from_millis(2500));
    let topic = format!("{prefix}usage");
    change(&cluster, &topic);
    (running.finish(SOON), topic)
}

/// The changes that a report lists, without when they were noticed.
fn changes(report: &Value) -> Vec<Value> {
    let listed = report["results"]["changed_topics"].as_array().cloned().unwrap_or_default();
    let without = |mut change: Value| {
        let noticed = change.as_object_mut().and_then(|change| change.remove("noticed"));
        assert!(noticed.is_some_and(|at| at.is_string()), "{change}");
        change
    };
    listed.into_iter().map(without).collect()
}

/// How often the run warned of its topic.
fn warnings(ended: &Finished, topic: &str) -> usize {
    ended.stderr.lines().filter(|line| line.contains(&format!("topic `{topic}`"))).count()
}

fn verify(report: &Value) -> Finished {
    let cluster = TestCluster::from_environment();
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    serde_json::to_writer(&file, report).expect("it can be written");
    let path = file.path().to_str().expect("its path is text");
    run(&["verify", "-b", &cluster.bootstrap, "-r", &cluster.registry, "--manifest", path])
}

#[test]
fn a_topic_made_anew_is_told_and_named_by_verify() {
    for transport in ["direct", "librdkafka"] {
        let (ended, topic) = changed("anew", transport, |cluster, topic| {
            delete_topic(&cluster.bootstrap, topic);
            // Kafka forgets the name a moment after it has answered.
            std::thread::sleep(std::time::Duration::from_millis(500));
            cluster.create(topic, 6, &[]);
        });
        let report = ended.report();
        assert_eq!(changes(&report), [json!({"topic": topic, "change": "made_anew"})]);
        assert_eq!(warnings(&ended, &topic), 1, "{}", ended.stderr);
        verify(&report).fails(12, &[&topic, "recreated during the run"]);
    }
}

#[test]
fn a_topic_made_anew_after_the_run_is_named_by_verify_and_by_resume() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("anew-later");
    let load = ["--topics", "telemetry,usage", "--rate", "max", "--records", "600", "--seed", "1"];
    let report = cluster.run(&prefix, &load).exits(0).report();
    assert_eq!(changes(&report), Vec::<Value>::new());
    verify(&report).exits(0);
    let topic = format!("{prefix}usage");
    delete_topic(&cluster.bootstrap, &topic);
    std::thread::sleep(std::time::Duration::from_millis(500));
    cluster.create(&topic, 6, &[]);
    verify(&report).fails(12, &[&topic, "another id"]);
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    serde_json::to_writer(&file, &report).expect("it can be written");
    let path = file.path().to_str().expect("its path is text");
    let resume = ["run", "-b", &cluster.bootstrap, "-r", &cluster.registry, "--resume", path];
    run(&resume).fails(2, &[&topic, "an id", "can't be resumed"]);
}

#[test]
fn partitions_policies_and_ends_of_topics_are_told_once() {
    let grow = |cluster: &TestCluster, topic: &str| {
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", &cluster.bootstrap)
            .create()
            .expect("a client can be made");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let more = NewPartitions::new(topic, 9);
        let done = runtime
            .expect("a runtime can be made")
            .block_on(admin.create_partitions([&more], &AdminOptions::new()))
            .expect("the broker answers");
        assert_eq!(done, [Ok(topic.to_owned())]);
    };
    let (ended, topic) = changed("grown", "direct", grow);
    let expected = json!({"topic": topic, "change": "partitions", "before": 6, "now": 9});
    assert_eq!(changes(&ended.exits(0).report()), [expected]);
    verify(&ended.report()).exits(0);

    let (ended, topic) = changed("policy", "librdkafka", |cluster, topic| {
        cluster.set_topic_config(topic, "cleanup.policy", "compact");
    });
    let (before, now) = ("delete", "compact");
    let expected =
        json!({"topic": topic, "change": "cleanup_policy", "before": before, "now": now});
    assert_eq!(changes(&ended.exits(0).report()), [expected]);

    let (ended, topic) =
        changed("gone", "direct", |cluster, topic| delete_topic(&cluster.bootstrap, topic));
    let expected = json!({"topic": topic, "change": "deleted"});
    assert_eq!(changes(&ended.exits(30).report()), [expected]);
    assert_eq!(warnings(&ended, &topic), 1, "{}", ended.stderr);
}
