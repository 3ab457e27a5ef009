//! How records are sent, read once from the user's properties for both transports.
//!
//! What only librdkafka has stays a property, and so does a value that can't be read: librdkafka says
//! what is wrong with it, and the direct transport refuses it by its name.

use std::fmt;
use std::time::Duration;

use fleetstorm_producer::Codec;
use serde::{Deserialize, Serialize};

use super::property::{Property, canonical};

/// How records are sent.
#[derive(Debug, Clone)]
pub struct ProducerOptions {
    /// What counts as delivered.
    pub acks: Acks,
    /// Whether a retry neither duplicates nor reorders records; only where all replicas acknowledge.
    pub idempotence: bool,
    /// The name that brokers know the producer by.
    pub client_id: String,
    /// How long a batch waits to be filled.
    pub linger: Duration,
    /// The most bytes of a batch, where that was asked for.
    pub batch_bytes: Option<usize>,
    /// How batches are compressed.
    pub codec: Codec,
    /// How hard the codec tries; none for its own level.
    pub compression_level: Option<i32>,
    /// The most bytes that a producer holds, where that was asked for.
    pub queued_bytes: Option<usize>,
    /// The most records that a producer holds, where that was asked for; 0 is without a bound.
    pub queued_records: Option<u64>,
    /// Requests that one broker is sent before it answers the first, where that was asked for.
    pub max_in_flight: Option<usize>,
    /// After how long a record is given up; none where it never is.
    pub delivery_timeout: Option<Duration>,
    /// After how long a request is given up, where that was asked for.
    pub socket_timeout: Option<Duration>,
    /// What a broker may wait for its replicas, where that was asked for.
    pub request_timeout: Option<Duration>,
    /// How long a retry waits, where that was asked for.
    pub retry_backoff: Option<Duration>,
    /// How long the first attempt to connect again waits, where that was asked for.
    pub reconnect_backoff: Option<Duration>,
    /// The longest that such an attempt comes to wait.
    pub reconnect_backoff_max: Duration,
    /// Whether the system looks after connections on which nothing happens, where that was asked for.
    pub keepalive: Option<bool>,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// What only librdkafka can be told, in the user's order.
    pub raw: Vec<RawProperty>,
    /// The user's properties as they are.
    pub properties: Vec<Property>,
}

/// Which acknowledgement a record is delivered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Acks {
    /// By all in-sync replicas; the producer is idempotent.
    #[value(name = "all", alias = "-1")]
    All,
    /// By the leader alone.
    #[value(name = "1")]
    Leader,
    /// By none.
    #[value(name = "0")]
    None,
}

/// A property that no option is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawProperty {
    /// Its name, as the user has it.
    pub key: String,
    /// Why no option is for it.
    pub reason: RawReason,
}

/// Why no option is for a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawReason {
    /// Only librdkafka may know it.
    Unknown,
    /// Its value can't be read, or only librdkafka may know it.
    Value,
    /// It is SASL's.
    Sasl,
}

/// What all producers of a paced run may hold: a part of the program's promise of memory. librdkafka's
/// own default would be 1 GiB.
pub const QUEUED_BYTES: usize = 64 << 20;

/// What a batch waits for, as Java's clients do from version 4 on.
const LINGER: Duration = Duration::from_millis(5);
/// As Java's: a broker that is back is found within a second rather than librdkafka's ten.
const RECONNECT_BACKOFF_MAX: Duration = Duration::from_secs(1);
/// Beyond as many, brokers no longer know which batches of a sequence they have.
const MAX_IDEMPOTENT_IN_FLIGHT: usize = 5;

impl Acks {
    /// As properties name them.
    pub fn property(self) -> &'static str {
        match self {
            Acks::All => "all",
            Acks::Leader => "1",
            Acks::None => "0",
        }
    }

    /// What is given up with these acknowledgements, to be told to the user; none for `all`.
    fn forfeits(self) -> Option<&'static str> {
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

/// As the options and properties name them.
impl fmt::Display for Acks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.property())
    }
}

impl ProducerOptions {
    /// Reads the user's properties; the last of a name counts.
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
            // No record is given up while a run goes on, however long an outage lasts.
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

    /// What is given up by how records are acknowledged, to be told to the user.
    pub fn forfeits(&self) -> Option<&'static str> {
        match self.acks {
            Acks::All if !self.idempotence => Some(
                "with enable.idempotence=false the producer is not idempotent: a retry may duplicate \
                 or reorder records",
            ),
            acks => acks.forfeits(),
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
                // 0 is without an end.
                self.delivery_timeout = Some(milliseconds(value)?).filter(|time| !time.is_zero());
            }
            "request.timeout.ms" => self.request_timeout = Some(milliseconds(value)?),
            "socket.timeout.ms" => self.socket_timeout = Some(milliseconds(value)?),
            "retry.backoff.ms" => self.retry_backoff = Some(milliseconds(value)?),
            "reconnect.backoff.ms" => self.reconnect_backoff = Some(milliseconds(value)?),
            "reconnect.backoff.max.ms" => self.reconnect_backoff_max = milliseconds(value)?,
            "socket.keepalive.enable" => {
                self.keepalive = Some(truth(value).ok_or(RawReason::Value)?)
            }
            "security.protocol" => match value.to_ascii_lowercase().as_str() {
                "plaintext" => self.tls = false,
                "ssl" => self.tls = true,
                "sasl_plaintext" | "sasl_ssl" => return Err(RawReason::Sasl),
                _ => return Err(RawReason::Value),
            },
            key if key.starts_with("sasl.") => return Err(RawReason::Sasl),
            // Whom is trusted is read where connections are made.
            key if key.starts_with("ssl.") || key == "enable.ssl.certificate.verification" => {}
            // What both do anyway.
            "socket.nagle.disable" if truth(value) == Some(true) => {}
            "allow.auto.create.topics" if truth(value) == Some(false) => {}
            // librdkafka's client, which looks the cluster up, takes it.
            "log_level" => {}
            _ => return Err(RawReason::Unknown),
        }
        Ok(())
    }
}

/// What a value of a yes or no means, as librdkafka reads it.
pub fn truth(value: &str) -> Option<bool> {
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
