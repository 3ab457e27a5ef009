//! What the direct transport takes of the settings that both transports are given.

use std::time::Duration;

use super::DirectError;
use super::codec::Codec;
use super::tls::Tls;
use crate::sink::kafka::{Acks, KafkaSettings, canonical};

/// The settings of a direct producer.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) acks: Acks,
    pub(super) idempotent: bool,
    pub(super) client_id: String,
    pub(super) linger: Duration,
    /// The most bytes of a batch before it is compressed.
    pub(super) batch_bytes: usize,
    pub(super) codec: Codec,
    /// How hard the codec tries; none for its own level.
    pub(super) level: Option<i32>,
    /// The most bytes that a producer holds, where that was asked for.
    pub(super) most_bytes: Option<usize>,
    /// The most records that a producer holds.
    pub(super) most_records: u64,
    /// Requests that one broker is sent before it answers the first.
    pub(super) in_flight: usize,
    /// After it a record is given up; none where it never is.
    pub(super) delivery_timeout: Option<Duration>,
    /// After it a request is given up, and its connection with it: longer than `ack_timeout`.
    pub(super) request_timeout: Duration,
    /// What a broker may wait for its replicas.
    pub(super) ack_timeout: Duration,
    /// How long a retry waits.
    pub(super) retry_backoff: Duration,
    /// How long the first attempt to connect again waits.
    reconnect_backoff: Duration,
    /// The longest that it comes to wait.
    longest_backoff: Duration,
    /// Whether the system looks after connections on which nothing happens.
    pub(super) keepalive: bool,
    pub(super) tls: Option<Tls>,
}

/// The bytes of a batch unless the topics or the user say less: some thousand records, which stay
/// in the processor's caches until they are sent.
const BATCH_BYTES: usize = 256 << 10;
/// The bytes that batches of all partitions hold for each thread, and the least of one.
const OPEN_BYTES: usize = 16 << 20;
const LEAST_BATCH: usize = 16 << 10;
/// The largest batch that may be asked for.
const LARGEST_BATCH: usize = 16 << 20;
/// Beyond as many their books would take more than they do themselves.
const MOST_RECORDS: u64 = 1_000_000;
/// What an answer may take beyond the time that the broker was given for its replicas.
const ANSWERING: Duration = Duration::from_secs(2);
/// The shortest pause before a broker is connected to again, whatever was asked for: without one, a
/// broker that is down would take a whole processor.
const LEAST_RECONNECT: Duration = Duration::from_millis(10);
/// Beyond as many, brokers no longer know which batches of a sequence they have.
const MOST_IN_FLIGHT: usize = 5;

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// [`DirectError`] for what this transport doesn't have.
    pub(super) fn read(
        settings: &KafkaSettings,
        largest_batch: Option<u64>,
        partitions: usize,
    ) -> Result<Settings, DirectError> {
        if settings.tokens.is_some() {
            return Err(DirectError::Sasl);
        }
        let largest = largest_batch.and_then(|bytes| usize::try_from(bytes).ok());
        let largest = largest.map(|bytes| bytes.clamp(1, LARGEST_BATCH));
        let batch_bytes = (OPEN_BYTES / partitions.max(1)).clamp(LEAST_BATCH, BATCH_BYTES);
        let mut read = Settings {
            acks: settings.acks,
            idempotent: settings.is_idempotent(),
            client_id: "fleetstorm".to_owned(),
            linger: settings.linger(),
            batch_bytes: batch_bytes.min(largest.unwrap_or(batch_bytes)),
            codec: Codec::None,
            level: None,
            most_bytes: None,
            most_records: MOST_RECORDS,
            in_flight: MOST_IN_FLIGHT,
            delivery_timeout: None,
            request_timeout: Duration::from_secs(30),
            ack_timeout: Duration::from_secs(30),
            retry_backoff: Duration::from_millis(100),
            reconnect_backoff: Duration::from_millis(100),
            longest_backoff: Duration::from_secs(1),
            keepalive: true,
            tls: None,
        };
        let mut tls = None;
        for property in &settings.properties {
            let (key, value) = (canonical(&property.key), property.value.trim());
            let wrong = || DirectError::Value { property: property.key.clone() };
            let milliseconds = || value.parse().map(Duration::from_millis).map_err(|_| wrong());
            match key {
                "client.id" => read.client_id = value.to_owned(),
                "linger.ms" => {
                    value.parse::<f64>().ok().filter(|ms| *ms >= 0.0).ok_or_else(wrong)?;
                }
                "batch.size" => {
                    let bytes: usize = value.parse().map_err(|_| wrong())?;
                    read.batch_bytes = bytes.clamp(1, largest.unwrap_or(LARGEST_BATCH));
                }
                "compression.codec" => {
                    read.codec = Codec::named(value).ok_or_else(wrong)?;
                }
                "compression.level" => {
                    let level: i32 = value.parse().map_err(|_| wrong())?;
                    read.level = (level >= 0).then_some(level);
                }
                "queue.buffering.max.kbytes" => {
                    let kibibytes: u32 = value.parse().map_err(|_| wrong())?;
                    read.most_bytes = Some((kibibytes.max(1) as usize) << 10);
                }
                "queue.buffering.max.messages" => {
                    let records: u64 = value.parse().map_err(|_| wrong())?;
                    read.most_records = if records == 0 { MOST_RECORDS } else { records };
                }
                "max.in.flight.requests.per.connection" => {
                    let requests: usize = value.parse().map_err(|_| wrong())?;
                    if requests == 0 || (read.idempotent && requests > MOST_IN_FLIGHT) {
                        return Err(wrong());
                    }
                    read.in_flight = requests;
                }
                // 0 is without an end.
                "message.timeout.ms" => {
                    read.delivery_timeout = Some(milliseconds()?).filter(|after| !after.is_zero());
                }
                "request.timeout.ms" => read.ack_timeout = milliseconds()?,
                "socket.timeout.ms" => read.request_timeout = milliseconds()?,
                "retry.backoff.ms" => read.retry_backoff = milliseconds()?,
                "reconnect.backoff.ms" => read.reconnect_backoff = milliseconds()?,
                "reconnect.backoff.max.ms" => read.longest_backoff = milliseconds()?,
                "security.protocol" => match value.to_ascii_lowercase().as_str() {
                    "plaintext" => tls = Some(false),
                    "ssl" => tls = Some(true),
                    "sasl_plaintext" | "sasl_ssl" => return Err(DirectError::Sasl),
                    _ => return Err(wrong()),
                },
                key if key.starts_with("sasl.") => return Err(DirectError::Sasl),
                // Read below, all together.
                key if key.starts_with("ssl.") || key == "enable.ssl.certificate.verification" => {}
                "socket.keepalive.enable" => read.keepalive = truth(value).ok_or_else(wrong)?,
                // What it does anyway.
                "socket.nagle.disable" if truth(value) == Some(true) => {}
                "allow.auto.create.topics" if truth(value) == Some(false) => {}
                // The client that looks the cluster up takes it.
                "log_level" => {}
                _ => return Err(DirectError::Property { property: property.key.clone() }),
            }
        }
        if read.codec == Codec::Lz4 && read.level.is_some() {
            return Err(DirectError::Property { property: "compression.level".to_owned() });
        }
        // A broker may use all of the time that it is given for its replicas, and then has to answer.
        read.request_timeout = read.request_timeout.max(read.ack_timeout + ANSWERING);
        // A record can't be given up while a request holds it.
        if let Some(timeout) = read.delivery_timeout {
            read.request_timeout = read.request_timeout.min(timeout);
            read.ack_timeout = read.ack_timeout.min(timeout);
        }
        if tls == Some(true) {
            read.tls = Some(Tls::read(&settings.properties)?);
        }
        Ok(read)
    }

    /// The producer's name and the encryption alone, for who only asks.
    ///
    /// # Errors
    /// [`DirectError`] for SASL, and for TLS that can't be had.
    pub(super) fn of_connection(settings: &KafkaSettings) -> Result<Settings, DirectError> {
        let decides = |key: &str| {
            key == "client.id"
                || ["security.", "sasl.", "ssl.", "enable.ssl."].iter().any(|p| key.starts_with(p))
        };
        let properties = settings.properties.iter().filter(|p| decides(canonical(&p.key)));
        let settings =
            KafkaSettings { properties: properties.cloned().collect(), ..settings.clone() };
        Settings::read(&settings, None, 1)
    }

    /// How long to wait before a broker is connected to again that has failed so many times.
    pub(super) fn reconnect_pause(&self, failures: u32) -> Duration {
        let pause = self.reconnect_backoff * (1 << failures.min(10));
        pause.min(self.longest_backoff).max(LEAST_RECONNECT)
    }

    /// The acknowledgements as requests name them.
    pub(super) fn acks(&self) -> i16 {
        match self.acks {
            Acks::All => -1,
            Acks::Leader => 1,
            Acks::None => 0,
        }
    }
}

/// What a value of a yes or no means, as librdkafka reads it.
pub(super) fn truth(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Some(true),
        "false" | "f" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(properties: &[&str]) -> KafkaSettings {
        KafkaSettings {
            bootstrap: "127.0.0.1:9".to_owned(),
            acks: Acks::All,
            idempotent: true,
            tokens: None,
            properties: properties.iter().map(|p| p.parse().unwrap()).collect(),
            patience: Duration::from_secs(1),
        }
    }

    fn read(properties: &[&str]) -> Result<Settings, String> {
        Settings::read(&asked(properties), Some(100_000), 6).map_err(|error| error.to_string())
    }

    #[test]
    fn properties_have_the_meaning_that_they_have_for_librdkafka() {
        let settings = read(&[
            "linger.ms=0.5",
            "compression.type=lz4",
            "delivery.timeout.ms=7000",
            "max.in.flight=2",
        ])
        .unwrap();
        assert_eq!(settings.linger, Duration::from_micros(500));
        assert_eq!((settings.codec, settings.in_flight), (Codec::Lz4, 2));
        assert_eq!(settings.delivery_timeout, Some(Duration::from_secs(7)));
        assert_eq!(settings.batch_bytes, 100_000);
        assert!(settings.tls.is_none() && settings.idempotent);
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
    }

    #[test]
    fn values_that_mean_something_else_are_read_so() {
        assert_eq!(read(&["queue.buffering.max.messages=0"]).unwrap().most_records, MOST_RECORDS);
        let waits = read(&["reconnect.backoff.ms=0", "retry.backoff.ms=7"]).unwrap();
        assert_eq!(waits.retry_backoff, Duration::from_millis(7));
        assert_eq!(waits.reconnect_pause(5), LEAST_RECONNECT, "it does not spin");
        let waits = read(&["reconnect.backoff.ms=20", "reconnect.backoff.max.ms=100"]).unwrap();
        let pauses = [0, 1, 2, 3, 40].map(|failures| waits.reconnect_pause(failures).as_millis());
        assert_eq!(pauses, [20, 40, 80, 100, 100]);
        let waits = read(&["request.timeout.ms=2000", "socket.timeout.ms=5000"]).unwrap();
        assert_eq!((waits.ack_timeout.as_secs(), waits.request_timeout.as_secs()), (2, 5));
        assert!(read(&["allow.auto.create.topics=False"]).is_ok());
        assert!(read(&["compression.type=zstd", "compression.level=5"]).is_ok());
        assert!(read(&["compression.type=lz4", "compression.level=5"]).is_err());
    }

    #[test]
    fn timeouts_do_not_cut_each_other_off() {
        let seconds = |properties: &[&str]| {
            let read = read(properties).unwrap();
            let whole = [read.ack_timeout, read.request_timeout].map(|time| time.as_secs());
            (whole, read.delivery_timeout.map(|time| time.as_secs()))
        };
        assert_eq!(seconds(&[]), ([30, 32], None));
        assert_eq!(seconds(&["request.timeout.ms=60000"]), ([60, 62], None));
        assert_eq!(seconds(&["socket.timeout.ms=1000"]), ([30, 32], None));
        assert_eq!(seconds(&["socket.timeout.ms=90000"]), ([30, 90], None));
        assert_eq!(seconds(&["delivery.timeout.ms=5000"]), ([5, 5], Some(5)));
        assert_eq!(seconds(&["message.timeout.ms=0"]), ([30, 32], None));
    }

    #[test]
    fn no_batch_is_larger_than_the_topics_take() {
        let read = |property: &str, largest| {
            Settings::read(&asked(&[property]), largest, 6).unwrap().batch_bytes
        };
        assert_eq!(read("batch.size=4000000", Some(1_000_000)), 1_000_000);
        assert_eq!(read("batch.size=4000000", None), 4_000_000);
        assert_eq!(read("batch.size=4000", Some(1_000_000)), 4_000);
    }

    #[test]
    fn who_only_asks_needs_no_more_than_a_connection() {
        let asks =
            Settings::of_connection(&asked(&["client.id=me", "metadata.max.age.ms=5"])).unwrap();
        assert_eq!(asks.client_id, "me");
        assert!(Settings::of_connection(&asked(&["sasl.mechanism=PLAIN"])).is_err());
    }
}
