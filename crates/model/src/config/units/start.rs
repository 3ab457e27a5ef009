//! When a run starts.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat};

use super::{Span, UnitError, serde_as_text};

/// When a run starts, to the millisecond.
///
/// Reads `now`, RFC 3339 (`2026-01-01T00:00:00+02:00`), a date or a date and time in UTC
/// (`2026-01-01`, `2026-01-01T00:00:00`), epoch milliseconds (`1767225600000`), and a span before
/// or after now (`-7d`, `+10s`); serialises as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartTime {
    /// At the moment at which the run begins.
    Now,
    /// At this instant: epoch milliseconds, from 1970 to 9999.
    Absolute(i64),
    /// So many milliseconds after (or, where negative, before) the run begins; never 0.
    Relative(i64),
}

serde_as_text!(StartTime);

/// The end of the year 9999, the last that RFC 3339 can write.
const LATEST: i64 = 253_402_300_799_999;
const EXAMPLES: &str = "now, -7d, +10s, 2026-01-01, 2026-01-01T00:00:00Z or epoch milliseconds \
                        as 1767225600000";

impl StartTime {
    /// The instant in epoch milliseconds, where it is `now` in epoch milliseconds.
    ///
    /// # Errors
    /// If it lies before 1970 or after 9999.
    pub fn resolve(self, now: i64) -> Result<i64, UnitError> {
        match self {
            Self::Now => within(now),
            Self::Absolute(instant) => within(instant),
            Self::Relative(offset) => within(now.saturating_add(offset)),
        }
    }
}

impl FromStr for StartTime {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        if text == "now" {
            return Ok(Self::Now);
        }
        if let Some(span) = text.strip_prefix('-') {
            return millis(span).map(|millis| Self::Relative(-millis));
        }
        if let Some(span) = text.strip_prefix('+') {
            return millis(span).map(Self::Relative);
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return epoch_millis(text).map(Self::Absolute);
        }
        if let Some(instant) = calendar(text) {
            return within(instant).map(Self::Absolute);
        }
        if text.parse::<Span>().is_ok() {
            return Err(wrong(format!("it needs a sign: -{text} is before now")));
        }
        Err(wrong("not a time"))
    }
}

impl fmt::Display for StartTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Now => f.write_str("now"),
            Self::Absolute(instant) => match DateTime::from_timestamp_millis(instant) {
                Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
                None => write!(f, "{instant}"),
            },
            Self::Relative(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                match Span::new(Duration::from_millis(offset.unsigned_abs())) {
                    Ok(span) => write!(f, "{sign}{span}"),
                    Err(_) => write!(f, "{sign}{}ms", offset.unsigned_abs()),
                }
            }
        }
    }
}

fn wrong(reason: impl Into<String>) -> UnitError {
    UnitError { reason: reason.into(), examples: EXAMPLES }
}

fn within(instant: i64) -> Result<i64, UnitError> {
    if (0..=LATEST).contains(&instant) {
        return Ok(instant);
    }
    Err(wrong("must be between the years 1970 and 9999"))
}

fn millis(span: &str) -> Result<i64, UnitError> {
    let span: Span = span.parse().map_err(|error: UnitError| wrong(error.reason))?;
    match i64::try_from(span.duration().as_millis()) {
        Ok(millis) if millis > 0 => Ok(millis),
        _ => Err(wrong("less than a millisecond from now")),
    }
}

fn epoch_millis(digits: &str) -> Result<i64, UnitError> {
    // Seconds (`date +%s`) would silently mean January 1970.
    const DIGITS_MIN: usize = 12;
    if digits.len() < DIGITS_MIN {
        return Err(wrong("too few digits for epoch milliseconds"));
    }
    digits.parse().map_err(|_| wrong("too many digits")).and_then(within)
}

fn calendar(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(date)
        .map(|time| time.and_utc().timestamp_millis())
}
