//! A job's output in a file: CSV whose first line names the columns, or a line of JSON a row.

use std::fs;
use std::path::{Path, PathBuf};

use fleetstorm_answers::compare::Place;

use super::key::Key;
use super::value;
use super::{Cell, Content, DataFormat, DecodeError, JobOutputError, JobOutputOptions, JobRecord};

/// A file of rows.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    text: Vec<u8>,
    format: DataFormat,
}

/// What some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl FileSource {
    /// Reads the file; what is written to it later isn't seen.
    pub fn open(path: &Path, options: &JobOutputOptions) -> Result<FileSource, JobOutputError> {
        let by_name = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json" | "jsonl" | "ndjson") => DataFormat::Json,
            _ => DataFormat::Csv,
        };
        let format = options.value_format.unwrap_or(by_name);
        if !matches!(format, DataFormat::Csv | DataFormat::Json) {
            return Err(JobOutputError::FileFormat);
        }
        let failed = |source| JobOutputError::File { path: path.to_owned(), source };
        let mut text = fs::read(path).map_err(failed)?;
        if text.starts_with(BYTE_ORDER_MARK) {
            text.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(FileSource { path: path.to_owned(), text, format })
    }

    /// Hands on the rows, the first time.
    pub fn read(
        &mut self,
        each: &mut impl FnMut(JobRecord<'_>) -> Result<(), JobOutputError>,
    ) -> Result<(), JobOutputError> {
        let text = std::mem::take(&mut self.text);
        let mut add = |line, content: Result<Content, DecodeError>| {
            let place = Place::Line { line };
            each(JobRecord { place, written: None, key: None, content: content.map(Some) })
        };
        if self.format == DataFormat::Json {
            for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
                if !line.trim_ascii().is_empty() {
                    add(at as u64 + 1, json_line(line))?;
                }
            }
            return Ok(());
        }
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_slice());
        let names = match reader.headers() {
            Ok(names) => names.clone(),
            Err(error) => return Err(self.wrong(&error)),
        };
        for (at, record) in reader.records().enumerate() {
            match record {
                Ok(record) => {
                    let line = record.position().map_or(at as u64 + 2, csv::Position::line);
                    let cells = names.iter().zip(&record);
                    let cells = cells.map(|(name, cell)| (name.to_owned(), plain(cell)));
                    add(line, Ok(row(cells.collect())))?;
                }
                Err(error) if error.is_io_error() => return Err(self.wrong(&error)),
                Err(error) => add(at as u64 + 2, Err(DecodeError(error.to_string())))?,
            }
        }
        Ok(())
    }

    fn wrong(&self, error: &csv::Error) -> JobOutputError {
        JobOutputError::Csv { path: self.path.clone(), cause: error.to_string() }
    }
}

/// A cell of CSV, which has nothing for null but nothing.
fn plain(cell: &str) -> Cell {
    if cell.is_empty() { Cell::Null } else { Cell::Text(cell.to_owned()) }
}

fn json_line(line: &[u8]) -> Result<Content, DecodeError> {
    match value::json(line)? {
        Key::Named(cells) => Ok(row(cells)),
        Key::Plain(_) => Err(DecodeError("it is no JSON object".to_owned())),
    }
}

fn row(value: Vec<(String, Cell)>) -> Content {
    Content { value, key: Vec::new(), plain_key: None, window: None }
}
