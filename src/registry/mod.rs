//! The schema registry's client: registers the run's schemas before the first record.
//!
//! A few blocking requests of Confluent's API. The client waits for a registry that comes up, within a
//! deadline. Don't use it inside an async runtime.

mod addresses;
mod cause;
mod error;
mod failure;
mod identity;
mod options;
mod probe;
mod request;
mod settings;
mod subject;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::blocking::RequestBuilder;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Map, Value, json};

use fleetstorm_model::encoding::SchemaId;
use fleetstorm_model::encoding::schema::printed;

pub(crate) use cause::{one_line, root_cause};
pub use error::RegistryError;
pub use identity::ClientCertificate;
pub use options::RegistryOptions;
pub use probe::{Answer, AnswerBody};
pub(crate) use request::body_of;
pub use settings::{RegistryAuth, RegistrySettings};
pub use subject::{SubjectStrategy, UnknownSubjectStrategy};

use failure::Failure;
use request::MOST_BYTES;
use settings::Target;

/// The timeout of one request, connection included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The shortest timeout: a last attempt gets at least this.
const LEAST_TIMEOUT: Duration = Duration::from_millis(50);
/// Pauses between attempts double from here ...
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// ... to here.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a registry that answers 500 is retried.
const SERVER_ERROR_PATIENCE: Duration = Duration::from_secs(3);
/// How often the log says that the client still waits.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// How quickly a pause notices that the run was stopped.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// The media type of the Confluent API's requests.
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// The media types that are accepted.
const ACCEPTED: &str = "application/vnd.schemaregistry.v1+json, application/json";
/// The error for any other answer.
const NO_JSON: &str = "its answer isn't a registry's JSON";

/// The characters of a subject that are not encoded in a URL's path.
const SUBJECT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A schema in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSchema(String);

impl StoredSchema {
    /// It as an Avro schema.
    ///
    /// # Errors
    /// What is wrong with its text.
    pub fn parse(&self) -> Result<apache_avro::Schema, apache_avro::Error> {
        apache_avro::Schema::parse_str(&self.0)
    }

    /// Whether it and the Avro schema `text` have the same canonical form, so that data written with
    /// either is the same.
    pub fn is_same_as(&self, text: &str) -> bool {
        let canonical =
            |text: &str| apache_avro::Schema::parse_str(text).map(|s| s.canonical_form()).ok();
        let own = canonical(text);
        own.is_some() && own == canonical(&self.0)
    }
}

/// A client of one schema registry, which may have several addresses.
///
/// Its `Display` is the registry's addresses, without credentials.
#[derive(Debug)]
pub struct Registry {
    targets: Vec<Target>,
    deadline: Duration,
    /// The index of the address that answered last. It is tried first.
    first: AtomicUsize,
    stop: Option<Arc<AtomicBool>>,
}

impl Registry {
    /// Checks the settings and reads the CA file. Makes no request.
    pub fn new(settings: &RegistrySettings) -> Result<Registry, RegistryError> {
        Ok(Registry {
            targets: Target::all(settings)?,
            deadline: settings.deadline,
            first: AtomicUsize::new(0),
            stop: None,
        })
    }

    /// Ends a wait for the registry with [`RegistryError::Interrupted`] once `stop` is set. A request in
    /// progress is not interrupted.
    #[must_use]
    pub fn with_stop(mut self, stop: Arc<AtomicBool>) -> Registry {
        self.stop = Some(stop);
        self
    }

    /// Looks up the id of an Avro schema under a subject, and registers the schema if it is missing. The
    /// lookup comes first: then an existing schema needs no right to write, and gets no second version
    /// because of its formatting.
    ///
    /// While the registry doesn't answer, or isn't ready, this retries until the settings' deadline. It
    /// returns within the deadline and one request's timeout.
    pub fn register(&self, subject: &str, schema: &str) -> Result<SchemaId, RegistryError> {
        let begun = Instant::now();
        match self.find(begun, subject, schema) {
            Ok(Some(id)) => return Ok(id),
            Ok(None) => {}
            // Some users may write and not read.
            Err(error) if error.is_of_the_request() => {}
            Err(error) => return Err(error),
        }
        let path = format!("{}/versions", subject_path(subject));
        self.post(begun, subject, &path, schema)
    }

    /// The id of an Avro schema that is registered under a subject; `None` if it isn't.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub fn look_up(&self, subject: &str, schema: &str) -> Result<Option<SchemaId>, RegistryError> {
        self.find(Instant::now(), subject, schema)
    }

    fn find(
        &self,
        begun: Instant,
        subject: &str,
        schema: &str,
    ) -> Result<Option<SchemaId>, RegistryError> {
        let path = subject_path(subject);
        // By its text, then by its normalized form, for registries that support that.
        for query in ["", "?normalize=true"] {
            match self.post(begun, subject, &format!("{path}{query}"), schema) {
                Err(RegistryError::NotFound { .. }) => {}
                found => return found.map(Some),
            }
        }
        Ok(None)
    }

    /// Posts a schema to a path, in the form that Avro's libraries print, and returns the id in the
    /// answer.
    fn post(
        &self,
        begun: Instant,
        subject: &str,
        path: &str,
        schema: &str,
    ) -> Result<SchemaId, RegistryError> {
        let body = json!({ "schema": printed(schema), "schemaType": "AVRO" }).to_string();
        let request = |target: &Target| {
            let request = target.client.post(format!("{}/{path}", target.url));
            request.header(CONTENT_TYPE, MEDIA_TYPE).body(body.clone())
        };
        self.call(begun, subject, request, |answer| match answer.get("id") {
            None | Some(Value::Null) => Err("its answer lacks a schema id"),
            Some(id) => {
                let id = id.as_u64().ok_or(NO_JSON)?;
                // Consumers read the four bytes as a signed integer.
                i32::try_from(id).map_err(|_| "its schema id is above 2147483647")?;
                Ok(SchemaId(id as u32))
            }
        })
    }

    /// The schema under an id.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub fn schema(&self, id: SchemaId) -> Result<StoredSchema, RegistryError> {
        let request =
            |target: &Target| target.client.get(format!("{}/schemas/ids/{id}", target.url));
        self.call(Instant::now(), &format!("schema {id}"), request, |answer| {
            let text = answer.get("schema").and_then(Value::as_str);
            text.map(|text| StoredSchema(text.to_owned())).ok_or("its answer lacks a schema")
        })
    }

    /// Repeats a request until an address answers it, a failure is final, or the time since `begun` is
    /// up.
    fn call<T>(
        &self,
        begun: Instant,
        subject: &str,
        request: impl Fn(&Target) -> RequestBuilder,
        meaning: impl Fn(&Map<String, Value>) -> Result<T, &'static str>,
    ) -> Result<T, RegistryError> {
        let mut pause = FIRST_PAUSE;
        let mut said: Option<Instant> = None;
        let mut server_errors_since: Option<Instant> = None;
        loop {
            let failure = match self.try_each(begun, subject, &request, &meaning) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(failure) => failure,
            };
            let timeout = if matches!(failure, Failure::Server { .. }) {
                let since = *server_errors_since.get_or_insert_with(Instant::now);
                SERVER_ERROR_PATIENCE.saturating_sub(since.elapsed())
            } else {
                server_errors_since = None;
                Duration::MAX
            };
            let left = self.deadline.saturating_sub(begun.elapsed());
            if left <= LEAST_TIMEOUT || timeout.is_zero() {
                return Err(failure.into_error(self, subject, begun.elapsed()));
            }
            if said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
                said = Some(Instant::now());
                tracing::warn!("waiting for the schema registry at {self}: {failure}");
            }
            self.sleep(pause.min(left - LEAST_TIMEOUT))?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One request to each address in turn, first to the one that answered last.
    fn try_each<T>(
        &self,
        begun: Instant,
        subject: &str,
        request: impl Fn(&Target) -> RequestBuilder,
        meaning: impl Fn(&Map<String, Value>) -> Result<T, &'static str>,
    ) -> Result<T, Failure> {
        let count = self.targets.len();
        let first = self.first.load(Ordering::Relaxed);
        let mut outcome = Err(Failure::Wait("it was not asked".to_owned()));
        for index in (first..first + count).map(|index| index % count) {
            let Some(target) = self.targets.get(index) else {
                break;
            };
            let left = self.deadline.saturating_sub(begun.elapsed());
            let timeout = left.clamp(LEAST_TIMEOUT, REQUEST_TIMEOUT);
            let request = request(target).header(ACCEPT, ACCEPTED);
            outcome = answer(target, request, timeout, subject).and_then(|answer| {
                meaning(&answer).map_err(|problem| {
                    Failure::Final(failure::not_a_registry(target, problem.to_owned()))
                })
            });
            match outcome {
                Ok(_) => self.first.store(index, Ordering::Relaxed),
                Err(Failure::Final(_)) => {}
                Err(_) if left > LEAST_TIMEOUT => continue,
                Err(_) => {}
            }
            break;
        }
        outcome
    }

    fn sleep(&self, pause: Duration) -> Result<(), RegistryError> {
        let until = Instant::now() + pause;
        loop {
            if let Some(stop) = &self.stop
                && stop.load(Ordering::Relaxed)
            {
                return Err(RegistryError::Interrupted { url: self.to_string() });
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(STOP_CHECK));
        }
    }
}

fn subject_path(subject: &str) -> String {
    format!("subjects/{}", utf8_percent_encode(subject, SUBJECT))
}

/// The answer of `target` to a request that succeeded.
fn answer(
    target: &Target,
    request: RequestBuilder,
    timeout: Duration,
    subject: &str,
) -> Result<Map<String, Value>, Failure> {
    let heard = request::ask(target, request, timeout)?;
    if !heard.status.is_success() {
        // If the body can't be read, the status says enough.
        let body = heard.body.unwrap_or_default();
        return Err(failure::by_answer(heard.status.as_u16(), &body, target, subject));
    }
    let body = heard.body?;
    serde_json::from_slice(&body).map_err(|_| {
        let problem = if body.len() < MOST_BYTES { NO_JSON } else { "its answer has no end" };
        Failure::Final(failure::not_a_registry(target, problem.to_owned()))
    })
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, target) in self.targets.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(&target.url)?;
        }
        Ok(())
    }
}
