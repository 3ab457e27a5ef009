//! Runs are stationary from their first reading: what machines are like at the start is what they are
//! like at any time.
//!
//! Machines are independent of one another, so that the mean over them of the difference between a
//! machine's first readings and its later ones has a standard error of its own spread over the root of
//! their number; five of them are passed by chance once in 1.7 million.

use fleetstorm_model::record::Record;

use crate::support::statistics::{SIGMAS, assert_near, mean, standard_error};
use crate::support::stream::simulate;

/// Readings at the start, and as many later.
const FIRST: usize = 20;
const LATER: usize = 400;
const SIGNALS: [&str; 6] = ["cpu", "memory", "disk", "network", "requests", "latency"];

/// Compares each machine's first readings with its later ones.
fn assert_stationary(options: &str) {
    let mut read: Vec<usize> = Vec::new();
    let mut differences: Vec<[f64; SIGNALS.len()]> = Vec::new();
    let readings = LATER + FIRST;
    simulate(&format!("--topics telemetry --readings {readings} {options}"), |at, keyed| {
        let Record::Telemetry(t) = &keyed.record else { return };
        if read.len() <= at {
            read.resize(at + 1, 0);
            differences.resize(at + 1, [0.0; SIGNALS.len()]);
        }
        let sign = match read[at] {
            n if n < FIRST => -1.0,
            n if n >= LATER => 1.0,
            _ => 0.0,
        };
        read[at] += 1;
        // Requests and latency of a machine are told by their logarithms, which have a variance.
        let values = [
            t.cpu_percent,
            t.memory_percent,
            t.disk_percent,
            t.network_in_mbps,
            (1.0 + t.request_count as f64).ln(),
            (1.0 + t.latency_p50).ln(),
        ];
        for (sum, value) in differences[at].iter_mut().zip(values) {
            *sum += sign * value / FIRST as f64;
        }
    });
    assert!(read.len() >= 1000 && read.iter().all(|&n| n == readings), "{options}");
    for (i, signal) in SIGNALS.iter().enumerate() {
        let of_machines: Vec<f64> = differences.iter().map(|all| all[i]).collect();
        let bound = SIGMAS * standard_error(&of_machines);
        assert_near(mean(&of_machines), 0.0, bound, &format!("{options}: {signal}"));
    }
}

#[test]
fn a_fleet_is_in_the_midst_of_its_work_from_the_first_reading() {
    assert_stationary("--seed 1 --machines 3000");
    assert_stationary("--seed 2 --machines 2000 --set load_variance=1 --set base_cpu_load=0.2");
}

#[test]
fn so_is_one_with_more_jobs_than_it_can_run_at_once() {
    assert_stationary("--seed 3 --machines 2000 --set jobs.arrival_probability=0.05");
    assert_stationary("--seed 4 --machines 1000 --set jobs.arrival_probability=0.2");
}

#[test]
fn so_is_one_that_begins_in_the_night() {
    // At 4 in the morning of all its clocks, when the curve stands still.
    assert_stationary(
        "--seed 5 --machines 2000 --start 2026-01-14T04:00:00Z --set regions=[UTC] \
         --set temporal_patterns.enable_diurnal=true --set temporal_patterns.peak_hour=16",
    );
}

#[test]
fn jobs_that_are_under_way_are_told_of_whole() {
    let mut jobs = std::collections::HashMap::new();
    let mut first = Vec::new();
    let mut start = i64::MAX;
    simulate("--seed 6 --machines 500 --readings 300 --topics telemetry,jobs", |_, keyed| {
        match &keyed.record {
            Record::Telemetry(t) => start = start.min(t.timestamp),
            Record::Job(job) => {
                let before = jobs.insert(job.job_id.to_owned(), job.status.to_owned());
                let expected = match job.status {
                    "queued" => None,
                    "running" => Some("queued"),
                    _ => Some("running"),
                };
                assert_eq!(before.as_deref(), expected, "{}", job.job_id);
                if let Some(began) = job.start_time.filter(|&began| began < start) {
                    first.push(began);
                }
            }
            _ => {}
        }
    });
    // A third of a job a machine, of which some began minutes ago.
    assert!(first.len() > 100 && first.iter().any(|&began| began < start - 100_000), "{first:?}");
}
