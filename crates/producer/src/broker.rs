//! A broker, the connection to it, and the requests that it has not answered yet.

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
    /// The number of the last connection to it that was begun.
    pub(crate) attempt: u64,
    pub(crate) connecting: bool,
    /// Failures to connect since it last worked.
    pub(crate) failures: u32,
    pub(crate) connect_at_ns: u64,
    /// Until when it reads no more from the connection, since a quota is used up.
    pub(crate) throttled_until_ns: u64,
    /// In the order in which they were sent, which is that of the responses.
    pub(crate) requests: VecDeque<InFlightRequest>,
    /// The partition that its next request begins with, so that none waits for ever.
    pub(crate) first_partition: usize,
    correlation: i32,
}

/// A request that was sent.
pub(crate) struct InFlightRequest {
    pub(crate) correlation: i32,
    pub(crate) sent_ns: u64,
    pub(crate) content: RequestContent,
}

/// What a request is about. Partitions go by their numbers.
pub(crate) enum RequestContent {
    /// Batches to be stored.
    Produce(Vec<InFlightBatch>),
    /// A producer id.
    InitProducerId,
    /// Where logs begin or end.
    ListOffsets(Vec<OffsetQuery>),
    /// What stands in logs.
    Fetch(Vec<usize>),
}

/// A batch of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InFlightBatch {
    pub(crate) partition: usize,
    /// Its number among those of the partition.
    pub(crate) number: u64,
}

/// What of a partition's log was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OffsetQuery {
    pub(crate) partition: usize,
    pub(crate) query: LogQuery,
}

impl Broker {
    /// Whether it can be connected to now.
    pub(crate) fn is_idle(&self) -> bool {
        self.connection.is_none() && !self.connecting
    }

    /// The number of its next request.
    pub(crate) fn next_correlation(&mut self) -> i32 {
        self.correlation = self.correlation.wrapping_add(1) & i32::MAX;
        self.correlation
    }

    /// Notes that it reads nothing for `pause` from `now_ns` on. Requests that it has not read yet are
    /// not late for that.
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
