//! Processor load: a machine's own level and a slow wander about it.

use crate::config::Config;
use crate::fleet::TypeProfile;
use crate::random::RandomStream;

/// How much of one reading's deviation is left at the next: the lag-1 autocorrelation of load.
pub const PERSISTENCE: f64 = 0.95;
/// The innovation that keeps a wander of [`PERSISTENCE`] at unit variance: sqrt(1 - 0.95^2).
const INNOVATION: f64 = 0.312_249_899_919_919_9;
/// Spread (sigma of the logarithm) of the machines' own levels about their type's.
const CHARACTER: f64 = 0.15;
/// No machine is configured busier than this; what comes on top (wander, jobs) may fill it.
const HIGHEST_LEVEL: f64 = 0.95;

/// A stationary load: level + deviation, where the deviation is a first-order autoregressive
/// process whose standard deviation is `load_variance` times the level.
#[derive(Debug, Clone)]
pub struct Load {
    level: f32,
    spread: f32,
    wander: f64,
}

impl Load {
    /// The load of a machine of type `profile`, drawn from its stream of character.
    pub fn new(config: &Config, profile: &TypeProfile, stream: &mut RandomStream) -> Load {
        // The median that gives a log-normal draw a mean of 1.
        let median = libm::exp(-CHARACTER * CHARACTER / 2.0);
        let own = stream.log_normal(median, CHARACTER);
        let level = (config.base_cpu_load * profile.cpu * own).min(HIGHEST_LEVEL);
        Load {
            level: level as f32,
            spread: (level * config.load_variance) as f32,
            // Started from the stationary law, so that no run has a warm-up in it.
            wander: stream.normals().0,
        }
    }

    /// The machine's own level, between 0 and 1.
    pub fn level(&self) -> f64 {
        f64::from(self.level)
    }

    /// Moves on by one reading, with one standard normal draw, and returns the load of the
    /// machine's own service, without jobs: not below 0, and above 1 where demand exceeds it.
    #[inline]
    pub fn step(&mut self, normal: f64) -> f64 {
        self.wander = PERSISTENCE * self.wander + INNOVATION * normal;
        (f64::from(self.level) + f64::from(self.spread) * self.wander).max(0.0)
    }
}
