//! Checks that the bootstrap addresses accept connections. Lookups and connections are bounded in time.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use fleetstorm_producer::{AddressError, ServerAddress};

use super::check::Check;
use super::within;
use crate::exit::ExitCode;

/// A broker's host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Why a connection failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectFailure {
    /// The name can't be resolved: the resolver's error.
    Unknown(String),
    /// The connection was refused.
    Refused,
    /// There was no answer in time.
    Silent,
    /// Another error.
    Other(String),
}

/// The shortest timeout of anything.
pub const LEAST: Duration = Duration::from_millis(500);

impl Address {
    /// The addresses in a comma-separated list, as librdkafka reads it.
    ///
    /// # Errors
    /// [`AddressError`] for any other text.
    pub fn list(text: &str) -> Result<Vec<Address>, AddressError> {
        match ServerAddress::parse_list(text) {
            Ok(all) => {
                Ok(all.into_iter().map(|one| Address { host: one.host, port: one.port }).collect())
            }
            Err(AddressError::Empty) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Whether it is a loopback address.
    pub fn is_loopback(&self) -> bool {
        let number = self.host.parse::<std::net::IpAddr>();
        self.host == "localhost" || number.is_ok_and(|ip| ip.is_loopback())
    }

    /// Opens a connection until `until`, to the first of the name's addresses that accepts. They are
    /// tried side by side, each a little after the one before (RFC 8305).
    pub fn connect(&self, until: Instant) -> Result<TcpStream, ConnectFailure> {
        let unknown = |error: io::Error| ConnectFailure::Unknown(error.to_string());
        let addresses = self.look_up(until).map_err(unknown)?;
        let (told, outcomes) = mpsc::channel();
        for (nth, address) in addresses.into_iter().enumerate() {
            let told = told.clone();
            thread::spawn(move || {
                thread::sleep(APART.saturating_mul(nth as u32));
                // Another address was faster.
                let _late = told.send(open(address, until));
            });
        }
        drop(told);
        let mut outcome = Err(ConnectFailure::Unknown("the name has no address".to_owned()));
        for next in outcomes {
            outcome = next;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// The addresses of its name, or why there are none.
    fn look_up(&self, until: Instant) -> io::Result<Vec<SocketAddr>> {
        let left = until.saturating_duration_since(Instant::now()).max(LEAST);
        let (host, port) = (self.host.clone(), self.port);
        // The system's lookup has no timeout.
        let found = within(left, move || {
            let found = (host.as_str(), port).to_socket_addrs();
            found.map(Vec::from_iter)
        });
        found.unwrap_or_else(|| Err(io::Error::other("the lookup took too long")))
    }
}

/// Those of several addresses that never answer. To find them takes a second.
fn swallowing(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let until = Instant::now() + Duration::from_secs(1);
    let silent = |address| matches!(open(address, until), Err(ConnectFailure::Silent));
    thread::scope(|scope| {
        let tried = addresses.iter().map(|&at| (at, scope.spawn(move || silent(at))));
        let tried: Vec<_> = tried.collect();
        let swallows =
            tried.into_iter().filter_map(|(at, t)| t.join().unwrap_or(false).then_some(at));
        swallows.collect()
    })
}

fn open(address: SocketAddr, until: Instant) -> Result<TcpStream, ConnectFailure> {
    let left = until.saturating_duration_since(Instant::now()).max(LEAST);
    TcpStream::connect_timeout(&address, left).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => ConnectFailure::Refused,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => ConnectFailure::Silent,
        _ => ConnectFailure::Other(error.to_string().to_lowercase()),
    })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectFailure::Unknown(why) => write!(f, "the name can't be resolved ({why})"),
            ConnectFailure::Refused => f.write_str("nobody listens there (connection refused)"),
            ConnectFailure::Silent => f.write_str("nothing answered in time"),
            ConnectFailure::Other(why) => f.write_str(why),
        }
    }
}

/// How long an address may take before the next one is tried as well: the connection attempt delay of RFC
/// 8305.
const APART: Duration = Duration::from_millis(250);

/// Connects to each bootstrap address. Returns those that accept.
pub fn check(addresses: &[Address], until: Instant) -> (Check, Vec<Address>) {
    const NAME: &str = "address";
    let tried: Vec<(&Address, Result<TcpStream, ConnectFailure>)> = std::thread::scope(|scope| {
        let working: Vec<_> = addresses
            .iter()
            .map(|address| (address, scope.spawn(move || address.connect(until))))
            .collect();
        let panicked = |_| Err(ConnectFailure::Other("internal error".to_owned()));
        working.into_iter().map(|(a, thread)| (a, thread.join().unwrap_or_else(panicked))).collect()
    });
    let mut open = Vec::new();
    let mut failed = Vec::new();
    for (address, outcome) in tried {
        match outcome {
            Ok(_) => open.push(address.clone()),
            Err(why) => failed.push((address, why)),
        }
    }
    let named = |all: &[Address]| all.iter().map(Address::to_string).collect::<Vec<_>>().join(", ");
    let Some((_, why)) = failed.first() else {
        let several =
            open.iter().filter_map(|it| it.look_up(until).ok()).filter(|all| all.len() > 1);
        let swallowing = swallowing(&several.flatten().collect::<Vec<_>>());
        if !swallowing.is_empty() {
            let all: Vec<String> = swallowing.iter().map(SocketAddr::to_string).collect();
            let seen = format!(
                "{} can be reached, but its addresses {} never answer",
                named(&open),
                all.join(", ")
            );
            let fix = "remove them from DNS or /etc/hosts, or have them refuse connections: clients lose time there";
            return (Check::warn(NAME, seen, fix), open);
        }
        let verb = if open.len() == 1 { "takes" } else { "take" };
        return (Check::ok(NAME, format!("{} {verb} connections", named(&open))), open);
    };
    let fix = match why {
        ConnectFailure::Unknown(_) => {
            "check the spelling, or give this machine the name (DNS, /etc/hosts)"
        }
        ConnectFailure::Refused => {
            "start the broker, or correct host and port: a container's port must be published"
        }
        ConnectFailure::Silent => {
            "check host and port, and what is in between (firewall, security group, VPN)"
        }
        ConnectFailure::Other(_) => "check host and port, and this machine's network",
    };
    let seen: Vec<String> =
        failed.iter().map(|(address, why)| format!("{address}: {why}")).collect();
    let seen = seen.join("; ");
    if open.is_empty() {
        return (Check::fail(NAME, ExitCode::BrokerUnreachable, seen, fix), open);
    }
    (Check::warn(NAME, format!("{seen}; {} is open", named(&open)), fix), open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_librdkafka_reads_them() {
        let read = |text: &str| {
            let all = Address::list(text)?;
            Ok::<_, AddressError>(all.iter().map(Address::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(read("a:1, b ,,PLAINTEXT://c:3"), Ok("a:1 b:9092 c:3".to_owned()));
        assert_eq!(read("[::1]:9,::1"), Ok("[::1]:9 [::1]:9092".to_owned()));
        for wrong in ["a:b", ":9092", "a:99999", "a:"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
