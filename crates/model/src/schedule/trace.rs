//! Where a rate profile comes from: its text, or a trace in a file, lines of time and rate.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::DateTime;

use super::profile::{MOST_POINTS, Point, Profile, ProfileError, trace};
use crate::config::units::Level;

/// A profile as the command line gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Written out.
    Text(Profile),
    /// `csv:FILE`: a trace.
    File(PathBuf),
}

impl Source {
    /// The profile.
    ///
    /// # Errors
    /// [`TraceError`] of a trace.
    pub fn profile(&self) -> Result<Profile, TraceError> {
        match self {
            Source::Text(profile) => Ok(profile.clone()),
            Source::File(path) => read(path),
        }
    }
}

impl FromStr for Source {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Source, ProfileError> {
        match text.trim().strip_prefix("csv:") {
            Some(path) => Ok(Source::File(path.into())),
            None => text.parse().map(Source::Text),
        }
    }
}

/// Why a file is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It can't be read.
    #[error("failed to read the trace {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// A line is wrong.
    #[error("{}, line {line}: {reason}; a line is TIME,RATE, as in 1.5,2000, with the time in seconds or as 2026-01-01T00:00:00Z", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// It has more lines than a manifest should hold.
    #[error("the trace {} is longer than {MOST_POINTS} lines or {} MiB", path.display(), MOST_BYTES >> 20)]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Its lines together are no profile.
    #[error("the trace {} is not a valid profile: {source}", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ProfileError,
    },
}

/// Reads the trace at `path`: comma-separated lines of a time and a rate in records a second. Times
/// are seconds from the start, or instants, of which the first is the start. A first line of names
/// is passed over, and so are lines that begin with `#`.
///
/// # Errors
/// [`TraceError`], which names file and line.
pub fn read(path: &Path) -> Result<Profile, TraceError> {
    let file = File::open(path)
        .map_err(|source| TraceError::Read { path: path.to_owned(), source: source.into() })?;
    // A device, or a line without an end, would be read forever.
    let mut bounded = file.take(MOST_BYTES);
    let profile = parse(&mut bounded, path);
    if bounded.limit() == 0 {
        return Err(TraceError::TooLong { path: path.to_owned() });
    }
    profile
}

/// The most that is read of a file: [`MOST_POINTS`] lines, and room for remarks.
const MOST_BYTES: u64 = 16 << 20;

fn parse(text: impl Read, path: &Path) -> Result<Profile, TraceError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .comment(Some(b'#'))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text);
    let mut points = Vec::new();
    let mut origin_ms = None;
    for (i, record) in reader.records().enumerate() {
        let record = record.map_err(|source| TraceError::Read { path: path.to_owned(), source })?;
        let (time, rate) = (record.get(0).unwrap_or(""), record.get(1).unwrap_or(""));
        let named = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
        if i == 0 && named(time) && named(rate) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |reason| TraceError::Line { path: path.to_owned(), line, reason };
        if record.len() != 2 {
            return Err(wrong(format!("{} values", record.len())));
        }
        let at_s = seconds(time, &mut origin_ms)
            .ok_or_else(|| wrong(format!("{time:?} is not a time")))?;
        let rate: Level = rate.parse().map_err(|error| wrong(format!("{rate:?}: {error}")))?;
        points.push(Point { at_s, rate });
        if points.len() > MOST_POINTS {
            return Err(TraceError::TooLong { path: path.to_owned() });
        }
    }
    trace(points).map_err(|source| TraceError::Profile { path: path.to_owned(), source })
}

/// A time of a trace, in seconds from its start. `origin_ms` keeps the first instant.
fn seconds(text: &str, origin_ms: &mut Option<i64>) -> Option<f64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then_some(seconds);
    }
    let instant = DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
    let origin = *origin_ms.get_or_insert(instant);
    Some(instant.saturating_sub(origin) as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Profile, String> {
        parse(text.as_bytes(), Path::new("t.csv")).map_err(|error| error.to_string())
    }

    #[test]
    fn seconds_and_instants_are_read() {
        let one = parsed("time,rate\n0,100\n# a pause\n1.5,1k\r\n3,0\n").unwrap();
        let other = parsed(
            "2026-01-01T00:00:00Z, 100\n2026-01-01T00:00:01.5Z, 1000\n2026-01-01T01:00:03+01:00, 0",
        );
        assert_eq!(Ok(one.clone()), other);
        assert_eq!(one.course().integral(1.5), 825.0);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, named) in [
            ("0,1\n1", "line 2: 1 values"),
            ("0,1\nsoon,5", "line 2: \"soon\""),
            ("0,1\n1,fast", "\"fast\""),
            ("0,1\n1,-5", "line 2"),
            ("", "two instants"),
            ("time,rate\n", "two instants"),
            ("0,1\ninf,5", "not a time"),
            ("5,1\n1,5", "1 s comes after 5 s"),
            ("\u{0}\u{1},\u{2}", "line 1"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(named), "{text:?}: {error}");
        }
    }
}
