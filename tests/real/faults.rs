//! Faults with traffic flowing, each on a cluster of its own: nothing may be lost, and with
//! idempotence nothing sent twice or out of order. `fleetstorm verify` is the judge; that it can tell
//! is shown in tests/real/verify.rs.
//!
//! Each test leaves a row of the README's table in target/faults.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::delete_topic;
use crate::own_cluster::OwnCluster;
use crate::proxy::Proxy;
use crate::support::consumer::Reader;
use crate::support::{Finished, Running, SOON, total};

/// A run, its faults and what is waited for.
const TIMEOUT: Duration = Duration::from_secs(170);

/// How long records flow at full speed before a run is ended.
const FLOW: Duration = Duration::from_secs(2);

/// A run against a cluster with a fault.
struct Drill {
    cluster: OwnCluster,
    folder: tempfile::TempDir,
    transport: &'static str,
    /// Whether the transport is asked for by its name.
    asks: bool,
    /// The options that the run had.
    load: String,
}

/// The transport that a run has unless something is asked for that it lacks.
const DEFAULT: &str = "direct";

/// The drills of both transports, each a test.
macro_rules! by_both_transports {
    ($($drill:ident),* $(,)?) => {
        mod by_default {
            $(#[test] fn $drill() { super::$drill(super::DEFAULT); })*
        }
        mod librdkafka {
            $(#[test] fn $drill() { super::$drill("librdkafka"); })*
        }
    };
}

by_both_transports!(
    killed_broker_of_three_and_leaders_moved,
    killed_only_broker_under_load,
    too_few_replicas_for_a_minute,
    broker_away_for_150_seconds,
    network_cut_for_twenty_seconds,
    slow_network_and_connections_reset,
    broker_too_slow_for_the_rate,
    terminated_in_full_flow,
    killed_in_full_flow_and_resumed,
    topic_deleted_while_running,
    authorisation_lost_while_running,
);

impl Drill {
    fn new(name: &str, transport: &'static str, options: &[&str]) -> Drill {
        let name = format!("{name}-{transport}");
        let cluster = OwnCluster::start(&name, &[&["--no-registry"], options].concat());
        Drill::on(cluster, transport)
    }

    fn on(cluster: OwnCluster, transport: &'static str) -> Drill {
        let folder = tempfile::tempdir().expect("a folder can be made");
        Drill { cluster, folder, transport, asks: transport != DEFAULT, load: String::new() }
    }

    fn report_path(&self) -> PathBuf {
        self.folder.path().join("run.json")
    }

    fn report(&self) -> Value {
        let text = fs::read(self.report_path()).expect("the run has written its report");
        serde_json::from_slice(&text).expect("it is JSON")
    }

    /// Starts a run of these options, blanks between them, at `bootstrap`.
    fn start_at(&mut self, bootstrap: &str, load: &str) -> Running {
        self.load = match self.asks {
            true => format!("{load} --transport {}", self.transport),
            false => load.to_owned(),
        };
        let path = self.report_path();
        let mut arguments = vec!["run", "-b", bootstrap, "--seed", "11", "--machines", "200"];
        arguments.extend(["--report", path.to_str().expect("it is text")]);
        match &self.cluster.registry {
            Some(registry) => arguments.extend(["-r", registry]),
            None => arguments.extend(["--format", "json"]),
        }
        arguments.extend(self.load.split_whitespace());
        let running = Running::start(&arguments);
        assert_eq!(running.told("Producer:"), self.transport);
        running
    }

    /// Starts a run and waits until records flow.
    fn start(&mut self, load: &str) -> Running {
        let bootstrap = self.cluster.bootstrap.clone();
        let running = self.start_at(&bootstrap, load);
        running.line("Simulating");
        Reader::open(&bootstrap, "telemetry").take(500);
        running
    }

    /// Goes on with the run.
    fn resume(&self) -> Finished {
        let path = self.report_path();
        let path = path.to_str().expect("it is text");
        let mut arguments = vec!["run", "-b", &self.cluster.bootstrap, "--resume", path];
        if self.asks {
            arguments.extend(["--transport", self.transport]);
        }
        arguments.extend(["--report", path]);
        Running::start(&arguments).finish(TIMEOUT)
    }

    /// Verifies the run, and returns the verdict.
    fn verify(&self) -> (Finished, Value) {
        let path = self.report_path();
        let arguments = ["verify", "-b", &self.cluster.bootstrap, "--manifest"];
        let path = path.to_str().expect("it is text");
        let done = Running::start(&[&arguments[..], &[path, "--report", "-"]].concat());
        let done = done.finish(TIMEOUT);
        let verdict = done.report();
        (done, verdict)
    }

    /// Asserts that everything is there, once and in order, and leaves a row for the README.
    #[track_caller]
    fn assert_nothing_lost(&self, fault: &str) -> Value {
        let (done, verdict) = self.verify();
        done.exits(0);
        assert_eq!(verdict["matches"], true, "{verdict:#}");
        self.row(fault, &verdict);
        verdict
    }

    /// Asserts that everything is there and in order, and no more than `most` records twice.
    #[track_caller]
    fn assert_nothing_lost_and_duplicated_at_most(&self, most: u64, fault: &str) {
        let (done, verdict) = self.verify();
        let total = &verdict["total"];
        for kind in ["lost", "out_of_order", "altered", "unexpected"] {
            assert_eq!(total[kind], 0, "{kind}: {}", done.stderr);
        }
        let duplicated = total["duplicated"].as_u64().expect("they are counted");
        assert!(duplicated <= most, "{}", done.stderr);
        self.row(fault, &verdict);
    }

    /// Leaves a row of the README's table.
    fn row(&self, fault: &str, verdict: &Value) {
        let report = self.report();
        let results = &report["results"];
        let number = |of: &Value| of.as_u64().map_or("-".to_owned(), |n| n.to_string());
        let stall = results["behind"]["acknowledged"]["longest_s"].as_f64();
        let stall = stall.filter(|_| results["rate"]["target"].is_number());
        let row = format!(
            "| {fault} | `{}` | {} | {} | {} | {} |\n",
            self.load,
            number(&verdict["total"]["arrived"]),
            number(&verdict["total"]["lost"]),
            number(&verdict["total"]["duplicated"]),
            stall.map_or("-".to_owned(), |s| format!("{s:.1} s")),
        );
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/faults");
        fs::create_dir_all(&folder).expect("a folder can be made");
        let name = format!("{fault}-{}", self.transport);
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        fs::write(folder.join(name), row).expect("a row can be written");
    }
}

fn killed_broker_of_three_and_leaders_moved(transport: &'static str) {
    let mut drill = Drill::new("fault-three", transport, &["--brokers", "3"]);
    let running = drill.start("--rate 5000 --duration 40s");
    drill.cluster.call(&["stop-broker", "2", "--kill"]);
    thread::sleep(Duration::from_secs(4));
    drill.cluster.call(&["start-broker", "2"]);
    // It leads nothing now; the election gives it back what it led, under the producer's feet.
    thread::sleep(Duration::from_secs(4));
    drill.cluster.call(&["elect-leaders"]);
    running.finish(TIMEOUT).exits(0);
    let fault = "one of three brokers killed and started again, then leaders elected";
    if transport == DEFAULT {
        drill.assert_nothing_lost(fault);
        return;
    }
    // Where a request overtakes another on its way to a new leader, librdkafka 2.12 begins a new
    // epoch, and a broker no longer knows again what was under way elsewhere: at most five requests
    // to each of three brokers, each of what a third of the load is in a retry's 100 ms.
    drill.assert_nothing_lost_and_duplicated_at_most(3 * 5 * (5_000 / 3 / 10), fault);
}

fn killed_only_broker_under_load(transport: &'static str) {
    let mut drill = Drill::new("fault-only", transport, &[]);
    let running = drill.start("--rate 5000 --duration 25s");
    drill.cluster.call(&["stop-broker", "1", "--kill"]);
    thread::sleep(Duration::from_secs(3));
    drill.cluster.call(&["start-broker", "1"]);
    running.finish(TIMEOUT).exits(0);
    drill.assert_nothing_lost("the only broker killed and started again");
}

/// Kills the only broker and starts it again, some times, at moments that fall in with nothing.
fn kill_again_and_again(cluster: &OwnCluster, times: u64) {
    for n in 0..times {
        thread::sleep(Duration::from_millis(150 + 173 * (n * 7 % 5)));
        cluster.call(&["stop-broker", "1", "--kill"]);
        thread::sleep(Duration::from_millis(100 + 211 * (n * 3 % 5)));
        cluster.call(&["start-broker", "1"]);
    }
}

/// A broker that starts again forgets producers whose records are older than a day, so nothing but the
/// log tells what it has of a batch whose answer was lost.
#[test]
fn broker_killed_in_a_backfill() {
    let mut drill = Drill::new("fault-backfill", DEFAULT, &[]);
    let load = "--start 2026-01-01T00:00:00Z --rate max --records 4000000 --threads 2";
    let running = drill.start(load);
    kill_again_and_again(&drill.cluster, 4);
    running.finish(TIMEOUT).exits(0);
    drill.assert_nothing_lost("the only broker killed four times in a backfill");
}

/// The same with records of today, and a broker that forgets every second.
#[test]
fn broker_killed_that_forgets_producers_at_once() {
    let forgets =
        ["producer.id.expiration.ms=1000", "producer.id.expiration.check.interval.ms=1000"];
    let options = ["--set", forgets[0], "--set", forgets[1]];
    let mut drill = Drill::new("fault-forgetful", DEFAULT, &options);
    let running = drill.start("--rate 20000 --duration 40s");
    kill_again_and_again(&drill.cluster, 2);
    running.finish(TIMEOUT).exits(0);
    drill.assert_nothing_lost("the only broker killed twice, which forgets producers after 1 s");
}

/// No record is given up while a run goes on, however long the outage.
fn broker_away_for_150_seconds(transport: &'static str) {
    let mut drill = Drill::new("fault-away", transport, &[]);
    let running = drill.start("--rate 1000 --duration 180s");
    drill.cluster.call(&["stop-broker", "1", "--kill"]);
    thread::sleep(Duration::from_secs(150));
    drill.cluster.call(&["start-broker", "1"]);
    running.finish(TIMEOUT).exits(0);
    let report = drill.report();
    let longest = report["results"]["behind"]["acknowledged"]["longest_s"].as_f64();
    assert!(longest.is_some_and(|seconds| seconds > 140.0), "{longest:?}");
    drill.assert_nothing_lost("the only broker away for 150 s");
}

/// Time in which the program itself did not run makes no record late.
#[test]
fn program_stopped_for_a_while() {
    let mut drill = Drill::new("fault-stopped", DEFAULT, &[]);
    let running = drill.start("--rate 1000 --duration 20s -X delivery.timeout.ms=5000");
    running.signal("STOP");
    thread::sleep(Duration::from_secs(8));
    running.signal("CONT");
    running.finish(TIMEOUT).exits(0);
    drill.assert_nothing_lost("the program held still for 8 s, its delivery timeout 5 s");
}

/// With `acks=all` a leader takes nothing while fewer replicas are in sync than the topic asks for.
fn too_few_replicas_for_a_minute(transport: &'static str) {
    let options = ["--brokers", "3", "--set", "min.insync.replicas=3"];
    let mut drill = Drill::new("fault-insync", transport, &options);
    let running = drill.start("--rate 500 --duration 80s --replication-factor 3");
    drill.cluster.call(&["stop-broker", "2", "--kill"]);
    thread::sleep(Duration::from_secs(60));
    drill.cluster.call(&["start-broker", "2"]);
    running.finish(TIMEOUT).exits(0);
    let report = drill.report();
    let longest = report["results"]["behind"]["acknowledged"]["longest_s"].as_f64();
    let longest = longest.expect("the report says how long nothing was acknowledged");
    // The broker is held for dead after 9 s, and its own start takes longer than what is asked here.
    assert!(longest > 45.0, "{longest}");
    drill.assert_nothing_lost("fewer replicas in sync than `min.insync.replicas` for a minute");
}

/// A cluster whose broker is reached through a proxy only.
fn behind_a_proxy(name: &str, transport: &'static str) -> (Drill, Proxy, String) {
    let proxy = Proxy::start();
    let address = format!("127.0.0.1:{}", proxy.port);
    let advertised = format!("advertised.listeners=PLAINTEXT://{address}");
    let name = format!("{name}-{transport}");
    let cluster = OwnCluster::start(&name, &["--no-registry", "--set", &advertised]);
    proxy.lead_to(cluster.port(1));
    (Drill::on(cluster, transport), proxy, address)
}

fn network_cut_for_twenty_seconds(transport: &'static str) {
    let (mut drill, proxy, address) = behind_a_proxy("fault-cut", transport);
    let running = drill.start_at(&address, "--rate 5000 --duration 35s");
    running.line("Simulating");
    thread::sleep(Duration::from_secs(4));
    proxy.cut(true);
    thread::sleep(Duration::from_secs(20));
    proxy.cut(false);
    running.finish(TIMEOUT).exits(0);
    let report = drill.report();
    let longest = report["results"]["behind"]["acknowledged"]["longest_s"].as_f64();
    assert!(longest >= Some(19.0), "the report shows the cut: {longest:?}");
    drill.assert_nothing_lost("the network cut for 20 s");
}

fn slow_network_and_connections_reset(transport: &'static str) {
    let (mut drill, proxy, address) = behind_a_proxy("fault-reset", transport);
    proxy.delay(Duration::from_millis(20));
    let running = drill.start_at(&address, "--rate 3000 --duration 20s");
    running.line("Simulating");
    for n in 0..12 {
        // No rhythm that a retry could fall in with.
        thread::sleep(Duration::from_millis(700 + 173 * (n * 7 % 5)));
        proxy.reset();
    }
    running.finish(TIMEOUT).exits(0);
    drill.assert_nothing_lost("20 ms of latency each way, and all connections reset 12 times");
}

#[test]
fn registry_gone_after_the_start() {
    let mut drill = Drill::on(OwnCluster::start("fault-registry", &[]), DEFAULT);
    let running = drill.start("--rate 2000 --duration 10s");
    drill.cluster.kill_registry();
    running.finish(TIMEOUT).exits(0);
    drill.assert_nothing_lost("the registry killed after the start");
}

/// The most memory that the program has held so far, in KiB.
fn peak_kib(running: &Running) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", running.id()));
    let status = status.expect("the program runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.expect("the system tells").split_whitespace().next();
    words.and_then(|word| word.parse().ok()).expect("it is a number")
}

fn broker_too_slow_for_the_rate(transport: &'static str) {
    let (mut drill, proxy, address) = behind_a_proxy("fault-slow", transport);
    // Some 4 MB/s are due, of which a tenth passes, for as long as it lasts.
    let running = drill.start_at(&address, "--rate 20000 --duration 15s -X compression.type=none");
    running.line("Simulating");
    thread::sleep(Duration::from_secs(2));
    proxy.throttle(400_000);
    thread::sleep(Duration::from_secs(13));
    let held_kib = peak_kib(&running);
    proxy.throttle(0);
    running.finish(TIMEOUT).exits(0);
    // What is due meanwhile, 64 MiB at the most, with some 150 bytes of bookkeeping a record of 200
    // bytes, beside what any run needs.
    assert!(held_kib < 3 * 65_536, "{held_kib} KiB");
    let report = drill.report();
    let behind = report["results"]["behind"]["acknowledged"]["longest_s"].as_f64();
    assert!(behind >= Some(5.0), "the report says how far it fell behind: {behind:?}");
    drill.assert_nothing_lost("a network of a tenth of the rate for 13 s");
}

fn terminated_in_full_flow(transport: &'static str) {
    let mut drill = Drill::new("fault-term", transport, &[]);
    let running = drill.start("--rate max --threads 2");
    thread::sleep(FLOW);
    running.signal("TERM");
    running.finish(TIMEOUT).exits(130);
    let report = drill.report();
    assert_eq!(report["results"]["ended"], "interrupted");
    assert_eq!(total(&report, "acked"), total(&report, "sent"), "all is flushed");
    let verdict = drill.assert_nothing_lost("SIGTERM at full speed");
    assert_eq!(verdict["total"]["arrived"].as_u64(), Some(total(&report, "acked")));
}

fn killed_in_full_flow_and_resumed(transport: &'static str) {
    let mut drill = Drill::new("fault-kill", transport, &[]);
    let running = drill.start("--rate max --records 12000000 --threads 2");
    thread::sleep(FLOW);
    running.signal("KILL");
    assert_eq!(running.finish(TIMEOUT).status.code(), None, "it was killed in its midst");
    assert!(drill.report()["results"].is_null());
    // What arrived is a prefix a key.
    let verdict = drill.assert_nothing_lost("SIGKILL at full speed");
    let arrived = verdict["total"]["arrived"].as_u64().expect("records are counted");
    assert!(arrived < 12_000_000, "{arrived}");
    drill.resume().exits(0);
    assert_eq!(drill.report()["results"]["already_there"].as_u64(), Some(arrived));
    let verdict = drill.assert_nothing_lost("SIGKILL at full speed, then --resume");
    assert_eq!(verdict["whole"], true, "every record up to the end is expected");
}

#[test]
fn killed_over_compacted_topics_and_resumed() {
    let mut drill =
        Drill::new("fault-compacted", DEFAULT, &["--set", "log.cleaner.backoff.ms=200"]);
    // Only what is behind the segment that is written to is compacted.
    let load = "--rate 4000 --duration 20s --topic-config segment.ms=1500 \
                --topic-config min.cleanable.dirty.ratio=0.01 \
                --topic-config max.compaction.lag.ms=1000";
    let running = drill.start(load);
    thread::sleep(4 * FLOW);
    running.signal("KILL");
    assert_eq!(running.finish(TIMEOUT).status.code(), None, "it was killed in its midst");
    let waiting = Instant::now();
    while drill.verify().1["total"]["compacted"].as_u64() == Some(0) {
        assert!(waiting.elapsed() < SOON, "the broker compacts its topics");
        thread::sleep(Duration::from_millis(500));
    }
    drill.resume().exits(0);
    let verdict = drill.assert_nothing_lost("SIGKILL over compacted topics, then --resume");
    assert!(verdict["total"]["compacted"].as_u64() > Some(0), "{verdict:#}");
    assert_eq!(verdict["whole"], true, "every record up to the end is expected");
}

#[test]
fn killed_in_a_transaction_and_resumed() {
    let mut drill = Drill::new("fault-transaction", "librdkafka", &[]);
    // Transactions call for it.
    drill.asks = false;
    let load = "--rate max --records 3000000 --threads 2 --transactional-id drill \
                --transaction-records 20000";
    let running = drill.start(load);
    thread::sleep(FLOW);
    running.signal("KILL");
    assert_eq!(running.finish(TIMEOUT).status.code(), None, "it was killed in its midst");
    drill.resume().exits(0);
    // Who reads committed records only, as verify does, sees each record once.
    let verdict = drill.assert_nothing_lost("SIGKILL in a transaction, then --resume");
    assert_eq!(verdict["whole"], true, "every record up to the end is expected");
}

fn topic_deleted_while_running(transport: &'static str) {
    let mut drill = Drill::new("fault-deleted", transport, &[]);
    let load = "--rate 1000 --duration 12s -X message.timeout.ms=4000";
    let running = drill.start(load);
    delete_topic(&drill.cluster.bootstrap, "usage");
    let done = running.finish(TIMEOUT);
    done.fails(30, &["records were not delivered"]);
    let report = drill.report();
    let usage = &report["results"]["records"]["usage"];
    assert!(usage["failed"].as_u64() > Some(0), "{usage}");
    for topic in ["telemetry", "status", "machines"] {
        assert_eq!(report["results"]["records"][topic]["failed"], 0, "{topic}");
    }
    let errors = report["results"]["errors"].as_object().expect("errors are counted by kind");
    let counted: u64 = errors.values().filter_map(Value::as_u64).sum();
    assert_eq!(Some(counted), usage["failed"].as_u64(), "{errors:?}");
}

fn authorisation_lost_while_running(transport: &'static str) {
    let mut drill = Drill::new("fault-authorisation", transport, &["--secure"]);
    let tls = drill.cluster.tls.take().expect("it has users");
    let load = format!(
        "--rate 1000 --duration 15s --topic-prefix secure- -X message.timeout.ms=5000 \
         -X security.protocol=SSL -X ssl.ca.location={ca} \
         -X ssl.certificate.location={writer} -X ssl.key.location={writer}",
        ca = tls.file("ca.pem"),
        writer = tls.file("writer.pem"),
    );
    let running = drill.start_at(&tls.bootstrap, &load);
    running.line("Simulating");
    Reader::open(&drill.cluster.bootstrap, "secure-telemetry").take(500);
    drill.cluster.call(&["forbid-writer"]);
    running.finish(TIMEOUT).fails(30, &["records were not delivered", "Authorization"]);
    let report = drill.report();
    let (acked, failed) = (total(&report, "acked"), total(&report, "failed"));
    assert!(acked > 0 && failed > 0, "{acked} acknowledged, {failed} failed");
    assert_eq!(acked + failed, total(&report, "sent"), "each record is either");
}
