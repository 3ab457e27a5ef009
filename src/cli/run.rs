//! Turns the arguments of `run` into plain values, and checks how they go together.

use std::path::Path;

use fleetstorm_model::config::units::{RateLimit, Shard};
use fleetstorm_model::encoding::Format;
use fleetstorm_model::manifest::Transactions;
use fleetstorm_model::run::{Run, RunBuilder};
use fleetstorm_model::schedule::{Pace, Profile, Time};

use crate::exit::ProgramError;
use crate::run::options::{
    KafkaOptions, OnBacklog, RunOptions, SinkOptions, Source, TopicCreation,
};
use crate::sink::options::Acks;

use super::RunArgs;
use super::destination::SinkKind;
use super::fleet::FleetArgs;

impl RunArgs {
    /// The run that they ask for.
    ///
    /// # Errors
    /// [`ProgramError::Usage`], which names the arguments that disagree.
    pub fn source(&self) -> Result<Source, ProgramError> {
        match &self.resume {
            Some(report) => Ok(Source::Resumed(report.clone())),
            None => Ok(Source::New(Box::new(self.builder()?))),
        }
    }

    /// The builder of the run that they describe.
    ///
    /// # Errors
    /// [`ProgramError::Usage`], which names the arguments that disagree.
    pub fn builder(&self) -> Result<RunBuilder, ProgramError> {
        let to_stdout = self.keep.report.as_deref().is_some_and(|path| path == Path::new("-"));
        if to_stdout && self.destination.sink == SinkKind::Stdout {
            return usage(
                "--sink stdout and --report - both write to standard output: give --report a file",
            );
        }
        let (time, pace) = time_and_pace(self)?;
        pace_fits(self, &pace)?;
        let mut builder = self
            .fleet
            .builder()
            .time(time)
            .pace(pace)
            .shard(shard(self)?)
            .format(format(self)?)
            .job_key(self.topics.job_key)
            .topics(self.topics.topics.iter().copied())
            .topic_prefix(&self.topics.topic_prefix)
            .partitions(self.topics.partitions);
        if let Some(transactions) = transactions(self)? {
            builder = builder.transactions(transactions);
        }
        if let Some(rate) = self.pace.byte_rate {
            builder = builder.byte_rate(rate);
        }
        if let Some(interval) = self.pace.interval {
            builder = builder.interval(interval.duration());
        }
        if let Some(every) = self.pace.machines_refresh {
            builder = builder.machines_refresh(every);
        }
        if let Some(records) = self.pace.records {
            builder = builder.records(records);
        }
        if let Some(duration) = self.pace.duration {
            builder = builder.duration(duration);
        }
        if let Some(after) = self.pace.close_windows {
            builder = builder.close_windows(after);
        }
        if let Some(start) = self.pace.start {
            builder = builder.start(start);
        }
        Ok(builder)
    }

    /// How to make it.
    pub fn options(&self) -> RunOptions {
        let destination = &self.destination;
        RunOptions {
            sink: self.sink(),
            threads: self.pace.threads,
            on_backlog: self.pace.on_backlog.into(),
            max_skew: self.pace.max_skew.map(|span| span.duration()),
            max_rate_error: self.pace.max_rate_error,
            give_up_after: destination.give_up_after.duration(),
            shutdown_timeout: destination.shutdown_timeout.duration(),
            report: self.keep.report.clone(),
            hdr_log: self.keep.hdr_log.clone(),
        }
    }

    fn sink(&self) -> SinkOptions {
        let destination = &self.destination;
        match destination.sink {
            SinkKind::Null => SinkOptions::Null,
            SinkKind::Stdout => {
                SinkOptions::Stdout { topic_prefix: self.topics.topic_prefix.clone() }
            }
            SinkKind::Kafka => SinkOptions::Kafka(Box::new(KafkaOptions {
                cluster: destination.broker.options(),
                registry: self.registry.options(),
                register_schemas: !self.no_register_schemas,
                keep: destination.keep,
                embedded_registry: destination.embedded_registry,
                acks: destination.acks.map(Acks::from),
                transport: destination.transport.into(),
                producers: self.pace.producers,
                topics: TopicCreation {
                    create: !self.topics.no_create_topics,
                    partitions: self.topics.partitions,
                    replication_factor: self.topics.replication_factor,
                    configs: self.topics.topic_config.clone(),
                },
            })),
        }
    }
}

impl FleetArgs {
    /// The builder of a run of the fleet that they describe.
    pub fn builder(&self) -> RunBuilder {
        let mut builder = Run::builder();
        if let Some(scenario) = &self.scenario {
            builder = builder.scenario(scenario);
        }
        if let Some(file) = &self.config {
            builder = builder.config_file(file);
        }
        for setting in &self.set {
            builder = builder.set(setting);
        }
        if let Some(machines) = self.machines {
            builder = builder.machines(machines);
        }
        if let Some(readings) = self.readings {
            builder = builder.readings(readings);
        }
        if let Some(jobs) = self.jobs {
            builder = builder.jobs(jobs);
        }
        if let Some(seed) = self.seed {
            builder = builder.seed(seed);
        }
        builder
    }
}

fn usage<T>(text: impl Into<String>) -> Result<T, ProgramError> {
    Err(ProgramError::Usage(text.into()))
}

fn time_and_pace(args: &RunArgs) -> Result<(Time, Pace), ProgramError> {
    let pace = &args.pace;
    let by_rate = [
        ("--rate", pace.rate.is_some()),
        ("--byte-rate", pace.byte_rate.is_some()),
        ("--rate-profile", pace.rate_profile.is_some()),
        ("--peak-rate", pace.peak_rate.is_some()),
    ];
    let by_rate = by_rate.iter().find(|(_, given)| *given).map(|(option, _)| *option);
    if let (Some(option), Some(_)) = (by_rate, pace.speed) {
        return usage(format!(
            "--speed and {option} can't be combined: a rate already decides how fast the fleet's clock runs"
        ));
    }
    let implied = match (pace.rate, pace.speed) {
        (Some(RateLimit::Max), _) => Some("--rate max"),
        (_, Some(_)) => Some("--speed"),
        _ => None,
    };
    let time = match (pace.time, implied) {
        (Some(Time::Live), Some(option)) => {
            return usage(format!(
                "{option} and --time live can't be combined: records sent ahead of the fleet's clock can't be stamped with the time of sending; leave out --time, or use --time simulated"
            ));
        }
        (Some(time), _) => time,
        (None, Some(_)) => Time::Simulated,
        (None, None) => Time::Live,
    };
    if let (Time::Live, Some(option), Some(_)) = (time, by_rate, pace.interval) {
        return usage(format!(
            "--interval and {option} can't be combined in live time, where the rate decides how far apart readings are; leave out one, or use --time simulated"
        ));
    }
    let pace = match (&pace.rate_profile, pace.peak_rate, pace.rate, pace.speed) {
        (Some(source), ..) => {
            let profile =
                source.profile().map_err(|error| ProgramError::Usage(error.to_string()))?;
            Pace::Rate(if pace.repeat { profile.repeated() } else { profile })
        }
        (None, Some(peak), ..) => Pace::Load(peak),
        (None, None, Some(RateLimit::Max), _) => Pace::Max,
        (None, None, Some(RateLimit::At(rate)), _) => Pace::Rate(Profile::Constant(rate)),
        (None, None, None, Some(speed)) => Pace::Natural(speed.factor()),
        (None, None, None, None) => Pace::Natural(1.0),
    };
    Ok((time, pace))
}

/// Rejects arguments that the run's pace has no use for.
fn pace_fits(args: &RunArgs, pace: &Pace) -> Result<(), ProgramError> {
    if *pace != Pace::Max {
        return Ok(());
    }
    if OnBacklog::from(args.pace.on_backlog) == OnBacklog::Drop {
        return usage(
            "--on-backlog drop and --rate max can't be combined: without a rate nothing falls behind",
        );
    }
    if args.pace.max_rate_error.is_some() {
        return usage(
            "--max-rate-error and --rate max can't be combined: there is no rate to hold",
        );
    }
    Ok(())
}

/// The shard of the arguments, with the index of a Kubernetes Indexed Job if they say so.
fn shard(args: &RunArgs) -> Result<Shard, ProgramError> {
    let Some(choice) = args.pace.shard else { return Ok(Shard::WHOLE) };
    let index = std::env::var(JOB_INDEX).ok();
    choice
        .resolve(index.as_deref())
        .map_err(|error| ProgramError::Usage(format!("--shard, {JOB_INDEX}: {error}")))
}

/// The variable in which Kubernetes gives a pod of an Indexed Job its index.
const JOB_INDEX: &str = "JOB_COMPLETION_INDEX";

/// The transactions that the options ask for.
fn transactions(args: &RunArgs) -> Result<Option<Transactions>, ProgramError> {
    let Some(id) = &args.destination.transactional_id else { return Ok(None) };
    if args.destination.acks.is_some_and(|acks| Acks::from(acks) != Acks::All) {
        return usage("--transactional-id needs --acks all: transactions need idempotence");
    }
    if args.destination.sink != SinkKind::Kafka {
        return usage("--transactional-id needs --sink kafka");
    }
    let (threads, producers) = (args.pace.threads, args.pace.producers);
    if let (Some(threads), Some(producers)) = (threads, producers)
        && threads != producers
    {
        return usage(
            "with --transactional-id each thread has a producer of its own: give --threads, and leave out --producers",
        );
    }
    Ok(Some(Transactions {
        id: id.clone(),
        producers: threads.or(producers).unwrap_or(1),
        records: args.destination.transaction_records,
        time: args.destination.transaction_time,
    }))
}

fn format(args: &RunArgs) -> Result<Format, ProgramError> {
    match (args.destination.sink, args.topics.format) {
        (SinkKind::Stdout, Some(Format::Avro)) => {
            usage("--sink stdout prints JSON lines: leave out --format avro")
        }
        (SinkKind::Stdout, _) => Ok(Format::Json),
        (_, format) => Ok(format.unwrap_or(Format::Avro)),
    }
}
