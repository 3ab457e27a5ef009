//! What a failed request means: retry for long, retry for a while, or fail, and with which error.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::Registry;
use super::cause::{chain, one_line, root_cause};
use super::error::RegistryError;
use super::settings::{RegistryAuth, Target};
use crate::tls::TlsFailure;

/// A request that failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The registry isn't up or isn't ready: why.
    Wait(String),
    /// The registry had an internal error, which may pass.
    Server { status: u16, message: String },
    /// A retry won't help.
    Final(RegistryError),
}

impl Failure {
    /// The error when there is no more time.
    pub(super) fn into_error(
        self,
        registry: &Registry,
        subject: &str,
        waited: Duration,
    ) -> RegistryError {
        let url = registry.to_string();
        match self {
            Failure::Wait(cause) => RegistryError::Unreachable { url, waited, cause },
            Failure::Server { status, message } => {
                RegistryError::ServerError { url, subject: subject.to_owned(), status, message }
            }
            Failure::Final(error) => error,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Wait(cause) => f.write_str(cause),
            Failure::Server { status, message } => write!(f, "{status}: {message}"),
            Failure::Final(error) => error.fmt(f),
        }
    }
}

/// The body of a registry's error.
#[derive(Deserialize)]
struct Reason {
    /// Every registry's errors have it, which tells them from other JSON.
    #[serde(rename = "error_code")]
    code: i64,
    message: String,
}

/// What an unsuccessful answer of `target` means.
pub(super) fn by_answer(status: u16, body: &[u8], target: &Target, subject: &str) -> Failure {
    by_status(status, serde_json::from_slice(body).ok(), target, subject)
}

fn by_status(status: u16, answer: Option<Reason>, target: &Target, subject: &str) -> Failure {
    let url = target.url.clone();
    let subject = subject.to_owned();
    let named = reqwest::StatusCode::from_u16(status)
        .ok()
        .and_then(|code| code.canonical_reason())
        .map_or_else(|| status.to_string(), |reason| format!("{status} {reason}"));
    let message = match &answer {
        Some(answer) => one_line(answer.message.trim().trim_end_matches('.')),
        None => "it gave no reason".to_owned(),
    };
    // Registries use different statuses for an incompatible schema, but all call it that.
    let incompatible = matches!(status, 400 | 409 | 422)
        && answer.as_ref().is_some_and(|a| a.message.to_lowercase().contains("incompatib"));
    let code = answer.as_ref().map_or(0, |answer| answer.code);
    match status {
        401 => Failure::Final(RegistryError::Unauthorized {
            url,
            advice: match target.auth {
                RegistryAuth::None => "it requires a user and password, or a token",
                RegistryAuth::Basic { .. } => "check the user and password",
                RegistryAuth::Bearer(_) => "check the token, which may have expired",
            },
        }),
        403 => Failure::Final(RegistryError::Forbidden { url, subject }),
        // The mode of the subject or of the registry: READONLY, or FORWARD to another one.
        _ if code == 42_205 => Failure::Final(RegistryError::ReadOnly { url, subject, message }),
        404 if matches!(code, 40_401..=40_403) => {
            Failure::Final(RegistryError::NotFound { url, subject, message })
        }
        408 | 425 | 429 | 502 | 503 | 504 => Failure::Wait(match answer {
            Some(_) => format!("it answered {named}: {message}"),
            None => format!("it answered {named}"),
        }),
        // A registry that is starting, or has lost its leader: it can't reach its store yet (50001), not
        // in time (50002), or not the node that may write (50003, 50004).
        500.. if matches!(code, 50_001..=50_004) => {
            Failure::Wait(format!("it answered {named}: {message}"))
        }
        500.. => Failure::Server { status, message },
        300..=399 => Failure::Final(not_a_registry(
            target,
            format!("it answered {named}, a redirect: use the URL that it leads to"),
        )),
        404 | 405 => Failure::Final(not_a_registry(target, format!("it answered {named}"))),
        _ if incompatible => Failure::Final(RegistryError::Incompatible { url, subject, message }),
        // Apicurio answers this when two processes register the same subject at the same moment.
        409 if message.contains("already exists") => Failure::Server { status, message },
        409 => Failure::Final(RegistryError::Incompatible { url, subject, message }),
        422 => Failure::Final(RegistryError::InvalidSchema { url, subject, message }),
        _ if answer.is_some() => {
            Failure::Final(RegistryError::Refused { url, subject, status, message })
        }
        _ => Failure::Final(not_a_registry(target, format!("it answered {named}"))),
    }
}

pub(super) fn by_transport(error: &reqwest::Error, target: &Target) -> Failure {
    if error.is_builder() {
        return Failure::Final(RegistryError::Request {
            url: target.url.clone(),
            cause: format!(
                "{}; the credentials may hold characters that are not allowed in a header",
                root_cause(error)
            ),
        });
    }
    if error.is_timeout() {
        return Failure::Wait("it did not answer in time".to_owned());
    }
    if let Some(problem) = tls_problem(error) {
        return Failure::Final(RegistryError::Tls { url: target.url.clone(), problem });
    }
    let cause = root_cause(error);
    if cause.starts_with("invalid HTTP") {
        let problem = "it doesn't speak HTTP (is it https://, or a broker?)".to_owned();
        return Failure::Final(not_a_registry(target, problem));
    }
    Failure::Wait(cause)
}

/// The error for an answer of `target` that is not a registry's.
pub(super) fn not_a_registry(target: &Target, problem: String) -> RegistryError {
    RegistryError::NotARegistry { url: target.url.clone(), problem }
}

/// What is wrong with a TLS connection, if an error is about that.
fn tls_problem(error: &reqwest::Error) -> Option<String> {
    let texts: Vec<_> = chain(error).skip(1).map(|e| e.to_string()).collect();
    let said = texts.join(" ");
    if !TlsFailure::is_about_tls(&said) {
        return None;
    }
    let Some(problem) = TlsFailure::from_text(&said) else {
        return Some(root_cause(error));
    };
    let text = match problem {
        TlsFailure::Untrusted => {
            "its certificate is signed by an authority that isn't trusted here; \
             give the authority's certificate as the registry's CA file"
        }
        TlsFailure::OtherHost => {
            "its certificate is for another host name; \
             use the name that the certificate is for"
        }
        TlsFailure::Expired => "its certificate has expired; renew it",
        TlsFailure::NotYetValid => "its certificate is not yet valid; check both clocks",
        TlsFailure::NotTls => "it doesn't speak TLS; use http:// or the port that does",
        TlsFailure::WantsCertificate => {
            "it requires a client certificate; give one by --registry-cert and --registry-key"
        }
        TlsFailure::RefusesCertificate => {
            "it refuses the client certificate; check that an authority which it trusts has \
             signed it, and that it has not expired"
        }
    };
    Some(text.to_owned())
}
