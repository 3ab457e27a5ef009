//! Runs by words, as the program's options say them: "--seed 1 --machines 5 --rate max". A run takes
//! many words of a table of options, and reads better so than as a chain of calls.
//!
//! This knows what each option sets and no more: what options mean together, and which exclude each
//! other, the program's command line decides. `tests/program/schedule.rs` holds both against each other.

use std::fmt::Display;
use std::str::FromStr;

use fleetstorm_model::config::units::{RateLimit, Shard, Span, Speed};
use fleetstorm_model::encoding::Format;
use fleetstorm_model::manifest::{JobKey, Manifest};
use fleetstorm_model::record::Topic;
use fleetstorm_model::run::{Run, RunBuilder, RunError};
use fleetstorm_model::schedule::trace::Source;
use fleetstorm_model::schedule::{Pace, Profile, Time};

/// What an option sets.
type Setter = fn(RunBuilder, &str) -> RunBuilder;

/// Every option that takes a value.
const SETTERS: [(&str, Setter); 22] = [
    ("--scenario", |run, name| run.scenario(name)),
    ("--set", |run, setting| run.set(setting)),
    ("--machines", |run, machines| run.machines(read(machines))),
    ("--readings", |run, readings| run.readings(read(readings))),
    ("--jobs", |run, jobs| run.jobs(read(jobs))),
    ("--seed", |run, seed| run.seed(read(seed))),
    ("--interval", |run, interval| run.interval(read::<Span>(interval).duration())),
    ("--machines-refresh", |run, every| run.machines_refresh(read(every))),
    ("--records", |run, records| run.records(read(records))),
    ("--duration", |run, duration| run.duration(read(duration))),
    ("--close-windows", |run, behind| run.close_windows(read(behind))),
    ("--start", |run, start| run.start(read(start))),
    ("--shard", |run, shard| run.shard(read::<Shard>(shard))),
    ("--topics", |run, topics| run.topics(topics.split(',').map(read::<Topic>))),
    ("--job-key", |run, key| run.job_key(by_name(key, JOB_KEYS))),
    ("--format", |run, format| run.format(by_name(format, FORMATS))),
    ("--time", |run, time| run.time(by_name(time, TIMES))),
    ("--rate", |run, rate| match read(rate) {
        RateLimit::Max => run.time(Time::Simulated).pace(Pace::Max),
        RateLimit::At(rate) => run.pace(Pace::Rate(Profile::Constant(rate))),
    }),
    ("--speed", |run, speed| {
        run.time(Time::Simulated).pace(Pace::Natural(read::<Speed>(speed).factor()))
    }),
    ("--peak-rate", |run, peak| run.pace(Pace::Load(read(peak)))),
    ("--byte-rate", |run, rate| run.byte_rate(read(rate))),
    ("--rate-profile", |run, source| run.pace(Pace::Rate(profile(source)))),
];

const JOB_KEYS: [(&str, JobKey); 2] =
    [("machine_id", JobKey::MachineId), ("job_id", JobKey::JobId)];
const FORMATS: [(&str, Format); 2] = [("avro", Format::Avro), ("json", Format::Json)];
const TIMES: [(&str, Time); 2] = [("live", Time::Live), ("simulated", Time::Simulated)];

/// The run with these options, separated by white space, as seen at `now_ms`.
pub fn run_at(now_ms: i64, options: &str) -> Result<Run, RunError> {
    let mut run = Run::builder();
    let mut words = options.split_whitespace().peekable();
    while let Some(option) = words.next() {
        let setter = SETTERS.iter().find(|(name, _)| *name == option);
        let (_, set) = setter.unwrap_or_else(|| panic!("{options}: there is no {option} here"));
        let value = words.next().unwrap_or_else(|| panic!("{options}: {option} takes a value"));
        run = set(run, value);
        if option == "--rate-profile" && words.next_if_eq(&"--repeat").is_some() {
            run = run.pace(Pace::Rate(profile(value).repeated()));
        }
    }
    run.build_at(now_ms)
}

/// The manifest of a run that there must be.
pub fn manifest_at(now_ms: i64, options: &str) -> Manifest {
    run_at(now_ms, options).unwrap_or_else(|error| panic!("{options}: {error}")).manifest
}

fn profile(source: &str) -> Profile {
    read::<Source>(source).profile().unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn read<T: FromStr<Err: Display>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn by_name<T: Copy, const N: usize>(name: &str, all: [(&str, T); N]) -> T {
    let found = all.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("{name} is none of what there is")).1
}
