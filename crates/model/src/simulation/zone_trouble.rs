//! Zone trouble: now and then one zone responds slowly, takes more load and fails requests. The seed and
//! the fleet's time alone decide which zone and when, since a zone reaches beyond dependency groups.

use crate::config::Config;
use crate::random::{Purpose, RandomStream};

use super::effects::Effects;
use super::event_writer::EventWriter;
use super::incidents::{IncidentKind, OpenIncident};

/// What zone trouble does beside slowing responses: load added, requests failing.
const ADDED_CPU: f64 = 0.1;
const ERRORS: f64 = 0.04;

/// The troubles of the fleet's zones: one in each period.
#[derive(Debug, Clone)]
pub struct ZoneTroubles {
    seed: u64,
    zones: u64,
    /// The length of a period, in readings.
    every: u64,
    /// The length of a trouble, in readings.
    length: u64,
    slowdown: f64,
    /// The last period asked for, and its trouble.
    period: u64,
    trouble: ZoneTrouble,
}

/// A trouble of one zone, in readings.
#[derive(Debug, Clone, Copy)]
struct ZoneTrouble {
    zone: u8,
    from: u64,
    /// The first reading after it.
    until: u64,
}

impl ZoneTroubles {
    /// The troubles as configured; `None` if there are none.
    pub fn new(config: &Config, seed: u64) -> Option<ZoneTroubles> {
        let patterns = &config.zone_patterns;
        patterns.trouble_every.map(|every| ZoneTroubles {
            seed,
            zones: config.zones.len() as u64,
            every,
            length: patterns.trouble_readings.min(every),
            slowdown: patterns.trouble_slowdown,
            period: u64::MAX,
            trouble: ZoneTrouble { zone: 0, from: 0, until: 0 },
        })
    }

    /// How many troubles begin per reading of a machine: one zone's in each period.
    pub fn rate(&self) -> f64 {
        1.0 / (self.every * self.zones) as f64
    }

    /// Adds what a trouble of `zone` (an index into those of the fleet) does at `reading` to `effects`;
    /// `open` is the machine's incident.
    #[inline]
    pub fn step(
        &mut self,
        zone: u8,
        reading: u64,
        open: &mut Option<OpenIncident>,
        writer: &mut EventWriter<'_>,
        effects: &mut Effects,
    ) {
        let period = reading / self.every;
        if period != self.period {
            self.draw(period);
        }
        let ZoneTrouble { zone: affected, from, until } = self.trouble;
        if affected != zone || reading < from || reading >= until {
            if let Some(incident) = open.take() {
                writer.end_incident(incident);
            }
            return;
        }
        if open.is_none() {
            *open = Some(writer.begin_incident(IncidentKind::ZoneTrouble, None, self.slowdown));
        }
        effects.added_cpu += ADDED_CPU;
        effects.slowdown *= self.slowdown;
        effects.error_rate += ERRORS;
    }

    #[cold]
    fn draw(&mut self, period: u64) {
        self.period = period;
        let mut stream = RandomStream::new(self.seed, period, Purpose::ZoneTrouble);
        let zone = stream.below(self.zones) as u8;
        let from = period * self.every + stream.below(self.every - self.length + 1);
        self.trouble = ZoneTrouble { zone, from, until: from + self.length };
    }
}
