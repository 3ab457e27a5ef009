//! The settings of a producer.

use std::time::Duration;

use crate::codec::Codec;
use crate::tls::Tls;

/// The settings of a producer. Defaults are Kafka's, except where [`ProducerSettings::new`] says
/// otherwise. Set the fields, or chain the methods of the same names.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProducerSettings {
    /// The brokers to bootstrap from, as in `a:9092,b:9092`.
    pub bootstrap_servers: String,
    /// How to connect to brokers.
    pub connection: ConnectionSettings,
    /// Which acknowledgements a record needs.
    pub acks: Acks,
    /// Whether retries are idempotent: they neither duplicate nor reorder records. Needs [`Acks::All`].
    pub idempotence: bool,
    /// How long a batch waits for more records. Default 5 ms.
    pub linger: Duration,
    /// The most bytes of a batch before compression. Default 256 KiB, less beyond 64 partitions.
    pub batch_bytes: Option<usize>,
    /// The compression of batches. Default none.
    pub codec: Codec,
    /// The compression level. Default: the codec's own.
    pub compression_level: Option<i32>,
    /// The most bytes that the producer buffers. Default 32 MiB.
    pub max_bytes: usize,
    /// The most records that the producer buffers. Default a million: the bookkeeping for more small
    /// records would take more memory than the records.
    pub max_records: u64,
    /// The most requests in flight to a broker. Default 5, which is also the limit for an idempotent
    /// producer.
    pub max_in_flight: usize,
    /// The delivery timeout, after which a record fails. Default `None`: never.
    pub delivery_timeout: Option<Duration>,
    /// The request timeout, after which the connection is closed. At least two seconds longer than
    /// `ack_timeout`.
    pub request_timeout: Duration,
    /// How long a broker may wait for its replicas.
    pub ack_timeout: Duration,
    /// How long to wait before a retry.
    pub retry_backoff: Duration,
    /// How long to wait before the first attempt to reconnect. At least 10 ms.
    pub reconnect_backoff: Duration,
    /// The longest wait before an attempt to reconnect.
    pub reconnect_backoff_max: Duration,
}

/// How to connect to brokers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectionSettings {
    /// The client id.
    pub client_id: String,
    /// The connect timeout: for TCP, TLS and the first response together.
    pub connect_timeout: Duration,
    /// Whether to use TCP keepalive.
    pub keepalive: bool,
    /// TLS for connections; `None` for plain TCP.
    pub tls: Option<Tls>,
}

/// Which acknowledgements a record needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// From all in-sync replicas.
    All,
    /// From the leader alone.
    Leader,
    /// None: a record counts as delivered once it is written to the network.
    None,
}

/// The default batch size: thousands of records, which stay in the processor's caches until they are
/// sent.
const BATCH_BYTES: usize = 256 << 10;
/// The bytes that a thread's open batches of all partitions hold together, and the smallest batch size.
const OPEN_BYTES: usize = 16 << 20;
const MIN_BATCH_BYTES: usize = 16 << 10;
/// The largest batch size.
const MAX_BATCH_BYTES: usize = 16 << 20;
const MAX_BYTES: usize = 32 << 20;
/// The bookkeeping for more would take more memory than the records.
const MAX_RECORDS: u64 = 1_000_000;
/// How long a response may take beyond the time that the broker had for its replicas.
const ANSWER_MARGIN: Duration = Duration::from_secs(2);
/// The shortest wait before an attempt to reconnect. Without one, a broker that is down would keep a
/// processor busy.
const MIN_RECONNECT_BACKOFF: Duration = Duration::from_millis(10);
/// Brokers keep only this many batches of a sequence.
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

/// One setter per field.
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
    /// Settings of an idempotent producer with acks=all and no delivery timeout, for brokers at these
    /// addresses.
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
        /// Sets how to connect to brokers.
        connection: ConnectionSettings => connection;
        /// Sets the client id.
        client_id: String => connection.client_id;
        /// Sets the connect timeout.
        connect_timeout: Duration => connection.connect_timeout;
        /// Sets whether to use TCP keepalive.
        keepalive: bool => connection.keepalive;
        /// Sets TLS.
        tls: Option<Tls> => connection.tls;
        /// Sets which acknowledgements a record needs.
        acks: Acks => acks;
        /// Sets whether retries are idempotent.
        idempotence: bool => idempotence;
        /// Sets how long a batch waits for more records.
        linger: Duration => linger;
        /// Sets the most bytes of a batch before compression.
        batch_bytes: Option<usize> => batch_bytes;
        /// Sets the compression of batches.
        codec: Codec => codec;
        /// Sets the compression level.
        compression_level: Option<i32> => compression_level;
        /// Sets the most bytes that the producer buffers.
        max_bytes: usize => max_bytes;
        /// Sets the most records that the producer buffers.
        max_records: u64 => max_records;
        /// Sets the most requests in flight to a broker.
        max_in_flight: usize => max_in_flight;
        /// Sets the delivery timeout.
        delivery_timeout: Option<Duration> => delivery_timeout;
        /// Sets the request timeout.
        request_timeout: Duration => request_timeout;
        /// Sets how long a broker may wait for its replicas.
        ack_timeout: Duration => ack_timeout;
        /// Sets how long to wait before a retry.
        retry_backoff: Duration => retry_backoff;
        /// Sets how long to wait before the first attempt to reconnect.
        reconnect_backoff: Duration => reconnect_backoff;
        /// Sets the longest wait before an attempt to reconnect.
        reconnect_backoff_max: Duration => reconnect_backoff_max;
    }

    /// Whether retries are idempotent.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.idempotence && self.acks == Acks::All
    }

    /// The default batch size of a producer of this many partitions.
    #[must_use]
    pub fn default_batch_bytes(partitions: usize) -> usize {
        (OPEN_BYTES / partitions.max(1)).clamp(MIN_BATCH_BYTES, BATCH_BYTES)
    }

    /// The settings, brought within their bounds and into agreement.
    pub(crate) fn bounded(mut self, partitions: usize) -> ProducerSettings {
        let bytes = self.batch_bytes.unwrap_or_else(|| Self::default_batch_bytes(partitions));
        self.batch_bytes = Some(bytes.clamp(1, MAX_BATCH_BYTES));
        self.max_records = self.max_records.max(1);
        self.max_in_flight = self.max_in_flight.max(1);
        if self.is_idempotent() {
            self.max_in_flight = self.max_in_flight.min(MAX_IDEMPOTENT_IN_FLIGHT);
        }
        // A broker may use all of the time that it has for its replicas, and then has to answer.
        self.request_timeout = self.request_timeout.max(self.ack_timeout + ANSWER_MARGIN);
        // A record can't fail while a request holds it.
        if let Some(timeout) = self.delivery_timeout {
            self.request_timeout = self.request_timeout.min(timeout);
            self.ack_timeout = self.ack_timeout.min(timeout);
        }
        self
    }

    /// How long to wait before the next attempt to reconnect, after this many failures.
    pub(crate) fn reconnect_backoff_after(&self, failures: u32) -> Duration {
        let backoff = self.reconnect_backoff * (1 << failures.min(10));
        backoff.min(self.reconnect_backoff_max).max(MIN_RECONNECT_BACKOFF)
    }
}

impl Acks {
    /// The value in Produce requests.
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
