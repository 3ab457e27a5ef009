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

/// A shard as the command line gives it.
///
/// Reads what [`Shard`] reads, and `job/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardChoice {
    /// Named by its index.
    Given(Shard),
    /// One of so many (at least one), by an index that the environment tells.
    ByJob(u32),
}

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
            0 => wrong("the count must be at least 1"),
            _ => wrong(format!("the index must be from 0 to {}", count - 1)),
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

impl ShardChoice {
    /// The shard, where the environment tells `index`.
    ///
    /// # Errors
    /// If the index is needed, and there is none, or none below the count.
    pub fn resolve(self, index: Option<&str>) -> Result<Shard, UnitError> {
        match self {
            Self::Given(shard) => Ok(shard),
            Self::ByJob(count) => {
                let index = index.ok_or_else(|| wrong("the variable is not set"))?;
                let index = number(index)
                    .ok_or_else(|| wrong(format!("{index:?} is not an index below the count")))?;
                Shard::new(index, count)
            }
        }
    }
}

impl FromStr for ShardChoice {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let Some(count) = text.trim().strip_prefix("job/") else {
            return text.parse().map(Self::Given);
        };
        let count = number(count).ok_or_else(|| wrong("not a count"))?;
        Shard::new(0, count).map(|_| Self::ByJob(count))
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
        examples: "I/N with I from 0 to N-1, as 0/4 to 3/4, or job/4 in a Kubernetes Indexed Job",
    }
}

fn number(text: &str) -> Option<u32> {
    // Rust's own reader would take a plus sign too.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
