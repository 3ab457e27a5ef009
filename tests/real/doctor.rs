//! `fleetstorm doctor` against a real Kafka and a real registry: what is well, what may not be done,
//! and a broker that sends its clients where nobody listens.

use crate::cluster::{TestCluster, limited, prefix, required};
use crate::own_cluster::OwnCluster;
use crate::proxy::Proxy;
use crate::support::consumer::get;
use crate::support::{Finished, check, run};

fn doctor(arguments: &[&str]) -> Finished {
    run(&[&["doctor", "--report", "-"], arguments].concat())
}

#[track_caller]
fn assert_state(ended: &Finished, name: &str, state: &str, words: &[&str]) {
    let check = check(ended, name);
    assert_eq!(check["state"], state, "{check}");
    for word in words {
        assert!(check["seen"].as_str().unwrap_or_default().contains(word), "{word:?} in {check}");
    }
}

#[test]
fn a_cluster_that_is_well_is_told_so_and_nothing_is_made() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("well");
    let arguments = ["-b", &cluster.bootstrap, "-r", &cluster.registry, "--topic-prefix", &prefix];
    let ended = doctor(&arguments);
    ended.exits(0);
    for name in ["address", "protocol", "login", "listeners", "registry", "clock"] {
        assert_state(&ended, name, "ok", &[]);
    }
    assert_state(&ended, "topics", "ok", &["missing, and may be created"]);
    // Neither topics nor subjects: asked again, they are as missing as before.
    assert_state(&doctor(&arguments), "topics", "ok", &["missing, and may be created"]);
    let subjects = get(&format!("{}/subjects", cluster.registry)).to_string();
    assert!(!subjects.contains(&prefix), "{subjects}");
    cluster.create_all(&prefix, &[]);
    assert_state(&doctor(&arguments), "topics", "ok", &["may be written"]);
}

#[test]
fn a_registrys_url_without_its_path_is_mended() {
    let cluster = TestCluster::from_environment();
    let root = cluster.registry.split_inclusive('/').take(3).collect::<String>();
    if root.trim_end_matches('/') == cluster.registry {
        return; // It is served at the root.
    }
    let ended = doctor(&["-r", &root]);
    assert_eq!(ended.status.code(), Some(23), "{}", ended.stderr);
    let fix = check(&ended, "registry")["fix"].to_string();
    assert!(fix.contains("/apis/ccompat/v7"), "{fix}");
}

#[test]
fn a_topic_name_that_cannot_be_is_told_with_the_broker() {
    let cluster = TestCluster::from_environment();
    let ended = doctor(&["-b", &cluster.bootstrap, "--topic-prefix", "not a topic/"]);
    assert_eq!(ended.status.code(), Some(12), "{}", ended.stderr);
    assert_state(&ended, "topics", "fail", &["not a topic/telemetry"]);
}

/// The doctor as the user `limited`, who may do nothing.
fn as_limited(password: &str, more: &[&str]) -> Finished {
    let bootstrap = required("FLEETSTORM_TEST_ACL_BOOTSTRAP");
    let user = limited(password);
    let user: Vec<&str> = user.iter().map(String::as_str).collect();
    doctor(&[&["-b", &bootstrap][..], &user, more].concat())
}

#[test]
fn acl_topics_that_may_not_be_used_are_named() {
    let cluster = TestCluster::from_environment();
    let prefix = prefix("doctor-acl");
    for existing in [false, true] {
        if existing {
            cluster.create_all(&prefix, &[]);
        }
        let ended = as_limited("limited-secret", &["--topic-prefix", &prefix]);
        assert_eq!(ended.status.code(), Some(11), "{}", ended.stderr);
        assert_state(&ended, "login", "ok", &["credentials"]);
        assert_state(&ended, "topics", "fail", &[&format!("{prefix}telemetry")]);
        let fix = check(&ended, "topics")["fix"].to_string();
        assert!(fix.contains("WRITE") && fix.contains("ACL"), "{fix}");
    }
}

#[test]
fn acl_a_wrong_password_or_none_is_told_apart() {
    let ended = as_limited("wrong-secret", &[]);
    assert_eq!(ended.status.code(), Some(11), "{}", ended.stderr);
    assert_state(&ended, "login", "fail", &["user and password"]);
    assert!(!ended.stderr.contains("wrong-secret") && !ended.stdout.contains("wrong-secret"));
    let ended = as_limited("limited-secret", &["-X", "sasl.mechanism=SCRAM-SHA-256"]);
    assert_state(&ended, "login", "fail", &["mechanism"]);
    let bootstrap = required("FLEETSTORM_TEST_ACL_BOOTSTRAP");
    let ended = doctor(&["-b", &bootstrap, "--connect-timeout", "3s"]);
    assert_eq!(ended.status.code(), Some(10), "{}", ended.stderr);
    let fix = check(&ended, "login")["fix"].to_string();
    assert!(fix.contains("SASL_PLAINTEXT"), "{fix}");
}

#[test]
fn advertised_clocks_that_are_off_are_told() {
    let proxy = Proxy::start();
    let address = format!("127.0.0.1:{}", proxy.port);
    let advertised = format!("advertised.listeners=PLAINTEXT://{address}");
    let cluster = OwnCluster::start("skewed", &["--no-registry", "--set", &advertised]);
    proxy.lead_to(cluster.port(1));
    for (skew_ms, code, state, words) in [
        (0, 0, "ok", ["within 5 s", "controller 1"]),
        (90_000, 0, "warn", ["behind", "1m"]),
        (-90_000, 0, "warn", ["ahead", "1m"]),
        (-7_260_000, 12, "fail", ["ahead", "2h"]),
    ] {
        proxy.skew(skew_ms);
        let ended = doctor(&["-b", &address]);
        assert_eq!(ended.status.code(), Some(code), "{}", ended.stderr);
        assert_state(&ended, "clock", state, &words);
    }
}

#[test]
fn advertised_listeners_where_nobody_is_are_named_and_end_a_run_with_the_same_code() {
    let elsewhere = "advertised.listeners=PLAINTEXT://127.0.0.1:1";
    let cluster = OwnCluster::start("advertised", &["--no-registry", "--set", elsewhere]);
    let ended = doctor(&["-b", &cluster.bootstrap]);
    assert_eq!(ended.status.code(), Some(10), "{}", ended.stderr);
    assert_state(&ended, "listeners", "fail", &["127.0.0.1:1", "refused"]);
    let options = ["--format", "json", "--connect-timeout", "3s"];
    let of_run = run(&[&["run", "-b", &cluster.bootstrap][..], &options].concat());
    assert_eq!(of_run.status.code(), Some(10), "{}", of_run.stderr);
    assert!(of_run.stderr.contains("advertised listeners"), "{}", of_run.stderr);
}
