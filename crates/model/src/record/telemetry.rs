//! The `telemetry` topic.

use serde::{Deserialize, Serialize};

/// One reading of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Telemetry<T> {
    /// When the reading was taken, in milliseconds since the epoch.
    pub timestamp: i64,
    /// The machine.
    pub machine_id: T,
    /// Its type.
    pub machine_type: T,
    /// Its zone.
    pub zone: T,
    /// Its region.
    pub region: T,
    /// Processor use, 0 to 100.
    pub cpu_percent: f64,
    /// Memory use, 0 to 100.
    pub memory_percent: f64,
    /// Disk use, 0 to 100.
    pub disk_percent: f64,
    /// Traffic received, in Mbps.
    pub network_in_mbps: f64,
    /// Traffic sent, in Mbps.
    pub network_out_mbps: f64,
    /// Requests received in one interval of fleet time, at any rate.
    pub request_count: i64,
    /// How many of them failed.
    pub error_count: i64,
    /// Median response time, in milliseconds.
    pub latency_p50: f64,
    /// 99th percentile of the response time, in milliseconds.
    pub latency_p99: f64,
    /// Whether an anomaly shows in this reading: see [`Signals::differ_from`](crate::simulation::signals::Signals::differ_from).
    pub is_anomaly: bool,
}

impl<T> Telemetry<T> {
    /// The record with other texts.
    pub fn map<'a, U>(&'a self, text: impl Fn(&'a T) -> U) -> Telemetry<U> {
        Telemetry {
            timestamp: self.timestamp,
            machine_id: text(&self.machine_id),
            machine_type: text(&self.machine_type),
            zone: text(&self.zone),
            region: text(&self.region),
            cpu_percent: self.cpu_percent,
            memory_percent: self.memory_percent,
            disk_percent: self.disk_percent,
            network_in_mbps: self.network_in_mbps,
            network_out_mbps: self.network_out_mbps,
            request_count: self.request_count,
            error_count: self.error_count,
            latency_p50: self.latency_p50,
            latency_p99: self.latency_p99,
            is_anomaly: self.is_anomaly,
        }
    }
}
