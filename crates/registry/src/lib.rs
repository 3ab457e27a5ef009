//! A Confluent-compatible schema registry in memory, for tests and demos, served over HTTP.
//!
//! It keeps Avro schemas, within limits, and checks compatibility with Confluent's default level
//! (BACKWARD). It has no authentication, schema references, contexts, import mode or rules: requests for
//! them are refused or ignored. It forgets everything when it ends.
//!
//! Confluent's API is at the root and under `/apis/ccompat/v7`. The requests of Apicurio's serializers,
//! schemas with references included, are under `/apis/registry/v2` and `/apis/registry/v3`. All serve the
//! same schemas with the same ids.
//!
//! Begin reading at [`SchemaRegistry`]. Inside, `routes` lists the routes, `apicurio` has Apicurio's own
//! API, `store` the subjects and schemas.

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

/// How long requests in progress may take when the registry stops.
const DRAIN: Duration = Duration::from_secs(1);

/// A running registry. Dropping it stops it, within about a second.
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
    /// Another program listens on the address.
    #[error("the schema registry can't listen on {address}: the port is taken")]
    PortTaken {
        /// The address.
        address: SocketAddr,
    },

    /// It can't listen on the address.
    #[error("the schema registry can't listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        cause: io::Error,
    },

    /// It can't start its thread.
    #[error("the schema registry can't start: {cause}")]
    Start {
        /// The system's error.
        cause: io::Error,
    },
}

impl SchemaRegistry {
    /// Listens on an address (port 0: any free one) and serves from a thread of its own.
    ///
    /// # Errors
    /// [`RegistryError`] if it can't listen.
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

    /// Its address.
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

/// Serves until the other end of `stopped` is dropped, and a little longer for requests in progress.
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
