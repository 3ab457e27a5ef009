//! Probes a registry's address with its simplest request, the list of subjects. It registers nothing and
//! waits for nothing.

use std::time::{Duration, Instant, SystemTime};

use reqwest::Url;
use reqwest::header::{DATE, HeaderMap, HeaderName, LOCATION};
use serde_json::Value;

use super::error::RegistryError;
use super::failure::{self, Failure};
use super::request::{self, MOST_BYTES};
use super::settings::{RegistryAuth, Target};
use super::{LEAST_TIMEOUT, Registry};

/// The answer of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The address, without credentials.
    pub url: String,
    /// The HTTP status.
    pub status: u16,
    /// Its body.
    pub said: AnswerBody,
    /// Where it redirects to, if it does.
    pub location: Option<String>,
    /// Its clock, in its `Date` header: a text, to the second.
    pub date: Option<String>,
    /// When the answer's head came, by our clock.
    pub heard: SystemTime,
    /// How long that took.
    pub took: Duration,
    /// Whether credentials were sent.
    pub with_credentials: bool,
}

/// The body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerBody {
    /// A list of names, as from a registry: how many, if it was short enough to be read.
    Subjects(Option<usize>),
    /// An HTML page.
    Html,
    /// Other JSON.
    Json,
    /// Nothing.
    Nothing,
    /// Anything else.
    Other,
}

/// Where registries serve the API below an address whose path is wrong.
const PATHS: [&str; 4] = ["", "/apis/ccompat/v7", "/apis/ccompat/v6", "/schema-registry"];

impl Registry {
    /// Asks each of the registry's addresses once for the subjects.
    ///
    /// # Errors
    /// For an address that gives no HTTP answer within `timeout`.
    pub fn probe(&self, timeout: Duration) -> Vec<Result<Answer, RegistryError>> {
        self.targets
            .iter()
            .map(|target| {
                let began = Instant::now();
                look(target, &target.url, timeout)
                    .map_err(|failure| failure.into_error(self, "", began.elapsed()))
            })
            .collect()
    }

    /// A URL on this registry's hosts under which a registry does answer, if one is found within
    /// `timeout`.
    pub fn find_url(&self, timeout: Duration) -> Option<String> {
        let until = Instant::now() + timeout;
        self.targets.iter().find_map(|target| {
            let mut origin = Url::parse(&target.url).ok()?;
            origin.set_path("");
            let origin = origin.as_str().trim_end_matches('/').to_owned();
            let candidates = PATHS.iter().map(|path| format!("{origin}{path}"));
            candidates.filter(|url| *url != target.url).find(|url| {
                let left = until.saturating_duration_since(Instant::now());
                // A page that requires credentials there may be a registry, but so may any guarded page.
                let answer = if left < LEAST_TIMEOUT { None } else { look(target, url, left).ok() };
                answer.is_some_and(|answer| matches!(answer.said, AnswerBody::Subjects(_)))
            })
        })
    }
}

/// Sends the request to `url`, with the settings of `target`.
fn look(target: &Target, url: &str, timeout: Duration) -> Result<Answer, Failure> {
    let client = target.plain_client().map_err(|error| failure::by_transport(&error, target))?;
    let heard = request::ask(target, client.get(format!("{url}/subjects")), timeout)?;
    let said = match heard.body {
        Ok(body) if heard.status.is_success() => said(&body),
        Ok(body) => match said(&body) {
            // An error that is a list is not a list of subjects.
            AnswerBody::Subjects(_) => AnswerBody::Json,
            other => other,
        },
        Err(_) => AnswerBody::Other,
    };
    Ok(Answer {
        url: url.to_owned(),
        status: heard.status.as_u16(),
        said,
        location: text(&heard.headers, LOCATION),
        date: text(&heard.headers, DATE),
        heard: heard.at,
        took: heard.took,
        with_credentials: !matches!(target.auth, RegistryAuth::None),
    })
}

/// A header, in a readable form and of limited length.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= 300).then(|| value.to_owned())
}

fn said(body: &[u8]) -> AnswerBody {
    let start = body.trim_ascii_start();
    if body.len() >= MOST_BYTES {
        // Too long to be read, but it begins like a list of names.
        return if start.starts_with(b"[\"") {
            AnswerBody::Subjects(None)
        } else {
            AnswerBody::Other
        };
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(names)) if names.iter().all(Value::is_string) => {
            AnswerBody::Subjects(Some(names.len()))
        }
        Ok(_) => AnswerBody::Json,
        Err(_) if start.is_empty() => AnswerBody::Nothing,
        Err(_) if start.starts_with(b"<") => AnswerBody::Html,
        Err(_) => AnswerBody::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_is_what_a_registry_says() {
        assert_eq!(said(b"[]"), AnswerBody::Subjects(Some(0)));
        assert_eq!(said(b" [\"a-value\", \"b\"]\n"), AnswerBody::Subjects(Some(2)));
        assert_eq!(said(b"[1]"), AnswerBody::Json);
        assert_eq!(said(b"{\"error_code\":404}"), AnswerBody::Json);
        assert_eq!(said(b"\n<!DOCTYPE html>"), AnswerBody::Html);
        assert_eq!(said(b" "), AnswerBody::Nothing);
        assert_eq!(said(b"\xff\x00"), AnswerBody::Other);
        let mut long = b"[\"a\"".to_vec();
        long.resize(MOST_BYTES, b' ');
        assert_eq!(said(&long), AnswerBody::Subjects(None));
    }
}
