//! Errors of the registry's client. Each text says what, where, and what to do.

use std::path::PathBuf;
use std::time::Duration;

/// Where a registry's API may be if a URL's host is right and its path isn't.
const PATHS: &str = "the URL's path may be wrong: Confluent and Redpanda serve at the root, \
                     Apicurio at /apis/ccompat/v7";

/// An error of the schema registry's client. URLs in it never hold credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The URL can't be used.
    #[error("bad schema registry URL {url:?}: {problem}")]
    BadUrl {
        /// The URL as given, without credentials.
        url: String,
        /// What is wrong with it.
        problem: String,
    },

    /// The file of CA certificates can't be used.
    #[error("bad CA file {} for the schema registry: {problem}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// The client certificate can't be used.
    #[error("bad client certificate {} for the schema registry: {problem}", path.display())]
    ClientCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// A request could not be built.
    #[error("cannot build a request to the schema registry at {url}: {cause}")]
    Request {
        /// The registry.
        url: String,
        /// Why.
        cause: String,
    },

    /// The registry didn't answer, or wasn't ready, before the deadline.
    #[error(
        "no usable answer from the schema registry at {url} in {} s: {cause}; \
         check that it runs and that the URL is right",
        seconds(*waited)
    )]
    Unreachable {
        /// The registry's addresses.
        url: String,
        /// How long it was tried.
        waited: Duration,
        /// Why the last try failed.
        cause: String,
    },

    /// The TLS handshake failed. Most often the certificate isn't trusted.
    #[error("cannot open a secure connection to the schema registry at {url}: {problem}")]
    Tls {
        /// The registry.
        url: String,
        /// What is wrong, and what to do.
        problem: String,
    },

    /// The registry requires credentials, or other ones (401).
    #[error("the schema registry at {url} answered 401 Unauthorized: {advice}")]
    Unauthorized {
        /// The registry.
        url: String,
        /// What to do, by the credentials that were sent.
        advice: &'static str,
    },

    /// The credentials are valid, but may not do this (403).
    #[error(
        "the schema registry at {url} answered 403 Forbidden: these credentials may not register \
         a schema under the subject {subject}, where it is not yet; ask for the right to write it, or \
         have it registered by whoever may"
    )]
    Forbidden {
        /// The registry.
        url: String,
        /// The subject.
        subject: String,
    },

    /// The registry is read-only, and does not have this schema (42205).
    #[error(
        "the schema registry at {url} takes no new schemas under the subject {subject}, and does not \
         have this one: {message}; have it registered by whoever may (see `fleetstorm schemas show`)"
    )]
    ReadOnly {
        /// The registry.
        url: String,
        /// The subject.
        subject: String,
        /// The registry's message.
        message: String,
    },

    /// The registry does not have what was requested (404, with a registry's code).
    #[error("the schema registry at {url} does not have {subject}: {message}")]
    NotFound {
        /// The registry.
        url: String,
        /// The subject, or the schema.
        subject: String,
        /// The registry's message.
        message: String,
    },

    /// With --no-register-schemas: schemas are missing.
    #[error(
        "the schema registry at {url} lacks the run's schema under {}; register what is missing \
         (`fleetstorm schemas register`), or leave --no-register-schemas out",
        subjects.join(", ")
    )]
    Missing {
        /// The registry's addresses.
        url: String,
        /// The subjects.
        subjects: Vec<String>,
    },

    /// The schema is incompatible with the subject's earlier ones.
    #[error(
        "the schema registry at {url} refused the schema as incompatible with the subject \
         {subject}: {message}; use another topic prefix or subject, or relax the subject's \
         compatibility level"
    )]
    Incompatible {
        /// The registry.
        url: String,
        /// The subject.
        subject: String,
        /// The registry's message.
        message: String,
    },

    /// The registry calls the schema, or the request, invalid (422).
    #[error(
        "the schema registry at {url} refused the schema of the subject {subject} as invalid: \
         {message}"
    )]
    InvalidSchema {
        /// The registry.
        url: String,
        /// The subject.
        subject: String,
        /// The registry's message.
        message: String,
    },

    /// The registry refused for another reason.
    #[error(
        "the schema registry at {url} refused to register the subject {subject}: {status}: {message}"
    )]
    Refused {
        /// The registry.
        url: String,
        /// The subject.
        subject: String,
        /// The HTTP status.
        status: u16,
        /// The registry's message.
        message: String,
    },

    /// Something answered, but not a schema registry.
    #[error("what answers at {url} is not a schema registry: {problem}; {PATHS}")]
    NotARegistry {
        /// The address.
        url: String,
        /// What it answered.
        problem: String,
    },

    /// The registry had an internal error, repeatedly.
    #[error(
        "the schema registry at {url} failed on the subject {subject}: {status}: {message}; \
         check its log"
    )]
    ServerError {
        /// The registry.
        url: String,
        /// The subject.
        subject: String,
        /// The HTTP status.
        status: u16,
        /// The registry's message.
        message: String,
    },

    /// The run was stopped while it waited for the registry.
    #[error("interrupted while waiting for the schema registry at {url}")]
    Interrupted {
        /// The registry's addresses.
        url: String,
    },
}

impl RegistryError {
    /// Whether it is about the request, so that another one may succeed.
    pub(super) fn is_of_the_request(&self) -> bool {
        match self {
            RegistryError::Forbidden { .. }
            | RegistryError::ReadOnly { .. }
            | RegistryError::NotFound { .. }
            | RegistryError::Incompatible { .. }
            | RegistryError::InvalidSchema { .. }
            | RegistryError::Refused { .. } => true,
            RegistryError::BadUrl { .. }
            | RegistryError::CaFile { .. }
            | RegistryError::ClientCertificate { .. }
            | RegistryError::Request { .. }
            | RegistryError::Unreachable { .. }
            | RegistryError::Tls { .. }
            | RegistryError::Unauthorized { .. }
            | RegistryError::Missing { .. }
            | RegistryError::NotARegistry { .. }
            | RegistryError::ServerError { .. }
            | RegistryError::Interrupted { .. } => false,
        }
    }
}

/// Seconds, with one decimal if they are few.
fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.1}") } else { format!("{seconds:.0}") }
}
