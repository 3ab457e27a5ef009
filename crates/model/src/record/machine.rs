//! The `machines` topic.

use serde::{Deserialize, Serialize};

/// What one machine is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MachineRecord<T> {
    /// The machine.
    pub machine_id: T,
    /// Its type.
    pub machine_type: T,
    /// Processor cores.
    pub cores: i32,
    /// Memory, in GB.
    pub memory_gb: i32,
    /// Its zone.
    pub zone: T,
    /// Its region.
    pub region: T,
    /// When it was provisioned, in milliseconds since the epoch.
    pub created_at: i64,
}

impl<T> MachineRecord<T> {
    /// The record with other texts.
    pub fn map<'a, U>(&'a self, text: impl Fn(&'a T) -> U) -> MachineRecord<U> {
        MachineRecord {
            machine_id: text(&self.machine_id),
            machine_type: text(&self.machine_type),
            cores: self.cores,
            memory_gb: self.memory_gb,
            zone: text(&self.zone),
            region: text(&self.region),
            created_at: self.created_at,
        }
    }
}
