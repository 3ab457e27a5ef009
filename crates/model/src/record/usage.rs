//! The `usage` topic.

use serde::{Deserialize, Serialize};

/// What one machine uses: telemetry's values at the same instant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usage<'a> {
    /// When the reading was taken, in milliseconds since the epoch.
    pub timestamp: i64,
    /// The machine.
    pub machine_id: &'a str,
    /// Processor use, 0 to 100.
    pub cpu_percent: f64,
    /// Memory use, 0 to 100.
    pub memory_percent: f64,
    /// Disk use, 0 to 100.
    pub disk_percent: f64,
}
