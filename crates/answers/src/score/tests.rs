//! Detectors whose figures are known beforehand.

use std::collections::BTreeMap;

use fleetstorm_model::Run;
use fleetstorm_model::fleet::Share;
use fleetstorm_model::random::{Purpose, RandomStream};
use fleetstorm_model::record::{Record, Telemetry, Topic};

use super::*;

const RULES: Rules = Rules { grace_ms: 0, merge_gap_ms: 3000 };
const PLAIN: Options = Options { rules: RULES, threshold: None, live_from_ms: None };

fn run(machines: u64, readings: u64, settings: &[&str]) -> Run {
    let builder = Run::builder().machines(machines).readings(readings).seed(7);
    let builder = builder.start("2026-01-01T00:00:00Z".parse().expect("an instant"));
    settings.iter().fold(builder, |builder, text| builder.set(*text)).build().expect("a run")
}

/// Anomalies, failures and maintenance, each often.
fn troubled() -> Run {
    let settings = [
        "anomalies.enable=true",
        "anomalies.cpu_spike_probability=0.08",
        "anomalies.sensor_drift_probability=0.06",
        "enable_failures=true",
        "failure_probability=0.002",
        "degradation.enable=true",
    ];
    run(20, 900, &settings)
}

fn alarm(at_ms: i64, score: Option<f64>) -> Alarm {
    Alarm { at_ms, score, written_ms: None }
}

/// The alarms of a detector that looks at each reading.
fn detector(run: &Run, mut says: impl FnMut(&Telemetry<String>) -> Option<f64>) -> Alarms {
    let mut alarms = Alarms::default();
    for reading in run.telemetry() {
        if let Some(score) = says(&reading) {
            alarms.add(&reading.machine_id, alarm(reading.timestamp, Some(score)));
        }
    }
    alarms
}

fn scored(run: &Run, alarms: Alarms, options: &Options) -> Score {
    score(&[Part::whole(&run.manifest)], alarms, options).expect("it can be scored")
}

fn close(figure: Figure, value: f64) -> bool {
    figure.value.is_some_and(|own| (own - value).abs() < 1e-9)
}

#[test]
fn the_truth_is_that_of_the_run() {
    let run = troubled();
    let score = scored(&run, Alarms::default(), &PLAIN);
    let episodes: Vec<_> = run.incidents().into_iter().filter(|i| i.is_anomaly).collect();
    assert!(episodes.len() > 100);
    let mut expected: Vec<_> =
        episodes.iter().map(|i| (i.machine_id.as_str(), i.start_ms, i.end_ms)).collect();
    let mut found: Vec<_> =
        score.episodes.iter().map(|e| (&*e.machine_id, e.start_ms, e.end_ms)).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
    let readings: Vec<_> = run.telemetry().collect();
    let anomalous = readings.iter().filter(|reading| reading.is_anomaly).count() as u64;
    assert_eq!(
        (score.run.readings, score.run.anomalous_readings),
        (readings.len() as u64, anomalous)
    );
    // Of an episode its readings, and the one at its end, up to which an alarm is one of it.
    let of_machine = readings.iter().fold(BTreeMap::new(), |mut all, reading| {
        all.entry(reading.machine_id.as_str()).or_insert_with(Vec::new).push(reading.timestamp);
        all
    });
    for episode in &score.episodes {
        let window = episode.start_ms..=episode.end_ms.unwrap_or(i64::MAX);
        let within = of_machine[&*episode.machine_id].iter().filter(|at| window.contains(at));
        assert_eq!(episode.readings, within.count() as u64, "{episode:?}");
    }
    // A healthy reading stands for the second up to the next.
    let incidents = run.incidents();
    let healthy = readings.iter().filter(|reading| {
        !incidents.iter().any(|i| {
            let window = i.start_ms..=i.end_ms.unwrap_or(i64::MAX);
            i.machine_id == reading.machine_id && window.contains(&reading.timestamp)
        })
    });
    let hours = healthy.count() as f64 / 3600.0;
    assert!((score.run.healthy_machine_hours - hours).abs() < 1e-9, "{hours}");
}

#[test]
fn a_perfect_detector_is_perfect() {
    let run = troubled();
    let perfect = detector(&run, |reading| reading.is_anomaly.then_some(1.0));
    let score = scored(&run, perfect, &PLAIN);
    for figures in score.kinds.iter().chain([&score.all]) {
        assert!(close(figures.recall, 1.0) && figures.missed == 0, "{figures:?}");
        let delay = figures.delay_ms.expect("all are detected");
        assert_eq!((delay.p50, delay.max), (0.0, 0.0));
        assert!(close(figures.reading_recall, 1.0), "{figures:?}");
        assert!(close(figures.average_precision, 1.0), "{figures:?}");
        assert!(figures.recall.random < Some(1.0) && figures.random_delay_ms.is_some());
    }
    assert!(close(score.merged.precision, 1.0) && close(score.readings.precision, 1.0));
    assert!(score.merged.precision.random < Some(0.9));
    assert_eq!(
        (score.false_alarms.alarms, score.alarms.apart, score.readings.no_reading),
        (0, 0, 0)
    );
    assert!(score.missed.is_empty());
}

#[test]
fn a_silent_detector_has_no_precision_and_detects_nothing() {
    let run = troubled();
    let score = scored(&run, Alarms::default(), &PLAIN);
    assert!(close(score.all.recall, 0.0) && score.all.recall.random == Some(0.0));
    let (low, high) = score.all.recall.interval.expect("there are episodes");
    assert!(low == 0.0 && high > 0.0 && high < 0.1);
    assert_eq!(score.merged.precision.value, None);
    assert_eq!(score.readings.precision.value, None);
    assert_eq!(score.all.average_precision.value, None);
    assert_eq!((score.all.delay_ms, score.all.random_delay_ms), (None, None));
    assert!(close(score.false_alarms.per_machine_hour, 0.0));
    assert_eq!(score.missed.len(), 5);
}

#[test]
fn one_that_always_alarms_is_no_better_than_chance() {
    let run = troubled();
    let score = scored(&run, detector(&run, |_| Some(1.0)), &PLAIN);
    let prevalence = score.readings.precision.random.expect("there are alarms");
    assert_eq!(score.random.alarms_per_reading, 1.0);
    assert!(close(score.all.recall, 1.0) && score.all.recall.random == Some(1.0));
    assert!(close(score.readings.precision, prevalence) && prevalence < 0.5);
    assert!(close(score.readings.average_precision, prevalence));
    // One alarm without an end is not right for having met an episode: it is cut where the truth changes.
    let own = score.merged.precision.value.expect("there are alarms");
    assert!(own < 0.7 && score.false_alarms.alarms > 20, "{own}");
    assert!((score.merged.precision.random.unwrap() - own).abs() < 1e-9);
    let rate = score.false_alarms.per_machine_hour;
    assert!((rate.random.unwrap() - rate.value.unwrap()).abs() < 1e-9);
    // It alarms in failures and wear too, for which it is neither praised nor blamed.
    assert!(score.alarms.apart > 0 && score.readings.apart > 0);
    let of_kinds: u64 = score.alarms.apart_by_kind.values().sum();
    assert_eq!(of_kinds, score.alarms.apart);
    assert_eq!(score.alarms.right + score.alarms.wrong + score.alarms.apart, score.alarms.scored);
}

#[test]
fn a_random_detector_has_the_figures_that_stand_beside_it() {
    // Of one kind a machine has one episode at a time, so that they are met independently.
    let settings = [
        "anomalies.enable=true",
        "anomalies.memory_leak_probability=0",
        "anomalies.network_saturation_probability=0",
    ];
    let run = run(30, 1000, &settings);
    const RUNS: usize = 20;
    let (mut recall, mut precision, mut rate, mut delay) = (vec![], vec![], vec![], vec![]);
    let mut variance = 0.0;
    for seed in 0..RUNS as u64 {
        let mut draws = RandomStream::new(seed, 1, Purpose::Signals);
        let random = detector(&run, |_| draws.chance(0.03).then_some(0.5));
        let score = scored(&run, random, &PLAIN);
        let apart = |figure: Figure| figure.value.unwrap() - figure.random.unwrap();
        recall.push(apart(score.all.recall));
        precision.push(apart(score.merged.precision));
        rate.push(apart(score.false_alarms.per_machine_hour));
        let p50 = |delays: Option<Delays>| delays.unwrap().p50;
        delay.push(p50(score.all.delay_ms) - p50(score.all.random_delay_ms));
        let detects = |readings| 1.0 - (1.0 - score.random.alarms_per_reading).powf(readings);
        let of_one =
            score.episodes.iter().map(|e| detects(e.readings as f64)).map(|q| q * (1.0 - q));
        variance += of_one.sum::<f64>() / (score.all.episodes as f64).powi(2);
        // Readings: a random detector's precision is the prevalence, its recall its rate.
        let readings = score.readings;
        let n = (readings.right + readings.wrong) as f64;
        let p = readings.precision.random.unwrap();
        assert!(apart(readings.precision).abs() < 5.0 * (p * (1.0 - p) / n).sqrt(), "{readings:?}");
        let (p, n) = (readings.recall.random.unwrap(), score.run.anomalous_readings as f64);
        assert!(apart(readings.recall).abs() < 5.0 * (p * (1.0 - p) / n).sqrt(), "{readings:?}");
    }
    // Five standard errors of the mean: of recall by the variance of independent episodes; of the others,
    // whose distribution has no closed form, by that of the sample.
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let error = variance.sqrt() / RUNS as f64;
    assert!(mean(&recall).abs() < 5.0 * error, "{recall:?} {error}");
    for values in [precision, rate, delay] {
        let squares = values.iter().map(|value| (value - mean(&values)).powi(2)).sum::<f64>();
        let error = (squares / (RUNS - 1) as f64 / RUNS as f64).sqrt();
        assert!(mean(&values).abs() < 5.0 * error, "{values:?} {error}");
    }
}

#[test]
fn figures_by_hand() {
    let run = run(2, 200, &["anomalies.enable=true"]);
    let score = scored(&run, Alarms::default(), &PLAIN);
    let episode = score.episodes.iter().find(|e| e.end_ms.is_some()).expect("one ends").clone();
    let (machine, end_ms) = (&*episode.machine_id, episode.end_ms.expect("it ends"));
    let first = run.manifest.start.timestamp_millis();
    let mut alarms = Alarms::default();
    let at = |at_ms, written_ms| Alarm { at_ms, score: None, written_ms: Some(written_ms) };
    alarms.add(machine, at(episode.start_ms + 2000, episode.start_ms + 9000));
    alarms.add(machine, at(episode.start_ms + 2000, episode.start_ms + 9500));
    alarms.add(machine, at(first - 1, first));
    alarms.add("machine-of-another-run", at(episode.start_ms, first));
    let live = Options { live_from_ms: Some(first), ..PLAIN };
    let score = scored(&run, alarms, &live);
    let counts = &score.alarms;
    assert_eq!((counts.rows, counts.repeated, counts.unknown_machine), (4, 1, 1));
    assert_eq!((counts.outside_run, counts.scored), (1, 1));
    assert_eq!(counts.unknown_machines, ["machine-of-another-run"]);
    let mine =
        score.episodes.iter().find(|e| (&*e.machine_id, e.start_ms) == (machine, episode.start_ms));
    assert_eq!(mine.expect("it is there").delay_ms, Some(2000));
    assert_eq!(score.all.emission_delay_ms.expect("it is live").max, 9000.0);
    assert_eq!(score.all.average_precision.value, None);
    assert_eq!(score.notes.len(), 2, "{:?}", score.notes);
    // An alarm behind the episode is one of it within the grace.
    let behind = |grace_ms| {
        let mut alarms = Alarms::default();
        alarms.add(machine, at(end_ms + 400, 0));
        let rules = Rules { grace_ms, ..RULES };
        let score = scored(&run, alarms, &Options { rules, ..PLAIN });
        let mine = score
            .episodes
            .into_iter()
            .find(|e| e.end_ms == Some(end_ms) && &*e.machine_id == machine);
        mine.and_then(|episode| episode.delay_ms)
    };
    assert_eq!(behind(399), None);
    assert_eq!(behind(400), Some(end_ms + 400 - episode.start_ms));
}

#[test]
fn scores_below_the_threshold_rank_readings_and_alarm_nobody() {
    let run = troubled();
    let all = |reading: &Telemetry<String>| Some(if reading.is_anomaly { 0.9 } else { 0.2 });
    let with = Options { threshold: Some(0.5), ..PLAIN };
    let score = scored(&run, detector(&run, all), &with);
    assert!(close(score.merged.precision, 1.0) && close(score.readings.average_precision, 1.0));
    assert_eq!(score.alarms.below_threshold, score.run.readings - score.run.anomalous_readings);
    // The other way round, and each anomalous reading alone, they rank worse than chance.
    let mut least = 0.1;
    let worst = |reading: &Telemetry<String>| {
        least -= 1e-6;
        Some(if reading.is_anomaly { least } else { 0.8 })
    };
    let figure = scored(&run, detector(&run, worst), &with).readings.average_precision;
    assert!(figure.value < figure.random, "{figure:?}");
}

#[test]
fn shards_threads_and_cuts_have_the_truth_of_what_was_sent() {
    let run = troubled();
    let says =
        |reading: &Telemetry<String>| (reading.cpu_percent > 60.0).then_some(reading.cpu_percent);
    let whole = scored(&run, detector(&run, says), &PLAIN);
    let part =
        |manifest, thread| Part { share: Share { shard: (0, 1), thread }, ..Part::whole(manifest) };
    let parts = [part(&run.manifest, (0, 2)), part(&run.manifest, (1, 2))];
    let of_parts = score(&parts, detector(&run, says), &PLAIN).expect("it can be scored");
    assert_eq!(of_parts.readings, whole.readings);
    assert_eq!(of_parts.merged.right, whole.merged.right);
    assert_eq!(of_parts.all.recall.value, whole.all.recall.value);
    assert_eq!(of_parts.run, whole.run);
    // Interrupted after so many records, silent and other slots included in none of them.
    let records = 20_000;
    let sent = run.records().take(records);
    let telemetry = sent.filter(|record| matches!(record.value, Record::Telemetry(_))).count();
    let mut endless = run.manifest.clone();
    endless.config.n_readings = None;
    let cut = Part { records: Some(records as u64), ..Part::whole(&endless) };
    let cut = score(&[cut], Alarms::default(), &PLAIN).expect("it can be scored");
    assert_eq!(cut.run.readings, telemetry as u64);
}

#[test]
fn readings_that_were_dropped_were_not_reported() {
    let run = troubled();
    let whole = scored(&run, Alarms::default(), &PLAIN);
    // Three slots a reading, so the first 50 readings of each of the 20 machines.
    let dropped = Part { dropped: vec![(0, 2999)], ..Part::whole(&run.manifest) };
    let cut = score(&[dropped], Alarms::default(), &PLAIN).expect("it can be scored");
    let from_ms = run.manifest.start.timestamp_millis() + 50_000;
    let left = run.telemetry().filter(|reading| reading.timestamp >= from_ms).count();
    assert_eq!(cut.run.readings, left as u64);
    assert!(cut.run.healthy_machine_hours < whole.run.healthy_machine_hours);
    assert_eq!(cut.episodes.len(), whole.episodes.len());
}

#[test]
fn what_cannot_be_scored_is_said() {
    let failed = |run: &Run| {
        score(&[Part::whole(&run.manifest)], Alarms::default(), &PLAIN).unwrap_err().to_string()
    };
    assert!(failed(&run(2, 50, &[])).contains("--set anomalies.enable=true"));
    let rare = ["anomalies.enable=true", "anomalies.cpu_spike_probability=0"];
    let rare = [
        &rare[..],
        &["anomalies.memory_leak_probability=0", "anomalies.network_saturation_probability=0"],
    ]
    .concat();
    assert!(failed(&run(2, 50, &rare)).contains("make a longer run"));
    let topics = |topics: Vec<Topic>| {
        let builder = Run::builder().machines(5).readings(200).seed(7);
        builder.set("anomalies.enable=true").topics(topics).build().expect("a run")
    };
    assert!(
        failed(&topics(vec![Topic::Status])).contains("neither topic telemetry nor topic usage")
    );
    let endless = Run::builder().machines(2).set("anomalies.enable=true").build().expect("a run");
    assert!(failed(&endless).contains("no end"));
    assert_eq!(score(&[], Alarms::default(), &PLAIN).unwrap_err(), ScoreError::NoInput);
    // Usage alone has readings as well.
    let run = topics(vec![Topic::Usage]);
    assert!(scored(&run, Alarms::default(), &PLAIN).run.anomalous_readings > 0);
}
