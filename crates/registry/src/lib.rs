//! A Confluent-compatible schema registry in memory, for tests and demos, served over HTTP.
//!
//! It keeps Avro schemas within bounds, and checks compatibility as the real one does by default
//! (BACKWARD). It has no authentication, schema references, contexts, import mode or rules; requests
//! for them are refused or ignored. It forgets everything when it ends.
//!
//! Confluent's API is at the root and under `/apis/ccompat/v7`. What Apicurio's serializers ask, schemas
//! that refer to others included, is answered under `/apis/registry/v2` and `/apis/registry/v3`. All serve
//! the same schemas by the same ids.
//!
//! Begin reading at [`SchemaRegistry`]; inside, `routes` has the requests, `apicurio` those of Apicurio's
//! own API, `store` the subjects and schemas.

mod answer;
mod apicurio;
mod compatibility;
mod confluent;
mod references;
mod request;
mod routes;
mod store;

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
pub struct SchemaRegistry {
    address: SocketAddr,
    /// Dropped to stop the server.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why the registry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Another program listens there already.
    #[error("the schema registry cannot listen on {address}: the port is taken")]
    PortTaken {
        /// Where it should have listened.
        address: SocketAddr,
    },

    /// The address can't be listened on.
    #[error("the schema registry cannot listen on {address}: {cause}")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// The system's reason.
        cause: io::Error,
    },

    /// The system refused a thread or what it needs.
    #[error("the schema registry cannot be started: {cause}")]
    Start {
        /// The system's reason.
        cause: io::Error,
    },
}

impl SchemaRegistry {
    /// Listens on an address, port 0 for any free one, and serves from a thread of its own.
    ///
    /// # Errors
    /// [`RegistryError`] where it can't listen.
    pub fn start(address: SocketAddr) -> Result<SchemaRegistry, RegistryError> {
        let start = |cause| RegistryError::Start { cause };
        let listener = TcpListener::bind(address).map_err(|cause| match cause.kind() {
            io::ErrorKind::AddrInUse => RegistryError::PortTaken { address },
            _ => RegistryError::Listen { address, cause },
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
            .name("schema-registry".to_owned())
            .spawn(move || runtime.block_on(serve(listener, stopped)))
            .map_err(start)?;
        Ok(SchemaRegistry { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
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

impl Drop for SchemaRegistry {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, was printed by the panic hook.
            let _ = thread.join();
        }
    }
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
