//! The `status` topic.

use serde::{Deserialize, Serialize};

/// The health of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StatusRecord<'a> {
    /// The machine.
    pub machine_id: &'a str,
    /// `healthy`, `degraded` or `down`.
    pub status: &'a str,
    /// When it last reported, in milliseconds since the epoch.
    pub last_heartbeat: i64,
}
