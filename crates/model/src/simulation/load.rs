//! Processor load: a machine's own level and slow deviations from it.

use crate::config::Config;
use crate::fleet::TypeProfile;
use crate::random::RandomStream;

use super::levels::Levels;

/// How much of one reading's deviation remains at the next: the lag-1 autocorrelation of load.
pub const AUTOCORRELATION: f64 = 0.95;
/// The innovation that keeps the deviation at unit variance: sqrt(1 - [`AUTOCORRELATION`]^2).
const INNOVATION: f64 = 0.312_249_899_919_919_9;
/// Spread (sigma of the logarithm) of the machines' own levels about their type's.
pub const LEVEL_SIGMA: f64 = 0.15;
/// No machine's own level is higher. Deviations and jobs may still saturate it.
pub const MAX_LEVEL: f64 = 0.85;

/// A stationary load: its level, and a deviation from it that is a first-order autoregressive process. The
/// standard deviation is `load_variance` times the level.
#[derive(Debug, Clone)]
pub struct Load {
    level: f32,
    /// The standard deviation of load, relative to the level.
    spread: f32,
    /// In standard deviations.
    deviation: f64,
}

impl Load {
    /// The load of a machine of type `profile`.
    pub fn new(
        config: &Config,
        levels: &Levels,
        profile: &TypeProfile,
        stream: &mut RandomStream,
    ) -> Load {
        // The median that gives a log-normal draw a mean of 1.
        let median = libm::exp(-LEVEL_SIGMA * LEVEL_SIGMA / 2.0);
        let own = stream.log_normal(median, LEVEL_SIGMA);
        let level = (levels.cpu * profile.cpu * own).min(MAX_LEVEL);
        Load {
            level: level as f32,
            spread: config.load_variance as f32,
            // Drawn from the stationary distribution, so that no run contains a warm-up.
            deviation: stream.normals().0,
        }
    }

    /// The machine's own level, between 0 and 1.
    pub fn level(&self) -> f64 {
        f64::from(self.level)
    }

    /// Advances by one reading, with one standard normal draw. Returns the load of the machine's own service,
    /// without jobs, relative to its level: at least 0.
    #[inline]
    pub fn step(&mut self, normal: f64) -> f64 {
        self.deviation = AUTOCORRELATION * self.deviation + INNOVATION * normal;
        (1.0 + f64::from(self.spread) * self.deviation).max(0.0)
    }
}
