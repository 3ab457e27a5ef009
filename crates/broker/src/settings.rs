//! The broker's settings.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The settings of a broker. All have defaults.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The address of node 1. The other nodes take the ports that follow, or any free ports if the port
    /// is 0. Default: loopback, port 0.
    pub listen: SocketAddr,
    /// The advertised host and port of node 1, if they differ from `listen`. The other nodes advertise
    /// the ports that follow.
    pub advertise: Option<(String, u16)>,
    /// How many nodes, at least 1. Default 1.
    pub nodes: i32,
    /// The most bytes of batches that a partition keeps. The oldest are deleted first. Default 256 MiB.
    pub partition_bytes: usize,
    /// The most bytes of batches that all partitions keep. Default 1 GiB.
    pub total_bytes: usize,
    /// The most bytes of a request, as Kafka's `socket.request.max.bytes`. Default 100 MiB.
    pub request_bytes: usize,
    /// Broker settings by Kafka's names, as `producer.id.expiration.ms`.
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

    /// With this many nodes.
    #[must_use]
    pub fn nodes(mut self, nodes: i32) -> Settings {
        self.nodes = nodes;
        self
    }

    /// With a broker setting, by Kafka's name.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl ToString) -> Settings {
        self.config.push((name.to_owned(), value.to_string()));
        self
    }
}
