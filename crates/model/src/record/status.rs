//! The `status` topic.

use serde::{Deserialize, Serialize};

/// The health of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StatusRecord<T> {
    /// The machine.
    pub machine_id: T,
    /// `healthy`, `degraded` or `down`.
    pub status: T,
    /// When it last reported, in milliseconds since the epoch.
    pub last_heartbeat: i64,
}

impl<T> StatusRecord<T> {
    /// The record with other texts.
    pub fn map<'a, U>(&'a self, text: impl Fn(&'a T) -> U) -> StatusRecord<U> {
        StatusRecord {
            machine_id: text(&self.machine_id),
            status: text(&self.status),
            last_heartbeat: self.last_heartbeat,
        }
    }
}
