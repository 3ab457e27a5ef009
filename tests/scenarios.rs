//! Every scenario does what its description says, visibly: on the column that its name promises it
//! can be told from baseline, it goes on as it began, and its settings are a configuration like any
//! other.
//!
//! Seeds are fixed. Machines are independent draws, readings of one machine are not: so what is
//! compared are one value a machine, by Welch's two-sample test at five standard errors, which
//! chance alone passes once in 1.7 million.
//!
//! The mistakes of the package that the configuration comes from, and what shows that they are not
//! made here:
//! 1. an inverted diurnal curve, one clock for all regions, hourly steps: `patterns.rs`
//! 2. a cascade that never fires: `failures.rs`, and here
//! 3. a cascade that never clears: `failures.rs`, and here (`chaos_goes_on_as_it_began`)
//! 4. synchronised failures: `failures.rs`
//! 5. hot machines that loop in failure: `failures.rs`
//! 6. leaks and fills that never end: `anomalies.rs`
//!    (`nothing_that_anomalies_do_gathers_over_a_long_run`), and here
//! 7. labels shorter than drawn, and on failed rows: `anomalies.rs`
//!    (`episodes_are_labelled_as_long_as_they_were_drawn`)
//! 8. a sensor drift that can't be told from noise: `anomalies.rs`, and here
//! 9. failed machines that look healthier: `failures.rs` (they report nothing)
//! 10. usage, status and jobs that share nothing with telemetry: `signals.rs`, `failures.rs`
//! 11. no autocorrelation, no character, cpu and memory uncorrelated: `signals.rs`, and here
//! 12. unknown names that are ignored: `command_line.rs`, `src/config/tests/errors.rs`, and here
//! 13. streams that share a seed and overlap: `src/random.rs`

#[path = "support/statistics.rs"]
mod statistics;
#[path = "support/stream.rs"]
mod stream;

use std::collections::{BTreeMap, HashMap};

use fleetstorm::config::{self, Layer, Origin, Scenario, resolve, scenario};
use fleetstorm::record::{Record, Telemetry};
use statistics::{SIGMAS, correlation, mean, standard_error};

/// One value a reading of every machine, by machine; the machines that are down have none.
fn readings(options: &str, value: impl Fn(&Telemetry<'_>) -> f64) -> Vec<Vec<f64>> {
    let mut machines: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    stream::simulate(&format!("--topics telemetry {options}"), |place, keyed| {
        if let Record::Telemetry(telemetry) = &keyed.record {
            machines.entry(place).or_default().push(value(telemetry));
        }
    });
    machines.into_values().collect()
}

/// Asserts that the values of one sample are above those of the other.
#[track_caller]
fn assert_above(high: &[f64], low: &[f64], what: &str) {
    let apart = mean(high) - mean(low);
    let error = standard_error(high).hypot(standard_error(low));
    assert!(
        apart > SIGMAS * error,
        "{what}: {} is not above {} by five standard errors of {error}",
        mean(high),
        mean(low)
    );
}

/// One figure a machine of a scenario, and of baseline under another seed.
fn compare(
    name: &str,
    options: &str,
    value: impl Fn(&Telemetry<'_>) -> f64 + Copy,
    figure: impl Fn(&[f64]) -> f64,
) -> (Vec<f64>, Vec<f64>) {
    let of = |name, seed| {
        let options = format!("--seed {seed} --scenario {name} {options}");
        readings(&options, value).iter().map(|machine| figure(machine)).collect()
    };
    (of(name, 1), of("baseline", 2))
}

/// The largest fall from one value to the next.
fn largest_fall(values: &[f64]) -> f64 {
    values.windows(2).map(|pair| pair[0] - pair[1]).fold(0.0, f64::max)
}

fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(part * (sorted.len() - 1) as f64) as usize]
}

const LONG: &str = "--readings 2000";

#[test]
fn loads_and_levels_are_higher_where_the_name_says_so() {
    for (name, value) in [
        ("cpu_bound", (|t: &Telemetry<'_>| t.cpu_percent) as fn(&Telemetry<'_>) -> f64),
        ("cpu_bound", |t| t.latency_p99),
        ("memory_bound", |t| t.memory_percent),
        ("network_heavy", |t| t.network_in_mbps),
        // By its logarithm, since a few machines near saturation outdo all others.
        ("degradation_cycle", |t| t.latency_p99.max(0.01).ln()),
        ("disk_pressure", |t| f64::from(t.disk_percent >= 98.0)),
        ("anomaly_detection", |t| f64::from(t.is_anomaly)),
        ("production", |t| f64::from(t.is_anomaly)),
        ("chaos", |t| f64::from(t.is_anomaly)),
    ] {
        let (scenario, baseline) = compare(name, LONG, value, mean);
        assert_above(&scenario, &baseline, name);
    }
}

#[test]
fn spikes_stand_out_leaks_fall_back_and_links_are_full() {
    let full = |values: &[f64]| {
        let most = values.iter().copied().fold(0.0, f64::max);
        values.iter().filter(|value| **value >= most).count() as f64 / values.len() as f64
    };
    let (congested, baseline) = compare("network_congestion", LONG, |t| t.network_in_mbps, full);
    assert_above(&congested, &baseline, "network_congestion: readings at the link's limit");
    let high = |values: &[f64]| quantile(values, 0.98) - quantile(values, 0.5);
    let (spikes, baseline) = compare("cpu_spikes", LONG, |t| t.cpu_percent, high);
    assert_above(&spikes, &baseline, "cpu_spikes");
    let (leaks, baseline) = compare("memory_leak", LONG, |t| t.memory_percent, largest_fall);
    assert_above(&leaks, &baseline, "memory_leak");
}

#[test]
fn drifting_sensors_stray_beyond_their_noise() {
    // A reading of memory strays by little; a drifting sensor's by its whole drift. Of a log-normal
    // spread of machines the logarithm is compared.
    let spread = |values: &[f64]| statistics::variance(values).ln();
    let quiet = "--readings 2000 --machines 600 --set jobs.arrival_probability=0";
    let (drifting, baseline) = compare("sensor_drift", quiet, |t| t.memory_percent, spread);
    assert_above(&drifting, &baseline, "sensor_drift");
}

#[test]
fn maintenance_drains_machines_by_night() {
    // Ten minutes a reading: two days.
    let least = |values: &[f64]| -quantile(values, 0.01);
    let options = "--interval 10m --readings 288 --set jobs.arrival_probability=0";
    let (drained, baseline) = compare("maintenance_window", options, |t| t.cpu_percent, least);
    assert_above(&drained, &baseline, "maintenance_window: the least load");
}

#[test]
fn capacity_grows_over_months_and_everything_else_does_not() {
    let grown = |values: &[f64]| {
        let third = values.len() / 3;
        mean(&values[2 * third..]) / mean(&values[..third])
    };
    // Twelve weeks: each third has its whole weeks. Without jobs, which don't grow, and with loads
    // low enough not to be cut at full use.
    let options = "--interval 6h --readings 336 --set jobs.arrival_probability=0 \
                   --set base_cpu_load=0.15";
    let (growing, steady) = compare("capacity_planning", options, |t| t.cpu_percent, grown);
    assert_above(&growing, &steady, "capacity_planning");
    // An eighth a month: the thirds' middles are two and ten weeks from the start.
    let expected = (1.0 + 0.125 * 70.0 / 30.0) / (1.0 + 0.125 * 14.0 / 30.0);
    // Within a day load grows by 0.4 %, which the curve of the day weighs by its half at most.
    let tolerance = SIGMAS * standard_error(&growing) + 0.002 * expected;
    statistics::assert_near(mean(&growing), expected, tolerance, "growth over eight weeks");
}

#[test]
fn zones_have_loads_of_their_own_and_bad_times() {
    let mut cpu: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut served: HashMap<(String, u64), (i64, i64)> = HashMap::new();
    let mut counts: HashMap<String, u64> = HashMap::new();
    // A load at which nothing fails by overload.
    let options = "--seed 3 --scenario multi_zone --topics telemetry --machines 400 \
                   --readings 300 --set base_cpu_load=0.1 --set jobs.arrival_probability=0";
    stream::simulate(options, |_, keyed| {
        if let Record::Telemetry(t) = &keyed.record {
            cpu.entry(t.zone.to_owned()).or_default().push(t.cpu_percent);
            let round = counts.entry(t.machine_id.to_owned()).or_default();
            let (errors, requests) = served.entry((t.zone.to_owned(), *round)).or_default();
            *errors += t.error_count;
            *requests += t.request_count;
            *round += 1;
        }
    });
    let means: Vec<f64> = cpu.values().map(|values| mean(values)).collect();
    assert_eq!(means.len(), 4);
    assert!(means.windows(2).all(|pair| pair[0] > pair[1]), "zone-a is the busiest: {means:?}");
    // A bad time adds 4 % of errors where a good one has 0.05 %; a zone's 100 machines have some
    // thousand requests a reading.
    let bad = |zone: &str| {
        let of_round = |round| served[&(zone.to_owned(), round)];
        (0..300).map(of_round).filter(|(errors, requests)| errors * 50 > *requests).count()
    };
    let mut lengths: Vec<usize> = cpu.keys().map(|zone| bad(zone)).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [0, 0, 0, 60], "one zone, 60 readings");
}

/// The share of readings of each quarter of the run that are missing, and the incidents by kind.
fn chaos(name: &str) -> ([f64; 4], BTreeMap<String, usize>) {
    let options =
        format!("--seed 4 --scenario {name} --readings 8000 --topics telemetry,incidents");
    let (mut missing, mut kinds) = ([0.0; 4], BTreeMap::new());
    stream::slots(&stream::manifest(&options), |slot, keyed| match keyed.map(|k| k.record) {
        None if slot.kind == fleetstorm::pacing::SlotKind::Telemetry => {
            missing[slot.round / 2000] += 1.0 / (100.0 * 2000.0);
        }
        Some(Record::Incident(incident)) if incident.end_time.is_none() => {
            *kinds.entry(incident.kind.to_owned()).or_default() += 1;
        }
        _ => {}
    });
    (missing, kinds)
}

#[test]
fn chaos_goes_on_as_it_began() {
    for name in ["chaos", "cascade_failure"] {
        let (missing, kinds) = chaos(name);
        assert!(kinds["failure"] > 100 && kinds["cascade"] > 100, "{name}: {kinds:?}");
        // Never a fleet that is gone: failures last 12 or 24 readings, and wait for hundreds.
        assert!(missing.iter().all(|share| *share > 0.0 && *share < 0.5), "{name}: {missing:?}");
        // Down time of a quarter is a sum over groups, each independent: 16 groups. A group's share
        // is at most 1, so its deviation over 2,000 readings is bounded by that of cascades of at
        // most 13 machines down for 24 readings each, some hundred times: under a tenth.
        let apart = (missing[1] - missing[3]).abs();
        assert!(apart < 0.25 * (missing[1] + missing[3]), "{name}: {missing:?}");
    }
}

#[test]
fn nothing_gathers_in_a_long_run_of_any_scenario() {
    for scenario in scenario::all().iter().filter(|s| s.name != "capacity_planning") {
        // Ten minutes a reading: ten weeks, of which the second and third fifth are compared with
        // the fourth and last, whole weeks each.
        let options =
            format!("--seed 5 --scenario {} --interval 10m --readings 10080", scenario.name);
        for (column, value) in [
            ("memory", (|t: &Telemetry<'_>| t.memory_percent) as fn(&Telemetry<'_>) -> f64),
            ("cpu", |t| t.cpu_percent),
        ] {
            let changes: Vec<f64> = readings(&format!("{options} --machines 40"), value)
                .iter()
                .map(|values| {
                    let fifth = values.len() / 5;
                    mean(&values[3 * fifth..]) - mean(&values[fifth..3 * fifth])
                })
                .collect();
            // Machines are independent: the mean change has this standard error.
            let error = standard_error(&changes);
            let change = mean(&changes);
            assert!(change.abs() < SIGMAS * error, "{}: {column} by {change}", scenario.name);
        }
    }
}

#[test]
fn events_reach_their_slots_in_every_scenario() {
    for scenario in scenario::all() {
        // How many readings an incident's record comes after what it tells, at the most, in the
        // second and in the last quarter.
        let options = format!(
            "--seed 6 --scenario {} --readings 4000 --machines 50 --interval 1s \
             --topics telemetry,usage,status,jobs,machines,incidents",
            scenario.name
        );
        let mut delays = [0i64; 4];
        stream::slots(&stream::manifest(&options), |slot, keyed| {
            if let Some(Record::Incident(incident)) = keyed.map(|keyed| keyed.record) {
                let told = incident.end_time.unwrap_or(incident.start_time);
                let delay = &mut delays[slot.round / 1000];
                *delay = (*delay).max((slot.time - told) / 1000);
            }
        });
        // A queue that grows without end has thousands of readings to do so.
        assert!(delays.iter().all(|delay| *delay < 100), "{}: {delays:?} readings", scenario.name);
    }
}

#[test]
fn production_keeps_the_character_of_its_machines() {
    let cpu = readings("--seed 7 --scenario production --readings 3000", |t| t.cpu_percent);
    let memory = readings("--seed 7 --scenario production --readings 3000", |t| t.memory_percent);
    let lag_one: Vec<f64> = cpu.iter().map(|c| correlation(&c[..c.len() - 1], &c[1..])).collect();
    // Load has 0.95; jobs last longer than a reading, and only agents' noise and spikes that begin
    // are new each time.
    assert!(mean(&lag_one) > 0.7, "lag-1 autocorrelation {}", mean(&lag_one));
    let together: Vec<f64> = cpu.iter().zip(&memory).map(|(c, m)| correlation(c, m)).collect();
    // Memory follows load and both what jobs take.
    assert!(mean(&together) - SIGMAS * standard_error(&together) > 0.2, "{}", mean(&together));
    let of_machines: Vec<f64> = cpu.iter().map(|values| mean(values)).collect();
    assert!(statistics::variance(&of_machines).sqrt() > 5.0, "machines are alike");
}

#[test]
fn a_scenario_reads_back_from_its_yaml_and_yields_key_by_key() {
    for scenario in scenario::all() {
        let by_name = resolve(vec![scenario.layer()]).expect("its settings are right");
        assert_eq!(by_name.notes, Vec::<String>::new(), "{}", scenario.name);
        let yaml = scenario.to_yaml().expect("it can be written");
        let file = Layer::from_yaml(Origin::File("scenario.yaml".into()), &yaml).expect("YAML");
        let by_file = resolve(vec![file]).expect("its settings are right");
        assert_eq!(by_name.config, by_file.config, "{}", scenario.name);
        assert_eq!(by_file.notes, Vec::<String>::new(), "{}", scenario.name);

        let set = Layer::from_set("anomalies.disk_full_level=77").expect("a setting");
        let beside = resolve(vec![set, scenario.layer()]).expect("they go together");
        let mut expected = by_name.config.clone();
        expected.anomalies.disk_full_level = 77.0;
        assert_eq!(beside.config, expected, "{}", scenario.name);
    }
}

#[test]
fn the_promised_names_exist_and_a_misspelt_one_is_not_ignored() {
    let names: Vec<&str> =
        scenario::all().iter().map(|scenario: &Scenario| scenario.name).collect();
    for name in "baseline maintenance_window capacity_planning anomaly_detection multi_zone \
                 cpu_bound memory_bound network_heavy degradation_cycle production chaos \
                 cpu_spikes memory_leak network_congestion disk_pressure cascade_failure \
                 sensor_drift"
        .split_whitespace()
    {
        assert!(names.contains(&name), "{name}");
    }
    let error: config::ConfigError = scenario::find("produktion").expect_err("there is none");
    assert!(error.to_string().contains("`production`"), "{error}");
}
