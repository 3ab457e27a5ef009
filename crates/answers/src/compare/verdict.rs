//! What came of a comparison.

use serde::Serialize;

use super::lateness::Lateness;
use super::output::{OutputRow, Place};
use super::values::WrongField;
use crate::answer::{Row, Value};
use crate::query::Bounds;

/// The verdict on a job's output.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The whole of it.
    pub outcome: Outcome,
    /// Windows and keys by what was found of each.
    pub counts: Counts,
    /// Records of the job's output.
    pub records: u64,
    /// Of upserts, keys whose last record is a tombstone.
    pub deleted: u64,
    /// How late right rows were; none where rows have no window or no time.
    pub lateness: Option<Lateness>,
    /// The first of what is at fault, of each kind.
    pub findings: Vec<Finding>,
    /// The first records that can't be decoded, and why.
    pub undecodable: Vec<(Place, String)>,
    /// What may be behind the faults.
    pub notes: Vec<String>,
}

/// The verdict in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All that is determined is there, and right.
    Right,
    /// Something is wrong, extra, duplicated or can't be decoded.
    Wrong,
    /// Nothing is wrong, and something is missing; or all is pending, so that nothing is shown.
    Incomplete,
}

/// Windows and keys by what was found of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Those that are exactly as expected.
    pub right: u64,
    /// Those that aren't determined, and lie between their least and their most.
    pub within_bracket: u64,
    /// Those that aren't determined, may be missing, and are.
    pub may_be_missing: u64,
    /// Those with another value.
    pub wrong: u64,
    /// Those that are not there.
    pub missing: u64,
    /// Rows of windows and keys that aren't expected.
    pub extra: u64,
    /// Those that are right, and there more than once.
    pub duplicated: u64,
    /// Those that aren't there, and whose window no later record closes.
    pub pending: u64,
    /// Records that can't be decoded.
    pub undecodable: u64,
}

/// What was found of a window and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// It is exactly as expected.
    Right,
    /// It isn't determined, and lies between its least and its most.
    WithinBracket,
    /// It isn't determined, may be missing, and is.
    MayBeMissing,
    /// It has another value.
    Wrong,
    /// It isn't there.
    Missing,
    /// It isn't expected.
    Extra,
    /// It is right, and there more than once.
    Duplicated,
    /// It isn't there, and no later record closes its window.
    Pending,
}

/// What was found of a window and key, in full.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// The window; none where the question has none.
    pub window: Option<Bounds>,
    /// The keys.
    pub keys: Vec<Value>,
    /// Where the row stands; none of one that isn't there.
    pub place: Option<Place>,
    /// The values that differ.
    pub fields: Vec<WrongField>,
}

impl Counts {
    pub(super) fn add(&mut self, kind: FindingKind) {
        *match kind {
            FindingKind::Right => &mut self.right,
            FindingKind::WithinBracket => &mut self.within_bracket,
            FindingKind::MayBeMissing => &mut self.may_be_missing,
            FindingKind::Wrong => &mut self.wrong,
            FindingKind::Missing => &mut self.missing,
            FindingKind::Extra => &mut self.extra,
            FindingKind::Duplicated => &mut self.duplicated,
            FindingKind::Pending => &mut self.pending,
        } += 1;
    }

    pub(super) fn outcome(&self, expected: usize, may_repeat: bool) -> Outcome {
        let repeats = if may_repeat { 0 } else { self.duplicated };
        let shown = self.right + self.within_bracket + self.duplicated;
        if self.wrong + self.extra + repeats + self.undecodable > 0 {
            Outcome::Wrong
        } else if self.missing > 0 || (expected > 0 && shown == 0) {
            Outcome::Incomplete
        } else {
            Outcome::Right
        }
    }
}

impl FindingKind {
    /// Whether it is to be shown.
    pub fn is_fault(self) -> bool {
        matches!(
            self,
            FindingKind::Wrong
                | FindingKind::Missing
                | FindingKind::Extra
                | FindingKind::Duplicated
        )
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            FindingKind::Right => "right",
            FindingKind::WithinBracket => "within its bracket",
            FindingKind::MayBeMissing => "missing, as it may be",
            FindingKind::Wrong => "wrong",
            FindingKind::Missing => "missing",
            FindingKind::Extra => "extra",
            FindingKind::Duplicated => "duplicated",
            FindingKind::Pending => "pending",
        }
    }
}

impl Outcome {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Right => "right",
            Outcome::Wrong => "wrong",
            Outcome::Incomplete => "incomplete",
        }
    }
}

impl Finding {
    pub(super) fn of(kind: FindingKind, row: &OutputRow) -> Finding {
        Finding {
            kind,
            window: row.window,
            keys: row.keys.clone(),
            place: Some(row.place),
            fields: Vec::new(),
        }
    }

    pub(super) fn missing(row: &Row) -> Finding {
        Finding {
            kind: FindingKind::Missing,
            window: row.window,
            keys: row.keys.clone(),
            place: None,
            fields: Vec::new(),
        }
    }
}
