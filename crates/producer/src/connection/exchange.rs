//! Requests over a connection of their own, one at a time: for requests that are rare.

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt;

use super::connect::{connect, read_response};
use super::error::ConnectionError;
use crate::address::ServerAddress;
use crate::protocol::{ProtocolError, RequestId, Versions, correlation};
use crate::settings::ConnectionSettings;
use crate::tls::Stream;

/// A connection on which each request is answered before the next.
pub(crate) struct Exchange<'a> {
    pub(crate) versions: Versions,
    settings: &'a ConnectionSettings,
    stream: Box<dyn Stream>,
    correlation: i32,
}

impl Exchange<'_> {
    /// Connects to a broker.
    pub(crate) async fn open<'a>(
        address: &ServerAddress,
        settings: &'a ConnectionSettings,
    ) -> Result<Exchange<'a>, ConnectionError> {
        let (stream, versions) = connect(address, settings).await?;
        Ok(Exchange { versions, settings, stream, correlation: 0 })
    }

    /// The response to a request that `encode` writes.
    pub(crate) async fn request(
        &mut self,
        encode: impl FnOnce(Versions, &mut BytesMut, RequestId<'_>) -> Result<(), ProtocolError>,
    ) -> Result<Bytes, ConnectionError> {
        self.correlation += 1;
        let id = RequestId { correlation: self.correlation, client_id: &self.settings.client_id };
        let mut frame = BytesMut::new();
        encode(self.versions, &mut frame, id)?;
        self.stream.write_all(&frame).await?;
        self.stream.flush().await?;
        let response = read_response(&mut self.stream).await?;
        if correlation(&response) != Some(self.correlation) {
            return Err(ConnectionError::UnexpectedResponse);
        }
        Ok(response)
    }
}
