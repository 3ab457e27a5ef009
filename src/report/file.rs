//! The report as a file: whole or not at all, and on the disk before the first record is sent.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Report;
use crate::output::Stdout;

/// Where a report is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportFile {
    /// A file, written with the manifest before the run and with the results after it.
    Path(PathBuf),
    /// Standard output, after the run.
    Stdout,
}

/// A report as text.
///
/// # Errors
/// Those of the writer of JSON.
pub fn text(report: &Report) -> io::Result<String> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    Ok(text)
}

impl ReportFile {
    /// The report file of an option's value: `-` is standard output.
    pub fn new(path: &Path) -> ReportFile {
        if path == Path::new("-") { ReportFile::Stdout } else { ReportFile::Path(path.to_owned()) }
    }

    /// Writes `report`. A file is replaced as a whole and synced, so that whoever reads it after a
    /// crash finds the manifest; standard output takes finished reports only.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, report: &Report) -> io::Result<()> {
        match self {
            ReportFile::Stdout if report.results.is_none() => Ok(()),
            _ => self.put(&text(report)?),
        }
    }

    /// Writes a text, a file as a whole.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn put(&self, text: &str) -> io::Result<()> {
        match self {
            ReportFile::Stdout => Stdout.write_all(text.as_bytes()),
            ReportFile::Path(path) => replace(path, text.as_bytes()),
        }
    }
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    // Devices and pipes (/dev/stderr) can't be replaced.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return fs::write(path, text);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let mut file = File::create(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
