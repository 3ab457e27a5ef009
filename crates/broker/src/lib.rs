//! An in-memory Kafka broker for tests and demos. It speaks Kafka's protocol, keeps every batch as it
//! came, within limits, and deletes everything when it ends. It checks producers' sequences as Kafka
//! does. On request it injects faults: it drops connections before or after an append, answers with an
//! error or late, moves leaders, loses producer state. It is not for data that matters: it replicates,
//! persists and secures nothing. Begin reading at [`Broker`], then [`Fault`]. Inside, `listener` reads
//! frames, `requests` has a file for each family of requests, and `log` is a partition's log.

mod bounded_reader;
mod broker;
mod config;
mod faults;
mod groups;
mod ids;
mod listener;
mod log;
mod requests;
mod settings;
mod state;
mod topics;
mod transactions;

pub use broker::{Broker, BrokerError, Restart, StoredBatch, StoredRecord};
pub use faults::{Action, ActiveFault, Fault};
pub use kafka_protocol::error::ResponseError;
pub use kafka_protocol::messages::ApiKey;
pub use log::producers::ProducerState;
pub use settings::Settings;
pub use state::CLUSTER_ID;
