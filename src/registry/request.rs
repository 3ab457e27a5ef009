//! One request to one of a registry's addresses, and its answer. Both time and size are limited, since
//! whatever answers may not be a registry.

use std::io::{self, Read};
use std::time::{Duration, Instant, SystemTime};

use reqwest::StatusCode;
use reqwest::blocking::{RequestBuilder, Response};
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;

use super::cause::root_cause;
use super::failure::{self, Failure};
use super::settings::{RegistryAuth, Target};

/// The most bytes of an answer that are read: the names of some hundred thousand subjects.
pub(super) const MOST_BYTES: usize = 8 << 20;

/// What an address answered.
pub(super) struct Heard {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// When the head came, by our clock.
    pub(super) at: SystemTime,
    /// How long that took.
    pub(super) took: Duration,
    /// The body, or its first [`MOST_BYTES`], or why it could not be read in time.
    pub(super) body: Result<Vec<u8>, Failure>,
}

/// Sends a request to `target`, with the credentials.
pub(super) fn ask(
    target: &Target,
    request: RequestBuilder,
    timeout: Duration,
) -> Result<Heard, Failure> {
    let asked = Instant::now();
    let answer = signed(request, &target.auth)
        .timeout(timeout)
        .send()
        .map_err(|error| failure::by_transport(&error, target))?;
    let (at, took) = (SystemTime::now(), asked.elapsed());
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = body_of(answer, MOST_BYTES, asked + timeout).map_err(|error| {
        let http = error.get_ref().and_then(|cause| cause.downcast_ref::<reqwest::Error>());
        match http {
            Some(http) => failure::by_transport(http, target),
            None => Failure::Wait(root_cause(&error)),
        }
    });
    Ok(Heard { status, headers, at, took, body })
}

fn signed(request: RequestBuilder, auth: &RegistryAuth) -> RequestBuilder {
    match auth {
        RegistryAuth::None => request,
        RegistryAuth::Basic { user, password } => {
            request.basic_auth(user, Some(password.expose_secret()))
        }
        RegistryAuth::Bearer(token) => request.bearer_auth(token.expose_secret()),
    }
}

/// The body of an answer, or its first `most` bytes.
///
/// # Errors
/// If it breaks off, or goes on after `until`, which is noticed within one request's timeout.
pub(crate) fn body_of(mut answer: Response, most: usize, until: Instant) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let mut chunk = [0; 16 << 10];
    while body.len() < most {
        // The request's timeout holds for each read.
        if Instant::now() >= until {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it did not answer in time"));
        }
        match answer.read(&mut chunk)? {
            0 => break,
            n => body.extend_from_slice(&chunk[..n.min(most - body.len())]),
        }
    }
    Ok(body)
}
