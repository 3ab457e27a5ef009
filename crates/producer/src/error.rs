//! Errors that the caller sees.

use std::io;

use crate::address::AddressError;
use crate::connection::ConnectionError;
use crate::error_code::ErrorCode;

/// Why a producer can't start, or has stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProducerError {
    /// The bootstrap servers can't be parsed.
    #[error("bad bootstrap servers: {0}")]
    Bootstrap(#[from] AddressError),
    /// The system has no thread, or no event loop, left.
    #[error(transparent)]
    Thread(#[from] io::Error),
    /// The brokers refuse to allocate a producer id, which idempotence needs.
    #[error("no broker gives it a producer id: {0}")]
    NoProducerId(ErrorCode),
    /// Not all leaders were reached in time. Holds the last failed connection, if there was one.
    #[error("{}", unreached(.0.as_ref()))]
    NotReady(Option<BrokerDisconnected>),
    /// The sender thread ended: a bug in this crate.
    #[error("its sender thread has ended: a bug in this program")]
    ThreadEnded,
}

/// A broker that was not reached, or that disconnected.
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
        || "the leaders of the partitions can't be reached".to_owned(),
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
    /// The producer was not given this partition.
    #[error("topic {topic} has no partition {partition}")]
    NoSuchPartition {
        /// The topic's index.
        topic: usize,
        /// The partition.
        partition: i32,
    },
    /// The codec failed.
    #[error("a batch can't be compressed: {0}")]
    Compression(#[from] io::Error),
    /// The sender thread ended.
    #[error("its sender thread has ended")]
    ThreadEnded,
}

/// Why a record failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeliveryError {
    /// It was not acknowledged within the delivery timeout.
    DeliveryTimeout,
    /// A broker rejected it with this code.
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
