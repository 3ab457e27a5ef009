//! When the readings of a simulation are.

/// When a simulation begins, and how far apart its readings are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// The instant of the first, in milliseconds since the epoch.
    pub start_ms: i64,
    /// How far apart the timestamps of two readings of a machine are at the start, in milliseconds.
    pub spacing_ms: f64,
    /// The fleet time between two readings of a machine, in seconds.
    pub interval_s: f64,
}

impl Timing {
    /// The instant so many readings before the first, in milliseconds since the epoch.
    pub fn before(&self, readings: u64) -> i64 {
        self.start_ms.saturating_sub((readings as f64 * self.spacing_ms) as i64)
    }
}
