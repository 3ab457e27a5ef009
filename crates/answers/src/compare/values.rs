//! Values of a job's row beside those that are expected.

use std::fmt;

use serde::{Serialize, Serializer};

use super::output::OutputRow;
use crate::answer::{Answer, Certainty, ColumnInfo, Row, TOLERANCE, Value, Why};

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Allowed {
    /// This.
    Value(Value),
    /// From a least to a most.
    Between(Value, Value),
}

/// A value other than expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WrongField {
    /// The column.
    pub name: String,
    /// What it may be.
    pub expected: Allowed,
    /// What it is.
    pub found: Value,
}

/// Whether all values of `found` are as `expected` has them.
pub(super) fn is_right(answer: &Answer, expected: &Row, found: &OutputRow) -> bool {
    let columns = &answer.columns[answer.keys..];
    let mut values = found.values.iter().zip(columns).enumerate();
    found.values.len() == columns.len()
        && values.all(|(at, (value, column))| is_allowed(expected, at, value, column))
}

/// The values of `found` that differ from what `expected` allows.
pub(super) fn wrong_fields(answer: &Answer, expected: &Row, found: &OutputRow) -> Vec<WrongField> {
    let columns = answer.columns[answer.keys..].iter().zip(&found.values).enumerate();
    columns
        .filter(|&(at, (column, value))| !is_allowed(expected, at, value, column))
        .map(|(at, (column, value))| WrongField {
            name: column.name.clone(),
            expected: allowed(expected, at),
            found: value.clone(),
        })
        .collect()
}

fn allowed(expected: &Row, at: usize) -> Allowed {
    match &expected.certainty {
        Certainty::Bracketed(bracket) if bracket.least[at] != bracket.most[at] => {
            Allowed::Between(bracket.least[at].clone(), bracket.most[at].clone())
        }
        _ => Allowed::Value(expected.values[at].clone()),
    }
}

fn is_allowed(expected: &Row, at: usize, found: &Value, column: &ColumnInfo) -> bool {
    match &expected.certainty {
        // Who of its rivals comes here isn't known.
        Certainty::Bracketed(bracket) if bracket.why == Why::RankedAgainst => true,
        Certainty::Bracketed(bracket) => {
            is_between(&bracket.least[at], &bracket.most[at], found, column)
        }
        _ => is_same(&expected.values[at], found, column),
    }
}

fn is_same(expected: &Value, found: &Value, column: &ColumnInfo) -> bool {
    match (expected.number(), found.number()) {
        (Some(expected), Some(found)) if column.approximate => {
            (expected - found).abs() <= TOLERANCE * expected.abs()
        }
        // A whole number may come as one with a fraction, as in JSON.
        (Some(expected), Some(found)) => expected == found,
        _ => expected == found,
    }
}

fn is_between(least: &Value, most: &Value, found: &Value, column: &ColumnInfo) -> bool {
    let (Some(least_number), Some(most_number), Some(number)) =
        (least.number(), most.number(), found.number())
    else {
        // Without records there is no least, and the job may have none either.
        let below_most = match (most.number(), found.number()) {
            (Some(most), Some(found)) => {
                *least == Value::Null && found.is_finite() && found <= most + margin(most, most)
            }
            _ => false,
        };
        return found == least || found == most || below_most;
    };
    let margin = if column.approximate { margin(least_number, most_number) } else { 0.0 };
    least_number - margin <= number && number <= most_number + margin
}

fn margin(a: f64, b: f64) -> f64 {
    TOLERANCE * a.abs().max(b.abs())
}

impl Serialize for Allowed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Allowed::Value(value) => value.serialize(serializer),
            Allowed::Between(least, most) => [least, most].serialize(serializer),
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Value(value) => write!(f, "{value}"),
            Allowed::Between(least, most) => write!(f, "{least} to {most}"),
        }
    }
}
