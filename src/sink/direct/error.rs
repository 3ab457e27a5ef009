//! Why the direct transport can't be used.

use crate::sink::kafka::KafkaError;

/// Why the direct transport can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectError {
    /// A property that it doesn't support.
    #[error(
        "--transport direct doesn't support the property {property}: leave one of them out, or use --transport librdkafka"
    )]
    Property {
        /// Its name.
        property: String,
    },
    /// A value that it doesn't support.
    #[error(
        "--transport direct doesn't support this value of the property {property}: leave one of them out, or use --transport librdkafka"
    )]
    Value {
        /// Its name.
        property: String,
    },
    /// SASL is configured.
    #[error(
        "--transport direct doesn't support SASL: leave out --transport, or use --transport librdkafka"
    )]
    Sasl,
    /// Transactions are configured.
    #[error(
        "--transport direct doesn't support transactions: leave out --transport, or use --transport librdkafka"
    )]
    Transactions,
    /// The TLS properties can't be used.
    #[error("{property} can't be used: {problem}")]
    Tls {
        /// Its name.
        property: String,
        /// What is wrong.
        problem: String,
    },
    /// The run was stopped, or the cluster can't be used.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The producer can't start.
    #[error("the producer could not be started: {0}")]
    Start(String),
}
