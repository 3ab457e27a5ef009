//! What librdkafka reports of records and connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleetstorm_model::record::Topic;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use serde::Deserialize;

use super::delivery_report::{DeliveryReport, since_enqueued};
use super::token::TokenSource;
use crate::sink::tally::Tally;
use crate::sink::throttled::Throttled;

/// Receives delivery reports and counts them, without an allocation a record.
#[derive(Debug, Clone)]
pub struct Delivery {
    tally: Arc<Tally>,
    throttled: Arc<Throttled>,
    last_client_error: Arc<LastClientError>,
    tokens: Option<Arc<TokenSource>>,
}

/// The part of the client's statistics that is read.
#[derive(Debug, Deserialize)]
struct ClientStatistics {
    brokers: HashMap<String, BrokerStatistics>,
}

#[derive(Debug, Deserialize)]
struct BrokerStatistics {
    throttle: ThrottleStatistics,
}

#[derive(Debug, Deserialize)]
struct ThrottleStatistics {
    /// The longest throttle time since the last statistics, in milliseconds.
    max: i64,
}

/// How often the client emits statistics.
pub const STATISTICS_EVERY: Duration = Duration::from_secs(2);

/// The client's last error about its connection, for error messages.
#[derive(Debug, Default)]
pub struct LastClientError(Mutex<Option<(RDKafkaErrorCode, String)>>);

/// What a record carries through the producer to its delivery report: its topic and, if it is paced, its
/// intended time, packed into the 64 bits of a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordOpaque {
    /// The record's topic.
    pub topic: Topic,
    /// Nanoseconds from the schedule's zero; below 2^60 (36 years).
    pub intended_ns: Option<u64>,
}

const _: () = assert!(usize::BITS == 64, "an opaque needs 64-bit pointers");
const TOPIC_SHIFT: u32 = 61;
const PACED: usize = 1 << 60;

impl RecordOpaque {
    /// Packs it into the opaque of a record.
    #[inline]
    pub fn pack(self) -> usize {
        let intended = match self.intended_ns {
            Some(ns) => PACED | (ns as usize & (PACED - 1)),
            None => 0,
        };
        (self.topic.index() << TOPIC_SHIFT) | intended
    }

    /// Unpacks the opaque of a record.
    #[inline]
    pub fn unpack(opaque: usize) -> RecordOpaque {
        let index = (opaque >> TOPIC_SHIFT).min(Topic::COUNT - 1);
        RecordOpaque {
            topic: Topic::ALL[index],
            intended_ns: (opaque & PACED != 0).then_some((opaque & (PACED - 1)) as u64),
        }
    }
}

impl Delivery {
    /// A receiver that counts into `tally`.
    pub fn new(tally: Arc<Tally>) -> Delivery {
        Delivery {
            tally,
            throttled: Arc::default(),
            last_client_error: Arc::default(),
            tokens: None,
        }
    }

    /// The receiver for a client whose tokens come from `tokens`.
    #[must_use]
    pub fn with_tokens(self, tokens: Option<Arc<TokenSource>>) -> Delivery {
        Delivery { tokens, ..self }
    }

    /// Where the client's tokens come from.
    pub fn tokens(&self) -> Option<&TokenSource> {
        self.tokens.as_deref()
    }

    /// Counts the records of an event.
    pub fn take<'a>(&self, reports: impl Iterator<Item = DeliveryReport<'a>>) {
        let mut tally = self.tally.counting();
        for report in reports {
            let packed = RecordOpaque::unpack(report.opaque());
            match report.error() {
                None => tally.acknowledge(
                    packed.topic,
                    report.bytes(),
                    report.since_enqueued(),
                    packed.intended_ns,
                ),
                Some(code) => tally.fail(packed.topic, &format!("{code:?}")),
            }
        }
    }

    /// Takes the client's statistics, which hold how long each broker has throttled since the last.
    pub fn take_statistics(&self, statistics: &str) {
        if let Ok(told) = serde_json::from_str::<ClientStatistics>(statistics) {
            let pauses = told.brokers.values().map(|broker| broker.throttle.max);
            let longest =
                Duration::from_millis(u64::try_from(pauses.max().unwrap_or(0)).unwrap_or(0));
            if !longest.is_zero() {
                tracing::debug!("a quota throttles the producer for {longest:?}");
            }
            self.throttled.add(longest);
        }
    }

    /// For how long brokers have throttled the client.
    pub fn throttled(&self) -> Arc<Throttled> {
        Arc::clone(&self.throttled)
    }

    /// The client's last error about its connection.
    pub fn last_client_error(&self) -> Arc<LastClientError> {
        Arc::clone(&self.last_client_error)
    }
}

impl LastClientError {
    /// The last error, if any.
    pub fn last(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps an error, unless it only says that all brokers are down: the one before explains why.
    fn keep(&self, code: RDKafkaErrorCode, reason: &str) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if code == RDKafkaErrorCode::AllBrokersDown && last.is_some() {
            return;
        }
        *last = Some((code, reason.to_owned()));
    }
}

impl ClientContext for Delivery {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::debug!(facility, "{message}"),
            _ => tracing::trace!(facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        self.last_client_error.keep(code, reason);
        tracing::debug!(?code, "{reason}");
    }
}

impl ProducerContext for Delivery {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        // Only called while a producer is flushed; otherwise events are polled.
        let packed = RecordOpaque::unpack(opaque);
        let mut tally = self.tally.counting();
        match result {
            Ok(message) => {
                let bytes = message.payload_len() + message.key_len();
                tally.acknowledge(packed.topic, bytes, since_enqueued(message), packed.intended_ns);
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                tally.fail(packed.topic, &format!("{code:?}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_tell_of_throttling() {
        let delivery = Delivery::new(Arc::default());
        let told = |ms: i64| {
            let broker =
                |ms: i64| format!(r#"{{"throttle": {{"min": 0, "max": {ms}}}, "rtt": {{}}}}"#);
            format!(r#"{{"brokers": {{"a/1": {}, "b/2": {}}}, "ts": 5}}"#, broker(0), broker(ms))
        };
        delivery.take_statistics(&told(0));
        delivery.take_statistics("no JSON");
        assert!(!delivery.throttled().is_on());
        delivery.take_statistics(&told(1_500));
        assert!(delivery.throttled().is_on());
    }

    #[test]
    fn tickets_come_back_as_they_went() {
        for topic in Topic::ALL {
            for intended_ns in [None, Some(0), Some(1), Some((1 << 60) - 1)] {
                let packed = RecordOpaque { topic, intended_ns };
                assert_eq!(RecordOpaque::unpack(packed.pack()), packed);
            }
        }
    }
}
