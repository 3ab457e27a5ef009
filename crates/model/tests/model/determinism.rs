//! One manifest, one stream: the records of a run depend on nothing else, neither on the topics beside
//! theirs nor on when the run is built. That threads and processes divide them without a change is shown
//! by the program's workers, in `tests/program/determinism.rs`.

use std::collections::BTreeSet;

use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;

use crate::support::options::manifest_at;
use crate::support::parts::{
    FIXED, MODES, Made, NOW_MS, Received, assert_golden, assert_same, scenarios, streamed,
};

fn manifest(options: &str) -> Manifest {
    manifest_at(NOW_MS, &format!("{FIXED} {options}"))
}

/// All that a process makes with so many threads, a part after the other.
fn make(manifest: &Manifest, threads: u32) -> Made {
    (0..threads).fold(Made::default(), |mut made, thread| {
        made.join(Made::of(streamed(manifest, (thread, threads))));
        made
    })
}

/// What the three shards of the run make together, each with so many threads.
fn make_in_shards(options: &str, threads: u32) -> Made {
    (0..3).fold(Made::default(), |mut made, shard| {
        made.join(make(&manifest(&format!("{options} --shard {shard}/3")), threads));
        made
    })
}

#[test]
fn topics_that_are_not_selected_change_nothing_in_any_scenario() {
    for mode in scenarios() {
        let all = make(&manifest(&mode), 1);
        let some = mode.replace("telemetry,usage,status,jobs,machines,incidents", "telemetry");
        let some = make(&manifest(&some), 1);
        // Without other slots the telemetry slot keeps its place as the first of its reading.
        assert_eq!(all.topic(Topic::Telemetry), some.topic(Topic::Telemetry), "{mode}");
    }
}

#[test]
fn a_fixed_start_makes_the_same_records_whenever_the_run_is_planned() {
    for mode in MODES {
        // As the processes of a sharded run are, some seconds apart.
        let later = manifest_at(NOW_MS + 12_345, &format!("{FIXED} {mode}"));
        assert_eq!(manifest(mode), later, "{mode}");
    }
}

#[test]
fn a_manifest_that_was_written_and_read_makes_the_same_records() {
    for mode in MODES {
        let manifest = manifest(mode);
        let text = serde_json::to_string(&manifest).expect("a manifest can be written");
        let read: Manifest = serde_json::from_str(&text).expect("what was written can be read");
        assert_same(&make(&manifest, 1), &make(&read, 1), mode);
    }
}

#[test]
fn topics_that_are_not_selected_change_nothing_in_the_others() {
    let pace = "--rate max --readings 60 --set base_cpu_load=0.6 \
                --set jobs.arrival_probability=0.1";
    let all = make(&manifest(pace), 1);
    for topics in [
        "telemetry",
        "telemetry,usage",
        "telemetry,status",
        "telemetry,jobs,machines",
        "usage",
        "usage,status",
    ] {
        let some = make(&manifest(&format!("{pace} --topics {topics}")), 1);
        for topic in [Topic::Telemetry, Topic::Usage, Topic::Machines] {
            if !topics.contains(topic.name()) {
                continue;
            }
            let (all, some) = (all.topic(topic), some.topic(topic));
            assert_eq!(all.len(), some.len(), "{topics}: keys of {topic}");
            for (key, records) in some {
                let values = |records: &[Received]| {
                    records.iter().map(|r| (r.partition, r.value.clone())).collect::<Vec<_>>()
                };
                assert!(values(records) == values(all[key]), "{topics}: {topic} of {key}");
                // The first slot is the reading's own instant, whatever follows it.
                if topic == Topic::Telemetry {
                    assert_eq!(records, all[key], "{topics}: {topic} of {key}");
                }
            }
        }
    }
}

#[test]
fn the_same_jobs_happen_whether_status_is_selected_or_not() {
    let pace = "--rate max --readings 200 --set base_cpu_load=0.8 \
                --set jobs.arrival_probability=0.1";
    let all = make(&manifest(pace), 1);
    let alone = make(&manifest(&format!("{pace} --topics jobs")), 1);
    let (all, alone) = (all.topic(Topic::Jobs), alone.topic(Topic::Jobs));
    assert_eq!((all.len(), alone.len()), (100, 100));
    for (key, records) in alone {
        // Changes of status take slots, so that changes of jobs may come later, but in their order.
        let behind = all[key].len();
        assert!(behind <= records.len() && behind > 0, "{key}");
        let same = all[key].iter().zip(records).all(|(a, b)| a.value == b.value);
        assert!(same, "{key}: other jobs");
    }
}

#[test]
fn a_number_of_records_cuts_the_schedule_at_that_slot() {
    const RATE: f64 = 1234.5;
    let whole = make(&manifest("--rate 1234.5 --readings 8"), 1);
    // A round has 300 slots: some numbers cut inside a reading, some between two, one between two
    // rounds.
    for records in [1u64, 2, 3, 299, 300, 301, 1001, 2000] {
        let mode = format!("--rate 1234.5 --records {records}");
        // Slot j of three a reading is due when j + 3/2 records are.
        let cut_ns = ((records as f64 + 1.5) / RATE * 1e9) as u64;
        let mut expected = Made { silent: 0, ..Made::default() };
        for ((topic, key), record) in whole.records() {
            if record.intended_ns.is_none_or(|due| due < cut_ns) {
                let stream = expected.streams.entry((*topic, key.clone())).or_default();
                stream.push(record.clone());
            }
        }
        assert_eq!(expected.slots(), records);
        assert_same(&expected, &make(&manifest(&mode), 1), &mode);
        assert_same(&expected, &make_in_shards(&mode, 2), &format!("{mode} in shards"));
    }
}

#[test]
fn silent_slots_count_towards_a_number_of_records() {
    for records in [1u64, 99, 100, 101, 5003] {
        let mode = format!("--topics jobs --rate max --records {records}");
        for made in [make(&manifest(&mode), 1), make_in_shards(&mode, 2)] {
            assert_eq!(made.slots(), records, "{mode}");
            assert!(made.silent > 0, "{mode}: a fleet has not that many jobs");
        }
    }
}

#[test]
fn another_seed_makes_other_records() {
    let one = make(&manifest("--readings 5"), 1);
    let other = make(&manifest_at(NOW_MS, "--seed 43 --start 2026-01-01 --readings 5"), 1);
    // The same machines exist, at the same rate; all they do differs.
    assert!(
        one.streams
            .keys()
            .filter(|(topic, _)| *topic == Topic::Telemetry)
            .eq(other.streams.keys().filter(|(topic, _)| *topic == Topic::Telemetry))
    );
    // Jobs have names of their own, so that a second run doesn't begin the first one's again.
    let jobs = |seed| {
        let mode = format!("--seed {seed} --start 2026-01-01 --job-key job_id --readings 50");
        let made = make(&manifest_at(NOW_MS, &mode), 1);
        let keys = made.streams.keys().filter(|(topic, _)| *topic == Topic::Jobs);
        keys.map(|(_, key)| key.clone()).collect::<BTreeSet<_>>()
    };
    assert!(jobs(42).len() > 10 && jobs(42) == jobs(42) && jobs(42).is_disjoint(&jobs(43)));
    for topic in [Topic::Telemetry, Topic::Usage, Topic::Machines] {
        for (key, records) in one.topic(topic) {
            let others = &other.topic(topic)[key];
            assert!(!records.is_empty() && !others.is_empty(), "{topic} of {key} has none");
            let differs = records.iter().zip(*others).all(|(a, b)| a.value != b.value);
            assert!(differs, "{topic} of {key} is the same under both seeds");
        }
    }
}

#[test]
fn the_record_stream_is_that_of_its_version() {
    assert_golden(manifest, |manifest| streamed(manifest, (0, 1)).0);
}
