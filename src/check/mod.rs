//! Whether a streaming job's output is right: held against the answer that the run's manifest gives,
//! a verdict for each window and key.

mod report;
mod row;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use fleetstorm_answers::answer::Answer;
use fleetstorm_answers::compare::{Changelog, Outcome, Output, Verdict, compare};
use fleetstorm_answers::query::{Question, Window};
use fleetstorm_answers::semantics::Semantics;
use fleetstorm_model::schedule::Time;

pub use report::CheckReport;

use crate::cluster::ClusterOptions;
use crate::exit::{ExitCode, ProgramError};
use crate::expect::{self, QueryOptions};
use crate::job_output::{
    Clocks, Columns, JobOutput, JobOutputError, JobOutputOptions, OutputLocation, Reach,
};
use crate::pacing::StopFlag;
use crate::registry::{Registry, RegistryOptions};
use crate::sink::kafka::KafkaSettings;
use crate::verify::runs::Runs;
use row::{Misfit, RowReader};

/// What is checked, and how.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// What is asked about which run.
    pub query: QueryOptions,
    /// The job's output.
    pub output: JobOutputOptions,
    /// The job's names of columns.
    pub columns: Columns,
    /// Whether records append or upsert; none: as the query's job does in the engine.
    pub changelog: Option<Changelog>,
    /// Whether repeated rows are no fault.
    pub at_least_once: bool,
    /// How long a job that still runs is waited for; none where it isn't.
    pub follow: Option<Duration>,
    /// How the brokers are reached.
    pub cluster: ClusterOptions,
    /// How the registry is reached.
    pub registry: RegistryOptions,
    /// Where the report is written.
    pub report: Option<PathBuf>,
}

/// How long a job that still runs is left alone between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// How long the output of a job that still runs must not change to be taken for all of it.
const SETTLED: Duration = Duration::from_secs(3);

/// Checks the job's output.
///
/// # Errors
/// [`ProgramError`] where there is no answer, or the output can't be read. What is wrong with the
/// output is no error but the verdict.
pub fn check(
    options: &CheckOptions,
    brokers: Option<KafkaSettings>,
    registry: Option<&Registry>,
    stop: &StopFlag,
) -> Result<CheckReport, ProgramError> {
    let began = Instant::now();
    let question = options.query.asked.question()?;
    let semantics = Semantics::new(options.query.engine, &options.query.meaning, &question)?;
    let runs = Runs::read(&options.query.reports)?;
    let answer = expect::answer(&runs, options.query.skew_ms, &question, &semantics)?;
    let rows = RowReader::new(&answer, question.window(), &options.columns)?;
    let changelog = options.changelog.unwrap_or_else(|| usual(&question, &semantics));
    let mut taken = Taken::new(changelog, options.at_least_once);

    // The answer may take its time, which is not the job's.
    let deadline = options.follow.map(|within| Instant::now() + within);
    let is_over = || deadline.is_none_or(|deadline| Instant::now() >= deadline);
    let mut job = open(options, brokers, registry, stop, &is_over)?;
    let (mut verdict, mut changed) =
        (compare(&answer, question.window(), &taken.output), Instant::now());
    let verdict = loop {
        let seen = taken.output.records();
        job.read(registry, |record| taken.take(&rows, record))?;
        if taken.output.records() != seen {
            verdict = compare(&answer, question.window(), &taken.output);
            changed = Instant::now();
        }
        if is_over() || is_final(&verdict, changelog, changed.elapsed()) {
            break verdict;
        }
        pause(stop)?;
    };
    taken.must_have_decoded(&verdict)?;
    let is_live = runs.manifest().time == Time::Live;
    Ok(report::report(options, &question, &answer, verdict, &taken, is_live, began.elapsed()))
}

/// The exit code that tells the verdict.
pub fn exit_code(report: &CheckReport) -> ExitCode {
    match report.verdict {
        Outcome::Right => ExitCode::Done,
        Outcome::Wrong => ExitCode::AnswersWrong,
        Outcome::Incomplete => ExitCode::AnswersMissing,
    }
}

/// How the jobs of the suite write their answers.
fn usual(question: &Question, semantics: &Semantics) -> Changelog {
    match question {
        Question::Outages { .. } if semantics.engine.is_flink() => Changelog::Append,
        _ if question.window() == Window::None => Changelog::Upsert,
        _ if semantics.engine.is_flink() => Changelog::Append,
        _ => Changelog::Upsert,
    }
}

/// Opens the output; that of a job which is still to make its topic is waited for.
fn open(
    options: &CheckOptions,
    brokers: Option<KafkaSettings>,
    registry: Option<&Registry>,
    stop: &StopFlag,
    is_over: &dyn Fn() -> bool,
) -> Result<JobOutput, ProgramError> {
    loop {
        let reach = Reach { brokers: brokers.clone(), registry, stop };
        match JobOutput::open(&options.output, reach) {
            Err(JobOutputError::NoTopic(_)) if !is_over() => pause(stop)?,
            other => return Ok(other?),
        }
    }
}

/// Whether a job that still runs need not be waited for: all is there, and nothing has come for a while
/// that could be once too often; or an append log holds a row that is wrong.
fn is_final(verdict: &Verdict, changelog: Changelog, unchanged: Duration) -> bool {
    match verdict.outcome {
        Outcome::Right => verdict.records > 0 && unchanged >= SETTLED,
        Outcome::Wrong => changelog == Changelog::Append,
        Outcome::Incomplete => false,
    }
}

fn pause(stop: &StopFlag) -> Result<(), ProgramError> {
    if stop.is_set() {
        return Err(JobOutputError::from(crate::consume::ConsumeError::Interrupted).into());
    }
    thread::sleep(BETWEEN_LOOKS);
    Ok(())
}

/// What was read of a job's output.
struct Taken {
    output: Output,
    /// Records that became rows.
    rows: u64,
    clocks: Clocks,
}

impl Taken {
    fn new(changelog: Changelog, at_least_once: bool) -> Taken {
        let output = Output::new(changelog);
        let output = if at_least_once { output.at_least_once() } else { output };
        Taken { output, rows: 0, clocks: Clocks::default() }
    }

    fn take(
        &mut self,
        rows: &RowReader<'_>,
        record: crate::job_output::JobRecord<'_>,
    ) -> Result<(), JobOutputError> {
        self.clocks.add(record.written);
        let content = match &record.content {
            Ok(Some(content)) => content,
            Ok(None) => {
                self.output.add(record.key, None);
                return Ok(());
            }
            Err(why) => {
                self.output.add_undecodable(record.place, || why.to_string());
                return Ok(());
            }
        };
        match rows.row(&record, content) {
            Ok(row) => {
                self.rows += 1;
                // Of a file, whose rows have no keys of Kafka, the last of a window and key counts.
                let own = record.key.is_none().then(|| format!("{:?}{:?}", row.window, row.keys));
                self.output.add(record.key.or(own.as_deref().map(str::as_bytes)), Some(row));
            }
            // The first row shows whether the columns are there at all.
            Err(Misfit::NoColumn(error)) if self.rows == 0 => return Err(error),
            Err(misfit) => self.output.add_undecodable(record.place, || misfit.to_string()),
        }
        Ok(())
    }

    /// An error where not one record could be decoded: then it was said wrongly how they are written.
    fn must_have_decoded(&self, verdict: &Verdict) -> Result<(), JobOutputError> {
        match verdict.undecodable.first() {
            Some((place, why)) if self.rows == 0 => Err(JobOutputError::NothingDecoded {
                records: self.output.records(),
                place: *place,
                why: why.clone(),
            }),
            _ => Ok(()),
        }
    }
}

impl OutputLocation {
    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            OutputLocation::Topic(_) => None,
            OutputLocation::File(path) => Some(path),
        }
    }

    /// It in words.
    pub fn words(&self) -> String {
        match self {
            OutputLocation::Topic(name) => format!("topic {name}"),
            OutputLocation::File(path) => path.display().to_string(),
        }
    }
}

/// The answer's columns, as a job is asked for them.
fn names(answer: &Answer) -> Vec<String> {
    let window: &[&str] = if answer.windowed { &["window_start", "window_end"] } else { &[] };
    let columns = answer.columns.iter().map(|column| column.name.clone());
    window.iter().map(|name| (*name).to_owned()).chain(columns).collect()
}
