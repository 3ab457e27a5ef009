//! The `machines` topic.

use serde::{Deserialize, Serialize};

/// What one machine is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MachineRecord<'a> {
    /// The machine.
    pub machine_id: &'a str,
    /// Its type.
    pub machine_type: &'a str,
    /// Processor cores.
    pub cores: i32,
    /// Memory, in GB.
    pub memory_gb: i32,
    /// Its zone.
    pub zone: &'a str,
    /// Its region.
    pub region: &'a str,
    /// When it was provisioned, in milliseconds since the epoch.
    pub created_at: i64,
}
