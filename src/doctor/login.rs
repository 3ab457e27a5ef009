//! Whether the cluster lets us in: properties, certificates, credentials.

use super::check::Check;
use super::protocol::Wanted;
use crate::run::{ExitCode, RunError};
use crate::sink::kafka::KafkaError;

/// What is checked here.
pub const NAME: &str = "login";

/// The check of a connection that was made.
pub fn made(wanted: Wanted) -> Check {
    let how = if wanted.sasl { "the credentials are taken" } else { "no login is asked for" };
    Check::ok(NAME, format!("the cluster answers, and {how} ({})", wanted.name()))
}

/// The check of a connection that a client could not make to a port that a broker listens on.
pub fn failed(error: KafkaError, wanted: Wanted) -> Check {
    let (seen, fix) = match &error {
        KafkaError::Unauthenticated { cause, .. } => refused(cause, wanted),
        KafkaError::Unreachable { cause, waited, .. } => {
            let cause = cause.as_deref().unwrap_or("no answer");
            let seen = format!(
                "the broker answers a greeting and nothing more within {waited:.1?} ({cause})"
            );
            (seen, unanswered(wanted))
        }
        KafkaError::Settings(what) => (
            format!("the client refuses its settings: {what}"),
            "correct the properties given by -X: librdkafka's CONFIGURATION.md has them all"
                .to_owned(),
        ),
        other => (other.to_string(), "mend what is named there".to_owned()),
    };
    Check::fail(NAME, RunError::Kafka(error).exit_code(), seen, fix)
}

/// The check of a client that never came back.
pub fn hung() -> Check {
    Check::fail(
        NAME,
        ExitCode::BrokerUnreachable,
        "the client got no answer in time",
        "check that the broker is a broker and not held up; -vv shows what the client says",
    )
}

fn refused(cause: &str, wanted: Wanted) -> (String, String) {
    let said = cause.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    // Certificates first: their words are more than the handshake's that failed for them.
    let (what, fix) = if has(&["certificate verify failed", "certificate", "ssl.ca.location"]) {
        (
            "the broker's certificate is not trusted, or it asks for one of ours",
            "say -X ssl.ca.location=FILE for the authority that signed it, use the host name that it is for, and give -X ssl.certificate.location and ssl.key.location where the broker asks for a client's",
        )
    } else if has(&["mechanism"]) {
        (
            "the broker doesn't take this SASL mechanism",
            "say -X sasl.mechanism=... for one that the broker has enabled: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER",
        )
    } else if has(&["ssl handshake", "ssl"]) {
        (
            "TLS can't be opened",
            "check -X security.protocol, and that both sides have a version of TLS in common",
        )
    } else if wanted.sasl {
        (
            "the broker refuses the credentials",
            "check -X sasl.username and sasl.password, and that the user exists for this sasl.mechanism",
        )
    } else {
        (
            "the broker refuses the connection",
            "check the security settings: -X security.protocol, user, password, certificates",
        )
    };
    (format!("{what} ({cause})"), fix.to_owned())
}

/// Why a broker that speaks may not say more.
fn unanswered(wanted: Wanted) -> String {
    if wanted.sasl {
        return "check -X security.protocol, sasl.mechanism, user and password, and the broker's log"
            .to_owned();
    }
    let sasl = Wanted { sasl: true, ..wanted }.name();
    format!(
        "the listener may want a login: say -X security.protocol={sasl} -X sasl.mechanism=PLAIN \
         -X sasl.username=USER -X sasl.password=PASSWORD, or as the broker has it; else look into its log"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(cause: &str, protocol: &str) -> String {
        let error = KafkaError::Unauthenticated { bootstrap: "a:1".into(), cause: cause.into() };
        let check = failed(error, Wanted::of(Some(protocol)));
        assert_eq!(check.exit_code, Some(ExitCode::BrokerRefused));
        format!("{}: {}", check.seen, check.fix.unwrap_or_default())
    }

    #[test]
    fn refusals_are_told_apart() {
        let sasl = told(
            "SASL authentication error: Authentication failed: Invalid username or password",
            "sasl_plaintext",
        );
        assert!(sasl.contains("credentials") && sasl.contains("sasl.password"), "{sasl}");
        let mechanism = told("SASL mechanism handshake failed: Unsupported mechanism", "sasl_ssl");
        assert!(mechanism.contains("SCRAM"), "{mechanism}");
        let tls = told("SSL handshake failed: certificate verify failed", "ssl");
        assert!(tls.contains("ssl.ca.location"), "{tls}");
    }
}
