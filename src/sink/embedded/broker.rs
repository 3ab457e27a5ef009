//! The embedded broker: librdkafka's mock cluster on a loopback port of the system's choice.
//!
//! It keeps about 5 MiB a partition and drops the oldest beyond, compacts nothing, and forgets all
//! when the program ends. Any Kafka client can read from it; no claim about delivery or speed
//! rests on it.

use rdkafka::error::KafkaError as ClientError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::sink::kafka::KafkaError;

/// What a user should know about the embedded broker.
pub const CAVEAT: &str = "the embedded broker is for first contact: it keeps about 5 MiB a partition, drops the oldest \
     beyond, and forgets everything when the program ends";

/// A running embedded broker; it ends when dropped.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Starts a broker.
    ///
    /// # Errors
    /// [`KafkaError::Request`] where it can't listen.
    pub fn start() -> Result<EmbeddedBroker, KafkaError> {
        let cluster = MockCluster::new(1).map_err(|e| request("start the embedded broker", &e))?;
        Ok(EmbeddedBroker { cluster })
    }

    /// Its address, as host:port.
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// [`KafkaError::Request`] where the name can't be a topic's, or is taken.
    pub fn create_topic(&self, name: &str, partitions: u32) -> Result<(), KafkaError> {
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        self.cluster
            .create_topic(name, partitions, 1)
            .map_err(|e| request(&format!("create topic `{name}` on the embedded broker"), &e))
    }
}

fn request(action: &str, cause: &ClientError) -> KafkaError {
    KafkaError::Request { action: action.to_owned(), cause: cause.to_string() }
}
