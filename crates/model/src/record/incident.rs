//! The `incidents` topic: the ground truth.

use serde::{Deserialize, Serialize};

/// The beginning or the end of one incident on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct IncidentRecord<T> {
    /// The incident.
    pub incident_id: T,
    /// The machine that it happens to.
    pub machine_id: T,
    /// `cpu_spike`, `memory_leak`, `network_saturation`, `disk_full`, `multi_resource` or
    /// `sensor_drift`, which are anomalies; `failure`, `cascade`, `maintenance`, `degradation` or
    /// `zone_trouble`, which aren't.
    pub kind: T,
    /// The incident that caused it, on another machine.
    pub cause: Option<T>,
    /// When it began, in milliseconds since the epoch.
    pub start_time: i64,
    /// When it ended, in milliseconds since the epoch; none at its beginning.
    pub end_time: Option<i64>,
    /// How strong it is, in the unit of its kind.
    pub magnitude: f64,
}

impl<T> IncidentRecord<T> {
    /// The record with other texts.
    pub fn map<'a, U>(&'a self, text: impl Fn(&'a T) -> U) -> IncidentRecord<U> {
        IncidentRecord {
            incident_id: text(&self.incident_id),
            machine_id: text(&self.machine_id),
            kind: text(&self.kind),
            cause: self.cause.as_ref().map(text),
            start_time: self.start_time,
            end_time: self.end_time,
            magnitude: self.magnitude,
        }
    }
}
