//! The direct transport: `fleetstorm-producer` as a sink of a run, beside librdkafka's producer. It
//! speaks plain TCP and TLS, with every kind of acknowledgement and idempotence; SASL and transactions
//! are librdkafka's.

mod admin;
mod error;
mod settings;
mod sink;
mod tally;
mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fleetstorm_model::record::Topic;
use fleetstorm_producer::{Producer, ProducerError, Topic as ProducerTopic};

use super::kafka::{Cluster, KafkaSettings, Needs, error_kind};
use super::options::QUEUED_BYTES;
use super::tally::Tally;
use super::throttled::Throttled;
use crate::pacing::StopFlag;

use sink::TopicIndexes;
use tally::TallyReports;

pub use admin::{AdminRequestError, cluster_time, quotas};
pub use error::DirectError;
pub use sink::DirectSink;

/// A running producer, shared by the sinks of some threads.
pub struct Direct {
    producer: Producer,
    reports: Arc<TallyReports>,
    topics: TopicIndexes,
}

/// What a producer that is not paced may have in flight: what it sends while the first of it is
/// acknowledged, and no more than stays in the processor's caches.
const UNPACED_BYTES: usize = 8 << 20;
/// How long a wait for the first connections lasts between two looks at the run's end.
const READY_TURN: Duration = Duration::from_millis(100);

impl Direct {
    /// Whether it can be started with such settings.
    ///
    /// # Errors
    /// [`DirectError`] where they ask for what it doesn't have.
    pub fn check(settings: &KafkaSettings) -> Result<(), DirectError> {
        settings::producer_settings(settings, None, 1).map(drop)
    }

    /// One of a run's producers, for the topics named, with their partitions, in the order of
    /// [`Topic::ALL`].
    ///
    /// # Errors
    /// [`DirectError`] where the settings ask for what it doesn't have, or no broker lets it write.
    pub fn start(
        cluster: &Cluster,
        topics: &[Option<(String, u32)>; Topic::COUNT],
        needs: Needs,
    ) -> Result<Direct, DirectError> {
        let mut indexes = TopicIndexes::default();
        let (mut written, mut of_producer) = (Vec::new(), Vec::new());
        for (topic, named) in Topic::ALL.into_iter().zip(topics) {
            let Some((name, partitions)) = named else { continue };
            indexes.set(topic, written.len());
            written.push(topic);
            of_producer.push(ProducerTopic::new(name, *partitions));
        }
        let partitions = topics.iter().flatten().map(|(_, count)| *count as usize).sum();
        let settings = cluster.settings();
        let mut producer_settings =
            settings::producer_settings(settings, needs.largest_batch, partitions)?;
        let most_bytes = if needs.paced { QUEUED_BYTES } else { UNPACED_BYTES };
        // What is asked for holds for each, as it does for librdkafka's.
        let share = most_bytes / needs.producers.max(1) as usize;
        producer_settings.max_bytes = settings.options.queued_bytes.unwrap_or(share);
        let reports = Arc::new(TallyReports::new(written));
        let producer = Producer::start(producer_settings, &of_producer, reports.clone())
            .map_err(|error| DirectError::Start(words(&error)))?;
        let deadline = Instant::now() + settings.patience;
        loop {
            match producer.wait_ready(READY_TURN) {
                Ok(true) => return Ok(Direct { producer, reports, topics: indexes }),
                Ok(false) => cluster.interrupted()?,
                // As the code alone was told before there were others.
                Err(ProducerError::NoProducerId(code)) => {
                    return Err(DirectError::Start(error_kind(code.code())));
                }
                Err(error) => return Err(DirectError::Start(words(&error))),
            }
            if Instant::now() >= deadline {
                return Err(DirectError::Start(words(&producer.not_ready_error())));
            }
        }
    }

    /// A sink for one thread. A set `stop` ends its wait for room in a full producer.
    pub fn sink(&self, stop: StopFlag) -> DirectSink {
        DirectSink::new(self.producer.appender().with_stop_flag(stop.atomic()), self.topics)
    }

    /// Counts what becomes of its records.
    pub fn tally(&self) -> &Tally {
        self.reports.tally()
    }

    /// How many records the producer holds that are neither acknowledged nor given up.
    pub fn in_flight(&self) -> usize {
        self.producer.in_flight()
    }

    /// Why it sends no more, where that is so.
    pub fn fatal_error(&self) -> Option<String> {
        self.producer.fatal_error().map(|error| words(&error))
    }

    /// For how long brokers have held it back.
    pub fn throttled(&self) -> &Throttled {
        self.reports.throttled()
    }

    /// Waits until every record has been acknowledged or given up, `patience` at most; returns how
    /// many are still neither.
    pub fn flush(&self, patience: Duration) -> usize {
        self.producer.flush(patience)
    }
}

/// What the producer says, with codes by the names that reports have for them.
fn words(error: &ProducerError) -> String {
    match error {
        ProducerError::NoProducerId(code) => {
            format!("no broker gives it a producer id: {}", error_kind(code.code()))
        }
        other => other.to_string(),
    }
}
