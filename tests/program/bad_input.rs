//! What the program reads and others have written, at length and at random: whatever it is, the
//! answer is an error that says so, or something that can be worked with. `PROPTEST_CASES` asks for
//! more cases than the few seconds' worth here.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fleetstorm::registry::{Registry, RegistrySettings};
use fleetstorm::report::merge;
use fleetstorm::report::read::{self, ReadReport};
use fleetstorm::sink::kafka::topics::TopicConfig;
use fleetstorm::sink::property::Property;
use fleetstorm::verify::runs::Runs;
use fleetstorm_model::config::resolve;
use fleetstorm_model::config::units::{
    ByteRate, Level, Percent, Rate, RateLimit, Shard, ShardChoice, Span, Speed, StartTime,
};
use fleetstorm_model::config::{Layer, Origin};
use fleetstorm_model::encoding::SchemaId;
use fleetstorm_model::fleet::Share;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;
use fleetstorm_model::schedule::{Profile, trace};
use fleetstorm_model::stream::Stream;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::mutation::{Change, changed, changes};
use crate::support::run;

/// So many cases, unless the environment asks for more.
fn cases(count: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(count), ..ProptestConfig::default() }
}

// --- reports -----------------------------------------------------------------------------------

/// Reports of real runs, each with a pace of its own, filled up with what only a broker tells.
static REPORTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let csv = folder.path().join("trace.csv");
    std::fs::write(&csv, "0,100000\n1,0\n2,200000\n").expect("a file can be written");
    let csv = format!("csv:{}", csv.display());
    let common = [
        "run",
        "--sink",
        "null",
        "--seed",
        "5",
        "--machines",
        "40",
        "--records",
        "3000",
        "--report",
        "-",
        "--topics",
        "telemetry,usage,status,jobs,machines,incidents",
    ];
    let paces: [&[&str]; 7] = [
        &["--rate", "max", "--scenario", "chaos", "--start", "2026-01-01", "--shard", "1/3"],
        &["--rate", "max", "--scenario", "production", "--machines-refresh", "10s"],
        &["--rate", "100k", "--time", "simulated", "--job-key", "job_id", "--jobs", "20"],
        &["--speed", "1000x", "--interval", "1m", "--set", "maintenance.enable=true"],
        &["--rate-profile", "steps:100k@1s,0@5ms,50k@1s", "--repeat"],
        &["--rate-profile", &csv, "--scenario", "multi_zone"],
        &["--peak-rate", "1M", "--scenario", "production", "--time", "simulated"],
    ];
    let report = |more: &&[&str]| {
        let ended = run(&[&common[..], more].concat());
        ended.exits(0);
        let mut report = ended.report();
        let shard = report["manifest"]["shard"].clone();
        let mut ends = serde_json::Map::new();
        for entry in report["manifest"]["topics"].as_array_mut().expect("there are topics") {
            entry["start_offsets"] = json!(vec![7; 6]);
            ends.insert(entry["topic"].as_str().expect("a name").to_owned(), json!(vec![99; 6]));
        }
        report["results"]["end_offsets"] = ends.into();
        let at = "2026-01-01T00:00:00Z";
        report["results"]["dropped"] = json!([{
            "shard": shard, "thread": "1/2", "first_slot": 3, "last_slot": 9, "from": at, "to": at,
            "records": 7
        }]);
        report["shards"] = json!([shard]);
        report
    };
    paces.iter().map(report).collect()
});

fn read(document: &Value) -> Result<ReadReport, String> {
    let text = document.to_string();
    read::text(Path::new("report.json"), text.as_bytes()).map_err(|error| {
        let text = error.to_string();
        assert!(text.contains("report.json"), "{text}");
        text
    })
}

/// Works with what was read as verifying and merging do, but for the broker.
fn work_with(read: ReadReport) {
    let manifest = read.report.manifest.clone();
    for wait in [manifest.fleet_time(), Some(Duration::from_secs(1))].into_iter().flatten() {
        let _ms = manifest.span_ms(wait);
    }
    let _ends = (manifest.end_slot(), manifest.end_ns(), manifest.ends_after());
    let schedule = manifest.schedule();
    for records in [0.0, 1.0, 1e6, 1e18] {
        assert!(schedule.instant(records).is_none_or(|instant| !instant.is_nan()), "{records}");
    }
    let runs = Runs::of(read).expect("one report is of one run");
    let _told = (runs.manifest(), runs.whole(), runs.are_all(), runs.keyed_by_machine());
    for topic in Topic::ALL {
        let _told = (runs.end_offsets(topic), runs.acknowledged(topic));
    }
    let run = &runs.runs[0];
    for share in run.shares(3).into_iter().take(2) {
        let _spans = run.dropped(share);
        // The most that the reader lets a fleet have is allowed, and takes a while.
        if manifest.config.n_machines <= 2000 {
            make(&manifest, share);
        }
    }
}

/// Makes the first records of a share.
fn make(manifest: &Manifest, share: Share) {
    let (encoder, mut buffer) = (manifest.encoder(), Vec::new());
    let mut stream = Stream::new(manifest, share);
    for _ in 0..2000 {
        let Some(step) = stream.next() else { break };
        stream.record(&step, |keyed| {
            keyed.map(|keyed| encoder.encode(keyed.record, &mut buffer).len())
        });
    }
}

#[test]
fn reports_as_they_were_written_are_read() {
    for report in REPORTS.iter() {
        work_with(read(report).unwrap_or_else(|error| panic!("{error}")));
    }
}

#[test]
fn what_no_run_writes_is_refused_by_name() {
    let refused = |pointer: &str, value: Value, named: &str| {
        let mut report = REPORTS[0].clone();
        *report.pointer_mut(pointer).unwrap_or_else(|| panic!("there is {pointer}")) = value;
        let error = read(&report).err().unwrap_or_else(|| panic!("{pointer} is refused"));
        assert!(error.contains(named), "{named:?} is in: {error}");
    };
    refused("/manifest/config/n_machines", json!(0), "n_machines");
    refused("/manifest/config/n_machines", json!(4_000_000_000u32), "n_machines");
    refused("/manifest/config/zones", json!([]), "zones");
    refused("/manifest/start", json!("+200000-01-01T00:00:00Z"), "start");
    refused("/manifest/pace", json!({"natural": -1.0}), "pace");
    refused("/manifest/pace", json!({"rate": {"steps": []}}), "always 0");
    let far = json!([{"at_s": 0.0, "rate": 1}, {"at_s": 1e300, "rate": 1}]);
    refused("/manifest/pace", json!({"rate": {"trace": far}}), "36525 days");
    let endless = json!({"rate": {"repeat": {"constant": 1}}});
    refused("/manifest/pace", endless, "can't be repeated");
    let wave = json!({"rate": {"sine": {"min": 9, "max": 1, "period": "1s"}}});
    refused("/manifest/pace", wave, "more than");
    refused("/manifest/shard", json!("3/3"), "the index must be from 0 to 2");
    refused("/manifest/topics", json!([]), "topics");
    let twice = json!([REPORTS[0]["manifest"]["topics"][0], REPORTS[0]["manifest"]["topics"][0]]);
    refused("/manifest/topics", twice, "twice");
    refused("/manifest/topics/0/partitions", json!(0), "0 partitions");
    refused("/manifest/topics/0/partitions", json!(u32::MAX), "partitions");
    refused("/manifest/topics/0/start_offsets", json!([1]), "1 start offsets");
    refused("/manifest/topics/0/start_offsets/0", json!(i64::MIN), "start offset");
    refused("/manifest/topics/0/name", json!(""), "name");
    refused("/shards", json!([]), "shards");
    refused("/shards", json!(["0/3", "0/3"]), "shards");
    refused("/shards", json!(["0/3", "0/4"]), "shards");
    refused("/results/dropped/0/thread", json!("0/4000000000"), "dropped");
    refused("/results/dropped/0/last_slot", json!(1), "dropped");
    refused("/results/end_offsets/usage", json!([1, 2]), "end offsets");
    refused("/results/end_offsets/usage/0", json!(-5), "end offsets");
    // A fleet whose events no slot could carry, so that they would queue without end.
    refused("/manifest/config/anomalies/cpu_spike_probability", json!(1.0), "event slots");
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn a_changed_report_is_refused_or_can_be_worked_with(
        which in any::<prop::sample::Index>(),
        changes in changes(),
    ) {
        if let Ok(read) = read(&changed(which.get(&REPORTS), &changes)) {
            work_with(read);
        }
    }

    /// Away from the manifest, so that more of them are read.
    #[test]
    fn changed_results_are_refused_or_merged(
        which in any::<prop::sample::Index>(),
        changes in changes(),
    ) {
        let mut report = which.get(&REPORTS).clone();
        let results: Vec<(usize, Change)> = changes;
        report["results"] = changed(&report["results"], &results);
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        std::fs::write(file.path(), report.to_string()).expect("a file can be written");
        let path = file.path().to_owned();
        match merge::merge(&[path.clone(), path.clone()]) {
            Ok(_) => prop_assert!(false, "a shard is not merged with itself"),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        if let Ok(merged) = merge::merge(&[path]) {
            let _named = merge::missing(&merged);
            let _sums = merged.results.as_ref().map(|r| (r.failed(), r.unconfirmed(), r.total()));
        }
    }
}

// --- units and profiles ------------------------------------------------------------------------

/// Texts that are nearly units, profiles and settings.
fn nearly() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "0",
        "1",
        "9",
        "00",
        "5",
        "60",
        "1e9",
        "1e400",
        "-",
        "+",
        ".",
        "..",
        "/",
        "/s",
        "@",
        ",",
        ":",
        "k",
        "M",
        "x",
        "%",
        "s",
        "m",
        "h",
        "d",
        "ms",
        "ns",
        "y",
        "job",
        "now",
        "max",
        "ramp:",
        "steps:",
        "sine:",
        "burst:",
        "csv:",
        "T",
        "Z",
        "2026-01-01",
        "00:00:00",
        "18446744073709551615",
        "99999999999",
        "nan",
        "inf",
        "_",
        " ",
        "\t",
        "\u{a0}",
        "é",
        "KiB",
        "MB",
        "TB",
        "Mb",
        "=",
        "telemetry:",
        "linger.ms",
    ]);
    prop_oneof![
        3 => prop::collection::vec(parts, 0..9).prop_map(|parts| parts.concat()),
        1 => "\\PC{0,30}",
        1 => "[0-9.]{1,40}(s|ms|d|h|x|k|M|%|MB|/[0-9]{1,12})?",
    ]
}

/// A unit that is read is written so that it is read again as the same.
#[track_caller]
fn read_back<U>(text: &str)
where
    U: std::str::FromStr + std::fmt::Display + PartialEq + std::fmt::Debug,
    U::Err: std::fmt::Display,
{
    match text.parse::<U>() {
        Ok(unit) => {
            let written = unit.to_string();
            assert_eq!(written.parse::<U>().ok(), Some(unit), "{text:?} is written {written:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn check_course(profile: &Profile) {
    let course = profile.course();
    assert!(
        course.peak() > 0.0 && course.peak().is_finite() && course.trough() >= 0.0,
        "{profile}"
    );
    let mut last = 0.0;
    for seconds in [0.0, 1e-9, 0.5, 1.0, 60.0, 1e5, 1e9, 4e9, 1e13] {
        let due = course.integral(seconds);
        assert!(due >= last - 1e-6 * due.abs() && due.is_finite(), "{profile}: {due} at {seconds}");
        last = due;
    }
    for records in [0.0, 0.5, 1.0, 1e6, 1e12, 1e20] {
        assert!(course.instant(records) >= 0.0, "{profile}: record {records}");
    }
}

#[test]
fn profiles_that_were_found_wanting_are_well() {
    // Its trough was rounded to less than nothing.
    check_course(&"ramp:1000000000..0/1ns".parse().expect("it is a profile"));
    // Its length was without an end, and what was due no number.
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(file.path(), "0,1\n1e300,1\n").expect("a file can be written");
    let error = trace::read(file.path()).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("36525 days"), "{error}");
    // A weekend that lasts for ever in simulated time.
    let still = [
        "run",
        "--sink",
        "null",
        "--peak-rate",
        "1000",
        "--time",
        "simulated",
        "--records",
        "10",
        "--set",
        "temporal_patterns.enable_weekly=true",
        "--set",
        "temporal_patterns.weekend_load_factor=0",
    ];
    let ended = run(&still);
    ended.exits(2);
    assert!(ended.stderr.contains("weekend_load_factor"), "{}", ended.stderr);
}

#[test]
fn a_clock_that_has_run_for_centuries_does_not_begin_again() {
    let words = [
        "run",
        "--sink",
        "stdout",
        "--rate",
        "max",
        "--machines",
        "1",
        "--topics",
        "usage",
        "--records",
        "20",
        "--interval",
        "36525d",
        "--start",
        "2026-01-01",
        "--seed",
        "1",
    ];
    let ended = run(&words);
    ended.exits(0);
    let stamps: Vec<i64> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"))
        .map(|record| record["timestamp"].as_i64().expect("records are stamped"))
        .collect();
    assert_eq!(stamps.len(), 20);
    assert!(stamps.is_sorted(), "{stamps:?}");
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn units_are_read_back_or_refused(text in nearly()) {
        read_back::<Shard>(&text);
        read_back::<Span>(&text);
        read_back::<StartTime>(&text);
        read_back::<Rate>(&text);
        read_back::<Level>(&text);
        read_back::<RateLimit>(&text);
        read_back::<Speed>(&text);
        read_back::<ByteRate>(&text);
        read_back::<Percent>(&text);
        let _choice = text.parse::<ShardChoice>().map_err(|error| error.to_string());
        let _setting = text.parse::<Property>();
        let _setting = text.parse::<TopicConfig>();
        if let Ok(start) = text.parse::<StartTime>() {
            let _instant = (start.resolve(0), start.resolve(i64::MAX), start.resolve(i64::MIN));
        }
        if let Ok(trace::Source::Text(profile)) = text.parse() {
            check_course(&profile);
        }
    }

    #[test]
    fn profiles_are_read_back_or_refused(
        kind in prop::sample::select(vec!["ramp:", "steps:", "sine:", "burst:"]),
        rates in prop::collection::vec(prop::sample::select(vec!["0", "1", "0.000001", "1e9", "1000M", "5k", "-1", "1e10"]), 3),
        times in prop::collection::vec(prop::sample::select(vec!["1ns", "1s", "36525d", "0s", "1m 30s", "5", "99999d"]), 3),
    ) {
        let (r, t) = (&rates, &times);
        let text = match kind {
            "steps:" => format!("steps:{}@{},{}@{},{}@{}", r[0], t[0], r[1], t[1], r[2], t[2]),
            "burst:" => format!("burst:{}+{}/{}/{}", r[0], r[1], t[0], t[1]),
            kind => format!("{kind}{}..{}/{}", r[0], r[1], t[0]),
        };
        if let Ok(profile) = text.parse::<Profile>() {
            prop_assert_eq!(profile.to_string().parse::<Profile>().ok(), Some(profile.clone()));
            check_course(&profile);
            check_course(&profile.repeated());
        }
    }
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn traces_are_read_or_refused(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "0,1\n", "1,0\n", "2,5k\n", "2,1e9\n", "1e300,1\n", "-1,1\n", "nan,1\n", "inf,1\n", "3153600000,1\n",
                "time,rate\n", "#\n", "\n", "\"", "a,b,c\n", "0\n", "2026-01-01T00:00:00Z,1\n",
                "2026-01-01T00:00:05Z,0\n", "-262143-01-01T00:00:00Z,1\n", "9999-12-31T23:59:60Z,1\n", ",\n", "\u{feff}",
                "0.1", ",", "1e-9,1\n", "0,0.000001\n",
            ]),
            0..12,
        ),
        bytes in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let mut text = lines.concat().into_bytes();
        text.extend(bytes);
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        std::fs::write(file.path(), text).expect("a file can be written");
        match trace::read(file.path()) {
            Ok(profile) => {
                check_course(&profile);
                check_course(&profile.repeated());
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn settings_are_resolved_or_refused(
        changes in changes(),
        text in nearly(),
        key in any::<prop::sample::Index>(),
    ) {
        let config = &REPORTS[1]["manifest"]["config"];
        let value = changed(config, &changes);
        let keys: Vec<&String> = config.as_object().expect("it has keys").keys().collect();
        let set = Layer::from_set(&format!("{}={text}", key.get(&keys)));
        let yaml = Layer::from_yaml(Origin::File("f".into()), &value.to_string());
        for layer in [set, yaml, Ok(Layer { origin: Origin::File("f".into()), value })] {
            let resolved = layer.and_then(|layer| resolve(vec![layer]));
            if let Err(error) = resolved {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn files_without_an_end_are_given_up() {
    let endless = Path::new("/dev/zero");
    assert!(trace::read(endless).is_err());
    let error = read::file(endless).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("too large"), "{error}");
}

// --- registries --------------------------------------------------------------------------------

/// How long a registry is asked at most.
const DEADLINE: Duration = Duration::from_millis(60);
/// What a call may take beyond it: one request's own time, and a busy machine's.
const GRACE: Duration = Duration::from_secs(10);

/// A registry that answers every request with what is put into it, and then hangs up.
static REGISTRY: LazyLock<(String, Arc<Mutex<Vec<u8>>>)> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it has an address"));
    let answer = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answer: Vec<u8> = shared.lock().unwrap().clone();
            thread::spawn(move || {
                let _hung_up = stream.set_read_timeout(Some(Duration::from_millis(20)));
                let mut chunk = [0; 8192];
                while matches!(stream.read(&mut chunk), Ok(n) if n > 0) {}
                let _hung_up = stream.write_all(&answer);
            });
        }
    });
    (url, answer)
});

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_registry_may_answer_anything(
        status in prop_oneof![Just(200u16), Just(404), Just(409), Just(422), 0u16..1000],
        head in prop::sample::select(vec![
            "", "Content-Length: 5\r\n", "Content-Length: 99999999999999\r\n", "Transfer-Encoding: chunked\r\n",
            "Content-Length: -1\r\n", "Content-Encoding: gzip\r\n", "Location: /\r\n", "Content-Type: \u{0}\r\n",
            "Content-Length: 2\r\nContent-Length: 3\r\n", "Content-Type: application/json\r\n",
        ]),
        body in prop_oneof![
            prop::sample::select(vec![
                "{\"id\":1}", "{\"id\":-1}", "{\"id\":4294967296}", "{\"id\":1e99}", "{\"schema\":\"\\\"int\\\"\"}",
                "{\"schema\":7}", "{\"error_code\":1,\"message\":\"\u{1b}[31m\"}", "[[[[[[[[[[[", "{", "[]", "null", "",
                "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R\\\",\\\"fields\\\":[{\\\"name\\\":\\\"f\\\",\\\"type\\\":\\\"R\\\"}]}\"}",
                "ffffffffffffffff\r\n", "5\r\n[]",
            ]).prop_map(|text| text.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..200),
        ],
        raw in any::<bool>(),
    ) {
        let (url, answer) = &*REGISTRY;
        let mut bytes = if raw && body.len() > 100 {
            Vec::new()
        } else {
            format!("HTTP/1.1 {status:03} \r\n{head}\r\n").into_bytes()
        };
        bytes.extend(body);
        *answer.lock().unwrap() = bytes;
        let mut settings = RegistrySettings::new(url.clone());
        settings.deadline = DEADLINE;
        let registry = Registry::new(&settings).expect("it is a URL");
        let began = Instant::now();
        let registered = registry.register("s", "\"int\"").map_err(|error| error.to_string());
        let schema = registry.schema(SchemaId(1));
        let same = schema.as_ref().map(|schema| schema.is_same_as("\"int\""));
        prop_assert!(began.elapsed() < 2 * (DEADLINE + GRACE), "{:?}", began.elapsed());
        for error in [registered.err(), same.err().map(ToString::to_string)].into_iter().flatten() {
            prop_assert!(!error.contains(|c: char| c.is_control()), "{:?}", error);
            prop_assert!(error.len() < 1000, "{}", error);
        }
    }
}
