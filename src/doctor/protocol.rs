//! Checks which protocol a broker's port speaks, by a request in each: a plaintext client may have met
//! TLS, or the other way round, or no broker at all.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::address::{Address, LEAST};
use super::check::Check;
use crate::exit::ExitCode;

/// The protocol that a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// Kafka, without TLS.
    Kafka,
    /// TLS.
    Tls,
    /// HTTP.
    Http,
    /// Another protocol.
    Other,
    /// None: the connection was closed.
    Closed,
    /// None: there was no answer in time.
    Silent,
}

/// A client's `security.protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityProtocol {
    /// Whether it uses TLS.
    pub tls: bool,
    /// Whether it uses SASL.
    pub sasl: bool,
}

impl SecurityProtocol {
    /// Parses `security.protocol`. librdkafka's default is `plaintext`.
    pub fn of(protocol: Option<&str>) -> SecurityProtocol {
        let protocol = protocol.unwrap_or("plaintext").trim().to_ascii_lowercase();
        SecurityProtocol {
            tls: matches!(protocol.as_str(), "ssl" | "sasl_ssl"),
            sasl: protocol.starts_with("sasl"),
        }
    }

    /// The name in `security.protocol`.
    pub fn name(self) -> &'static str {
        match (self.sasl, self.tls) {
            (false, false) => "PLAINTEXT",
            (false, true) => "SSL",
            (true, false) => "SASL_PLAINTEXT",
            (true, true) => "SASL_SSL",
        }
    }
}

/// The timeout of one request.
const TURN: Duration = Duration::from_secs(2);

/// The correlation id of our request, which a broker repeats.
const OURS: [u8; 4] = *b"fsdr";

/// ApiVersions, version 0: every broker answers it, before any login.
const API_VERSIONS: [u8; 14] =
    [0, 0, 0, 10, 0, 18, 0, 0, OURS[0], OURS[1], OURS[2], OURS[3], 0xff, 0xff];

/// What every HTTP server answers.
const GET: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// A TLS 1.2 ClientHello with four common cipher suites and no extensions. Any TLS server answers it,
/// even if only with an alert.
const CLIENT_HELLO: [u8; 56] = [
    0x16, 0x03, 0x01, 0, 51, // A handshake record of 51 bytes,
    0x01, 0, 0, 47, 0x03, 0x03, // a greeting of 47, TLS 1.2,
    0x66, 0x6c, 0x65, 0x65, 0x74, 0x73, 0x74, 0x6f, 0x72, 0x6d, 0x2d, 0x64, 0x6f, 0x63, 0x74, 0x6f,
    0x72, 0x66, 0x6c, 0x65, 0x65, 0x74, 0x73, 0x74, 0x6f, 0x72, 0x6d, 0x2d, 0x64, 0x6f, 0x63,
    0x74, // 32 bytes that nobody keeps secret,
    0,    // no session,
    0, 8, 0xc0, 0x2f, 0xc0, 0x30, 0x00, 0x9c, 0x00, 0x2f, // four suites,
    1, 0, // and no compression.
];

/// Checks that the open `addresses` speak the protocol that the client expects.
pub fn check(addresses: &[Address], wanted: SecurityProtocol, until: Instant) -> Check {
    let mut last = None;
    for address in addresses {
        let tongue = tongue(address, wanted, until);
        let check = judge(address, wanted, tongue);
        if check.exit_code.is_some() {
            return check;
        }
        last = Some(check);
    }
    last.unwrap_or_else(|| Check::skip(NAME, "no address is open"))
}

const NAME: &str = "protocol";

fn judge(address: &Address, wanted: SecurityProtocol, tongue: Protocol) -> Check {
    let protocol = wanted.name();
    let (unreachable, refused) = (ExitCode::BrokerUnreachable, ExitCode::BrokerRefused);
    match tongue {
        Protocol::Kafka if !wanted.tls => {
            Check::ok(NAME, format!("{address} speaks Kafka's protocol without TLS"))
        }
        Protocol::Tls if wanted.tls => Check::ok(NAME, format!("{address} speaks TLS")),
        Protocol::Kafka => {
            let plain = SecurityProtocol { tls: false, ..wanted }.name();
            Check::fail(
                NAME,
                refused,
                format!(
                    "{address} speaks Kafka's protocol without TLS, and security.protocol is {protocol}"
                ),
                format!("use -X security.protocol={plain}, or give the port of the TLS listener"),
            )
        }
        Protocol::Tls => {
            let tls = SecurityProtocol { tls: true, ..wanted }.name();
            Check::fail(
                NAME,
                unreachable,
                format!("{address} speaks TLS, and security.protocol is {protocol}"),
                format!(
                    "use -X security.protocol={tls} (and -X ssl.ca.location=FILE for an authority of your own), or give the port of the listener without TLS"
                ),
            )
        }
        Protocol::Http => Check::fail(
            NAME,
            unreachable,
            format!("{address} speaks HTTP: it is not a broker"),
            "give the broker's own port, not that of a registry, a REST proxy or a console",
        ),
        Protocol::Other => Check::fail(
            NAME,
            unreachable,
            format!("{address} answers, but not as a broker does"),
            "give a broker's port: something else listens there",
        ),
        Protocol::Closed => Check::fail(
            NAME,
            unreachable,
            format!("{address} closes the connection without an answer"),
            "give a listener for clients, not a controller's; check what is in between, such as a load balancer without a backend",
        ),
        Protocol::Silent => Check::fail(
            NAME,
            unreachable,
            format!("{address} accepts connections and never answers"),
            "check that the broker has started and is not held up, and that the port is a broker's",
        ),
    }
}

/// The protocol that `address` speaks. The expected one is tried first.
fn tongue(address: &Address, wanted: SecurityProtocol, until: Instant) -> Protocol {
    let questions: [&[u8]; 3] = if wanted.tls {
        [&CLIENT_HELLO, &API_VERSIONS, GET]
    } else {
        [&API_VERSIONS, &CLIENT_HELLO, GET]
    };
    let mut first = None;
    for question in questions {
        let heard = ask(address, question, until);
        if matches!(heard, Protocol::Kafka | Protocol::Tls | Protocol::Http) {
            return heard;
        }
        first.get_or_insert(heard);
    }
    first.unwrap_or(Protocol::Silent)
}

fn ask(address: &Address, question: &[u8], until: Instant) -> Protocol {
    let Ok(mut stream) = address.connect(until) else { return Protocol::Closed };
    let until = (Instant::now() + TURN).min(until.max(Instant::now() + LEAST));
    if stream.set_write_timeout(Some(TURN)).is_err() || stream.write_all(question).is_err() {
        return Protocol::Closed;
    }
    let mut heard = Vec::new();
    let mut silent = false;
    while heard.len() < 8 {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            silent = true;
            break;
        }
        let mut chunk = [0; 8];
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => heard.extend_from_slice(&chunk[..n]),
            Err(error) => {
                use std::io::ErrorKind::{TimedOut, WouldBlock};
                silent = matches!(error.kind(), TimedOut | WouldBlock);
                break;
            }
        }
    }
    understood(&heard, silent)
}

/// The protocol of an answer's first bytes.
fn understood(heard: &[u8], silent: bool) -> Protocol {
    match heard {
        // A handshake or an alert, of any version.
        [0x15 | 0x16, 0x03, ..] => Protocol::Tls,
        [b'H', b'T', b'T', b'P', ..] => Protocol::Http,
        // A length, and our own correlation id.
        [0, _, _, _, rest @ ..] if rest.starts_with(&OURS) => Protocol::Kafka,
        [] if silent => Protocol::Silent,
        [] => Protocol::Closed,
        _ => Protocol::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tongues_are_told_by_their_first_bytes() {
        assert_eq!(understood(b"\0\0\x01\x2afsdr\0\0", false), Protocol::Kafka);
        assert_eq!(understood(b"\0\0\x01\x2axxxx", false), Protocol::Other);
        assert_eq!(understood(b"\x15\x03\x03\0\x02\x02\x46", false), Protocol::Tls);
        assert_eq!(understood(b"HTTP/1.1", false), Protocol::Http);
        assert_eq!(understood(b"", true), Protocol::Silent);
        assert_eq!(understood(b"", false), Protocol::Closed);
    }

    #[test]
    fn protocols_are_read_as_librdkafka_reads_them() {
        for (text, name) in [
            (None, "PLAINTEXT"),
            (Some("ssl"), "SSL"),
            (Some("SASL_SSL"), "SASL_SSL"),
            (Some("sasl_plaintext"), "SASL_PLAINTEXT"),
        ] {
            assert_eq!(SecurityProtocol::of(text).name(), name);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_something(bytes in proptest::collection::vec(any::<u8>(), 0..8)) {
            let heard = understood(&bytes, false);
            prop_assert!(heard != Protocol::Silent);
        }
    }
}
