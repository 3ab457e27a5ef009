//! Translates the options of both transports for the direct one.

use fleetstorm_producer::{Acks as ProducerAcks, ConnectionSettings, ProducerSettings};

use super::error::DirectError;
use super::tls;
use crate::sink::kafka::KafkaSettings;
use crate::sink::options::{Acks, RawProperty, RawReason};
use crate::sink::property::canonical;

/// The settings of a producer of this many partitions, whose batches are no larger than the topics
/// accept.
///
/// # Errors
/// [`DirectError`] for what this transport doesn't support.
pub fn producer_settings(
    settings: &KafkaSettings,
    largest_batch: Option<u64>,
    partitions: usize,
) -> Result<ProducerSettings, DirectError> {
    let options = &settings.options;
    let connection = connection(settings, |_| true)?;
    if options.codec == fleetstorm_producer::Codec::Lz4 && options.compression_level.is_some() {
        return Err(DirectError::Property { property: "compression.level".to_owned() });
    }
    let default = ProducerSettings::default_batch_bytes(partitions);
    let batch_bytes = options.batch_bytes.unwrap_or(default);
    let largest =
        largest_batch.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    let acks = match options.acks {
        Acks::All => ProducerAcks::All,
        Acks::Leader => ProducerAcks::Leader,
        Acks::None => ProducerAcks::None,
    };
    let mut producer = ProducerSettings::new(&settings.bootstrap)
        .connection(connection)
        .acks(acks)
        .idempotence(options.is_idempotent())
        .linger(options.linger)
        .batch_bytes(Some(batch_bytes.min(largest)))
        .codec(options.codec)
        .compression_level(options.compression_level)
        .delivery_timeout(options.delivery_timeout)
        .reconnect_backoff_max(options.reconnect_backoff_max);
    // 0 means no limit for librdkafka. Here the default limit holds.
    if let Some(records) = options.queued_records.filter(|records| *records > 0) {
        producer.max_records = records;
    }
    if let Some(requests) = options.max_in_flight {
        producer.max_in_flight = requests;
    }
    for (set, time) in [
        (&mut producer.request_timeout, options.socket_timeout),
        (&mut producer.ack_timeout, options.request_timeout),
        (&mut producer.retry_backoff, options.retry_backoff),
        (&mut producer.reconnect_backoff, options.reconnect_backoff),
    ] {
        if let Some(time) = time {
            *set = time;
        }
    }
    Ok(producer)
}

/// How to connect to brokers, for admin requests.
///
/// # Errors
/// [`DirectError`] for SASL, and for TLS that can't be set up.
pub fn connection_settings(settings: &KafkaSettings) -> Result<ConnectionSettings, DirectError> {
    let decides = |key: &str| ["security.", "sasl."].iter().any(|prefix| key.starts_with(prefix));
    connection(settings, |raw| decides(canonical(&raw.key)))
}

/// How to connect to brokers, unless an unsupported property that `matters` is set.
fn connection(
    settings: &KafkaSettings,
    matters: impl Fn(&RawProperty) -> bool,
) -> Result<ConnectionSettings, DirectError> {
    let options = &settings.options;
    if settings.tokens.is_some() {
        return Err(DirectError::Sasl);
    }
    if let Some(raw) = options.raw.iter().find(|raw| matters(raw)) {
        let property = raw.key.clone();
        return Err(match raw.reason {
            RawReason::Unknown => DirectError::Property { property },
            RawReason::Value => DirectError::Value { property },
            RawReason::Sasl => DirectError::Sasl,
        });
    }
    let mut connection = ConnectionSettings::default();
    connection.client_id = options.client_id.clone();
    connection.keepalive = options.keepalive.unwrap_or(true);
    if options.tls {
        connection.tls = Some(tls::read(&options.properties)?);
    }
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fleetstorm_producer::Codec;

    use super::*;
    use crate::sink::options::ProducerOptions;

    fn asked(properties: &[&str]) -> KafkaSettings {
        let properties = properties.iter().map(|p| p.parse().unwrap()).collect();
        KafkaSettings {
            bootstrap: "127.0.0.1:9".to_owned(),
            options: ProducerOptions::read(Acks::All, true, properties),
            tokens: None,
            connect_timeout: Duration::from_secs(1),
        }
    }

    fn read(properties: &[&str]) -> Result<ProducerSettings, String> {
        producer_settings(&asked(properties), Some(100_000), 6).map_err(|error| error.to_string())
    }

    #[test]
    fn options_become_settings() {
        let settings = read(&[
            "linger.ms=0.5",
            "compression.type=lz4",
            "delivery.timeout.ms=7000",
            "max.in.flight=2",
            "request.timeout.ms=2000",
            "socket.timeout.ms=5000",
            "client.id=me",
        ])
        .unwrap();
        assert_eq!(settings.linger, Duration::from_micros(500));
        assert_eq!((settings.codec, settings.max_in_flight), (Codec::Lz4, 2));
        assert_eq!(settings.delivery_timeout, Some(Duration::from_secs(7)));
        let timeouts = (settings.ack_timeout.as_secs(), settings.request_timeout.as_secs());
        assert_eq!((settings.batch_bytes, timeouts), (Some(100_000), (2, 5)));
        assert!(settings.connection.tls.is_none() && settings.is_idempotent());
        assert_eq!(settings.connection.client_id, "me");
        assert!(read(&["compression.type=zstd", "compression.level=5"]).is_ok());
        let without = read(&[]).unwrap();
        assert_eq!((without.delivery_timeout, without.linger.as_millis()), (None, 5));
        let unbounded = read(&["queue.buffering.max.messages=0"]).unwrap();
        assert_eq!(unbounded.max_records, without.max_records);
    }

    #[test]
    fn what_it_does_not_have_is_refused_by_name() {
        for (property, words) in [
            ("security.protocol=SASL_SSL", "SASL"),
            ("compression.type=snappy", "compression.type"),
            ("max.in.flight=6", "max.in.flight"),
            ("linger.ms=soon", "linger.ms"),
            ("socket.nagle.disable=false", "socket.nagle.disable"),
            ("debug=msg", "debug"),
            ("sticky.partitioning.linger.ms=1", "sticky.partitioning.linger.ms"),
        ] {
            let text = read(&[property]).unwrap_err();
            assert!(text.contains(words) && text.contains("direct"), "{text}");
        }
        assert!(read(&["compression.type=lz4", "compression.level=5"]).is_err());
    }

    #[test]
    fn no_batch_is_larger_than_the_topics_take() {
        let read = |property: &str, largest| {
            producer_settings(&asked(&[property]), largest, 6).unwrap().batch_bytes
        };
        assert_eq!(read("batch.size=4000000", Some(1_000_000)), Some(1_000_000));
        assert_eq!(read("batch.size=4000000", None), Some(4_000_000));
        assert_eq!(read("batch.size=4000", Some(1_000_000)), Some(4_000));
    }

    #[test]
    fn who_only_asks_needs_no_more_than_a_connection() {
        let asks = connection_settings(&asked(&["client.id=me", "metadata.max.age.ms=5"])).unwrap();
        assert_eq!(asks.client_id, "me");
        assert!(connection_settings(&asked(&["sasl.mechanism=PLAIN"])).is_err());
        assert!(connection_settings(&asked(&["security.protocol=no"])).is_err());
    }
}
