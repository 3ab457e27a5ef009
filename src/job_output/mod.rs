//! What a streaming job wrote, read as rows of named cells: from a topic, or from a file.
//!
//! Values are Avro by the registry, JSON, or lines of a CSV file; keys are text, Avro or JSON, with the
//! bounds of a window of Kafka Streams or ksqlDB behind them or not. Columns are found by name.

pub mod cell;
mod clock;
pub mod columns;
mod error;
mod file;
mod key;
mod topic;
mod value;

use std::path::PathBuf;
use std::str::FromStr;

use fleetstorm_answers::compare::Place;
use serde::Serialize;

pub use cell::Cell;
pub use clock::{Clock, Clocks, WrittenAt};
pub use columns::Columns;
pub use error::{DecodeError, JobOutputError};
pub use key::{KeyWindow, WindowedKey};

use crate::pacing::StopFlag;
use crate::registry::Registry;
use crate::sink::kafka::KafkaSettings;
use file::FileSource;
use topic::TopicSource;

/// Where a job's output is, and how it is written.
#[derive(Debug, Clone)]
pub struct JobOutputOptions {
    /// Where it is.
    pub from: OutputLocation,
    /// How values are written; none: Avro in a topic, and by the name of a file.
    pub value_format: Option<DataFormat>,
    /// How keys are written.
    pub key_format: DataFormat,
    /// The windows that stand behind keys.
    pub windowed_key: Option<WindowedKey>,
}

/// Where a job's output is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputLocation {
    /// In a topic, by its full name.
    Topic(String),
    /// In a file of CSV or of JSON lines.
    File(PathBuf),
}

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataFormat {
    /// Avro in Confluent's wire format, its schema in the registry.
    Avro,
    /// JSON.
    Json,
    /// Text: of keys alone.
    Text,
    /// Comma-separated values, the first line of which has the columns' names: of files alone.
    Csv,
}

/// A name of a format that there isn't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("choose from {0}")]
pub struct UnknownDataFormat(&'static str);

/// The cells of a record, with their names.
pub type Cells = Vec<(String, Cell)>;

/// A record of a job's output.
#[derive(Debug)]
pub struct JobRecord<'a> {
    /// Where it stands.
    pub place: Place,
    /// When it was written.
    pub written: Option<WrittenAt>,
    /// The bytes of its key; none where it has none.
    pub key: Option<&'a [u8]>,
    /// What it holds: nothing where its value is null, or why it can't be decoded.
    pub content: Result<Option<Content>, DecodeError>,
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// The cells of its value.
    pub value: Cells,
    /// The cells of its key.
    pub key: Cells,
    /// A key that is one value without a name.
    pub plain_key: Option<Cell>,
    /// The window behind its key.
    pub window: Option<KeyWindow>,
}

/// A record that can't be decoded, as reports name it.
#[derive(Debug, Clone, Serialize)]
pub struct Undecodable {
    /// Where it stands.
    pub place: Place,
    /// Why.
    pub why: String,
}

impl Content {
    /// The error of a column that isn't there.
    pub fn missing_column(&self, name: &str) -> JobOutputError {
        let names = self.value.iter().chain(&self.key).map(|(name, _)| name.clone());
        JobOutputError::NoColumn { name: name.to_owned(), has: names.collect() }
    }
}

/// A job's output, read from its beginning and on.
pub struct JobOutput(Source);

enum Source {
    Topic(Box<TopicSource>),
    File(FileSource),
}

/// What reaches a topic of output.
pub struct Reach<'a> {
    /// The brokers; none where there is no need of any.
    pub brokers: Option<KafkaSettings>,
    /// The registry.
    pub registry: Option<&'a Registry>,
    /// Ends all waiting.
    pub stop: &'a StopFlag,
}

impl JobOutput {
    /// The output that `options` describe.
    ///
    /// # Errors
    /// [`JobOutputError`] where it isn't there, or options don't fit each other.
    pub fn open(options: &JobOutputOptions, reach: Reach<'_>) -> Result<JobOutput, JobOutputError> {
        Ok(JobOutput(match &options.from {
            OutputLocation::Topic(name) => {
                Source::Topic(Box::new(TopicSource::open(name, options, reach)?))
            }
            OutputLocation::File(path) => Source::File(FileSource::open(path, options)?),
        }))
    }

    /// Hands each record that is there and wasn't read before to `each`, those of a partition in their
    /// order.
    ///
    /// # Errors
    /// [`JobOutputError`] where they can't be read, or `each` fails.
    pub fn read(
        &mut self,
        registry: Option<&Registry>,
        mut each: impl FnMut(JobRecord<'_>) -> Result<(), JobOutputError>,
    ) -> Result<(), JobOutputError> {
        match &mut self.0 {
            Source::Topic(topic) => topic.read(registry, &mut each),
            Source::File(file) => file.read(&mut each),
        }
    }
}

impl DataFormat {
    /// Reads the name of a key's format.
    ///
    /// # Errors
    /// [`UnknownDataFormat`].
    pub fn of_key(name: &str) -> Result<DataFormat, UnknownDataFormat> {
        match name {
            "text" => Ok(DataFormat::Text),
            "avro" => Ok(DataFormat::Avro),
            "json" => Ok(DataFormat::Json),
            _ => Err(UnknownDataFormat("text, avro and json")),
        }
    }
}

impl FromStr for DataFormat {
    type Err = UnknownDataFormat;

    fn from_str(name: &str) -> Result<DataFormat, UnknownDataFormat> {
        match name {
            "avro" => Ok(DataFormat::Avro),
            "json" => Ok(DataFormat::Json),
            "csv" => Ok(DataFormat::Csv),
            _ => Err(UnknownDataFormat("avro, json and csv")),
        }
    }
}
