//! The settings of librdkafka: the program's, and the user's own properties, which win.

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

/// How to reach a cluster, and how safely to write to it.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// Addresses of brokers, separated by commas.
    pub bootstrap: String,
    /// How records are sent. librdkafka gets the user's own properties unchanged: they override the
    /// program's, and librdkafka itself reports what is wrong with them.
    pub options: ProducerOptions,
    /// The source of tokens, if the brokers require some.
    pub tokens: Option<Arc<TokenSource>>,
    /// How long to wait for the cluster before the run fails.
    pub connect_timeout: Duration,
}

/// Settings that depend on the run and the cluster. The user's own properties win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// The most bytes of a batch, if the topics allow less than the producer would send.
    pub largest_batch: Option<u64>,
    /// The most records in the producer's queue, beside its limit in bytes.
    pub queued_records: Option<u32>,
    /// How many producers share the limit in bytes; at least one.
    pub producers: u32,
    /// Its transactional id, if it has one.
    pub transactional_id: Option<String>,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning { largest_batch: None, queued_records: None, producers: 1, transactional_id: None }
    }
}

/// After how long brokers abort a transaction that its producer has left.
const TRANSACTION_MS: &str = "60000";

/// The least time for a connection to be set up: a broker may need some for TLS and a login.
const SETUP_LEAST: Duration = Duration::from_millis(2500);

/// Properties that the program sets and no option is for. The user's own properties win.
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
        // Before the first poll, which would request a token.
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
        own.extend(self.connecting());
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
            // A record's timeout must be within its transaction's.
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

    /// The librdkafka configuration of a consumer that reads whole partitions.
    ///
    /// # Errors
    /// [`KafkaError::SetTwice`].
    pub fn consumer_config(&self) -> Result<ClientConfig, KafkaError> {
        // Rejects what is rejected for a producer.
        self.client_config(Tuning::default())?;
        let mut own: BTreeMap<&str, String> =
            READING.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        own.extend(self.connecting());
        Ok(self.config(own))
    }

    /// How long a connection may take to be set up. A name may have several addresses, one of which
    /// swallows connections: the next is tried after a sixth of the time that the cluster has. An
    /// address list that lives shorter than the attempts would be looked up anew and shuffled, and
    /// librdkafka would choose the same address again.
    fn connecting(&self) -> [(&'static str, String); 2] {
        let setup = (self.connect_timeout / 6).clamp(SETUP_LEAST, Duration::from_secs(10));
        [
            ("socket.connection.setup.timeout.ms", setup.as_millis().to_string()),
            ("broker.address.ttl", (6 * setup).as_millis().to_string()),
        ]
    }

    /// The program's own properties, overridden by the user's.
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

/// librdkafka's error about settings, without secrets.
pub(super) fn refused(error: &ClientError) -> KafkaError {
    KafkaError::Settings(match error {
        ClientError::ClientConfig(_, problem, key, value) => {
            let property = Property::new(key, value);
            if property.is_secret() {
                format!("the value of `{key}` is invalid")
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
    // A consumer needs a group id. Nothing is committed to it.
    ("group.id", "fleetstorm-verify"),
    ("enable.auto.commit", "false"),
    ("enable.partition.eof", "true"),
    ("isolation.level", "read_committed"),
    // Don't wait a second at a full queue, or half of one at the end of a partition, as the defaults do.
    ("fetch.queue.backoff.ms", "2"),
    ("fetch.wait.max.ms", "20"),
    // A batch that was corrupted on the way is not a record of ours.
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
            connect_timeout: Duration::from_secs(1),
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
    fn the_second_address_of_a_name_is_tried_while_the_cluster_is_waited_for() {
        let ms = |config: &ClientConfig, key| -> u128 {
            config.get(key).expect("it is set").parse().expect("milliseconds")
        };
        for seconds in [8, 15, 60] {
            let connect_timeout = Duration::from_secs(seconds);
            let settings = KafkaSettings { connect_timeout, ..settings(&[]) };
            for config in [settings.client_config(Tuning::default()), settings.consumer_config()] {
                let config = config.unwrap();
                let setup = ms(&config, "socket.connection.setup.timeout.ms");
                // Two attempts, and the pause between them.
                let pause = settings.options.reconnect_backoff_max.as_millis();
                assert!(
                    2 * setup + pause <= connect_timeout.as_millis(),
                    "{setup} and {pause} of {connect_timeout:?}"
                );
                assert!(ms(&config, "broker.address.ttl") >= 2 * setup + pause);
            }
        }
        let own = settings(&["socket.connection.setup.timeout.ms=7000"]);
        for config in [own.client_config(Tuning::default()), own.consumer_config()] {
            assert_eq!(ms(&config.unwrap(), "socket.connection.setup.timeout.ms"), 7000);
        }
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
