//! Queues in their steady state, and changes of jobs in order.

use super::*;
use crate::random::Purpose;
use std::collections::HashMap;

fn run(arrival: f64, readings: u64) -> Vec<(u64, JobChange)> {
    let mut arena = JobArena::default();
    let stream = RandomStream::new(11, 0, Purpose::Jobs);
    let before = |n| (n as i64 * -1000, 1.0);
    let mut jobs = Jobs::in_steady_state(arrival, before, stream, &mut arena);
    let mut changes = Vec::new();
    for reading in 0..readings {
        let arrivals = Arrivals { probability: arrival, curve: 1.0, may_start: true };
        jobs.step(reading, reading as i64 * 1000, arrivals, &mut arena, |c| {
            changes.push((reading, c));
        });
        assert!(jobs.running <= MAX_RUNNING && jobs.queued <= MAX_QUEUED);
        assert_eq!((jobs.running + jobs.queued) as usize, arena.0.len());
    }
    changes
}

#[test]
fn every_job_goes_from_queued_through_running_to_one_end() {
    let mut last: HashMap<u32, JobChange> = HashMap::new();
    for (_, change) in run(0.15, 100_000) {
        let before = last.insert(change.number, change);
        match change.status {
            JobStatus::Queued => assert!(before.is_none()),
            JobStatus::Running => {
                assert_eq!(before.map(|b| b.status), Some(JobStatus::Queued));
                assert!(change.start_time.is_some() && change.end_time.is_none());
            }
            JobStatus::Cancelled => assert!(before.is_some_and(|b| b.end_time.is_none())),
            JobStatus::Succeeded | JobStatus::Failed => {
                assert_eq!(before.map(|b| b.status), Some(JobStatus::Running));
                assert!(change.duration_seconds().is_some_and(|s| s >= 1.0));
            }
        }
    }
    assert!(last.len() > 1000);
}

/// The jobs of many machines at their start and so many readings later: how many run, how many are
/// queued, and the fraction of the processors that the running ones take.
fn many(arrival: f64, later: u64) -> [[Vec<f64>; 3]; 2] {
    let mut found = [const { [const { Vec::new() }; 3] }; 2];
    for machine in 0..4000 {
        let mut arena = JobArena::default();
        let stream = RandomStream::new(5, machine, Purpose::Jobs);
        let before = |n: u64| (n as i64 * -1000, 1.0);
        let mut jobs = Jobs::in_steady_state(arrival, before, stream, &mut arena);
        let arrivals = Arrivals { probability: arrival, curve: 1.0, may_start: true };
        for reading in 0..=later {
            jobs.step(reading, reading as i64 * 1000, arrivals, &mut arena, |_| {});
            if let Some(at) = [0, later].iter().position(|&at| at == reading) {
                let values = [f64::from(jobs.running), f64::from(jobs.queued), jobs.cpu()];
                for (list, value) in found[at].iter_mut().zip(values) {
                    list.push(value);
                }
            }
        }
    }
    found
}

/// Mean, and its standard error for independent values.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

#[test]
fn as_many_are_in_progress_as_their_mean_length_says() {
    // Lengths are whole readings: rounding adds half a reading.
    assert!((mean_in_progress(|_| 1.0) - LENGTHS.mean).abs() < 1.0);
    assert!((mean_in_progress(|_| 0.5) * 2.0 - mean_in_progress(|_| 1.0)).abs() < 1e-9);
}

#[test]
fn as_many_jobs_are_in_progress_at_the_first_reading_as_at_any_other() {
    for arrival in [0.005, 0.01, 0.05, 0.1, 0.2] {
        let [first, later] = many(arrival, 2000);
        for (what, (a, b)) in ["running", "queued", "cpu"].iter().zip(first.iter().zip(&later)) {
            let ((a, error_a), (b, error_b)) = (mean(a), mean(b));
            // Five standard errors of a difference; values 2000 readings apart are nearly
            // independent. If nothing is queued, both are 0.
            let bound = 5.0 * (error_a * error_a + error_b * error_b).sqrt();
            assert!((a - b).abs() <= bound, "{what} at {arrival}: {a} and {b} +- {bound}");
        }
        if arrival <= 0.01 {
            // A Poisson distribution: its variance is its mean.
            let expected = arrival * LENGTHS.mean;
            let bound = 5.0 * (expected / 4000.0).sqrt();
            assert!((mean(&first[0]).0 - expected).abs() < bound, "{arrival}");
        }
    }
}

#[test]
fn arrivals_come_at_their_probability() {
    let (p, n) = (0.02, 200_000u64);
    // Those of the first reading were in progress before.
    let arrived = run(p, n)
        .iter()
        .filter(|(reading, c)| *reading > 0 && c.status == JobStatus::Queued)
        .count() as f64;
    let (mean, sd) = (n as f64 * p, (n as f64 * p * (1.0 - p)).sqrt());
    assert!((arrived - mean).abs() < 5.0 * sd, "{arrived} against {mean}");
}

#[test]
fn shares_add_up_and_no_probability_means_no_job() {
    assert!((JOB_TYPES.iter().map(|t| t.share).sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(run(0.0, 10_000).is_empty());
}
