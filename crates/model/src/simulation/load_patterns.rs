//! Load patterns that many machines share: the temporal curve, the zone's share of the load, and growth.
//! They depend on time and place alone, so that every thread and shard computes the same.

use crate::config::Config;
use crate::fleet::Fleet;

use super::temporal_curve::TemporalCurve;

/// A month of growth, in seconds of fleet time: 30 days.
const MONTH_S: f64 = 30.0 * 86_400.0;

/// The load patterns of the fleet.
#[derive(Debug, Clone)]
pub struct LoadPatterns {
    /// Whether no pattern is configured.
    steady: bool,
    curve: Option<TemporalCurve>,
    mean_curve: f64,
    zone_factors: Vec<f64>,
    growth_per_reading: f64,
}

/// Factors on the load of a machine at one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadFactors {
    /// The product of all factors.
    pub load: f64,
    /// The temporal curve alone, from 0 to 1. Arrivals of jobs follow it.
    pub curve: f64,
    /// The mean of the temporal curve over a week, from 0 to 1.
    pub mean_curve: f64,
    /// Growth alone, at least 1. Data kept on disk follows it.
    pub growth: f64,
}

impl LoadFactors {
    /// No pattern changes the load.
    pub const STEADY: LoadFactors =
        LoadFactors { load: 1.0, curve: 1.0, mean_curve: 1.0, growth: 1.0 };
}

impl LoadPatterns {
    /// The patterns that `config` describes; readings are `interval_s` seconds of fleet time apart.
    pub fn new(config: &Config, fleet: &Fleet, interval_s: f64) -> LoadPatterns {
        let curve = TemporalCurve::new(config, fleet);
        let spread = config.zone_patterns.load_spread;
        let last = fleet.zones().len() - 1;
        let zone_factor = |i: usize| {
            let place = if last == 0 { 0.0 } else { 1.0 - 2.0 * i as f64 / last as f64 };
            1.0 + spread * place
        };
        let growth_per_reading = config.growth.per_month * interval_s / MONTH_S;
        LoadPatterns {
            mean_curve: curve.as_ref().map_or(1.0, TemporalCurve::weekly_mean),
            steady: curve.is_none() && spread == 0.0 && growth_per_reading == 0.0,
            curve,
            zone_factors: (0..=last).map(zone_factor).collect(),
            growth_per_reading,
        }
    }

    /// The mean of the temporal curve over a week: 1 where load doesn't follow the clock.
    pub fn mean_curve(&self) -> f64 {
        self.mean_curve
    }

    /// The temporal curve alone in this region at the instant `timestamp` (milliseconds since the
    /// epoch), from 0 to 1.
    #[inline]
    pub fn curve(&mut self, region: u8, timestamp: i64) -> f64 {
        self.curve.as_mut().map_or(1.0, |curve| curve.factor(usize::from(region), timestamp))
    }

    /// The factors on the load of a machine in this region and zone (indices into those of the fleet) at
    /// reading number `reading`, at the instant `timestamp` (milliseconds since the epoch).
    #[inline]
    pub fn factors(&mut self, region: u8, zone: u8, reading: u64, timestamp: i64) -> LoadFactors {
        if self.steady {
            return LoadFactors::STEADY;
        }
        let curve = self.curve(region, timestamp);
        let growth = 1.0 + self.growth_per_reading * reading as f64;
        let load = curve * self.zone_factors[usize::from(zone)] * growth;
        LoadFactors { load, curve, mean_curve: self.mean_curve, growth }
    }
}
