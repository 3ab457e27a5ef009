//! The timing of a simulation's readings.

/// When a simulation begins, and how far apart its readings are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// The run's start, in milliseconds since the epoch.
    pub start_ms: i64,
    /// The time between the timestamps of two readings of a machine, at the start, in milliseconds.
    pub spacing_ms: f64,
    /// The fleet time between two readings of a machine, in seconds.
    pub interval_s: f64,
}

impl Timing {
    /// The instant so many readings before the start, in milliseconds since the epoch.
    pub fn before_start_ms(&self, readings: u64) -> i64 {
        self.start_ms.saturating_sub((readings as f64 * self.spacing_ms) as i64)
    }
}
