//! The answer: rows of windows, keys and values, each exact, bracketed or pending.

mod print;

use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};

pub use print::{Format, instant};

use crate::query::{Bounds, Kind};

/// The right answer of a question over a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The columns of keys, then those of values.
    pub columns: Vec<ColumnInfo>,
    /// How many of the columns are keys.
    pub keys: usize,
    /// Whether rows have windows.
    pub windowed: bool,
    /// The zone that windows are told in, in milliseconds ahead of UTC.
    pub zone_offset_ms: i64,
    /// The rows, in the order of windows' ends, starts and keys.
    pub rows: Vec<Row>,
    /// The records that were looked at: those of the topic asked, before any filter.
    pub records: u64,
    /// What who compares with a job should know.
    pub notes: Vec<String>,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Whether it is a sum or a mean of doubles, whose last digits depend on the order of adding:
    /// to be compared within [`TOLERANCE`].
    pub approximate: bool,
}

/// The relative tolerance of sums and means of doubles. Adding n of them in any order errs by n times
/// 1.1e-16 of the sum of their magnitudes at most, so this holds up to nine million of them.
pub const TOLERANCE: f64 = 1e-9;

/// A row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its window; none where the question has none.
    pub window: Option<Bounds>,
    /// Its keys.
    pub keys: Vec<Value>,
    /// Its values: where it is bracketed, as if every record counted.
    pub values: Vec<Value>,
    /// How sure it is.
    pub certainty: Certainty,
}

/// How sure a row is.
#[derive(Debug, Clone, PartialEq)]
pub enum Certainty {
    /// The job's row must be this.
    Exact,
    /// The job's row lies between a least and a most.
    Bracketed(Box<Bracket>),
    /// No later record closes its window: the job hasn't emitted it yet, or emits this.
    Pending,
}

/// The range that a job's row lies in.
#[derive(Debug, Clone, PartialEq)]
pub struct Bracket {
    /// The least of each value; null where it has none.
    pub least: Vec<Value>,
    /// The most of each value.
    pub most: Vec<Value>,
    /// Whether the row may be missing.
    pub may_be_missing: bool,
    /// Whether its window is pending besides.
    pub pending: bool,
    /// Why it isn't exact.
    pub why: Why,
}

/// Why a row isn't exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// This many of its records may be late: the order of arrival decides.
    MaybeLate(u64),
    /// This many of its records may be joined before their machine's record of the same instant is read.
    MaybeUnmatched(u64),
    /// The group's value equals the bound of its condition, within [`TOLERANCE`].
    OnTheBound,
    /// A row that it is ranked against isn't exact.
    RankedAgainst,
}

/// Rows by how sure they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Those that are exact.
    pub exact: u64,
    /// Those that lie between a least and a most.
    pub bracketed: u64,
    /// Those whose window no later record closes.
    pub pending: u64,
}

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A text.
    Text(String),
    /// A number with a fraction.
    Double(f64),
    /// A whole number, or an instant in milliseconds since the epoch.
    Long(i64),
    /// True or false.
    Bool(bool),
}

impl Value {
    /// The order of rows: nulls first, numbers by size, texts by their bytes.
    pub fn order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Long(a), Value::Long(b)) => a.cmp(b),
            (Value::Double(a), Value::Double(b)) => a.total_cmp(b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    /// As a number; none of what isn't one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Long(number) => Some(*number as f64),
            Value::Double(number) => Some(*number),
            _ => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Bool(_) => 1,
            Value::Long(_) => 2,
            Value::Double(_) => 3,
            Value::Text(_) => 4,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Text(text) => f.write_str(text),
            Value::Double(number) => write!(f, "{number}"),
            Value::Long(number) => write!(f, "{number}"),
            Value::Bool(value) => write!(f, "{value}"),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_none(),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Double(number) => serializer.serialize_f64(*number),
            Value::Long(number) => serializer.serialize_i64(*number),
            Value::Bool(value) => serializer.serialize_bool(*value),
        }
    }
}

impl Row {
    /// The order of rows: by window's end and start, then by keys.
    pub fn order(&self, other: &Row) -> Ordering {
        let keys = self.keys.iter().zip(&other.keys).map(|(a, b)| a.order(b));
        self.window.cmp(&other.window).then_with(|| keys.fold(Ordering::Equal, Ordering::then))
    }
}

impl Certainty {
    /// Its name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Certainty::Exact => "exact",
            Certainty::Bracketed(_) => "bracketed",
            Certainty::Pending => "pending",
        }
    }
}

impl Answer {
    /// Rows by how sure they are.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for row in &self.rows {
            match row.certainty {
                Certainty::Exact => counts.exact += 1,
                Certainty::Bracketed(_) => counts.bracketed += 1,
                Certainty::Pending => counts.pending += 1,
            }
        }
        counts
    }
}
