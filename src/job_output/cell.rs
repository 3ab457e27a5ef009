//! A cell of a job's row, and the value that its column makes of it.

use chrono::{DateTime, NaiveDateTime};
use fleetstorm_answers::answer::Value;
use fleetstorm_answers::query::Kind;

/// A cell, as it was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A number with a fraction.
    Double(f64),
    /// A text.
    Text(String),
    /// An instant, in milliseconds since the epoch: of a zone that the schema doesn't tell.
    TimeMs(i64),
    /// Something that no column of an answer holds, by its name.
    Other(&'static str),
}

impl Cell {
    /// The value that a column of `kind` makes of it; none where it holds no such.
    pub fn value(&self, kind: Kind) -> Option<Value> {
        Some(match (self, kind) {
            (Cell::Null, _) => Value::Null,
            (Cell::Text(text), Kind::Text) => Value::Text(text.clone()),
            (Cell::Long(number), Kind::Text) => Value::Text(number.to_string()),
            (Cell::Bool(value), Kind::Text) => Value::Text(value.to_string()),
            (Cell::Long(number), Kind::Long) => Value::Long(*number),
            (Cell::Long(number), Kind::Double) => Value::Double(*number as f64),
            (Cell::Double(number), Kind::Long) => whole(*number),
            (Cell::Double(number), Kind::Double) => Value::Double(*number),
            (Cell::Bool(value), Kind::Bool) => Value::Bool(*value),
            // Of CSV.
            (Cell::Text(text), _) if text.is_empty() => Value::Null,
            (Cell::Text(text), Kind::Long) => match text.parse() {
                Ok(number) => Value::Long(number),
                Err(_) => whole(text.parse().ok()?),
            },
            (Cell::Text(text), Kind::Double) => Value::Double(text.parse().ok()?),
            (Cell::Text(text), Kind::Bool) => Value::Bool(text.to_ascii_lowercase().parse().ok()?),
            (_, Kind::Time) => Value::Long(self.instant_ms(0)?),
            _ => return None,
        })
    }

    /// The instant that it tells, in milliseconds since the epoch; `offset_ms` is how far its zone is
    /// ahead of UTC, where it doesn't say so itself. None where it tells none.
    pub fn instant_ms(&self, offset_ms: i64) -> Option<i64> {
        match self {
            Cell::TimeMs(ms) => Some(ms.saturating_sub(offset_ms)),
            Cell::Long(ms) => Some(*ms),
            Cell::Text(text) => {
                if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
                    return Some(instant.timestamp_millis());
                }
                let text = text.replacen('T', " ", 1);
                if let Ok(local) = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f") {
                    return Some(local.and_utc().timestamp_millis() - offset_ms);
                }
                text.parse().ok()
            }
            _ => None,
        }
    }

    /// What it holds, in words.
    pub fn words(&self) -> String {
        match self {
            Cell::Null => "nothing".to_owned(),
            Cell::Bool(value) => value.to_string(),
            Cell::Long(number) => number.to_string(),
            Cell::Double(number) => number.to_string(),
            Cell::Text(text) => format!("`{text}`"),
            Cell::TimeMs(ms) => format!("the instant {ms}"),
            Cell::Other(what) => (*what).to_owned(),
        }
    }
}

/// A number of a column of whole numbers: one with a fraction stays what it is, and is wrong.
fn whole(number: f64) -> Value {
    let is_whole = number.fract() == 0.0 && number.abs() < 2f64.powi(53);
    if is_whole { Value::Long(number as i64) } else { Value::Double(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_engines_write_them() {
        let text = |text: &str| Cell::Text(text.into()).instant_ms(7_200_000);
        let (utc, local) = (Some(1_609_330_394_123), Some(1_609_330_394_123 - 7_200_000));
        assert_eq!(text("2020-12-30 12:13:14.123"), local);
        assert_eq!(text("2020-12-30T12:13:14.123"), local);
        for instant in
            ["2020-12-30 12:13:14.123Z", "2020-12-30T14:13:14.123+02:00", "1609330394123"]
        {
            assert_eq!(text(instant), utc, "{instant}");
        }
        assert_eq!(Cell::TimeMs(7_200_000).instant_ms(7_200_000), Some(0));
        assert_eq!(text("yesterday"), None);
    }

    #[test]
    fn cells_become_values_of_their_columns() {
        let text = |text: &str| Cell::Text(text.into());
        assert_eq!(text("7").value(Kind::Long), Some(Value::Long(7)));
        assert_eq!(text("7.0").value(Kind::Long), Some(Value::Long(7)));
        assert_eq!(Cell::Double(7.0).value(Kind::Long), Some(Value::Long(7)));
        assert_eq!(Cell::Double(7.5).value(Kind::Long), Some(Value::Double(7.5)));
        assert_eq!(Cell::Long(7).value(Kind::Double), Some(Value::Double(7.0)));
        assert_eq!(text("7.5").value(Kind::Double), Some(Value::Double(7.5)));
        assert_eq!(text("TRUE").value(Kind::Bool), Some(Value::Bool(true)));
        assert_eq!(text("").value(Kind::Double), Some(Value::Null));
        assert_eq!(text("").value(Kind::Text), Some(Value::Text(String::new())));
        assert_eq!(text("zone").value(Kind::Long), None);
        assert_eq!(Cell::Other("a record").value(Kind::Text), None);
    }
}
