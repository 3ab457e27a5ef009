//! A broker, the connection to it, and the requests that it has not answered yet.

use std::collections::VecDeque;
use std::time::Duration;

use super::connection::Connection;
use super::partition::Question;

/// A broker and the connection to it. Instants are nanoseconds on the producer's clock.
#[derive(Default)]
pub(super) struct Broker {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) connection: Option<Connection>,
    /// How many connections to it were begun.
    pub(super) nth: u64,
    pub(super) connecting: bool,
    /// Failures to connect since it last worked.
    pub(super) failures: u32,
    pub(super) connect_at_ns: u64,
    /// Until when it reads no more from the connection, since a quota is used up.
    pub(super) throttled_until_ns: u64,
    /// In the order in which they were sent, which is that of the answers.
    pub(super) requests: VecDeque<Request>,
    /// The partition that its next request begins with, so that none waits for ever.
    pub(super) first: usize,
    correlation: i32,
}

/// A request that was sent.
pub(super) struct Request {
    pub(super) correlation: i32,
    pub(super) sent_ns: u64,
    pub(super) content: Content,
}

/// What a request is about. Partitions go by their numbers.
pub(super) enum Content {
    /// Batches, by partition and number.
    Batches(Vec<(usize, u64)>),
    /// A producer id.
    ProducerId,
    /// Where logs begin or end.
    Offsets(Vec<(usize, Question)>),
    /// What stands in logs.
    Logs(Vec<usize>),
}

impl Broker {
    /// The number of its next request.
    pub(super) fn next_correlation(&mut self) -> i32 {
        self.correlation = self.correlation.wrapping_add(1) & i32::MAX;
        self.correlation
    }

    /// Notes that it reads nothing for `pause` from `now_ns` on. Requests that it has not read yet are
    /// not late for that.
    pub(super) fn throttle(&mut self, pause: Duration, now_ns: u64) {
        let until_ns = now_ns + pause.as_nanos() as u64;
        self.throttled_until_ns = self.throttled_until_ns.max(until_ns);
        for request in &mut self.requests {
            request.sent_ns = request.sent_ns.max(self.throttled_until_ns);
        }
    }

    /// Whether the oldest request was sent before `slow_ns`.
    pub(super) fn is_overdue(&self, slow_ns: u64) -> bool {
        self.requests.front().is_some_and(|request| request.sent_ns < slow_ns)
    }
}
