//! What goes wrong, as the caller is told.

use std::io;

use crate::address::AddressError;
use crate::connection::ConnectionError;
use crate::error_code::ErrorCode;

/// Why there is no producer, or no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProducerError {
    /// The bootstrap servers are no addresses.
    #[error("bad bootstrap servers: {0}")]
    Bootstrap(#[from] AddressError),
    /// The system gives no thread, or none that can wait for the network.
    #[error(transparent)]
    Thread(#[from] io::Error),
    /// The brokers refuse a producer id, without which no producer is idempotent.
    #[error("no broker gives it a producer id: {0}")]
    NoProducerId(ErrorCode),
    /// Not all leaders could be reached in time: what came of the last attempt, where there was one.
    #[error("{}", unreached(.0.as_ref()))]
    NotReady(Option<BrokerDisconnected>),
    /// The thread that talks to the brokers has ended by a mistake in this crate.
    #[error("its thread has ended by a mistake in this program")]
    ThreadEnded,
}

/// A broker that was not reached, or is no longer.
#[derive(Debug, thiserror::Error)]
#[error("the connection to {host}:{port} ended: {cause}")]
pub struct BrokerDisconnected {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Why.
    pub cause: ConnectionError,
}

fn unreached(last: Option<&BrokerDisconnected>) -> String {
    last.map_or_else(
        || "the partitions' leaders can't be reached".to_owned(),
        BrokerDisconnected::to_string,
    )
}

/// Why an appender takes no more records.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The caller's flag was set while the producer was full.
    #[error("it was stopped while the producer was full")]
    Stopped,
    /// The producer was given no such partition.
    #[error("topic {topic} has no partition {partition}")]
    NoSuchPartition {
        /// The topic's index.
        topic: usize,
        /// The partition.
        partition: i32,
    },
    /// The codec fails.
    #[error("a batch can't be compressed: {0}")]
    Compression(#[from] io::Error),
    /// The producer's thread has ended.
    #[error("its thread has ended")]
    ThreadEnded,
}

/// Why a record was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeliveryError {
    /// It was not acknowledged within the delivery timeout.
    DeliveryTimeout,
    /// A broker refused it, by this code.
    Broker(ErrorCode),
}

impl std::fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DeliveryError::DeliveryTimeout => f.write_str("the delivery timeout has passed"),
            DeliveryError::Broker(code) => code.fmt(f),
        }
    }
}
