//! For how long brokers have throttled a producer: a quota was exceeded.
//!
//! A broker that throttles answers at once, with the time for which it will not read from the connection,
//! and then doesn't (KIP-219).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// For how long brokers have throttled a producer. One thread adds to it, any may read it.
#[derive(Debug)]
pub struct Throttled {
    base: Instant,
    /// The total. Overlapping pauses of several brokers count once.
    total_ns: AtomicU64,
    /// The end of the last pause, from the base.
    until_ns: AtomicU64,
}

impl Default for Throttled {
    fn default() -> Throttled {
        Throttled::new()
    }
}

impl Throttled {
    /// No pause yet.
    pub fn new() -> Throttled {
        let (total_ns, until_ns) = (AtomicU64::new(0), AtomicU64::new(0));
        Throttled { base: Instant::now(), total_ns, until_ns }
    }

    /// Adds a pause that begins now.
    pub fn add(&self, pause: Duration) {
        self.add_at(self.now_ns(), pause);
    }

    /// How long the pauses have lasted up to now.
    pub fn total(&self) -> Duration {
        self.total_at(self.now_ns())
    }

    /// Whether a pause lasts now.
    pub fn is_on(&self) -> bool {
        self.until_ns.load(Ordering::Relaxed) > self.now_ns()
    }

    fn now_ns(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }

    fn add_at(&self, now_ns: u64, pause: Duration) {
        let until_ns = now_ns + pause.as_nanos() as u64;
        let before_ns = self.until_ns.fetch_max(until_ns, Ordering::Relaxed);
        let more_ns = until_ns.saturating_sub(before_ns.max(now_ns));
        self.total_ns.fetch_add(more_ns, Ordering::Relaxed);
    }

    fn total_at(&self, now_ns: u64) -> Duration {
        let ahead_ns = self.until_ns.load(Ordering::Relaxed).saturating_sub(now_ns);
        let total_ns = self.total_ns.load(Ordering::Relaxed);
        Duration::from_nanos(total_ns.saturating_sub(ahead_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_that_overlap_count_once_and_what_is_ahead_does_not() {
        let throttled = Throttled::new();
        let s = |seconds: u64| seconds * 1_000_000_000;
        throttled.add_at(s(10), Duration::from_secs(4));
        throttled.add_at(s(12), Duration::from_secs(4));
        throttled.add_at(s(13), Duration::from_secs(1));
        assert_eq!(throttled.total_at(s(15)), Duration::from_secs(5));
        throttled.add_at(s(20), Duration::from_secs(1));
        assert_eq!(throttled.total_at(s(30)), Duration::from_secs(7));
    }
}
