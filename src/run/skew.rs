//! Keeps threads together in event time. If nothing paces them, one could get hours of fleet time ahead
//! of another, and a windowed job would drop the other's records as late.
//!
//! A thread publishes its front: the timestamp of its next reading, once all records before it have left
//! its hands. It goes no further than the others' fronts allow. Both are checked once in half of what is
//! allowed, so they cost nothing per record.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

/// How often a waiting thread checks the others before it yields the processor, and before it sleeps in
/// between.
const SPINS: u32 = 100;
const YIELDS: u32 = 120;
const NAP: Duration = Duration::from_micros(50);

/// A thread's position in event time, beside the others.
#[derive(Debug)]
pub struct Front {
    all: Arc<[Shared]>,
    own: usize,
    most_ms: i64,
    /// How far the last slot of a reading lies after its first.
    reading_ms: i64,
    /// The front is published at the first reading after this.
    mark_ms: i64,
    /// Readings up to this may be sent.
    until_ms: i64,
    /// The earliest front of another thread, when it was last checked.
    others_ms: i64,
    last_ms: i64,
    max_backstep_ms: i64,
}

#[derive(Debug)]
#[repr(align(128))]
struct Shared(AtomicI64);

impl Front {
    /// The fronts of this many threads, which stay within `most_ms` milliseconds of each other, from
    /// `start_ms` (milliseconds since the epoch) on. The last slot of a reading lies at most `reading_ms`
    /// after its first.
    pub fn all(threads: usize, start_ms: i64, most_ms: i64, reading_ms: i64) -> Vec<Front> {
        let all: Arc<[Shared]> = (0..threads).map(|_| Shared(AtomicI64::new(start_ms))).collect();
        let front = |own| {
            let mut front = Front {
                all: Arc::clone(&all),
                own,
                most_ms: (most_ms - reading_ms).max(0),
                reading_ms,
                mark_ms: i64::MIN,
                until_ms: i64::MIN,
                others_ms: i64::MAX,
                last_ms: i64::MIN,
                max_backstep_ms: 0,
            };
            if threads == 1 {
                (front.mark_ms, front.until_ms) = (i64::MAX, i64::MAX);
            }
            front
        };
        (0..threads).map(front).collect()
    }

    /// Whether to publish the front before the next reading, which has this timestamp. If so, call
    /// [`Front::publish`] once all records before it are handed over.
    #[inline]
    pub fn is_due(&self, timestamp_ms: i64) -> bool {
        timestamp_ms > self.mark_ms
    }

    /// Publishes that nothing earlier than `timestamp_ms` will come.
    pub fn publish(&mut self, timestamp_ms: i64) {
        self.note();
        self.all[self.own].0.store(timestamp_ms, Ordering::Release);
        self.mark_ms = timestamp_ms.saturating_add(self.most_ms / 2);
        self.look();
    }

    /// Whether others must catch up before the reading of this timestamp is sent.
    #[inline]
    pub fn is_ahead(&self, timestamp_ms: i64) -> bool {
        timestamp_ms > self.until_ms
    }

    /// Waits until others have caught up with this timestamp, which was published. Returns false if
    /// `stopped` says meanwhile that the run is to end.
    #[cold]
    pub fn wait(&mut self, timestamp_ms: i64, stopped: impl Fn() -> bool) -> bool {
        let mut looks = 0;
        loop {
            self.look();
            if !self.is_ahead(timestamp_ms) {
                return true;
            }
            if stopped() {
                return false;
            }
            looks += 1;
            if looks <= SPINS {
                hint::spin_loop();
            } else if looks <= YIELDS {
                thread::yield_now();
            } else {
                thread::sleep(NAP);
            }
        }
    }

    /// Notes that the reading of this timestamp is sent.
    #[inline]
    pub fn sends(&mut self, timestamp_ms: i64) {
        self.last_ms = timestamp_ms;
    }

    /// The most by which another thread's record may be out of order after one of this thread, in
    /// milliseconds of timestamps.
    pub fn max_backstep_ms(&mut self) -> i64 {
        self.note();
        self.max_backstep_ms
    }

    fn look(&mut self) {
        let others = self.all.iter().enumerate().filter(|(thread, _)| *thread != self.own);
        let fronts = others.map(|(_, front)| front.0.load(Ordering::Acquire));
        self.others_ms = fronts.min().unwrap_or(i64::MAX);
        self.until_ms = self.others_ms.saturating_add(self.most_ms);
    }

    fn note(&mut self) {
        if self.others_ms != i64::MAX && self.last_ms > self.others_ms {
            let lead = self.last_ms - self.others_ms + self.reading_ms;
            self.max_backstep_ms = self.max_backstep_ms.max(lead);
        }
    }
}

/// A thread that has ended holds up no other.
impl Drop for Front {
    fn drop(&mut self) {
        self.all[self.own].0.store(i64::MAX, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Sends readings at these instants by each thread; returns instants in the order of sending.
    fn work(threads: Vec<Vec<i64>>, most_ms: i64) -> (Vec<i64>, i64) {
        let sent = Mutex::new(Vec::new());
        let fronts = Front::all(threads.len(), 0, most_ms, 1);
        let backstep = thread::scope(|scope| {
            let working: Vec<_> = threads
                .into_iter()
                .zip(fronts)
                .map(|(instants, mut front)| {
                    let sent = &sent;
                    scope.spawn(move || {
                        for at in instants {
                            if front.is_due(at) {
                                front.publish(at);
                            }
                            if front.is_ahead(at) {
                                front.publish(at);
                                assert!(front.wait(at, || false));
                            }
                            sent.lock().unwrap().push(at);
                            front.sends(at);
                        }
                        front.max_backstep_ms()
                    })
                })
                .collect();
            working.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
        });
        (sent.into_inner().unwrap(), backstep)
    }

    fn largest_backstep(sent: &[i64]) -> i64 {
        let mut latest = i64::MIN;
        let backstep = |&at: &i64| {
            latest = latest.max(at);
            latest - at
        };
        sent.iter().map(backstep).max().unwrap()
    }

    #[test]
    fn threads_stay_within_what_is_allowed_and_tell_how_far_they_were_apart() {
        for most in [0, 10, 1000] {
            // One that has many readings, and others that have few and end early.
            let dense = (0..20_000).collect();
            let sparse = (0..5000).map(|i| i * 3 + 1).collect();
            let short = (0..100).collect();
            let (sent, told) = work(vec![dense, sparse, short], most);
            assert_eq!(sent.len(), 25_100);
            assert!(largest_backstep(&sent) <= told.max(1), "{most}: {told}");
            assert!(told <= most.max(1), "{most}: {told}");
        }
    }

    #[test]
    fn one_thread_waits_for_nobody() {
        let mut fronts = Front::all(1, 0, 0, 1);
        let front = &mut fronts[0];
        assert!(!front.is_due(i64::MAX) && !front.is_ahead(i64::MAX));
        front.sends(5);
        assert_eq!(front.max_backstep_ms(), 0);
    }

    #[test]
    fn a_stop_ends_a_wait() {
        let mut fronts = Front::all(2, 0, 10, 1);
        fronts[0].publish(1000);
        assert!(fronts[0].is_ahead(1000) && !fronts[0].wait(1000, || true));
        // And so does the end of the thread that is waited for.
        fronts.pop();
        assert!(fronts[0].wait(1000, || false));
    }
}
