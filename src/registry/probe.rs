//! Looking at what answers at a registry's address, with the plainest of a registry's requests:
//! which subjects there are. Nothing is registered, nothing is waited for.

use std::time::{Duration, Instant, SystemTime};

use reqwest::Url;
use reqwest::header::{DATE, HeaderMap, HeaderName, LOCATION};
use serde_json::Value;

use super::error::RegistryError;
use super::failure::{self, Failure};
use super::request::{self, MOST_BYTES};
use super::settings::{RegistryAuth, Target};
use super::{LEAST_TIMEOUT, Registry};

/// What an address answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The address, without credentials.
    pub url: String,
    /// The HTTP status.
    pub status: u16,
    /// What it said.
    pub said: AnswerBody,
    /// Where it sends us instead, if it does.
    pub location: Option<String>,
    /// Its clock, as its `Date` header tells it: a text of whole seconds.
    pub date: Option<String>,
    /// When the answer's head came, by our clock.
    pub heard: SystemTime,
    /// How long that took.
    pub took: Duration,
    /// Whether it was asked with credentials.
    pub with_credentials: bool,
}

/// The body of an answer, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerBody {
    /// A list of names, as a registry answers: how many, where it was short enough to be read.
    Subjects(Option<usize>),
    /// A page for people.
    Html,
    /// Other JSON.
    Json,
    /// Nothing.
    Nothing,
    /// Anything else.
    Other,
}

/// Where registries serve the API that we speak, under an address whose path is wrong.
const PATHS: [&str; 4] = ["", "/apis/ccompat/v7", "/apis/ccompat/v6", "/schema-registry"];

impl Registry {
    /// Asks each of the registry's addresses once which subjects there are.
    ///
    /// # Errors
    /// Of an address that gives no answer in HTTP within `patience`.
    pub fn probe(&self, patience: Duration) -> Vec<Result<Answer, RegistryError>> {
        self.targets
            .iter()
            .map(|target| {
                let began = Instant::now();
                look(target, &target.url, patience)
                    .map_err(|failure| failure.into_error(self, "", began.elapsed()))
            })
            .collect()
    }

    /// A URL on the hosts of this registry under which a registry does answer, where one is found
    /// within `patience`.
    pub fn elsewhere(&self, patience: Duration) -> Option<String> {
        let until = Instant::now() + patience;
        self.targets.iter().find_map(|target| {
            let mut origin = Url::parse(&target.url).ok()?;
            origin.set_path("");
            let origin = origin.as_str().trim_end_matches('/').to_owned();
            let candidates = PATHS.iter().map(|path| format!("{origin}{path}"));
            candidates.filter(|url| *url != target.url).find(|url| {
                let left = until.saturating_duration_since(Instant::now());
                // One that wants credentials there is a registry, too, but so is any guarded page.
                let answer = if left < LEAST_TIMEOUT { None } else { look(target, url, left).ok() };
                answer.is_some_and(|answer| matches!(answer.said, AnswerBody::Subjects(_)))
            })
        })
    }
}

/// Asks at `url`, as at `target`.
fn look(target: &Target, url: &str, patience: Duration) -> Result<Answer, Failure> {
    let client = target.plain_client().map_err(|error| failure::by_transport(&error, target))?;
    let heard = request::ask(target, client.get(format!("{url}/subjects")), patience)?;
    let said = match heard.body {
        Ok(body) if heard.status.is_success() => said(&body),
        Ok(body) => match said(&body) {
            // An error that is a list is no list of subjects.
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

/// A header of at most so many characters as a person may read.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= 300).then(|| value.to_owned())
}

fn said(body: &[u8]) -> AnswerBody {
    let start = body.trim_ascii_start();
    if body.len() >= MOST_BYTES {
        // Too long to be read to its end, but it begins as names do.
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
