//! A run: options become a plan, the plan a manifest; then threads work it off, and a report is written.

mod deferred_changes;
pub mod destination;
mod key_coverage;
pub mod options;
pub mod plan;
pub mod producers;
mod results;
mod resumed;
mod schemas;
pub mod sent;
mod skew;
mod topic_watch;
pub mod worker;
pub mod workers;

use std::path::Path;
use std::sync::Arc;

use fleetstorm_model::Manifest;
use fleetstorm_model::schedule::Pace;
use fleetstorm_model::window_closing::{self, WithoutKeys};

use crate::exit::{ExitCode, ProgramError};
use crate::output::{self, Verbosity, print_status};
use crate::pacing::{StopFlag, now_ms};
use crate::report::file::ReportFile;
use crate::report::hdr_log::HdrLog;
use crate::report::number_format::{asked, beside, number};
use crate::report::read::{self, ReadReport};
use crate::report::results::Ending;
use crate::report::{self, Report, summary};
use crate::sink::null::NullSink;
use crate::verify::VerifyError;
use crate::verify::position::Position;

use destination::Destination;
use options::{RunOptions, Source};
use plan::Plan;
use producers::{Producers, direct_sink, kafka_sink};
use workers::{Outcome, Workers};

/// Makes the run of `source` as `options` say. A set `stop` ends it early: all that was sent is still
/// delivered and reported.
///
/// # Errors
/// [`ProgramError`] if the run can't begin or go on. Records that were not delivered are no error but
/// figures: see [`exit_code`].
pub fn run(
    source: Source,
    options: &RunOptions,
    stop: &StopFlag,
    verbosity: Verbosity,
) -> Result<Report, ProgramError> {
    let begun_ms = now_ms();
    let (mut plan, resumed) = match source {
        Source::New(builder) => (Plan::new(builder.build_at(begun_ms)?), None),
        Source::Resumed(report) => {
            let read = read::file(&report).map_err(VerifyError::from)?;
            (Plan::resumed(read.report.manifest.clone()), Some(read))
        }
    };
    for note in &plan.run.notes {
        tracing::warn!("{note}");
    }
    // Output that can't be written is found before anything is created elsewhere.
    let file = options.report.as_deref().map(report_file).transpose()?;
    if let Some(path) = &options.hdr_log {
        let failed = |source| ProgramError::HdrLog { path: path.clone(), source };
        report::file::check(path).map_err(failed)?;
    }
    let destination = Destination::open(&options.sink, &mut plan, stop)?;
    if verbosity == Verbosity::Normal {
        destination.print_addresses(&plan.run.manifest);
    }
    let position = match resumed {
        Some(read) => Some(position(options, &destination, read, stop, verbosity)?),
        None => None,
    };
    if let Some(note) = unclosed(&plan.run.manifest) {
        tracing::warn!("{note}");
    }
    let startup_time = destination.startup_time(&plan.run.manifest);
    let manifest = plan.begin(now_ms(), startup_time).clone();
    let start_ms = manifest.start.timestamp_millis();
    // If the start lay ahead, or follows the clock, the whole run can be on time.
    let ready_ms =
        if start_ms < begun_ms { now_ms() + startup_time.as_millis() as i64 } else { start_ms };
    let mut report = Report { manifest, shards: None, results: None };
    write_report(file.as_ref(), options, &report)?;
    let paced = report.manifest.pace != Pace::Max;
    let hdr_log = options.hdr_log.as_deref().map(|path| hdr_log(path, paced)).transpose()?;

    let workers = Workers {
        manifest: &report.manifest,
        options,
        destination: &destination,
        position,
        stop,
        verbosity,
        ready_ns: (ready_ms - start_ms).saturating_mul(1_000_000),
    };
    let Outcome { results, failure } = match &destination {
        Destination::Kafka(kafka) => match &kafka.producers {
            Producers::Librdkafka(all) => workers.work(|t| kafka_sink(all, t, stop), hdr_log)?,
            Producers::Direct(all) => workers.work(|t| direct_sink(all, t, stop), hdr_log)?,
        },
        Destination::Stdout(lines) => workers.work(|_| lines.sink(), hdr_log)?,
        Destination::Null => workers.work(|_| NullSink, hdr_log)?,
    };
    if verbosity == Verbosity::Normal {
        output::write_status(|out| summary::write(&results, out));
    }
    report.results = Some(results);
    write_report(file.as_ref(), options, &report)?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    destination.hold_open(stop, verbosity);
    Ok(report)
}

/// A warning about partitions that get no closing record; `None` if all get one, or the run closes no
/// windows.
fn unclosed(manifest: &Manifest) -> Option<String> {
    manifest.close_windows?;
    let without = window_closing::without_keys(manifest);
    let most = without.iter().max_by_key(|without| without.partitions)?;
    let topics: Vec<&str> = without.iter().map(|without| without.topic.name()).collect();
    let WithoutKeys { partitions, of, .. } = *most;
    let alike = without.iter().all(|other| (other.partitions, other.of) == (partitions, of));
    Some(format!(
        "no key goes to {}{partitions} of {of} partitions of {}, so nothing closes their windows: a job \
         needs an idle timeout (table.exec.source.idle-timeout in Flink SQL, withIdleness in its \
         DataStream API, max.task.idle.ms where Kafka Streams joins)",
        if alike { "" } else { "up to " },
        topics.join(", ")
    ))
}

/// How far the resumed run got.
fn position(
    options: &RunOptions,
    destination: &Destination,
    read: ReadReport,
    stop: &StopFlag,
    verbosity: Verbosity,
) -> Result<Arc<Position>, ProgramError> {
    let Destination::Kafka(kafka) = destination else {
        return Err(VerifyError::NothingWritten.into());
    };
    if read.report.shards.is_some() {
        return Err(ProgramError::Usage(
            "--resume takes the report of one run or shard, not a merged one".to_owned(),
        ));
    }
    let threads = options.threads.unwrap_or(1);
    let position = Position::read(&kafka.cluster, read, stop, threads)?;
    if position.others > 0 {
        tracing::warn!(
            "{} records are in the topics beside the run's first of each key: they stay, and what \
             follows a hole is sent again",
            position.others
        );
    }
    if verbosity == Verbosity::Normal {
        print_status(&format!("Resuming:  {} records are there.", position.records));
    }
    Ok(Arc::new(position))
}

/// Opens the log of latencies before anything is sent.
fn hdr_log(path: &Path, paced: bool) -> Result<HdrLog, ProgramError> {
    HdrLog::create(path, paced)
        .map_err(|source| ProgramError::HdrLog { path: path.to_owned(), source })
}

/// The exit code of a run, which was to hold its rate as well as `options` say.
pub fn exit_code(report: &Report, options: &RunOptions) -> ExitCode {
    let Some(results) = &report.results else {
        return ExitCode::Done;
    };
    if results.failed() > 0 || results.unconfirmed() > 0 {
        let too_large = results.errors.get(TOO_LARGE).copied().unwrap_or(0);
        if too_large == results.failed() && results.unconfirmed() == 0 {
            return ExitCode::TooLarge;
        }
        return ExitCode::Lost;
    }
    if results.ended == Ending::Complete && rate_error(report, options).is_some() {
        return ExitCode::RateNotHeld;
    }
    match results.ended {
        Ending::Interrupted => ExitCode::Interrupted,
        Ending::Failed => ExitCode::ProducerFailed,
        Ending::Complete | Ending::Closed => ExitCode::Done,
    }
}

/// The message for a rate that was not held as well as `options` ask; `None` if it was.
pub fn rate_error(report: &Report, options: &RunOptions) -> Option<String> {
    let most = options.max_rate_error?;
    let rate = &report.results.as_ref()?.rate;
    let error = rate.error.filter(|&error| error > most.fraction())?;
    let (achieved, target, unit) = match rate.target_bytes_per_second {
        Some(target) => (rate.bytes_per_second, target, "bytes/s"),
        None => (rate.achieved, rate.target.unwrap_or_default(), "records/s"),
    };
    let off = error * 100.0;
    let silent = match rate.silent_share {
        Some(share) if share > 0.0 && rate.target_bytes_per_second.is_none() => {
            ", silent slots left out"
        }
        _ => "",
    };
    Some(format!(
        "the rate was not held: {} of {} {unit} were handed over, {} % off what was due{silent}, where \
         {most} is allowed",
        beside(achieved.unwrap_or_default(), target),
        asked(target),
        number(off)
    ))
}

/// The kind of error of records that exceed max.message.bytes.
pub(crate) const TOO_LARGE: &str = "MessageSizeTooLarge";

/// What was lost, for a person; `None` if everything was delivered.
pub fn loss(report: &Report) -> Option<String> {
    let results = report.results.as_ref()?;
    let (failed, unconfirmed) = (results.failed(), results.unconfirmed());
    if failed + unconfirmed == 0 {
        return None;
    }
    let mut kinds: Vec<String> =
        results.errors.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    if unconfirmed > 0 {
        kinds.push(format!("never acknowledged: {unconfirmed}"));
    }
    let too_large = results.errors.get(TOO_LARGE) == Some(&failed) && unconfirmed == 0;
    let advice = if too_large {
        "they exceed max.message.bytes of the topics; raise it"
    } else {
        "the report counts them by topic; -v shows what the client logs"
    };
    let total = results.total().sent.max(failed + unconfirmed);
    Some(format!(
        "{} of {total} records were not delivered ({}): {advice}",
        failed + unconfirmed,
        kinds.join(", ")
    ))
}

fn write_report(
    file: Option<&ReportFile>,
    options: &RunOptions,
    report: &Report,
) -> Result<(), ProgramError> {
    let Some(file) = file else { return Ok(()) };
    let path = options.report.clone().unwrap_or_default();
    file.write(report).map_err(|source| ProgramError::Report { path, source })
}

/// The file of a report, checked before there is one.
///
/// # Errors
/// [`ProgramError::Report`] if it could not be written.
pub fn report_file(path: &Path) -> Result<ReportFile, ProgramError> {
    ReportFile::open(path).map_err(|source| ProgramError::Report { path: path.to_owned(), source })
}
