//! Resolves a registry's name: of several addresses, the one that accepts a connection first is used. An
//! address that never answers delays no request.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use tokio::time::timeout;

/// How long any of them may take. After that they keep the resolver's order, as when the name is only
/// used by a proxy, which listens elsewhere.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Resolves names for connections to one port.
#[derive(Debug, Clone, Copy)]
pub(super) struct SideBySide {
    /// The registry's port.
    pub(super) port: u16,
}

impl Resolve for SideBySide {
    fn resolve(&self, name: Name) -> Resolving {
        let port = self.port;
        Box::pin(async move {
            let found = lookup_host((name.as_str(), port)).await?.collect();
            Ok(Box::new(quickest_first(found).await.into_iter()) as Addrs)
        })
    }
}

/// The addresses. The one that accepts a connection first comes first.
async fn quickest_first(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    if addresses.len() < 2 {
        return addresses;
    }
    let connecting = fleetstorm_producer::connect_any(addresses.iter().copied());
    let taken = timeout(CONNECT_TIMEOUT, connecting).await.ok().and_then(Result::ok);
    if let Some(quickest) = taken.and_then(|stream| stream.peer_addr().ok()) {
        addresses.sort_by_key(|address| *address != quickest);
    }
    addresses
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_address_that_takes_a_connection_comes_first() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let takes = listener.local_addr().unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let sorted =
            |addresses: &[SocketAddr]| runtime.block_on(quickest_first(addresses.to_vec()));
        assert_eq!(sorted(&[gone, takes]), [takes, gone]);
        assert_eq!(sorted(&[takes, gone]), [takes, gone]);
        // Where nothing takes one, nothing is known.
        drop(listener);
        assert_eq!(sorted(&[gone, takes]), [gone, takes]);
    }
}
