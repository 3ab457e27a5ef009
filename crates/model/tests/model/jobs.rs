//! Jobs: each ends once, loads its machine by what it takes, and as many come as were asked for.
//!
//! Seeds are fixed, so that a test passes always or never; tolerances are five standard errors.

use std::collections::BTreeMap;

use fleetstorm_model::record::Record;
use fleetstorm_model::simulation::jobs::{self, JOB_TYPES};

use crate::support::statistics::{SIGMAS, assert_near, mean};
use crate::support::stream::{simulate, telemetry};

const NO_JOBS: &str = "--set jobs.arrival_probability=0";

/// What one record of the jobs topic says.
#[derive(Debug, Clone, PartialEq)]
struct Change {
    machine: usize,
    job_type: String,
    status: String,
    start: Option<i64>,
    end: Option<i64>,
    seconds: Option<f64>,
}

/// The records of every job, in order, of the run with these options.
fn jobs_of(options: &str) -> BTreeMap<String, Vec<Change>> {
    let mut jobs: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    let mut running: BTreeMap<usize, u32> = BTreeMap::new();
    simulate(options, |at, keyed| {
        let Record::Job(job) = &keyed.record else { return };
        let change = Change {
            machine: at,
            job_type: job.job_type.to_owned(),
            status: job.status.to_owned(),
            start: job.start_time,
            end: job.end_time,
            seconds: job.duration_seconds,
        };
        assert!(job.job_id.contains(&job.machine_id["machine-".len()..]), "{job:?}");
        let running = running.entry(at).or_default();
        if change.status == "running" {
            *running += 1;
        } else if change.end.is_some() && change.start.is_some() {
            *running -= 1;
        }
        assert!(*running <= 4, "machine {at} runs more than four jobs at once");
        jobs.entry(job.job_id.to_owned()).or_default().push(change);
    });
    jobs
}

#[test]
fn every_job_ends_once_or_runs_still() {
    let jobs =
        jobs_of("--seed 15 --machines 60 --readings 5000 --set jobs.arrival_probability=0.03");
    let mut open: BTreeMap<usize, usize> = BTreeMap::new();
    for (id, changes) in &jobs {
        let statuses: Vec<&str> = changes.iter().map(|c| c.status.as_str()).collect();
        let legal = match statuses.as_slice() {
            ["queued"] | ["queued", "running"] => {
                *open.entry(changes[0].machine).or_default() += 1;
                true
            }
            ["queued", "running", "succeeded" | "failed" | "cancelled"] => true,
            ["queued", "cancelled"] => true,
            _ => false,
        };
        assert!(legal, "{id} went through {statuses:?}");
        assert!(changes.iter().all(|c| c.job_type == changes[0].job_type), "{id}: {changes:?}");
        assert!(JOB_TYPES.iter().any(|t| t.name == changes[0].job_type), "{id}: {changes:?}");
        let start = changes.iter().find_map(|c| c.start);
        for change in changes {
            let ended = matches!(change.status.as_str(), "succeeded" | "failed" | "cancelled");
            assert_eq!(change.start.is_some(), change.status != "queued" && start.is_some());
            assert_eq!(change.end.is_some(), ended, "{id}: {change:?}");
            assert!(change.start.is_none() || change.start == start, "{id}: its start moved");
            let seconds = change.start.zip(change.end).map(|(s, e)| (e - s) as f64 / 1000.0);
            assert_eq!(change.seconds, seconds, "{id}: {change:?}");
            // A job takes one reading at least: a second.
            assert!(seconds.is_none_or(|s| s >= 1.0), "{id}: {change:?}");
        }
    }
    assert!(jobs.len() > 1000);
    // Four run, 16 wait, and the last changes of some may not have had their slot yet.
    assert!(open.values().all(|&n| n <= 24), "jobs are forgotten: {open:?}");
    let ids: Vec<&String> = jobs.keys().collect();
    for machine in 0..60 {
        let of_machine = ids.iter().filter(|id| jobs[**id][0].machine == machine);
        let numbers: Vec<u32> = of_machine
            .map(|id| id.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap())
            .collect();
        assert!(numbers.iter().copied().eq(0..numbers.len() as u32), "a number is missing");
    }
}

#[test]
fn running_jobs_load_their_machine_by_what_they_take() {
    // At so low a base load that jobs seldom fill a machine.
    let fleet = "--seed 16 --machines 60 --readings 3000 --set base_cpu_load=0.1";
    let base = "--set base_memory_load=0.2";
    let topics = "--topics telemetry,jobs --set jobs.arrival_probability=0.01";
    let all_jobs = jobs_of(&format!("{fleet} {base} {topics}"));
    let with = telemetry(&format!("{fleet} {base} --set jobs.arrival_probability=0.01"), |t| {
        (t.timestamp, t.cpu_percent, t.memory_percent)
    });
    // The base loads include jobs. A fleet without them that has what they leave has the same levels, where
    // no level is cut.
    let running = jobs::running(0.01);
    let mean_running: f64 =
        (0u32..).zip(running).map(|(jobs, share)| f64::from(jobs) * share).sum();
    let (job_cpu, job_memory) = jobs::mean_use();
    let left = format!(
        "--set base_cpu_load={} --set base_memory_load={}",
        0.1 - mean_running * job_cpu,
        0.2 - mean_running * job_memory
    );
    let without = telemetry(&format!("{fleet} {NO_JOBS} {left}"), |t| {
        (t.timestamp, t.cpu_percent, t.memory_percent)
    });

    let mut compared = 0;
    let (mut busy, mut idle) = (vec![Vec::new(); with.len()], vec![Vec::new(); with.len()]);
    for (machine, rows) in with.iter().enumerate() {
        let runs: Vec<(i64, i64, f64, f64)> = all_jobs
            .values()
            .filter(|changes| changes[0].machine == machine)
            .filter_map(|changes| {
                let last = changes.last()?;
                let kind = JOB_TYPES.iter().find(|t| t.name == last.job_type)?;
                let (start, end) = (last.start?, last.end.unwrap_or(i64::MAX));
                Some((start, end, f64::from(kind.cpu), f64::from(kind.memory)))
            })
            .collect();
        // The very last changes may still wait for a slot, so the last readings are left out.
        for (with, without) in rows.iter().zip(&without[machine]).take(rows.len() - 50) {
            let (at, cpu, memory) = *with;
            let (same, base_cpu, base_memory) = *without;
            assert_eq!(at, same);
            let active = || runs.iter().filter(|(start, end, ..)| (*start..*end).contains(&at));
            let takes_cpu: f64 = active().map(|run| run.2 * 100.0).sum();
            let takes_memory: f64 = active().map(|run| run.3 * 100.0).sum();
            // The draws are the same with and without jobs, so the difference is theirs alone, to
            // the rounding of two values to two decimals. Noise below 0 is cut, and so is use
            // above 100 percent.
            let is_cut = cpu >= 100.0 - 2.5 || base_cpu < 0.01;
            if !is_cut {
                assert_near(cpu - base_cpu, takes_cpu, 0.0101, "cpu that jobs take");
                compared += 1;
            }
            if memory < 100.0 {
                assert_near(memory - base_memory, takes_memory, 0.0101, "memory that jobs hold");
            }
            if takes_cpu > 0.0 { busy[machine].push(cpu) } else { idle[machine].push(cpu) }
        }
    }
    assert!(compared > 100_000, "only {compared} readings could be compared");
    // The same as someone sees it who has the one run alone: a machine is busier while it works.
    let mut raised = 0;
    for (busy, idle) in busy.iter().zip(&idle) {
        if busy.len() >= 100 && idle.len() >= 100 {
            raised += 1;
            let (a, b) = (mean(busy), mean(idle));
            assert!(a > b, "a machine with jobs is less busy ({a}) than without ({b})");
        }
    }
    assert!(raised > 30, "only {raised} machines could be compared");
}

#[test]
fn as_many_jobs_come_as_were_asked_for() {
    for (seed, machines, readings, n_jobs) in
        [(17, 100, 1000, 1000), (18, 37, 800, 900), (19, 1000, 100, 3000), (20, 10, 2000, 4000)]
    {
        let options = format!(
            "--seed {seed} --topics jobs --machines {machines} --readings {readings} \
             --jobs {n_jobs}"
        );
        let found = jobs_of(&options).len() as f64;
        // A binomial: each reading of each machine brings a job with the same probability.
        let expected = f64::from(n_jobs);
        let p = expected / f64::from(machines * readings);
        let stray = (expected * (1.0 - p)).sqrt();
        assert_near(found, expected, SIGMAS * stray, &options);
    }
    assert!(jobs_of("--seed 21 --topics jobs --readings 1000 --jobs 0").is_empty());
}
