//! The settings of a producer.

use std::time::Duration;

use crate::codec::Codec;
use crate::tls::Tls;

/// The settings of a producer: Kafka's defaults where they suit it, and what [`ProducerSettings::new`]
/// says otherwise. Fields can be set, or chained by the methods of the same names.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProducerSettings {
    /// The brokers that are asked first where the partitions are, as in `a:9092,b:9092`.
    pub bootstrap_servers: String,
    /// How brokers are connected to.
    pub connection: ConnectionSettings,
    /// What counts as delivered.
    pub acks: Acks,
    /// Whether a retry neither duplicates nor reorders records; only had where all replicas acknowledge.
    pub idempotence: bool,
    /// How long a batch waits to be filled. 5 ms unless set.
    pub linger: Duration,
    /// The most bytes of a batch before it is compressed. Unless set, 256 KiB, and less where there are
    /// more than 64 partitions.
    pub batch_bytes: Option<usize>,
    /// How batches are compressed. Not at all unless set.
    pub codec: Codec,
    /// How hard the codec tries; its own level unless set.
    pub compression_level: Option<i32>,
    /// The most bytes that the producer holds. 32 MiB unless set.
    pub max_bytes: usize,
    /// The most records that the producer holds. A million unless set; beyond, their books would take
    /// more than they do themselves.
    pub max_records: u64,
    /// Requests that one broker is sent before it answers the first; 5 unless set, and no more for an
    /// idempotent producer.
    pub max_in_flight: usize,
    /// After it a record is given up; none, as unless set, where it never is.
    pub delivery_timeout: Option<Duration>,
    /// After it a request is given up, and its connection with it. At least two seconds longer than
    /// `ack_timeout`.
    pub request_timeout: Duration,
    /// What a broker may wait for its replicas.
    pub ack_timeout: Duration,
    /// How long a retry waits.
    pub retry_backoff: Duration,
    /// How long the first attempt to connect again waits; 10 ms at least.
    pub reconnect_backoff: Duration,
    /// The longest that it comes to wait.
    pub reconnect_backoff_max: Duration,
}

/// How brokers are connected to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectionSettings {
    /// The name that brokers know this client by.
    pub client_id: String,
    /// How long a connection may take to be opened, encryption and the first answer included.
    pub connect_timeout: Duration,
    /// Whether the system looks after connections on which nothing happens.
    pub keepalive: bool,
    /// How connections are encrypted; none where they aren't.
    pub tls: Option<Tls>,
}

/// Which acknowledgement a record is delivered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// By all in-sync replicas.
    All,
    /// By the leader alone.
    Leader,
    /// By none: a record counts as delivered once it is written to the network.
    None,
}

/// The bytes of a batch unless more or less is asked for: some thousand records, which stay in the
/// processor's caches until they are sent.
const BATCH_BYTES: usize = 256 << 10;
/// The bytes that batches of all partitions hold for each thread, and the least of one.
const OPEN_BYTES: usize = 16 << 20;
const MIN_BATCH_BYTES: usize = 16 << 10;
/// The largest batch that may be asked for.
const MAX_BATCH_BYTES: usize = 16 << 20;
const MAX_BYTES: usize = 32 << 20;
/// Beyond as many their books would take more than they do themselves.
const MAX_RECORDS: u64 = 1_000_000;
/// What an answer may take beyond the time that the broker was given for its replicas.
const ANSWER_MARGIN: Duration = Duration::from_secs(2);
/// The shortest pause before a broker is connected to again, whatever was asked for: without one, a
/// broker that is down would take a whole processor.
const MIN_RECONNECT_BACKOFF: Duration = Duration::from_millis(10);
/// Beyond as many, brokers no longer know which batches of a sequence they have.
const MAX_IDEMPOTENT_IN_FLIGHT: usize = 5;

impl Default for ConnectionSettings {
    fn default() -> ConnectionSettings {
        ConnectionSettings {
            client_id: env!("CARGO_PKG_NAME").to_owned(),
            connect_timeout: Duration::from_secs(10),
            keepalive: true,
            tls: None,
        }
    }
}

/// Methods that set a field each.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty => $($field:ident).+;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$($field).+ = $name;
            self
        })*
    };
}

impl ProducerSettings {
    /// Settings of an idempotent producer whose records all replicas acknowledge and that gives none up,
    /// for brokers at these addresses.
    pub fn new(bootstrap_servers: impl Into<String>) -> ProducerSettings {
        ProducerSettings {
            bootstrap_servers: bootstrap_servers.into(),
            connection: ConnectionSettings::default(),
            acks: Acks::All,
            idempotence: true,
            linger: Duration::from_millis(5),
            batch_bytes: None,
            codec: Codec::None,
            compression_level: None,
            max_bytes: MAX_BYTES,
            max_records: MAX_RECORDS,
            max_in_flight: MAX_IDEMPOTENT_IN_FLIGHT,
            delivery_timeout: None,
            request_timeout: Duration::from_secs(30),
            ack_timeout: Duration::from_secs(30),
            retry_backoff: Duration::from_millis(100),
            reconnect_backoff: Duration::from_millis(100),
            reconnect_backoff_max: Duration::from_secs(1),
        }
    }

    setters! {
        /// Sets all of how brokers are connected to.
        connection: ConnectionSettings => connection;
        /// Sets the name that brokers know this client by.
        client_id: String => connection.client_id;
        /// Sets how long a connection may take to be opened.
        connect_timeout: Duration => connection.connect_timeout;
        /// Sets whether the system looks after idle connections.
        keepalive: bool => connection.keepalive;
        /// Sets how connections are encrypted.
        tls: Option<Tls> => connection.tls;
        /// Sets what counts as delivered.
        acks: Acks => acks;
        /// Sets whether a retry neither duplicates nor reorders records.
        idempotence: bool => idempotence;
        /// Sets how long a batch waits to be filled.
        linger: Duration => linger;
        /// Sets the most bytes of a batch before it is compressed.
        batch_bytes: Option<usize> => batch_bytes;
        /// Sets how batches are compressed.
        codec: Codec => codec;
        /// Sets how hard the codec tries.
        compression_level: Option<i32> => compression_level;
        /// Sets the most bytes that the producer holds.
        max_bytes: usize => max_bytes;
        /// Sets the most records that the producer holds.
        max_records: u64 => max_records;
        /// Sets how many requests one broker is sent before it answers the first.
        max_in_flight: usize => max_in_flight;
        /// Sets when a record is given up.
        delivery_timeout: Option<Duration> => delivery_timeout;
        /// Sets when a request is given up.
        request_timeout: Duration => request_timeout;
        /// Sets what a broker may wait for its replicas.
        ack_timeout: Duration => ack_timeout;
        /// Sets how long a retry waits.
        retry_backoff: Duration => retry_backoff;
        /// Sets how long the first attempt to connect again waits.
        reconnect_backoff: Duration => reconnect_backoff;
        /// Sets the longest that an attempt to connect again comes to wait.
        reconnect_backoff_max: Duration => reconnect_backoff_max;
    }

    /// Whether retries are idempotent.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.idempotence && self.acks == Acks::All
    }

    /// The bytes of a batch of a producer of so many partitions, unless more or less is asked for.
    #[must_use]
    pub fn default_batch_bytes(partitions: usize) -> usize {
        (OPEN_BYTES / partitions.max(1)).clamp(MIN_BATCH_BYTES, BATCH_BYTES)
    }

    /// The settings within their bounds, which agree with each other.
    pub(crate) fn bounded(mut self, partitions: usize) -> ProducerSettings {
        let bytes = self.batch_bytes.unwrap_or_else(|| Self::default_batch_bytes(partitions));
        self.batch_bytes = Some(bytes.clamp(1, MAX_BATCH_BYTES));
        self.max_records = self.max_records.max(1);
        self.max_in_flight = self.max_in_flight.max(1);
        if self.is_idempotent() {
            self.max_in_flight = self.max_in_flight.min(MAX_IDEMPOTENT_IN_FLIGHT);
        }
        // A broker may use all of the time that it is given for its replicas, and then has to answer.
        self.request_timeout = self.request_timeout.max(self.ack_timeout + ANSWER_MARGIN);
        // A record can't be given up while a request holds it.
        if let Some(timeout) = self.delivery_timeout {
            self.request_timeout = self.request_timeout.min(timeout);
            self.ack_timeout = self.ack_timeout.min(timeout);
        }
        self
    }

    /// How long to wait before a broker is connected to again that has failed so many times.
    pub(crate) fn reconnect_backoff_after(&self, failures: u32) -> Duration {
        let backoff = self.reconnect_backoff * (1 << failures.min(10));
        backoff.min(self.reconnect_backoff_max).max(MIN_RECONNECT_BACKOFF)
    }
}

impl Acks {
    /// The acknowledgements as requests name them.
    pub(crate) fn code(self) -> i16 {
        match self {
            Acks::All => -1,
            Acks::Leader => 1,
            Acks::None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ProducerSettings {
        ProducerSettings::new("127.0.0.1:9")
    }

    #[test]
    fn timeouts_do_not_cut_each_other_off() {
        let s = Duration::from_secs;
        let seconds = |settings: ProducerSettings| {
            let bounded = settings.bounded(1);
            [bounded.ack_timeout, bounded.request_timeout].map(|time| time.as_secs())
        };
        assert_eq!(seconds(settings()), [30, 32]);
        assert_eq!(seconds(settings().ack_timeout(s(60))), [60, 62]);
        assert_eq!(seconds(settings().request_timeout(s(1))), [30, 32]);
        assert_eq!(seconds(settings().request_timeout(s(90))), [30, 90]);
        assert_eq!(seconds(settings().delivery_timeout(Some(s(5)))), [5, 5]);
    }

    #[test]
    fn reconnects_back_off_and_do_not_spin() {
        let waits = settings().reconnect_backoff(Duration::ZERO);
        assert_eq!(waits.reconnect_backoff_after(5), MIN_RECONNECT_BACKOFF);
        let ms = Duration::from_millis;
        let waits = settings().reconnect_backoff(ms(20)).reconnect_backoff_max(ms(100));
        let backoffs =
            [0, 1, 2, 3, 40].map(|failures| waits.reconnect_backoff_after(failures).as_millis());
        assert_eq!(backoffs, [20, 40, 80, 100, 100]);
    }

    #[test]
    fn bounds_are_kept_whatever_is_asked_for() {
        let most = settings().max_in_flight(9).max_records(0).batch_bytes(Some(0)).bounded(1);
        assert_eq!((most.max_in_flight, most.max_records, most.batch_bytes), (5, 1, Some(1)));
        let lax = settings().idempotence(false).max_in_flight(9).bounded(1);
        assert_eq!(lax.max_in_flight, 9);
        assert!(!settings().acks(Acks::Leader).is_idempotent());
        assert_eq!(settings().bounded(1).batch_bytes, Some(BATCH_BYTES));
        assert_eq!(settings().bounded(10_000).batch_bytes, Some(MIN_BATCH_BYTES));
    }
}
