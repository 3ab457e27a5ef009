//! Why there is no direct producer.

use crate::sink::kafka::KafkaError;

/// Why there is no direct producer.
#[derive(Debug, thiserror::Error)]
pub enum DirectError {
    /// A property that it doesn't have.
    #[error(
        "--transport direct doesn't have the property {property}: leave one of them out, or use --transport librdkafka"
    )]
    Property {
        /// Its name.
        property: String,
    },
    /// A value that it can't take.
    #[error("--transport direct can't take this value of the property {property}")]
    Value {
        /// Its name.
        property: String,
    },
    /// SASL.
    #[error("--transport direct doesn't speak SASL: leave it out, or use --transport librdkafka")]
    Sasl,
    /// Transactions.
    #[error("--transport direct has no transactions: leave it out, or use --transport librdkafka")]
    Transactions,
    /// The properties of TLS can't be used.
    #[error("{property} can't be used: {problem}")]
    Tls {
        /// Its name.
        property: String,
        /// What is wrong.
        problem: String,
    },
    /// The run was stopped meanwhile.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The brokers can't be written to.
    #[error("the producer could not be started: {0}")]
    Start(String),
}
