//! What goes wrong with real brokers and registries: each a clear error in one line, with what to do,
//! an exit code of its own, and within a bounded time. librdkafka by itself would retry for ever.
//!
//! FLEETSTORM_TEST_BOOTSTRAP and FLEETSTORM_TEST_REGISTRY name what is needed; the tests named
//! `acl_` need FLEETSTORM_TEST_ACL_BOOTSTRAP too, a broker that lets the user `limited` do nothing.
//! `tests/run` sets them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{TestCluster, limited, prefix, record_count, required};
use crate::support::consumer::get;
use crate::support::{Finished, TOPICS, assert_all_acked, now_ms, run, slots};

/// How long a run may take that can't begin.
const BOUND: Duration = Duration::from_secs(20);

const HOUR_MS: &str = "3600000";

/// Asserts an exit code and the words of the error, in time, and that nothing was written.
#[track_caller]
fn assert_refused(ended: &Finished, code: i32, words: &[&str]) {
    ended.fails(code, words);
    assert!(ended.took < BOUND, "it took {:?}", ended.took);
    assert_eq!(ended.stdout, "", "there is no report of a run that did not begin");
}

/// Asserts that a topic has no record.
#[track_caller]
fn assert_empty(cluster: &TestCluster, topic: &str) {
    assert_eq!(record_count(&cluster.bootstrap, topic), 0, "nothing was sent to {topic}");
}

// --- brokers -----------------------------------------------------------------------------------

#[test]
fn an_absent_broker_is_given_up_in_time() {
    let cluster = TestCluster::from_environment();
    let ended = run(&[
        "run",
        "-b",
        "127.0.0.1:1",
        "-r",
        &cluster.registry,
        "--connect-timeout",
        "3s",
        "--report",
        "-",
    ]);
    assert_refused(&ended, 10, &["127.0.0.1:1", "3s", "refused", "check"]);
    assert!(ended.took > Duration::from_secs(2), "it waits for a broker that comes up");
}

#[test]
fn an_absent_broker_is_given_up_in_time_by_default() {
    let cluster = TestCluster::from_environment();
    let ended = run(&["run", "-b", "127.0.0.1:1", "-r", &cluster.registry, "--report", "-"]);
    assert_refused(&ended, 10, &["127.0.0.1:1", "check"]);
}

#[test]
fn a_host_that_there_is_not_is_told_so() {
    let ended = run(&[
        "run",
        "-b",
        "broker.invalid:9092",
        "--format",
        "json",
        "--connect-timeout",
        "3s",
        "--report",
        "-",
    ]);
    assert_refused(&ended, 10, &["broker.invalid:9092", "check"]);
}

#[test]
fn a_broker_without_a_registry_is_a_usage_error() {
    let cluster = TestCluster::from_environment();
    let ended = run(&["run", "-b", &cluster.bootstrap, "--report", "-"]);
    assert_refused(&ended, 2, &["--schema-registry", "--format json"]);
}

// --- authorisation -----------------------------------------------------------------------------

/// A run as the user `limited` to the broker that lets it do nothing.
fn run_as_limited(password: &str, more: &[&str]) -> Finished {
    let bootstrap = required("FLEETSTORM_TEST_ACL_BOOTSTRAP");
    let registry = required("FLEETSTORM_TEST_REGISTRY");
    let user = limited(password);
    let user: Vec<&str> = user.iter().map(String::as_str).collect();
    let to = ["run", "-b", &bootstrap, "-r", &registry, "--report", "-"];
    run(&[&to[..], &user, more].concat())
}

#[test]
fn acl_a_topic_that_may_not_be_created_is_named() {
    let prefix = prefix("acl");
    let ended = run_as_limited("limited-secret", &["--topic-prefix", &prefix]);
    assert_refused(&ended, 11, &["not authorised", &format!("`{prefix}telemetry`"), "ACL"]);
    assert!(!ended.stderr.contains("limited-secret"), "{}", ended.stderr);
}

#[test]
fn acl_an_existing_topic_that_may_not_be_written_is_named() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("acl-existing");
    cluster.create_all(&prefix, &[]);
    let ended = run_as_limited("limited-secret", &["--topic-prefix", &prefix]);
    assert_refused(&ended, 11, &["not authorised", &format!("`{prefix}telemetry`"), "ACL"]);
}

#[test]
fn acl_a_wrong_password_is_refused_at_once_and_not_told() {
    for verbose in [&[][..], &["-vv"]] {
        let ended = run_as_limited("wrong-secret", verbose);
        assert_refused(&ended, 11, &["user and password", "sasl.password"]);
        assert!(ended.took < Duration::from_secs(15), "it took {:?}", ended.took);
        assert!(!ended.stderr.contains("wrong-secret"), "{}", ended.stderr);
    }
}

#[test]
fn acl_a_broker_that_wants_credentials_is_given_up_in_time() {
    let bootstrap = required("FLEETSTORM_TEST_ACL_BOOTSTRAP");
    let ended = run(&[
        "run",
        "-b",
        &bootstrap,
        "--format",
        "json",
        "--connect-timeout",
        "5s",
        "--report",
        "-",
    ]);
    assert_refused(&ended, 10, &[&bootstrap, "security.protocol"]);
}

// --- topics ------------------------------------------------------------------------------------

#[test]
fn a_missing_topic_that_may_not_be_created_is_named() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("missing");
    let ended = cluster.run(&prefix, &["--no-create-topics"]);
    assert_refused(&ended, 12, &[&format!("`{prefix}telemetry`"), "--no-create-topics"]);
}

#[test]
fn more_replicas_than_brokers_are_refused_by_name() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("replicas");
    let ended = cluster.run(&prefix, &["--replication-factor", "99"]);
    assert_refused(&ended, 12, &[&format!("`{prefix}telemetry`"), "--replication-factor"]);
}

#[test]
fn a_topic_configuration_that_there_is_not_is_refused_by_name() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("config");
    let ended = cluster.run(&prefix, &["--topic-config", "no.such.key=1"]);
    assert_refused(&ended, 12, &[&format!("`{prefix}telemetry`"), "--topic-config"]);
}

#[test]
fn a_prefix_that_makes_no_topic_name_is_refused() {
    let cluster = TestCluster::from_environment();
    let ended = cluster.run("no spaces/", &[]);
    assert_eq!(ended.exits(12).stdout, "");
    assert!(ended.error().contains("no spaces/telemetry"), "{}", ended.stderr);
}

/// A run whose announcements, or other records, are larger than the topics take.
fn too_large(largest: &str, more: &[&str]) -> Finished {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("large");
    cluster.create_all(&prefix, &[("max.message.bytes", largest)]);
    let ended = cluster.run(&prefix, &[&["--records", "300"], more].concat());
    ended.exits(31);
    assert!(ended.took < BOUND, "it took {:?}", ended.took);
    ended
}

#[test]
fn records_that_are_too_large_end_the_run_with_what_to_do() {
    // Nothing goes into a batch of forty bytes, so nothing after the announcements is sent.
    let ended = too_large("40", &[]);
    ended.fails(31, &["machines", "max.message.bytes"]);
}

#[test]
fn records_that_are_too_large_are_counted_and_told_with_what_to_do() {
    let ended = too_large("120", &["--topics", "telemetry"]);
    let report = ended.report();
    let telemetry = &report["results"]["records"]["telemetry"];
    assert_eq!(telemetry["failed"], telemetry["sent"]);
    assert_eq!(report["results"]["errors"]["MessageSizeTooLarge"], telemetry["failed"]);
    ended.fails(31, &["max.message.bytes"]);
}

#[test]
fn a_topic_that_takes_small_batches_is_written_in_small_batches() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("small");
    cluster.create_all(&prefix, &[("max.message.bytes", "2000")]);
    let ended = cluster.run(&prefix, &["--records", "3000", "--rate", "max"]);
    let report = ended.exits(0).report();
    assert_all_acked(&report);
    assert_eq!(slots(&report), 3000);
}

// --- timestamps --------------------------------------------------------------------------------

/// Topics of which telemetry takes no timestamp more than an hour ahead.
fn cautious_topics(name: &str) -> (TestCluster, String) {
    let cluster = TestCluster::from_environment();
    let prefix = prefix(name);
    cluster.create_all(&prefix, &[("message.timestamp.after.max.ms", HOUR_MS)]);
    (cluster, prefix)
}

#[track_caller]
fn assert_refused_for_its_timestamps(name: &str, options: &[&str]) {
    let (cluster, prefix) = cautious_topics(name);
    let ended = cluster.run(&prefix, options);
    for topic in TOPICS {
        assert_empty(&cluster, &format!("{prefix}{topic}"));
    }
    assert_refused(
        &ended,
        12,
        &[&format!("`{prefix}telemetry`"), "1h ahead", "message.timestamp.after.max.ms"],
    );
}

#[test]
fn a_run_without_end_ahead_of_the_clock_is_refused_before_it_sends() {
    assert_refused_for_its_timestamps("ahead", &["--rate", "max", "--time", "simulated"]);
}

#[test]
fn a_simulated_start_ahead_of_the_clock_is_refused_before_it_sends() {
    assert_refused_for_its_timestamps(
        "ahead-simulated",
        &["--time", "simulated", "--start", "+2d", "--records", "30"],
    );
}

#[test]
fn a_live_start_ahead_of_the_clock_is_refused_before_it_sends() {
    // The announcements carry the start and are sent before it.
    let (cluster, prefix) = cautious_topics("ahead-live");
    let ended = cluster.run(&prefix, &["--start", "+2d", "--records", "30"]);
    assert_refused(
        &ended,
        12,
        &[&format!("`{prefix}machines`"), "1h ahead", "message.timestamp.after.max.ms"],
    );
    assert_empty(&cluster, &format!("{prefix}machines"));
}

#[test]
fn a_run_that_keeps_to_the_limit_is_not_refused() {
    let (cluster, prefix) = cautious_topics("near");
    let options = ["--time", "simulated", "--start", "+30m", "--rate", "max", "--records", "3000"];
    let report = cluster.run(&prefix, &options).exits(0).report();
    assert_all_acked(&report);
}

#[test]
fn created_topics_take_the_timestamps_of_their_run() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("far");
    let options = ["--time", "simulated", "--start", "+2d", "--rate", "max", "--records", "3000"];
    assert_all_acked(&cluster.run(&prefix, &options).exits(0).report());
}

#[test]
fn a_topic_that_takes_nothing_old_is_refused_by_name() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("before");
    cluster.create_all(&prefix, &[("message.timestamp.before.max.ms", HOUR_MS)]);
    let ended = cluster.run(&prefix, &["--start", "-1d", "--records", "300"]);
    assert_refused(
        &ended,
        12,
        &[&format!("`{prefix}telemetry`"), "1h behind", "message.timestamp.before.max.ms"],
    );
    assert_empty(&cluster, &format!("{prefix}telemetry"));
}

#[test]
fn a_topic_that_would_forget_the_records_is_warned_of() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("retention");
    cluster.create(&format!("{prefix}telemetry"), 6, &[("retention.ms", HOUR_MS)]);
    let options = ["--start", "-1d", "--records", "300"];
    let ended = cluster.run(&prefix, &options);
    assert_all_acked(&ended.exits(0).report());
    let warnings: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("WARN")).collect();
    let [warning] = warnings[..] else {
        panic!("one warning, of one topic:\n{}", ended.stderr);
    };
    for word in [&format!("`{prefix}telemetry`"), "1h", "1day", "retention.ms"] {
        assert!(warning.contains(word), "{word:?} is in: {warning}");
    }
}

// --- registries --------------------------------------------------------------------------------

/// A registry that answers every request with the same status and body, on a thread that ends with
/// the test's process.
fn stub(status: &'static str, kind: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it has an address"));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _hung_up = answer(stream, status, kind, body);
        }
    });
    url
}

fn answer(mut stream: TcpStream, status: &str, kind: &str, body: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    // A request that isn't read to its end would be cut off by the closing of the connection.
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.and_then(|n| n.trim().parse().ok()).unwrap_or(0);
            if rest.len() >= length {
                break;
            }
        }
        match stream.read(&mut chunk)? {
            0 => break,
            n => request.extend_from_slice(&chunk[..n]),
        }
    }
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A run against the real broker and a registry at `url`.
fn run_with_registry(url: &str, more: &[&str]) -> Finished {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("stub");
    let options = ["run", "-b", &cluster.bootstrap, "-r", url, "--topic-prefix", &prefix];
    let ended = run(&[&options[..], &["--report", "-"], more].concat());
    // Schemas come before topics.
    cluster.assert_no_topics(&prefix);
    ended
}

const JSON: &str = "application/vnd.schemaregistry.v1+json";

#[test]
fn an_absent_registry_is_given_up_in_time() {
    let ended = run_with_registry("http://127.0.0.1:1", &["--registry-timeout", "3s"]);
    assert_refused(&ended, 20, &["http://127.0.0.1:1", "refused", "check"]);
    assert!(ended.took > Duration::from_secs(2), "it waits for a registry that comes up");
}

#[test]
fn a_registry_that_wants_credentials_is_told_so() {
    let url = stub("401 Unauthorized", JSON, r#"{"error_code":401,"message":"Unauthorized"}"#);
    let ended = run_with_registry(&url, &[]);
    assert_refused(&ended, 21, &[&url, "401", "user and password"]);
    let ended = run_with_registry(&url, &["--registry-basic-auth", "ann:wrong-secret"]);
    assert_refused(&ended, 21, &[&url, "401", "check the user and password"]);
    assert!(!ended.stderr.contains("wrong-secret"), "{}", ended.stderr);
}

#[test]
fn a_registry_that_forbids_is_told_with_the_subject() {
    let url = stub("403 Forbidden", JSON, r#"{"error_code":40301,"message":"Not allowed"}"#);
    let ended = run_with_registry(&url, &[]);
    assert_refused(&ended, 21, &[&url, "403", "telemetry-value"]);
}

#[test]
fn a_registry_that_refuses_a_schema_is_told_with_the_subject() {
    let url = stub(
        "409 Conflict",
        JSON,
        r#"{"error_code":409,"message":"Schema being registered is incompatible with an earlier schema"}"#,
    );
    let ended = run_with_registry(&url, &[]);
    assert_refused(&ended, 22, &[&url, "incompatible", "telemetry-value", "compatibility"]);
}

#[test]
fn a_registry_that_fails_is_given_up_in_time() {
    let url = stub(
        "500 Internal Server Error",
        JSON,
        r#"{"error_code":500,"message":"Error in the backend data store"}"#,
    );
    let ended = run_with_registry(&url, &[]);
    assert_refused(&ended, 23, &[&url, "500", "backend data store", "log"]);
}

#[test]
fn what_is_no_registry_is_told_so() {
    let url = stub("200 OK", "text/html", "<html><body>It works!</body></html>");
    assert_refused(&run_with_registry(&url, &[]), 23, &[&url, "not a schema registry", "path"]);
    let url = stub("404 Not Found", "text/html", "<html><body>Nothing here</body></html>");
    assert_refused(&run_with_registry(&url, &[]), 23, &[&url, "404", "path"]);
}

#[test]
fn schemas_that_may_only_be_looked_up_are_missed_by_name_or_found() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("look-up");
    let options = ["--records", "30", "--no-register-schemas"];
    let ended = cluster.run(&prefix, &options);
    let subjects = TOPICS.map(|topic| format!("{prefix}{topic}-value"));
    let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    assert_refused(&ended, 22, &[&subjects[..], &["schemas register"]].concat());
    cluster.assert_no_topics(&prefix);
    let register = ["schemas", "register", "-r", &cluster.registry, "--topic-prefix", &prefix];
    run(&register).exits(0);
    assert_all_acked(&cluster.run(&prefix, &options).exits(0).report());
    // Of what was registered as it stands in a file there is no second version.
    let other = format!("{prefix}file-");
    let client = reqwest::blocking::Client::new();
    let versions =
        |topic: &str| format!("{}/subjects/{other}{topic}-value/versions", cluster.registry);
    for topic in TOPICS {
        let shown = run(&["schemas", "show", topic]);
        let body = json!({ "schema": shown.exits(0).stdout });
        let request = client.post(versions(topic)).timeout(BOUND).json(&body);
        request.send().and_then(|answer| answer.error_for_status()).expect("it is taken");
    }
    assert_all_acked(&cluster.run(&other, &["--records", "30"]).exits(0).report());
    for topic in TOPICS {
        assert_eq!(get(&versions(topic)), json!([1]), "{topic}");
    }
}

#[test]
fn a_broker_in_place_of_a_registry_is_told_so_in_time() {
    let cluster = TestCluster::from_environment();
    let url = format!("http://{}", cluster.bootstrap);
    let ended = run_with_registry(&url, &["--registry-timeout", "5s"]);
    assert!([20, 23].contains(&ended.status.code().unwrap_or(-1)), "{}", ended.stderr);
    assert!(ended.error().contains(&cluster.bootstrap), "{}", ended.stderr);
    assert!(ended.took < BOUND, "it took {:?}", ended.took);
}

#[test]
fn a_schema_that_the_subject_refuses_is_told_with_the_subject() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("incompatible");
    let subject = format!("{prefix}telemetry-value");
    let client = reqwest::blocking::Client::new();
    let send = |request: reqwest::blocking::RequestBuilder, body: &Value| {
        let answer = request.timeout(BOUND).json(body).send().expect("the registry answers");
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().unwrap_or_default());
    };
    // machine_id as a number: no reader of the program's schema could read it as a text.
    let other = json!({
        "type": "record", "name": "Telemetry", "namespace": "fleetstorm",
        "fields": [{ "name": "machine_id", "type": "int" }]
    });
    let versions = format!("{}/subjects/{subject}/versions", cluster.registry);
    send(client.post(&versions), &json!({ "schema": other.to_string() }));
    let config = format!("{}/config/{subject}", cluster.registry);
    send(client.put(&config), &json!({ "compatibility": "BACKWARD" }));

    let ended = cluster.run(&prefix, &["--records", "30"]);
    assert_refused(&ended, 22, &[&format!("{prefix}telemetry-value"), "incompatible"]);
    cluster.assert_no_topics(&prefix);
    // Another prefix is another subject, as the error advises.
    let other = format!("{prefix}{}-", now_ms());
    assert_all_acked(&cluster.run(&other, &["--records", "30"]).exits(0).report());
}
