//! Errors of a configuration.

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

use super::origin::Origin;

/// Why a configuration is invalid. Texts are fragments that fit after "error: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is too large.
    #[error("the configuration file {} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// The file is not UTF-8.
    #[error("the configuration file {} is not UTF-8 text (byte {at} is the first that isn't)", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The position of the first invalid byte.
        at: usize,
    },
    /// The text is not YAML, or nests too deep, or expands too far.
    #[error("{origin} is not valid YAML: {message}")]
    Syntax {
        /// Where the text came from.
        origin: Origin,
        /// What is wrong and where, with the lines around it.
        message: String,
    },
    /// The top level of a file is not a mapping of settings.
    #[error("{origin} must hold settings as `key: value` lines, but its top level is {found}")]
    NotSettings {
        /// Where it came from.
        origin: Origin,
        /// What it is: "a list", say.
        found: &'static str,
    },
    /// A `--set` that isn't `key=value`.
    #[error("cannot read `--set {text}`: {reason}, as in `--set anomalies.enable=true`")]
    Set {
        /// What was given.
        text: String,
        /// What is missing.
        reason: &'static str,
    },
    /// No scenario has this name.
    #[error("there is no scenario `{name}`; {}", suggestion(*nearest, known))]
    UnknownScenario {
        /// What was given.
        name: String,
        /// The most similar valid name, if there is one.
        nearest: Option<&'static str>,
        /// All names.
        known: Vec<&'static str>,
    },
    /// Keys that don't exist, values of the wrong type or out of bounds: all that were found.
    #[error("{}", Lines(.0))]
    Settings(Vec<Problem>),
    /// Valid settings that can't be merged: a bug in this program.
    #[error("internal error: the settings cannot be put together: {0}")]
    Internal(String),
}

/// One setting that is wrong, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The key's dotted path.
    pub key: String,
    /// What it was set to.
    pub value: Value,
    /// Where it was set.
    pub origin: Origin,
    /// What is wrong with it.
    pub kind: ProblemKind,
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// There is no such key.
    Unknown {
        /// The dotted path of the key that was probably meant.
        nearest: Option<String>,
    },
    /// The key can't hold this value.
    Invalid {
        /// What it can hold; completes "must be ...".
        expected: String,
        /// What in particular is wrong, where that isn't plain from the value.
        detail: Option<String>,
    },
}

impl ConfigError {
    pub(super) fn internal(error: impl fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, origin, .. } = self;
        let value = shortened(value);
        match &self.kind {
            ProblemKind::Unknown { nearest } => {
                write!(f, "unknown key `{key}` = {value} (from {origin})")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
                    None => Ok(()),
                }
            }
            ProblemKind::Invalid { expected, detail } => {
                write!(f, "`{key}` = {value} (from {origin}) must be {expected}")?;
                match detail {
                    Some(detail) => write!(f, ", but {detail}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// An altogether wrong file would fill the screen.
const LINES_MAX: usize = 20;

struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = self.0 {
            return problem.fmt(f);
        }
        write!(f, "{} settings are wrong:", self.0.len())?;
        for problem in self.0.iter().take(LINES_MAX) {
            write!(f, "\n  {problem}")?;
        }
        match self.0.len().saturating_sub(LINES_MAX) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

fn suggestion(nearest: Option<&str>, known: &[&str]) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("there are {}", known.join(", ")),
    }
}

/// The value as JSON, cut where a line of an error would grow too long.
fn shortened(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}
