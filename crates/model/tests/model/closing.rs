//! A run that closes its windows: each partition that has keys ends with one more record, the same
//! whatever the fleet is divided into, and all before is as without.

use std::collections::{BTreeMap, BTreeSet};

use fleetstorm_model::fleet::Share;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::{Record, Topic};
use fleetstorm_model::run::Run;
use fleetstorm_model::stream::{Step, Stream};
use fleetstorm_model::window_closing::without_keys;

use crate::support::options::{manifest_at, run_at};
use crate::support::parts::{FIXED, MODES, Made, NOW_MS, assert_same, scenarios, share, streamed};

const BEHIND_MS: i64 = 300_000;

fn manifest(options: &str) -> Manifest {
    manifest_at(NOW_MS, &format!("{FIXED} {options}"))
}

fn closing(options: &str) -> Manifest {
    manifest(&format!("{options} --close-windows 5m"))
}

fn make(manifest: &Manifest, threads: u32) -> Made {
    (0..threads).fold(Made::default(), |mut made, thread| {
        made.join(Made::of(streamed(manifest, (thread, threads))));
        made
    })
}

/// The timestamp of a run's last slot, silent or not.
fn last_ms(manifest: &Manifest) -> i64 {
    let mut stream = Stream::new(manifest, Share::WHOLE);
    let mut last = i64::MIN;
    while let Some(step) = stream.next() {
        if let Step::Slot(slot) = step {
            last = last.max(slot.timestamp_ms);
        }
    }
    last
}

/// Runs of every pace, time, set of topics and scenario, and such as end before all machines have read.
fn modes() -> Vec<String> {
    let short = [
        "--records 4 --rate max",
        "--records 1 --rate max --topics status",
        "--records 301 --rate max --scenario chaos",
        "--duration 10ms --rate 777",
        "--time simulated --rate 777 --duration 700ms",
        "--speed 60x --duration 500ms",
        "--rate-profile steps:100@2s,0@1s,300@1s",
        "--machines 3 --readings 5 --rate max",
        "--machines 1 --interval 1h --readings 5 --rate max",
        "--topics machines --readings 1 --rate max",
        "--topics telemetry,incidents --scenario chaos --readings 300 --rate max",
    ];
    let modes = MODES.into_iter().chain(short).map(str::to_owned);
    modes.chain(scenarios().map(|mode| mode.replace("--readings 320", "--readings 111"))).collect()
}

#[test]
fn each_partition_that_has_keys_ends_with_one_record_behind_all_others() {
    for mode in modes() {
        let plain = make(&manifest(&mode), 1);
        let manifest = closing(&mode);
        let last = last_ms(&manifest).max(manifest.start.timestamp_millis());
        assert_eq!(manifest.closing_ms(), Some(last + BEHIND_MS), "{mode}");
        let closed = make(&manifest, 1);
        let mut partitions = BTreeSet::new();
        for (key, records) in &closed.streams {
            let before = plain.streams.get(key).map_or(&[][..], Vec::as_slice);
            let (same, more) = records.split_at(before.len());
            assert!(same == before, "{mode}: {key:?} has other records before the end");
            for record in more {
                assert_eq!(record.timestamp_ms, last + BEHIND_MS, "{mode}: {key:?}");
                assert_eq!(record.intended_ns, None, "{mode}: {key:?}");
                let once = partitions.insert((key.0, record.partition));
                assert!(once, "{mode}: partition {} of {} closes twice", record.partition, key.0);
            }
        }
        let keyed = |topic: &Topic| *topic != Topic::Incidents;
        for topic in manifest.topic_set().iter().filter(keyed) {
            let without = without_keys(&manifest).into_iter().find(|of| of.topic == topic);
            let without = without.map_or(0, |of| of.partitions as usize);
            let closes = partitions.iter().filter(|(of, _)| *of == topic).count();
            assert_eq!(closes, 6 - without, "{mode}: {topic}");
            // None is left open that has a record.
            for (_, record) in closed.records().filter(|((of, _), _)| *of == topic) {
                assert!(partitions.contains(&(topic, record.partition)), "{mode}: {topic}");
            }
        }
        assert!(partitions.iter().all(|(topic, _)| keyed(topic)), "{mode}: the ground truth");
        assert_eq!(plain.silent, closed.silent, "{mode}");
    }
}

#[test]
fn threads_close_what_one_does_and_nothing_follows() {
    // What has no slots has nothing to divide.
    for mode in modes().into_iter().filter(|mode| !mode.contains("--topics machines ")) {
        let manifest = closing(&mode);
        let whole = make(&manifest, 1);
        for threads in [2, 3, 8] {
            assert_same(&whole, &make(&manifest, threads), &format!("{mode} by {threads}"));
        }
        for thread in 0..3 {
            let (sent, _) = streamed(&manifest, (thread, 3));
            let ends = manifest.closing_ms().expect("it closes its windows");
            let is_closing = |at: &usize| sent[*at].2.timestamp_ms == ends;
            let first = (0..sent.len()).find(is_closing).unwrap_or(sent.len());
            assert!((first..sent.len()).all(|at| is_closing(&at)), "{mode}: thread {thread}");
        }
    }
}

/// Which machines have read when the run ends depends on where it is cut, and on nobody's share.
#[test]
fn wherever_a_run_is_cut_threads_close_what_one_does() {
    for seed in 1..6 {
        for records in (1..400).step_by(13) {
            let mode = format!("--scenario chaos --machines 40 --rate max --records {records}");
            let options = format!("{FIXED} {mode} --close-windows 5m");
            let manifest = manifest_at(NOW_MS, &options.replace("42", &seed.to_string()));
            let whole = make(&manifest, 1);
            for threads in [2, 3] {
                let context = format!("seed {seed}: {mode} by {threads}");
                assert_same(&whole, &make(&manifest, threads), &context);
            }
        }
    }
}

#[test]
fn a_stream_stops_at_the_end_where_it_is_asked_to() {
    let manifest = closing("--scenario chaos --readings 30 --rate max");
    let mut stream = Stream::new(&manifest, share(&manifest, (0, 1)));
    while let Some(step) = stream.next_until_end() {
        assert!(!matches!(step, Step::Closing(_)), "{step:?}");
        stream.record(&step, |_| ());
    }
    assert_eq!(stream.next_until_end(), None);
    let mut closings = 0;
    while let Some(Step::Closing(closing)) = stream.next() {
        stream.close(&closing, |keyed| assert!(keyed.is_some(), "{closing:?}"));
        closings += 1;
    }
    assert_eq!((closings, stream.next()), (30, None));
}

#[test]
fn closing_records_say_what_disturbs_nobody() {
    let options = format!(
        "{FIXED} --scenario chaos --machines 60 --rate max --readings 400 \
         --topics telemetry,usage,status,jobs,machines,incidents"
    );
    let mut down = 0;
    for seed in 1..30 {
        let run = |more: &str| {
            let options = options.replace("--seed 42", &format!("--seed {seed}"));
            run_at(NOW_MS, &format!("{options} {more}")).expect("there is such a run")
        };
        let (plain, closed): (Run, Run) = (run(""), run("--close-windows 5m"));
        assert_eq!(plain.incidents(), closed.incidents(), "seed {seed}");
        let ends = closed.manifest.closing_ms().expect("it closes its windows");
        let jobs: BTreeSet<String> = plain.jobs().map(|job| job.job_id).collect();
        let told: BTreeMap<_, _> =
            plain.machines().map(|machine| (machine.machine_id.clone(), machine)).collect();
        for record in closed.records().filter(|record| record.timestamp_ms == ends) {
            match record.value {
                Record::Telemetry(telemetry) => assert_eq!(telemetry.timestamp, ends),
                Record::Usage(usage) => assert_eq!(usage.timestamp, ends),
                Record::Status(status) if status.status == "down" => {
                    // The last that was heard of it, before the run's end.
                    assert!(status.last_heartbeat < ends - BEHIND_MS, "seed {seed}");
                    assert!(status.last_heartbeat >= NOW_MS, "seed {seed}");
                    down += 1;
                }
                Record::Status(status) => assert_eq!(status.last_heartbeat, ends),
                Record::Job(job) => {
                    assert!(
                        !jobs.contains(&job.job_id),
                        "seed {seed}: {} is another's",
                        job.job_id
                    );
                    assert_eq!((job.status.as_str(), job.start_time), ("cancelled", None));
                    assert_eq!((job.end_time, job.duration_seconds), (Some(ends), None));
                }
                Record::Machine(machine) => assert_eq!(machine, told[&machine.machine_id]),
                Record::Incident(incident) => panic!("seed {seed}: {incident:?}"),
            }
        }
    }
    assert!(down > 0, "no machine was down, so nothing was seen of it");
}

#[test]
fn jobs_keyed_by_their_names_close_every_partition() {
    let manifest = closing("--machines 2 --topics jobs --job-key job_id --readings 5 --rate max");
    assert_eq!(without_keys(&manifest), []);
    let partitions: BTreeSet<i32> =
        make(&manifest, 1).records().map(|(_, record)| record.partition).collect();
    assert_eq!(partitions, (0..6).collect());
}

#[test]
fn a_run_without_a_known_end_and_a_shard_close_nothing() {
    for (options, what) in [
        ("", "--records"),
        ("--rate 100", "--records"),
        ("--rate max --duration 5s", "--duration and a pace"),
        ("--rate max --duration 5s --readings 7", "--duration and a pace"),
        ("--records 5 --shard 0/2", "--shard"),
    ] {
        let refused = run_at(NOW_MS, &format!("{FIXED} {options} --close-windows 5m"));
        let error = refused.expect_err(options).to_string();
        assert!(error.contains("--close-windows") && error.contains(what), "{options}: {error}");
    }
}

#[test]
fn a_manifest_without_the_field_is_as_before() {
    let plain = serde_json::to_value(manifest("--readings 5")).expect("a manifest can be written");
    assert!(plain.get("close_windows").is_none());
    let with = serde_json::to_value(closing("--readings 5")).expect("a manifest can be written");
    assert_eq!(with["close_windows"], "5m");
    let read: Manifest = serde_json::from_value(with).expect("what was written can be read");
    assert_eq!(read, closing("--readings 5"));
    // What no run writes is refused where it is read.
    let endless = Manifest { close_windows: read.close_windows, ..manifest("") };
    assert!(endless.check().is_err());
}
