//! Jobs: they arrive at a machine, wait for room, run, load it, and end.

use std::sync::LazyLock;

use slab::Slab;

use crate::random::RandomStream;

/// How many jobs a machine runs at once; the rest wait.
const RUNNING_AT_ONCE: u32 = 4;
/// A job that finds this many waiting is cancelled.
const WAITING_AT_MOST: u32 = 16;
const FAILED: f64 = 0.04;
const CANCELLED: f64 = 0.01;
/// From this many jobs under way on, on average, they get in each other's way: below, a fifth is
/// there at most twice in 10,000 readings.
const CROWDED: f64 = 0.5;
/// Readings after which a crowded machine's queue has forgotten how it began.
const FORGOTTEN: u64 = 1000;

const NONE: u32 = u32::MAX;
const NEVER: u64 = u64::MAX;

/// A kind of job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JobType {
    /// Its name, the `job_type` of its records.
    pub name: &'static str,
    /// Its part of all arrivals; the parts add up to 1.
    pub share: f64,
    /// The median of its duration, in readings.
    pub median: f64,
    /// The sigma of its log-normal duration: the heavier the tail, the larger.
    pub sigma: f64,
    /// The part of its machine's processors that it takes while it runs.
    pub cpu: f32,
    /// The part of its machine's memory that it holds while it runs.
    pub memory: f32,
}

/// The job types. Their mean duration is 31 readings.
pub const JOB_TYPES: [JobType; 5] = [
    JobType { name: "batch", share: 0.30, median: 20.0, sigma: 1.0, cpu: 0.15, memory: 0.10 },
    JobType { name: "etl", share: 0.25, median: 12.0, sigma: 0.8, cpu: 0.12, memory: 0.12 },
    JobType { name: "report", share: 0.25, median: 4.0, sigma: 0.7, cpu: 0.06, memory: 0.04 },
    JobType { name: "backup", share: 0.10, median: 30.0, sigma: 0.5, cpu: 0.05, memory: 0.03 },
    JobType { name: "training", share: 0.10, median: 60.0, sigma: 1.2, cpu: 0.25, memory: 0.20 },
];

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    /// It waits for room.
    Queued,
    /// It runs.
    Running,
    /// It ended as it should.
    Succeeded,
    /// It ended with an error, or with its machine.
    Failed,
    /// It was given up, before or while it ran.
    Cancelled,
}

/// One change of a job's state, with all that a record of it says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JobChange {
    /// The job's number on its machine, from 0.
    pub number: u32,
    /// Index into [`JOB_TYPES`].
    pub job_type: u8,
    /// The state it has now.
    pub status: JobStatus,
    /// When it started, in milliseconds since the epoch.
    pub start_time: Option<i64>,
    /// When it ended, in milliseconds since the epoch.
    pub end_time: Option<i64>,
}

/// The jobs of one machine.
#[derive(Debug, Clone)]
pub struct Jobs {
    stream: RandomStream,
    /// The reading at which the next job arrives.
    next_arrival: u64,
    /// The first reading at which a running job ends.
    next_end: u64,
    /// The oldest of its jobs in the arena.
    head: u32,
    arrived: u32,
    waiting: u32,
    running: u32,
    cpu: f32,
    memory: f32,
    /// Whether the jobs that were under way at the start have been told of.
    told: bool,
}

/// How jobs come to a machine at a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrivals {
    /// The probability that one arrives, at the peak of load's temporal curve.
    pub probability: f64,
    /// The temporal curve, from 0 to 1.
    pub curve: f64,
    /// Whether the machine starts jobs; those that arrive meanwhile wait.
    pub start: bool,
}

/// The unfinished jobs of all machines of a share, in one arena.
#[derive(Debug, Default)]
pub struct JobArena(Slab<Job>);

#[derive(Debug)]
struct Job {
    next: u32,
    number: u32,
    job_type: u8,
    /// Start, and the reading and outcome of its end; none while it waits.
    run: Option<Run>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    start_time: i64,
    ends: u64,
    outcome: JobStatus,
}

impl JobStatus {
    /// The status text of the `jobs` topic.
    pub fn as_str(self) -> &'static str {
        match self {
            JobStatus::Queued => "queued",
            JobStatus::Running => "running",
            JobStatus::Succeeded => "succeeded",
            JobStatus::Failed => "failed",
            JobStatus::Cancelled => "cancelled",
        }
    }
}

impl JobChange {
    /// `end_time` - `start_time`, in seconds, where it has both.
    pub fn duration_seconds(&self) -> Option<f64> {
        Some((self.end_time? - self.start_time?) as f64 / 1000.0)
    }
}

impl Jobs {
    /// A machine in the midst of its work, just before its first reading: what arrived before it and
    /// isn't done is under way, so that no run has a warm-up in it. `arrival` is the probability of
    /// an arrival at the peak of the temporal curve, and `before` gives the instant (milliseconds
    /// since the epoch) and the curve so many readings before the first.
    ///
    /// The first step tells of each of these jobs that it is queued and, where it runs, that it does.
    pub fn under_way(
        arrival: f64,
        mut before: impl FnMut(u64) -> (i64, f64),
        mut stream: RandomStream,
        arena: &mut JobArena,
    ) -> Jobs {
        let next_arrival = stream.geometric(arrival);
        let mut jobs = Jobs {
            stream,
            next_arrival,
            next_end: NEVER,
            head: NONE,
            arrived: 0,
            waiting: 0,
            running: 0,
            cpu: 0.0,
            memory: 0.0,
            told: true,
        };
        let load = arrival * LENGTHS.mean;
        let lead = if load > CROWDED { FORGOTTEN } else { 0 };
        jobs.find(load, lead, &mut before, arena);
        loop {
            let reading = jobs.next_arrival.min(jobs.next_end);
            if reading >= lead {
                break;
            }
            let (timestamp, curve) = before(lead - reading);
            let arrivals = Arrivals { probability: arrival, curve, start: true };
            jobs.change(reading, timestamp, arrivals, arena, |_| {});
        }
        jobs.begin(lead, arena);
        jobs
    }

    /// Draws the jobs that are under way where none ever waits: as many as a Poisson law of this mean
    /// says, each met with a probability in proportion to its length, and at any of its readings alike
    /// (M/G/infinity; Kleinrock, Queueing Systems I, 1975, section 5.2). Those beyond the room that there
    /// is wait. Readings count from `lead` before the first.
    fn find(
        &mut self,
        mean: f64,
        lead: u64,
        before: &mut impl FnMut(u64) -> (i64, f64),
        arena: &mut JobArena,
    ) {
        let mut found: Vec<(u64, i64, u8, Run)> = Vec::new();
        for _ in 0..self.stream.poisson(mean) {
            let (job_type, length, outcome) = draw_met(&mut self.stream);
            let age = 1 + self.stream.below(length);
            let (start_time, curve) = before(lead + age);
            if curve >= 1.0 || self.stream.chance(curve) {
                found.push((
                    age,
                    start_time,
                    job_type,
                    Run { start_time, ends: length - age, outcome },
                ));
            }
        }
        // The oldest first, as they came.
        found.sort_by_key(|(age, ..)| std::cmp::Reverse(*age));
        found.truncate((RUNNING_AT_ONCE + WAITING_AT_MOST) as usize);
        for (_, timestamp, job_type, run) in found {
            let key = self.enter(timestamp, job_type, arena, &mut |_| {});
            if self.running < RUNNING_AT_ONCE
                && let Some(job) = arena.0.get_mut(key as usize)
            {
                job.run = Some(run);
                self.waiting -= 1;
                self.running += 1;
            }
        }
        self.sum_up(arena);
    }

    /// Makes reading `lead` the first, and the jobs that are there the first of the machine.
    fn begin(&mut self, lead: u64, arena: &mut JobArena) {
        self.arrived = 0;
        let mut key = self.head;
        while let Some(job) = arena.0.get_mut(key as usize) {
            job.number = self.arrived;
            self.arrived += 1;
            if let Some(run) = &mut job.run {
                run.ends -= lead;
            }
            key = job.next;
        }
        self.next_arrival = self.next_arrival.saturating_sub(lead);
        self.told = self.head == NONE;
        // So that the first step looks.
        self.next_end = if self.told { NEVER } else { 0 };
    }

    /// Tells of the jobs that were under way at the start.
    #[cold]
    fn tell(&mut self, arena: &JobArena, changed: &mut impl FnMut(JobChange)) {
        self.told = true;
        let mut key = self.head;
        while let Some(job) = arena.0.get(key as usize) {
            let mut change = JobChange {
                number: job.number,
                job_type: job.job_type,
                status: JobStatus::Queued,
                start_time: None,
                end_time: None,
            };
            changed(change);
            if let Some(run) = job.run {
                change.status = JobStatus::Running;
                change.start_time = Some(run.start_time);
                changed(change);
            }
            key = job.next;
        }
    }

    /// The part of the machine's processors that its running jobs take.
    #[inline]
    pub fn cpu(&self) -> f64 {
        f64::from(self.cpu)
    }

    /// The part of the machine's memory that its running jobs hold.
    #[inline]
    pub fn memory(&self) -> f64 {
        f64::from(self.memory)
    }

    /// Moves on to `reading`, whose instant is `timestamp` (milliseconds since the epoch): jobs
    /// that are due end, one may arrive, and those for which there is room start, unless the
    /// machine takes none. Every change is handed to `changed`, in order.
    #[inline]
    pub fn step(
        &mut self,
        reading: u64,
        timestamp: i64,
        arrivals: Arrivals,
        arena: &mut JobArena,
        changed: impl FnMut(JobChange),
    ) {
        let may_start = arrivals.start && self.waiting > 0 && self.running < RUNNING_AT_ONCE;
        if reading >= self.next_arrival.min(self.next_end) || may_start {
            self.change(reading, timestamp, arrivals, arena, changed);
        }
    }

    /// The seldom part of [`Jobs::step`].
    #[cold]
    fn change(
        &mut self,
        reading: u64,
        timestamp: i64,
        arrivals: Arrivals,
        arena: &mut JobArena,
        mut changed: impl FnMut(JobChange),
    ) {
        if !self.told {
            self.tell(arena, &mut changed);
        }
        let due = |run: &Run| (run.ends <= reading).then_some(run.outcome);
        self.end(due, timestamp, arena, &mut changed);
        if reading >= self.next_arrival {
            // Candidates come evenly; as many of them are jobs as the curve of load is high.
            if arrivals.curve >= 1.0 || self.stream.chance(arrivals.curve) {
                let job_type = draw_type(&mut self.stream);
                self.enter(timestamp, job_type, arena, &mut changed);
            }
            let gap = self.stream.geometric(arrivals.probability);
            self.next_arrival = reading.saturating_add(1).saturating_add(gap);
        }
        if arrivals.start {
            self.start_waiting(reading, timestamp, arena, &mut changed);
        }
        self.sum_up(arena);
    }

    /// Ends all running jobs at the instant `timestamp` with this outcome, as a machine that goes
    /// down does.
    pub fn end_running(
        &mut self,
        outcome: JobStatus,
        timestamp: i64,
        arena: &mut JobArena,
        mut changed: impl FnMut(JobChange),
    ) {
        if self.running > 0 {
            if !self.told {
                self.tell(arena, &mut changed);
            }
            self.end(|_| Some(outcome), timestamp, arena, changed);
            self.sum_up(arena);
        }
    }

    /// Ends those running jobs for which `outcome` gives one.
    fn end(
        &mut self,
        outcome: impl Fn(&Run) -> Option<JobStatus>,
        timestamp: i64,
        arena: &mut JobArena,
        mut changed: impl FnMut(JobChange),
    ) {
        let (mut previous, mut key) = (NONE, self.head);
        while let Some(job) = arena.0.get(key as usize) {
            let next = job.next;
            match job.run.and_then(|run| Some((run, outcome(&run)?))) {
                Some((run, outcome)) => {
                    changed(JobChange {
                        number: job.number,
                        job_type: job.job_type,
                        status: outcome,
                        start_time: Some(run.start_time),
                        end_time: Some(timestamp),
                    });
                    arena.0.try_remove(key as usize);
                    self.running -= 1;
                    match arena.0.get_mut(previous as usize) {
                        Some(before) => before.next = next,
                        None => self.head = next,
                    }
                }
                None => previous = key,
            }
            key = next;
        }
    }

    /// Puts a job of this type at the end of the queue, or gives it up where that is too long;
    /// returns its place in the arena.
    fn enter(
        &mut self,
        timestamp: i64,
        job_type: u8,
        arena: &mut JobArena,
        changed: &mut impl FnMut(JobChange),
    ) -> u32 {
        let number = self.arrived;
        self.arrived = self.arrived.wrapping_add(1);
        let mut change = JobChange {
            number,
            job_type,
            status: JobStatus::Queued,
            start_time: None,
            end_time: None,
        };
        changed(change);
        if self.waiting >= WAITING_AT_MOST {
            change.status = JobStatus::Cancelled;
            change.end_time = Some(timestamp);
            changed(change);
            return NONE;
        }
        let key = arena.0.insert(Job { next: NONE, number, job_type, run: None }) as u32;
        let mut last = NONE;
        let mut at = self.head;
        while let Some(job) = arena.0.get(at as usize) {
            (last, at) = (at, job.next);
        }
        match arena.0.get_mut(last as usize) {
            Some(job) => job.next = key,
            None => self.head = key,
        }
        self.waiting += 1;
        key
    }

    fn start_waiting(
        &mut self,
        reading: u64,
        timestamp: i64,
        arena: &mut JobArena,
        changed: &mut impl FnMut(JobChange),
    ) {
        let mut key = self.head;
        while self.waiting > 0 && self.running < RUNNING_AT_ONCE {
            let Some(job) = arena.0.get_mut(key as usize) else {
                return;
            };
            if job.run.is_none() {
                let (readings, outcome) = draw_run(job.job_type, &mut self.stream);
                let ends = reading.saturating_add(readings);
                job.run = Some(Run { start_time: timestamp, ends, outcome });
                self.waiting -= 1;
                self.running += 1;
                changed(JobChange {
                    number: job.number,
                    job_type: job.job_type,
                    status: JobStatus::Running,
                    start_time: Some(timestamp),
                    end_time: None,
                });
            }
            key = job.next;
        }
    }

    /// Adds up what the running jobs take, afresh, so that no rounding gathers.
    fn sum_up(&mut self, arena: &JobArena) {
        (self.cpu, self.memory, self.next_end) = (0.0, 0.0, NEVER);
        let mut key = self.head;
        while let Some(job) = arena.0.get(key as usize) {
            if let Some(run) = job.run {
                let appetite = &JOB_TYPES[usize::from(job.job_type)];
                self.cpu += appetite.cpu;
                self.memory += appetite.memory;
                self.next_end = self.next_end.min(run.ends);
            }
            key = job.next;
        }
    }
}

fn draw_type(stream: &mut RandomStream) -> u8 {
    let draw = stream.uniform();
    let mut sum = 0.0;
    for (i, job_type) in JOB_TYPES.iter().enumerate() {
        sum += job_type.share;
        if draw < sum {
            return i as u8;
        }
    }
    JOB_TYPES.len() as u8 - 1
}

/// How long jobs run.
struct Lengths {
    /// How many readings, on average.
    mean: f64,
    /// Of all readings of running jobs, the part of each type.
    shares: [f64; JOB_TYPES.len()],
}

static LENGTHS: LazyLock<Lengths> = LazyLock::new(|| {
    // Jobs that fail or are cancelled end somewhere on the way: half-way, on average.
    let run = 1.0 - (FAILED + CANCELLED) / 2.0;
    let lengths =
        JOB_TYPES.map(|kind| kind.share * kind.median * libm::exp(kind.sigma * kind.sigma / 2.0));
    let sum: f64 = lengths.iter().sum();
    Lengths { mean: sum * run, shares: lengths.map(|length| length / sum) }
});

/// How many jobs are under way, on average, for each that would arrive in a reading at the peak of the
/// temporal curve, which so many readings before was at `curve`.
pub fn under_way(mut curve: impl FnMut(u64) -> f64) -> f64 {
    let early = 1.0 - (FAILED + CANCELLED) / 2.0;
    // The part of jobs that run longer than so many readings.
    let longer = |readings: u64| -> f64 {
        let part = |kind: &JobType| {
            let deviations = libm::log(readings as f64 / kind.median) / kind.sigma;
            kind.share * libm::erfc(deviations / std::f64::consts::SQRT_2) / 2.0
        };
        JOB_TYPES.iter().map(part).sum()
    };
    // Beyond, nothing is left.
    const LONGEST: u64 = 10_000;
    (0..LONGEST).map(|age| early * longer(age) * curve(age)).sum()
}

/// Type, length and outcome of a running job as it is met at any reading: each with a probability in
/// proportion to its length.
fn draw_met(stream: &mut RandomStream) -> (u8, u64, JobStatus) {
    let mut draw = stream.uniform();
    let longer = |share: &f64| {
        draw -= share;
        draw < 0.0
    };
    let job_type = LENGTHS.shares.iter().position(longer).unwrap_or(JOB_TYPES.len() - 1);
    let kind = &JOB_TYPES[job_type];
    // A log-normal law in proportion to the value is one whose median is exp(sigma^2) times as high.
    let median = kind.median * libm::exp(kind.sigma * kind.sigma);
    let readings = stream.log_normal(median, kind.sigma).round().max(1.0);
    let ends_early = (FAILED + CANCELLED) / 2.0;
    let draw = stream.uniform() * (1.0 - ends_early);
    let outcome = match draw {
        draw if draw < FAILED / 2.0 => JobStatus::Failed,
        draw if draw < ends_early => JobStatus::Cancelled,
        _ => return (job_type as u8, readings as u64, JobStatus::Succeeded),
    };
    // Of ends that are evenly spread, in proportion to the length.
    let length = (readings * stream.uniform().sqrt()).ceil().max(1.0);
    (job_type as u8, length as u64, outcome)
}

/// How many readings a job runs, at least one, and how it ends.
fn draw_run(job_type: u8, stream: &mut RandomStream) -> (u64, JobStatus) {
    let kind = &JOB_TYPES[usize::from(job_type)];
    let readings = stream.log_normal(kind.median, kind.sigma).round().max(1.0) as u64;
    let draw = stream.uniform();
    if draw < FAILED {
        // A failure comes somewhere on the way.
        (1 + stream.below(readings), JobStatus::Failed)
    } else if draw < FAILED + CANCELLED {
        (1 + stream.below(readings), JobStatus::Cancelled)
    } else {
        (readings, JobStatus::Succeeded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;
    use std::collections::HashMap;

    fn run(arrival: f64, readings: u64) -> Vec<(u64, JobChange)> {
        let mut arena = JobArena::default();
        let stream = RandomStream::new(11, 0, Purpose::Jobs);
        let mut jobs = Jobs::under_way(arrival, |n| (n as i64 * -1000, 1.0), stream, &mut arena);
        let mut changes = Vec::new();
        for reading in 0..readings {
            let arrivals = Arrivals { probability: arrival, curve: 1.0, start: true };
            jobs.step(reading, reading as i64 * 1000, arrivals, &mut arena, |c| {
                changes.push((reading, c));
            });
            assert!(jobs.running <= RUNNING_AT_ONCE && jobs.waiting <= WAITING_AT_MOST);
            assert_eq!((jobs.running + jobs.waiting) as usize, arena.0.len());
        }
        changes
    }

    #[test]
    fn every_job_walks_from_queued_over_running_to_one_end() {
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

    /// The jobs of many machines at their start and so many readings later: how many run, how many
    /// wait, and the part of the processors that those take.
    fn many(arrival: f64, later: u64) -> [[Vec<f64>; 3]; 2] {
        let mut found = [const { [const { Vec::new() }; 3] }; 2];
        for machine in 0..4000 {
            let mut arena = JobArena::default();
            let stream = RandomStream::new(5, machine, Purpose::Jobs);
            let before = |n: u64| (n as i64 * -1000, 1.0);
            let mut jobs = Jobs::under_way(arrival, before, stream, &mut arena);
            let arrivals = Arrivals { probability: arrival, curve: 1.0, start: true };
            for reading in 0..=later {
                jobs.step(reading, reading as i64 * 1000, arrivals, &mut arena, |_| {});
                if let Some(at) = [0, later].iter().position(|&at| at == reading) {
                    let values = [f64::from(jobs.running), f64::from(jobs.waiting), jobs.cpu()];
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
    fn as_many_are_under_way_as_their_mean_length_says() {
        // The lengths are whole: half a reading is the rounding's.
        assert!((under_way(|_| 1.0) - LENGTHS.mean).abs() < 1.0);
        assert!((under_way(|_| 0.5) * 2.0 - under_way(|_| 1.0)).abs() < 1e-9);
    }

    #[test]
    fn jobs_are_under_way_from_the_first_reading_as_at_any_other() {
        for arrival in [0.005, 0.01, 0.05, 0.1, 0.2] {
            let [first, later] = many(arrival, 2000);
            for (what, (a, b)) in ["running", "waiting", "cpu"].iter().zip(first.iter().zip(&later))
            {
                let ((a, error_a), (b, error_b)) = (mean(a), mean(b));
                // Five standard errors of a difference, 2000 readings apart and so nearly
                // independent; where nothing waits, both are 0.
                let bound = 5.0 * (error_a * error_a + error_b * error_b).sqrt();
                assert!((a - b).abs() <= bound, "{what} at {arrival}: {a} and {b} +- {bound}");
            }
            if arrival <= 0.01 {
                // A Poisson law: its variance is its mean.
                let expected = arrival * LENGTHS.mean;
                let bound = 5.0 * (expected / 4000.0).sqrt();
                assert!((mean(&first[0]).0 - expected).abs() < bound, "{arrival}");
            }
        }
    }

    #[test]
    fn arrivals_come_at_their_probability() {
        let (p, n) = (0.02, 200_000u64);
        // Those of the first reading were under way before.
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
}
