//! The arithmetic of reports: what is counted adds up, over random runs and whatever becomes of them.
//! The brokers are embedded ones, in this process.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use fleetstorm::report::histogram;
use fleetstorm_broker::{Action, ApiKey, Fault, Settings};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::consumer::Reader;
use crate::support::{ALL_TOPICS, Finished, Running, SOON, merge, run, sent, total};

/// A broker in this process, with all topics.
struct Broker(fleetstorm_broker::Broker);

impl Broker {
    fn start() -> Broker {
        Broker::with_partitions(6)
    }

    fn with_partitions(partitions: i32) -> Broker {
        let broker = fleetstorm_broker::Broker::start(Settings::new()).expect("a broker starts");
        for topic in ALL_TOPICS {
            // As runs at full speed ask for, which are ahead of the clock.
            let settings = [("message.timestamp.after.max.ms", "9223372036854775807")];
            broker.create_topic(topic, partitions, &settings).expect("topics can be made");
        }
        Broker(broker)
    }

    fn address(&self) -> String {
        self.0.bootstrap()
    }

    /// The options of a run to it.
    fn options(&self, words: &str) -> Vec<String> {
        let address = self.address();
        let all = format!("run -b {address} --format json {words} --report -");
        all.split_whitespace().map(str::to_owned).collect()
    }

    fn run(&self, words: &str) -> Finished {
        run(&self.options(words))
    }

    /// What `verify` says of the run of a report.
    fn verify(&self, report: &Path) -> Finished {
        let report = report.to_str().expect("its path is text");
        run(&["verify", "-b", &self.address(), "--manifest", report, "--report", "-"])
    }
}

fn number(value: &Value, pointer: &str) -> f64 {
    let found = value.pointer(pointer).and_then(Value::as_f64);
    found.unwrap_or_else(|| panic!("{pointer} is a number: {value:#}"))
}

fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

fn values_in(text: Option<&Value>) -> u64 {
    text.and_then(Value::as_str).map_or(0, |text| histogram::decode(text).expect("it is one").len())
}

/// Asserts that all figures of a report agree with one another: see docs/report.md.
#[track_caller]
fn assert_adds_up(report: &Value) {
    let results = &report["results"];
    let rate = &results["rate"];
    let of = |part: &str, what: &str| count(rate, &format!("/{part}/{what}"));
    let both = |what: &str| of("measured", what) + of("past", what);
    let context = format!("{:#} of {:#}", results, report["manifest"]);

    for (topic, counts) in results["records"].as_object().expect("records by topic") {
        let all = ["acked", "failed", "unconfirmed"].map(|what| count(counts, &format!("/{what}")));
        assert_eq!(all.iter().sum::<u64>(), count(counts, "/sent"), "{topic}: {context}");
    }
    let errors = results["errors"].as_object().expect("errors by kind");
    let errors: u64 = errors.values().filter_map(Value::as_u64).sum();
    assert_eq!(errors, total(report, "failed"), "{context}");

    let machines = |what: &str| count(results, &format!("/records/machines/{what}"));
    assert_eq!(both("sent"), total(report, "sent") - machines("sent"), "{context}");
    assert_eq!(both("dropped"), total(report, "dropped"), "{context}");
    assert_eq!(both("silent"), count(rate, "/silent"), "{context}");
    let spans = results["dropped"].as_array().expect("spans are listed");
    let in_spans: u64 = spans.iter().map(|span| count(span, "/records")).sum();
    let known = both("dropped") + both("deferred") + count(results, "/already_dropped");
    assert_eq!(in_spans, known, "{context}");

    // Acknowledged: of the measured part, of the past, and all.
    let (acked, bytes) = (total(report, "acked") - machines("acked"), total(report, "bytes"));
    let past = match results["transport"].is_string() {
        true => values_in(results.pointer("/histograms/past")),
        // What confirms nothing has no latency.
        false => of("past", "sent"),
    };
    assert_eq!(of("measured", "acked") + past, acked, "{context}");
    if total(report, "sent") == total(report, "acked") {
        let known = of("measured", "acked_bytes") + of("past", "bytes") + machines("bytes");
        assert_eq!(known, bytes, "{context}");
    }

    let paced = report["manifest"]["pace"] != "max";
    let seconds = rate["seconds"].as_array().expect("seconds are listed");
    let listed = |i: usize| seconds.iter().filter_map(|second| second[i].as_u64()).sum::<u64>();
    let due = of("measured", "sent") + of("measured", "dropped") + of("measured", "deferred");
    if paced {
        assert_eq!((listed(0), listed(1)), (due, of("measured", "sent")), "{context}");
    } else {
        assert_eq!(seconds.len(), 0);
        assert!(rate["target"].is_null() && rate["error"].is_null() && rate["past"].is_null());
    }
    let late = values_in(results.pointer("/histograms/late"));
    assert_eq!(late, if paced { of("measured", "sent") } else { 0 }, "{context}");
    let topics = results["histograms"]["topics"].as_object().expect("histograms by topic");
    let in_topics = |what: &str| {
        let others = topics.iter().filter(|(topic, _)| *topic != "machines");
        others.map(|(_, texts)| values_in(texts.get(what))).sum::<u64>()
    };
    if results["transport"].is_string() {
        assert_eq!(in_topics("enqueued"), of("measured", "acked"), "{context}");
        let intended = if paced { of("measured", "acked") } else { 0 };
        assert_eq!(in_topics("intended"), intended, "{context}");
    }

    // Rates are what was counted over the time that is told.
    let took = number(rate, "/measured/to_s") - number(rate, "/measured/from_s");
    let acked_in = number(rate, "/measured/acknowledged_s") - number(rate, "/measured/from_s");
    for (figure, counted, took) in [
        ("achieved", of("measured", "sent"), took),
        ("bytes_per_second", of("measured", "bytes"), took),
        ("acknowledged", of("measured", "acked"), acked_in),
        ("acknowledged_bytes_per_second", of("measured", "acked_bytes"), acked_in),
    ] {
        match rate[figure].as_f64() {
            Some(told) => {
                let counted = counted as f64;
                assert!(
                    (told * took - counted).abs() <= 1e-6 * counted.max(1.0),
                    "{figure}: {context}"
                );
            }
            None => assert_eq!((took, counted), (0.0, 0), "{figure}: {context}"),
        }
    }
    assert!(rate["error"].is_null() || took >= 1.0, "nothing is judged on less: {context}");
}

/// How a random run ends.
#[derive(Debug, Clone)]
enum End {
    /// After so many slots.
    Records(u64),
    /// After so many milliseconds.
    Duration(u64),
    /// By a signal after so many milliseconds.
    Interrupted(u64),
}

fn paces() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("--rate max".to_owned()),
        (50u32..20_000).prop_map(|rate| format!("--rate {rate}")),
        (50u32..20_000).prop_map(|rate| format!("--rate {rate} --time simulated")),
        (1u32..400).prop_map(|minutes| format!("--start -{minutes}m --interval 60s")),
        (1u32..2000).prop_map(|speed| format!("--speed {speed}x")),
        Just("--byte-rate 300kB".to_owned()),
        Just("--rate-profile ramp:0..5k/1s".to_owned()),
    ]
}

/// How many minutes ago a run begins that catches up.
fn minutes(pace: &str) -> Option<u32> {
    pace.strip_prefix("--start -")?.split('m').next()?.parse().ok()
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![
        (0u64..6000).prop_map(End::Records),
        (1u64..1500).prop_map(End::Duration),
        (0u64..1500).prop_map(End::Interrupted),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_figures_of_any_run_add_up(
        pace in paces(),
        end in ends(),
        scenario in prop::sample::select(vec!["baseline", "chaos"]),
        (machines, threads, seed) in (1u32..200, 1u32..4, 0u32..1000),
        sink in prop::sample::select(vec!["null", "broker", "broker", "drop"]),
        topics in prop::sample::select(vec![
            "telemetry,usage,status,jobs,machines",
            "telemetry,usage,status,jobs,machines,incidents",
            "telemetry,jobs",
            "machines",
        ]),
    ) {
        let byte_rate = pace.contains("--byte-rate") && topics == "machines";
        prop_assume!(!byte_rate);
        // What lies in the past is made at once, and a reading a minute beyond it takes that minute.
        let past = minutes(&pace).map(|minutes| u64::from(minutes) * u64::from(machines));
        let waits = matches!((&end, past), (End::Records(records), Some(past)) if *records > past);
        prop_assume!(!waits);
        let drops = sink == "drop" && !pace.contains("max");
        let limit = match end {
            End::Records(records) => format!("--records {records}"),
            End::Duration(ms) => format!("--duration {ms}ms"),
            End::Interrupted(_) => "--duration 1h".to_owned(),
        };
        let dropping = "--on-backlog drop -X queue.buffering.max.messages=50 -X linger.ms=30";
        let words = format!(
            "{pace} {limit} --scenario {scenario} --machines {machines} --threads {threads} \
             --seed {seed} --topics {topics} {}",
            if drops { dropping } else { "" }
        );
        let broker = Broker::start();
        let arguments = match sink {
            "null" => {
                let all = format!("run --sink null {words} --report -");
                all.split_whitespace().map(str::to_owned).collect()
            }
            _ => broker.options(&words),
        };
        let running = Running::start(&arguments);
        if let End::Interrupted(ms) = end
            && topics != "machines"
        {
            running.line("Simulating");
            thread::sleep(Duration::from_millis(ms));
            running.signal("INT");
        }
        let ended = running.finish(SOON);
        let report = ended.report();
        assert_adds_up(&report);
        if let (End::Records(records), "complete") =
            (&end, report["results"]["ended"].as_str().unwrap_or_default())
            && topics != "machines"
        {
            let rate = &report["results"]["rate"];
            let slots = ["sent", "silent", "dropped", "deferred"].map(|what| {
                count(rate, &format!("/measured/{what}")) + count(rate, &format!("/past/{what}"))
            });
            assert_eq!(slots.iter().sum::<u64>(), *records, "{words}: {report:#}");
        }
    }
}

#[test]
fn shards_merged_add_up() {
    let shards = ["0/3", "1/3", "2/3"].map(|shard| {
        let words = format!(
            "run --sink null --seed 1 --start 2026-01-01 --speed 50x --machines 90 --duration 2s \
             --scenario chaos --shard {shard} --report -"
        );
        run(&words.split_whitespace().collect::<Vec<_>>())
    });
    let merged = merge(&shards);
    assert_adds_up(&merged);
    let sum =
        |pointer: &str| shards.iter().map(|shard| count(&shard.report(), pointer)).sum::<u64>();
    for pointer in
        ["sent", "silent", "acked", "bytes"].map(|w| format!("/results/rate/measured/{w}"))
    {
        assert!(count(&merged, &pointer) > 0);
        assert_eq!(count(&merged, &pointer), sum(&pointer), "{pointer}");
    }
}

#[test]
fn records_a_second_are_records() {
    // Half of the fleet is down before long.
    let words = "run --sink null --seed 3 --rate 3000 --duration 4s --machines 100 --max-rate-error 1% \
        --set enable_failures=true --set failure_probability=0.05 --report -";
    let ended = run(&words.split_whitespace().collect::<Vec<_>>());
    let report = ended.exits(0).report();
    assert_adds_up(&report);
    let rate = &report["results"]["rate"];
    let (silent, target) = (number(rate, "/silent_share"), number(rate, "/target"));
    assert!(silent > 0.1 && target == 3000.0, "{rate:#}");
    let expected = (1.0 - silent) * target;
    // Slots are counted whole, and the last may come a little late.
    assert!((number(rate, "/achieved") - expected).abs() <= 0.01 * target, "{rate:#}");
    assert!(ended.stderr.contains("% of slots silent"), "{}", ended.stderr);
}

#[test]
fn nothing_is_judged_where_nothing_was_due() {
    for words in [
        "--machines 20 --start -1h --duration 1h --topics telemetry,status",
        "--rate 100 --records 0",
        "--rate 50000 --records 20",
        "--rate 0.05 --duration 1100ms",
    ] {
        let all = format!("run --sink null --seed 5 {words} --max-rate-error 0.1% --report -");
        let ended = run(&all.split_whitespace().collect::<Vec<_>>());
        let report = ended.exits(0).report();
        assert_adds_up(&report);
        let rate = &report["results"]["rate"];
        assert!(rate["error"].is_null(), "{words}: {rate:#}");
        assert!(rate["max_second_error"].is_null(), "{words}: {rate:#}");
        if words.contains("-1h") {
            assert!(rate["target"].is_null(), "{rate:#}");
            assert_eq!(count(rate, "/past/sent"), 143_999 - count(rate, "/measured/sent"));
            assert!(ended.stderr.contains("  past  "), "{}", ended.stderr);
        }
    }
    // Interrupted before its start.
    let running = Running::start(&["run", "--sink", "null", "--start", "+60s", "--report", "-"]);
    running.line("Simulating");
    running.signal("INT");
    let report = running.finish(SOON).exits(130).report();
    assert_adds_up(&report);
    let rate = &report["results"]["rate"];
    assert!(rate["error"].is_null() && rate["target"].is_null() && rate["achieved"].is_null());
}

#[test]
fn a_paused_process_is_behind_and_says_so() {
    let words = "run --sink null --seed 1 --rate 1000 --duration 9s --report -";
    let running = Running::start(&words.split_whitespace().collect::<Vec<_>>());
    running.line("Simulating");
    thread::sleep(Duration::from_secs(1));
    running.signal("STOP");
    thread::sleep(Duration::from_secs(5));
    running.signal("CONT");
    let report = running.finish(SOON).exits(0).report();
    assert_adds_up(&report);
    let results = &report["results"];
    // The first record due in the pause waits for all of it but a millisecond.
    assert!(number(results, "/behind/handed_over/longest_s") >= 4.99, "{results:#}");
    // A second of it is whole, and what it lacks comes later.
    assert!(number(results, "/rate/max_second_error") >= 1.0, "{results:#}");
    let slots = number(results, "/rate/measured/sent");
    assert!((8998.0..=9000.0).contains(&slots), "{slots} of 9000");
    // Nothing is lost by it, and the run is as fast as its time was long.
    let took = number(results, "/rate/measured/to_s");
    assert!((number(results, "/rate/achieved") - slots / took).abs() < 1e-6);
}

#[test]
fn a_slow_announcement_makes_no_rate_that_nobody_asked_for() {
    // One partition, since each is asked where it ends.
    let broker = Broker::with_partitions(1);
    // The announcement is answered when all is due: for so many machines, the start is put off by 1.3 s.
    broker.0.fault(Fault::on(ApiKey::Produce, Action::DelayResponse(Duration::from_secs(5))));
    let running =
        Running::start(&broker.options(
            "--seed 1 --rate 2000 --duration 1s --topics usage,machines --machines 200000",
        ));
    let report = running.finish(SOON).exits(0).report();
    assert_adds_up(&report);
    let results = &report["results"];
    assert!(number(results, "/behind/handed_over/longest_s") >= 2.0, "{results:#}");
    let rate = &results["rate"];
    assert_eq!(number(rate, "/measured/from_s"), 0.0);
    assert_eq!(number(rate, "/target"), 2000.0);
    assert!(number(rate, "/achieved") <= 2000.0, "{rate:#}");
    assert!(number(rate, "/acknowledged") <= number(rate, "/achieved"), "{rate:#}");
}

/// A registry that takes its time before its first answer, and gives every schema the id 1.
fn slow_registry(timeout: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has one");
    thread::spawn(move || {
        let mut first = true;
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let Ok(copy) = stream.try_clone() else { return };
            let mut lines = BufReader::new(copy);
            let mut length = 0;
            loop {
                let mut line = String::new();
                if lines.read_line(&mut line).unwrap_or(0) == 0 {
                    break;
                }
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                if line.trim().is_empty() {
                    let mut body = vec![0; length];
                    let _cut = lines.read_exact(&mut body);
                    break;
                }
            }
            if std::mem::take(&mut first) {
                thread::sleep(timeout);
            }
            let body = r#"{"id":1}"#;
            let _gone = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    format!("http://{address}")
}

#[test]
fn a_registry_slower_than_the_start_makes_the_run_late_and_not_fast() {
    let broker = Broker::start();
    let registry = slow_registry(Duration::from_secs(4));
    let words = format!(
        "run -b {} -r {registry} --seed 1 --rate 500 --start +1s --duration 5s --report -",
        broker.address()
    );
    let ended = run(&words.split_whitespace().collect::<Vec<_>>());
    let report = ended.exits(0).report();
    assert_adds_up(&report);
    let results = &report["results"];
    let rate = &results["rate"];
    assert_eq!(number(rate, "/measured/from_s"), 0.0, "the start lay ahead when it was asked for");
    assert!(rate["past"].is_null(), "{rate:#}");
    // The first record is due a second after the start at the earliest, and sent after four.
    assert!(number(results, "/behind/handed_over/longest_s") >= 2.9, "{results:#}");
    assert!(number(rate, "/achieved") <= 500.0 * 1.01, "{rate:#}");
    assert!(number(rate, "/max_second_error") >= 0.9, "{rate:#}");
}

/// Lets a run to `broker` begin, ends it by a signal, and returns the path of its report.
fn cut(
    broker: &Broker,
    words: &str,
    signal: &str,
    folder: &Path,
    records: usize,
) -> std::path::PathBuf {
    let path = folder.join("run.json");
    let mut arguments = broker.options(words);
    arguments.pop();
    arguments.push(path.to_str().expect("text").to_owned());
    let running = Running::start(&arguments);
    running.line("Simulating");
    Reader::open(&broker.address(), "usage").take(records);
    running.signal(signal);
    running.finish(SOON);
    path
}

/// Resumes the run of a report, into the same report.
fn resume(broker: &Broker, path: &Path, more: &str) -> (Finished, Value) {
    let path = path.to_str().expect("text");
    let all = format!("run -b {} --resume {path} --report {path} {more}", broker.address());
    let ended = run(&all.split_whitespace().collect::<Vec<_>>());
    let report = fs::read(path).expect("it is there");
    (ended, serde_json::from_slice(&report).expect("it is JSON"))
}

/// The records that a whole run of these options sends.
fn whole(words: &str) -> u64 {
    let words = words.replace("--on-backlog drop", "");
    let all = format!("run --sink null {words} --report -");
    let report = run(&all.split_whitespace().collect::<Vec<_>>()).exits(0).report();
    total(&report, "sent")
}

#[test]
fn a_resumed_run_of_simulated_time_goes_on_where_it_stopped() {
    let (broker, folder) = (Broker::start(), tempfile::tempdir().unwrap());
    let words = "--seed 7 --machines 30 --time simulated --rate 200 --records 1600 \
        --start 2026-01-01T00:00:00Z";
    let path = cut(&broker, words, "KILL", folder.path(), 250);
    let (ended, report) = resume(&broker, &path, "");
    ended.exits(0);
    assert_adds_up(&report);
    let (results, rate) = (&report["results"], &report["results"]["rate"]);
    let there = count(results, "/already_there");
    assert_eq!(there + total(&report, "sent"), whole(words));
    // A third of the records is usage: 750 slots were worked off at least, of which the last may be
    // still on their way. The schedule goes on from there, and nothing before it is waited for.
    let from_s = number(rate, "/measured/from_s");
    assert!(from_s >= 2.0, "it begins at {from_s} s, with {there} records there");
    let slots = ["sent", "silent", "already_there"].map(|w| count(rate, &format!("/measured/{w}")));
    let left = 1600.0 - from_s * 200.0;
    let worked = slots.iter().sum::<u64>() as f64;
    assert!((worked - left).abs() <= 2.0, "{worked} slots worked off, {left} left: {rate:#}");
    assert!(number(rate, "/measured/to_s") - from_s <= left / 200.0 + 60.0);
    let verdict = broker.verify(&path);
    verdict.exits(0);
    // There is nothing left to do for another.
    let (ended, report) = resume(&broker, &path, "");
    ended.exits(0);
    assert_eq!(
        (total(&report, "sent"), count(&report, "/results/already_there")),
        (0, whole(words))
    );
}

#[test]
fn a_resumed_live_run_catches_up_and_tells_it_apart() {
    let (broker, folder) = (Broker::start(), tempfile::tempdir().unwrap());
    let words = "--seed 7 --machines 30 --rate 200 --records 1600 --start +500ms";
    let path = cut(&broker, words, "KILL", folder.path(), 100);
    thread::sleep(Duration::from_secs(1));
    let (ended, report) = resume(&broker, &path, "--max-rate-error 50%");
    ended.exits(0);
    assert_adds_up(&report);
    assert_eq!(count(&report, "/results/already_there") + total(&report, "sent"), whole(words));
    // What was due in the second between is past.
    assert!(count(&report, "/results/rate/past/sent") >= 150, "{:#}", report["results"]["rate"]);
    broker.verify(&path).exits(0);
}

#[test]
fn a_resumed_shard_counts_its_own_records() {
    let (broker, folder) = (Broker::start(), tempfile::tempdir().unwrap());
    let options = "--seed 7 --machines 60 --time simulated --rate 400 --records 2400 \
        --start 2026-01-01T00:00:00Z";
    broker.run(&format!("{options} --shard 1/2")).exits(0);
    let others = Reader::open(&broker.address(), "usage");
    drop(others);
    let words = format!("{options} --shard 0/2");
    // Those of the other shard are there before: some 400 of usage.
    let path = cut(&broker, &words, "INT", folder.path(), 450);
    let before: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let acked = total(&before, "acked");
    let (ended, report) = resume(&broker, &path, "");
    ended.exits(0);
    assert_adds_up(&report);
    assert_eq!(count(&report, "/results/already_there"), acked);
    assert_eq!(acked + total(&report, "sent"), whole(&words));
    assert!(!ended.stderr.contains("beside the run's first"), "{}", ended.stderr);
}

/// The changes of each job that a broker's topic holds, in order.
fn jobs(broker: &Broker, records: u64) -> std::collections::BTreeMap<String, Vec<String>> {
    use rdkafka::Message;
    let mut jobs = std::collections::BTreeMap::<String, Vec<String>>::new();
    for message in Reader::open(&broker.address(), "jobs").take(records as usize) {
        let value: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        let text = |name: &str| value[name].as_str().expect("a text").to_owned();
        jobs.entry(text("job_id")).or_default().push(text("status"));
    }
    jobs
}

/// A run that drops: 30,000 a second into a queue of 100 that is emptied every 30 ms.
const DROPPING: &str = "--seed 21 --machines 100 --set jobs.arrival_probability=0.1 --rate 30000 \
    --on-backlog drop -X queue.buffering.max.messages=100 -X linger.ms=30";

#[test]
fn what_is_dropped_tears_no_story() {
    let (broker, folder) = (Broker::start(), tempfile::tempdir().unwrap());
    let path = folder.path().join("run.json");
    let ended = broker.run(&format!("{DROPPING} --records 60000 --start +2s"));
    fs::write(&path, &ended.exits(0).stdout).unwrap();
    let report = ended.report();
    assert_adds_up(&report);
    assert!(total(&report, "dropped") > 1000, "{:#}", report["results"]["rate"]);
    assert_eq!(count(&report, "/results/records/jobs/dropped"), 0, "no change of a job is dropped");
    assert!(count(&report, "/results/rate/measured/deferred") > 0);
    // No change of a job is missing before another.
    for (job, states) in jobs(&broker, sent(&report, "jobs")) {
        let first = states[0].as_str();
        assert!(first == "queued" || first == "cancelled", "{job} begins with {states:?}");
        let rank = |state: &String| match state.as_str() {
            "queued" => 0,
            "running" => 1,
            _ => 2,
        };
        assert!(states.windows(2).all(|pair| rank(&pair[0]) < rank(&pair[1])), "{job}: {states:?}");
        if states.iter().any(|state| state == "succeeded" || state == "failed") {
            assert_eq!(states.len(), 3, "{job}: {states:?}");
        }
    }
    // Those that waited at the end are told.
    let told = count(&report, "/results/torn");
    assert_eq!(ended.stderr.contains("lack a part"), told > 0, "{told} torn: {}", ended.stderr);
    // And the run can be made again from its report.
    let verdict = broker.verify(&path);
    assert!(verdict.exits(0).report()["matches"] == true);
}

#[test]
fn a_resumed_run_leaves_dropped_what_it_dropped() {
    let (broker, folder) = (Broker::start(), tempfile::tempdir().unwrap());
    let words = format!("{DROPPING} --threads 2 --time simulated --records 90000");
    let path = cut(&broker, &words, "INT", folder.path(), 2000);
    let before: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(before["results"]["ended"], "interrupted");
    let dropped = total(&before, "dropped") + count(&before, "/results/rate/measured/deferred");
    assert!(dropped > 0);
    // Another number of threads than it had is no help.
    let (ended, report) = resume(&broker, &path, "--threads 1");
    ended.exits(0);
    assert_adds_up(&report);
    assert_eq!(count(&report, "/results/already_dropped"), dropped);
    assert_eq!(count(&report, "/results/already_there"), total(&before, "acked"));
    broker.verify(&path).exits(0);
}

#[test]
fn nothing_is_verified_of_a_run_that_sent_nothing() {
    let (broker, folder) = (Broker::start(), tempfile::tempdir().unwrap());
    let path = folder.path().join("run.json");
    let ended = broker.run("--seed 1 --rate max --records 0 --topics telemetry");
    fs::write(&path, &ended.exits(0).stdout).unwrap();
    let verdict = broker.verify(&path);
    assert!(verdict.exits(0).stderr.contains("nothing to verify"), "{}", verdict.stderr);
}
