//! Events of the sender thread.

use crate::batch::Batch;
use crate::connection::ConnectionEvent;
use crate::error::BrokerDisconnected;
use crate::metadata::ClusterMetadata;

/// An event of the sender thread.
pub(crate) enum Event {
    /// Batches to send, in order.
    Batches(Vec<Batch>),
    /// An event on a connection.
    Connection(ConnectionId, ConnectionEvent),
    /// The cluster's metadata, or why it could not be fetched.
    Metadata(Result<ClusterMetadata, BrokerDisconnected>),
    /// The producer was dropped.
    Stop,
}

/// Which connection an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionId {
    /// The broker.
    pub(crate) broker: i32,
    /// Its number among all connection attempts of the producer.
    pub(crate) attempt: u64,
}
