//! The direct transport: `fleetstorm-producer` as a sink, beside librdkafka's producer. It supports plain
//! TCP and TLS, all acks and idempotence. SASL and transactions need librdkafka.

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

/// A running producer, shared by the sinks of several threads.
pub struct Direct {
    producer: Producer,
    reports: Arc<TallyReports>,
    topics: TopicIndexes,
}

/// How much a producer that is not paced may have in flight: what it sends until the first
/// acknowledgement comes, and no more than fits the processor's caches.
const UNPACED_BYTES: usize = 8 << 20;
/// How long a wait for the first connections lasts before the stop flag is checked.
const READY_TURN: Duration = Duration::from_millis(100);

impl Direct {
    /// Checks that such settings are supported.
    ///
    /// # Errors
    /// [`DirectError`] if they are not.
    pub fn check(settings: &KafkaSettings) -> Result<(), DirectError> {
        settings::producer_settings(settings, None, 1).map(drop)
    }

    /// Starts one of a run's producers, for the topics named, with their partitions, in the order of
    /// [`Topic::ALL`].
    ///
    /// # Errors
    /// [`DirectError`] if the settings are not supported, or no broker lets it write.
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
        // A limit that the user gives holds for each producer, as with librdkafka.
        let share = most_bytes / needs.producers.max(1) as usize;
        producer_settings.max_bytes = settings.options.queued_bytes.unwrap_or(share);
        let reports = Arc::new(TallyReports::new(written));
        let producer = Producer::start(producer_settings, &of_producer, reports.clone())
            .map_err(|error| DirectError::Start(words(&error)))?;
        let deadline = Instant::now() + settings.connect_timeout;
        loop {
            match producer.wait_ready(READY_TURN) {
                Ok(true) => return Ok(Direct { producer, reports, topics: indexes }),
                Ok(false) => cluster.interrupted()?,
                // Reported by the code alone, as before there were other errors.
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

    /// The tally of its records.
    pub fn tally(&self) -> &Tally {
        self.reports.tally()
    }

    /// How many records the producer holds that are neither acknowledged nor failed.
    pub fn in_flight(&self) -> usize {
        self.producer.in_flight()
    }

    /// Why it can't send any more, if it can't.
    pub fn fatal_error(&self) -> Option<String> {
        self.producer.fatal_error().map(|error| words(&error))
    }

    /// For how long brokers have throttled it.
    pub fn throttled(&self) -> &Throttled {
        self.reports.throttled()
    }

    /// Waits until every record is acknowledged or has failed, for at most `timeout`. Returns how many
    /// are still neither.
    pub fn flush(&self, timeout: Duration) -> usize {
        self.producer.flush(timeout)
    }
}

/// The text of a producer's error, with codes by their names in reports.
fn words(error: &ProducerError) -> String {
    match error {
        ProducerError::NoProducerId(code) => {
            format!("no broker gives it a producer id: {}", error_kind(code.code()))
        }
        other => other.to_string(),
    }
}
