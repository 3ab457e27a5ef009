//! How brokers are reached, as the user says.

use std::path::PathBuf;
use std::time::Duration;

use crate::sink::property::Property;

/// How brokers are reached.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterOptions {
    /// Addresses of brokers, separated by commas.
    pub bootstrap_servers: Option<String>,
    /// A file of a Java client's properties.
    pub command_config: Option<PathBuf>,
    /// Properties of librdkafka, which win over the file.
    pub properties: Vec<Property>,
    /// How long brokers and topics may take to answer.
    pub connect_timeout: Duration,
}

impl Default for ClusterOptions {
    fn default() -> ClusterOptions {
        ClusterOptions {
            bootstrap_servers: None,
            command_config: None,
            properties: Vec::new(),
            connect_timeout: Duration::from_secs(15),
        }
    }
}
