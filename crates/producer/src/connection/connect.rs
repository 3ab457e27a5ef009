//! Opening a connection, with TLS and ApiVersions, and reading responses.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::dial::dial;
use super::error::ConnectionError;
use crate::address::ServerAddress;
use crate::protocol::{Versions, encode_api_versions};
use crate::settings::ConnectionSettings;
use crate::tls::Stream;

/// How long a connection may be idle before TCP probes it, and how often then. A network that drops idle
/// connections is noticed before records are lost in it.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// The largest response that is read. One about thousands of partitions is smaller.
const MAX_RESPONSE_BYTES: usize = 16 << 20;

/// Connects to a broker within the connect timeout, and asks for its API versions.
pub(super) async fn connect(
    address: &ServerAddress,
    settings: &ConnectionSettings,
) -> Result<(Box<dyn Stream>, Versions), ConnectionError> {
    let connected = timeout(settings.connect_timeout, connect_untimed(address, settings)).await;
    connected.unwrap_or(Err(ConnectionError::ConnectTimeout))
}

async fn connect_untimed(
    address: &ServerAddress,
    settings: &ConnectionSettings,
) -> Result<(Box<dyn Stream>, Versions), ConnectionError> {
    let stream = dial(&address.host, address.port).await?;
    stream.set_nodelay(true)?;
    if settings.keepalive {
        let probes =
            TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
        SockRef::from(&stream).set_tcp_keepalive(&probes)?;
    }
    let mut stream: Box<dyn Stream> = match &settings.tls {
        Some(tls) => tls.connect(&address.host, stream).await?,
        None => Box::new(stream),
    };
    let mut frame = BytesMut::new();
    encode_api_versions(&mut frame, &settings.client_id)?;
    stream.write_all(&frame).await?;
    stream.flush().await?;
    let versions = Versions::decode(read_response(&mut stream).await?)?;
    Ok((stream, versions))
}

/// The next response, without its length.
pub(super) async fn read_response(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Bytes, ConnectionError> {
    let length = stream.read_u32().await? as usize;
    if length > MAX_RESPONSE_BYTES {
        return Err(ConnectionError::ResponseTooLong);
    }
    let mut response = vec![0; length];
    stream.read_exact(&mut response).await?;
    Ok(response.into())
}
