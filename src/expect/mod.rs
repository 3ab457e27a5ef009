//! The right answer of a streaming query over a run, from its reports alone.

mod records;

use std::io;
use std::path::PathBuf;

use fleetstorm_answers::answer::{Answer, Format};
use fleetstorm_answers::engine::Engine;
use fleetstorm_answers::error::AnswerError;
use fleetstorm_answers::evaluate::{Input, Part, evaluate};
use fleetstorm_answers::query::{Aggregation, Question, Window};
use fleetstorm_answers::semantics::{Options, Semantics};
use fleetstorm_answers::suite;
use fleetstorm_model::config::units::Shard;
use fleetstorm_model::fleet::Share;

use crate::exit::{ExitCode, ProgramError};
use crate::output::{Verbosity, print_status};
use crate::pacing::StopFlag;
use crate::registry::Registry;
use crate::report::Results;
use crate::report::results::Ending;
use crate::sink::kafka::{Cluster, KafkaSettings, publish};
use crate::sink::stdout;
use crate::verify::runs::Runs;

/// What is asked about which run, and what it means.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// What `run --report` has written, of one run.
    pub reports: Vec<PathBuf>,
    /// The question.
    pub asked: Asked,
    /// The engine that fixes what it means.
    pub engine: Engine,
    /// What is said beside the engine.
    pub meaning: Options,
    /// How far a record may lie behind an earlier one of its partition, in milliseconds; none: what
    /// the reports say.
    pub skew_ms: Option<i64>,
}

/// A question as it is asked on the command line.
#[derive(Debug, Clone)]
pub enum Asked {
    /// A query of the suite.
    Query {
        /// Its name.
        name: String,
        /// Windows of other lengths than its own.
        window: Option<String>,
    },
    /// A question of one's own.
    Own {
        /// The topic.
        from: String,
        /// The windows.
        window: String,
        /// The columns that make a group.
        by: String,
        /// What is computed.
        select: String,
        /// Which records count.
        conditions: Vec<String>,
    },
}

impl Asked {
    /// The question as a value.
    ///
    /// # Errors
    /// [`AnswerError`] where a text can't be read.
    pub fn question(&self) -> Result<Question, AnswerError> {
        Ok(match self {
            Asked::Query { name, window } => {
                let window = window.as_deref().map(str::parse::<Window>).transpose()?;
                suite::find(name)?.question_by(window)?
            }
            Asked::Own { from, window, by, select, conditions } => {
                Question::Aggregate(Aggregation::parse(from, window, by, select, conditions)?)
            }
        })
    }
}

impl QueryOptions {
    /// The answer, from the reports alone.
    ///
    /// # Errors
    /// [`ProgramError`] where there is none.
    pub fn answer(&self) -> Result<Answer, ProgramError> {
        // Before the reports, which may be large.
        let question = self.asked.question()?;
        let semantics = Semantics::new(self.engine, &self.meaning, &question)?;
        answer(&Runs::read(&self.reports)?, self.skew_ms, &question, &semantics)
    }
}

/// Writes the answer to topic `topic`, as records by the query's schema, and how sure it is to stderr.
///
/// # Errors
/// [`ProgramError`] where there is no answer, or it can't be written.
pub fn publish(
    options: &QueryOptions,
    topic: &str,
    brokers: KafkaSettings,
    registry: &Registry,
    stop: &StopFlag,
    verbosity: Verbosity,
) -> Result<ExitCode, ProgramError> {
    let answer = options.answer()?;
    let schema = match &options.asked {
        Asked::Query { name, .. } => {
            suite::find(name).map_err(AnswerError::from)?.schema.to_owned()
        }
        Asked::Own { .. } => records::schema(&answer),
    };
    let cluster = Cluster::connect(brokers, stop.clone())?;
    let id = registry.register(&format!("{topic}-value"), &schema)?;
    let records = records::records(&answer, &schema, id)?;
    let sent = publish::publish(&cluster, topic, records.into_iter())?;
    if verbosity == Verbosity::Normal {
        print_status(&answer.summary().join("\n"));
        print_status(&format!("{sent} records were written to topic {topic}"));
    }
    Ok(ExitCode::Done)
}

/// Writes the answer to standard output, and how sure it is to stderr.
///
/// # Errors
/// [`ProgramError`] where there is no answer, or it can't be written.
pub fn expect(
    options: &QueryOptions,
    format: Format,
    verbosity: Verbosity,
) -> Result<ExitCode, ProgramError> {
    let answer = options.answer()?;
    let mut text = Vec::new();
    let wrong = |error: io::Error| ProgramError::Internal(error.to_string());
    answer.write(format, &mut text).map_err(wrong)?;
    stdout::print(&String::from_utf8_lossy(&text))?;
    if verbosity == Verbosity::Normal {
        print_status(&answer.summary().join("\n"));
    }
    Ok(ExitCode::Done)
}

/// The answer of a question over the runs of reports.
///
/// # Errors
/// [`ProgramError`] where there is none.
pub fn answer(
    runs: &Runs,
    skew_ms: Option<i64>,
    question: &Question,
    semantics: &Semantics,
) -> Result<Answer, ProgramError> {
    let input = Input {
        parts: parts(runs)?,
        skew_ms: skew_ms.unwrap_or_else(|| backstep_ms(runs)),
        repartition_within_skew: skew_ms.is_some(),
    };
    let mut answer = evaluate(&input, question, semantics)?;
    answer.notes.extend(notes(runs, skew_ms));
    Ok(answer)
}

/// How far records lie behind earlier ones of their partitions, as the reports say.
fn backstep_ms(runs: &Runs) -> i64 {
    let results = runs.results.iter().flatten();
    results.filter_map(|results| results.event_time.max_backstep_ms).max().unwrap_or(0)
}

fn notes(runs: &Runs, skew_ms: Option<i64>) -> Vec<String> {
    let mut notes = delivery_notes(runs);
    if skew_ms.is_none() && runs.summaries.len() > 1 {
        notes.push(
            "shards are taken to have kept together in event time: say how far apart they were by --skew"
                .to_owned(),
        );
    }
    notes
}

/// What to know of runs that aren't whole.
pub fn delivery_notes(runs: &Runs) -> Vec<String> {
    let mut notes = Vec::new();
    if !runs.are_all() {
        let (some, all) = (runs.runs.len(), runs.runs[0].shard.count());
        notes.push(format!("{some} of {all} shards were given: the answer is of their machines"));
    }
    if closed_nothing(runs) {
        notes.push(
            "the run sent nothing that closes its windows, and the answer counts that: complete it by `fleetstorm run --resume`"
                .to_owned(),
        );
    }
    let lost: u64 = runs.summaries.iter().map(|summary| summary.failed).sum();
    if lost > 0 {
        notes.push(format!(
            "{lost} records were not delivered, and the answer counts them: verify the run first"
        ));
    }
    notes
}

/// Whether a run that was to close its windows came to its end without doing so, since records were
/// still unconfirmed.
fn closed_nothing(runs: &Runs) -> bool {
    let is_so = |results: &Results| {
        results.ended == Ending::Complete && results.closing + results.already_there == 0
    };
    runs.manifest().close_windows.is_some() && runs.results.iter().flatten().any(is_so)
}

/// The parts that the runs consist of.
///
/// # Errors
/// [`ProgramError::Usage`] where it isn't known what an interrupted run sent.
pub fn parts(runs: &Runs) -> Result<Vec<Part<'_>>, ProgramError> {
    let mut parts = Vec::new();
    for (at, summary) in runs.summaries.iter().enumerate() {
        let results = runs.results.as_ref().and_then(|all| all.get(at));
        for run in runs.runs.iter().filter(|run| summary.shards.contains(&run.shard)) {
            let ends = match results {
                Some(results) if !run.whole => {
                    let only = summary.shards.len() == 1;
                    let ends = threads(results, run.shard)
                        .or_else(|| Some(vec![((0, 1), sent(results).filter(|_| only)?)]));
                    ends.ok_or_else(|| {
                        ProgramError::Usage(format!(
                            "the run of {} ended before its end, and where each of its threads did is not known: complete it by `fleetstorm run --resume`, then ask again",
                            summary.file.display()
                        ))
                    })?.into_iter().map(|(thread, records)| (thread, Some(records))).collect()
                }
                _ => run.shares(1).iter().map(|share| (share.thread, None)).collect::<Vec<_>>(),
            };
            let shard = (run.shard.index(), run.shard.count());
            parts.extend(ends.into_iter().map(|(thread, records)| {
                let share = Share { shard, thread };
                let dropped = run.dropped(share).spans().to_vec();
                Part { manifest: &run.manifest, share, dropped, records }
            }));
        }
    }
    Ok(parts)
}

/// How many records each thread of a shard came past before it was interrupted; none where the report
/// doesn't tell, or more was there than they came past.
fn threads(results: &Results, shard: Shard) -> Option<Vec<((u32, u32), u64)>> {
    let passed = results.threads.iter().map(|end| end.records).fold(0, u64::saturating_add);
    let sent = results.records.values().map(|topic| topic.sent).fold(0, u64::saturating_add);
    if passed != sent.saturating_add(results.already_there) {
        return None;
    }
    let of_shard = results.threads.iter().filter(|end| end.shard == shard);
    let ends: Vec<_> =
        of_shard.map(|end| ((end.thread.index(), end.thread.count()), end.records)).collect();
    (!ends.is_empty()).then_some(ends)
}

/// How many records an interrupted run sent, which are its first where one thread made them; none where
/// they aren't known to be.
fn sent(results: &Results) -> Option<u64> {
    let one_thread = results.event_time.max_backstep_ms == Some(0);
    let records: u64 = results.records.values().map(|topic| topic.sent).sum();
    (one_thread && results.dropped.is_empty()).then(|| records + results.already_there)
}
