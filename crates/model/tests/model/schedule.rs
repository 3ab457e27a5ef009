//! When records are due and what timestamps they carry, as a run's settings decide it: spacing,
//! slots and rounds, the two times, the start, and the ends.

use std::collections::BTreeMap;

use fleetstorm_model::record::Topic;
use proptest::prelude::*;

use crate::support::made::{NOW_MS, Received, SECOND_NS, make};

/// Options of live runs at a rate, whose start has to be near the process's clock.
const LIVE: &str = "--seed 42 --start 2026-01-01";

/// The instants of change that a record's payload names.
fn payload_times(record: &Received) -> Vec<i64> {
    let names: &[&str] = match record.topic {
        Topic::Telemetry | Topic::Usage => &["timestamp"],
        Topic::Status => &["last_heartbeat"],
        Topic::Jobs | Topic::Incidents => &["start_time", "end_time"],
        Topic::Machines => &["created_at"],
    };
    names.iter().filter_map(|name| record.value[name].as_i64()).collect()
}

/// Records but for the instants at which they were due.
fn without_instants(records: &[Received]) -> Vec<Received> {
    records.iter().map(|r| Received { intended_ns: None, ..r.clone() }).collect()
}

/// Fails at the first difference, rather than with all records.
fn assert_same(a: &[Received], b: &[Received], context: &str) {
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert_eq!(a, b, "{context}: record {i}");
    }
    assert_eq!(a.len(), b.len(), "{context}: number of records");
}

#[test]
fn every_second_of_a_live_rate_has_its_count() {
    for (rate, records) in [("0.2", 60), ("10", 400), ("333.3", 4000), ("5000", 30_000)] {
        let made = make(&format!("{LIVE} --rate {rate} --records {records}"));
        let rate: f64 = rate.parse().expect("a number");
        let instants = made.instants();
        assert_eq!(instants.len() as u64 + made.silent, records);
        // The last second may be cut.
        let whole = (instants[instants.len() - 1] / SECOND_NS) as usize;
        let mut seconds = vec![0u32; whole + 1];
        for instant in instants {
            seconds[(instant / SECOND_NS) as usize] += 1;
        }
        // Evenly spaced records miss a second's share by less than one. The schedule begins in the
        // middle of the first reading, so that the first second lacks up to one more.
        let first = f64::from(seconds[0]);
        assert!((rate - 2.0..rate + 1.0).contains(&first), "{rate}/s: {first} at first");
        for (second, &count) in seconds[..whole].iter().enumerate().skip(1) {
            let off = (f64::from(count) - rate).abs();
            assert!(off < 1.0, "{rate}/s: {count} records in second {second}");
        }
        // No drift: what the beginning lacks and the cut at the end are less than one record each.
        let mean = f64::from(seconds[1..whole].iter().sum::<u32>()) / (whole - 1) as f64;
        assert!((mean - rate).abs() < 2.0 / (whole - 1) as f64, "{rate}/s: {mean} on average");
    }
}

#[test]
fn readings_are_spaced_evenly_at_the_natural_pace() {
    for machines in [1u64, 3, 7, 100, 256] {
        let options = format!("{LIVE} --machines {machines} --readings 5 --interval 10s");
        let made = make(&options);
        let instants: Vec<u64> =
            made.of(Topic::Telemetry).filter_map(|record| record.intended_ns).collect();
        assert_eq!(instants.len() as u64, 5 * machines);
        for (i, instant) in instants.into_iter().enumerate() {
            // (r + (p + 1/2) / N) of the interval, to the nanosecond.
            let due = (2 * i as u64 + 1) * 10 * SECOND_NS / (2 * machines);
            assert!(instant.abs_diff(due) <= 1, "{machines} machines: {instant} for {due}");
        }
    }
}

#[test]
fn live_timestamps_are_the_instants_of_sending() {
    for pace in ["--readings 20", "--rate 1234.5 --readings 20", "--rate 0.7 --readings 1"] {
        let made = make(&format!("{LIVE} {pace}"));
        for record in &made.records {
            let due = record.intended_ns.expect("the run is paced");
            assert_eq!(record.timestamp_ms, NOW_MS + (due / 1_000_000) as i64, "{pace}");
        }
    }
}

#[test]
fn simulated_time_is_the_same_at_every_pace() {
    let fixed = "--seed 42 --start 2020-02-29 --time simulated --interval 5s --readings 20";
    let natural = make(fixed);
    assert_eq!(natural.slots(), 20 * 300);
    for pace in ["--speed 60x", "--speed 0.5x", "--rate 777", "--rate 0.9k", "--rate max"] {
        let made = make(&format!("{fixed} {pace}"));
        let (a, b) = (without_instants(&natural.records), without_instants(&made.records));
        assert_same(&a, &b, pace);
        assert_same(&natural.announced, &made.announced, pace);
    }
    // A paced run in simulated time still has instants, and they are those of its pace.
    let fast = make(&format!("{fixed} --speed 60x"));
    for (fast, natural) in fast.instants().into_iter().zip(natural.instants()) {
        assert!(fast.abs_diff(natural / 60) <= 1, "{fast} for {natural} / 60");
    }
    assert!(make(&format!("{fixed} --rate max")).records.iter().all(|r| r.intended_ns.is_none()));
}

#[test]
fn a_round_has_as_many_slots_as_its_topics_call_for() {
    for (topics, a_reading, is_silent) in [
        ("telemetry,usage,status,jobs,machines", 3, false),
        ("telemetry,usage,status", 3, false),
        ("telemetry,usage,jobs", 3, true),
        ("usage,jobs", 2, true),
        ("status", 1, false),
        ("jobs,status", 1, false),
        ("jobs", 1, true),
        ("telemetry", 1, false),
        ("machines", 0, false),
    ] {
        for machines in [1u64, 17, 100] {
            for readings in [1u64, 2, 50] {
                let options = format!(
                    "{LIVE} --rate 500 --topics {topics} --machines {machines} \
                     --readings {readings}"
                );
                let made = make(&options);
                assert_eq!(made.slots(), a_reading * machines * readings, "{options}");
                let announced = if topics.contains("machines") { machines } else { 0 };
                assert_eq!(made.announced.len() as u64, announced, "{options}");
                if !is_silent {
                    assert_eq!(made.silent, 0, "{options}");
                } else if readings == 50 {
                    assert!(made.silent > 0, "{options}: there can't be so many jobs");
                    let carried = made.of(Topic::Jobs).count() as u64;
                    assert_eq!(carried + made.silent, machines * readings, "{options}");
                }
            }
        }
    }
}

#[test]
fn payloads_are_never_ahead_of_their_records() {
    for pace in [
        "--readings 60",
        "--readings 60 --interval 1h",
        "--rate 4321.5 --readings 60",
        "--rate 3 --readings 60",
        "--rate max --readings 60 --start -7d",
        "--speed 1000x --readings 60",
        "--topics usage,jobs --readings 60",
        "--machines 1 --readings 60",
        "--machines-refresh 7s --readings 60",
    ] {
        let busy = "--set jobs.arrival_probability=0.2 --set base_cpu_load=0.7";
        let start = if pace.contains("--start") { "--seed 42" } else { LIVE };
        let made = make(&format!("{start} {busy} {pace}"));
        for record in made.announced.iter().chain(&made.records) {
            for time in payload_times(record) {
                assert!(time <= record.timestamp_ms, "{pace}: {record:?}");
            }
        }
        // A reading's own instant is that of its first slot.
        let first = if pace.contains("usage,jobs") { Topic::Usage } else { Topic::Telemetry };
        for record in made.of(first) {
            assert_eq!(payload_times(record), [record.timestamp_ms], "{pace}");
        }
    }
}

#[test]
fn timestamps_never_fall_for_a_key() {
    for pace in [
        "--readings 40",
        "--rate 1234567 --readings 40",
        "--rate 0.3 --readings 3",
        "--rate max --readings 40 --interval 1ms",
        "--speed 60x --readings 40",
        "--job-key job_id --set jobs.arrival_probability=0.2 --readings 40",
        "--machines-refresh 3s --readings 40",
        "--machines 1 --readings 40",
    ] {
        let made = make(&format!("{LIVE} {pace}"));
        for (key, records) in made.streams() {
            let rises = records.windows(2).all(|w| w[0].timestamp_ms <= w[1].timestamp_ms);
            assert!(rises, "{pace}: a timestamp of {key:?} falls");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever the rate, the fleet and the topics: one even grid of slots, and all that a
    /// consumer may rely on.
    #[test]
    fn any_live_rate_is_one_even_grid(
        exponent in -1.0f64..6.0,
        machines in 1u64..200,
        topics in prop::sample::select(vec![
            ("telemetry", 1),
            ("usage,status", 2),
            ("telemetry,usage", 2),
            ("telemetry,usage,status,jobs", 3),
            ("telemetry,usage,status,jobs,machines", 3),
        ]),
        records in 1u64..700,
        seed in 0u64..1000,
    ) {
        let (topics, a_reading) = topics;
        let rate = 10f64.powf(exponent);
        let made = make(&format!(
            "--seed {seed} --start 2026-01-01 --rate {rate} --machines {machines} \
             --topics {topics} --records {records}"
        ));
        let instants = made.instants();
        prop_assert_eq!(instants.len() as u64, records);
        for (slot, (instant, record)) in instants.iter().zip(&made.records).enumerate() {
            // Slot j of S a reading is due when j + S/2 records are: to the nanosecond, as far as
            // a double carries it.
            let due = (slot as f64 + f64::from(a_reading) / 2.0) / rate * 1e9;
            let off = (*instant as f64 - due).abs();
            prop_assert!(off <= 1.0 + due * 1e-15, "slot {} at {}, not {}", slot, instant, due);
            prop_assert_eq!(record.timestamp_ms, NOW_MS + (instant / 1_000_000) as i64);
            for time in payload_times(record) {
                prop_assert!(time <= record.timestamp_ms, "{:?}", record);
            }
        }
        // Machines take turns: between two telemetry records of one, every other has its own.
        let mut turns: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (turn, record) in made.of(Topic::Telemetry).enumerate() {
            turns.entry(&record.key).or_default().push(turn);
        }
        for turns in turns.values() {
            prop_assert!(turns.windows(2).all(|w| w[1] - w[0] == machines as usize));
        }
    }

    /// At the natural pace every machine reads once an interval, at its own phase.
    #[test]
    fn any_interval_is_kept_by_every_machine(
        interval_ms in 1i64..100_000,
        machines in 1u64..120,
        speed in prop::sample::select(vec!["", "--speed 60x", "--rate max", "--rate 55 --time simulated"]),
    ) {
        let made = make(&format!(
            "{LIVE} --interval {interval_ms}ms --machines {machines} --readings 6 {speed}"
        ));
        prop_assert_eq!(made.slots(), 3 * machines * 6);
        for ((topic, key), records) in made.streams() {
            if topic != Topic::Telemetry {
                continue;
            }
            prop_assert_eq!(records.len(), 6);
            let first = records[0].timestamp_ms;
            prop_assert!((NOW_MS..NOW_MS + interval_ms).contains(&first), "{} of {}", first, key);
            for (round, record) in records.iter().enumerate() {
                prop_assert_eq!(record.timestamp_ms, first + round as i64 * interval_ms);
            }
        }
    }
}

/// Runs of known length in simulated time, with their interval in milliseconds.
const KNOWN_LENGTHS: [(&str, i64); 9] = [
    ("--rate max --readings 1", 1000),
    ("--rate max --readings 50", 1000),
    ("--rate max --readings 3 --machines 1 --interval 1h", 3_600_000),
    ("--rate max --readings 7 --machines 7 --interval 90s", 90_000),
    ("--rate max --records 1", 1000),
    ("--rate max --records 12345", 1000),
    ("--speed 60x --duration 10s", 1000),
    ("--time simulated --rate 600 --duration 10s", 1000),
    ("--time simulated --duration 10s --readings 5", 1000),
];

#[test]
fn a_simulated_run_of_known_length_ends_now() {
    for (options, interval_ms) in KNOWN_LENGTHS {
        for topics in ["telemetry", "telemetry,usage", "telemetry,usage,status,jobs,machines"] {
            let made = make(&format!("--seed 42 --topics {topics} {options}"));
            let ago = NOW_MS - made.last_ms();
            assert!(ago >= 0, "{options} --topics {topics}: ends {} ms from now", -ago);
            assert!(ago < interval_ms, "{options} --topics {topics}: ends {ago} ms ago");
        }
    }
}

#[test]
fn a_duration_ends_a_paced_run_at_its_instant() {
    for (pace, seconds) in [
        ("", 7.3),
        ("--rate 1000", 7.3),
        ("--rate 333.3", 3.0),
        ("--speed 60x", 2.5),
        ("--time simulated --rate 1000", 7.3),
    ] {
        let longer = make(&format!("{LIVE} {pace} --readings 200"));
        let options = format!("{LIVE} {pace} --duration {}ms", seconds * 1000.0);
        let made = make(&options);
        let end_ns = (seconds * 1e9) as u64;
        let expected: Vec<Received> = longer
            .records
            .into_iter()
            .filter(|record| record.intended_ns.is_some_and(|due| due < end_ns))
            .collect();
        assert!(!expected.is_empty(), "{options}: nothing is left to compare");
        assert_same(&expected, &made.records, &options);
    }
}

#[test]
fn what_comes_first_ends_the_run() {
    let count = |options: &str| make(&format!("{LIVE} --rate 1000 {options}")).slots();
    assert_eq!(count("--readings 10"), 3000);
    assert_eq!(count("--readings 10 --records 2999"), 2999);
    assert_eq!(count("--readings 10 --records 3001"), 3000);
    assert_eq!(count("--readings 10 --duration 1h"), 3000);
    assert!(count("--readings 10 --duration 1s") <= 1000);
}

#[test]
fn machines_are_announced_again_at_their_period() {
    const START: &str = "--seed 42 --start 2026-01-01 --readings 35";
    for (options, period_ms, interval_ms) in [
        ("--rate max --machines-refresh 10s", 10_000, 1000),
        ("--machines-refresh 10s", 10_000, 1000),
        ("--interval 4s --machines-refresh 10s", 10_000, 4000),
        // A rate of twice the natural one halves the round: readings are half a second apart.
        ("--rate 600 --machines-refresh 4s", 4000, 500),
        // No oftener than the machine reads.
        ("--interval 10s --machines-refresh 3s", 10_000, 10_000),
    ] {
        let made = make(&format!("{START} {options}"));
        let length_ms = 35 * interval_ms;
        let again = (length_ms - 1) / period_ms;
        for ((topic, key), records) in made.streams() {
            if topic != Topic::Machines {
                continue;
            }
            assert_eq!(records[0].timestamp_ms, NOW_MS, "{options}: first of {key}");
            let times: Vec<i64> = records.iter().map(|r| r.timestamp_ms - NOW_MS).collect();
            assert_eq!(times.len() as i64, 1 + again, "{options}: {key} at {times:?}");
            for (n, &time) in times.iter().enumerate().skip(1) {
                // With the machine's first reading of each period.
                let due = n as i64 * period_ms;
                assert!((due..due + interval_ms).contains(&time), "{options}: {key} at {times:?}");
            }
            assert!(records.iter().all(|r| r.value == records[0].value), "{options}: {key}");
        }
        // The other records don't know of it.
        let without = options.split("--machines-refresh").next().unwrap_or_default();
        assert_same(&make(&format!("{START} {without}")).records, &made.records, options);
    }
}

#[test]
fn machines_that_were_not_selected_are_never_announced() {
    let made = make(&format!(
        "{LIVE} --topics telemetry,usage --machines-refresh 5s --readings 20 --rate max"
    ));
    assert_eq!(made.announced.len(), 0, "records of a topic that was not selected");
}
