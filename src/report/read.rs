//! Reading a report back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Report;
use crate::manifest::STREAM_VERSION;

/// Why a file is no report that this program can work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It can't be read.
    #[error("failed to read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than any report.
    #[error("{} is too large for a report: {bytes} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It is no JSON.
    #[error("{} is not JSON: {source}", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It is JSON, and not what a run writes.
    #[error("{} is not a report that `run --report` has written: {reason}", path.display())]
    NotAReport {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is of another version of the program.
    #[error("{} is of stream version {found}, and this program knows {STREAM_VERSION}: use the fleetstorm that made the run", path.display())]
    StreamVersion {
        /// The file.
        path: PathBuf,
        /// Its stream version.
        found: String,
    },
}

/// A report, and the JSON that it was read from.
#[derive(Debug, Clone)]
pub struct ReadReport {
    /// As it stands in the file.
    pub document: Value,
    /// What it says.
    pub report: Report,
}

/// Far more than the report of a large run, which is some megabytes.
const MOST_BYTES: u64 = 256 << 20;

/// Reads the report in a file.
///
/// # Errors
/// [`ReadError`].
pub fn file(path: &Path) -> Result<ReadReport, ReadError> {
    let failed = |source| ReadError::Read { path: path.to_owned(), source };
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > MOST_BYTES {
        return Err(ReadError::TooLarge { path: path.to_owned(), bytes });
    }
    text(path, &fs::read(path).map_err(failed)?)
}

/// Reads a report from the text of the file at `path`.
///
/// # Errors
/// [`ReadError`].
pub fn text(path: &Path, bytes: &[u8]) -> Result<ReadReport, ReadError> {
    let path = path.to_owned();
    let document: Value = match serde_json::from_slice(bytes) {
        Ok(document) => document,
        Err(source) => return Err(ReadError::NotJson { path, source }),
    };
    // Before the rest, which another version may shape otherwise.
    let version = &document["manifest"]["stream_version"];
    if !version.is_null() && version.as_u64() != Some(u64::from(STREAM_VERSION)) {
        return Err(ReadError::StreamVersion { path, found: version.to_string() });
    }
    match serde_json::from_value(document.clone()) {
        Ok(report) => Ok(ReadReport { document, report }),
        Err(error) => Err(ReadError::NotAReport { path, reason: error.to_string() }),
    }
}
