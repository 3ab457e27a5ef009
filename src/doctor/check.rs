//! One check, and how checks are printed.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::exit::ExitCode;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All is well.
    Ok,
    /// A run may suffer.
    Warn,
    /// A run would fail.
    Fail,
    /// Not made: it needs something that is missing.
    Skip,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The name of the check.
    pub name: &'static str,
    /// How it went.
    pub state: State,
    /// What was seen.
    pub seen: String,
    /// What to do, if anything.
    pub fix: Option<String>,
    /// The exit code of a run that would fail this way.
    #[serde(serialize_with = "as_number")]
    pub exit_code: Option<ExitCode>,
}

/// All checks, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// Whether no check failed.
    pub well: bool,
    /// The exit code of the program: that of the first check that failed, else 0.
    #[serde(serialize_with = "as_number")]
    pub exit_code: ExitCode,
    /// The checks.
    pub checks: Vec<Check>,
}

impl Check {
    /// A check that found nothing wrong.
    pub fn ok(name: &'static str, seen: impl Into<String>) -> Check {
        Check { name, state: State::Ok, seen: seen.into(), fix: None, exit_code: None }
    }

    /// A check that found a risk, and what to do.
    pub fn warn(name: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Check {
        let fix = Some(fix.into());
        Check { name, state: State::Warn, seen: seen.into(), fix, exit_code: None }
    }

    /// A check that failed, what to do, and the exit code of a run that would fail this way.
    pub fn fail(
        name: &'static str,
        code: ExitCode,
        seen: impl Into<String>,
        fix: impl Into<String>,
    ) -> Check {
        let (fix, exit_code) = (Some(fix.into()), Some(code));
        Check { name, state: State::Fail, seen: seen.into(), fix, exit_code }
    }

    /// A check that was not made, and why.
    pub fn skip(name: &'static str, why: impl Into<String>) -> Check {
        Check { name, state: State::Skip, seen: why.into(), fix: None, exit_code: None }
    }

    /// Writes the check for a person: one line, and another for what to do.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let state = match self.state {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fail => "FAIL",
            State::Skip => "skip",
        };
        writeln!(out, "{state:<4}  {:<9}  {}", self.name, one_line(&self.seen))?;
        match &self.fix {
            Some(fix) => writeln!(out, "      fix:       {}", one_line(fix)),
            None => Ok(()),
        }
    }
}

impl Examination {
    /// These checks as a whole.
    pub fn of(checks: Vec<Check>) -> Examination {
        let failed = checks.iter().find(|check| check.state == State::Fail);
        let exit_code = failed.and_then(|check| check.exit_code).unwrap_or(ExitCode::Done);
        Examination { well: failed.is_none(), exit_code, checks }
    }
}

/// Exit codes as the shell sees them.
fn as_number<S: Serializer, C: Copy + Into<Option<ExitCode>>>(
    code: &C,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    (*code).into().map(|code| code as u8).serialize(serializer)
}

/// A text that may quote others, on one line and without control characters, which could rewrite a
/// terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_decides_the_exit_code() {
        let warned = Check::warn("clock", "a", "b");
        assert_eq!(Examination::of(vec![warned.clone()]).exit_code, ExitCode::Done);
        let checks = vec![
            warned,
            Check::fail("registry", ExitCode::RegistryFailed, "a", "b"),
            Check::fail("topics", ExitCode::BrokerRefused, "a", "b"),
        ];
        let whole = Examination::of(checks);
        assert_eq!((whole.well, whole.exit_code), (false, ExitCode::RegistryFailed));
    }

    #[test]
    fn nothing_breaks_a_line() {
        let mut out = Vec::new();
        Check::warn("clock", "a\nb\u{1b}[31m", "c").write(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "warn  clock      a b [31m\n      fix:       c\n");
    }
}
