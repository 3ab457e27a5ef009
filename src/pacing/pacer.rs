//! Waits for the time of a slot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest sleep before the stop flag is checked again.
const NAP: Duration = Duration::from_millis(50);

/// The shortest sleep of a thread whose slots are closer together than this. A sleep costs up to 25 µs of
/// processor time, most on virtual machines. Slots that fall due meanwhile follow at once.
const CLOSE: Duration = Duration::from_micros(100);

/// A flag that ends a run, shared by its threads.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Asks every thread to stop.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the run is to stop.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for a signal handler to set.
    pub fn atomic(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// Makes this thread's sleeps end on time: Linux otherwise delays a wake-up by up to 50 µs, to combine it
/// with others.
pub fn wake_on_time() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1)) {
        tracing::debug!("sleeps end when the system likes: {error}");
    }
}

/// What to do after a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The time has come; it is now this many nanoseconds after the schedule's zero.
    Send {
        /// Nanoseconds from the schedule's zero, negative before it.
        now_ns: i64,
    },
    /// The run was stopped.
    Stop,
}

/// Keeps a thread to the schedule. It sends late rather than early: intended times don't move, so after a
/// delay all that is due follows without a pause.
///
/// A sleep ends about 10 µs late (60 µs without [`wake_on_time`]), so no rate needs a thread that spins.
/// Up to 10,000 records/s each slot has its own sleep; above, a sleep of 0.1 ms serves all slots in it.
#[derive(Debug, Clone)]
pub struct Pacer {
    base: Instant,
    /// The schedule's zero, in nanoseconds from `base`; negative where it lies in the past.
    zero_ns: i64,
    shortest_sleep: Duration,
    stop: StopFlag,
}

impl Pacer {
    /// A pacer whose schedule began `elapsed_ns` nanoseconds ago (negative: begins in the future).
    pub fn new(elapsed_ns: i64, stop: StopFlag) -> Pacer {
        Pacer { base: Instant::now(), zero_ns: -elapsed_ns, shortest_sleep: Duration::ZERO, stop }
    }

    /// The pacer for a thread whose slots come `rate` times a second at the most.
    pub fn at_most(self, rate: f64) -> Pacer {
        let close = rate * CLOSE.as_secs_f64() > 1.0;
        Pacer { shortest_sleep: if close { CLOSE } else { Duration::ZERO }, ..self }
    }

    /// Nanoseconds since the schedule's zero.
    #[inline]
    pub fn now_ns(&self) -> i64 {
        self.base.elapsed().as_nanos() as i64 - self.zero_ns
    }

    /// Waits until `intended_ns` after the schedule's zero, or until the run is stopped.
    #[inline]
    pub fn wait(&self, intended_ns: u64) -> Turn {
        let intended_ns = intended_ns as i64;
        loop {
            if self.stop.is_set() {
                return Turn::Stop;
            }
            let now_ns = self.now_ns();
            if now_ns >= intended_ns {
                return Turn::Send { now_ns };
            }
            let left = Duration::from_nanos((intended_ns - now_ns) as u64);
            std::thread::sleep(left.clamp(self.shortest_sleep, NAP));
        }
    }

    /// Whether the run was stopped.
    #[inline]
    pub fn stopped(&self) -> bool {
        self.stop.is_set()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_early_and_past_instants_at_once() {
        for pacer in [1.0, 1e6].map(|rate| Pacer::new(0, StopFlag::default()).at_most(rate)) {
            for due in [3_000_000u64, 3_500_000, 9_000_000] {
                match pacer.wait(due) {
                    Turn::Send { now_ns } => assert!(now_ns >= due as i64),
                    Turn::Stop => panic!("nobody stopped it"),
                }
            }
        }
        let late = Pacer::new(7 * 86_400_000_000_000, StopFlag::default());
        assert!(matches!(late.wait(1), Turn::Send { now_ns } if now_ns > 86_400_000_000_000));
    }

    #[test]
    fn a_stop_ends_a_long_wait() {
        let stop = StopFlag::default();
        let pacer = Pacer::new(0, stop.clone());
        let waiting = std::thread::spawn(move || pacer.wait(3_600_000_000_000));
        stop.stop();
        assert_eq!(waiting.join().ok(), Some(Turn::Stop));
    }
}
