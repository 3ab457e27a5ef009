//! Checks that a schema registry answers.

use std::time::Duration;

use super::check::Check;
use crate::exit::{ExitCode, ProgramError};
use crate::registry::{Answer, AnswerBody, Registry, RegistryError};

/// The name of the check.
pub const NAME: &str = "registry";
/// The timeout of all addresses' answers together.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Lists the registry's subjects, and returns its addresses' answers. `timeout` bounds each answer.
pub fn check(registry: &Registry, timeout: Duration) -> (Check, Vec<Answer>) {
    let timeout = timeout.min(TIMEOUT);
    let outcomes = registry.probe(timeout);
    let mut answers = Vec::new();
    let mut failed: Option<Check> = None;
    let mut well: Option<Check> = None;
    for outcome in outcomes {
        let check = match outcome {
            Ok(answer) => {
                let check = judge(registry, &answer, timeout);
                answers.push(answer);
                check
            }
            Err(error) => unreached(error),
        };
        let slot = if check.exit_code.is_some() { &mut failed } else { &mut well };
        slot.get_or_insert(check);
    }
    let check = match (well, failed) {
        // The client tries one address after another, so one is enough.
        (Some(well), Some(failed)) => Check::warn(
            NAME,
            format!("{}; but {}", well.seen, failed.seen),
            failed.fix.unwrap_or_default(),
        ),
        (Some(check), None) | (None, Some(check)) => check,
        (None, None) => Check::skip(NAME, "no address was given"),
    };
    (check, answers)
}

fn judge(registry: &Registry, answer: &Answer, timeout: Duration) -> Check {
    let url = &answer.url;
    let status = answer.status;
    let credentials = if answer.with_credentials {
        "check the user and password, or the token"
    } else {
        "give credentials: --registry-basic-auth USER:PASSWORD, or --registry-token TOKEN"
    };
    match (status, answer.said) {
        (200..=299, AnswerBody::Subjects(count)) => {
            let subjects = match count {
                Some(1) => "1 subject".to_owned(),
                Some(count) => format!("{count} subjects"),
                None => "more subjects than fit here".to_owned(),
            };
            Check::ok(NAME, format!("{url} answers as a registry, with {subjects}"))
        }
        (401, _) => Check::fail(
            NAME,
            ExitCode::RegistryRefused,
            format!("{url} answers 401: it requires credentials"),
            credentials,
        ),
        (403, _) => Check::fail(
            NAME,
            ExitCode::RegistryRefused,
            format!("{url} answers 403: these credentials may not list its subjects"),
            "give the user the right to read and write subjects",
        ),
        (408 | 425 | 429 | 502..=504, _) => Check::fail(
            NAME,
            ExitCode::RegistryUnreachable,
            format!("{url} answers {status}: it is not ready, or its proxy has no backend"),
            "wait for it to start (a run does, for --registry-timeout), and check its log",
        ),
        (500.., _) => Check::fail(
            NAME,
            ExitCode::RegistryFailed,
            format!("{url} answers {status}: it has an internal error"),
            "check the registry's log; its storage may be unavailable",
        ),
        _ => no_registry(registry, answer, timeout),
    }
}

/// The check of an HTTP answer that is not a registry's: the path may be wrong.
fn no_registry(registry: &Registry, answer: &Answer, timeout: Duration) -> Check {
    let what = match answer.said {
        AnswerBody::Html => ", with an HTML page",
        AnswerBody::Json | AnswerBody::Subjects(_) => ", with JSON that is not a list of subjects",
        AnswerBody::Nothing => ", with nothing",
        AnswerBody::Other => ", with something else",
    };
    let to = answer.location.as_ref().map(|to| format!(" (a redirect to {to})"));
    let seen = format!(
        "{}/subjects answers {}{what}{}: no registry is served there",
        answer.url,
        answer.status,
        to.unwrap_or_default()
    );
    let fix = match registry.find_url(timeout) {
        Some(url) => format!("one answers at {url}: use --schema-registry {url}"),
        None => "correct the URL's host, port and path: Confluent and Redpanda serve at the root, \
                 Apicurio at /apis/ccompat/v7"
            .to_owned(),
    };
    Check::fail(NAME, ExitCode::RegistryFailed, seen, fix)
}

fn unreached(error: RegistryError) -> Check {
    let (seen, fix) = match &error {
        RegistryError::Unreachable { url, cause, .. } if cause.contains("connection closed") => (
            format!("{url} accepts connections, but doesn't speak HTTP: {cause}"),
            "give the registry's own port, with http:// or https:// as it speaks: a broker \
             would answer like this"
                .to_owned(),
        ),
        RegistryError::Unreachable { url, cause, .. } => (
            format!("{url} can't be reached: {cause}"),
            "start the registry, or correct the URL's host and port".to_owned(),
        ),
        RegistryError::NotARegistry { url, problem } => (
            format!("{url} is not a registry: {problem}"),
            "give the registry's own port, with http:// or https:// as it speaks".to_owned(),
        ),
        RegistryError::Tls { url, problem } => {
            // The client puts what is wrong first, then what to do.
            let (what, fix) = problem.split_once("; ").unwrap_or((problem, "fix that"));
            (format!("no secure connection to {url}: {what}"), fix.to_owned())
        }
        other => (other.to_string(), "fix what it names".to_owned()),
    };
    Check::fail(NAME, ProgramError::Registry(error).exit_code(), seen, fix)
}
