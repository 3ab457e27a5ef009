//! What moves the load of many machines alike: the temporal curve, the zone's share of the load,
//! growth. A function of time and place alone, so that every thread and shard finds the same.

use crate::config::Config;
use crate::fleet::Fleet;

use super::temporal::Curve;

/// A month of growth, in seconds of fleet time: 30 days.
const MONTH_S: f64 = 30.0 * 86_400.0;

/// The surroundings of the fleet.
#[derive(Debug, Clone)]
pub struct Surroundings {
    steady: bool,
    curve: Option<Curve>,
    zones: Vec<f64>,
    growth_per_reading: f64,
}

/// What the surroundings make of a machine's load at one reading, as factors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Climate {
    /// On its load: all of them together.
    pub load: f64,
    /// The temporal curve alone, from 0 to 1, which arrivals of jobs follow.
    pub curve: f64,
    /// Growth alone, from 1 on, which data kept on disk follows.
    pub growth: f64,
}

impl Climate {
    /// Nothing moves the load.
    pub const STEADY: Climate = Climate { load: 1.0, curve: 1.0, growth: 1.0 };
}

impl Surroundings {
    /// The surroundings that `config` describes; readings are `interval_s` seconds of fleet time
    /// apart.
    pub fn new(config: &Config, fleet: &Fleet, interval_s: f64) -> Surroundings {
        let curve = Curve::new(config, fleet);
        let spread = config.zone_patterns.load_spread;
        let last = fleet.zones().len() - 1;
        let zone = |i: usize| {
            let place = if last == 0 { 0.0 } else { 1.0 - 2.0 * i as f64 / last as f64 };
            1.0 + spread * place
        };
        let growth_per_reading = config.growth.per_month * interval_s / MONTH_S;
        Surroundings {
            steady: curve.is_none() && spread == 0.0 && growth_per_reading == 0.0,
            curve,
            zones: (0..=last).map(zone).collect(),
            growth_per_reading,
        }
    }

    /// The temporal curve alone in this region at the instant `timestamp` (milliseconds since the
    /// epoch), from 0 to 1.
    #[inline]
    pub fn curve(&mut self, region: u8, timestamp: i64) -> f64 {
        self.curve.as_mut().map_or(1.0, |curve| curve.factor(usize::from(region), timestamp))
    }

    /// What they make of the load of a machine in this region and zone (indices into those of the
    /// fleet) at reading number `reading`, at the instant `timestamp` (milliseconds since the
    /// epoch).
    #[inline]
    pub fn at(&mut self, region: u8, zone: u8, reading: u64, timestamp: i64) -> Climate {
        if self.steady {
            return Climate::STEADY;
        }
        let curve = self.curve(region, timestamp);
        let growth = 1.0 + self.growth_per_reading * reading as f64;
        Climate { load: curve * self.zones[usize::from(zone)] * growth, curve, growth }
    }
}
