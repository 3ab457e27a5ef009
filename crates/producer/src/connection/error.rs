//! Why a connection failed or closed.

use std::io;

use crate::protocol::ProtocolError;
use crate::tls::TlsError;

/// Why a connection to a broker failed or closed. Texts are fragments that call the broker "it".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// An error of the network or of name resolution.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The TLS handshake failed.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A request can't be encoded, or a response decoded.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The connection did not open within the connect timeout.
    #[error("it did not answer in time")]
    ConnectTimeout,
    /// A request was not answered within the request timeout.
    #[error("it did not answer a request in time")]
    RequestTimeout,
    /// A response that matches no request.
    #[error("it sent a response that matches no request")]
    UnexpectedResponse,
    /// A response that is longer than any of Kafka's.
    #[error("its answer is too long: is it a Kafka broker?")]
    ResponseTooLong,
    /// The broker reports no brokers, not even itself: it has not joined its cluster yet.
    #[error("its metadata lists no brokers")]
    NoBrokers,
    /// The metadata has another address for the broker.
    #[error("the metadata has another address for it now")]
    AddressChanged,
}
