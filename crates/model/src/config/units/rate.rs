//! Records, bytes and fleet seconds per second.

use std::fmt;
use std::str::FromStr;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::UnitError;

/// Records per second: more than 0 (at least a millionth) and at most a billion.
///
/// Reads `5000`, `0.2`, `5k`, `1.5M`, `50_000`, each with or without `/s`; serialises as a number.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "NumberOrText", into = "f64")]
pub struct Rate(f64);

/// Records per second, or none at all: 0, or what [`Rate`] allows.
///
/// Reads what [`Rate`] reads and `0`; serialises as a number.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "NumberOrText", into = "f64")]
pub struct Level(f64);

/// A rate, or as fast as it goes.
///
/// Reads what [`Rate`] reads and `max`; serialises as a number or `"max"`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "NumberOrText", into = "NumberOrText")]
pub enum RateLimit {
    /// As fast as it goes.
    Max,
    /// At this rate.
    At(Rate),
}

/// Fleet seconds per second: more than 0 (at least a millionth) and at most a billion.
///
/// Reads `60x`, `1.5x` and `60`; serialises as a number.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "NumberOrText", into = "f64")]
pub struct Speed(f64);

/// Bytes per second: 1 to 1 TB.
///
/// Reads `10MB`, `512KiB` and `1000` (bytes), each with or without `/s`; serialises as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "U64OrText", into = "u64")]
pub struct ByteRate(u64);

const LEAST: f64 = 1e-6;
const MOST: f64 = 1e9;
const MOST_BYTES: u64 = 1_000_000_000_000;

const RATE_EXAMPLES: &str = "records per second, as 5000, 0.2, 5k or 1.5M";
const LEVEL_EXAMPLES: &str = "records per second, as 0, 0.2, 5k or 1.5M";
const LIMIT_EXAMPLES: &str = "records per second, as 5000, 0.2, 5k or 1.5M, or max";
const SPEED_EXAMPLES: &str = "how many times as fast as the clock, as 60x or 1.5x";
const BYTES_BOUND: &str = "must be from 1 byte to 1 TB";
const BYTES_EXAMPLES: &str = "bytes per second, as 10MB/s or 512KiB/s";

impl Rate {
    /// A rate of so many records per second.
    ///
    /// # Errors
    /// If it isn't from a millionth to a billion.
    pub fn new(records_per_second: f64) -> Result<Self, UnitError> {
        bounded(records_per_second, RATE_EXAMPLES).map(Self)
    }

    /// Records per second.
    pub fn per_second(self) -> f64 {
        self.0
    }
}

impl Level {
    /// A level of so many records per second.
    ///
    /// # Errors
    /// If it is neither 0 nor from a millionth to a billion.
    pub fn new(records_per_second: f64) -> Result<Self, UnitError> {
        if records_per_second == 0.0 {
            return Ok(Self(0.0));
        }
        bounded(records_per_second, LEVEL_EXAMPLES).map(Self)
    }

    /// Records per second.
    pub fn per_second(self) -> f64 {
        self.0
    }
}

impl Speed {
    /// A clock so many times as fast.
    ///
    /// # Errors
    /// If it isn't from a millionth to a billion.
    pub fn new(factor: f64) -> Result<Self, UnitError> {
        bounded(factor, SPEED_EXAMPLES).map(Self)
    }

    /// Fleet seconds per second.
    pub fn factor(self) -> f64 {
        self.0
    }
}

impl ByteRate {
    /// A rate of so many bytes per second.
    ///
    /// # Errors
    /// If it is 0 or more than 1 TB.
    pub fn new(bytes_per_second: u64) -> Result<Self, UnitError> {
        if (1..=MOST_BYTES).contains(&bytes_per_second) {
            return Ok(Self(bytes_per_second));
        }
        Err(wrong(BYTES_BOUND, BYTES_EXAMPLES))
    }

    /// Bytes per second.
    pub fn per_second(self) -> u64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        rate(text, RATE_EXAMPLES)
    }
}

impl FromStr for Level {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::new(records(text, LEVEL_EXAMPLES)?)
    }
}

impl FromStr for RateLimit {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match text.trim() {
            "max" => Ok(Self::Max),
            text => rate(text, LIMIT_EXAMPLES).map(Self::At),
        }
    }
}

impl FromStr for Speed {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let text = text.strip_suffix('x').unwrap_or(text);
        bounded(decimal(text, SPEED_EXAMPLES)?, SPEED_EXAMPLES).map(Self)
    }
}

impl FromStr for ByteRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = without_per_second(text);
        // bytesize takes either case: a network's megabits would count as eight times as much.
        if ["Kb", "Mb", "Gb", "Tb"].iter().any(|bits| text.ends_with(bits)) {
            return Err(wrong("those are bits, and B is for bytes", BYTES_EXAMPLES));
        }
        if text.starts_with('-') {
            return Err(wrong(BYTES_BOUND, BYTES_EXAMPLES));
        }
        let bytes: ByteSize =
            text.parse().map_err(|_| wrong("not a number of bytes", BYTES_EXAMPLES))?;
        Self::new(bytes.as_u64())
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::At(rate) => rate.fmt(f),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", self.0)
    }
}

impl fmt::Display for ByteRate {
    /// In the largest unit that is exact: bytesize rounds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: &[(u64, &str)] = &[
            (bytesize::TB, "TB"),
            (bytesize::GIB, "GiB"),
            (bytesize::GB, "GB"),
            (bytesize::MIB, "MiB"),
            (bytesize::MB, "MB"),
            (bytesize::KIB, "KiB"),
            (bytesize::KB, "kB"),
        ];
        let (size, unit) =
            UNITS.iter().find(|(size, _)| self.0.is_multiple_of(*size)).unwrap_or(&(1, "B"));
        write!(f, "{}{unit}/s", self.0 / size)
    }
}

fn wrong(reason: impl Into<String>, examples: &'static str) -> UnitError {
    UnitError { reason: reason.into(), examples }
}

fn bounded(number: f64, examples: &'static str) -> Result<f64, UnitError> {
    if (LEAST..=MOST).contains(&number) {
        return Ok(number);
    }
    Err(wrong(format!("must be from {LEAST} to {MOST}"), examples))
}

fn rate(text: &str, examples: &'static str) -> Result<Rate, UnitError> {
    bounded(records(text, examples)?, examples).map(Rate)
}

/// Records per second, with a scale or without, of any size.
fn records(text: &str, examples: &'static str) -> Result<f64, UnitError> {
    let text = without_per_second(text);
    let (digits, scale) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'M')) => (&text[..at], 1e6),
        _ => (text, 1.0),
    };
    Ok(decimal(digits, examples)? * scale)
}

fn without_per_second(text: &str) -> &str {
    let text = text.trim();
    text.strip_suffix("/s").unwrap_or(text).trim_end()
}

fn decimal(text: &str, examples: &'static str) -> Result<f64, UnitError> {
    // Rust's own reader would take "inf" and "nan" too.
    let is_decimal = text.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == '-')
        && text.ends_with(|c: char| c.is_ascii_digit());
    is_decimal
        .then(|| text.replace('_', "").parse().ok())
        .flatten()
        .ok_or_else(|| wrong("not a number", examples))
}

/// What a manifest holds, or what a person writes in its place.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(f64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum U64OrText {
    Number(u64),
    Text(String),
}

/// Reads a unit from its number or from its text.
macro_rules! from_number_or_text {
    ($($unit:ty),*) => {$(
        impl TryFrom<NumberOrText> for $unit {
            type Error = UnitError;

            fn try_from(value: NumberOrText) -> Result<Self, UnitError> {
                match value {
                    NumberOrText::Number(number) => Self::new(number),
                    NumberOrText::Text(text) => text.parse(),
                }
            }
        }
    )*};
}
from_number_or_text!(Rate, Level, Speed);

impl TryFrom<NumberOrText> for RateLimit {
    type Error = UnitError;

    fn try_from(value: NumberOrText) -> Result<Self, UnitError> {
        match value {
            NumberOrText::Number(number) => Rate::new(number).map(Self::At),
            NumberOrText::Text(text) => text.parse(),
        }
    }
}

impl TryFrom<U64OrText> for ByteRate {
    type Error = UnitError;

    fn try_from(value: U64OrText) -> Result<Self, UnitError> {
        match value {
            U64OrText::Number(number) => Self::new(number),
            U64OrText::Text(text) => text.parse(),
        }
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl From<Level> for f64 {
    fn from(level: Level) -> Self {
        level.0
    }
}

impl From<Speed> for f64 {
    fn from(speed: Speed) -> Self {
        speed.0
    }
}

impl From<ByteRate> for u64 {
    fn from(rate: ByteRate) -> Self {
        rate.0
    }
}

impl From<RateLimit> for NumberOrText {
    fn from(limit: RateLimit) -> Self {
        match limit {
            RateLimit::Max => Self::Text("max".into()),
            RateLimit::At(rate) => Self::Number(rate.0),
        }
    }
}
