//! Why a connection can't be, or ends.

use std::io;

use crate::protocol::ProtocolError;
use crate::tls::TlsError;

/// Why a connection to a broker can't be, or ends. Texts are fragments that speak of the broker as "it".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The system's, of the network and of names.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No encrypted connection comes about.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A request or response that can't be.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The connection was not open in time.
    #[error("it did not answer in time")]
    ConnectTimeout,
    /// A request was not answered in time.
    #[error("it did not answer a request in time")]
    RequestTimeout,
    /// A response to no request of ours.
    #[error("it answered what it was not asked")]
    UnexpectedResponse,
    /// A response that is longer than any of Kafka's.
    #[error("its answer is too long: is it a Kafka broker?")]
    ResponseTooLong,
    /// The broker knows of no brokers, itself included: it has yet to learn its cluster.
    #[error("it knows of no brokers")]
    NoBrokers,
    /// The cluster names another address for the broker.
    #[error("the cluster names another address for it")]
    AddressChanged,
}
