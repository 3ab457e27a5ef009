//! Deadlines of batches and of requests.

use std::time::Duration;

use super::{Sender, TICK};
use crate::connection::ConnectionError;
use crate::error::DeliveryError;
use crate::error_code::ErrorCode;
use crate::event::ConnectionId;

/// The thread wakes at least every [`TICK`]. If it slept for longer than this, the process was stopped or
/// the machine asleep.
const STOPPED: Duration = Duration::from_secs(2);

impl Sender {
    /// Batches begun before this have exceeded the delivery timeout at `now_ns`; 0 without a timeout.
    pub(super) fn expired_before_ns(&self, now_ns: u64) -> u64 {
        let timeout = self.settings.delivery_timeout;
        timeout.map_or(0, |timeout| now_ns.saturating_sub(timeout.as_nanos() as u64))
    }

    /// Postpones deadlines by the time in which this process did not run.
    pub(super) fn postpone_deadlines(&mut self) {
        let slept_ns = self.shared.now_ns().saturating_sub(self.awake_ns);
        if slept_ns < STOPPED.as_nanos() as u64 {
            return;
        }
        self.resumed_ns = self.shared.now_ns();
        for partition in &mut self.partitions {
            partition.postpone_deadlines(slept_ns);
        }
        let requests = self.brokers.values_mut().flat_map(|broker| &mut broker.requests);
        requests.for_each(|request| request.sent_ns += slept_ns);
    }

    /// Fails batches and closes connections whose deadline has passed.
    pub(super) fn expire(&mut self) {
        let now_ns = self.shared.now_ns();
        if now_ns < self.expired_ns + TICK.as_nanos() as u64 {
            return;
        }
        self.expired_ns = now_ns;
        let expired_before_ns = self.expired_before_ns(now_ns);
        let slow_ns = now_ns.saturating_sub(self.settings.request_timeout.as_nanos() as u64);
        let overdue: Vec<ConnectionId> = self
            .brokers
            .iter()
            .filter(|(_, broker)| broker.is_overdue(slow_ns))
            .map(|(&id, broker)| ConnectionId { broker: id, attempt: broker.attempt })
            .collect();
        for id in overdue {
            self.close(id, ConnectionError::RequestTimeout);
        }
        for number in 0..self.partitions.len() {
            if self.partitions[number].is_empty() {
                continue;
            }
            let (failed, kind) = if self.metadata.is_deleted(number, now_ns) {
                let kind = DeliveryError::Broker(ErrorCode::UnknownTopicOrPartition);
                (self.partitions[number].fail_all(), kind)
            } else {
                (self.partitions[number].expire(expired_before_ns), DeliveryError::DeliveryTimeout)
            };
            for batch in failed {
                self.report(batch, Some(kind));
            }
        }
    }
}
