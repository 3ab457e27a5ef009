//! Why a job's output can't be read.

use std::io;
use std::path::PathBuf;

use fleetstorm_answers::compare::Place;

use crate::consume::ConsumeError;
use crate::registry::RegistryError;
use crate::sink::kafka::KafkaError;

/// Why a record can't be decoded, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub(super) String);

/// Why a job's output can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobOutputError {
    /// The file can't be read.
    #[error("failed to read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no CSV.
    #[error("failed to read {} as CSV: {cause}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A file isn't written so.
    #[error("a file is read as csv or json: give one of them by --value-format")]
    FileFormat,
    /// A topic isn't written so.
    #[error("the values of a topic are read as avro or json: give one of them by --value-format")]
    TopicFormat,
    /// Nobody knows the brokers.
    #[error("give the brokers of the output topic by --bootstrap-server")]
    NoBrokers,
    /// Nobody knows the registry.
    #[error(
        "the output is Avro, whose schemas are in a registry: give it by --schema-registry, or say --value-format json"
    )]
    NoRegistry,
    /// There is no such topic.
    #[error("there is no topic `{0}`: has the job started, and is this its cluster?")]
    NoTopic(String),
    /// A column isn't there.
    #[error(
        "the output has no column `{name}`: it has {}. Name the job's column by --columns {name}=ITS_NAME", has.join(", ")
    )]
    NoColumn {
        /// The column.
        name: String,
        /// The job's columns.
        has: Vec<String>,
    },
    /// A column is given another name, and there is none.
    #[error("--columns names `{name}`, and there is no such column: there are {}", has.join(", "))]
    UnknownColumn {
        /// The column.
        name: String,
        /// The columns that are looked for.
        has: Vec<String>,
    },
    /// No record at all can be decoded.
    #[error(
        "none of {records} records can be decoded; the first, at {place}: {why}. Say how they are written by --value-format, --key-format and --windowed-key"
    )]
    NothingDecoded {
        /// How many records there are.
        records: u64,
        /// Where the first stands.
        place: Place,
        /// What is wrong with it.
        why: String,
    },
    /// The brokers can't be used.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The topic can't be read.
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    /// The registry can't be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}
