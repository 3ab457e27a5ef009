//! Memory: what a machine's services hold, which load moves little and with delay, and what its jobs and
//! incidents hold on top.

use crate::fleet::TypeProfile;
use crate::random::RandomStream;

use super::levels::Levels;

/// The fraction of the way to its target that memory moves per reading.
const FOLLOW_RATE: f64 = 0.1;
/// The fraction of the level that follows load: caches and sessions.
const CACHES: f64 = 0.2;
/// The relative standard deviation of memory for a load whose own is 1. By the follow rate f = 0.1, a = 1 - f and
/// load's autocorrelation r = 0.95 a part f sqrt((1 + a r) / ((1 - a^2) (1 - a r))) = 0.82 of it comes through.
pub const SPREAD_BY_LOAD: f64 = 0.82 * CACHES;
/// Caches grow no further beyond this load, relative to the machine's own level.
const MAX_RELATIVE_LOAD: f64 = 3.0;
/// The standard deviation of each reading's noise in the target.
const NOISE: f64 = 0.01;
/// Spread (sigma of the logarithm) of the machines' own levels about their type's.
pub const LEVEL_SIGMA: f64 = 0.08;
/// No machine's own level is higher.
pub const MAX_LEVEL: f64 = 0.95;
/// The fraction of the level in use right after the machine has started.
const AFTER_START: f64 = 0.4;

/// The memory of one machine, as a fraction of all it has.
#[derive(Debug, Clone)]
pub struct Memory {
    level: f32,
    floor: f32,
    used: f64,
}

impl Memory {
    /// The memory of a machine of type `profile`, at its own level.
    pub fn new(levels: &Levels, profile: &TypeProfile, stream: &mut RandomStream) -> Memory {
        let median = libm::exp(-LEVEL_SIGMA * LEVEL_SIGMA / 2.0);
        let own = stream.log_normal(median, LEVEL_SIGMA);
        let floor = profile.memory_floor;
        let level = (levels.memory * profile.memory * own).clamp(floor, MAX_LEVEL);
        Memory { level: level as f32, floor: floor as f32, used: level }
    }

    /// The machine has started: its caches are empty.
    pub fn restart(&mut self) {
        self.used = f64::from(self.level) * AFTER_START;
    }

    /// Advances by one reading at a load of `relative` times the machine's own level, whose mean is `mean`.
    /// Returns the fraction of memory that its system and services hold: never less than its type's floor.
    #[inline]
    pub fn step(&mut self, relative: f64, mean: f64, normal: f64) -> f64 {
        let excess = relative.min(MAX_RELATIVE_LOAD) - mean;
        let target = f64::from(self.level) * (1.0 + CACHES * excess) + NOISE * normal;
        self.used += FOLLOW_RATE * (target - self.used);
        self.used.max(f64::from(self.floor))
    }
}
