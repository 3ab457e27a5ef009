//! The producer's settings: what the program sets, and what the user's own properties override.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::producer::{BaseProducer, Producer};

use super::delivery::{Delivery, STATISTICS_EVERY};
use super::error::KafkaError;
use super::produce::{self, KafkaProducer};
use super::token::TokenSource;
use crate::sink::options::{ProducerOptions, QUEUED_BYTES};
use crate::sink::property::{Property, canonical};

/// How a producer reaches its cluster, and how safely it writes.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// Addresses of brokers, separated by commas.
    pub bootstrap: String,
    /// How records are sent. librdkafka gets the user's own properties as they are: they win over what
    /// the program sets, and what is wrong with them it says itself.
    pub options: ProducerOptions,
    /// Where tokens come from, where the brokers ask for some.
    pub tokens: Option<Arc<TokenSource>>,
    /// How long the cluster may take to answer before a run gives up.
    pub patience: Duration,
}

/// What a producer is told about its run and its cluster; the user's own properties win over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// The most bytes of a batch, where the topics allow less than the producer would send.
    pub largest_batch: Option<u64>,
    /// The most records that wait in the producer, beside its bound in bytes.
    pub queued_records: Option<u32>,
    /// How many producers the run has, which share the bound in bytes; at least one.
    pub producers: u32,
    /// The id of its transactions, where it has some.
    pub transactional_id: Option<String>,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning { largest_batch: None, queued_records: None, producers: 1, transactional_id: None }
    }
}

/// How long brokers keep a transaction open that its producer has left.
const TRANSACTION_MS: &str = "60000";

/// What the program sets that no option is for; the user's own properties win.
const DEFAULTS: [(&str, &str); 2] =
    [("socket.nagle.disable", "true"), ("allow.auto.create.topics", "false")];

impl KafkaSettings {
    /// A producer with these settings that reports to `delivery`.
    ///
    /// # Errors
    /// [`KafkaError::SetTwice`] and [`KafkaError::Settings`].
    pub fn producer(
        &self,
        delivery: Delivery,
        tuning: Tuning,
    ) -> Result<KafkaProducer, KafkaError> {
        let config = self.client_config(tuning)?;
        let delivery = delivery.with_tokens(self.tokens.clone());
        let producer = BaseProducer::from_config_and_context(&config, delivery)
            .map(KafkaProducer::new)
            .map_err(|error| refused(&error))?;
        // Before anybody polls it, which would ask for one.
        if let Some(tokens) = &self.tokens {
            produce::give_token(producer.client(), tokens);
        }
        Ok(producer)
    }

    /// The librdkafka configuration of a producer.
    ///
    /// # Errors
    /// [`KafkaError::SetTwice`].
    pub fn client_config(&self, tuning: Tuning) -> Result<ClientConfig, KafkaError> {
        let mut own: BTreeMap<&str, String> =
            DEFAULTS.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let options = &self.options;
        own.insert("client.id", options.client_id.clone());
        own.insert("linger.ms", (options.linger.as_secs_f64() * 1000.0).to_string());
        let timeout = options.delivery_timeout.unwrap_or_default();
        own.insert("message.timeout.ms", timeout.as_millis().to_string());
        let backoff = options.reconnect_backoff_max;
        own.insert("reconnect.backoff.max.ms", backoff.as_millis().to_string());
        own.insert("statistics.interval.ms", STATISTICS_EVERY.as_millis().to_string());
        own.insert("acks", options.acks.property().to_owned());
        own.insert("enable.idempotence", options.is_idempotent().to_string());
        let queued = QUEUED_BYTES / tuning.producers.max(1) as usize;
        own.insert("queue.buffering.max.kbytes", (queued >> 10).to_string());
        if let Some(bytes) = tuning.largest_batch {
            own.insert("batch.size", bytes.to_string());
        }
        if let Some(records) = tuning.queued_records {
            own.insert("queue.buffering.max.messages", records.to_string());
        }
        if let Some(id) = tuning.transactional_id {
            own.insert("transactional.id", id);
            // A record's time is within its transaction's.
            own.insert("message.timeout.ms", TRANSACTION_MS.to_owned());
            own.insert("transaction.timeout.ms", TRANSACTION_MS.to_owned());
        }
        for Property { key, .. } in &self.options.properties {
            let option = match key.as_str() {
                "bootstrap.servers" | "metadata.broker.list" => Some("--bootstrap-server"),
                "acks" | "request.required.acks" | "enable.idempotence" => Some("--acks"),
                "transactional.id" => Some("--transactional-id"),
                _ => None,
            };
            if let Some(option) = option {
                return Err(KafkaError::SetTwice { property: key.clone(), option });
            }
            own.remove(canonical(key));
        }
        Ok(self.config(own))
    }

    /// The librdkafka configuration of a consumer that reads all of some partitions.
    ///
    /// # Errors
    /// [`KafkaError::SetTwice`].
    pub fn consumer_config(&self) -> Result<ClientConfig, KafkaError> {
        // Refuses what is refused of a producer.
        self.client_config(Tuning::default())?;
        Ok(self.config(READING.map(|(key, value)| (key, value.to_owned()))))
    }

    /// The program's own properties, with those of the user, which win.
    fn config<'a>(&self, own: impl IntoIterator<Item = (&'a str, String)>) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        for (key, value) in own {
            config.set(key, value);
        }
        for Property { key, value } in &self.options.properties {
            config.set(key, value);
        }
        config
    }
}

/// What the client says of settings that it refuses, without secrets.
pub(super) fn refused(error: &ClientError) -> KafkaError {
    KafkaError::Settings(match error {
        ClientError::ClientConfig(_, problem, key, value) => {
            let property = Property::new(key, value);
            if property.is_secret() {
                format!("the value of `{key}` can't be taken")
            } else {
                format!("{problem} (`{property:?}`)")
            }
        }
        other => other.to_string(),
    })
}

/// Properties of the consumer that reads a run back; the user's own win.
const READING: [(&str, &str); 8] = [
    ("client.id", "fleetstorm-verify"),
    // A consumer needs a group to be told of; nothing is committed to it.
    ("group.id", "fleetstorm-verify"),
    ("enable.auto.commit", "false"),
    ("enable.partition.eof", "true"),
    ("isolation.level", "read_committed"),
    // A full queue, and the end of a partition, are not waited at for the client's second and half.
    ("fetch.queue.backoff.ms", "2"),
    ("fetch.wait.max.ms", "20"),
    // What was damaged on the way is no record of ours.
    ("check.crcs", "true"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::options::Acks;

    fn settings(properties: &[&str]) -> KafkaSettings {
        let properties = properties.iter().map(|p| p.parse().unwrap()).collect();
        KafkaSettings {
            bootstrap: "127.0.0.1:9".to_owned(),
            options: ProducerOptions::read(Acks::All, true, properties),
            tokens: None,
            patience: Duration::from_secs(1),
        }
    }

    #[test]
    fn the_users_properties_win_under_any_of_their_names() {
        let config =
            settings(&["queue.buffering.max.ms=50"]).client_config(Tuning::default()).unwrap();
        assert_eq!(config.get("queue.buffering.max.ms"), Some("50"));
        assert_eq!(
            settings(&["queue.buffering.max.ms=50"]).options.linger,
            Duration::from_millis(50)
        );
        assert_eq!(settings(&[]).options.linger, Duration::from_millis(5));
        assert_eq!(
            settings(&[]).client_config(Tuning::default()).unwrap().get("linger.ms"),
            Some("5")
        );
        assert_eq!(config.get("linger.ms"), None);
        assert_eq!(config.get("queue.buffering.max.kbytes"), Some("65536"));
    }

    #[test]
    fn no_record_is_given_up_unless_that_is_asked_for() {
        let timeout = |properties: &[&str]| {
            let settings = settings(properties);
            let config = settings.client_config(Tuning::default()).unwrap();
            let told = settings.options.delivery_timeout.map(|timeout| timeout.as_millis());
            (config.get("message.timeout.ms").map(str::to_owned), told)
        };
        assert_eq!(timeout(&[]), (Some("0".to_owned()), None));
        assert_eq!(timeout(&["delivery.timeout.ms=900000"]), (None, Some(900_000)));
        assert_eq!(timeout(&["message.timeout.ms=0"]), (Some("0".to_owned()), None));
    }

    #[test]
    fn what_an_option_sets_is_refused_as_a_property() {
        for property in ["acks=1", "enable.idempotence=false", "bootstrap.servers=a:1"] {
            assert!(matches!(
                settings(&[property]).client_config(Tuning::default()),
                Err(KafkaError::SetTwice { .. })
            ));
        }
    }

    #[test]
    fn unknown_properties_and_values_are_named() {
        let tally = std::sync::Arc::new(crate::sink::tally::Tally::new());
        for (property, named) in [("no.such=1", "no.such"), ("linger.ms=soon", "linger.ms")] {
            let refused =
                settings(&[property]).producer(Delivery::new(tally.clone()), Tuning::default());
            let text = refused.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(named), "{text}");
        }
        let error = settings(&["ssl.key.pem=hidden"])
            .producer(Delivery::new(tally), Tuning::default())
            .err()
            .map(|error| error.to_string());
        assert!(!error.unwrap_or_default().contains("hidden"));
    }

    #[test]
    fn idempotence_can_be_given_up_and_is_never_had_without_all_replicas() {
        for (acks, wanted, had) in
            [(Acks::All, true, "true"), (Acks::All, false, "false"), (Acks::Leader, true, "false")]
        {
            let options = ProducerOptions::read(acks, wanted, Vec::new());
            let settings = KafkaSettings { options, ..settings(&[]) };
            let config = settings.client_config(Tuning::default()).unwrap();
            assert_eq!(config.get("enable.idempotence"), Some(had));
        }
    }
}
