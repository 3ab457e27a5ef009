//! Why a broker denied access: recognised by what the client says, and where that doesn't say it,
//! by asking the broker for its certificate once more.

use std::fmt;

use rdkafka::error::RDKafkaErrorCode;

use crate::registry::TlsProblem;
use crate::sink::property::{Property, canonical};

/// Why a connection is refused, by the broker or by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The broker doesn't take the user and password.
    Credentials,
    /// The broker doesn't take the token.
    Token,
    /// No token could be had.
    NoToken,
    /// The broker has other SASL mechanisms.
    Mechanism,
    /// No secure connection comes about.
    Tls(TlsProblem),
    /// Something else.
    Other,
}

impl Refusal {
    /// What a trouble of the client means, where it will not mend itself by waiting. `properties` are
    /// those that the client has.
    pub(super) fn of(
        code: RDKafkaErrorCode,
        reason: &str,
        properties: &[Property],
    ) -> Option<Refusal> {
        let has = |keys: &[&str]| properties.iter().any(|p| keys.contains(&canonical(&p.key)));
        if reason.contains("acquire SASL OAUTHBEARER token") {
            return Some(Refusal::NoToken);
        }
        if code == RDKafkaErrorCode::UnsupportedSASLMechanism
            || reason.contains("mechanism handshake failed")
        {
            return Some(Refusal::Mechanism);
        }
        let is_tls = code == RDKafkaErrorCode::SSL
            || reason.contains("SSL handshake failed")
            || (reason.contains("alert") && TlsProblem::is_told_by(reason));
        if is_tls {
            return Some(match told(reason).or_else(|| asked(reason, properties)) {
                // Brokers may call it a bad one, too, where there is none.
                Some(TlsProblem::RefusesCertificate)
                    if !has(&[
                        "ssl.certificate.location",
                        "ssl.certificate.pem",
                        "ssl.keystore.location",
                    ]) =>
                {
                    Refusal::Tls(TlsProblem::WantsCertificate)
                }
                Some(problem) => Refusal::Tls(problem),
                None => Refusal::Other,
            });
        }
        if matches!(
            code,
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed
        ) {
            let by_token = properties.iter().any(|property| {
                canonical(&property.key) == "sasl.mechanisms"
                    && property.value.trim().eq_ignore_ascii_case("OAUTHBEARER")
            });
            return Some(if by_token { Refusal::Token } else { Refusal::Credentials });
        }
        None
    }

    /// Whether the client's own words say more.
    pub(super) fn needs_words(self) -> bool {
        !matches!(self, Refusal::Tls(_))
    }

    /// What to do.
    pub fn advice(self) -> &'static str {
        match self {
            Refusal::Credentials => {
                "check sasl.username and sasl.password, and that the user is one of this mechanism"
            }
            Refusal::Token => {
                "check the scope of sasl.oauthbearer.client.id and what the broker asks of tokens"
            }
            Refusal::NoToken => {
                "check sasl.oauthbearer.token.endpoint.url, sasl.oauthbearer.client.id and \
                 sasl.oauthbearer.client.secret"
            }
            Refusal::Mechanism => "set sasl.mechanism to one that it has",
            Refusal::Tls(TlsProblem::Untrusted) => {
                "give the certificate of its authority by ssl.ca.location"
            }
            Refusal::Tls(TlsProblem::OtherHost) => {
                "use the name that it is for, or do without the check by \
                 ssl.endpoint.identification.algorithm=none"
            }
            Refusal::Tls(TlsProblem::Expired) => "renew it",
            Refusal::Tls(TlsProblem::NotYetValid) => "check both clocks",
            Refusal::Tls(TlsProblem::NotTls) => {
                "use the port that does, or another security.protocol"
            }
            Refusal::Tls(TlsProblem::WantsCertificate) => {
                "give one by ssl.certificate.location and ssl.key.location, or by \
                 ssl.keystore.location"
            }
            Refusal::Tls(TlsProblem::RefusesCertificate) => {
                "check that an authority which it trusts has signed it, and that it has not expired"
            }
            Refusal::Other => {
                "check the security settings (`-X security.protocol=...`, user, password, \
                 certificates)"
            }
        }
    }
}

/// What completes "the broker ...".
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Credentials => "refuses the user and password",
            Refusal::Token => "refuses the token",
            Refusal::NoToken => "asks for a token, and none can be had",
            Refusal::Mechanism => "doesn't have the SASL mechanism",
            Refusal::Tls(TlsProblem::Untrusted) => "has a certificate that isn't trusted here",
            Refusal::Tls(TlsProblem::OtherHost) => "has a certificate for another host name",
            Refusal::Tls(TlsProblem::Expired) => "has a certificate that has expired",
            Refusal::Tls(TlsProblem::NotYetValid) => "has a certificate that is not yet valid",
            Refusal::Tls(TlsProblem::NotTls) => "doesn't speak TLS on this port",
            Refusal::Tls(TlsProblem::WantsCertificate) => "asks for a client certificate",
            Refusal::Tls(TlsProblem::RefusesCertificate) => "refuses the client certificate",
            Refusal::Other => "refuses the connection",
        })
    }
}

/// The problem that the client's own words tell.
fn told(reason: &str) -> Option<TlsProblem> {
    if reason.contains("PLAINTEXT broker listener") {
        return Some(TlsProblem::NotTls);
    }
    TlsProblem::of(reason)
}

/// The problem that shows where the broker, which the client's words name, is asked once more:
/// librdkafka says no more than that a certificate could not be verified.
#[cfg(feature = "tls")]
fn asked(reason: &str, properties: &[Property]) -> Option<TlsProblem> {
    use std::net::{TcpStream, ToSocketAddrs};
    use std::time::Duration;

    use native_tls::{Certificate, HandshakeError, TlsConnector};

    const PATIENCE: Duration = Duration::from_secs(3);
    let address = broker(reason)?;
    let host = address.rsplit_once(':')?.0.trim_matches(['[', ']']);
    let get = |key: &str| properties.iter().rev().find(|p| p.key == key).map(|p| &p.value);
    let mut builder = TlsConnector::builder();
    let pem = match (get("ssl.ca.location"), get("ssl.ca.pem")) {
        (Some(path), _) => std::fs::read(path).ok(),
        (None, Some(pem)) => Some(pem.clone().into_bytes()),
        (None, None) => None,
    };
    if let Some(pem) = pem {
        builder.disable_built_in_roots(true);
        for authority in Certificate::stack_from_pem(&pem).ok()? {
            builder.add_root_certificate(authority);
        }
    }
    let connector = builder.build().ok()?;
    let stream =
        TcpStream::connect_timeout(&address.to_socket_addrs().ok()?.next()?, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    match connector.connect(host, stream) {
        Err(HandshakeError::Failure(error)) => TlsProblem::of(&error.to_string()),
        Err(HandshakeError::WouldBlock(_)) | Ok(_) => None,
    }
}

#[cfg(not(feature = "tls"))]
fn asked(_: &str, _: &[Property]) -> Option<TlsProblem> {
    None
}

/// Host and port of the broker that a client's words begin with: "ssl://host:9093/bootstrap: ...".
#[cfg(feature = "tls")]
fn broker(reason: &str) -> Option<&str> {
    let (protocol, rest) = reason.split_once("://")?;
    let is_protocol = protocol.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_protocol.then(|| rest.split(['/', ' ']).next())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: RDKafkaErrorCode, reason: &str, properties: &[&str]) -> Option<Refusal> {
        let properties: Vec<Property> = properties.iter().map(|p| p.parse().unwrap()).collect();
        Refusal::of(code, reason, &properties)
    }

    #[test]
    fn what_waiting_does_not_mend_is_told_apart() {
        use RDKafkaErrorCode::{Authentication, BrokerTransportFailure, SSL};
        for (code, reason, properties, refusal) in [
            (
                Authentication,
                "sasl_ssl://h:1/bootstrap: SASL authentication error: Authentication failed",
                &["sasl.mechanism=PLAIN"][..],
                Refusal::Credentials,
            ),
            (
                Authentication,
                "sasl_ssl://h:1/bootstrap: SASL authentication error: {\"status\":\"invalid_token\"}",
                &["sasl.mechanism=OAUTHBEARER"],
                Refusal::Token,
            ),
            (
                Authentication,
                "Failed to acquire SASL OAUTHBEARER token: it answered 401 Unauthorized",
                &[],
                Refusal::NoToken,
            ),
            (
                Authentication,
                "SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: \
                 broker's supported mechanisms: SCRAM-SHA-256",
                &[],
                Refusal::Mechanism,
            ),
            (
                SSL,
                "ssl://h:1/bootstrap: Failed to verify broker certificate: certificate has expired",
                &[],
                Refusal::Tls(TlsProblem::Expired),
            ),
            (
                BrokerTransportFailure,
                "ssl://h:1/bootstrap: SSL handshake failed: Disconnected: connecting to a \
                 PLAINTEXT broker listener?",
                &[],
                Refusal::Tls(TlsProblem::NotTls),
            ),
            (
                BrokerTransportFailure,
                "Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate",
                &[],
                Refusal::Tls(TlsProblem::WantsCertificate),
            ),
            (
                BrokerTransportFailure,
                "Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate",
                &["ssl.certificate.pem=x"],
                Refusal::Tls(TlsProblem::RefusesCertificate),
            ),
        ] {
            assert_eq!(of(code, reason, properties), Some(refusal), "{reason}");
        }
        let down = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused";
        assert_eq!(of(BrokerTransportFailure, down, &[]), None);
    }

    #[cfg(feature = "tls")]
    #[test]
    fn the_broker_is_named_in_the_clients_words() {
        assert_eq!(broker("ssl://h:9093/bootstrap: SSL handshake failed"), Some("h:9093"));
        assert_eq!(broker("sasl_ssl://[::1]:9093/1: x"), Some("[::1]:9093"));
        assert_eq!(broker("h:9093/bootstrap: x"), None);
    }
}
