//! Connects to a cluster within a timeout, and says why if it can't.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::metadata::{Metadata, MetadataBroker};
use rdkafka::producer::Producer;

use super::authentication::AuthenticationFailure;
use super::delivery::{Delivery, LastClientError};
use super::error::{KafkaError, describe, plain};
use super::poll::Poller;
use super::produce::KafkaProducer;
use super::settings::{KafkaSettings, Tuning};
use crate::pacing::StopFlag;
use crate::sink::tally::Tally;

/// A connected cluster.
pub struct Cluster {
    settings: KafkaSettings,
    client: KafkaProducer,
    nodes: Vec<Node>,
    // Receives the client's errors.
    _poller: Poller,
    last_client_error: Arc<LastClientError>,
    stop: StopFlag,
}

/// A broker and its advertised listener, the only address that clients connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its node id.
    pub id: i32,
    /// Its advertised host, on the listener that the client bootstrapped from.
    pub host: String,
    /// Its port there.
    pub port: u16,
}

/// A topic in the cluster's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TopicMetadata {
    pub partitions: u32,
    /// Whether every partition has a leader.
    pub ready: bool,
}

/// The timeout of one metadata request: short, so that a failure is reported before the whole timeout has
/// passed.
const TURN: Duration = Duration::from_secs(1);

/// The most records per second that a producer sends.
const FULL_SPEED: f64 = 1_000_000.0;

impl Cluster {
    /// Connects to the cluster of `settings`. A set `stop` ends every wait for it.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] after the timeout in the settings, [`KafkaError::Unauthenticated`] as
    /// soon as a broker denies access, [`KafkaError::Settings`] before anything is tried.
    pub fn connect(settings: KafkaSettings, stop: StopFlag) -> Result<Cluster, KafkaError> {
        let delivery = Delivery::new(Arc::new(Tally::new()));
        let last_client_error = delivery.last_client_error();
        let client = settings.producer(delivery, Tuning::default())?;
        let poller = Poller::start(&client)?;
        let nodes = Vec::new();
        let mut cluster =
            Cluster { settings, client, nodes, _poller: poller, last_client_error, stop };
        cluster.nodes = nodes_of(&cluster.fetch_metadata()?);
        Ok(cluster)
    }

    /// The settings of the connection.
    pub fn settings(&self) -> &KafkaSettings {
        &self.settings
    }

    /// How many records a producer may queue at full speed: twice what it can send until the first
    /// acknowledgement comes, linger included. A longer queue would outgrow the processor's caches, and
    /// gain nothing.
    pub(super) fn window(&self) -> u32 {
        let answers = (0..3).filter_map(|_| {
            let asked = Instant::now();
            self.client.client().fetch_metadata(None, TURN).ok().map(|_| asked.elapsed())
        });
        let round_trip = answers.min().unwrap_or(TURN);
        let seconds = (round_trip + self.settings.options.linger).as_secs_f64();
        (2.0 * FULL_SPEED * seconds).clamp(10_000.0, 500_000.0) as u32
    }

    /// An error if the run was stopped.
    ///
    /// # Errors
    /// [`KafkaError::Interrupted`].
    pub fn interrupted(&self) -> Result<(), KafkaError> {
        if self.stop.is_set() {
            return Err(KafkaError::Interrupted { bootstrap: self.settings.bootstrap.clone() });
        }
        Ok(())
    }

    /// How many partitions `topic` has; `None` if it doesn't exist.
    ///
    /// # Errors
    /// As [`Cluster::connect`].
    pub fn partitions(&self, topic: &str) -> Result<Option<u32>, KafkaError> {
        Ok(self.metadata()?.get(topic).map(|existing| existing.partitions))
    }

    /// The end offset of each partition of `topic`; `None` if one isn't known within `timeout` for each.
    pub fn end_offsets(&self, topic: &str, partitions: u32, timeout: Duration) -> Option<Vec<i64>> {
        let client = self.client.client();
        let of = |partition| match client.fetch_watermarks(topic, partition, timeout) {
            Ok((_, end)) => Some(end),
            Err(error) => {
                tracing::debug!("the end of {topic}-{partition} is unknown: {}", plain(&error));
                None
            }
        };
        // Each request blocks, so several run at once.
        let all: Vec<i32> = (0..partitions as i32).collect();
        let ask = |some: &[i32]| some.iter().map(|&p| of(p)).collect::<Option<Vec<_>>>();
        let ends: Option<Vec<_>> = std::thread::scope(|scope| {
            let asking: Vec<_> = all
                .chunks(all.len().div_ceil(ASKING).max(1))
                .map(|some| scope.spawn(move || ask(some)))
                .collect();
            asking.into_iter().map(|some| some.join().ok().flatten()).collect()
        });
        ends.map(|ends| ends.concat())
    }

    /// The brokers, as the cluster advertised them when we connected.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The client for requests.
    pub(super) fn client(&self) -> &KafkaProducer {
        &self.client
    }

    /// The topics in the cluster's metadata, by name.
    pub(super) fn metadata(&self) -> Result<BTreeMap<String, TopicMetadata>, KafkaError> {
        let metadata = self.fetch_metadata()?;
        let topics = metadata.topics().iter().map(|topic| {
            let partitions = topic.partitions();
            let ready = partitions.iter().all(|p| p.leader() >= 0);
            let existing = TopicMetadata { partitions: partitions.len() as u32, ready };
            (topic.name().to_owned(), existing)
        });
        Ok(topics.filter(|(_, existing)| existing.partitions > 0).collect())
    }

    fn fetch_metadata(&self) -> Result<Metadata, KafkaError> {
        let started = Instant::now();
        loop {
            // All topics: to ask for ours by name could make a broker create them.
            let error = match self.client.client().fetch_metadata(None, TURN) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => error,
            };
            self.interrupted()?;
            let last_error = self.last_client_error.last();
            if let Some((code, reason)) = &last_error
                && let Some(failure) =
                    AuthenticationFailure::of(*code, reason, &self.settings.options.properties)
            {
                return Err(KafkaError::Unauthenticated {
                    bootstrap: self.settings.bootstrap.clone(),
                    failure,
                    cause: failure.needs_client_text().then(|| without_details(reason)),
                });
            }
            if started.elapsed() >= self.settings.connect_timeout {
                let cause = last_error.map_or_else(
                    || plain(&error),
                    |(code, reason)| {
                        if reason.is_empty() { describe(code) } else { without_details(&reason) }
                    },
                );
                return Err(KafkaError::Unreachable {
                    bootstrap: self.settings.bootstrap.clone(),
                    waited: self.settings.connect_timeout,
                    cause: Some(cause),
                });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn nodes_of(metadata: &Metadata) -> Vec<Node> {
    let node = |broker: &MetadataBroker| Node {
        id: broker.id(),
        host: broker.host().to_owned(),
        port: u16::try_from(broker.port()).unwrap_or(0),
    };
    metadata.brokers().iter().map(node).collect()
}

/// How many partitions are queried at once for their end offsets.
const ASKING: usize = 16;

/// A client's reason without the state and the repetition count that it adds in brackets.
fn without_details(reason: &str) -> String {
    reason.split(" (after ").next().unwrap_or(reason).to_owned()
}
