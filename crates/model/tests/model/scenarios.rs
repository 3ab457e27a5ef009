//! The scenarios: that each is told from the baseline by someone who has nothing but the records, and that
//! none runs away. What each clause of their lines promises is in promises.rs.
//!
//! Two fleets of different seeds are compared by one number a machine. Machines are independent of
//! one another (each draws from streams of its own), so that the numbers of a fleet are a sample and
//! the difference of two fleets' means has the standard error of two samples (Welch). A scenario
//! must stand five of them away from the baseline: chance alone does so about once in a million.
//! Where a drift is looked for, five of them are what it may have.
//!
//! Thirteen mistakes that simulators of fleets make, and the tests that show that they aren't made
//! here:
//!  1. An inverted curve of the day, one clock of UTC for all regions, or steps at full hours:
//!     patterns/load.rs, `load_follows_the_hour_of_each_regions_own_day`,
//!     `load_goes_up_and_down_without_steps`.
//!  2. Cascades that never come: failures.rs,
//!     `each_dependency_passes_a_failure_on_with_its_probability`, and here
//!     `failures_cascade_and_clear_again`.
//!  3. Cascades that never end: failures.rs,
//!     `cascades_end_even_where_every_failure_is_passed_on`, and here
//!     `failures_cascade_and_clear_again`.
//!  4. Failures of the whole fleet at once: failures.rs,
//!     `machines_fail_at_their_probability_each_for_itself`; recoveries at once:
//!     patterns/incidents.rs, `machines_wear_out_and_recover_each_in_its_own_cycle`.
//!  5. Hot machines that fail again and again: failures.rs,
//!     `hot_machines_fail_no_more_often_and_come_back`.
//!  6. Sums that are never reset: anomalies.rs,
//!     `nothing_that_anomalies_do_gathers_over_a_long_run`, and here
//!     `no_scenario_but_growth_drifts_and_no_queue_grows`.
//!  7. Labels a reading short, or left on rows of failed machines: anomalies.rs,
//!     `episodes_are_labelled_as_long_as_they_were_drawn`,
//!     `labels_are_exact_beside_the_twin_run_whatever_else_happens`.
//!  8. Drifting sensors that look like noise: anomalies.rs,
//!     `a_drifting_sensor_departs_from_what_its_machine_does`, and here
//!     `sensors_drift_away_from_what_machines_do`.
//!  9. Failed machines that look the healthiest: failures.rs,
//!     `status_walks_down_and_up_and_nothing_is_heard_in_between`,
//!     `a_machine_that_is_down_may_report_zeros`.
//! 10. Usage, status and jobs that have nothing to do with telemetry: signals.rs,
//!     `usage_is_telemetry_at_the_same_instant`, `status_follows_load_and_heartbeats_never_fall_back`;
//!     jobs.rs, `running_jobs_load_their_machine_by_what_they_take`; failures.rs,
//!     `jobs_fail_with_their_machine_and_none_starts_while_it_is_down`.
//! 11. Readings that remember nothing, machines without a character, memory that ignores the
//!     processor: signals.rs,
//!     `a_machines_cpu_spreads_by_the_load_variance_and_remembers_itself`,
//!     `machines_have_a_character_of_their_own`, `memory_follows_load`, and here
//!     `production_remembers_itself_and_its_memory_follows_its_load`.
//! 12. Unknown names that are passed over in silence: here
//!     `a_misspelt_scenario_is_an_error_that_names_the_right_one`, and src/config/tests/errors.rs.
//! 13. Streams of random numbers that overlap: src/random.rs,
//!     `streams_of_neighbouring_subjects_and_purposes_do_not_overlap`.

use std::collections::BTreeMap;

use chrono::{TimeZone, Timelike};
use chrono_tz::Tz;
use fleetstorm_model::config::{self, Layer, Origin, scenarios};
use fleetstorm_model::record::Record;

use crate::support::statistics::{
    SIGMAS, assert_near, correlation, mean, median, standard_error, variance,
};
use crate::support::stream::simulate;

/// What telemetry says of one reading.
#[derive(Debug, Clone, Copy)]
struct Row {
    ms: i64,
    cpu: f64,
    memory: f64,
    disk: f64,
    inward: f64,
    requests: f64,
    p99: f64,
    is_anomaly: bool,
}

/// The readings of one machine; those that it missed while it was down are missing.
#[derive(Debug, Clone, Default)]
struct Machine {
    zone: String,
    region: String,
    rows: Vec<Row>,
}

impl Machine {
    fn mean(&self, value: impl Fn(&Row) -> f64) -> f64 {
        mean(&self.column(value))
    }

    fn column(&self, value: impl Fn(&Row) -> f64) -> Vec<f64> {
        self.rows.iter().map(value).collect()
    }

    fn share(&self, is: impl Fn(&Row) -> bool) -> f64 {
        self.mean(|row| f64::from(u8::from(is(row))))
    }

    /// The value that a part of the readings lies below.
    fn quantile(&self, part: f64, value: impl Fn(&Row) -> f64) -> f64 {
        let mut column = self.column(value);
        column.sort_by(f64::total_cmp);
        column[(column.len() as f64 * part) as usize]
    }
}

fn fleet(scenario: &str, options: &str) -> Vec<Machine> {
    let mut machines: BTreeMap<usize, Machine> = BTreeMap::new();
    simulate(&format!("--topics telemetry --scenario {scenario} {options}"), |at, keyed| {
        let Record::Telemetry(t) = &keyed.record else { return };
        let machine = machines.entry(at).or_insert_with(|| Machine {
            zone: t.zone.to_owned(),
            region: t.region.to_owned(),
            rows: Vec::new(),
        });
        machine.rows.push(Row {
            ms: t.timestamp,
            cpu: t.cpu_percent,
            memory: t.memory_percent,
            disk: t.disk_percent,
            inward: t.network_in_mbps,
            requests: t.request_count as f64,
            p99: t.latency_p99,
            is_anomaly: t.is_anomaly,
        });
    });
    machines.into_values().collect()
}

/// How many standard errors the mean of `a` is above that of `b`, two independent samples.
fn sigmas_above(a: &[f64], b: &[f64]) -> f64 {
    let error = standard_error(a).hypot(standard_error(b));
    if error > 0.0 { (mean(a) - mean(b)) / error } else { 0.0 }
}

/// Checks that the scenario's machines have more of `of` than the baseline's, and that the
/// baseline's other fleet has not.
#[track_caller]
fn assert_more(scenario: &str, options: &str, what: &str, of: impl Fn(&Machine) -> f64) {
    let sample = |name: &str, seed: u32| -> Vec<f64> {
        fleet(name, &format!("--seed {seed} {options}")).iter().map(&of).collect()
    };
    let usual = sample("baseline", 101);
    let found = sigmas_above(&sample(scenario, 102), &usual);
    assert!(found > SIGMAS, "{scenario} isn't told by its {what}: {found} standard errors");
    let other = sigmas_above(&sample("baseline", 103), &usual);
    assert!(other.abs() < SIGMAS, "two baselines differ in {what}: {other} standard errors");
}

fn region_clock(region: &str) -> Tz {
    match region {
        "us-east-1" => Tz::America__New_York,
        "us-west-2" => Tz::America__Los_Angeles,
        "eu-west-1" => Tz::Europe__Dublin,
        "ap-northeast-1" => Tz::Asia__Tokyo,
        other => panic!("{other} is no region of a scenario"),
    }
}

fn resolved(layers: Vec<Layer>) -> config::Config {
    config::resolve(layers).expect("the settings are valid").config
}

fn set(text: &str) -> Layer {
    Layer::from_set(text).expect("a setting")
}

#[test]
fn there_are_seventeen_scenarios_and_each_is_a_valid_configuration_of_its_own() {
    let all = scenarios::all();
    assert_eq!(all.len(), 17);
    let mut configs: Vec<config::Config> = Vec::new();
    for scenario in all {
        let config = resolved(vec![scenario.layer()]);
        assert!(!configs.contains(&config), "{} is another scenario's double", scenario.name);
        assert_eq!(scenarios::find(scenario.name).unwrap(), scenario);
        assert!(!scenario.description.is_empty());
        configs.push(config);
    }
    assert_eq!(configs[0], config::Config::default(), "the baseline is the default");
}

#[test]
fn a_scenario_written_as_yaml_reads_back_as_itself() {
    for scenario in scenarios::all() {
        let text = scenario.to_yaml().unwrap();
        assert!(text.contains(scenario.name) && text.contains(scenario.description), "{text}");
        let file = Layer::from_yaml(Origin::File("scenario.yaml".into()), &text).unwrap();
        assert_eq!(file.value, scenario.settings, "{text}");
        assert_eq!(resolved(vec![file]), resolved(vec![scenario.layer()]), "{text}");
    }
}

#[test]
fn what_is_set_beside_a_scenario_wins_key_by_key() {
    for scenario in scenarios::all() {
        let alone = resolved(vec![scenario.layer()]);
        // Whatever the order in which they are named.
        for layers in [
            vec![scenario.layer(), set("anomalies.cpu_spike_magnitude=1.5")],
            vec![set("anomalies.cpu_spike_magnitude=1.5"), scenario.layer()],
        ] {
            let mut expected = alone.clone();
            expected.anomalies.cpu_spike_magnitude = 1.5;
            assert_eq!(resolved(layers), expected, "{}", scenario.name);
        }
        let file = Layer::from_yaml(
            Origin::File("beside.yaml".into()),
            "temporal_patterns: {peak_hour: 3}\nbase_cpu_load: 0.11\n",
        );
        let mut expected = alone;
        expected.temporal_patterns.peak_hour = 3;
        expected.base_cpu_load = 0.11;
        assert_eq!(resolved(vec![file.unwrap(), scenario.layer()]), expected, "{}", scenario.name);
    }
}

#[test]
fn a_misspelt_scenario_is_an_error_that_names_the_right_one() {
    for (wrong, right) in [("produktion", "production"), ("memory_leaks", "memory_leak")] {
        let error = scenarios::find(wrong).unwrap_err().to_string();
        assert!(error.contains(wrong) && error.contains(&format!("`{right}`")), "{error}");
    }
    let error = scenarios::find("xyzzy").unwrap_err().to_string();
    for scenario in scenarios::all() {
        assert!(error.contains(scenario.name), "{error} leaves {} out", scenario.name);
    }
}

#[test]
fn bound_scenarios_are_told_by_what_bounds_them() {
    let options = "--machines 200 --readings 600";
    assert_more("cpu_bound", options, "processors", |m| m.mean(|row| row.cpu));
    assert_more("cpu_bound", options, "latency", |m| m.mean(|row| row.p99.ln()));
    assert_more("memory_bound", options, "memory", |m| m.mean(|row| row.memory));
    assert_more("network_heavy", options, "traffic", |m| m.mean(|row| row.inward));
}

#[test]
fn processors_spike() {
    // Over a whole week, so that days and nights weigh as they should.
    let options = "--machines 100 --interval 10m --readings 1008";
    assert_more("cpu_spikes", options, "spikes", |m| {
        m.quantile(0.99, |row| row.cpu) / m.quantile(0.5, |row| row.cpu)
    });
    assert_more("cpu_spikes", options, "labels", |m| m.share(|row| row.is_anomaly));
}

#[test]
fn memory_leaks_end_in_a_steep_fall() {
    // Without jobs, which take and give back memory as well.
    let options = "--machines 100 --readings 1000 --set jobs.arrival_probability=0";
    assert_more("memory_leak", options, "falls", |m| {
        m.rows.windows(2).map(|w| w[0].memory - w[1].memory).fold(0.0, f64::max)
    });
    // A leak of 0.8 points a reading, or 0.6 at least, goes on for 50 readings at least: far above
    // what a machine holds most of the time, which a restart alone doesn't bring.
    assert_more("memory_leak", options, "heights", |m| {
        m.quantile(0.99, |row| row.memory) - m.quantile(0.5, |row| row.memory)
    });
}

#[test]
fn links_stand_at_their_limit() {
    // Noise never makes two readings of a hundredth of a Mbps the same highest; a limit does.
    let options = "--machines 100 --interval 10m --readings 1008";
    assert_more("network_congestion", options, "full links", |m| {
        let link = m.rows.iter().map(|row| row.inward).fold(0.0, f64::max);
        m.share(|row| row.inward >= link)
    });
}

#[test]
fn disks_stand_full() {
    let options = "--machines 100 --readings 1500";
    assert_more("disk_pressure", options, "full disks", |m| m.share(|row| row.disk >= 98.0));
    // Each is cleaned in the end: none stays full to the last.
    let mut stood_full = 0;
    for machine in fleet("disk_pressure", &format!("--seed 104 {options}")) {
        let full = |row: &Row| row.disk >= 98.0;
        if let Some(first) = machine.rows.iter().position(full) {
            stood_full += 1;
            let rest = &machine.rows[first..];
            // It stands full for 0.3 of 200 readings and the tenth of a day's chance that the next
            // one comes at once; a thousand readings hold several cleanings.
            assert!(rest.len() < 300 || !rest.iter().all(full), "a disk is never cleaned");
        }
    }
    assert!(stood_full > 0, "no disk stands full");
}

#[test]
fn sensors_drift_away_from_what_machines_do() {
    // Ten seconds a reading, so that counts of requests say well what a machine does.
    let options = "--machines 200 --interval 10s --readings 1500 \
                   --set jobs.arrival_probability=0";
    assert_more("sensor_drift", options, "cpu that leaves requests behind", |m| {
        1.0 - correlation(&m.column(|row| row.cpu), &m.column(|row| row.requests))
    });
    assert_more("sensor_drift", options, "spread of memory", |m| {
        variance(&m.column(|row| row.memory)).sqrt()
    });
}

#[test]
fn worn_machines_are_slow() {
    let options = "--machines 400 --readings 600";
    assert_more("degradation_cycle", options, "latency", |m| m.mean(|row| row.p99.ln()));
}

#[test]
fn machines_are_drained_by_local_night() {
    let options = "--machines 90 --interval 10m --readings 1008";
    let is_night = |m: &Machine, row: &Row| {
        let local = region_clock(&m.region).timestamp_millis_opt(row.ms).unwrap();
        (1..5).contains(&local.hour())
    };
    let night = |m: &Machine| {
        let (by_night, by_day): (Vec<_>, Vec<_>) = m.rows.iter().partition(|row| is_night(m, row));
        let level = |rows: Vec<&Row>| mean(&rows.iter().map(|r| r.requests).collect::<Vec<_>>());
        level(by_day) / level(by_night)
    };
    assert_more("maintenance_window", options, "nights", night);
    let drained = |m: &Machine| {
        let usual = median(m.column(|row| row.requests));
        m.share(|row| row.requests < 0.1 * usual)
    };
    assert_more("maintenance_window", options, "drained machines", drained);
    for machine in fleet("maintenance_window", &format!("--seed 105 {options}")) {
        let usual = median(machine.column(|row| row.requests));
        for row in machine.rows.iter().filter(|row| row.requests < 0.1 * usual) {
            assert!(is_night(&machine, row), "a machine is drained by day");
        }
    }
}

#[test]
fn load_grows_over_months() {
    // Three times four weeks of readings six hours apart.
    let options = "--machines 200 --interval 6h --readings 336 --set jobs.arrival_probability=0";
    let grown = |m: &Machine| {
        let third = |i: usize| mean(&m.column(|row| row.requests)[112 * i..112 * (i + 1)]);
        third(2) / third(0)
    };
    assert_more("capacity_planning", options, "growth", grown);
    // The middles of the thirds are 70 and 14 days from the start, and a month of 30 days adds an
    // eighth. Only requests of the busiest machines meet full use, which takes from growth.
    let expected = (1.0 + 0.125 * 70.0 / 30.0) / (1.0 + 0.125 * 14.0 / 30.0);
    let machines = fleet("capacity_planning", &format!("--seed 106 {options}"));
    let is_calm = |m: &&Machine| m.rows.iter().all(|row| row.cpu < 95.0);
    let found: Vec<f64> = machines.iter().filter(is_calm).map(grown).collect();
    assert!(found.len() > 100);
    // A ratio of two means of 112 readings that remember one another is biased upwards by the
    // square of its denominator's relative error, 0.2 sqrt(39 / 112); leaving out whoever was ever
    // full prefers those that grew less, by less than that.
    let bias = 0.04 * 39.0 / 112.0;
    assert_near(mean(&found), expected, SIGMAS * standard_error(&found) + bias, "growth");
}

#[test]
fn zones_differ_and_have_bad_times() {
    // Machines of a zone are of all types, whose loads differ by more than half their mean: it takes
    // 150 of each to tell 1.4 from 0.6 by (0.8 / 0.65) sqrt(150 / 2) standard errors.
    let load_options = "--machines 600 --interval 1h --readings 168";
    let options = "--machines 160 --interval 10m --readings 1008";
    let zone = |machines: &[Machine], name: &str, of: fn(&Machine) -> f64| -> Vec<f64> {
        machines.iter().filter(|m| m.zone == name).map(of).collect()
    };
    let load: fn(&Machine) -> f64 = |m| m.mean(|row| row.cpu);
    let machines = fleet("multi_zone", &format!("--seed 107 {load_options}"));
    let (first, last) = (zone(&machines, "zone-a", load), zone(&machines, "zone-d", load));
    assert!(sigmas_above(&first, &last) > SIGMAS, "zone-a is no busier than zone-d");
    let even = fleet("baseline", &format!("--seed 107 {load_options}"));
    let (first, last) = (zone(&even, "zone-a", load), zone(&even, "zone-c", load));
    assert!(sigmas_above(&first, &last).abs() < SIGMAS, "zones of the baseline differ");
    // A bad time makes responses three times as long: the longest of a machine over its usual one.
    assert_more("multi_zone", options, "bad times", |m| {
        m.quantile(0.98, |row| (row.p99 * (100.0 - row.cpu)).ln())
            - m.quantile(0.5, |row| (row.p99 * (100.0 - row.cpu)).ln())
    });
}

#[test]
fn scenarios_have_the_shares_of_anomalies_that_their_lines_promise() {
    // Name and what the line says of it, in percent of readings.
    for (name, promised) in
        [("anomaly_detection", 9.0..=11.0), ("chaos", 33.0..=50.0), ("production", 2.0..=3.0)]
    {
        let config = resolved(vec![scenarios::find(name).unwrap().layer()]);
        let expected = config.anomalies.expected_share();
        assert!(promised.contains(&(100.0 * expected)), "{name}: {expected}");
        // What a failure ends is up to as long as an episode is: of the readings of a machine that fails
        // every 1 / rate readings, half an episode is missing at most. A tenth of the share leaves room.
        let cut = if config.enable_failures { 0.1 * expected } else { 0.0 };
        let shares: Vec<f64> = (108..113)
            .flat_map(|seed| {
                let options = format!("--seed {seed} --machines 120 --readings 2000");
                let share = |m: &Machine| m.share(|row| row.is_anomaly);
                fleet(name, &options).iter().map(share).collect::<Vec<_>>()
            })
            .collect();
        // Less, too, by the few readings in which an anomaly is open and doesn't show.
        let hidden = 0.01 * expected;
        let tolerance = SIGMAS * standard_error(&shares) + cut + hidden;
        assert_near(mean(&shares), expected, tolerance, &format!("anomalous readings of {name}"));
    }
}

#[test]
fn production_has_a_bit_of_everything() {
    let options = "--machines 150 --interval 10m --readings 2016";
    assert_more("production", options, "anomalies", |m| m.share(|row| row.is_anomaly));
    assert_more("production", options, "missed readings", |m| 2016.0 - m.rows.len() as f64);
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    simulate(
        "--seed 109 --scenario production --topics incidents --machines 200 --interval 10m \
         --readings 3024",
        |_, keyed| {
            if let Record::Incident(i) = &keyed.record {
                *kinds.entry(i.kind.to_owned()).or_default() += u64::from(i.end_time.is_none());
            }
        },
    );
    for kind in [
        "cpu_spike",
        "memory_leak",
        "network_saturation",
        "disk_full",
        "multi_resource",
        "sensor_drift",
        "failure",
        "cascade",
        "maintenance",
        "degradation",
    ] {
        // The seldomest is expected 0.00005 x 604,800 = 30 times: none is a chance of e^-30.
        assert!(kinds.contains_key(kind), "no {kind} in {kinds:?}");
    }
}

#[test]
fn chaos_is_worse_in_every_way() {
    let options = "--machines 100 --readings 1000";
    assert_more("chaos", options, "missed readings", |m| 1000.0 - m.rows.len() as f64);
    assert_more("chaos", options, "anomalies", |m| m.share(|row| row.is_anomaly));
    assert_more("chaos", options, "latency", |m| m.mean(|row| row.p99.ln()));
}

#[test]
fn failures_cascade_and_clear_again() {
    let options = "--machines 96 --readings 3000";
    for scenario in ["cascade_failure", "chaos"] {
        assert_more(scenario, options, "missed readings", |m| 3000.0 - m.rows.len() as f64);
        let mut kind: BTreeMap<String, String> = BTreeMap::new();
        let mut open: BTreeMap<String, i64> = BTreeMap::new();
        let (mut cascades, mut longest, mut now) = (0, 0, 0);
        let run = format!("--seed 110 --scenario {scenario} --topics incidents {options}");
        simulate(&run, |_, keyed| {
            let Record::Incident(i) = &keyed.record else { return };
            if !["failure", "cascade"].contains(&i.kind) {
                return;
            }
            now = keyed.timestamp_ms;
            if i.end_time.is_none() {
                open.insert(i.incident_id.to_owned(), i.start_time);
                assert_eq!(i.cause.is_some(), i.kind == "cascade", "{i:?}");
                if let Some(cause) = i.cause {
                    assert!(kind.contains_key(cause), "{i:?} comes before its cause");
                    cascades += 1;
                }
                kind.insert(i.incident_id.to_owned(), i.kind.to_owned());
            } else {
                open.remove(i.incident_id);
            }
            longest = longest.max(i.end_time.map_or(0, |end| end - i.start_time));
        });
        let failures = kind.len() - cascades;
        assert!(cascades > 50 && failures > 50, "{scenario}: {failures} with {cascades} cascades");
        // Three readings to fail, the longest repair (a log-normal of median 20 at most and sigma
        // 0.6, at 3.8 deviations) and eight to recover: nobody stays down, and whoever is down at
        // the end went down within that time and the wait for a slot.
        let most = (3.0 + 20.0 * f64::exp(0.6 * 3.8) + 8.0) as i64 * 1000;
        assert!(longest <= most, "{scenario}: a failure of {longest} ms");
        let stuck = open.values().filter(|start| now - **start > most + 100_000).count();
        assert_eq!(stuck, 0, "{scenario}: machines never come back");
    }
}

#[test]
fn production_remembers_itself_and_its_memory_follows_its_load() {
    // Load alone has a lag-1 autocorrelation of 0.95 (see signals.rs). Of the variance of a
    // machine's cpu its deviation has (0.2 x 20 points)^2 = 16 or more, and jobs have their own, which
    // last 31 readings and so remember as much; what begins at once, a spike of 30 points at 0.002
    // of the readings or a job's start, has 0.002 x 900 = 2 or so of it, and an agent's error 0.25.
    // So 0.6 leaves room that no simulation needs which remembers. Memory follows load with a
    // correlation of 0.7 by its own (`memory_follows_load`), of which restarts, leaks, jobs that
    // hold more than they compute and sensors take their part.
    let machines = fleet("production", "--seed 111 --machines 200 --readings 2000");
    let (mut remembered, mut together) = (Vec::new(), Vec::new());
    for machine in &machines {
        let pairs: Vec<(f64, f64)> = machine
            .rows
            .windows(2)
            .filter(|w| w[1].ms - w[0].ms < 1500)
            .map(|w| (w[0].cpu, w[1].cpu))
            .collect();
        let (before, after): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        remembered.push(correlation(&before, &after));
        let (cpu, memory) = (machine.column(|row| row.cpu), machine.column(|row| row.memory));
        together.push(correlation(&cpu, &memory));
    }
    let least = |values: &[f64]| mean(values) - SIGMAS * standard_error(values);
    assert!(least(&remembered) > 0.6, "lag-1 autocorrelation of cpu: {}", mean(&remembered));
    assert!(least(&together) > 0.2, "correlation of cpu and memory: {}", mean(&together));
}

/// Sums over the readings of one machine on one day.
#[derive(Debug, Clone, Copy, Default)]
struct Day {
    readings: f64,
    sums: [f64; 3],
    delays: f64,
    changes: f64,
}

/// What is told of a day.
type Value = fn(&Day) -> f64;

const MACHINES: usize = 64;
/// Readings ten minutes apart: in a day, and in the five fortnights of a run.
const A_DAY: i64 = 144;
const FORTNIGHT: usize = 14;
const STEP: i64 = 600_000;

/// What every machine measured on every day, and how long its changes waited for their slots, in
/// readings: ten weeks in spring, in which no clock is changed.
fn days(scenario: &str) -> Vec<Vec<Day>> {
    let mut days = vec![vec![Day::default(); 5 * FORTNIGHT]; MACHINES];
    let topics = "telemetry,usage,status,jobs,machines,incidents";
    let mut first = None;
    simulate(
        &format!(
            "--seed 112 --scenario {scenario} --topics {topics} --machines {MACHINES} --interval 10m \
             --readings 10080 --start 2026-04-01"
        ),
        |_, keyed| {
            let of =
                |id: &str| id["machine-".len()..].parse::<usize>().expect("a numbered machine");
            // The very first record announces a machine at the start.
            if let Record::Machine(_) = &keyed.record {
                return;
            }
            let first = *first.get_or_insert(keyed.timestamp_ms.div_euclid(STEP));
            let round = keyed.timestamp_ms.div_euclid(STEP) - first;
            // The very last slots reach beyond the last day.
            let day = ((round / A_DAY) as usize).min(5 * FORTNIGHT - 1);
            let (id, at) = match &keyed.record {
                Record::Telemetry(t) => {
                    let day = &mut days[of(t.machine_id)][day];
                    day.readings += 1.0;
                    let values = [t.cpu_percent, t.memory_percent, t.disk_percent];
                    day.sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                    return;
                }
                Record::Incident(i) => (i.machine_id, i.end_time.unwrap_or(i.start_time)),
                Record::Job(j) => match j.end_time.or(j.start_time) {
                    Some(at) => (j.machine_id, at),
                    None => return,
                },
                _ => return,
            };
            let day = &mut days[of(id)][day];
            day.delays += (keyed.timestamp_ms - at) as f64 / STEP as f64;
            day.changes += 1.0;
        },
    );
    days
}

/// The change of a value from the second fortnight to the last, and its standard error. Slow
/// changes are a machine's own, so that machines are independent samples of them; those that
/// machines share pass within a day and within their dependency group, so that groups and days are.
/// The larger of the two standard errors counts.
fn change(days: &[Vec<Day>], value: impl Fn(&Day) -> f64) -> (f64, f64) {
    let of = |machine: &[Day], day: usize| {
        value(&machine[4 * FORTNIGHT + day]) - value(&machine[FORTNIGHT + day])
    };
    let over = |machine: &Vec<Day>| (0..FORTNIGHT).map(|day| of(machine, day)).collect::<Vec<_>>();
    let machines: Vec<f64> = days.iter().map(|machine| mean(&over(machine))).collect();
    // 64 machines are eight groups of eight, numbered in a row.
    let cells: Vec<f64> = days
        .chunks(8)
        .flat_map(|group| (0..FORTNIGHT).map(move |day| (group, day)))
        .map(|(group, day)| mean(&group.iter().map(|m| of(m, day)).collect::<Vec<_>>()))
        .collect();
    (mean(&machines), standard_error(&machines).max(standard_error(&cells)))
}

#[test]
fn no_scenario_but_growth_drifts_and_no_queue_grows() {
    let names: Vec<&str> = scenarios::all().iter().map(|scenario| scenario.name).collect();
    let check = |name: &str| {
        let days = days(name);
        let total: f64 = days.iter().flatten().map(|day| day.readings).sum();
        assert!(total > 0.3 * 10_080.0 * MACHINES as f64, "{name}: most readings are missing");
        let values: [(&str, Value); 5] = [
            ("cpu", |day| day.sums[0] / day.readings.max(1.0)),
            ("memory", |day| day.sums[1] / day.readings.max(1.0)),
            ("disk", |day| day.sums[2] / day.readings.max(1.0)),
            ("readings in a day", |day| day.readings),
            ("reported changes in a day", |day| day.changes),
        ];
        for (what, value) in values {
            let (drift, error) = change(&days, value);
            if name == "capacity_planning" {
                // Twelve weeks of growth by an eighth a month are in load, and not in readings.
                assert!(what != "cpu" || drift > SIGMAS * error, "{name}: {what} grows by {drift}");
            } else {
                assert_near(drift, 0.0, SIGMAS * error, &format!("{name}: drift of {what}"));
            }
        }
        // Changes come in bursts of 20 at most (a machine that goes down ends its jobs and its
        // anomalies) and the plan lets them fill 0.9 of the slots: a queue with batches waits
        // (0.9 + 19) / (2 (1 - 0.9)) = 100 readings on average at most. One that grows would
        // wait for thousands.
        let (delay, error) = change(&days, |day| day.delays / day.changes.max(1.0));
        assert!(delay <= SIGMAS * error, "{name}: changes wait longer and longer, by {delay}");
        let last = || days.iter().flat_map(|machine| &machine[4 * FORTNIGHT..]);
        let changes: f64 = last().map(|day| day.changes).sum();
        let waits = last().map(|day| day.delays).sum::<f64>() / changes;
        assert!((0.0..100.0).contains(&waits), "{name}: changes wait for {waits} readings");
    };
    std::thread::scope(|scope| {
        let halves = names.chunks(names.len().div_ceil(2));
        halves.for_each(|half| {
            scope.spawn(|| half.iter().for_each(|name| check(name)));
        });
    });
}
