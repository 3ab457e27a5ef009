//! What a job wrote, held against the right answer: a verdict for each window and key.
//!
//! A job's output is an append log, each of whose records is a row, or upserts, of which the last of
//! each key counts and a null value deletes. [`Output`] takes its records in their order; [`compare`]
//! gives the verdict of all of them so far, and may be asked again when more have come.

mod diagnosis;
mod lateness;
mod output;
mod values;
mod verdict;

use std::cmp::Ordering;
use std::collections::HashMap;

pub use lateness::Lateness;
pub use output::{Changelog, Output, OutputRow, Place};
pub use values::{Allowed, WrongField};
pub use verdict::{Counts, Finding, FindingKind, Outcome, Verdict};

use crate::answer::{Answer, Certainty, Row, Value};
use crate::query::{Bounds, Window};

/// How many findings of a kind a verdict has.
const FINDINGS: usize = 5;

/// What was found of an expected row.
#[derive(Debug, Clone, Copy, Default)]
struct Matched<'a> {
    /// Rows of its window and keys.
    rows: u64,
    /// The first of them.
    first: Option<&'a OutputRow>,
    /// The first of them that differs.
    wrong: Option<&'a OutputRow>,
}

/// Holds `output` against `answer`, the right one of a question with these windows.
pub fn compare(answer: &Answer, window: Window, output: &Output) -> Verdict {
    let mut matched = vec![Matched::default(); answer.rows.len()];
    let mut findings = Findings::default();
    let mut counts = Counts { undecodable: output.undecodable(), ..Counts::default() };
    let mut lateness = Vec::new();
    let mut extra = Vec::new();
    let parts = Parts::of(answer, window);
    for row in output.rows() {
        if parts.have(row) {
            counts.within_bracket += 1;
            continue;
        }
        let Ok(at) = answer.rows.binary_search_by(|expected| order(expected, row)) else {
            counts.extra += 1;
            findings.add(FindingKind::Extra, || Finding::of(FindingKind::Extra, row));
            extra.push(row);
            continue;
        };
        let (expected, matched) = (&answer.rows[at], &mut matched[at]);
        matched.rows += 1;
        matched.first.get_or_insert(row);
        if values::is_right(answer, expected, row) {
            lateness.extend(
                row.written_ms.zip(row.window).map(|(at, window)| at.saturating_sub(window.end_ms)),
            );
        } else {
            matched.wrong.get_or_insert(row);
        }
    }
    let mut missing = Vec::new();
    for (expected, matched) in answer.rows.iter().zip(&matched) {
        let kind = match (matched.rows, matched.wrong) {
            (0, _) => absent(expected),
            (_, Some(_)) => FindingKind::Wrong,
            (1, None) => match expected.certainty {
                Certainty::Bracketed(_) => FindingKind::WithinBracket,
                _ => FindingKind::Right,
            },
            _ => FindingKind::Duplicated,
        };
        counts.add(kind);
        if kind == FindingKind::Missing {
            missing.push(expected);
        }
        if kind == FindingKind::Duplicated && output.may_repeat() {
            continue;
        }
        findings.add(kind, || match matched.wrong.or(matched.first) {
            Some(row) => Finding {
                fields: values::wrong_fields(answer, expected, row),
                ..Finding::of(kind, row)
            },
            None => Finding::missing(expected),
        });
    }
    Verdict {
        outcome: counts.outcome(answer.rows.len(), output.may_repeat()),
        counts,
        records: output.records(),
        deleted: output.deleted(),
        lateness: Lateness::of(lateness),
        notes: diagnosis::notes(answer, window, output, &extra, &missing),
        findings: findings.0,
        undecodable: output.first_undecodable().to_vec(),
    }
}

/// What it means that no row of `expected` is there.
fn absent(expected: &Row) -> FindingKind {
    match &expected.certainty {
        Certainty::Exact => FindingKind::Missing,
        Certainty::Pending => FindingKind::Pending,
        Certainty::Bracketed(bracket) if bracket.pending => FindingKind::Pending,
        Certainty::Bracketed(bracket) if bracket.may_be_missing => FindingKind::MayBeMissing,
        Certainty::Bracketed(_) => FindingKind::Missing,
    }
}

/// Sessions that late records may have joined, by keys: what of them stands apart is no fault.
#[derive(Debug, Default)]
struct Parts(HashMap<String, Vec<Bounds>>);

impl Parts {
    fn of(answer: &Answer, window: Window) -> Parts {
        let mut parts = Parts::default();
        if !matches!(window, Window::Session { .. }) {
            return parts;
        }
        for row in &answer.rows {
            if let (Some(whole), Certainty::Bracketed(_)) = (row.window, &row.certainty) {
                parts.0.entry(format!("{:?}", row.keys)).or_default().push(whole);
            }
        }
        parts
    }

    /// Whether a row is a part of such a session, and not all of it.
    fn have(&self, row: &OutputRow) -> bool {
        let Some(part) = row.window.filter(|_| !self.0.is_empty()) else { return false };
        let wholes = self.0.get(&format!("{:?}", row.keys));
        wholes.into_iter().flatten().any(|whole| {
            *whole != part && whole.start_ms <= part.start_ms && part.end_ms <= whole.end_ms
        })
    }
}

/// The order of an expected row and one of the job, as [`Row::order`].
fn order(expected: &Row, found: &OutputRow) -> Ordering {
    let keys = expected.keys.iter().zip(&found.keys).map(|(a, b)| Value::order(a, b));
    expected.window.cmp(&found.window).then_with(|| keys.fold(Ordering::Equal, Ordering::then))
}

/// The first findings of each kind that is worth to be shown.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, kind: FindingKind, finding: impl FnOnce() -> Finding) {
        let shown = self.0.iter().filter(|finding| finding.kind == kind).count();
        if kind.is_fault() && shown < FINDINGS {
            self.0.push(finding());
        }
    }
}

#[cfg(test)]
mod tests;
