//! What acts on a machine at one reading. Incidents of every kind act on load, memory, disk, network and
//! service through it alone.

use super::signals::two_decimals;

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
    /// What is on its disk in addition while it fills, at least, in percent.
    pub disk_added: f64,
    /// The factor on response times.
    pub slowdown: f64,
    /// The fraction of requests that fails in addition, 0 to 1.
    pub error_rate: f64,
    /// How much too high its cpu, memory and disk sensors read, in points.
    pub sensor_bias: [f64; 3],
    /// Whether the machine has started, so that its caches are empty.
    pub restarted: bool,
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
        disk_added: 0.0,
        slowdown: 1.0,
        error_rate: 0.0,
        sensor_bias: [0.0; 3],
        restarted: false,
    };

    /// What a sensor reads that should read `value`: 0 to 100, with two decimals.
    #[inline]
    pub fn sensed(&self, sensor: usize, value: f64) -> f64 {
        let bias = self.sensor_bias[sensor];
        if bias == 0.0 { value } else { two_decimals((value + bias).clamp(0.0, 100.0)) }
    }
}
