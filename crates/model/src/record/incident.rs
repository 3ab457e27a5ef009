//! The `incidents` topic: the ground truth.

use serde::{Deserialize, Serialize};

/// The beginning or the end of one incident on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct IncidentRecord<'a> {
    /// The incident.
    pub incident_id: &'a str,
    /// The machine that it happens to.
    pub machine_id: &'a str,
    /// `cpu_spike`, `memory_leak`, `network_saturation`, `disk_full`, `multi_resource` or
    /// `sensor_drift`, which are anomalies; `failure`, `cascade`, `maintenance`, `degradation` or
    /// `zone_trouble`, which aren't.
    pub kind: &'a str,
    /// The incident that caused it, on another machine.
    pub cause: Option<&'a str>,
    /// When it began, in milliseconds since the epoch.
    pub start_time: i64,
    /// When it ended, in milliseconds since the epoch; none at its beginning.
    pub end_time: Option<i64>,
    /// How strong it is, in the unit of its kind.
    pub magnitude: f64,
}
