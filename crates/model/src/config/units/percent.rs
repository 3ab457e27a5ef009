//! Parts of a hundred.

use std::fmt;
use std::str::FromStr;

use super::UnitError;

/// A percentage: 0 to 100.
///
/// Reads `1%`, `0.1%` and `0.1`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// The percentage as a fraction: 0 to 1.
    pub fn fraction(self) -> f64 {
        self.0 / 100.0
    }
}

impl FromStr for Percent {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = |reason: &str| UnitError {
            reason: reason.to_owned(),
            examples: "a percentage from 0 to 100, as 1% or 0.1%",
        };
        let text = text.trim();
        let number = text.strip_suffix('%').unwrap_or(text).trim_end();
        let percent: f64 = number.parse().map_err(|_| wrong("not a number"))?;
        if (0.0..=100.0).contains(&percent) {
            Ok(Self(percent))
        } else {
            Err(wrong("must be from 0 to 100"))
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}
