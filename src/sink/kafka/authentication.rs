//! Why a connection to a broker failed for good, recognised by the client's text. If the text doesn't
//! say, the broker is asked for its certificate once more.

use std::fmt;

use rdkafka::error::RDKafkaErrorCode;

use crate::sink::property::{Property, canonical};
use crate::tls::TlsFailure;

/// Why a connection to a broker can't be authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthenticationFailure {
    /// The broker rejects the user and password.
    Credentials,
    /// The broker rejects the token.
    Token,
    /// No token could be fetched.
    NoToken,
    /// The broker doesn't support the SASL mechanism.
    Mechanism,
    /// The TLS handshake failed.
    Tls(TlsFailure),
    /// Another reason.
    Other,
}

impl AuthenticationFailure {
    /// The failure that a client's error means; `None` if a retry may succeed. `properties` are the
    /// client's.
    pub(super) fn of(
        code: RDKafkaErrorCode,
        reason: &str,
        properties: &[Property],
    ) -> Option<AuthenticationFailure> {
        let has = |keys: &[&str]| properties.iter().any(|p| keys.contains(&canonical(&p.key)));
        if reason.contains("acquire SASL OAUTHBEARER token") {
            return Some(AuthenticationFailure::NoToken);
        }
        if code == RDKafkaErrorCode::UnsupportedSASLMechanism
            || reason.contains("mechanism handshake failed")
        {
            return Some(AuthenticationFailure::Mechanism);
        }
        let is_tls = code == RDKafkaErrorCode::SSL
            || reason.contains("SSL handshake failed")
            || (reason.contains("alert") && TlsFailure::is_about_tls(reason));
        if is_tls {
            return Some(match tls_failure_in(reason).or_else(|| probe_tls(reason, properties)) {
                // Brokers may call it a bad one, too, if there is none.
                Some(TlsFailure::RefusesCertificate)
                    if !has(&[
                        "ssl.certificate.location",
                        "ssl.certificate.pem",
                        "ssl.keystore.location",
                    ]) =>
                {
                    AuthenticationFailure::Tls(TlsFailure::WantsCertificate)
                }
                Some(problem) => AuthenticationFailure::Tls(problem),
                None => AuthenticationFailure::Other,
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
            return Some(if by_token {
                AuthenticationFailure::Token
            } else {
                AuthenticationFailure::Credentials
            });
        }
        None
    }

    /// Whether the client's own text says more.
    pub(super) fn needs_client_text(self) -> bool {
        !matches!(self, AuthenticationFailure::Tls(_))
    }

    /// What to do.
    pub fn advice(self) -> &'static str {
        match self {
            AuthenticationFailure::Credentials => {
                "check sasl.username and sasl.password, and that the user exists for this mechanism"
            }
            AuthenticationFailure::Token => {
                "check the scope of sasl.oauthbearer.client.id, and what the broker requires of tokens"
            }
            AuthenticationFailure::NoToken => {
                "check sasl.oauthbearer.token.endpoint.url, sasl.oauthbearer.client.id and \
                 sasl.oauthbearer.client.secret"
            }
            AuthenticationFailure::Mechanism => "set sasl.mechanism to one that it supports",
            AuthenticationFailure::Tls(TlsFailure::Untrusted) => {
                "give the certificate of its authority by ssl.ca.location"
            }
            AuthenticationFailure::Tls(TlsFailure::OtherHost) => {
                "use the host name that it is for, or turn the check off with \
                 ssl.endpoint.identification.algorithm=none"
            }
            AuthenticationFailure::Tls(TlsFailure::Expired) => "renew it",
            AuthenticationFailure::Tls(TlsFailure::NotYetValid) => "check both clocks",
            AuthenticationFailure::Tls(TlsFailure::NotTls) => {
                "use the port with TLS, or another security.protocol"
            }
            AuthenticationFailure::Tls(TlsFailure::WantsCertificate) => {
                "give one by ssl.certificate.location and ssl.key.location, or by \
                 ssl.keystore.location"
            }
            AuthenticationFailure::Tls(TlsFailure::RefusesCertificate) => {
                "check that an authority which it trusts has signed it, and that it has not expired"
            }
            AuthenticationFailure::Other => {
                "check the security settings (`-X security.protocol=...`, user, password, \
                 certificates)"
            }
        }
    }
}

/// Completes "the broker ...".
impl fmt::Display for AuthenticationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AuthenticationFailure::Credentials => "refuses the user and password",
            AuthenticationFailure::Token => "refuses the token",
            AuthenticationFailure::NoToken => "requires a token, and none can be fetched",
            AuthenticationFailure::Mechanism => "doesn't support the SASL mechanism",
            AuthenticationFailure::Tls(TlsFailure::Untrusted) => {
                "has a certificate that isn't trusted here"
            }
            AuthenticationFailure::Tls(TlsFailure::OtherHost) => {
                "has a certificate for another host name"
            }
            AuthenticationFailure::Tls(TlsFailure::Expired) => "has a certificate that has expired",
            AuthenticationFailure::Tls(TlsFailure::NotYetValid) => {
                "has a certificate that is not yet valid"
            }
            AuthenticationFailure::Tls(TlsFailure::NotTls) => "doesn't speak TLS on this port",
            AuthenticationFailure::Tls(TlsFailure::WantsCertificate) => {
                "requires a client certificate"
            }
            AuthenticationFailure::Tls(TlsFailure::RefusesCertificate) => {
                "refuses the client certificate"
            }
            AuthenticationFailure::Other => "refuses the connection",
        })
    }
}

/// The failure that the client's text names.
fn tls_failure_in(reason: &str) -> Option<TlsFailure> {
    if reason.contains("PLAINTEXT broker listener") {
        return Some(TlsFailure::NotTls);
    }
    TlsFailure::from_text(reason)
}

/// The failure of one more TLS handshake with the broker, which the client's text names: librdkafka says
/// only that a certificate could not be verified.
#[cfg(feature = "tls")]
fn probe_tls(reason: &str, properties: &[Property]) -> Option<TlsFailure> {
    use std::net::{TcpStream, ToSocketAddrs};
    use std::time::Duration;

    use native_tls::{Certificate, HandshakeError, TlsConnector};

    const TIMEOUT: Duration = Duration::from_secs(3);
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
        TcpStream::connect_timeout(&address.to_socket_addrs().ok()?.next()?, TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(TIMEOUT)).ok()?;
    match connector.connect(host, stream) {
        Err(HandshakeError::Failure(error)) => TlsFailure::from_text(&error.to_string()),
        Err(HandshakeError::WouldBlock(_)) | Ok(_) => None,
    }
}

#[cfg(not(feature = "tls"))]
fn probe_tls(_: &str, _: &[Property]) -> Option<TlsFailure> {
    None
}

/// The host and port with which a client's text begins: "ssl://host:9093/bootstrap: ...".
#[cfg(feature = "tls")]
fn broker(reason: &str) -> Option<&str> {
    let (protocol, rest) = reason.split_once("://")?;
    let is_protocol = protocol.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_protocol.then(|| rest.split(['/', ' ']).next())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        code: RDKafkaErrorCode,
        reason: &str,
        properties: &[&str],
    ) -> Option<AuthenticationFailure> {
        let properties: Vec<Property> = properties.iter().map(|p| p.parse().unwrap()).collect();
        AuthenticationFailure::of(code, reason, &properties)
    }

    #[test]
    fn what_waiting_does_not_mend_is_told_apart() {
        use RDKafkaErrorCode::{Authentication, BrokerTransportFailure, SSL};
        for (code, reason, properties, failure) in [
            (
                Authentication,
                "sasl_ssl://h:1/bootstrap: SASL authentication error: Authentication failed",
                &["sasl.mechanism=PLAIN"][..],
                AuthenticationFailure::Credentials,
            ),
            (
                Authentication,
                "sasl_ssl://h:1/bootstrap: SASL authentication error: {\"status\":\"invalid_token\"}",
                &["sasl.mechanism=OAUTHBEARER"],
                AuthenticationFailure::Token,
            ),
            (
                Authentication,
                "Failed to acquire SASL OAUTHBEARER token: it answered 401 Unauthorized",
                &[],
                AuthenticationFailure::NoToken,
            ),
            (
                Authentication,
                "SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: \
                 broker's supported mechanisms: SCRAM-SHA-256",
                &[],
                AuthenticationFailure::Mechanism,
            ),
            (
                SSL,
                "ssl://h:1/bootstrap: Failed to verify broker certificate: certificate has expired",
                &[],
                AuthenticationFailure::Tls(TlsFailure::Expired),
            ),
            (
                BrokerTransportFailure,
                "ssl://h:1/bootstrap: SSL handshake failed: Disconnected: connecting to a \
                 PLAINTEXT broker listener?",
                &[],
                AuthenticationFailure::Tls(TlsFailure::NotTls),
            ),
            (
                BrokerTransportFailure,
                "Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate",
                &[],
                AuthenticationFailure::Tls(TlsFailure::WantsCertificate),
            ),
            (
                BrokerTransportFailure,
                "Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate",
                &["ssl.certificate.pem=x"],
                AuthenticationFailure::Tls(TlsFailure::RefusesCertificate),
            ),
        ] {
            assert_eq!(of(code, reason, properties), Some(failure), "{reason}");
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
