//! A connection to one broker: opened within a timeout, then frames out and responses in.

mod connect;
mod dial;
mod error;
mod exchange;

use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::address::ServerAddress;
use crate::buffers::FrameBuffers;
use crate::protocol::Versions;
use crate::settings::ConnectionSettings;

use connect::{connect, read_response};
pub use dial::connect_any;
pub use error::ConnectionError;
pub(crate) use exchange::Exchange;

/// An open connection. Dropping it closes it.
pub(crate) struct Connection {
    pub(crate) versions: Versions,
    frames: UnboundedSender<BytesMut>,
    tasks: [JoinHandle<()>; 2],
}

/// What happens on a connection.
pub(crate) enum ConnectionEvent {
    /// It was opened.
    Opened(Connection),
    /// It broke, or could not be opened.
    Closed(ConnectionError),
    /// The broker answered.
    Response(Bytes),
    /// A request without a response was written.
    Written,
}

/// How a connection is used.
#[derive(Clone)]
pub(crate) struct ConnectionOptions {
    /// Whether requests get no response (acks=0): then each one is reported once it is written.
    pub(crate) unanswered: bool,
    /// Where written frames go.
    pub(crate) frame_buffers: Arc<FrameBuffers>,
}

impl Connection {
    /// Sends a frame. If that fails, the connection closes, and its event says why.
    pub(crate) fn send(&self, frame: BytesMut) {
        let _ended = self.frames.send(frame);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Connects to a broker and passes its events to `listener`: opened or failed, then responses. The
/// listener returns whether it wants more.
pub(crate) async fn open(
    address: ServerAddress,
    settings: Rc<ConnectionSettings>,
    used: ConnectionOptions,
    listener: impl Fn(ConnectionEvent) -> bool + Clone + 'static,
) {
    let event = match connect(&address, &settings).await {
        Ok((stream, versions)) => {
            let (reading, writing) = tokio::io::split(stream);
            let (frames, queue) = unbounded_channel();
            let tasks = [
                tokio::task::spawn_local(read(reading, listener.clone())),
                tokio::task::spawn_local(write(writing, queue, used, listener.clone())),
            ];
            ConnectionEvent::Opened(Connection { versions, frames, tasks })
        }
        Err(cause) => ConnectionEvent::Closed(cause),
    };
    listener(event);
}

async fn read(stream: impl AsyncRead + Unpin, listener: impl Fn(ConnectionEvent) -> bool) {
    let mut stream = BufReader::new(stream);
    loop {
        let (event, ends) = match read_response(&mut stream).await {
            Ok(response) => (ConnectionEvent::Response(response), false),
            Err(error) => (ConnectionEvent::Closed(error), true),
        };
        if !listener(event) || ends {
            return;
        }
    }
}

async fn write(
    mut stream: impl AsyncWrite + Unpin,
    mut frames: UnboundedReceiver<BytesMut>,
    used: ConnectionOptions,
    listener: impl Fn(ConnectionEvent) -> bool,
) {
    while let Some(frame) = frames.recv().await {
        let written = match stream.write_all(&frame).await {
            Ok(()) => stream.flush().await,
            Err(error) => Err(error),
        };
        used.frame_buffers.put(frame);
        let event = match written {
            Ok(()) if used.unanswered => ConnectionEvent::Written,
            Ok(()) => continue,
            Err(error) => ConnectionEvent::Closed(error.into()),
        };
        if !listener(event) {
            return;
        }
    }
}
