//! Memory: a resident level that follows load slowly, and what jobs and incidents hold.

use crate::config::Config;
use crate::fleet::TypeProfile;
use crate::random::RandomStream;

/// The fraction of the way to its target that memory moves per reading.
const FOLLOW_RATE: f64 = 0.1;
/// Memory taken by each unit of load above the machine's own level: caches and sessions.
const PER_LOAD: f64 = 0.6;
/// The standard deviation of each reading's noise in the target.
const NOISE: f64 = 0.01;
/// Spread (sigma of the logarithm) of the machines' own levels about their type's.
const LEVEL_SIGMA: f64 = 0.08;
const MAX_LEVEL: f64 = 0.9;
/// The fraction of the level in use right after a restart.
const AFTER_RESTART: f64 = 0.4;

/// The memory of one machine, as a fraction of all it has.
#[derive(Debug, Clone)]
pub struct Memory {
    level: f32,
    used: f64,
}

impl Memory {
    /// The memory of a machine of type `profile`, at its own level.
    pub fn new(config: &Config, profile: &TypeProfile, stream: &mut RandomStream) -> Memory {
        let median = libm::exp(-LEVEL_SIGMA * LEVEL_SIGMA / 2.0);
        let own = stream.log_normal(median, LEVEL_SIGMA);
        let level = (config.base_memory_load * profile.memory * own).min(MAX_LEVEL);
        Memory { level: level as f32, used: level }
    }

    /// Frees what a restart frees.
    pub fn restart(&mut self) {
        self.used = f64::from(self.level) * AFTER_RESTART;
    }

    /// Advances by one reading: `excess` is the load above the machine's own level, `held` what its jobs
    /// and incidents hold. Returns the fraction of memory in use, at least 0.
    #[inline]
    pub fn step(&mut self, excess: f64, held: f64, normal: f64) -> f64 {
        let target = f64::from(self.level) + PER_LOAD * excess + NOISE * normal;
        self.used += FOLLOW_RATE * (target - self.used);
        (self.used + held).max(0.0)
    }
}
