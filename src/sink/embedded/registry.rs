//! A Confluent-compatible schema registry, served on loopback while a run lasts.
//!
//! It lets consumers read the embedded broker's topics without setting anything up. It keeps
//! Avro schemas in memory, within bounds, and checks compatibility as the real one does by
//! default (BACKWARD). It has no authentication, schema references, contexts, import mode or
//! rules; requests for them are refused or ignored.

mod answer;
mod compatibility;
mod routes;
mod store;
#[cfg(test)]
mod tests;

use std::future::IntoFuture;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::oneshot;

/// For how long requests under way may finish when the registry stops.
const DRAIN: Duration = Duration::from_secs(1);

/// A registry that is being served; dropping it stops it, within about a second.
#[derive(Debug)]
pub struct EmbeddedRegistry {
    address: SocketAddr,
    /// Dropped to stop the server.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why the embedded registry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedRegistryError {
    /// Another program listens there already.
    #[error(
        "the embedded schema registry cannot listen on {address}: the port is taken; \
         choose another with --embedded-registry HOST:PORT, or port 0 for any free one"
    )]
    PortTaken {
        /// Where it should have listened.
        address: SocketAddr,
    },

    /// The address can't be listened on.
    #[error(
        "the embedded schema registry cannot listen on {address}: {cause}; \
         choose another address with --embedded-registry HOST:PORT"
    )]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// The system's reason.
        cause: io::Error,
    },

    /// The system refused a thread or what it needs.
    #[error("the embedded schema registry cannot be started: {cause}")]
    Start {
        /// The system's reason.
        cause: io::Error,
    },
}

impl EmbeddedRegistry {
    /// Listens on an address, port 0 for any free one, and serves from a thread of its own.
    pub fn start(address: SocketAddr) -> Result<EmbeddedRegistry, EmbeddedRegistryError> {
        let start = |cause| EmbeddedRegistryError::Start { cause };
        let listener = TcpListener::bind(address).map_err(|cause| match cause.kind() {
            io::ErrorKind::AddrInUse => EmbeddedRegistryError::PortTaken { address },
            _ => EmbeddedRegistryError::Listen { address, cause },
        })?;
        listener.set_nonblocking(true).map_err(start)?;
        let address = listener.local_addr().map_err(start)?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(start)?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(start)?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("embedded-registry".to_owned())
            .spawn(move || runtime.block_on(serve(listener, stopped)))
            .map_err(start)?;
        Ok(EmbeddedRegistry { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the user should know of where it listens, if anything.
    pub fn caution(&self) -> Option<String> {
        caution(self.address)
    }

    /// The URL for clients on this machine.
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("http://{address}")
    }
}

impl Drop for EmbeddedRegistry {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, was printed by the panic hook.
            let _ = thread.join();
        }
    }
}

fn caution(address: SocketAddr) -> Option<String> {
    (!address.ip().is_loopback()).then(|| {
        format!(
            "the embedded registry listens on {address}, where other machines may reach it: it asks \
             nobody for a password, and encrypts nothing"
        )
    })
}

/// Serves until the other end of `stopped` is dropped, and a little longer for what is under way.
async fn serve(listener: tokio::net::TcpListener, stopped: oneshot::Receiver<()>) {
    let (drain, draining) = oneshot::channel::<()>();
    let server = axum::serve(listener, routes::router()).with_graceful_shutdown(async {
        let _ = draining.await;
    });
    let server = tokio::spawn(server.into_future());
    let _ = stopped.await;
    drop(drain);
    let _ = tokio::time::timeout(DRAIN, server).await;
}
