//! Publishes some records to a topic of any name, and waits for each acknowledgement. A run doesn't use it.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use super::admin::Admin;
use super::connect::Cluster;
use super::error::KafkaError;
use super::produce::give_token;
use super::settings::{Tuning, refused};
use super::token::{TokenSource, oauth_token};

/// A record to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedRecord {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// Its timestamp, in milliseconds since the epoch; none: the time of sending.
    pub timestamp_ms: Option<i64>,
    /// A header: its name and its text.
    pub header: (&'static str, &'static str),
}

/// How long one wait for deliveries lasts.
const TURN: Duration = Duration::from_millis(100);

/// Publishes `records` in their order, and returns once all are acknowledged. A topic that isn't there
/// is created, with one partition.
///
/// # Errors
/// [`KafkaError`] where the topic can't be created, or a record isn't delivered.
pub fn publish(
    cluster: &Cluster,
    topic: &str,
    records: impl Iterator<Item = PublishedRecord>,
) -> Result<u64, KafkaError> {
    if cluster.partitions(topic)?.is_none() {
        // Records of the past would be gone at the broker's next look at its retention.
        let config = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        Admin::new(cluster)?.create(&[(topic.to_owned(), config)], 1, None)?;
    }
    let settings = cluster.settings();
    let context = Deliveries { tokens: settings.tokens.clone(), ..Deliveries::default() };
    let config = settings.client_config(Tuning::default())?;
    let producer: BaseProducer<Deliveries> =
        BaseProducer::from_config_and_context(&config, context).map_err(|error| refused(&error))?;
    if let Some(tokens) = &settings.tokens {
        give_token(producer.client(), tokens);
    }
    let mut sent = 0;
    for record in records {
        let headers = OwnedHeaders::new()
            .insert(Header { key: record.header.0, value: Some(record.header.1) });
        let mut next =
            BaseRecord::to(topic).key(&record.key).payload(&record.value).headers(headers);
        next.timestamp = record.timestamp_ms;
        while let Err((error, again)) = producer.send(next) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(KafkaError::request(action(topic), &error));
            }
            cluster.interrupted()?;
            producer.poll(TURN);
            next = again;
        }
        sent += 1;
        producer.poll(Duration::ZERO);
    }
    while producer.in_flight_count() > 0 {
        cluster.interrupted()?;
        producer.poll(TURN);
    }
    let deliveries = producer.context();
    match (deliveries.failed.load(Ordering::Relaxed), deliveries.first.lock().take()) {
        (failed, Some(error)) => {
            let action =
                format!("{}: {failed} of {sent} records were not delivered", action(topic));
            Err(KafkaError::request(&action, &error))
        }
        _ => Ok(sent),
    }
}

fn action(topic: &str) -> String {
    format!("write to topic `{topic}`")
}

/// Counts what isn't delivered, and gives tokens.
#[derive(Default)]
struct Deliveries {
    tokens: Option<Arc<TokenSource>>,
    failed: AtomicU64,
    first: Mutex<Option<ClientError>>,
}

impl ClientContext for Deliveries {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        oauth_token(self.tokens.as_deref())
    }

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "{message}");
    }

    fn error(&self, error: ClientError, reason: &str) {
        tracing::debug!(%error, "{reason}");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.failed.fetch_add(1, Ordering::Relaxed);
            self.first.lock().get_or_insert_with(|| error.clone());
        }
    }
}
