//! One manifest, one stream: the records of a run don't depend on how many threads or processes
//! make them, nor on when they are made.
//!
//! Every test makes its manifest from options as a user gives them, drives the run's own workers
//! and collects what reaches the sink. The schedule's zero is put far into the past, so that a
//! paced run waits for nothing. What the stream itself promises is shown by the model's own tests, in
//! `crates/model/tests/model/`: the first test here ties both together.

use std::thread;

use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;

use crate::options::manifest_at;
use crate::parts::{FIXED, MODES, Made, NOW_MS, assert_golden, assert_same, scenarios, streamed};
use crate::worker::{LONG_AGO_NS, work};

fn manifest(options: &str) -> Manifest {
    manifest_at(NOW_MS, &format!("{FIXED} {options}"))
}

/// All that a process makes with so many threads, which really run side by side.
fn make(manifest: &Manifest, threads: u32) -> Made {
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|t| scope.spawn(move || work(manifest, (t, threads), LONG_AGO_NS, 0)))
            .collect();
        workers.into_iter().fold(Made::default(), |mut made, worker| {
            made.join(Made::of(worker.join().expect("the worker came to its end")));
            made
        })
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
fn workers_send_what_the_stream_yields() {
    for mode in MODES {
        for thread in [(0, 1), (1, 3)] {
            let manifest = manifest(mode);
            let (sent, silent) = work(&manifest, thread, LONG_AGO_NS, 0);
            let (expected, expected_silent) = streamed(&manifest, thread);
            for (i, (sent, expected)) in sent.iter().zip(&expected).enumerate() {
                assert_eq!(sent, expected, "{mode}: record {i} of thread {thread:?}");
            }
            assert_eq!((sent.len(), silent), (expected.len(), expected_silent), "{mode}");
            assert!(!sent.is_empty(), "{mode}: nothing was sent, so nothing was compared");
        }
    }
}

#[test]
fn any_number_of_threads_makes_the_same_records() {
    for mode in MODES {
        let manifest = manifest(mode);
        let alone = make(&manifest, 1);
        // A fleet of 100 has seven dependency groups: the eighth thread has nothing to do.
        for threads in [2, 8] {
            let context = format!("{mode}, {threads} threads");
            assert_same(&alone, &make(&manifest, threads), &context);
        }
    }
}

#[test]
fn shards_make_together_what_one_process_makes() {
    for mode in MODES {
        let whole = make(&manifest(mode), 1);
        for threads in [1, 2] {
            let context = format!("{mode}, three shards of {threads} threads");
            assert_same(&whole, &make_in_shards(mode, threads), &context);
        }
    }
}

#[test]
fn every_scenario_is_the_same_in_any_division() {
    for mode in scenarios() {
        let manifest = manifest(&mode);
        let alone = make(&manifest, 1);
        assert_same(&alone, &make(&manifest, 8), &format!("{mode}, 8 threads"));
        let shards = make_in_shards(&mode, 2);
        assert_same(&alone, &shards, &format!("{mode}, three shards of two threads"));
        let quiet = ["baseline", "capacity_planning", "cpu_bound"];
        let is_quiet = quiet.iter().any(|name| mode.contains(&format!("--scenario {name} ")));
        assert_eq!(alone.topic(Topic::Incidents).is_empty(), is_quiet, "{mode}: incidents");
    }
}

#[test]
fn a_large_fleet_divides_as_well() {
    let mode = "--machines 5003 --rate 100k --readings 3";
    let whole = make(&manifest(mode), 1);
    assert_eq!(whole.topic(Topic::Machines).len(), 5003);
    assert_eq!(whole.slots(), 3 * 5003 * 3);
    assert_same(&whole, &make(&manifest(mode), 8), "8 threads");
    assert_same(&whole, &make_in_shards(mode, 2), "three shards of two threads");
}

#[test]
fn every_reading_is_made_once() {
    let made = make_in_shards("--readings 30", 2);
    for topic in [Topic::Telemetry, Topic::Usage] {
        let keys = made.topic(topic);
        assert_eq!(keys.len(), 100);
        for (key, records) in keys {
            assert_eq!(records.len(), 30, "{topic} of {key}");
            let rising = records.windows(2).all(|w| w[0].timestamp_ms < w[1].timestamp_ms);
            assert!(rising, "{topic} of {key}: an instant came twice");
        }
    }
    for (key, records) in made.topic(Topic::Machines) {
        assert_eq!(records.len(), 1, "announcements of {key}");
    }
}

#[test]
fn the_record_stream_is_that_of_its_version() {
    assert_golden(manifest, |manifest| work(manifest, (0, 1), LONG_AGO_NS, 0).0);
}
