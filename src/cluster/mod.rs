//! Reaching clusters and registries as Kafka's users configure it: by options, by Java clients' files of
//! properties, by the environment.

pub mod connection;
mod environment;
pub mod java;
pub mod options;
pub mod pem;
pub mod properties_file;

pub use connection::Connection;
pub use java::{JavaClient, RegistryKeys};
pub use options::ClusterOptions;
