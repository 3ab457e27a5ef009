//! The verdict as JSON, and as lines for people.

use std::io::{self, Write};
use std::time::Duration;

use fleetstorm_answers::answer::{self, Answer, Value};
use fleetstorm_answers::compare::{
    Changelog, Counts, Finding, FindingKind, Lateness, Outcome, Place, Verdict, WrongField,
};
use fleetstorm_answers::query::Question;
use serde::Serialize;
use serde_json::{Map, json};

use super::{CheckOptions, Taken};
use crate::job_output::{Clock, Undecodable};

/// The verdict on a job's output.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// Its name.
    pub verdict: Outcome,
    /// What was asked.
    pub query: String,
    /// The engine that fixes what it means.
    pub semantics: &'static str,
    /// Where the output is.
    pub output: String,
    /// How its records become rows.
    pub changelog: Changelog,
    /// Its records.
    pub records: u64,
    /// Keys whose last record is a tombstone.
    pub deleted: u64,
    /// The answer's rows, by how sure they are.
    pub expected: answer::Counts,
    /// Windows and keys by what was found of each.
    pub counts: Counts,
    /// How long after their windows' ends right rows were written; none where that isn't known.
    pub lateness: Option<Written>,
    /// The first of what is at fault.
    pub findings: Vec<ReportedFinding>,
    /// The first records that can't be decoded.
    pub undecodable: Vec<Undecodable>,
    /// What may be behind faults, and what to know of the answer.
    pub notes: Vec<String>,
    /// How long the check took, in seconds.
    pub elapsed_s: f64,
}

/// How late rows were, by which clock.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Written {
    /// By the broker's clock, or by what the job says.
    pub clock: Clock,
    /// From windows' ends.
    #[serde(flatten)]
    pub after_end: Lateness,
}

/// What is at fault of a window and key.
#[derive(Debug, Clone, Serialize)]
pub struct ReportedFinding {
    /// What.
    pub kind: FindingKind,
    /// The window's start, in milliseconds since the epoch; none where the query has no windows.
    pub window_start: Option<i64>,
    /// Its end.
    pub window_end: Option<i64>,
    /// The keys by their names.
    pub keys: Map<String, serde_json::Value>,
    /// Where the row stands.
    pub place: Option<Place>,
    /// Values that differ.
    pub fields: Vec<WrongField>,
    #[serde(skip)]
    zone_offset_ms: i64,
}

/// Brings the parts of a verdict together.
pub(super) fn report(
    options: &CheckOptions,
    question: &Question,
    answer: &Answer,
    verdict: Verdict,
    taken: &Taken,
    is_live: bool,
    took: Duration,
) -> CheckReport {
    let mut notes = verdict.notes;
    notes.extend(answer.notes.iter().cloned());
    let clock = taken.clocks.clock();
    // Kafka Streams and ksqlDB give records the event time.
    let is_told = clock == Some(Clock::AppendTime) || options.query.engine.is_flink();
    let lateness = verdict.lateness.zip(clock).filter(|_| is_live && is_told);
    if is_live && verdict.lateness.is_some() && clock == Some(Clock::CreateTime) {
        notes.push(format!(
            "{}: set message.timestamp.type=LogAppendTime on the output topic to have the broker's time",
            match is_told {
                true => "how late answers are is told by the job's own timestamps",
                false => "how late answers are isn't told by the job's own timestamps",
            }
        ));
    }
    if answer.rows.is_empty() {
        notes.push(
            "the right answer has no rows, so that little is shown: ask of a run that has some"
                .to_owned(),
        );
    }
    let shown = verdict.counts.right + verdict.counts.within_bracket + verdict.counts.duplicated;
    if verdict.outcome == Outcome::Incomplete && verdict.counts.missing == 0 && shown == 0 {
        notes.push(
            "every answer that isn't there is pending or may be missing, so that nothing is shown: end the run by --close-windows, and see `fleetstorm expect`"
                .to_owned(),
        );
    }
    CheckReport {
        verdict: verdict.outcome,
        query: question.to_string(),
        semantics: options.query.engine.name(),
        output: options.output.from.words(),
        changelog: taken.output.changelog(),
        records: verdict.records,
        deleted: verdict.deleted,
        expected: answer.counts(),
        counts: verdict.counts,
        lateness: lateness.map(|(after_end, clock)| Written { clock, after_end }),
        findings: verdict.findings.into_iter().map(|f| reported(f, answer)).collect(),
        undecodable: verdict
            .undecodable
            .into_iter()
            .map(|(place, why)| Undecodable { place, why })
            .collect(),
        notes,
        elapsed_s: took.as_secs_f64(),
    }
}

fn reported(finding: Finding, answer: &Answer) -> ReportedFinding {
    let names = answer.columns.iter().map(|column| column.name.clone());
    ReportedFinding {
        kind: finding.kind,
        window_start: finding.window.map(|window| window.start_ms),
        window_end: finding.window.map(|window| window.end_ms),
        keys: names.zip(finding.keys.iter().map(|key: &Value| json!(key))).collect(),
        place: finding.place,
        fields: finding.fields,
        zone_offset_ms: answer.zone_offset_ms,
    }
}

impl CheckReport {
    /// Writes the verdict for a person.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{} of {}: {}", self.query, self.semantics, self.output)?;
        let counts = &self.counts;
        let named = [
            (counts.right, "right"),
            (counts.within_bracket, "within their bracket"),
            (counts.may_be_missing, "missing, as they may be"),
            (counts.wrong, "wrong"),
            (counts.missing, "missing"),
            (counts.extra, "extra"),
            (counts.duplicated, "duplicated"),
            (counts.pending, "pending"),
            (counts.undecodable, "undecodable"),
        ];
        for (count, name) in named.into_iter().filter(|&(count, name)| count > 0 || name == "right")
        {
            writeln!(out, "{count:>12} {name}")?;
        }
        for finding in &self.findings {
            writeln!(out, "  {finding}")?;
        }
        for Undecodable { place, why } in &self.undecodable {
            writeln!(out, "  undecodable: {place}: {why}")?;
        }
        if let Some(Written { clock, after_end }) = &self.lateness {
            let seconds = |ms: i64| ms as f64 / 1000.0;
            let clock = clock.as_str();
            writeln!(
                out,
                "Answers were {clock} {:.1} s after their window's end (p50), {:.1} s (p99), {:.1} s (max).",
                seconds(after_end.p50_ms),
                seconds(after_end.p99_ms),
                seconds(after_end.max_ms)
            )?;
        }
        for note in &self.notes {
            writeln!(out, "Note: {note}.")?;
        }
        let said = match self.verdict {
            Outcome::Right if self.counts.duplicated > 0 => {
                "right: every answer that is determined is there, some more than once"
            }
            Outcome::Right => "right: every answer that is determined is there, once",
            Outcome::Wrong => "wrong",
            Outcome::Incomplete => "incomplete: nothing is wrong, and answers are missing",
        };
        writeln!(out, "Checked {} records in {:.1} s: {said}.", self.records, self.elapsed_s)
    }
}

impl std::fmt::Display for ReportedFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.kind.as_str())?;
        if let (Some(start), Some(end)) = (self.window_start, self.window_end) {
            let instant = |ms| answer::instant(ms, self.zone_offset_ms);
            write!(f, " {} to {}", instant(start), instant(end))?;
        }
        for (name, key) in &self.keys {
            write!(f, " {name} {}", key.as_str().map_or_else(|| key.to_string(), str::to_owned))?;
        }
        if let Some(place) = &self.place {
            write!(f, ", {place}")?;
        }
        for WrongField { name, expected, found } in &self.fields {
            write!(f, "; {name}: {expected} is expected, {found} is there")?;
        }
        Ok(())
    }
}
