//! The embedded broker: `fleetstorm-broker` on a free loopback port, or on the address given.
//!
//! Any Kafka client can use it. It keeps everything in memory, within limits, and loses it when the
//! program ends. No claim about delivery or speed is based on it.

use bytesize::ByteSize;
use fleetstorm_broker::{Broker, BrokerError, Settings};

/// A running embedded broker. Dropping it stops it.
pub struct EmbeddedBroker {
    broker: Broker,
    limits_note: String,
}

impl EmbeddedBroker {
    /// Starts a broker on loopback.
    ///
    /// # Errors
    /// [`BrokerError`] if it can't listen.
    pub fn start() -> Result<EmbeddedBroker, BrokerError> {
        EmbeddedBroker::with(Settings::new())
    }

    /// Starts a broker with these settings.
    ///
    /// # Errors
    /// [`BrokerError`] if it can't listen.
    pub fn with(settings: Settings) -> Result<EmbeddedBroker, BrokerError> {
        let bytes = |count: usize| ByteSize::b(count as u64).display().iec();
        let limits_note = format!(
            "the embedded broker is for tests and demos: it keeps up to {} a partition and {} in all in \
             memory, drops the oldest beyond, has no security, and forgets everything when the program \
             ends",
            bytes(settings.partition_bytes),
            bytes(settings.total_bytes)
        );
        Ok(EmbeddedBroker { broker: Broker::start(settings)?, limits_note })
    }

    /// Its address, as host:port.
    pub fn address(&self) -> String {
        self.broker.bootstrap()
    }

    /// What the user should know about it, as half a sentence.
    pub fn limits_note(&self) -> &str {
        &self.limits_note
    }
}
