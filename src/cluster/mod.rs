//! Reaching clusters as Kafka's users configure it: Java clients' files of properties, and keys in PEM.

pub mod pem;
pub mod properties_file;
