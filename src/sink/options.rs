//! How records are sent, by the user's properties, read once for both transports.
//!
//! Properties that only librdkafka has stay as they are, and so do values that can't be parsed:
//! librdkafka reports what is wrong with them, and the direct transport names them as not supported.

use std::fmt;
use std::time::Duration;

use fleetstorm_producer::Codec;
use serde::{Deserialize, Serialize};

use super::property::{Property, canonical};

/// How records are sent.
#[derive(Debug, Clone)]
pub struct ProducerOptions {
    /// Which acknowledgements a record needs.
    pub acks: Acks,
    /// Whether retries are idempotent: they neither duplicate nor reorder records. Needs acks=all.
    pub idempotence: bool,
    /// The client id.
    pub client_id: String,
    /// How long a batch waits for more records.
    pub linger: Duration,
    /// The most bytes of a batch, if set.
    pub batch_bytes: Option<usize>,
    /// The compression of batches.
    pub codec: Codec,
    /// The compression level; `None` for the codec's own.
    pub compression_level: Option<i32>,
    /// The most bytes that a producer buffers, if set.
    pub queued_bytes: Option<usize>,
    /// The most records that a producer buffers, if set; 0 for no limit.
    pub queued_records: Option<u64>,
    /// The most requests in flight to a broker, if set.
    pub max_in_flight: Option<usize>,
    /// The delivery timeout; `None` for no timeout.
    pub delivery_timeout: Option<Duration>,
    /// The timeout of a request, if set.
    pub socket_timeout: Option<Duration>,
    /// How long a broker may wait for its replicas, if set.
    pub request_timeout: Option<Duration>,
    /// How long to wait before a retry, if set.
    pub retry_backoff: Option<Duration>,
    /// How long to wait before the first attempt to reconnect, if set.
    pub reconnect_backoff: Option<Duration>,
    /// The longest wait before an attempt to reconnect.
    pub reconnect_backoff_max: Duration,
    /// Whether to use TCP keepalive, if set.
    pub keepalive: Option<bool>,
    /// Whether to use TLS.
    pub tls: bool,
    /// Properties for librdkafka alone, in the user's order.
    pub raw: Vec<RawProperty>,
    /// The user's properties, unchanged.
    pub properties: Vec<Property>,
}

/// Which acknowledgements a record needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Acks {
    /// From all in-sync replicas; the producer is idempotent.
    #[value(name = "all", alias = "-1")]
    All,
    /// From the leader alone.
    #[value(name = "1")]
    Leader,
    /// None.
    #[value(name = "0")]
    None,
}

/// A property that no field stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawProperty {
    /// Its name, as the user wrote it.
    pub key: String,
    /// Why no field stands for it.
    pub reason: RawReason,
}

/// Why no field stands for a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawReason {
    /// Only librdkafka may know it.
    Unknown,
    /// Its value can't be parsed, or only librdkafka may know it.
    Value,
    /// It is about SASL.
    Sasl,
}

/// The most bytes that all producers of a paced run buffer together: a part of the program's promise
/// about memory. librdkafka's own default would be 1 GiB.
pub const QUEUED_BYTES: usize = 64 << 20;

/// The linger of Java clients from version 4 on.
const LINGER: Duration = Duration::from_millis(5);
/// As in Java: a broker that is back is found within a second rather than librdkafka's ten.
const RECONNECT_BACKOFF_MAX: Duration = Duration::from_secs(1);
/// Brokers keep only this many batches of a sequence.
const MAX_IDEMPOTENT_IN_FLIGHT: usize = 5;

impl Acks {
    /// The value of `acks`.
    pub fn property(self) -> &'static str {
        match self {
            Acks::All => "all",
            Acks::Leader => "1",
            Acks::None => "0",
        }
    }

    /// A warning about what these acks don't guarantee; `None` for `all`.
    fn acks_warning(self) -> Option<&'static str> {
        match self {
            Acks::All => None,
            Acks::Leader => Some(
                "with --acks 1 the producer is not idempotent: a retry may duplicate or reorder \
                 records, and a leader that fails may lose acknowledged ones",
            ),
            Acks::None => Some(
                "with --acks 0 no broker confirms anything: `acked` counts what was written to the \
                 network, and records may be lost unseen",
            ),
        }
    }
}

/// As options and properties name them.
impl fmt::Display for Acks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.property())
    }
}

impl ProducerOptions {
    /// Reads the user's properties. The last value of a name counts.
    pub fn read(acks: Acks, idempotence: bool, properties: Vec<Property>) -> ProducerOptions {
        let mut options = ProducerOptions {
            acks,
            idempotence,
            client_id: "fleetstorm".to_owned(),
            linger: LINGER,
            batch_bytes: None,
            codec: Codec::None,
            compression_level: None,
            queued_bytes: None,
            queued_records: None,
            max_in_flight: None,
            // No record fails for its age while a run lasts, however long an outage takes.
            delivery_timeout: None,
            socket_timeout: None,
            request_timeout: None,
            retry_backoff: None,
            reconnect_backoff: None,
            reconnect_backoff_max: RECONNECT_BACKOFF_MAX,
            keepalive: None,
            tls: false,
            raw: Vec::new(),
            properties: Vec::new(),
        };
        for property in &properties {
            if let Err(reason) = options.take(canonical(&property.key), property.value.trim()) {
                options.raw.push(RawProperty { key: property.key.clone(), reason });
            }
        }
        options.properties = properties;
        options
    }

    /// Whether its producers are idempotent.
    pub fn is_idempotent(&self) -> bool {
        self.idempotence && self.acks == Acks::All
    }

    /// A warning about what the acknowledgements don't guarantee.
    pub fn acks_warning(&self) -> Option<&'static str> {
        match self.acks {
            Acks::All if !self.idempotence => Some(
                "with enable.idempotence=false the producer is not idempotent: a retry may duplicate \
                 or reorder records",
            ),
            acks => acks.acks_warning(),
        }
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), RawReason> {
        match key {
            "client.id" => self.client_id = value.to_owned(),
            "linger.ms" => {
                let milliseconds: f64 = number(value)?;
                self.linger = Duration::try_from_secs_f64(milliseconds / 1000.0)
                    .map_err(|_| RawReason::Value)?;
            }
            "batch.size" => self.batch_bytes = Some(number(value)?),
            "compression.codec" => self.codec = Codec::named(value).ok_or(RawReason::Value)?,
            "compression.level" => {
                let level: i32 = number(value)?;
                self.compression_level = (level >= 0).then_some(level);
            }
            "queue.buffering.max.kbytes" => {
                let kibibytes: u32 = number(value)?;
                self.queued_bytes = Some((kibibytes.max(1) as usize) << 10);
            }
            "queue.buffering.max.messages" => self.queued_records = Some(number(value)?),
            "max.in.flight.requests.per.connection" => {
                let requests: usize = number(value)?;
                if requests == 0 || (self.is_idempotent() && requests > MAX_IDEMPOTENT_IN_FLIGHT) {
                    return Err(RawReason::Value);
                }
                self.max_in_flight = Some(requests);
            }
            "message.timeout.ms" => {
                // 0 means no timeout.
                self.delivery_timeout = Some(milliseconds(value)?).filter(|time| !time.is_zero());
            }
            "request.timeout.ms" => self.request_timeout = Some(milliseconds(value)?),
            "socket.timeout.ms" => self.socket_timeout = Some(milliseconds(value)?),
            "retry.backoff.ms" => self.retry_backoff = Some(milliseconds(value)?),
            "reconnect.backoff.ms" => self.reconnect_backoff = Some(milliseconds(value)?),
            "reconnect.backoff.max.ms" => self.reconnect_backoff_max = milliseconds(value)?,
            "socket.keepalive.enable" => {
                self.keepalive = Some(boolean(value).ok_or(RawReason::Value)?)
            }
            "security.protocol" => match value.to_ascii_lowercase().as_str() {
                "plaintext" => self.tls = false,
                "ssl" => self.tls = true,
                "sasl_plaintext" | "sasl_ssl" => return Err(RawReason::Sasl),
                _ => return Err(RawReason::Value),
            },
            key if key.starts_with("sasl.") => return Err(RawReason::Sasl),
            // Trust settings are read when connections are made.
            key if key.starts_with("ssl.") || key == "enable.ssl.certificate.verification" => {}
            // Both do this anyway.
            "socket.nagle.disable" if boolean(value) == Some(true) => {}
            "allow.auto.create.topics" if boolean(value) == Some(false) => {}
            // It is for librdkafka's client, which looks the cluster up.
            "log_level" => {}
            _ => return Err(RawReason::Unknown),
        }
        Ok(())
    }
}

/// A boolean value, as librdkafka parses it.
pub fn boolean(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Some(true),
        "false" | "f" | "0" => Some(false),
        _ => None,
    }
}

fn number<N: std::str::FromStr>(value: &str) -> Result<N, RawReason> {
    value.parse().map_err(|_| RawReason::Value)
}

fn milliseconds(value: &str) -> Result<Duration, RawReason> {
    number(value).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(properties: &[&str]) -> ProducerOptions {
        let properties = properties.iter().map(|p| p.parse().unwrap()).collect();
        ProducerOptions::read(Acks::All, true, properties)
    }

    #[test]
    fn properties_have_the_meaning_that_they_have_for_librdkafka() {
        let options = read(&[
            "linger.ms=7",
            "linger.ms=0.5",
            "compression.type=lz4",
            "delivery.timeout.ms=7000",
            "max.in.flight=2",
            "queue.buffering.max.kbytes=0",
            "message.timeout.ms=0",
            "retry.backoff.ms=7",
        ]);
        assert_eq!(options.linger, Duration::from_micros(500));
        assert_eq!((options.codec, options.max_in_flight), (Codec::Lz4, Some(2)));
        assert_eq!((options.delivery_timeout, options.queued_bytes), (None, Some(1024)));
        assert_eq!(options.retry_backoff, Some(Duration::from_millis(7)));
        assert!(!options.tls && options.is_idempotent() && options.raw.is_empty());
    }

    #[test]
    fn what_no_option_is_for_stays_a_property() {
        for (property, reason) in [
            ("security.protocol=SASL_SSL", Some(RawReason::Sasl)),
            ("sasl.username=ann", Some(RawReason::Sasl)),
            ("compression.type=snappy", Some(RawReason::Value)),
            ("max.in.flight=6", Some(RawReason::Value)),
            ("linger.ms=soon", Some(RawReason::Value)),
            ("linger.ms=-1", Some(RawReason::Value)),
            ("socket.nagle.disable=false", Some(RawReason::Unknown)),
            ("allow.auto.create.topics=False", None),
            ("statistics.interval.ms=5", Some(RawReason::Unknown)),
            ("ssl.ca.location=/ca.pem", None),
        ] {
            let options = read(&[property]);
            assert_eq!(options.raw.first().map(|raw| raw.reason), reason, "{property}");
            assert_eq!(options.properties.len(), 1);
        }
        // Without a sequence there is no bound on requests.
        let many = vec!["max.in.flight=6".parse().unwrap()];
        assert_eq!(ProducerOptions::read(Acks::Leader, true, many).max_in_flight, Some(6));
    }
}
