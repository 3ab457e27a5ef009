//! Fetches metadata over connections of its own. On a producer's connection the response would wait
//! behind acknowledgements. A connection that is kept open may lead to a broker that no longer hears of
//! changes.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::ClusterMetadata;
use crate::address::ServerAddress;
use crate::connection::{ConnectionError, Exchange};
use crate::error::BrokerDisconnected;
use crate::settings::ConnectionSettings;

/// Fetches metadata.
pub(crate) struct MetadataClient {
    settings: Rc<ConnectionSettings>,
    bootstrap: Vec<ServerAddress>,
    topics: Rc<[String]>,
    /// How many requests were made, so that brokers take turns.
    requests: usize,
}

/// How long a server may take before the next one is asked as well.
const ATTEMPT_DELAY: Duration = Duration::from_millis(500);
/// How many known brokers are asked before the bootstrap servers.
const KNOWN_FIRST: usize = 2;

impl MetadataClient {
    /// A client for the leaders of some topics of the cluster with these bootstrap servers.
    pub(crate) fn new(
        settings: Rc<ConnectionSettings>,
        bootstrap: Vec<ServerAddress>,
        topics: Rc<[String]>,
    ) -> MetadataClient {
        MetadataClient { settings, bootstrap, topics, requests: 0 }
    }

    /// Asks the known brokers and the bootstrap servers, each a little after the one before, until one
    /// answers.
    pub(crate) fn fetch(
        &mut self,
        known: &[ServerAddress],
    ) -> impl Future<Output = Result<ClusterMetadata, BrokerDisconnected>> + 'static {
        let servers = self.servers(known);
        self.requests = self.requests.wrapping_add(1);
        let (settings, topics) = (Rc::clone(&self.settings), Rc::clone(&self.topics));
        async move { first_answer(servers, settings, topics).await }
    }

    /// The servers to ask: a few known ones, in turn; then the bootstrap servers, in case the known ones
    /// have moved; then the rest.
    fn servers(&self, known: &[ServerAddress]) -> Vec<ServerAddress> {
        let mut known = known.to_vec();
        if !known.is_empty() {
            let first = self.requests % known.len();
            known.rotate_left(first);
        }
        let rest = known.split_off(known.len().min(KNOWN_FIRST));
        let mut servers: Vec<ServerAddress> = Vec::new();
        for server in known.into_iter().chain(self.bootstrap.iter().cloned()).chain(rest) {
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
        servers
    }
}

async fn first_answer(
    servers: Vec<ServerAddress>,
    settings: Rc<ConnectionSettings>,
    topics: Rc<[String]>,
) -> Result<ClusterMetadata, BrokerDisconnected> {
    let mut servers = servers.into_iter().peekable();
    let mut asking = JoinSet::new();
    let mut failure = None;
    loop {
        if let Some(server) = servers.next() {
            asking.spawn_local(ask(server, Rc::clone(&settings), Rc::clone(&topics)));
        }
        let wait = if servers.peek().is_some() { ATTEMPT_DELAY } else { Duration::MAX };
        match timeout(wait, asking.join_next()).await {
            Ok(Some(Ok(Ok(cluster)))) => return Ok(cluster),
            Ok(Some(Ok(Err(unreached)))) => {
                tracing::debug!("no metadata: {unreached}");
                failure = Some(unreached);
            }
            // A task that panicked has printed why.
            Ok(Some(Err(_))) => {}
            Ok(None) if servers.peek().is_none() => {
                let none = || BrokerDisconnected {
                    host: String::new(),
                    port: 0,
                    cause: ConnectionError::NoBrokers,
                };
                return Err(failure.unwrap_or_else(none));
            }
            // Asks the next one beside those that have not answered.
            Ok(None) | Err(_) => {}
        }
    }
}

async fn ask(
    server: ServerAddress,
    settings: Rc<ConnectionSettings>,
    topics: Rc<[String]>,
) -> Result<ClusterMetadata, BrokerDisconnected> {
    let answer = timeout(settings.connect_timeout, metadata_of(&server, &settings, &topics)).await;
    answer.unwrap_or(Err(ConnectionError::ConnectTimeout)).map_err(|cause| {
        let ServerAddress { host, port } = server;
        BrokerDisconnected { host, port, cause }
    })
}

async fn metadata_of(
    server: &ServerAddress,
    settings: &ConnectionSettings,
    topics: &[String],
) -> Result<ClusterMetadata, ConnectionError> {
    let mut exchange = Exchange::open(server, settings).await?;
    let response =
        exchange.request(|versions, frame, id| versions.encode_metadata(frame, id, topics)).await?;
    let cluster = ClusterMetadata::from_response(exchange.versions.decode_metadata(response)?);
    if cluster.brokers.is_empty() { Err(ConnectionError::NoBrokers) } else { Ok(cluster) }
}
