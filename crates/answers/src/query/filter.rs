//! Which records count: conditions on columns, all of which must hold.

use std::cmp::Ordering;
use std::fmt;

use fleetstorm_model::record::{Record, Topic};

use super::column::{Column, Field, Kind};
use crate::error::QueryError;

/// A condition on a column. A null fulfils none, as in SQL.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The column.
    pub column: Column,
    /// How it is compared.
    pub op: Op,
    /// With what.
    pub literal: Literal,
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

/// What a column is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// True or false.
    Bool(bool),
}

/// Longer ones first, so that `<=` is not taken for `<`.
const OPS: [(&str, Op); 6] =
    [("!=", Op::Ne), ("<=", Op::Le), (">=", Op::Ge), ("=", Op::Eq), ("<", Op::Lt), (">", Op::Gt)];

impl Op {
    /// Whether it holds where the values compare so.
    pub fn holds(self, ordering: Ordering) -> bool {
        match self {
            Op::Eq => ordering.is_eq(),
            Op::Ne => ordering.is_ne(),
            Op::Lt => ordering.is_lt(),
            Op::Le => ordering.is_le(),
            Op::Gt => ordering.is_gt(),
            Op::Ge => ordering.is_ge(),
        }
    }

    /// Its sign.
    pub fn sign(self) -> &'static str {
        OPS.iter().find(|(_, op)| *op == self).map_or("=", |(sign, _)| sign)
    }
}

impl Condition {
    /// Reads a condition, as `is_anomaly=true` or `cpu_percent>=80`.
    ///
    /// # Errors
    /// [`QueryError`] where there is no such column, or the value doesn't fit it.
    pub fn parse(topic: Topic, text: &str) -> Result<Condition, QueryError> {
        let unread = || QueryError::Condition { text: text.to_owned() };
        let at = text.find(['=', '<', '>', '!']).ok_or_else(unread)?;
        let (name, rest) = text.split_at(at);
        let (sign, op) = *OPS.iter().find(|(sign, _)| rest.starts_with(sign)).ok_or_else(unread)?;
        let value = rest[sign.len()..].trim();
        let value = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')).unwrap_or(value);
        if value.is_empty() {
            return Err(unread());
        }
        let column = Column::find(topic, name.trim())?;
        let unfit = || QueryError::ConditionValue {
            text: text.to_owned(),
            column: column.name,
            kind: column.kind.words(),
            value: value.to_owned(),
        };
        let literal = match column.kind {
            Kind::Text => Literal::Text(value.to_owned()),
            Kind::Bool => Literal::Bool(value.parse().map_err(|_| unfit())?),
            Kind::Double | Kind::Long | Kind::Time => {
                let number: f64 = value.parse().map_err(|_| unfit())?;
                if number.is_nan() {
                    return Err(unfit());
                }
                Literal::Number(number)
            }
        };
        Ok(Condition { column, op, literal })
    }

    /// Whether a record fulfils it.
    #[inline]
    pub fn holds(&self, record: &Record<&str>) -> bool {
        let ordering = match (self.column.of(record), &self.literal) {
            (Field::Text(value), Literal::Text(literal)) => Some(value.cmp(literal.as_str())),
            (Field::Double(value), Literal::Number(literal)) => value.partial_cmp(literal),
            (Field::Long(value), Literal::Number(literal)) => (value as f64).partial_cmp(literal),
            (Field::Bool(value), Literal::Bool(literal)) => Some(value.cmp(literal)),
            _ => None,
        };
        ordering.is_some_and(|ordering| self.op.holds(ordering))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.column.name, self.op.sign())?;
        match &self.literal {
            Literal::Text(text) => f.write_str(text),
            Literal::Number(number) => write!(f, "{number}"),
            Literal::Bool(value) => write!(f, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_and_written_alike() {
        for text in ["is_anomaly=true", "cpu_percent>=80", "zone!=zone-a", "error_count<3"] {
            let condition = Condition::parse(Topic::Telemetry, text).unwrap();
            assert_eq!(condition.to_string(), text);
        }
        let quoted = Condition::parse(Topic::Telemetry, "zone = 'zone-a'").unwrap();
        assert_eq!(quoted.to_string(), "zone=zone-a");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let error = |text| Condition::parse(Topic::Telemetry, text).unwrap_err().to_string();
        assert!(error("is_anomaly=maybe").contains("true or false"));
        assert!(error("cpu_percent>hot").contains("numbers"));
        assert!(error("is_anomaly").contains("COLUMN=VALUE"));
        assert!(error("is_anomally=true").contains("did you mean `is_anomaly`?"));
        assert!(error("zone=").contains("COLUMN=VALUE"));
        assert!(error("zone!zone-a").contains("COLUMN=VALUE"));
    }
}
