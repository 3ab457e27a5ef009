//! Which share of the fleet a process runs.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, serde_as_text};

/// One of `count` shares of the fleet: `index` from 0 to `count` - 1.
///
/// Reads `0/4`, the first of four; serialises as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    index: u32,
    count: u32,
}

serde_as_text!(Shard);

impl Shard {
    /// The whole fleet: `0/1`.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Share `index` of `count`.
    ///
    /// # Errors
    /// If `index` isn't less than `count` (so, too, if `count` is 0).
    pub fn new(index: u32, count: u32) -> Result<Self, UnitError> {
        if index < count {
            return Ok(Self { index, count });
        }
        Err(match count {
            0 => wrong("there is no share of 0"),
            _ => wrong(format!("shares of {count} are 0 to {}", count - 1)),
        })
    }

    /// Which share: from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many shares there are: 1 at least.
    pub fn count(self) -> u32 {
        self.count
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl FromStr for Shard {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        text.trim()
            .split_once('/')
            .and_then(|(index, count)| Some((number(index)?, number(count)?)))
            .ok_or_else(|| wrong("not an index and a count"))
            .and_then(|(index, count)| Self::new(index, count))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

fn wrong(reason: impl Into<String>) -> UnitError {
    UnitError {
        reason: reason.into(),
        examples: "I/N with I from 0 to N-1, as 0/4, 1/4, 2/4 and 3/4",
    }
}

fn number(text: &str) -> Option<u32> {
    // Rust's own reader would take a plus sign too.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
