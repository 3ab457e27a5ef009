//! What happens to a machine, as its signals see it: the one way in which troubles of any kind act on
//! load, memory, disk, network and service.

use super::signals::Signals;

/// What acts on a machine at one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effects {
    /// The part of its usual work that the machine is given, 0 to 1.
    pub demand: f64,
    /// The part of its requests that is lost before it is served, 0 to 1: they take none of the
    /// machine's time, and those that are left wait as long as with them.
    pub lost: f64,
    /// Load added to its processor, as a part of it.
    pub cpu: f64,
    /// Memory taken besides, as a part of all it has.
    pub memory: f64,
    /// How full its link is made, from 0 (as it is) to 1 (full).
    pub network: f64,
    /// How far its disk is on the way to `disk_level`, from 0 to 1.
    pub disk: f64,
    /// The level to which its disk fills, in percent.
    pub disk_level: f64,
    /// How many times longer responses take.
    pub slowdown: f64,
    /// The part of requests that fails besides, 0 to 1.
    pub errors: f64,
    /// What its cpu, memory and disk sensors read too much, in points.
    pub bias: [f64; 3],
    /// Whether an anomaly is open.
    pub is_anomaly: bool,
    /// Memory starts from little again, as after a restart.
    pub restarted: bool,
    /// The disk was cleaned.
    pub cleaned: bool,
}

impl Effects {
    /// Nothing acts on the machine.
    pub const NONE: Effects = Effects {
        demand: 1.0,
        lost: 0.0,
        cpu: 0.0,
        memory: 0.0,
        network: 0.0,
        disk: 0.0,
        disk_level: 100.0,
        slowdown: 1.0,
        errors: 0.0,
        bias: [0.0; 3],
        is_anomaly: false,
        restarted: false,
        cleaned: false,
    };

    /// What the sensors make of a reading.
    pub fn distort(&self, signals: &mut Signals) {
        let values =
            [&mut signals.cpu_percent, &mut signals.memory_percent, &mut signals.disk_percent];
        for (value, bias) in values.into_iter().zip(self.bias) {
            if bias != 0.0 {
                *value = super::signals::two_decimals((*value + bias).clamp(0.0, 100.0));
            }
        }
    }
}
