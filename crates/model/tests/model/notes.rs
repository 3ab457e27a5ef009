//! Notes: settings without effect, regions without a time zone, and what a run is too short to show.

use fleetstorm_model::Run;
use fleetstorm_model::run::RunBuilder;
use fleetstorm_model::schedule::Time;

use crate::support::options;

/// A run of 100 machines in simulated time, from midnight of a Thursday in UTC.
fn run(readings: u64, set: &[&str]) -> RunBuilder {
    let builder = Run::builder().machines(100).seed(1).readings(readings);
    let builder = builder.start("2026-01-01T00:00:00Z".parse().unwrap());
    set.iter().fold(builder, |builder, text| builder.set(*text))
}

/// The notes of the run with these options.
fn notes_with(options: &str) -> Vec<String> {
    options::run_at(0, &format!("--rate max {options}")).unwrap().notes
}

fn notes(builder: RunBuilder) -> Vec<String> {
    builder.build_at(0).unwrap().notes
}

#[test]
fn a_day_and_a_week_need_their_time() {
    let day = "temporal_patterns.enable_diurnal=true";
    let week = "temporal_patterns.enable_weekly=true";
    for (set, readings, expected) in [
        (
            &[day][..],
            1000,
            Some(("16m 40s, too short for the daily pattern", "--interval 2m span 1d")),
        ),
        (&[day], 86_399, Some(("too short for the daily pattern", "--interval 2s span 1d"))),
        (&[day], 86_400, None),
        (&[week], 86_400, Some(("too short for the weekly pattern", "--interval 10s span 7d"))),
        (&[day, week], 1000, Some(("daily and weekly pattern", "--interval 15m span 7d"))),
        (&[day, week], 604_800, None),
    ] {
        let notes = notes(run(readings, set));
        match expected {
            None => assert!(notes.is_empty(), "{notes:?}"),
            Some((what, remedy)) => {
                assert_eq!(notes.len(), 1, "{notes:?}");
                assert!(notes[0].contains(what) && notes[0].contains(remedy), "{notes:?}");
            }
        }
    }
    // By itself the interval decides the rate, and in live time the rate decides the span.
    let live = run(1000, &[day]).time(Time::Live);
    let rate = "1000 readings with --time simulated --rate 300 --interval 2m span 1d";
    assert!(notes(live)[0].ends_with(rate), "{:?}", notes(run(1000, &[day]).time(Time::Live)));
    // The suggested interval shows it.
    let longer = run(1000, &[day]).interval(std::time::Duration::from_secs(120));
    assert!(notes(longer).is_empty());
}

#[test]
fn maintenance_outside_the_run_is_said() {
    // In UTC: from two to five.
    let set = |more| {
        ["maintenance.enable=true", "regions=[a]", "temporal_patterns.time_zones={a: UTC}", more]
    };
    let hours = |more, readings| notes(run(readings, &set(more)));
    assert!(hours("seed=1", 7200)[0].contains("from 00:00 to 02:00 UTC, and no region"));
    assert!(hours("seed=1", 7201).is_empty());
    assert!(hours("maintenance.hours=[22, 1]", 60).is_empty());
    assert!(hours("maintenance.hours=[1, 0]", 60).len() == 1);
}

#[test]
fn growth_and_rare_events_are_said_with_their_figures() {
    let growth = notes(run(86_400, &["growth.per_month=0.125"]));
    assert!(growth[0].contains("adds 0.42 % to the load"), "{growth:?}");
    // A hundredth is reached after 0.01 / 0.125 of 30 days.
    assert!(notes(run(207_360, &["growth.per_month=0.125"])).is_empty());

    let failures = |readings| notes(run(readings, &["enable_failures=true"]));
    assert!(failures(9)[0].contains("0.90 failures are expected: --readings 10 has one"));
    assert!(failures(10).is_empty());

    let anomalies = notes(run(
        9,
        &[
            "anomalies.enable=true",
            "anomalies.cpu_spike_probability=0.5",
            "anomalies.disk_full_probability=0.001",
        ],
    ));
    let rare = anomalies.iter().find(|note| note.contains("disk_full")).unwrap();
    assert!(!rare.contains("cpu_spike"), "{rare}");
    // Open at the start on 100 x 0.001 machines, and begun in 9 / 17.5 of the lengths; one is in 17.5 x 9.
    assert!(rare.contains("0.15 anomalies") && rare.contains("--readings 158 has one"), "{rare}");
}

#[test]
fn base_loads_out_of_reach_are_said_with_what_the_fleet_will_have() {
    let noted = |settings: &[&str]| notes(run(100, settings));
    for within in ["base_cpu_load=0.05", "base_cpu_load=0.8", "base_memory_load=0.1", "seed=1"] {
        assert!(noted(&[within]).is_empty(), "{within}");
    }
    let above = noted(&["base_cpu_load=1"]);
    assert!(
        above[0].contains("base_cpu_load is 1, and the fleet's mean will be 86 %"),
        "{above:?}"
    );
    let jobs = noted(&["base_cpu_load=0.1", "jobs.arrival_probability=0.05"]);
    assert!(jobs[0].contains("jobs.arrival_probability"), "{jobs:?}");
    let memory = noted(&["base_memory_load=1"]);
    assert!(memory.len() == 1 && memory[0].contains("base_memory_load is 1"), "{memory:?}");
}

#[test]
fn a_run_without_a_known_end_has_no_such_notes() {
    let endless = Run::builder().machines(100).seed(1).set("temporal_patterns.enable_diurnal=true");
    assert!(notes(endless).is_empty());
}

#[test]
fn a_setting_without_its_switch_is_noted() {
    for (setting, switch) in [
        ("anomalies.cpu_spike_probability=0.5", "anomalies.enable"),
        ("anomalies.sensor_drift_duration=[5,6]", "anomalies.enable"),
        ("temporal_patterns.peak_hour=9", "temporal_patterns.enable_diurnal"),
        ("temporal_patterns.night_load_factor=0.1", "temporal_patterns.enable_diurnal"),
        ("temporal_patterns.weekend_load_factor=0.1", "temporal_patterns.enable_weekly"),
        ("failure_probability=0.1", "enable_failures"),
        ("cascade_failure_probability=0.1", "enable_failures"),
        ("failures.repair_readings=5", "enable_failures"),
        ("maintenance.share=0.5", "maintenance.enable"),
        ("degradation.rate=0.1", "degradation.enable"),
    ] {
        let key = setting.split('=').next().unwrap();
        let notes = notes_with(&format!("--set {setting}"));
        assert_eq!(notes.len(), 1, "{setting}: {notes:?}");
        assert!(notes[0].contains(key) && notes[0].contains(switch), "{setting}: {notes:?}");
        let notes = notes_with(&format!("--set {setting} --set {switch}=true"));
        assert_eq!(notes, [""; 0], "{setting}");
    }
}

#[test]
fn a_region_without_a_time_zone_is_noted_where_local_time_counts() {
    let regions = "--set regions=[us-east-1,mars-1,Europe/Paris]";
    let noted = |options: &str| notes_with(&format!("{regions} {options}"));
    for nothing in ["", "--set growth.per_month=1", "--set degradation.enable=true"] {
        assert_eq!(noted(nothing), [""; 0], "{nothing}");
    }
    for switch in [
        "temporal_patterns.enable_diurnal",
        "temporal_patterns.enable_weekly",
        "maintenance.enable",
    ] {
        let notes = noted(&format!("--set {switch}=true"));
        assert_eq!(notes.len(), 1, "{switch}: {notes:?}");
        assert!(notes[0].contains("mars-1"), "{switch}: {notes:?}");
        assert!(!notes[0].contains("us-east-1") && !notes[0].contains("Paris"), "{notes:?}");
        let named = "--set temporal_patterns.time_zones.mars-1=Asia/Tokyo";
        assert_eq!(noted(&format!("--set {switch}=true {named}")), [""; 0], "{switch}");
    }
}
