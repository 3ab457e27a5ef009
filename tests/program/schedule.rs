//! What options of a run mean for its schedule: which exclude each other, which time they imply, and
//! when it starts. What the schedule then is, the model's own tests show.

use std::collections::BTreeMap;
use std::time::Duration;

use fleetstorm::exit::ExitCode;
use fleetstorm::run::plan::Plan;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;
use fleetstorm_model::schedule::{Pace, Time};

use crate::options::{manifest_at, run_at};
use crate::parts::{MODES, NOW_MS, Received, Sent, scenarios};
use crate::words;
use crate::worker::{LONG_AGO_NS, SECOND_NS, work};

const DAY_MS: i64 = 86_400_000;

fn planned(options: &str) -> Manifest {
    manifest_at(NOW_MS, options)
}

/// What a run has sent.
struct Made {
    /// Records that own a slot, in the order in which they came.
    records: Vec<Sent>,
    /// Announcements of machines.
    announced: Vec<Sent>,
}

/// Works off a run whose schedule began `elapsed_ns` ago and is measured from `measured_ns` on.
fn make(manifest: &Manifest, elapsed_ns: u64, measured_ns: u64) -> Made {
    let (sent, _) = work(manifest, (0, 1), elapsed_ns, measured_ns);
    let (announced, records) = sent.into_iter().partition(|(topic, ..)| *topic == Topic::Machines);
    Made { records, announced }
}

/// Records but for the instants at which they were due.
fn without_instants(records: &[Sent]) -> Vec<Sent> {
    let without = |received: &Received| Received { intended_ns: None, ..received.clone() };
    records.iter().map(|(topic, key, r)| (*topic, key.clone(), without(r))).collect()
}

/// Fails at the first difference, rather than with all records.
fn assert_same(a: &[Sent], b: &[Sent], context: &str) {
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert_eq!(a, b, "{context}: record {i}");
    }
    assert_eq!(a.len(), b.len(), "{context}: number of records");
}

/// More options than those that the tests of determinism name, so that each of them comes once.
const MORE: [&str; 7] = [
    "--rate-profile steps:5@5s,6@6s --repeat --records 9",
    "--rate-profile sine:1..2/5s --time simulated --interval 5s",
    "--scenario production --peak-rate 50",
    "--byte-rate 100kB --duration 30s",
    "--shard 1/3",
    "--time live",
    "--job-key machine_id --format avro --speed 0.5x",
];

#[test]
fn the_models_tests_read_options_as_the_command_line_does() {
    let more = MODES.into_iter().chain(MORE).map(str::to_owned);
    for options in more.chain(scenarios()) {
        let options = format!("--seed 42 --start 2026-01-01 {options}");
        let read = words::manifest_at(NOW_MS, &options);
        assert_eq!(planned(&options), read, "{options}");
    }
}

#[test]
fn speed_and_an_unlimited_rate_imply_simulated_time() {
    assert_eq!(planned("").time, Time::Live);
    assert_eq!(planned("--rate 100").time, Time::Live);
    assert_eq!(planned("--rate max").time, Time::Simulated);
    assert_eq!(planned("--speed 60x").time, Time::Simulated);
    assert_eq!(planned("--speed 60x --time simulated").time, Time::Simulated);
    assert_eq!(planned("--rate 100 --time simulated --interval 5s").time, Time::Simulated);
    assert_eq!(planned("--speed 60x").pace, Pace::Natural(60.0));
    assert_eq!(planned("--rate max").pace, Pace::Max);
}

#[test]
fn a_backfill_and_what_follows_it_are_one_grid() {
    const HOUR_MS: i64 = 3_600_000;
    let options = "--seed 42 --machines 20 --start -7d --interval 1h --readings 170";
    let manifest = planned(options);
    assert_eq!(manifest.time, Time::Live);
    assert_eq!(manifest.start.timestamp_millis(), NOW_MS - 7 * DAY_MS);

    // Whenever it is run, and wherever its past ends.
    let week_ns = 7 * 86_400 * SECOND_NS;
    let made = make(&manifest, LONG_AGO_NS, week_ns);
    let expected = without_instants(&made.records);
    for (elapsed_ns, measured_ns) in [
        (LONG_AGO_NS, 0),
        (LONG_AGO_NS - 12_345, week_ns + 5),
        (9 * 86_400 * SECOND_NS, LONG_AGO_NS),
    ] {
        let again = make(&manifest, elapsed_ns, measured_ns);
        assert_same(&expected, &without_instants(&again.records), "run at another time");
        assert_same(&made.announced, &again.announced, "announced at another time");
    }
    // And whether its start is given as so long ago or as an instant.
    let start = (NOW_MS - 7 * DAY_MS).to_string();
    let absolute = make(&planned(&options.replace("-7d", &start)), LONG_AGO_NS, 0);
    assert_same(&expected, &without_instants(&absolute.records), "from an absolute start");

    // Latency is measured from the seam on, and the seam changes nothing else.
    let (mut past, mut live) = (0, 0);
    for (.., record) in &made.records {
        match record.intended_ns {
            None => {
                assert!(record.timestamp_ms <= NOW_MS);
                past += 1;
            }
            Some(due) => {
                assert!(due >= week_ns && record.timestamp_ms >= NOW_MS);
                live += 1;
            }
        }
    }
    // Two of 170 hours lie behind the seam; at most one reading's slots straddle it.
    assert!((2 * 60 - 3..=2 * 60 + 3).contains(&live), "{live} records after the seam");
    assert_eq!(past + live, 170 * 60);
    let mut telemetry: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (topic, key, record) in &made.records {
        if *topic == Topic::Telemetry {
            telemetry.entry(key).or_default().push(record.timestamp_ms);
        }
    }
    assert_eq!(telemetry.len(), 20);
    for (key, times) in telemetry {
        assert!(times.windows(2).all(|w| w[1] - w[0] == HOUR_MS), "{key} leaves the grid");
    }
}

#[test]
fn options_that_exclude_each_other_are_named() {
    for (options, named) in [
        ("--rate max --time live", ["--rate max", "--time live"]),
        ("--speed 60x --time live", ["--speed", "--time live"]),
        ("--interval 5s --rate 100", ["--interval", "--rate"]),
        ("--interval 5s --rate 100 --time live", ["--interval", "--rate"]),
        ("--speed 60x --rate 100", ["--speed", "--rate"]),
        ("--speed 60x --rate max", ["--speed", "--rate"]),
        ("--speed 60x --rate 100 --time simulated", ["--speed", "--rate"]),
        ("--speed 60x --byte-rate 1MB", ["--speed", "--byte-rate"]),
        ("--speed 60x --rate-profile sine:1..2/5s", ["--speed", "--rate-profile"]),
        ("--interval 5s --rate-profile sine:1..2/5s", ["--interval", "--rate-profile"]),
        ("--interval 5s --scenario production --peak-rate 5", ["--interval", "--peak-rate"]),
        ("--peak-rate 5", ["--peak-rate", "temporal_patterns"]),
        ("--rate-profile csv:no-such-file", ["trace", "no-such-file"]),
        ("--byte-rate 1MB --topics machines", ["--byte-rate", "topic"]),
        ("--rate max --on-backlog drop", ["--on-backlog", "--rate max"]),
        ("--rate max --max-rate-error 1%", ["--max-rate-error", "--rate max"]),
        ("--shard job/3 --seed 1 --start 2026-01-01", ["--shard", "JOB_COMPLETION_INDEX"]),
        ("--rate-profile sine:1..2/5s --start -1d", ["--rate", "--start"]),
        ("--shard 0/3 --seed 1", ["--shard", "--start"]),
        ("--shard 0/3 --start 2026-01-01", ["--shard", "--seed"]),
        ("--rate 100 --start -1d", ["--rate", "--start"]),
        ("--rate 100 --start 2020-01-01", ["--rate", "--start"]),
        ("--sink stdout --format avro", ["--sink stdout", "--format avro"]),
    ] {
        let options = format!("--readings 10 {options}");
        match run_at(NOW_MS, &options) {
            Err(error) if error.exit_code() == ExitCode::Usage => {
                let text = error.to_string();
                for name in named {
                    assert!(text.contains(name), "{options}: {name} is not named in: {text}");
                }
                assert_eq!(text.lines().count(), 1, "{options}: {text}");
            }
            other => panic!("{options}: {:?}", other.map(|run| run.manifest)),
        }
    }
    for options in [
        "--rate max --time simulated --interval 5s",
        "--rate-profile sine:1..2/5s --time simulated --interval 5s",
        "--scenario production --peak-rate 50 --time simulated --interval 5s",
        "--rate-profile steps:5@5s,6@6s --repeat",
        "--rate 100 --start -1d --time simulated",
        "--rate max --start -1d",
        "--rate 100 --start +10s",
        "--rate 100 --start -5s",
        "--start -7d --interval 1h",
        "--shard 0/3 --seed 1 --start 2026-01-01",
        "--shard 0/1",
    ] {
        let run = run_at(NOW_MS, &format!("--readings 10 {options}"));
        assert!(run.is_ok(), "{options}: {:?}", run.err());
    }
}

#[test]
fn shards_refuse_a_start_that_follows_each_process_clock() {
    for start in ["now", "-7d", "+10s"] {
        let options = format!("--shard 1/3 --seed 1 --start {start}");
        match run_at(NOW_MS, &options) {
            Err(error) if error.exit_code() == ExitCode::Usage => {
                let text = error.to_string();
                assert!(text.contains("--shard") && text.contains("--start"), "{text}");
            }
            other => panic!(
                "`{options}` was taken, though the next shard, a second later, would start at \
                 another instant: {:?}",
                other.map(|run| run.manifest.start)
            ),
        }
    }
}

#[test]
fn simulated_time_without_a_known_length_starts_when_the_run_begins() {
    for options in ["--rate max", "--speed 60x", "--time simulated", "--rate max --duration 5s"] {
        let run = run_at(NOW_MS, options).expect("the options make a run");
        let mut plan = Plan::new(run);
        let manifest = plan.begin(NOW_MS + 1234, Duration::ZERO);
        assert_eq!(manifest.start.timestamp_millis(), NOW_MS + 1234, "{options}");
    }
}

#[test]
fn a_number_of_jobs_needs_a_run_that_ends() {
    for patterns in ["", "--set temporal_patterns.enable_diurnal=true"] {
        let error = run_at(0, &format!("--rate max --seed 1 --jobs 100 {patterns}")).unwrap_err();
        assert!(error.to_string().contains("n_jobs"), "{error}");
        assert_eq!(error.exit_code(), ExitCode::Usage, "{error}");
    }
}
