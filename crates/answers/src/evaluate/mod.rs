//! From a run and a question to the answer, in one pass over the run's records.
//!
//! Within a partition, each thread's records come in its own order, and threads and shards side by
//! side as they may. Nothing here rests on how they interleave: a record counts for sure, is late for
//! sure, or its window is bracketed. What is kept grows with open windows and keys, not with records.

mod arrival;
mod fleet_status;
mod grouped;
mod keys;
mod outages;
mod rows;
mod sessions;
mod summary;
mod walk;

#[cfg(test)]
mod tests;

use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::{Record, Topic, TopicSet};
use fleetstorm_model::stream::KeyedRecord;

pub use walk::Part;

use arrival::{Arrival, Slack};
use fleet_status::FleetStatus;
use grouped::Grouped;
use outages::Outages;

use crate::answer::{Answer, ColumnInfo, Row};
use crate::engine::Engine;
use crate::error::AnswerError;
use crate::query::{Aggregation, Kind, Length, Question};
use crate::semantics::Semantics;

/// What is asked about: the parts of a run.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// The parts; of one run.
    pub parts: Vec<Part<'a>>,
    /// How far a record may lie behind an earlier one of its partition, since threads or shards share
    /// it, in milliseconds.
    pub skew_ms: i64,
    /// Whether the same holds of records that pass a repartition: else their order isn't known.
    pub repartition_within_skew: bool,
}

impl<'a> Input<'a> {
    /// The whole run that a manifest describes, sent by one thread.
    pub fn of(manifest: &'a Manifest) -> Input<'a> {
        let parts = vec![Part::whole(manifest)];
        Input { parts, skew_ms: 0, repartition_within_skew: false }
    }
}

/// The stream yields records in the order of their event time, so that a window's last comes before any
/// behind its end.
const HORIZON_MS: i64 = 0;

/// The right answer of `question`.
///
/// # Errors
/// [`AnswerError`] where the run has no answer to it.
pub fn evaluate(
    input: &Input<'_>,
    question: &Question,
    semantics: &Semantics,
) -> Result<Answer, AnswerError> {
    let manifest = input.parts.first().ok_or(AnswerError::NoInput)?.manifest;
    check(input, manifest, question)?;
    let wanted: TopicSet = question.topics().into_iter().collect();
    let repartitioned = !semantics.engine.is_flink() && !question.is_by_machine();
    let slack = if repartitioned && !input.repartition_within_skew {
        Slack::Unbounded
    } else {
        Slack::Within(input.skew_ms)
    };
    let (rows, records, arrival) = match question {
        Question::Aggregate(asked) => {
            let partitions = manifest.partitions()[asked.from.index()];
            let arrival = Arrival::new(partitions, slack);
            let mut grouped = Grouped::new(asked, semantics, arrival, HORIZON_MS);
            walk::walk(&input.parts, wanted, |place, keyed| grouped.take(place, keyed));
            let (rows, records, arrival) = grouped.finish();
            (rows, records, Some(arrival))
        }
        Question::Outages { within_ms } => {
            let mut outages = Outages::new(*within_ms, input.skew_ms > semantics.delay_ms);
            walk::walk(&input.parts, wanted, |place, keyed| outages.take(place, keyed));
            let (rows, records) = outages.finish();
            (rows, records, None)
        }
        Question::FleetStatus => {
            let mut status = FleetStatus::default();
            walk::walk(&input.parts, wanted, |place, keyed| status.take(place, keyed));
            let (rows, records) = status.finish();
            (rows, records, None)
        }
    };
    let notes = notes(manifest, question, semantics, arrival.as_ref());
    Ok(answer(question, semantics, rows, records, notes))
}

/// The event time of a record: that of the reading where the value has it, else Kafka's timestamp.
#[inline]
fn event_ms(keyed: &KeyedRecord<'_>) -> i64 {
    match keyed.record {
        Record::Telemetry(telemetry) => telemetry.timestamp,
        Record::Usage(usage) => usage.timestamp,
        _ => keyed.timestamp_ms,
    }
}

fn answer(
    question: &Question,
    semantics: &Semantics,
    rows: Vec<Row>,
    records: u64,
    notes: Vec<String>,
) -> Answer {
    let plain = |name: &str, kind| ColumnInfo { name: name.to_owned(), kind, approximate: false };
    let (columns, keys) = match question {
        Question::Aggregate(asked) => columns(asked, semantics.engine == Engine::FlinkSql),
        Question::Outages { .. } => {
            let columns = vec![
                plain("job_id", Kind::Text),
                plain("down_at", Kind::Time),
                plain("machine_id", Kind::Text),
                plain("job_type", Kind::Text),
                plain("failed_at", Kind::Time),
            ];
            (columns, 2)
        }
        Question::FleetStatus => {
            let columns = vec![
                plain("status", Kind::Text),
                plain("zone", Kind::Text),
                plain("machines", Kind::Long),
            ];
            (columns, 2)
        }
    };
    Answer {
        columns,
        keys,
        windowed: question.window() != crate::query::Window::None,
        zone_offset_ms: semantics.zone_offset_ms,
        rows,
        records,
        notes,
    }
}

fn columns(asked: &Aggregation, whole_means: bool) -> (Vec<ColumnInfo>, usize) {
    let key = |key: &crate::query::Key| ColumnInfo {
        name: key.name().to_owned(),
        kind: key.kind(),
        approximate: false,
    };
    let mut columns: Vec<ColumnInfo> = asked.by.iter().map(key).collect();
    let mut keys = columns.len();
    if asked.top.is_some() {
        keys = 2;
        let rank = ColumnInfo { name: "rank".to_owned(), kind: Kind::Long, approximate: false };
        columns.insert(1.min(columns.len()), rank);
    }
    columns.extend(asked.select.iter().map(|aggregate| ColumnInfo {
        name: aggregate.name.clone(),
        kind: aggregate.kind(whole_means),
        approximate: aggregate.is_approximate(),
    }));
    (columns, keys)
}

fn check(input: &Input<'_>, manifest: &Manifest, question: &Question) -> Result<(), AnswerError> {
    let written = manifest.topic_set();
    for needed in question.topics() {
        if !written.contains(needed) {
            return Err(AnswerError::NoTopic { needed, written: written.iter().collect() });
        }
    }
    if !manifest.has_known_end() && input.parts.iter().any(|part| part.records.is_none()) {
        return Err(AnswerError::Endless);
    }
    if let (Some(size_ms), Some(fleet_time)) = (question.window().size_ms(), manifest.fleet_time())
    {
        let span_ms = manifest.span_ms(fleet_time);
        if size_ms > span_ms {
            return Err(AnswerError::WindowTooLarge {
                window: Length(size_ms).to_string(),
                run: Length(span_ms).to_string(),
            });
        }
    }
    Ok(())
}

/// What who compares with a job should know.
fn notes(
    manifest: &Manifest,
    question: &Question,
    semantics: &Semantics,
    arrival: Option<&Arrival>,
) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(arrival) = arrival else { return notes };
    let windowed = question.window() != crate::query::Window::None;
    if semantics.engine.is_flink() && windowed && !semantics.bounded {
        let (empty, all) = (arrival.empty(), arrival.partitions());
        let timeout = match semantics.engine {
            Engine::FlinkDataStream => "withIdleness",
            _ => "table.exec.source.idle-timeout",
        };
        if empty > 0 && empty < all {
            notes.push(format!(
                "{empty} of {all} partitions have no records: without an idle timeout ({timeout}) no window closes"
            ));
        }
        let behind = arrival.highest().saturating_sub(arrival.slowest());
        if arrival.slowest() > i64::MIN && behind > semantics.delay_ms.max(1000) * 10 {
            notes.push(format!(
                "a partition has had no records for the last {}: without an idle timeout ({timeout}) it holds the watermark back",
                Length(behind)
            ));
        }
        if question.topics().contains(&Topic::Machines) && manifest.machines_refresh.is_none() {
            let until = match manifest.close_windows {
                Some(_) => "until the run closes its windows",
                None => "unless the run has --machines-refresh or --close-windows",
            };
            notes.push(format!(
                "topic machines is silent after the start: without an idle timeout ({timeout}) the join waits for it, {until}"
            ));
        }
    }
    if arrival.slack() == Slack::Unbounded && windowed {
        notes.push(format!(
            "records pass a repartition, so that which are late depends on arrival: windows are exact where the grace of {} reaches the end of the run{}",
            Length(semantics.delay_ms),
            if manifest.close_windows.is_some() { " and what closes its windows" } else { "" }
        ));
    }
    notes
}
