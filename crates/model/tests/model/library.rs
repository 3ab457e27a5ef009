//! The model as a library: records as an iterator, by threads and shards, and the ground truth.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fleetstorm_model::record::{Record, Topic};
use fleetstorm_model::run::{Incident, OwnedRecord, Run, RunBuilder};
use fleetstorm_model::schedule::{Pace, Profile};

/// A run on which much happens.
fn chaos() -> RunBuilder {
    let builder = Run::builder().scenario("chaos").machines(40).readings(300).seed(7);
    builder.start("2026-01-01T00:00:00Z".parse().expect("an instant"))
}

/// The records of each topic and key, in order.
fn by_key(
    records: impl Iterator<Item = OwnedRecord>,
) -> BTreeMap<(Topic, String), Vec<OwnedRecord>> {
    let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in records {
        by_key.entry((record.topic, record.key.clone())).or_default().push(record);
    }
    by_key
}

#[test]
fn threads_and_shards_have_the_records_of_the_whole_between_them() {
    let whole = by_key(chaos().build().unwrap().records());
    assert!(whole.len() > 4 * 40, "{} keys", whole.len());
    let run = chaos().build().unwrap();
    let threads = (0..3).flat_map(|thread| run.records_of(thread, 3));
    assert_eq!(by_key(threads), whole);
    let shard = |shard: &str| chaos().shard(shard.parse().unwrap()).build().unwrap();
    assert_eq!(by_key(shard("0/2").records().chain(shard("1/2").records())), whole);
}

#[test]
fn a_topic_alone_is_what_all_records_have_of_it() {
    let run = chaos().build().unwrap();
    let of_all = run.records().filter_map(|record| match record.value {
        Record::Telemetry(telemetry) => Some(telemetry),
        _ => None,
    });
    let telemetry: Vec<_> = run.telemetry().collect();
    assert_eq!(telemetry, of_all.collect::<Vec<_>>());
    assert!(!telemetry.is_empty());
    assert_eq!(run.machines().count(), 40);
    assert!(run.usage().count() > 0 && run.status().count() > 0 && run.jobs().count() > 0);
}

#[test]
fn records_are_due_as_the_pace_says_and_announcements_are_not_paced() {
    let rate = Pace::Rate(Profile::Constant("10".parse().unwrap()));
    let run = Run::builder().machines(5).seed(1).pace(rate).records(30).build().unwrap();
    let due: Vec<Option<Duration>> = run.records().map(|record| record.due).collect();
    assert!(due[..5].iter().all(Option::is_none), "{:?}", &due[..5]);
    // A record each tenth of a second, those of silent slots left out.
    let due: Vec<Duration> = due[5..].iter().map(|due| due.expect("it is paced")).collect();
    assert!(due.len() > 10 && due.is_sorted());
    let tenth = Duration::from_millis(100);
    let steps = due.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() / tenth.as_secs_f64());
    assert!(steps.into_iter().all(|step| (step - step.round()).abs() < 1e-6 && step > 0.5));
}

#[test]
fn the_ground_truth_is_what_the_topic_tells_and_the_same_without_it() {
    let without = chaos().build().unwrap().incidents();
    let run = chaos().topics(Topic::ALL).build().unwrap();
    let incidents = run.incidents();
    assert_eq!(incidents, without);
    let by_id: HashMap<&str, &Incident> = incidents.iter().map(|i| (i.id.as_str(), i)).collect();
    assert_eq!(by_id.len(), incidents.len());
    let mut told = 0;
    for record in run.records().only(Topic::Incidents) {
        let Record::Incident(change) = record.value else { panic!("{record:?}") };
        let incident = by_id[change.incident_id.as_str()];
        assert_eq!((&change.machine_id, &change.kind), (&incident.machine_id, &incident.kind));
        assert_eq!((change.start_time, change.magnitude), (incident.start_ms, incident.magnitude));
        if change.end_time.is_some() {
            assert_eq!(change.end_time, incident.end_ms);
        }
        told += 1;
    }
    assert!(told > 100, "{told}");
    // Telemetry is labelled while an anomaly is open, but for the little that can't show: see anomalies.rs.
    let anomalies: Vec<&Incident> = incidents.iter().filter(|i| i.is_anomaly).collect();
    let open = |machine: &str, at_ms: i64| {
        anomalies.iter().any(|anomaly| {
            let ended = anomaly.end_ms.is_some_and(|end_ms| at_ms >= end_ms);
            anomaly.machine_id == machine && at_ms >= anomaly.start_ms && !ended
        })
    };
    let (mut labelled, mut all) = (0, 0);
    for reading in run.telemetry() {
        let is_open = open(&reading.machine_id, reading.timestamp);
        assert!(is_open || !reading.is_anomaly, "{reading:?}");
        all += u32::from(is_open);
        labelled += u32::from(reading.is_anomaly);
    }
    assert!(labelled > 100 && labelled * 100 > all * 97, "{labelled} of {all}");
}
