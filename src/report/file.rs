//! The files that a run writes: whole or not at all, and checked before anything is sent.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};

use super::Report;
use crate::output::Stdout;

/// Where a report goes.
#[derive(Debug)]
pub enum ReportFile {
    /// A file, written with the manifest before the run and again with the results after it.
    Path(PathBuf),
    /// A pipe or device, kept open. It gets finished reports only.
    Stream(File),
    /// Standard output, likewise.
    Stdout,
}

/// A document as text. No number is -0.0.
///
/// # Errors
/// Errors of the JSON writer.
pub fn text(document: &impl Serialize) -> io::Result<String> {
    let mut bytes = Vec::new();
    let plain = Plain(PrettyFormatter::new());
    document.serialize(&mut Serializer::with_formatter(&mut bytes, plain))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(io::Error::other)
}

impl ReportFile {
    /// The report file of an option's value; `-` is standard output. Writes nothing yet.
    ///
    /// # Errors
    /// If it could not be written.
    pub fn open(path: &Path) -> io::Result<ReportFile> {
        if path == Path::new("-") {
            return Ok(ReportFile::Stdout);
        }
        match fit(path)? {
            Fit::File(path) => Ok(ReportFile::Path(path)),
            Fit::Stream => Ok(ReportFile::Stream(OpenOptions::new().append(true).open(path)?)),
        }
    }

    /// Writes `report`. A file is replaced as a whole and synced, so that a reader after a crash finds
    /// the manifest. Standard output and streams get finished reports only.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn write(&self, report: &Report) -> io::Result<()> {
        match self {
            ReportFile::Stdout | ReportFile::Stream(_) if report.results.is_none() => Ok(()),
            _ => self.write_text(&text(report)?),
        }
    }

    /// Writes a text, a file as a whole.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn write_text(&self, text: &str) -> io::Result<()> {
        match self {
            ReportFile::Stdout => Stdout.write_all(text.as_bytes()),
            ReportFile::Stream(file) => (&*file).write_all(text.as_bytes()),
            ReportFile::Path(path) => replace(path, text.as_bytes()),
        }
    }
}

/// Checks whether a file can be written at `path`, and changes nothing.
///
/// # Errors
/// Why it can't.
pub fn check(path: &Path) -> io::Result<()> {
    fit(path).map(|_| ())
}

/// How a path can be written.
enum Fit {
    /// A file, at this path once links are followed.
    File(PathBuf),
    /// A pipe, a device, or another name of what this process has open.
    Stream,
}

fn fit(path: &Path) -> io::Result<Fit> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() || is_open_here(path) => Ok(Fit::Stream),
        Ok(_) => {
            OpenOptions::new().write(true).open(path)?;
            fs::canonicalize(path).map(Fit::File)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let path = linked(path)?;
            OpenOptions::new().write(true).create_new(true).open(&path)?;
            fs::remove_file(&path)?;
            Ok(Fit::File(path))
        }
        Err(error) => Err(error),
    }
}

/// Whether a path is another name of what this process has open. A file is then shared with whoever
/// opened it.
fn is_open_here(path: &Path) -> bool {
    let names = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"];
    names.iter().any(|name| path.starts_with(name))
}

/// The path of a missing file at the end of a chain of links.
fn linked(path: &Path) -> io::Result<PathBuf> {
    const MOST_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(next) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(next);
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Replaces a file: by another file in its place or, if none can be put there, by its content.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut beside = OsString::from(".");
    beside.push(path.file_name().unwrap_or_default());
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(beside);
    // The folder may not be writable.
    let Ok(mut file) = OpenOptions::new().write(true).create_new(true).open(&beside) else {
        return overwrite(path, text);
    };
    let written = file.write_all(text).and_then(|()| match fs::metadata(path) {
        Ok(before) => file.set_permissions(before.permissions()),
        Err(_) => Ok(()),
    });
    let written = written.and_then(|()| file.sync_all());
    // A file that is a mount of its own, as in a container, can't be replaced by a rename.
    let renamed = match &written {
        Ok(()) => fs::rename(&beside, path).is_ok(),
        Err(_) => false,
    };
    if !renamed {
        fs::remove_file(&beside)?;
    }
    written?;
    if renamed { Ok(()) } else { overwrite(path, text) }
}

fn overwrite(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// JSON for people, in which zero has no sign.
struct Plain<'a>(PrettyFormatter<'a>);

impl Formatter for Plain<'_> {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        // The sum of -0.0 and 0.0 is 0.0.
        self.0.write_f64(writer, value + 0.0)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_zero_has_a_sign_and_nothing_is_not_a_number() {
        let document = serde_json::json!({ "a": [-0.0, 0.0, -1.5, 1e300], "b": {} });
        let plain = text(&document).unwrap();
        assert!(!plain.contains("-0.0"), "{plain}");
        assert_eq!(plain.replace("0.0", "-0.0").matches("-0.0").count(), 2, "{plain}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&plain).unwrap(), document);
        assert_eq!(text(&[f64::NAN, f64::INFINITY]).unwrap(), "[\n  null,\n  null\n]\n");
    }
}
