//! Checks that the client can connect and log in: properties, certificates, credentials.

use super::check::Check;
use super::protocol::SecurityProtocol;
use crate::exit::{ExitCode, ProgramError};
use crate::sink::kafka::KafkaError;

/// The name of the check.
pub const NAME: &str = "login";

/// The check of a connection that works.
pub fn passed(wanted: SecurityProtocol) -> Check {
    let how = if wanted.sasl { "the credentials are accepted" } else { "no login is required" };
    Check::ok(NAME, format!("the cluster answers, and {how} ({})", wanted.name()))
}

/// The check of a client that failed at a port where a broker listens.
pub fn failed(error: KafkaError, wanted: SecurityProtocol) -> Check {
    let (seen, fix) = match &error {
        KafkaError::Unauthenticated { failure, cause, .. } => {
            let cause = cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default();
            (format!("the broker {failure}{cause}"), failure.advice().to_owned())
        }
        KafkaError::Unreachable { cause, waited, .. } => {
            let cause = cause.as_deref().unwrap_or("no answer");
            let seen = format!(
                "the broker answers a greeting and nothing more within {waited:.1?} ({cause})"
            );
            (seen, unanswered(wanted))
        }
        KafkaError::Settings(what) => (
            format!("the client rejects its settings: {what}"),
            "correct the properties given by -X: librdkafka's CONFIGURATION.md has them all"
                .to_owned(),
        ),
        other => (other.to_string(), "fix what it names".to_owned()),
    };
    Check::fail(NAME, ProgramError::Kafka(error).exit_code(), seen, fix)
}

/// The check of a client that never returned.
pub fn timed_out() -> Check {
    Check::fail(
        NAME,
        ExitCode::BrokerUnreachable,
        "the client got no answer in time",
        "check that the broker is a broker and not held up; -vv shows what the client says",
    )
}

/// Why a broker may answer ApiVersions and nothing more.
fn unanswered(wanted: SecurityProtocol) -> String {
    if wanted.sasl {
        return "check -X security.protocol, sasl.mechanism, user and password, and the broker's log"
            .to_owned();
    }
    let sasl = SecurityProtocol { sasl: true, ..wanted }.name();
    format!(
        "the listener may require a login: use -X security.protocol={sasl} -X sasl.mechanism=PLAIN \
         -X sasl.username=USER -X sasl.password=PASSWORD, or as the broker has it; else look into its log"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::kafka::AuthenticationFailure;

    #[test]
    fn refusals_are_told_with_what_to_do() {
        let cause = Some("said the client".to_owned());
        let failure = AuthenticationFailure::Mechanism;
        let error = KafkaError::Unauthenticated { bootstrap: "a:1".into(), failure, cause };
        let check = failed(error, SecurityProtocol::of(Some("sasl_ssl")));
        assert_eq!(check.exit_code, Some(ExitCode::BrokerRefused));
        assert_eq!(check.seen, "the broker doesn't support the SASL mechanism (said the client)");
        assert!(check.fix.is_some_and(|fix| fix.contains("sasl.mechanism")));
    }
}
