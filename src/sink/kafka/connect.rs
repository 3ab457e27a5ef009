//! Reaching a cluster, within a bounded time and with a reason where it can't be reached.

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

/// A cluster that has answered.
pub struct Cluster {
    settings: KafkaSettings,
    client: KafkaProducer,
    nodes: Vec<Node>,
    // Takes the client's troubles.
    _poller: Poller,
    troubles: Arc<LastClientError>,
    stop: StopFlag,
}

/// A broker as the cluster names it to its clients, who connect to it there and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its number.
    pub id: i32,
    /// Its host, by the listener that we came by.
    pub host: String,
    /// Its port there.
    pub port: u16,
}

/// A topic as the cluster's metadata shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TopicMetadata {
    pub partitions: u32,
    /// Whether every partition has a leader.
    pub ready: bool,
}

/// One turn of asking; short, so that a failure is told without waiting for the whole patience.
const TURN: Duration = Duration::from_secs(1);

/// Records a second that a producer sends at most.
const FULL_SPEED: f64 = 1_000_000.0;

impl Cluster {
    /// Connects to the cluster of `settings`. A set `stop` ends every wait for it.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] after the settings' patience, [`KafkaError::Unauthenticated`]
    /// as soon as a broker refuses, [`KafkaError::Settings`] before anything is tried.
    pub fn connect(settings: KafkaSettings, stop: StopFlag) -> Result<Cluster, KafkaError> {
        let delivery = Delivery::new(Arc::new(Tally::new()));
        let troubles = delivery.troubles();
        let client = settings.producer(delivery, Tuning::default())?;
        let poller = Poller::start(&client)?;
        let nodes = Vec::new();
        let mut cluster = Cluster { settings, client, nodes, _poller: poller, troubles, stop };
        cluster.nodes = nodes_of(&cluster.fetch_metadata()?);
        Ok(cluster)
    }

    /// How the cluster is reached.
    pub fn settings(&self) -> &KafkaSettings {
        &self.settings
    }

    /// How many records a producer may hold back at full speed: twice what it can send until the
    /// first is acknowledged, what a batch waits for included; no more, since a queue beyond the
    /// processor's caches costs time and gains nothing.
    pub(super) fn window(&self) -> u32 {
        let answers = (0..3).filter_map(|_| {
            let asked = Instant::now();
            self.client.client().fetch_metadata(None, TURN).ok().map(|_| asked.elapsed())
        });
        let round_trip = answers.min().unwrap_or(TURN);
        let seconds = (round_trip + self.settings.options.linger).as_secs_f64();
        (2.0 * FULL_SPEED * seconds).clamp(10_000.0, 500_000.0) as u32
    }

    /// An error where the run was stopped.
    ///
    /// # Errors
    /// [`KafkaError::Interrupted`].
    pub fn interrupted(&self) -> Result<(), KafkaError> {
        if self.stop.is_set() {
            return Err(KafkaError::Interrupted { bootstrap: self.settings.bootstrap.clone() });
        }
        Ok(())
    }

    /// How many partitions `topic` has; none where there is no such topic.
    ///
    /// # Errors
    /// As [`Cluster::connect`].
    pub fn partitions(&self, topic: &str) -> Result<Option<u32>, KafkaError> {
        Ok(self.metadata()?.get(topic).map(|existing| existing.partitions))
    }

    /// Where each of the partitions of `topic` ends; none where that can't be known within
    /// `patience` for each.
    pub fn end_offsets(
        &self,
        topic: &str,
        partitions: u32,
        patience: Duration,
    ) -> Option<Vec<i64>> {
        let client = self.client.client();
        let of = |partition| match client.fetch_watermarks(topic, partition, patience) {
            Ok((_, end)) => Some(end),
            Err(error) => {
                tracing::debug!("the end of {topic}-{partition} is unknown: {}", plain(&error));
                None
            }
        };
        // Each answer is waited for, so some are at once.
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

    /// The brokers that the cluster sends its clients to, as it named them when we connected.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The client that asks it.
    pub(super) fn client(&self) -> &KafkaProducer {
        &self.client
    }

    /// The topics that the cluster shows us, by name.
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
            // All topics rather than ours by name, which could make a broker create them.
            let error = match self.client.client().fetch_metadata(None, TURN) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => error,
            };
            self.interrupted()?;
            let trouble = self.troubles.last();
            if let Some((code, reason)) = &trouble
                && let Some(failure) =
                    AuthenticationFailure::of(*code, reason, &self.settings.options.properties)
            {
                return Err(KafkaError::Unauthenticated {
                    bootstrap: self.settings.bootstrap.clone(),
                    failure,
                    cause: failure.needs_client_text().then(|| without_details(reason)),
                });
            }
            if started.elapsed() >= self.settings.patience {
                let cause = trouble.map_or_else(
                    || plain(&error),
                    |(code, reason)| {
                        if reason.is_empty() { describe(code) } else { without_details(&reason) }
                    },
                );
                return Err(KafkaError::Unreachable {
                    bootstrap: self.settings.bootstrap.clone(),
                    waited: self.settings.patience,
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

/// How many partitions are asked at once where they end.
const ASKING: usize = 16;

/// A client's reason without the state and the repetitions that it adds in brackets.
fn without_details(reason: &str) -> String {
    reason.split(" (after ").next().unwrap_or(reason).to_owned()
}
