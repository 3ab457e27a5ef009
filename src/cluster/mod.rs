//! How to reach clusters and registries, as Kafka users configure it: by options, by a Java client's
//! properties file, by the environment.

pub mod connection;
mod environment;
pub mod java;
pub mod options;
pub mod pem;
pub mod properties_file;

pub use connection::Connection;
pub use java::{JavaClient, RegistryKeys};
pub use options::ClusterOptions;
