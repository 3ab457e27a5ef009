//! Disk: fills slowly with what the machine writes, and is cleaned when it runs high.

use crate::fleet::TypeProfile;
use crate::random::RandomStream;

/// How much an average machine at full load writes in a reading, in percent of its disk.
const FILL_PERCENT: f64 = 0.02;
/// The part of it that is written whatever the load: logs of an idle machine.
const IDLE: f64 = 0.3;

/// What a cleaning frees at least, in percent of the disk.
const LEAST_CLEANED: f64 = 5.0;

/// The disk of one machine, in percent.
#[derive(Debug, Clone)]
pub struct Disk {
    used: f64,
    floor: f32,
    ceiling: f32,
    fill: f32,
}

impl Disk {
    /// The disk of a machine of type `profile`, somewhere between two cleanings: it fills evenly on
    /// the whole, so that any level between is as likely.
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

    /// Is cleaned; `growth` is what the data that is kept has grown by, as a factor.
    pub fn clean(&mut self, growth: f64) {
        let kept = f64::from(self.floor) * growth;
        self.used = kept.min(f64::from(self.ceiling) - LEAST_CLEANED);
    }

    /// Moves on by one reading at a load between 0 and 1; returns the part in use, in percent.
    #[inline]
    pub fn step(&mut self, load: f64, growth: f64) -> f64 {
        self.used += f64::from(self.fill) * (IDLE + (1.0 - IDLE) * load);
        if self.used >= f64::from(self.ceiling) {
            self.clean(growth);
        }
        self.used
    }
}
