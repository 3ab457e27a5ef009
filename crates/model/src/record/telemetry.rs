//! The `telemetry` topic.

use serde::{Deserialize, Serialize};

/// One reading of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Telemetry<'a> {
    /// When the reading was taken, in milliseconds since the epoch.
    pub timestamp: i64,
    /// The machine.
    pub machine_id: &'a str,
    /// Its type.
    pub machine_type: &'a str,
    /// Its zone.
    pub zone: &'a str,
    /// Its region.
    pub region: &'a str,
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
    /// Requests since the reading before.
    pub request_count: i64,
    /// How many of them failed.
    pub error_count: i64,
    /// Median response time, in milliseconds.
    pub latency_p50: f64,
    /// 99th percentile of the response time, in milliseconds.
    pub latency_p99: f64,
    /// Whether an anomaly is open on the machine.
    pub is_anomaly: bool,
}
