//! An in-memory Kafka broker for tests and demos. It speaks the protocol of Kafka's clients, keeps every
//! batch as it came, within bounds, and forgets all when it ends. It checks producers' sequences as
//! Kafka does, and does on request what a real one does at bad moments: drops connections before or
//! after storing, answers with a code or late, moves leaders, forgets. It isn't for data that matters:
//! nothing is replicated, written to disk or secured. Begin reading at [`Broker`], then [`Fault`];
//! inside, `listener` takes frames, `requests` has a file for each family of requests, `log` is a
//! partition.

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
