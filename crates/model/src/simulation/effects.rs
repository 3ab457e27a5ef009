//! What acts on a machine at one reading. Incidents of every kind act on load, memory, disk, network and
//! service through it alone.

use super::signals::{Signals, two_decimals};

/// What acts on a machine at one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effects {
    /// The fraction of its usual demand that reaches the machine, 0 to 1.
    pub demand: f64,
    /// The fraction of its requests that is lost before it is served, 0 to 1. Lost requests take none of
    /// the machine's time, but the others wait as long as if they were served.
    pub lost_requests: f64,
    /// Load added to its processor, as a fraction of it.
    pub added_cpu: f64,
    /// Memory taken in addition, as a fraction of all it has.
    pub added_memory: f64,
    /// How far its link is filled, from 0 (not at all) to 1 (full).
    pub link_fill: f64,
    /// How far its disk is on the way to `disk_level`, from 0 to 1.
    pub disk_fill: f64,
    /// The level to which its disk fills, in percent.
    pub disk_level: f64,
    /// The factor on response times.
    pub slowdown: f64,
    /// The fraction of requests that fails in addition, 0 to 1.
    pub error_rate: f64,
    /// How much too high its cpu, memory and disk sensors read, in points.
    pub sensor_bias: [f64; 3],
    /// Whether an anomaly is open.
    pub is_anomaly: bool,
    /// Whether memory starts low again, as after a restart.
    pub restarted: bool,
    /// Whether the disk was cleaned.
    pub disk_cleaned: bool,
}

impl Effects {
    /// Nothing acts on the machine.
    pub const NONE: Effects = Effects {
        demand: 1.0,
        lost_requests: 0.0,
        added_cpu: 0.0,
        added_memory: 0.0,
        link_fill: 0.0,
        disk_fill: 0.0,
        disk_level: 100.0,
        slowdown: 1.0,
        error_rate: 0.0,
        sensor_bias: [0.0; 3],
        is_anomaly: false,
        restarted: false,
        disk_cleaned: false,
    };

    /// Adds the bias of the sensors to what they read.
    pub fn apply_sensor_bias(&self, signals: &mut Signals) {
        let values =
            [&mut signals.cpu_percent, &mut signals.memory_percent, &mut signals.disk_percent];
        for (value, bias) in values.into_iter().zip(self.sensor_bias) {
            if bias != 0.0 {
                *value = two_decimals((*value + bias).clamp(0.0, 100.0));
            }
        }
    }
}
