//! How a broker is started.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How a broker is started; all has a default.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Where node 1 listens; the others listen on the ports that follow, or where the port is 0, on
    /// ports of the system's choice. Loopback with port 0 unless set.
    pub listen: SocketAddr,
    /// The host and port that clients are told for node 1 (the others: the ports that follow), where
    /// it isn't what they listen on.
    pub advertise: Option<(String, u16)>,
    /// How many nodes: 1 unless set, at least 1.
    pub nodes: i32,
    /// The most bytes of batches that a partition keeps: 256 MiB unless set. The oldest go first.
    pub partition_bytes: usize,
    /// The most bytes of batches that all partitions keep: 1 GiB unless set.
    pub total_bytes: usize,
    /// The most bytes of a request: 100 MiB unless set, as Kafka's `socket.request.max.bytes`.
    pub request_bytes: usize,
    /// Settings of the broker by Kafka's names, as `producer.id.expiration.ms`.
    pub config: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            advertise: None,
            nodes: 1,
            partition_bytes: 256 << 20,
            total_bytes: 1 << 30,
            request_bytes: 100 << 20,
            config: Vec::new(),
        }
    }
}

impl Settings {
    /// The defaults.
    #[must_use]
    pub fn new() -> Settings {
        Settings::default()
    }

    /// With so many nodes.
    #[must_use]
    pub fn nodes(mut self, nodes: i32) -> Settings {
        self.nodes = nodes;
        self
    }

    /// With a setting of the broker, by Kafka's name.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl ToString) -> Settings {
        self.config.push((name.to_owned(), value.to_string()));
        self
    }
}
