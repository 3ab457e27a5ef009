//! Jobs: they arrive at a machine, are queued, run, load it, and end.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use slab::Slab;

use crate::random::RandomStream;

/// How many jobs a machine runs at once; the others are queued.
const MAX_RUNNING: u32 = 4;
/// A job that finds this many in the queue is cancelled.
const MAX_QUEUED: u32 = 16;
/// The fractions of jobs that fail and that are cancelled while they run.
const FAILED: f64 = 0.04;
const CANCELLED: f64 = 0.01;
/// The mean number of jobs in progress above which queueing matters. Below it, a fifth job is there at
/// most twice in 10,000 readings.
const QUEUEING_FROM: f64 = 0.5;
/// Readings after which the initial state of a machine's queue no longer matters.
const WARM_UP_READINGS: u64 = 1000;

/// The end of a list in the arena.
const NONE: u32 = u32::MAX;
const NEVER: u64 = u64::MAX;

/// A kind of job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JobType {
    /// Its name, the `job_type` of its records.
    pub name: &'static str,
    /// Its share of all arrivals; the shares add up to 1.
    pub share: f64,
    /// The median of its duration, in readings.
    pub median: f64,
    /// The sigma of its log-normal duration: the larger, the heavier the tail.
    pub sigma: f64,
    /// The fraction of its machine's processors that it takes while it runs.
    pub cpu: f32,
    /// The fraction of its machine's memory that it holds while it runs.
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
    /// It waits to run.
    Queued,
    /// It runs.
    Running,
    /// It ended without an error.
    Succeeded,
    /// It ended with an error, or its machine went down.
    Failed,
    /// It was cancelled, before or while it ran.
    Cancelled,
}

/// One change of a job's state, with the fields of its record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JobChange {
    /// The job's number on its machine, from 0.
    pub number: u32,
    /// Index into [`JOB_TYPES`].
    pub job_type: u8,
    /// Its new state.
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
    queued: u32,
    running: u32,
    cpu: f32,
    memory: f32,
    /// Whether the jobs that were in progress at the start have been reported.
    initial_reported: bool,
}

/// How jobs arrive at a machine at a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrivals {
    /// The probability that one arrives, at the peak of the temporal curve.
    pub probability: f64,
    /// The temporal curve, from 0 to 1.
    pub curve: f64,
    /// Whether the machine starts jobs; if not, jobs that arrive are queued.
    pub may_start: bool,
}

/// The unfinished jobs of all machines of a share, in one arena.
#[derive(Debug, Default)]
pub struct JobArena(Slab<Job>);

#[derive(Debug)]
struct Job {
    next: u32,
    number: u32,
    job_type: u8,
    /// None while it is queued.
    execution: Option<Execution>,
}

/// A running job's start and end.
#[derive(Debug, Clone, Copy)]
struct Execution {
    start_time: i64,
    /// The reading at which it ends.
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
    /// `end_time` - `start_time`, in seconds, if it has both.
    pub fn duration_seconds(&self) -> Option<f64> {
        Some((self.end_time? - self.start_time?) as f64 / 1000.0)
    }
}

impl Jobs {
    /// A machine in steady state, before its first reading: jobs that arrived earlier are in progress,
    /// so that no run contains a warm-up. `arrival` is the probability of an arrival at the peak of the
    /// temporal curve. `before` gives the instant (milliseconds since the epoch) and the curve so many
    /// readings before the first.
    ///
    /// The first step reports each of these jobs as queued and, if it runs, as running.
    pub fn in_steady_state(
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
            queued: 0,
            running: 0,
            cpu: 0.0,
            memory: 0.0,
            initial_reported: true,
        };
        let load = arrival * LENGTHS.mean;
        let lead = if load > QUEUEING_FROM { WARM_UP_READINGS } else { 0 };
        jobs.draw_initial(load, lead, &mut before, arena);
        loop {
            let reading = jobs.next_arrival.min(jobs.next_end);
            if reading >= lead {
                break;
            }
            let (timestamp, curve) = before(lead - reading);
            let arrivals = Arrivals { probability: arrival, curve, may_start: true };
            jobs.change(reading, timestamp, arrivals, arena, |_| {});
        }
        jobs.end_warm_up(lead, arena);
        jobs
    }

    /// Draws the jobs that are in progress if none is ever queued. Their number is Poisson with this
    /// mean, each is drawn in proportion to its length, and its age is uniform (M/G/infinity; Kleinrock,
    /// Queueing Systems I, 1975, section 5.2). Those that can't run at once are queued. Readings count
    /// from `lead` before the first.
    fn draw_initial(
        &mut self,
        mean: f64,
        lead: u64,
        before: &mut impl FnMut(u64) -> (i64, f64),
        arena: &mut JobArena,
    ) {
        let mut drawn: Vec<(u64, u8, Execution)> = Vec::new();
        for _ in 0..self.stream.poisson(mean) {
            let (job_type, length, outcome) = draw_in_progress(&mut self.stream);
            let age = 1 + self.stream.below(length);
            let (start_time, curve) = before(lead + age);
            if curve >= 1.0 || self.stream.chance(curve) {
                drawn.push((age, job_type, Execution { start_time, ends: length - age, outcome }));
            }
        }
        // The oldest first, in order of arrival.
        drawn.sort_by_key(|(age, ..)| std::cmp::Reverse(*age));
        drawn.truncate((MAX_RUNNING + MAX_QUEUED) as usize);
        for (_, job_type, execution) in drawn {
            let key = self.enqueue(execution.start_time, job_type, arena, &mut |_| {});
            if self.running < MAX_RUNNING
                && let Some(job) = arena.0.get_mut(key as usize)
            {
                job.execution = Some(execution);
                self.queued -= 1;
                self.running += 1;
            }
        }
        self.update_totals(arena);
    }

    /// Makes reading `lead` the first, and numbers the unfinished jobs from 0.
    fn end_warm_up(&mut self, lead: u64, arena: &mut JobArena) {
        self.arrived = 0;
        let mut key = self.head;
        while let Some(job) = arena.0.get_mut(key as usize) {
            job.number = self.arrived;
            self.arrived += 1;
            if let Some(execution) = &mut job.execution {
                execution.ends -= lead;
            }
            key = job.next;
        }
        self.next_arrival = self.next_arrival.saturating_sub(lead);
        self.initial_reported = self.head == NONE;
        // So that the first step reports them.
        self.next_end = if self.initial_reported { NEVER } else { 0 };
    }

    /// Reports the jobs that were in progress at the start.
    #[cold]
    fn report_initial(&mut self, arena: &JobArena, changed: &mut impl FnMut(JobChange)) {
        self.initial_reported = true;
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
            if let Some(execution) = job.execution {
                change.status = JobStatus::Running;
                change.start_time = Some(execution.start_time);
                changed(change);
            }
            key = job.next;
        }
    }

    /// The fraction of the machine's processors that its running jobs take.
    #[inline]
    pub fn cpu(&self) -> f64 {
        f64::from(self.cpu)
    }

    /// The fraction of the machine's memory that its running jobs hold.
    #[inline]
    pub fn memory(&self) -> f64 {
        f64::from(self.memory)
    }

    /// Advances to `reading`, whose instant is `timestamp` (milliseconds since the epoch): jobs that are
    /// due end, one may arrive, and queued jobs start, if the machine may start jobs. Passes every
    /// change to `changed`, in order.
    #[inline]
    pub fn step(
        &mut self,
        reading: u64,
        timestamp: i64,
        arrivals: Arrivals,
        arena: &mut JobArena,
        changed: impl FnMut(JobChange),
    ) {
        let may_start = arrivals.may_start && self.queued > 0 && self.running < MAX_RUNNING;
        if reading >= self.next_arrival.min(self.next_end) || may_start {
            self.change(reading, timestamp, arrivals, arena, changed);
        }
    }

    /// The rare part of [`Jobs::step`].
    #[cold]
    fn change(
        &mut self,
        reading: u64,
        timestamp: i64,
        arrivals: Arrivals,
        arena: &mut JobArena,
        mut changed: impl FnMut(JobChange),
    ) {
        if !self.initial_reported {
            self.report_initial(arena, &mut changed);
        }
        let due = |execution: &Execution| (execution.ends <= reading).then_some(execution.outcome);
        self.end(due, timestamp, arena, &mut changed);
        if reading >= self.next_arrival {
            // Arrivals are drawn at the rate of the peak, and thinned by the temporal curve.
            if arrivals.curve >= 1.0 || self.stream.chance(arrivals.curve) {
                let job_type = draw_type(&mut self.stream);
                self.enqueue(timestamp, job_type, arena, &mut changed);
            }
            let gap = self.stream.geometric(arrivals.probability);
            self.next_arrival = reading.saturating_add(1).saturating_add(gap);
        }
        if arrivals.may_start {
            self.start_queued(reading, timestamp, arena, &mut changed);
        }
        self.update_totals(arena);
    }

    /// Ends all running jobs with this outcome at the instant `timestamp`, since the machine goes down
    /// or out of service.
    pub fn end_running(
        &mut self,
        outcome: JobStatus,
        timestamp: i64,
        arena: &mut JobArena,
        mut changed: impl FnMut(JobChange),
    ) {
        if self.running > 0 {
            if !self.initial_reported {
                self.report_initial(arena, &mut changed);
            }
            self.end(|_| Some(outcome), timestamp, arena, changed);
            self.update_totals(arena);
        }
    }

    /// Ends the running jobs for which `outcome` returns one.
    fn end(
        &mut self,
        outcome: impl Fn(&Execution) -> Option<JobStatus>,
        timestamp: i64,
        arena: &mut JobArena,
        mut changed: impl FnMut(JobChange),
    ) {
        let (mut previous, mut key) = (NONE, self.head);
        while let Some(job) = arena.0.get(key as usize) {
            let next = job.next;
            let ending =
                job.execution.and_then(|execution| Some((execution, outcome(&execution)?)));
            match ending {
                Some((execution, outcome)) => {
                    changed(JobChange {
                        number: job.number,
                        job_type: job.job_type,
                        status: outcome,
                        start_time: Some(execution.start_time),
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

    /// Appends a job of this type to the queue, or cancels it if the queue is full; returns its key in
    /// the arena.
    fn enqueue(
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
        if self.queued >= MAX_QUEUED {
            change.status = JobStatus::Cancelled;
            change.end_time = Some(timestamp);
            changed(change);
            return NONE;
        }
        let key = arena.0.insert(Job { next: NONE, number, job_type, execution: None }) as u32;
        let mut last = NONE;
        let mut at = self.head;
        while let Some(job) = arena.0.get(at as usize) {
            (last, at) = (at, job.next);
        }
        match arena.0.get_mut(last as usize) {
            Some(job) => job.next = key,
            None => self.head = key,
        }
        self.queued += 1;
        key
    }

    /// Starts queued jobs while the machine may run more.
    fn start_queued(
        &mut self,
        reading: u64,
        timestamp: i64,
        arena: &mut JobArena,
        changed: &mut impl FnMut(JobChange),
    ) {
        let mut key = self.head;
        while self.queued > 0 && self.running < MAX_RUNNING {
            let Some(job) = arena.0.get_mut(key as usize) else {
                return;
            };
            if job.execution.is_none() {
                let (readings, outcome) = draw_execution(job.job_type, &mut self.stream);
                let ends = reading.saturating_add(readings);
                job.execution = Some(Execution { start_time: timestamp, ends, outcome });
                self.queued -= 1;
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

    /// Adds up what the running jobs take, from zero, so that rounding errors don't accumulate.
    fn update_totals(&mut self, arena: &JobArena) {
        (self.cpu, self.memory, self.next_end) = (0.0, 0.0, NEVER);
        let mut key = self.head;
        while let Some(job) = arena.0.get(key as usize) {
            if let Some(execution) = job.execution {
                let job_type = &JOB_TYPES[usize::from(job.job_type)];
                self.cpu += job_type.cpu;
                self.memory += job_type.memory;
                self.next_end = self.next_end.min(execution.ends);
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
    /// The mean length, in readings.
    mean: f64,
    /// The share of each type in all readings of running jobs.
    shares: [f64; JOB_TYPES.len()],
}

static LENGTHS: LazyLock<Lengths> = LazyLock::new(|| {
    // Jobs that fail or are cancelled end half-way, on average.
    let completed = 1.0 - (FAILED + CANCELLED) / 2.0;
    let lengths =
        JOB_TYPES.map(|kind| kind.share * kind.median * libm::exp(kind.sigma * kind.sigma / 2.0));
    let sum: f64 = lengths.iter().sum();
    Lengths { mean: sum * completed, shares: lengths.map(|length| length / sum) }
});

/// The fractions of readings at which 0 to 4 jobs run on a machine, where one arrives with the probability
/// `arrival` at each reading: those of the M/M/c/K queue (Kleinrock, Queueing Systems I, 1975, section 3.5).
pub fn running(arrival: f64) -> [f64; MAX_RUNNING as usize + 1] {
    let load = arrival * LENGTHS.mean;
    let mut shares = [0.0; MAX_RUNNING as usize + 1];
    let mut weight = 1.0;
    for jobs in 0..=MAX_RUNNING + MAX_QUEUED {
        shares[jobs.min(MAX_RUNNING) as usize] += weight;
        weight *= load / f64::from((jobs + 1).min(MAX_RUNNING));
    }
    let sum: f64 = shares.iter().sum();
    shares.map(|share| share / sum)
}

/// The fractions of its machine's processors and memory that a running job takes, on average.
pub fn mean_use() -> (f64, f64) {
    let mean = |of: fn(&JobType) -> f32| -> f64 {
        JOB_TYPES.iter().zip(LENGTHS.shares).map(|(kind, share)| share * f64::from(of(kind))).sum()
    };
    (mean(|kind| kind.cpu), mean(|kind| kind.memory))
}

/// The mean number of jobs in progress for each that arrives per reading at the peak of the temporal
/// curve; `curve` gives the curve so many readings before.
pub fn mean_in_progress(mut curve: impl FnMut(u64) -> f64) -> f64 {
    let completed = 1.0 - (FAILED + CANCELLED) / 2.0;
    // The fraction of jobs that run longer than so many readings.
    let longer = |readings: u64| -> f64 {
        let part = |kind: &JobType| {
            let deviations = libm::log(readings as f64 / kind.median) / kind.sigma;
            kind.share * libm::erfc(deviations / std::f64::consts::SQRT_2) / 2.0
        };
        JOB_TYPES.iter().map(part).sum()
    };
    // Almost no job runs longer.
    const LONGEST: u64 = 10_000;
    (0..LONGEST).map(|age| completed * longer(age) * curve(age)).sum()
}

/// Draws type, length and outcome of a job that is running at any given reading: each with a probability
/// in proportion to its length.
fn draw_in_progress(stream: &mut RandomStream) -> (u8, u64, JobStatus) {
    let mut draw = stream.uniform();
    let longer = |share: &f64| {
        draw -= share;
        draw < 0.0
    };
    let job_type = LENGTHS.shares.iter().position(longer).unwrap_or(JOB_TYPES.len() - 1);
    let kind = &JOB_TYPES[job_type];
    // A log-normal weighted by its value is a log-normal whose median is exp(sigma^2) times as high.
    let median = kind.median * libm::exp(kind.sigma * kind.sigma);
    let readings = stream.log_normal(median, kind.sigma).round().max(1.0);
    let ends_early = (FAILED + CANCELLED) / 2.0;
    let draw = stream.uniform() * (1.0 - ends_early);
    let outcome = match draw {
        draw if draw < FAILED / 2.0 => JobStatus::Failed,
        draw if draw < ends_early => JobStatus::Cancelled,
        _ => return (job_type as u8, readings as u64, JobStatus::Succeeded),
    };
    // Early ends are uniform over the length, and again weighted by the length that results.
    let length = (readings * stream.uniform().sqrt()).ceil().max(1.0);
    (job_type as u8, length as u64, outcome)
}

/// Draws how many readings a job runs, at least one, and how it ends.
fn draw_execution(job_type: u8, stream: &mut RandomStream) -> (u64, JobStatus) {
    let kind = &JOB_TYPES[usize::from(job_type)];
    let readings = stream.log_normal(kind.median, kind.sigma).round().max(1.0) as u64;
    let draw = stream.uniform();
    if draw < FAILED {
        // A failed job ends early, at any of its readings.
        (1 + stream.below(readings), JobStatus::Failed)
    } else if draw < FAILED + CANCELLED {
        (1 + stream.below(readings), JobStatus::Cancelled)
    } else {
        (readings, JobStatus::Succeeded)
    }
}
