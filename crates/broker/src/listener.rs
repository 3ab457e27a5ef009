//! Connections: frames are read, handled one after another as in Kafka, and answered. Injected faults act
//! here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, RequestHeader, RequestKind, ResponseHeader, ResponseKind};
use kafka_protocol::protocol::{Decodable, Encodable};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::faults::{self, Action, Hit};
use crate::requests::{self, Context};
use crate::state::Shared;

/// How long a connection may be idle, as Kafka's `connections.max.idle.ms`.
const IDLE: Duration = Duration::from_secs(600);
/// The most bytes of a request without records.
const SMALL: usize = 16 << 20;
/// The initial buffer of a frame: a client's claimed length is not trusted.
const FIRST_ROOM: usize = 64 << 10;
/// API key, version and correlation id, with which every request begins.
const START: usize = 8;

/// Accepts connections for a node until it is aborted.
pub(crate) async fn accept(listener: &TcpListener, shared: Arc<Shared>, node: i32) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let Some(cut) = shared.state().node(node).map(|n| n.cut.subscribe()) else {
                    return;
                };
                tokio::spawn(serve(stream, from, shared.clone(), node, cut));
            }
            // Out of file descriptors, most likely: others will be closed.
            Err(e) => {
                tracing::warn!("can't accept a connection: {e}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    from: SocketAddr,
    shared: Arc<Shared>,
    node: i32,
    mut cut: watch::Receiver<u64>,
) {
    let _ = stream.set_nodelay(true);
    let mut connection = Connection { stream, shared, node, host: from.ip().to_string() };
    let ended = tokio::select! {
        _ = cut.changed() => return,
        ended = connection.run() => ended,
    };
    if let Err(Ended::Bad(why)) = ended {
        tracing::debug!("a connection to node {node} was closed: {why}");
    }
}

/// Why a connection ended.
enum Ended {
    /// The client closed it, or a test asked for it.
    Quietly,
    /// The client sent an invalid request.
    Bad(String),
}

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Ended {
        Ended::Quietly
    }
}

struct Connection {
    stream: TcpStream,
    shared: Arc<Shared>,
    node: i32,
    /// The client's address.
    host: String,
}

impl Connection {
    async fn run(&mut self) -> Result<(), Ended> {
        loop {
            let frame = tokio::time::timeout(IDLE, self.frame());
            let frame = frame.await.map_err(|_| Ended::Quietly)??;
            self.handle(frame).await?;
        }
    }

    /// The next request, without its length.
    async fn frame(&mut self) -> Result<Bytes, Ended> {
        let claimed = self.stream.read_i32().await?;
        let length = usize::try_from(claimed).unwrap_or(0);
        if length < START || length > self.shared.settings.request_bytes {
            return Err(Ended::Bad(format!("a request of {claimed} bytes")));
        }
        let mut frame = BytesMut::with_capacity(length.min(FIRST_ROOM));
        while frame.len() < length {
            if frame.len() == frame.capacity() {
                frame.reserve((length - frame.len()).min(frame.len().max(START)));
            }
            let left = (length - frame.len()) as u64;
            if (&mut self.stream).take(left).read_buf(&mut frame).await? == 0 {
                return Err(Ended::Quietly);
            }
            let brings_records = frame.len() < 2 || frame[..2] == [0, ApiKey::Produce as u8];
            if length > SMALL && !brings_records {
                return Err(Ended::Bad(format!("a request of {length} bytes without records")));
            }
        }
        Ok(frame.freeze())
    }

    async fn handle(&mut self, frame: Bytes) -> Result<(), Ended> {
        let mut start = frame.clone();
        let (key, version, correlation) = (start.get_i16(), start.get_i16(), start.get_i32());
        let api = ApiKey::try_from(key).map_err(|()| Ended::Bad(format!("API {key}")))?;
        let supported = requests::versions(api);
        if matches!(api, ApiKey::ApiVersions) && supported.is_some_and(|(_, max)| version > max) {
            // A client that is newer than the broker learns its versions from the oldest response.
            self.shared.count_request(self.node, api);
            let answer = requests::versions_answer(Some(ResponseError::UnsupportedVersion));
            return self.send(api, 0, correlation, &answer.into()).await;
        }
        if supported.is_none_or(|(min, max)| version < min || version > max) {
            return Err(Ended::Bad(format!("{api:?} in version {version}")));
        }
        let mut body = frame;
        let header = RequestHeader::decode(&mut body, api.request_header_version(version))
            .map_err(|e| Ended::Bad(e.to_string()))?;
        let request =
            requests::decode(api, version, body).map_err(|e| Ended::Bad(e.to_string()))?;
        self.shared.count_request(self.node, api);
        let cx = Context {
            shared: self.shared.clone(),
            node: self.node,
            api,
            version,
            client_id: header.client_id.unwrap_or_default().to_string(),
            host: self.host.clone(),
        };
        self.answer(&cx, request, correlation).await
    }

    async fn answer(
        &mut self,
        cx: &Context,
        request: RequestKind,
        correlation: i32,
    ) -> Result<(), Ended> {
        let hit = self.hit(cx.api, &request);
        let action = hit.as_ref().map(|h| h.action);
        let whole = hit.as_ref().is_some_and(|h| h.partition.is_none());
        match action {
            Some(Action::Disconnect) => return Err(Ended::Quietly),
            Some(Action::DelayRequest(time)) => tokio::time::sleep(time).await,
            _ => {}
        }
        let mut answer = match action {
            Some(Action::Fail(error)) if whole => requests::error_response(cx, &request, error),
            Some(Action::ApplyThenFail(error)) if whole => {
                let refusal = requests::error_response(cx, &request, error);
                done(cx, request, None).await?;
                refusal
            }
            _ => done(cx, request, hit.as_ref()).await?,
        };
        match action {
            Some(Action::ApplyThenDisconnect) => return Err(Ended::Quietly),
            Some(Action::NeverRespond) => std::future::pending().await,
            Some(Action::DelayResponse(time)) => tokio::time::sleep(time).await,
            Some(Action::Throttle(time)) => {
                if let Some(answer) = &mut answer {
                    requests::throttle(answer, i32::try_from(time.as_millis()).unwrap_or(i32::MAX));
                }
            }
            _ => {}
        }
        if let Some(answer) = answer {
            self.send(cx.api, cx.version, correlation, &answer).await?;
        }
        if let Some(Action::Throttle(time)) = action {
            tokio::time::sleep(time).await;
        }
        Ok(())
    }

    /// The fault that a test injected for this request.
    fn hit(&self, api: ApiKey, request: &RequestKind) -> Option<Hit> {
        let mut faults = self.shared.faults.lock();
        if !faults.any() {
            return None;
        }
        let name_of = |id| self.shared.state().topics.name_of(id).map(str::to_owned);
        faults.take(self.node, api, |t, p| faults::has_partition(request, name_of, t, p))
    }

    async fn send(
        &mut self,
        api: ApiKey,
        version: i16,
        correlation: i32,
        answer: &ResponseKind,
    ) -> Result<(), Ended> {
        let bad = |e: &dyn std::fmt::Display| Ended::Bad(format!("no answer to {api:?}: {e}"));
        let mut out = BytesMut::with_capacity(256);
        out.put_i32(0);
        ResponseHeader::default()
            .with_correlation_id(correlation)
            .encode(&mut out, api.response_header_version(version))
            .map_err(|e| bad(&e))?;
        answer.encode(&mut out, version).map_err(|e| bad(&e))?;
        let length = i32::try_from(out.len() - 4).map_err(|e| bad(&e))?;
        out[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&out).await?;
        Ok(())
    }
}

async fn done(
    cx: &Context,
    request: RequestKind,
    hit: Option<&Hit>,
) -> Result<Option<ResponseKind>, Ended> {
    requests::answer(cx, request, hit).await.map_err(|_| Ended::Quietly)
}
