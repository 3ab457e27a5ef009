//! Connects to a name with several addresses: they are tried side by side, each a little after the one
//! before (RFC 8305). An address that never answers delays no connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long an address may take before the next one is tried as well: the connection attempt delay of RFC
/// 8305.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to the first address of `host` that accepts.
///
/// # Errors
/// If the name has no address, or with the last address's error.
pub(super) async fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    connect_any(lookup_host((host, port)).await?).await
}

/// Connects to the first of `addresses` that accepts. They are tried side by side, each a quarter of a
/// second after the one before.
///
/// # Errors
/// If there is no address, or with the last address's error.
pub async fn connect_any(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut trying = JoinSet::new();
    let mut addresses = addresses.peekable();
    loop {
        if let Some(address) = addresses.next() {
            trying.spawn(TcpStream::connect(address));
        }
        let limit = if addresses.peek().is_some() { ATTEMPT_DELAY } else { Duration::MAX };
        match timeout(limit, trying.join_next()).await {
            Ok(Some(Ok(Ok(stream)))) => return Ok(stream),
            Ok(Some(Ok(Err(error)))) => failure = error,
            Ok(Some(Err(ended))) => failure = io::Error::other(ended),
            Ok(None) => return Err(failure),
            // Tries the next one beside those that have not answered.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::Instant;

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// An address whose backlog is full, so that nothing answers who connects; with what keeps it so.
    fn hole() -> (SocketAddr, Vec<Socket>) {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = socket();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut kept = vec![listener];
        for _ in 0..4 {
            let client = socket();
            client.set_nonblocking(true).unwrap();
            let _under_way = client.connect(&address.into());
            kept.push(client);
        }
        (address, kept)
    }

    fn reached(addresses: &[SocketAddr]) -> io::Result<SocketAddr> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(connect_any(addresses.iter().copied())).and_then(|s| s.peer_addr())
    }

    #[test]
    fn an_address_that_swallows_connections_or_refuses_them_holds_nobody_up() {
        let (swallows, _kept) = hole();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let takes = listener.local_addr().unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let begun = Instant::now();
        assert_eq!(reached(&[swallows, gone, swallows, takes]).unwrap(), takes);
        assert_eq!(reached(&[takes, swallows]).unwrap(), takes);
        // The system itself gives up after two minutes.
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }

    #[test]
    fn where_none_takes_the_connection_the_last_one_says_why() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(reached(&[gone]).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(reached(&[]).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
