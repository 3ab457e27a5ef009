//! Memory: a resident level that follows load slowly, and what jobs hold.

use crate::config::Config;
use crate::fleet::TypeProfile;
use crate::random::RandomStream;

/// How much of the way to its target memory moves in a reading.
const FOLLOW: f64 = 0.1;
/// Memory taken by each unit of load above the machine's own level: caches and sessions.
const PER_LOAD: f64 = 0.6;
/// The standard deviation of a reading's own noise in the target.
const NOISE: f64 = 0.01;
/// Spread (sigma of the logarithm) of the machines' own levels about their type's.
const CHARACTER: f64 = 0.08;
const HIGHEST_LEVEL: f64 = 0.9;
/// What is left of the level right after a restart.
const RESTARTED: f64 = 0.4;

/// The memory of one machine, as a part of all it has.
#[derive(Debug, Clone)]
pub struct Memory {
    level: f32,
    used: f64,
}

impl Memory {
    /// The memory of a machine of type `profile`, at its own level.
    pub fn new(config: &Config, profile: &TypeProfile, stream: &mut RandomStream) -> Memory {
        let median = libm::exp(-CHARACTER * CHARACTER / 2.0);
        let own = stream.log_normal(median, CHARACTER);
        let level = (config.base_memory_load * profile.memory * own).min(HIGHEST_LEVEL);
        Memory { level: level as f32, used: level }
    }

    /// Begins again from little, as after a restart.
    pub fn restart(&mut self) {
        self.used = f64::from(self.level) * RESTARTED;
    }

    /// Moves on by one reading: `excess` is the load above the machine's own level, `besides` what
    /// its jobs and troubles hold. Returns the part of memory in use, not below 0.
    #[inline]
    pub fn step(&mut self, excess: f64, besides: f64, normal: f64) -> f64 {
        let target = f64::from(self.level) + PER_LOAD * excess + NOISE * normal;
        self.used += FOLLOW * (target - self.used);
        (self.used + besides).max(0.0)
    }
}
