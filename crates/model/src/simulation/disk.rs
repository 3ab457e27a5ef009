//! Disk: fills slowly with what the machine writes, and is cleaned when it is nearly full.

use crate::fleet::TypeProfile;
use crate::random::RandomStream;

/// How much an average machine at full load writes per reading, in percent of its disk.
const FILL_PERCENT: f64 = 0.02;
/// The fraction of it that an idle machine writes: logs.
const IDLE: f64 = 0.3;

/// The least that a cleaning frees, in percent of the disk.
const MIN_CLEANED: f64 = 5.0;

/// The disk of one machine, in percent.
#[derive(Debug, Clone)]
pub struct Disk {
    used: f64,
    floor: f32,
    ceiling: f32,
    fill: f32,
}

impl Disk {
    /// The disk of a machine of type `profile`, somewhere between two cleanings. It fills at a steady
    /// mean rate, so every level is equally likely.
    pub fn new(profile: &TypeProfile, stream: &mut RandomStream) -> Disk {
        let floor = (profile.disk_floor * stream.between(0.8, 1.2)).clamp(0.0, 60.0);
        let ceiling = stream.between(75.0, 90.0);
        Disk {
            used: stream.between(floor, ceiling),
            floor: floor as f32,
            ceiling: ceiling as f32,
            fill: stream.log_normal(FILL_PERCENT, 0.4) as f32,
        }
    }

    /// Cleans the disk; `growth` is the factor by which the data that it keeps has grown.
    fn clean(&mut self, growth: f64) {
        let kept = f64::from(self.floor) * growth;
        self.used = kept.min(f64::from(self.ceiling) - MIN_CLEANED);
    }

    /// Advances by one reading at a load between 0 and 1; returns how much is in use, in percent.
    #[inline]
    pub fn step(&mut self, load: f64, growth: f64) -> f64 {
        self.used += f64::from(self.fill) * (IDLE + (1.0 - IDLE) * load);
        if self.used >= f64::from(self.ceiling) {
            self.clean(growth);
        }
        self.used
    }
}
