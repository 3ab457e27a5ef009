//! What the thread that talks to the brokers is told.

use crate::batch::Batch;
use crate::connection::ConnectionEvent;
use crate::error::BrokerDisconnected;
use crate::metadata::ClusterMetadata;

/// What the thread is told.
pub(crate) enum Event {
    /// Batches to send, in their order.
    Batches(Vec<Batch>),
    /// Something of a connection.
    Connection(ConnectionId, ConnectionEvent),
    /// Which brokers there are and what they lead, or why that isn't known.
    Metadata(Result<ClusterMetadata, BrokerDisconnected>),
    /// Nobody will send any more, nor ask what became of what was sent.
    Stop,
}

/// Which connection an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionId {
    /// The broker.
    pub(crate) broker: i32,
    /// Its number among all that the producer has begun.
    pub(crate) attempt: u64,
}
