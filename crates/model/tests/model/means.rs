//! The means that the configuration asks for are the fleet's, and a fleet of which no trouble was asked
//! for is healthy.
//!
//! Machines are independent samples of a mean: its standard error is that of the means of machines. It counts
//! the difference of types as chance, though a fleet has its exact mix, so that bounds are wide rather than narrow.

use std::collections::BTreeMap;

use fleetstorm_model::record::{Record, Telemetry};

use crate::support::statistics::{SIGMAS, assert_near, mean, standard_error};
use crate::support::stream::simulate;

/// How far a mean may lie from what was asked for: what users are promised.
const PROMISED: f64 = 0.02;
/// What the levels are computed by, the mean job in place of each job's own use, is off by less than this.
const APPROXIMATION: f64 = 0.003;

/// What is summed over the readings of a machine.
#[derive(Default, Clone)]
struct Sums {
    machine_type: String,
    readings: f64,
    cpu: f64,
    memory: f64,
    least_memory: f64,
    inward: f64,
    requests: f64,
    errors: f64,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

fn sums(options: &str) -> Vec<Sums> {
    let mut machines: Vec<Sums> = Vec::new();
    simulate(&format!("--topics telemetry {options}"), |at, keyed| {
        let Record::Telemetry(t) = &keyed.record else { return };
        let t: &Telemetry<&str> = t;
        machines.resize(machines.len().max(at + 1), Sums::default());
        let sums = &mut machines[at];
        if sums.readings == 0.0 {
            sums.machine_type = t.machine_type.to_owned();
            sums.least_memory = 100.0;
        }
        sums.readings += 1.0;
        sums.cpu += t.cpu_percent / 100.0;
        sums.memory += t.memory_percent / 100.0;
        sums.least_memory = sums.least_memory.min(t.memory_percent);
        sums.inward += t.network_in_mbps;
        sums.requests += t.request_count as f64;
        sums.errors += t.error_count as f64;
        sums.p50.push(t.latency_p50);
        sums.p99.push(t.latency_p99);
    });
    machines
}

/// The mean over machines of their means, and its standard error.
fn over(machines: &[Sums], of: fn(&Sums) -> f64) -> (f64, f64) {
    let means: Vec<f64> = machines.iter().map(|sums| of(sums) / sums.readings).collect();
    (mean(&means), standard_error(&means))
}

fn seeds(options: &str) -> Vec<Sums> {
    (1..=5).flat_map(|seed| sums(&format!("--seed {seed} {options}"))).collect()
}

#[test]
fn the_fleets_mean_cpu_is_what_was_asked_for_with_its_jobs() {
    for base in [0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.7, 0.8] {
        let machines = seeds(&format!("--machines 1000 --readings 60 --set base_cpu_load={base}"));
        let (found, error) = over(&machines, |sums| sums.cpu);
        assert_near(found, base, PROMISED, &format!("mean cpu at {base}"));
        // At 0.05 jobs alone take it all, and services have a fifth of it beside.
        if base > 0.05 {
            let tolerance = SIGMAS * error + APPROXIMATION;
            assert_near(found, base, tolerance, &format!("mean cpu at {base}"));
        }
    }
}

#[test]
fn the_fleets_mean_cpu_is_what_was_asked_for_in_small_and_odd_fleets() {
    for options in [
        "--machines 100 --readings 300",
        "--machines 100 --readings 300 --set machine_types=[edge]",
        "--machines 100 --readings 300 --set machine_types=[gpu,worker]",
        "--machines 100 --readings 300 --set jobs.arrival_probability=0.05",
        "--machines 100 --readings 300 --set jobs.arrival_probability=0",
        "--machines 100 --readings 300 --set load_variance=0.6",
        "--machines 100 --readings 300 --set load_variance=0",
    ] {
        for base in [0.4, 0.7] {
            let machines = seeds(&format!("{options} --set base_cpu_load={base}"));
            let (found, error) = over(&machines, |sums| sums.cpu);
            let tolerance = (SIGMAS * error + APPROXIMATION).min(PROMISED);
            assert_near(found, base, tolerance, &format!("{options}: mean cpu at {base}"));
        }
    }
}

#[test]
fn the_fleets_mean_cpu_at_the_peak_of_days_and_weeks_is_what_was_asked_for() {
    // One hour about 14:00 on a Monday, in the one region's time.
    for base in [0.2, 0.5] {
        let machines = seeds(&format!(
            "--machines 1000 --interval 60s --readings 60 --start 2026-11-23T13:30:00Z \
             --set regions=[UTC] --set temporal_patterns.enable_diurnal=true \
             --set temporal_patterns.enable_weekly=true \
             --set temporal_patterns.night_load_factor=0.2 --set base_cpu_load={base}"
        ));
        let (found, error) = over(&machines, |sums| sums.cpu);
        // Half an hour from the peak the curve is lower by 0.8 (1 - cos(pi / 24)) / 2 = 0.004.
        let tolerance = SIGMAS * error + APPROXIMATION + 0.004 * base;
        assert_near(found, base, tolerance.min(PROMISED), &format!("mean cpu at {base}"));
    }
}

#[test]
fn the_fleets_mean_memory_is_what_was_asked_for_whatever_load_does() {
    let week = "--machines 60 --interval 15m --readings 672 --start 2026-11-23";
    let days =
        "--set temporal_patterns.enable_diurnal=true --set temporal_patterns.night_load_factor=0.2";
    let weeks = "--set temporal_patterns.enable_weekly=true --set temporal_patterns.weekend_load_factor=0.35";
    for options in [
        "--machines 60 --readings 600".to_owned(),
        "--machines 60 --readings 600 --set base_cpu_load=0.7".to_owned(),
        "--machines 60 --readings 600 --set base_cpu_load=0.05 --set load_variance=0.6".to_owned(),
        format!("{week} {days}"),
        format!("{week} {weeks}"),
        format!("{week} {days} {weeks} --set base_cpu_load=0.6"),
        format!("{week} {days} {weeks} --set zone_patterns.load_spread=0.5"),
    ] {
        for base in [0.1, 0.2, 0.5, 0.9] {
            let machines = seeds(&format!("{options} --set base_memory_load={base}"));
            let (found, error) = over(&machines, |sums| sums.memory);
            let what = format!("{options}: mean memory at {base}");
            // Memory that is full is cut, which takes of the highest levels what jobs and caches would add.
            let promised = if base > 0.8 { PROMISED } else { 0.01 };
            assert_near(found, base, promised.max(SIGMAS * error).min(PROMISED), &what);
        }
    }
}

#[test]
fn a_machine_that_is_up_has_memory_in_use() {
    // The least that each type's system and agents hold, in percent.
    let floors = BTreeMap::from([("core", 3.0), ("edge", 5.0), ("worker", 2.0)]);
    for base in [0.0, 0.05, 0.2] {
        for machine in seeds(&format!(
            "--machines 40 --readings 400 --scenario degradation_cycle --set base_memory_load={base} \
             --set temporal_patterns.enable_diurnal=true --set temporal_patterns.night_load_factor=0 \
             --interval 15m"
        )) {
            let floor = floors[machine.machine_type.as_str()];
            let Sums { machine_type, least_memory, .. } = &machine;
            assert!(
                *least_memory >= floor,
                "base {base}: a machine of {machine_type}: {least_memory}"
            );
        }
    }
}

#[test]
fn traffic_goes_with_requests_and_requests_with_load() {
    let (mut traffic, mut requests) = (Vec::new(), Vec::new());
    let mut bytes: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for base in [0.1, 0.2, 0.3, 0.4, 0.5] {
        let machines = seeds(&format!(
            "--machines 100 --readings 200 --interval 60s --set base_cpu_load={base} \
             --set base_network_load=0.1"
        ));
        let (inward, _) = over(&machines, |sums| sums.inward);
        let (per_reading, _) = over(&machines, |sums| sums.requests);
        traffic.push(inward);
        requests.push(per_reading);
        for machine in machines {
            let ratio = machine.inward / machine.requests;
            bytes.entry(machine.machine_type).or_default().push(ratio);
        }
    }
    assert!(requests.is_sorted_by(|a, b| a < b), "requests by load: {requests:?}");
    assert!(traffic.is_sorted_by(|a, b| a < b), "traffic by load: {traffic:?}");
    // Each reading's traffic has a noise of 0.08 of its own, and its requests one of 1 / sqrt(60 s x 20 a second x
    // 4 cores x a load of 0.03) = 0.083 at most: of 200 readings.
    for (name, ratios) in &bytes {
        let usual = mean(ratios);
        for ratio in ratios {
            let tolerance = SIGMAS * 0.08f64.hypot(0.083) / 200f64.sqrt();
            assert_near(ratio / usual, 1.0, tolerance, &format!("bytes of a request of {name}"));
        }
    }
}

#[test]
fn links_carry_what_was_asked_for_at_the_default_load() {
    // 50 Mbps a core, of links of which few are filled.
    for base in [0.1, 0.3] {
        let mut capacity = BTreeMap::new();
        let options = format!("--machines 1000 --readings 60 --set base_network_load={base}");
        simulate(&format!("--seed 1 --topics machines {options}"), |at, keyed| {
            if let Record::Machine(machine) = &keyed.record {
                capacity.insert(at, 50.0 * f64::from(machine.cores));
            }
        });
        let machines = sums(&format!("--seed 1 {options}"));
        let used: Vec<f64> = machines
            .iter()
            .enumerate()
            .map(|(at, sums)| sums.inward / sums.readings / capacity[&at])
            .collect();
        // The services' load is 0.3 less what jobs take, 0.05, and is taken to be 0.25.
        let tolerance = SIGMAS * standard_error(&used) + 0.02 * base;
        assert_near(mean(&used), base, tolerance, "utilization of links");
    }
}

#[test]
fn a_fleet_of_which_no_trouble_was_asked_for_is_healthy() {
    for seed in 1..=6 {
        let machines = sums(&format!("--seed {seed} --machines 100 --readings 600"));
        let all = |of: fn(&Sums) -> f64| machines.iter().map(of).sum::<f64>();
        let failed = all(|sums| sums.errors) / all(|sums| sums.requests);
        assert!(failed < 0.005, "seed {seed}: {failed} of all requests fail");
        for sums in &machines {
            let failed = sums.errors / sums.requests;
            assert!(failed < 0.02, "seed {seed}: a machine fails {failed} of its requests");
        }
        // On a machine that is not full a response at the 99th percentile takes three times the median, and in a
        // queue up to ln 100 / ln 2 = 6.6 times.
        let mut ratios: Vec<f64> = machines
            .iter()
            .flat_map(|sums| sums.p99.iter().zip(&sums.p50).map(|(p99, p50)| p99 / p50))
            .collect();
        ratios.sort_by(f64::total_cmp);
        let at = |part: f64| ratios[(part * ratios.len() as f64) as usize];
        assert!((2.5..3.5).contains(&at(0.5)), "seed {seed}: p99 is {} times p50", at(0.5));
        assert!(at(0.999) < 8.0, "seed {seed}: p99 is up to {} times p50", at(0.999));
    }
}
