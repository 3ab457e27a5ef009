//! The errors of the program, and the exit code of each.

use std::path::PathBuf;

use fleetstorm_answers::error::AnswerError;
use fleetstorm_answers::score::ScoreError;
use fleetstorm_broker::BrokerError;
use fleetstorm_model::config::ConfigError;
use fleetstorm_model::run::RunError;

use crate::cluster::properties_file::PropertiesError;
use crate::consume::ConsumeError;
use crate::job_output::JobOutputError;
use crate::registry::RegistryError;
use crate::report::merge::MergeError;
use crate::sink::SinkError;
use crate::sink::direct::DirectError;
use crate::sink::kafka::KafkaError;
use crate::verify::VerifyError;

/// Why the program failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// Options that don't go together.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The settings describe no possible run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The properties of a Java client can't be read.
    #[error(transparent)]
    Properties(#[from] PropertiesError),
    /// The cluster or a topic can't be used.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The direct producer can't be used.
    #[error(transparent)]
    Direct(#[from] DirectError),
    /// The registry can't be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The embedded broker can't be started.
    #[error(transparent)]
    EmbeddedBroker(#[from] BrokerError),
    /// The embedded registry can't be started.
    #[error("{cause}; choose another address with {option} HOST:PORT, port 0 for any free one")]
    EmbeddedRegistry {
        /// What went wrong.
        cause: fleetstorm_registry::RegistryError,
        /// The option that gave the address.
        option: &'static str,
    },
    /// The sink takes no more records.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The machines could not be announced. No other records were sent, since they would refer to them.
    #[error("failed to announce the machines: {undelivered} of {total} records of topic `{topic}` were not delivered ({reasons}), and nothing else was sent{}", advice(*.too_large, topic))]
    Announcement {
        /// The topic's full name.
        topic: String,
        /// Records of the topic that failed or are still in flight.
        undelivered: u64,
        /// Records of the topic.
        total: u64,
        /// Kinds of error and their counts.
        reasons: String,
        /// Whether every record failed for its size.
        too_large: bool,
    },
    /// The report can't be written.
    #[error("failed to write the report to {}: {source}", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The run can't be verified.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A query has no answer.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// A detector can't be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// A job's output can't be read.
    #[error(transparent)]
    JobOutput(#[from] JobOutputError),
    /// Reports can't be merged.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The log of latencies can't be written.
    #[error("failed to write the log of latencies to {}: {source}", path.display())]
    HdrLog {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A picture can't be written.
    #[error("failed to write the picture to {}: {source}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A thread could not be started, or this program has a bug.
    #[error("internal error: {0}")]
    Internal(String),
}

/// The exit codes of the program. They are documented in the README and in `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything was done.
    Done = 0,
    /// A bug in this program.
    Internal = 1,
    /// Options or configuration are wrong.
    Usage = 2,
    /// No broker answers.
    BrokerUnreachable = 10,
    /// The broker refuses the connection, the login, or access to a topic.
    BrokerRefused = 11,
    /// A topic can't be created, or doesn't suit the run.
    TopicUnfit = 12,
    /// The producer had a fatal error.
    ProducerFailed = 13,
    /// No registry answers.
    RegistryUnreachable = 20,
    /// The registry denied access.
    RegistryRefused = 21,
    /// The registry rejected a schema.
    SchemaRefused = 22,
    /// The registry answers with errors, or is not a registry.
    RegistryFailed = 23,
    /// The embedded broker's or registry's address is taken.
    AddressTaken = 24,
    /// Records were not delivered.
    Lost = 30,
    /// Records were not delivered, all because of their size.
    TooLarge = 31,
    /// The topics differ from the run, or the registry's schemas do.
    Differs = 32,
    /// A job's output is wrong.
    AnswersWrong = 33,
    /// Nothing of a job's output is wrong, and some of it is missing.
    AnswersMissing = 34,
    /// The rate was not held, and --max-rate-error was given.
    RateNotHeld = 40,
    /// Output or a report can't be written.
    Output = 50,
    /// Interrupted by a signal.
    Interrupted = 130,
}

impl ProgramError {
    /// The exit code of the error.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            ProgramError::Usage(_)
            | ProgramError::Config(_)
            | ProgramError::Run(_)
            | ProgramError::Properties(_)
            | ProgramError::Answer(_)
            | ProgramError::Score(_)
            | ProgramError::Merge(_) => ExitCode::Usage,
            ProgramError::Kafka(error) => kafka(error),
            ProgramError::Direct(DirectError::Start(_)) => ExitCode::ProducerFailed,
            ProgramError::Direct(DirectError::Kafka(error)) => kafka(error),
            ProgramError::Direct(_) => ExitCode::Usage,
            ProgramError::Registry(error) => registry(error),
            ProgramError::Verify(error) => verify(error),
            ProgramError::JobOutput(error) => job_output(error),
            ProgramError::EmbeddedBroker(_) | ProgramError::EmbeddedRegistry { .. } => {
                ExitCode::AddressTaken
            }
            ProgramError::Sink(SinkError::Fatal(_)) => ExitCode::ProducerFailed,
            ProgramError::Sink(_)
            | ProgramError::Report { .. }
            | ProgramError::HdrLog { .. }
            | ProgramError::Picture { .. } => ExitCode::Output,
            ProgramError::Announcement { too_large: true, .. } => ExitCode::TooLarge,
            ProgramError::Announcement { .. } => ExitCode::Lost,
            ProgramError::Internal(_) => ExitCode::Internal,
        }
    }
}

fn kafka(error: &KafkaError) -> ExitCode {
    match error {
        KafkaError::Settings(_) | KafkaError::SetTwice { .. } | KafkaError::Java { .. } => {
            ExitCode::Usage
        }
        KafkaError::Unreachable { .. } => ExitCode::BrokerUnreachable,
        KafkaError::Unauthenticated { .. } | KafkaError::Unauthorised { .. } => {
            ExitCode::BrokerRefused
        }
        KafkaError::Interrupted { .. } => ExitCode::Interrupted,
        KafkaError::Create { .. }
        | KafkaError::Missing { .. }
        | KafkaError::NotReady { .. }
        | KafkaError::RefusesTimestamps { .. } => ExitCode::TopicUnfit,
        KafkaError::Request { .. } => ExitCode::ProducerFailed,
    }
}

fn verify(error: &VerifyError) -> ExitCode {
    match error {
        VerifyError::Report(_)
        | VerifyError::NotOneRun { .. }
        | VerifyError::Twice { .. }
        | VerifyError::NothingWritten => ExitCode::Usage,
        VerifyError::Kafka(error) => kafka(error),
        VerifyError::Registry(error) => registry(error),
        VerifyError::Schema { .. } => ExitCode::Differs,
        VerifyError::Topic { .. } | VerifyError::Recreated { .. } | VerifyError::Removed { .. } => {
            ExitCode::TopicUnfit
        }
        VerifyError::Consume(error) => consume(error),
        VerifyError::Panicked => ExitCode::Internal,
    }
}

fn job_output(error: &JobOutputError) -> ExitCode {
    match error {
        JobOutputError::File { .. }
        | JobOutputError::Csv { .. }
        | JobOutputError::FileFormat
        | JobOutputError::TopicFormat
        | JobOutputError::NoBrokers
        | JobOutputError::NoRegistry
        | JobOutputError::NoColumn { .. }
        | JobOutputError::UnknownColumn { .. }
        | JobOutputError::NothingDecoded { .. } => ExitCode::Usage,
        JobOutputError::NoTopic(_) => ExitCode::TopicUnfit,
        JobOutputError::Kafka(error) => kafka(error),
        JobOutputError::Consume(error) => consume(error),
        JobOutputError::Registry(error) => registry(error),
    }
}

fn consume(error: &ConsumeError) -> ExitCode {
    match error {
        ConsumeError::Kafka(error) => kafka(error),
        ConsumeError::Partition { .. } | ConsumeError::Client(_) | ConsumeError::Silent { .. } => {
            ExitCode::BrokerUnreachable
        }
        ConsumeError::Interrupted => ExitCode::Interrupted,
    }
}

fn registry(error: &RegistryError) -> ExitCode {
    match error {
        RegistryError::BadUrl { .. }
        | RegistryError::CaFile { .. }
        | RegistryError::ClientCertificate { .. } => ExitCode::Usage,
        RegistryError::Unreachable { .. } | RegistryError::Tls { .. } => {
            ExitCode::RegistryUnreachable
        }
        RegistryError::Unauthorized { .. }
        | RegistryError::Forbidden { .. }
        | RegistryError::ReadOnly { .. } => ExitCode::RegistryRefused,
        RegistryError::Incompatible { .. }
        | RegistryError::InvalidSchema { .. }
        | RegistryError::Missing { .. } => ExitCode::SchemaRefused,
        RegistryError::Request { .. }
        | RegistryError::NotFound { .. }
        | RegistryError::Refused { .. }
        | RegistryError::NotARegistry { .. }
        | RegistryError::ServerError { .. } => ExitCode::RegistryFailed,
        RegistryError::Interrupted { .. } => ExitCode::Interrupted,
    }
}

/// What to do about records that are too large for `topic`.
fn advice(too_large: bool, topic: &str) -> String {
    if too_large {
        format!(": they exceed max.message.bytes of topic `{topic}`; raise it")
    } else {
        String::new()
    }
}
