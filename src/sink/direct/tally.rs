//! Counts the producer's delivery reports.

use std::time::Duration;

use fleetstorm_model::record::Topic;
use fleetstorm_producer::{Delivery, DeliveryError, DeliveryReports};

use crate::sink::kafka::error_kind;
use crate::sink::tally::Tally;
use crate::sink::throttled::Throttled;

/// Counts delivery reports.
#[derive(Debug)]
pub struct TallyReports {
    tally: Tally,
    throttled: Throttled,
    /// By their index in the producer.
    topics: Vec<Topic>,
}

/// The kind under which records that exceeded the delivery timeout are counted.
const TIMED_OUT: &str = "MessageTimedOut";

impl TallyReports {
    /// For a producer of these topics.
    pub fn new(topics: Vec<Topic>) -> TallyReports {
        TallyReports { tally: Tally::new(), throttled: Throttled::new(), topics }
    }

    /// The tally.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// For how long brokers have throttled the producer.
    pub fn throttled(&self) -> &Throttled {
        &self.throttled
    }
}

impl DeliveryReports for TallyReports {
    fn acknowledged(&self, batch: Delivery<'_>) {
        let topic = self.topics[batch.topic()];
        let mut counting = self.tally.counting();
        for record in batch.records() {
            counting.acknowledge(topic, record.bytes, record.since_enqueued, record.opaque);
        }
    }

    fn failed(&self, batch: Delivery<'_>, kind: DeliveryError) {
        let topic = self.topics[batch.topic()];
        let kind = match kind {
            DeliveryError::Broker(code) => error_kind(code.code()),
            _ => TIMED_OUT.to_owned(),
        };
        let mut counting = self.tally.counting();
        batch.records().for_each(|_| counting.fail(topic, &kind));
    }

    fn throttled(&self, pause: Duration) {
        self.throttled.add(pause);
    }
}
