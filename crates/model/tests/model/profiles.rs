//! Rates that change over time: every profile is due as its own integral says, in live and in
//! simulated time, and ends where it should.

use std::f64::consts::TAU;
use std::io::Write;

use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;
use fleetstorm_model::schedule::{Pace, Time};

use crate::support::made::{NOW_MS, Received, make, manifest};

const LIVE: &str = "--seed 42 --start 2026-01-01 --machines 50";

/// Fails where the records of a run are further than `most` from what `integral` says is due, at any
/// of their instants. Slot j is due at j + S/2 records, for S slots.
fn assert_follows(options: &str, most: f64, integral: impl Fn(f64) -> f64) {
    let made = make(&format!("{LIVE} {options}"));
    let instants = made.instants();
    assert!(instants.len() > 1000, "{options}: {} records", instants.len());
    assert_eq!(made.silent, 0);
    for (j, &ns) in instants.iter().enumerate() {
        let due = integral(ns as f64 / 1e9);
        let sent = j as f64 + 1.5;
        assert!((due - sent).abs() <= most, "{options}: at {ns} ns {due} are due and {sent} sent");
    }
}

/// An instant is kept to a nanosecond, so a count to the highest rate times that.
const EXACT: f64 = 1e-3;

#[test]
fn a_ramp_rises_evenly_and_goes_on() {
    assert_follows("--rate-profile ramp:100..900/10s --duration 20s", EXACT, |t| {
        let rise = t.min(10.0);
        100.0 * rise + 40.0 * rise * rise + 900.0 * (t - rise)
    });
    assert_follows("--rate-profile ramp:900..0/10s", EXACT, |t| 900.0 * t - 45.0 * t * t);
}

#[test]
fn steps_follow_one_another() {
    assert_follows("--rate-profile steps:100@10s,0@5s,500@10s", EXACT, |t| {
        100.0 * t.min(10.0) + 500.0 * (t - 15.0).max(0.0)
    });
}

#[test]
fn a_sine_waves() {
    // Its lines leave it by a hundred-thousandth of the amplitude over a half-wave at most.
    let most = 1e-5 * 450.0 * 10.0;
    assert_follows("--rate-profile sine:100..1000/20s --duration 45s", most, |t| {
        550.0 * t - 450.0 * 20.0 / TAU * (TAU * t / 20.0).sin()
    });
}

#[test]
fn bursts_come_on_top_at_the_end_of_each_period() {
    assert_follows("--rate-profile burst:50+1000/10s/2s --duration 35s", EXACT, |t| {
        let (periods, within) = ((t / 10.0).floor(), t % 10.0);
        50.0 * t + 1000.0 * (2.0 * periods + (within - 8.0).max(0.0))
    });
}

#[test]
fn a_trace_is_followed_between_its_points() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "time,rate\n0,0\n10,500\n10,100\n20,100").unwrap();
    let path = file.path().display();
    assert_follows(&format!("--rate-profile csv:{path}"), EXACT, |t| {
        25.0 * t.min(10.0).powi(2) + 100.0 * (t - 10.0).max(0.0)
    });
}

#[test]
fn a_repeated_profile_begins_again_at_its_end() {
    assert_follows("--rate-profile ramp:0..400/5s --repeat --duration 17s", EXACT, |t| {
        let (rounds, within) = ((t / 5.0).floor(), t % 5.0);
        1000.0 * rounds + 40.0 * within * within
    });
}

#[test]
fn steps_and_traces_end_a_run_and_nothing_else_does() {
    let slots = |options: &str| make(&format!("{LIVE} {options}")).slots();
    // Slot j is due at j + 3/2.
    assert_eq!(slots("--rate-profile steps:100@3s,200@3s"), 899);
    assert_eq!(slots("--rate-profile steps:100@3s,200@3s --duration 4s"), 499);
    assert_eq!(slots("--rate-profile steps:100@3s,200@3s --records 50"), 50);
    assert_eq!(slots("--rate-profile steps:100@3s,200@3s --repeat --duration 9s"), 1199);
    // A ramp down to nothing is one that ends.
    assert_eq!(slots("--rate-profile ramp:200..0/10s"), 999);
    let length = |options: &str| manifest(&format!("{LIVE} {options}")).ends_after();
    assert_eq!(length("--rate-profile steps:100@3s,200@3s"), Some(6.0));
    assert_eq!(length("--rate-profile ramp:100..200/3s"), None);
    assert_eq!(length("--rate-profile sine:100..200/3s"), None);
}

#[test]
fn a_profile_only_moves_instants() {
    let same =
        "--seed 7 --machines 20 --readings 30 --start 2026-01-01 --time simulated --interval 10s";
    let without_instants = |options: &str| {
        let mut made = make(&format!("{same} {options}"));
        made.records.iter_mut().for_each(|record| record.intended_ns = None);
        made.records
    };
    let plain = without_instants("--rate 500");
    for profile in ["sine:0..1000/7s", "burst:1+5000/1s/100ms", "ramp:1000..1/3s"] {
        assert!(without_instants(&format!("--rate-profile {profile}")) == plain, "{profile}");
    }
}

#[test]
fn live_timestamps_are_the_profiles_instants() {
    let made = make(&format!("{LIVE} --rate-profile sine:10..500/10s --duration 30s"));
    for record in &made.records {
        let due_ms = (record.intended_ns.unwrap() / 1_000_000) as i64;
        assert_eq!(record.timestamp_ms, NOW_MS + due_ms);
    }
}

#[test]
fn a_manifest_keeps_its_profile() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "0,10\n5,20").unwrap();
    let trace = format!("csv:{}", file.path().display());
    for profile in
        ["ramp:0..5k/60s", "steps:1k@30s,5k@30s", "sine:1..9/1h", "burst:1+9/1m/1s", &trace]
    {
        for repeat in ["", "--repeat"] {
            let manifest = manifest(&format!("{LIVE} --rate-profile {profile} {repeat}"));
            let text = serde_json::to_string(&manifest).unwrap();
            let read: Manifest = serde_json::from_str(&text).unwrap();
            assert_eq!(read, manifest);
        }
    }
}

#[test]
fn bytes_a_second_become_records_by_their_mean_size() {
    for topics in ["telemetry", "telemetry,usage,status,jobs,machines"] {
        let options = format!(
            "--seed 3 --start 2026-01-01 --byte-rate 100kB --duration 30s --topics {topics}"
        );
        let manifest = manifest(&options);
        let kept = manifest.bytes.expect("the manifest keeps the size");
        assert!(matches!(manifest.pace, Pace::Rate(_)));
        let made = make(&options);
        let size = |r: &Received| (r.key.len() + r.value.to_string().len()) as f64;
        let paced = made.records.iter().filter(|r| r.topic != Topic::Machines);
        let bytes: f64 = paced.map(size).sum();
        // Values are JSON here, written by two programs that may differ in a digit of a number.
        let rate = bytes / 30.0;
        assert!((rate / 100_000.0 - 1.0).abs() < 0.02, "{topics}: {rate} bytes/s, {kept:?}");
    }
}

#[test]
fn a_peak_rate_follows_the_fleets_own_clock() {
    let day =
        "--seed 3 --machines 10 --set regions=[UTC] --set temporal_patterns.enable_diurnal=true";
    // 0.3 + 0.7 (1 + cos) / 2 with the peak at 14:00, so at 02:00 0.3.
    let factor = |hour: f64| 0.65 + 0.35 * ((hour - 14.0) / 24.0 * TAU).cos();
    let made = make(&format!("{day} --start 2026-01-01 --peak-rate 0.5 --duration 24h"));
    for hour in 0..24 {
        let from = hour * 3_600_000_000_000;
        let inside = |ns: &&u64| (from..from + 3_600_000_000_000).contains(*ns);
        let count = made.instants().iter().filter(inside).count() as f64;
        // The mean over an hour is that of its middle to the second order of an hour, 3e-3.
        let expected = 1800.0 * factor(hour as f64 + 0.5);
        assert!((count - expected).abs() <= 1.0 + 3e-3 * expected, "{hour}: {count}, {expected}");
    }
    // In simulated time its own timestamps decide: a day of readings an hour apart, 30 records each.
    let simulated = format!(
        "{day} --start 2026-01-01 --peak-rate 300 --time simulated --interval 1h --readings 24"
    );
    assert_eq!(manifest(&simulated).time, Time::Simulated);
    let instants = make(&simulated).instants();
    let rate = |hour: usize| 29e9 / (instants[hour * 30 + 29] - instants[hour * 30]) as f64;
    for hour in 0..24 {
        let expected = 300.0 * factor(hour as f64 + 0.5);
        assert!((rate(hour) / expected - 1.0).abs() < 0.01, "{hour}: {} {expected}", rate(hour));
    }
}
