//! Hosts and ports, as bootstrap servers are written.

use std::fmt;

/// A broker's host and port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ServerAddress {
    /// A name or an IP address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Why a text is not a list of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It has no address.
    #[error("no broker is named")]
    Empty,
    /// An address has no host.
    #[error("{0:?} has no host")]
    NoHost(String),
    /// A port is not a number from 1 to 65535.
    #[error("{port:?} in {address:?} is not a port")]
    BadPort {
        /// The port.
        port: String,
        /// The address.
        address: String,
    },
}

/// The port of an address without one.
const DEFAULT_PORT: u16 = 9092;

impl ServerAddress {
    /// The addresses in a comma-separated list, as in `a:9092,b:9092`. The port may be left out. A
    /// protocol may come first, as in Kafka's listeners. An IPv6 address with a port needs brackets.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse_list(text: &str) -> Result<Vec<ServerAddress>, AddressError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let all = parts.map(ServerAddress::parse).collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() { Err(AddressError::Empty) } else { Ok(all) }
    }

    fn parse(text: &str) -> Result<ServerAddress, AddressError> {
        let bare = text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/');
        let (host, port) = match bare.rsplit_once(':') {
            // An IPv6 number without a port.
            Some((before, _)) if before.contains(':') && !before.ends_with(']') => (bare, None),
            Some((host, port)) => (host, Some(port)),
            None => (bare, None),
        };
        let bad =
            |port: &str| AddressError::BadPort { port: port.to_owned(), address: text.to_owned() };
        let port = port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| bad(port)))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(AddressError::NoHost(text.to_owned()));
        }
        Ok(ServerAddress { host, port })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_clients_write_them() {
        let list = "a:1, SSL://b.example:9093/,c,[::1]:5,::1,";
        let read = ServerAddress::parse_list(list).unwrap();
        let hosts: Vec<_> = read.iter().map(|one| (one.host.as_str(), one.port)).collect();
        assert_eq!(hosts, [("a", 1), ("b.example", 9093), ("c", 9092), ("::1", 5), ("::1", 9092)]);
        assert_eq!(ServerAddress::parse_list(" ,"), Err(AddressError::Empty));
        assert!(matches!(ServerAddress::parse_list("a:1,:2"), Err(AddressError::NoHost(_))));
        assert!(matches!(ServerAddress::parse_list("a:http"), Err(AddressError::BadPort { .. })));
    }
}
