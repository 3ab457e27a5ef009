//! A broker, its connection, and its requests in flight.

use std::collections::VecDeque;
use std::time::Duration;

use crate::address::ServerAddress;
use crate::connection::Connection;
use crate::partition::LogQuery;

/// A broker and the connection to it. Instants are nanoseconds on the producer's clock.
#[derive(Default)]
pub(crate) struct Broker {
    pub(crate) address: ServerAddress,
    pub(crate) connection: Option<Connection>,
    /// The number of the last connection attempt.
    pub(crate) attempt: u64,
    pub(crate) connecting: bool,
    /// Failed connection attempts since the last that worked.
    pub(crate) failures: u32,
    pub(crate) connect_at_ns: u64,
    /// Until when it throttles this connection: a quota is exceeded.
    pub(crate) throttled_until_ns: u64,
    /// In the order in which they were sent. Responses come in the same order.
    pub(crate) requests: VecDeque<InFlightRequest>,
    /// The partition that its next request begins with, so that every partition gets its turn.
    pub(crate) first_partition: usize,
    correlation: i32,
}

/// A request in flight.
pub(crate) struct InFlightRequest {
    pub(crate) correlation: i32,
    pub(crate) sent_ns: u64,
    pub(crate) content: RequestContent,
}

/// What a request asks for. Partitions are named by their numbers.
pub(crate) enum RequestContent {
    /// Batches to append.
    Produce(Vec<InFlightBatch>),
    /// A producer id.
    InitProducerId,
    /// Start or end offsets of logs.
    ListOffsets(Vec<OffsetQuery>),
    /// Records of logs.
    Fetch(Vec<usize>),
}

/// A batch of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InFlightBatch {
    pub(crate) partition: usize,
    /// Its number in its partition.
    pub(crate) number: u64,
}

/// An offset query for a partition's log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OffsetQuery {
    pub(crate) partition: usize,
    pub(crate) query: LogQuery,
}

impl Broker {
    /// Whether a connection attempt may start now.
    pub(crate) fn is_idle(&self) -> bool {
        self.connection.is_none() && !self.connecting
    }

    /// The correlation id of its next request.
    pub(crate) fn next_correlation(&mut self) -> i32 {
        self.correlation = self.correlation.wrapping_add(1) & i32::MAX;
        self.correlation
    }

    /// Notes that it throttles the connection for `pause` from `now_ns` on. Requests in flight get that
    /// much more time.
    pub(crate) fn throttle(&mut self, pause: Duration, now_ns: u64) {
        let until_ns = now_ns + pause.as_nanos() as u64;
        self.throttled_until_ns = self.throttled_until_ns.max(until_ns);
        for request in &mut self.requests {
            request.sent_ns = request.sent_ns.max(self.throttled_until_ns);
        }
    }

    /// Whether the oldest request was sent before `slow_ns`.
    pub(crate) fn is_overdue(&self, slow_ns: u64) -> bool {
        self.requests.front().is_some_and(|request| request.sent_ns < slow_ns)
    }
}
