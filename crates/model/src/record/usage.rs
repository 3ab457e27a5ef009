//! The `usage` topic.

use serde::{Deserialize, Serialize};

/// What one machine uses: telemetry's values at the same instant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usage<T> {
    /// When the reading was taken, in milliseconds since the epoch.
    pub timestamp: i64,
    /// The machine.
    pub machine_id: T,
    /// Processor use, 0 to 100.
    pub cpu_percent: f64,
    /// Memory use, 0 to 100.
    pub memory_percent: f64,
    /// Disk use, 0 to 100.
    pub disk_percent: f64,
}

impl<T> Usage<T> {
    /// The record with other texts.
    pub fn map<'a, U>(&'a self, text: impl Fn(&'a T) -> U) -> Usage<U> {
        Usage {
            timestamp: self.timestamp,
            machine_id: text(&self.machine_id),
            cpu_percent: self.cpu_percent,
            memory_percent: self.memory_percent,
            disk_percent: self.disk_percent,
        }
    }
}
