//! The direct transport before a broker that answers what a test says: every code of Produce and of
//! InitProducerId, answers that are lost, leaders that move, producers that are forgotten. The broker's
//! log shows what was stored, and the report has to agree with it; `fleetstorm verify` has to as well.

use std::collections::BTreeMap;
use std::time::Duration;

use fleetstorm_broker::{Action, ApiKey, Broker, Fault, ResponseError, Restart, Settings};
use serde_json::Value;

use crate::support::{Finished, Running, SOON, run, total};

/// Records whose timestamps are older than what brokers remember of producers.
const OLD: &str = "2026-01-01T00:00:00Z";
/// The topics of a run, and the partitions of each.
const TOPICS: [&str; 4] = ["telemetry", "usage", "status", "jobs"];
const PARTITIONS: i32 = 2;

/// A broker with the topics of a run.
fn broker(settings: Settings) -> Broker {
    let broker = Broker::start(settings).expect("a broker starts");
    for topic in TOPICS.into_iter().chain(["machines"]) {
        broker.create_topic(topic, PARTITIONS, &[]).expect("a topic can be made");
    }
    broker
}

/// Starts a run of many small batches, with more options.
fn start(broker: &Broker, more: &[&str]) -> Running {
    let bootstrap = broker.bootstrap();
    let arguments =
        [
            &[
                "run",
                "-b",
                &bootstrap,
                "--format",
                "json",
                "--transport",
                "direct",
                "--report",
                "-",
            ][..],
            &["--seed", "7", "--machines", "12", "--start", OLD, "-X", "linger.ms=1"],
            &["-X", "retry.backoff.ms=5", "-X", "reconnect.backoff.ms=10", "--partitions", "2"],
            more,
        ]
        .concat();
    Running::start(&arguments)
}

/// Two thousand records in half a second.
const PACED: [&str; 6] = ["--time", "simulated", "--rate", "4000", "--records", "2000"];

/// How many records each partition of the topics holds.
fn stored(broker: &Broker) -> BTreeMap<&'static str, u64> {
    let count = |topic: &str| {
        let all = (0..PARTITIONS).map(|at| broker.records(topic, at).expect("it is there").len());
        all.sum::<usize>() as u64
    };
    TOPICS.into_iter().map(|topic| (topic, count(topic))).collect()
}

/// Verifies a run from its report.
fn verify(broker: &Broker, report: &Value) -> Finished {
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    serde_json::to_writer(&file, report).expect("it can be written");
    let path = file.path().to_str().expect("its path is text");
    run(&["verify", "-b", &broker.bootstrap(), "--manifest", path, "--report", "-"])
}

/// Asserts that all that was sent was acknowledged, and stands in the log once and in order.
#[track_caller]
fn assert_exact(broker: &Broker, ended: &Finished, what: &str) {
    let report = ended.exits(0).report();
    for (topic, count) in stored(broker) {
        let counts = &report["results"]["records"][topic];
        assert_eq!(counts["acked"], count, "{what}: {topic}: {counts}");
        assert_eq!(counts["sent"], count, "{what}: {topic}: {counts}");
    }
    let verdict = verify(broker, &report);
    assert_eq!(verdict.status.code(), Some(0), "{what}: {}", verdict.stderr);
}

/// A fault of one of the Produce requests in the midst of a run.
fn in_the_midst(action: Action) -> Fault {
    Fault::on(ApiKey::Produce, action).partition("telemetry", 1).skip(20)
}

/// Codes after which the outcome of a batch is unknown: they may come before and after it is stored.
const UNKNOWN: [ResponseError; 12] = [
    ResponseError::UnknownServerError,
    ResponseError::UnknownTopicOrPartition,
    ResponseError::LeaderNotAvailable,
    ResponseError::NotLeaderOrFollower,
    ResponseError::RequestTimedOut,
    ResponseError::NetworkException,
    ResponseError::NotEnoughReplicasAfterAppend,
    ResponseError::KafkaStorageError,
    ResponseError::FencedLeaderEpoch,
    ResponseError::UnknownLeaderEpoch,
    ResponseError::ThrottlingQuotaExceeded,
    ResponseError::Unknown(20_000),
];

#[test]
fn a_code_that_leaves_the_outcome_unknown_loses_and_repeats_nothing() {
    for code in UNKNOWN {
        for action in [Action::Fail(code), Action::ApplyThenFail(code)] {
            let broker = broker(Settings::new());
            let fault = broker.fault(in_the_midst(action).times(3));
            let ended = start(&broker, &PACED).finish(SOON);
            assert_eq!(fault.hits(), 3, "{action:?}");
            assert_exact(&broker, &ended, &format!("{action:?}"));
        }
    }
}

#[test]
fn a_code_by_which_a_batch_waits_or_its_sequence_begins_anew_loses_and_repeats_nothing() {
    use ResponseError as E;
    for code in [
        E::NotEnoughReplicas,
        E::OutOfOrderSequenceNumber,
        E::UnknownProducerId,
        E::InvalidProducerEpoch,
        // It was not stored, whatever the broker takes it for.
        E::DuplicateSequenceNumber,
    ] {
        let broker = broker(Settings::new());
        let fault = broker.fault(in_the_midst(Action::Fail(code)).times(2));
        let ended = start(&broker, &PACED).finish(SOON);
        assert_eq!(fault.hits(), 2, "{code:?}");
        assert_exact(&broker, &ended, &format!("{code:?}"));
    }
    // Stored by a request whose answer was lost: told as a duplicate, and there.
    let broker = broker(Settings::new());
    broker.fault(in_the_midst(Action::ApplyThenFail(E::DuplicateSequenceNumber)).times(2));
    let ended = start(&broker, &PACED).finish(SOON);
    assert_exact(&broker, &ended, "a duplicate that is stored");
}

#[test]
fn a_code_that_refuses_a_batch_costs_its_records_and_no_others() {
    use ResponseError as E;
    for (code, kind) in [
        (E::CorruptMessage, "InvalidMessage"),
        (E::InvalidTopicException, "InvalidTopic"),
        (E::InvalidRequiredAcks, "InvalidRequiredAcks"),
        (E::TopicAuthorizationFailed, "TopicAuthorizationFailed"),
        (E::ClusterAuthorizationFailed, "ClusterAuthorizationFailed"),
        (E::InvalidTimestamp, "InvalidTimestamp"),
        (E::UnsupportedForMessageFormat, "UnsupportedForMessageFormat"),
        (E::PolicyViolation, "PolicyViolation"),
        (E::UnsupportedCompressionType, "UnsupportedCompressionType"),
        (E::InvalidRecord, "InvalidRecord"),
    ] {
        let broker = broker(Settings::new());
        broker.fault(in_the_midst(Action::Fail(code)).times(2));
        let report = start(&broker, &PACED).finish(SOON).exits(30).report();
        let failed = total(&report, "failed");
        assert!(failed > 0, "{code:?}");
        let told = report["results"]["errors"].as_object().expect("errors go by their kinds");
        assert_eq!(told.values().filter_map(Value::as_u64).sum::<u64>(), failed, "{told:?}");
        assert!(told.len() == 1 && told.contains_key(kind), "{code:?}: {told:?}");
        for (topic, count) in stored(&broker) {
            let counts = &report["results"]["records"][topic];
            assert_eq!(counts["acked"], count, "{code:?}: {topic}: {counts}");
        }
    }
}

#[test]
fn a_lost_answer_loses_and_repeats_nothing_whatever_the_broker_remembers() {
    for action in [Action::Disconnect, Action::ApplyThenDisconnect] {
        for forgets in [false, true] {
            let broker = broker(Settings::new());
            let running = start(&broker, &["--rate", "max", "--records", "60000"]);
            running.line("Simulating");
            let mut hits = 0;
            for turn in 0..6 {
                let fault = broker.fault(Fault::on(ApiKey::Produce, action).skip(turn).times(1));
                let deadline = std::time::Instant::now() + Duration::from_millis(300);
                while fault.hits() == 0 && std::time::Instant::now() < deadline {
                    std::thread::sleep(Duration::from_millis(2));
                }
                hits += fault.hits();
                fault.end();
                if forgets {
                    for topic in TOPICS {
                        for at in 0..PARTITIONS {
                            broker.forget_producer_state(topic, at).expect("it is there");
                        }
                    }
                }
            }
            let ended = running.finish(SOON);
            assert!(hits > 0, "{action:?}");
            assert_exact(&broker, &ended, &format!("{action:?}, forgetting: {forgets}"));
        }
    }
}

#[test]
fn restarts_that_forget_and_other_writers_confuse_nothing() {
    let broker = broker(Settings::new().set("producer.id.expiration.ms", 1));
    // A second run with records of its own, between those of the first.
    let paced = ["--time", "simulated", "--rate", "2000", "--records", "8000"];
    let other = start(&broker, &[&paced[..], &["--topics", "telemetry,usage"]].concat());
    let running = start(&broker, &[&paced[..], &["--topics", "status,usage,jobs"]].concat());
    running.line("Simulating");
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(400));
        broker.restart(1, Restart::Clean).expect("it restarts");
    }
    let first = running.finish(SOON).exits(0).report();
    let second = other.finish(SOON).exits(0).report();
    let lost = |report: &Value| {
        let verdict = verify(&broker, report).report();
        let total = &verdict["total"];
        ["lost", "out_of_order", "altered"].map(|kind| total[kind].as_u64())
    };
    assert_eq!((lost(&first), lost(&second)), ([Some(0); 3], [Some(0); 3]));
    // Both write the same usage, once each.
    let usage = |report: &Value| report["results"]["records"]["usage"]["acked"].as_u64();
    assert_eq!(
        usage(&first).zip(usage(&second)).map(|(a, b)| a + b),
        Some(stored(&broker)["usage"])
    );
}

#[test]
fn leaders_that_move_while_answers_are_lost_cost_nothing() {
    let broker = broker(Settings::new().nodes(3));
    let running = start(&broker, &["--time", "simulated", "--rate", "4000", "--records", "12000"]);
    running.line("Simulating");
    for turn in 0..12 {
        std::thread::sleep(Duration::from_millis(150));
        let (topic, at) = (TOPICS[turn % 4], (turn % 2) as i32);
        broker.fault(Fault::on(ApiKey::Produce, Action::ApplyThenDisconnect).partition(topic, at));
        let node = (turn % 3) as i32 + 1;
        broker.move_leader(topic, at, node).expect("it is a node");
        if turn % 3 == 0 {
            broker.forget_producer_state(topic, at).expect("it is there");
        }
    }
    assert_exact(&broker, &running.finish(SOON), "leaders moved");
}

#[test]
fn a_broker_that_falls_silent_is_left_and_its_batches_are_searched_for() {
    let broker = broker(Settings::new());
    broker.fault(Fault::on(ApiKey::Produce, Action::NeverRespond).skip(30));
    let ended = start(
        &broker,
        &[&PACED[..], &["-X", "request.timeout.ms=500"], &["-X", "socket.timeout.ms=1000"]]
            .concat(),
    );
    assert_exact(&broker, &ended.finish(SOON), "silence");
}

#[test]
fn a_throttled_connection_is_waited_for_and_nothing_is_sent_again() {
    let broker = broker(Settings::new());
    broker.fault(Fault::on(ApiKey::Produce, Action::Throttle(Duration::from_secs(4))).skip(30));
    // Shorter than the pause: a request that the broker doesn't read meanwhile is not late.
    let timeouts = ["-X", "request.timeout.ms=500", "-X", "socket.timeout.ms=1000"];
    let ended = start(&broker, &[&PACED[..], &timeouts].concat()).finish(SOON);
    assert_eq!(broker.requests(None, ApiKey::Fetch), 0, "no batch was in doubt");
    assert_exact(&broker, &ended, "throttled");
}

#[test]
fn every_code_of_a_producer_id_is_waited_for_or_ends_the_run() {
    use ResponseError as E;
    for code in [
        E::UnknownServerError,
        E::RequestTimedOut,
        E::NetworkException,
        E::CoordinatorLoadInProgress,
        E::CoordinatorNotAvailable,
        E::NotCoordinator,
        E::ConcurrentTransactions,
        E::Unknown(20_000),
    ] {
        let broker = broker(Settings::new());
        let fault = broker.fault(Fault::on(ApiKey::InitProducerId, Action::Fail(code)).times(3));
        let ended = start(&broker, &["--rate", "max", "--records", "300"]).finish(SOON);
        assert_eq!(fault.hits(), 3);
        assert_exact(&broker, &ended, &format!("{code:?}"));
    }
    for code in [
        E::ClusterAuthorizationFailed,
        E::UnsupportedVersion,
        E::InvalidRequest,
        E::InvalidTransactionTimeout,
        E::TransactionalIdAuthorizationFailed,
        E::SaslAuthenticationFailed,
    ] {
        let broker = broker(Settings::new());
        broker.fault(Fault::on(ApiKey::InitProducerId, Action::Fail(code)).always());
        let ended = start(&broker, &["--rate", "max", "--records", "300"]).finish(SOON);
        assert_eq!(ended.status.code(), Some(13), "{code:?}: {}", ended.stderr);
    }
}

/// A run that waits for its last acknowledgements says so, and gives up what no broker takes.
#[test]
fn what_no_broker_takes_any_more_is_told_and_given_up() {
    let broker = broker(Settings::new());
    broker.fault(in_the_midst(Action::DelayResponse(Duration::from_secs(600))));
    let options = [&PACED[..], &["--give-up-after", "12s"]].concat();
    let ended = start(&broker, &options).finish(SOON);
    let report = ended.exits(30).report();
    assert!(
        ended.stderr.contains("no broker has acknowledged anything for 10s"),
        "{}",
        ended.stderr
    );
    assert!(total(&report, "unconfirmed") > 0, "{report:#}");
    let known = total(&report, "acked") + total(&report, "failed") + total(&report, "unconfirmed");
    assert_eq!(total(&report, "sent"), known);
}
