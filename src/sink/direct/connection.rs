//! A connection to one broker: opened within a time, then frames out and answers in.

use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::reach::reach;
use super::sender::Event;
use super::settings::Settings;
use super::shared::Shared;
use super::tls::Stream;
use super::wire::{self, Versions};

/// After how long without traffic the system asks whether the other end is there, and how often then:
/// a network that forgets idle connections is noticed before records meet it.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// The largest answer that is read: some thousand partitions take less.
const LARGEST_ANSWER: usize = 16 << 20;

/// A connection that is open. Dropped, it ends.
pub(super) struct Connection {
    pub(super) versions: Versions,
    frames: UnboundedSender<BytesMut>,
    tasks: [JoinHandle<()>; 2],
}

/// Which connection an event is about: to a broker, the nth of those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionId {
    pub(super) broker: i32,
    pub(super) nth: u64,
}

impl Connection {
    /// Sends a frame; one that can't be sent any more ends the connection, which its event tells.
    pub(super) fn send(&self, frame: BytesMut) {
        let _ended = self.frames.send(frame);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Connects to `host`, and tells `events` of the connection or of why there is none.
pub(super) async fn open(
    id: ConnectionId,
    host: String,
    port: u16,
    settings: Rc<Settings>,
    shared: std::sync::Arc<Shared>,
    events: UnboundedSender<Event>,
) {
    let opened = timeout(PATIENCE, connect(&host, port, &settings)).await;
    let event = match opened {
        Ok(Ok((stream, versions))) => {
            let (reading, writing) = tokio::io::split(stream);
            let (frames, queue) = unbounded_channel();
            let unanswered = settings.acks() == 0;
            let tasks = [
                tokio::task::spawn_local(read(id, reading, events.clone())),
                tokio::task::spawn_local(write(
                    id,
                    writing,
                    queue,
                    unanswered,
                    shared,
                    events.clone(),
                )),
            ];
            Event::Connected(id, Connection { versions, frames, tasks })
        }
        Ok(Err(cause)) => Event::Closed(id, cause),
        Err(_) => Event::Closed(id, "it did not answer in time".to_owned()),
    };
    let _nobody_listens = events.send(event);
}

/// How long a connection may take to be opened.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to `host`, and the versions that the broker there knows.
///
/// # Errors
/// Why there is none, in words.
pub(super) async fn connect(
    host: &str,
    port: u16,
    settings: &Settings,
) -> Result<(Box<dyn Stream>, Versions), String> {
    let text = |error: std::io::Error| error.to_string();
    let stream = reach(host, port).await.map_err(text)?;
    stream.set_nodelay(true).map_err(text)?;
    if settings.keepalive {
        let often = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
        SockRef::from(&stream).set_tcp_keepalive(&often).map_err(text)?;
    }
    let mut stream: Box<dyn Stream> = match &settings.tls {
        Some(tls) => tls.wrap(host, stream).await?,
        None => Box::new(stream),
    };
    let mut frame = BytesMut::new();
    wire::ask_versions(&settings.client_id, &mut frame)?;
    stream.write_all(&frame).await.map_err(text)?;
    let answer = next(&mut stream).await.map_err(text)?;
    let versions = Versions::read(answer)?;
    Ok((stream, versions))
}

/// The next answer, without its length.
pub(super) async fn next(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Bytes> {
    let length = stream.read_u32().await? as usize;
    if length > LARGEST_ANSWER {
        return Err(std::io::Error::other("its answer is too long: is it a Kafka broker?"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Ok(answer.into())
}

async fn read(id: ConnectionId, stream: impl AsyncRead + Unpin, events: UnboundedSender<Event>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (event, ends) = match next(&mut stream).await {
            Ok(answer) => (Event::Answer(id, answer), false),
            Err(error) => (Event::Closed(id, error.to_string()), true),
        };
        if events.send(event).is_err() || ends {
            return;
        }
    }
}

async fn write(
    id: ConnectionId,
    mut stream: impl tokio::io::AsyncWrite + Unpin,
    mut frames: UnboundedReceiver<BytesMut>,
    unanswered: bool,
    shared: std::sync::Arc<Shared>,
    events: UnboundedSender<Event>,
) {
    while let Some(frame) = frames.recv().await {
        let written = match stream.write_all(&frame).await {
            Ok(()) => stream.flush().await,
            Err(error) => Err(error),
        };
        let event = match written {
            Ok(()) if unanswered => Event::Written(id),
            Ok(()) => {
                shared.frames.give(frame);
                continue;
            }
            Err(error) => Event::Closed(id, error.to_string()),
        };
        shared.frames.give(frame);
        if events.send(event).is_err() {
            return;
        }
    }
}
