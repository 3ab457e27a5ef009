//! Lengths of time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{UnitError, serde_as_text};

/// A length of time: more than 0 and at most 36,525 days (a hundred years).
///
/// Reads `60s`, `1m 30s`, `2h`, `7d`, `250ms` and humantime's other units; serialises as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

serde_as_text!(Span);

const MOST: Duration = Duration::from_secs(36_525 * DAY);
const DAY: u64 = 86_400;
const EXAMPLES: &str = "a time with its unit, as 60s, 1m 30s, 2h, 7d or 250ms";

impl Span {
    /// A span of this length.
    ///
    /// # Errors
    /// If it is 0 or more than 36,525 days.
    pub fn new(duration: Duration) -> Result<Self, UnitError> {
        if duration.is_zero() {
            return Err(wrong("must be more than 0"));
        }
        if duration > MOST {
            return Err(wrong("more than 36525 days"));
        }
        Ok(Self(duration))
    }

    /// Its length.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        const LONGEST: usize = 64;
        const DIGITS_MAX: usize = 10;
        // As many spans of as many digits can't reach humantime's limit, beyond which it panics.
        // It ignores white space within a number, so the digits are counted without.
        let text: String = text.split_whitespace().collect();
        let is_number_long =
            text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > DIGITS_MAX);
        if text.len() > LONGEST || is_number_long {
            return Err(wrong("too long"));
        }
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if text.starts_with('-') {
            return Err(wrong("must be from 1ns to 36525d"));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong(format!("a time needs a unit ({text}s, say)")));
        }
        let duration =
            humantime::parse_duration(&text).map_err(|error| wrong(error.to_string()))?;
        Self::new(duration)
    }
}

impl fmt::Display for Span {
    /// In exact units only: humantime would write 60 days as a month of 30.44 and a rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let nanos = self.0.subsec_nanos();
        let parts = [
            (seconds / DAY, "d"),
            (seconds / 3600 % 24, "h"),
            (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
            (u64::from(nanos / 1_000_000), "ms"),
            (u64::from(nanos / 1000 % 1000), "us"),
            (u64::from(nanos % 1000), "ns"),
        ];
        let mut gap = "";
        for (count, unit) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{gap}{count}{unit}")?;
            gap = " ";
        }
        Ok(())
    }
}

fn wrong(reason: impl Into<String>) -> UnitError {
    UnitError { reason: reason.into(), examples: EXAMPLES }
}
