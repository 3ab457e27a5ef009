//! Errors of clusters, topics and producers.

use std::path::PathBuf;
use std::time::Duration;

use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::authentication::AuthenticationFailure;

/// Why a cluster, a topic or a producer can't be used. Texts are fragments that fit after "error: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaError {
    /// librdkafka rejects a property.
    #[error(
        "librdkafka rejects its settings: {0}; see librdkafka's CONFIGURATION.md for the properties of `-X`"
    )]
    Settings(String),
    /// A property is set by an option and by `-X`.
    #[error("`{property}` is set by {option} and by `-X`: give it once")]
    SetTwice {
        /// The librdkafka property.
        property: String,
        /// The option.
        option: &'static str,
    },
    /// A property of a Java client is not supported.
    #[error("cannot take the client properties {}: line {line}: {problem}", path.display())]
    Java {
        /// The file.
        path: PathBuf,
        /// The line of the property.
        line: usize,
        /// The property, and what is wrong with it, without its value.
        problem: String,
    },
    /// No broker answered.
    #[error(
        "no broker answered at {bootstrap} within {waited:?}{}: check the address, that the \
         broker runs, that its advertised listeners can be reached from here, and whether it wants \
         `-X security.protocol=...`",
        reason(.cause)
    )]
    Unreachable {
        /// The addresses that were tried.
        bootstrap: String,
        /// For how long.
        waited: Duration,
        /// The client's last error.
        cause: Option<String>,
    },
    /// The run was stopped while it waited.
    #[error("interrupted while waiting for the brokers at {bootstrap}")]
    Interrupted {
        /// The addresses that were tried.
        bootstrap: String,
    },
    /// A topic is missing and may not be created.
    #[error(
        "topic `{topic}` is missing, and --no-create-topics was given: create the topic, or leave out the option"
    )]
    Missing {
        /// The topic.
        topic: String,
    },
    /// The broker denies access, or isn't trusted.
    #[error("the broker at {bootstrap} {failure}{}: {}", reason(.cause), failure.advice())]
    Unauthenticated {
        /// The addresses that were tried.
        bootstrap: String,
        /// Why.
        failure: AuthenticationFailure,
        /// The client's text, if it says more.
        cause: Option<String>,
    },
    /// The user may not use a topic.
    #[error(
        "not authorised to {action} topic `{topic}`: ask for an ACL that allows WRITE, DESCRIBE and, where the topic is missing, CREATE"
    )]
    Unauthorised {
        /// What was tried.
        action: &'static str,
        /// The topic.
        topic: String,
    },
    /// A topic could not be created.
    #[error(
        "failed to create topic `{topic}`: {cause}; create it yourself, or see --partitions, --replication-factor and --topic-config"
    )]
    Create {
        /// The topic.
        topic: String,
        /// The broker's error.
        cause: String,
    },
    /// A topic has no leaders.
    #[error(
        "topic `{topic}` has no leader for all its partitions after {waited:?}: check that the cluster has enough brokers up"
    )]
    NotReady {
        /// The topic.
        topic: String,
        /// How long the run waited.
        waited: Duration,
    },
    /// An existing topic would reject the run's timestamps.
    #[error(
        "topic `{topic}` refuses records stamped {limit}, and those of this run {records}: {mend}"
    )]
    RefusesTimestamps {
        /// The topic.
        topic: String,
        /// Its limit: "more than 1h ahead of its clock".
        limit: String,
        /// The run's timestamps: "are stamped up to 30d ahead".
        records: String,
        /// What to do.
        mend: String,
    },
    /// A request failed, and no clearer variant fits.
    #[error("failed to {action}: {cause}")]
    Request {
        /// What was tried.
        action: String,
        /// What came back.
        cause: String,
    },
}

impl KafkaError {
    /// A failed request, by what was tried and what came back.
    pub(super) fn request(action: impl Into<String>, cause: &ClientError) -> KafkaError {
        KafkaError::Request { action: action.into(), cause: plain(cause) }
    }
}

/// The text of a client error without its type's wrapping.
pub(super) fn plain(error: &ClientError) -> String {
    match error.rdkafka_error_code() {
        Some(code) => describe(code),
        None => error.to_string(),
    }
}

/// The kind under which reports count records that a broker rejected with a code.
pub fn error_kind(code: i16) -> String {
    match RDKafkaRespErr::try_from(i32::from(code)) {
        Ok(code) => format!("{:?}", RDKafkaErrorCode::from(code)),
        Err(_) => format!("Error{code}"),
    }
}

/// An error code's text and name.
pub(super) fn describe(code: RDKafkaErrorCode) -> String {
    format!(
        "{} ({code:?})",
        code.to_string().trim_start_matches("Broker: ").trim_start_matches("Local: ")
    )
}

fn reason(cause: &Option<String>) -> String {
    cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default()
}
