//! The registry's options.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::SubjectStrategy;

/// How to reach the registry, and how to name subjects.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Its URL.
    pub url: Option<String>,
    /// User and password, with a colon between them.
    pub basic_auth: Option<SecretString>,
    /// A bearer token.
    pub token: Option<SecretString>,
    /// Its certificate authority, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// The client certificate, as a PEM file.
    pub certificate: Option<PathBuf>,
    /// The key of that certificate, as a PEM file. Default: in the same file.
    pub key: Option<PathBuf>,
    /// How long it may take to come up.
    pub timeout: Duration,
    /// The subject name strategy.
    pub subject_strategy: SubjectStrategy,
}

impl Default for RegistryOptions {
    fn default() -> RegistryOptions {
        RegistryOptions {
            url: None,
            basic_auth: None,
            token: None,
            ca_file: None,
            certificate: None,
            key: None,
            timeout: Duration::from_secs(30),
            subject_strategy: SubjectStrategy::default(),
        }
    }
}
