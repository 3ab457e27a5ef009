//! Bad times of zones: now and then one zone answers slowly, takes more load and loses requests.
//! Which, and when, is a function of the seed and the fleet's time alone, since it reaches beyond
//! dependency groups.

use crate::config::Config;
use crate::random::{Purpose, RandomStream};

use super::effects::Effects;
use super::incidents::{IncidentKind, OpenIncident};
use super::journal::Journal;

/// What a bad time does beside slowing responses: load added, requests failing.
const CPU: f64 = 0.1;
const ERRORS: f64 = 0.04;

/// The bad times of the fleet's zones.
#[derive(Debug, Clone)]
pub struct Troubles {
    seed: u64,
    zones: u64,
    every: u64,
    length: u64,
    slowdown: f64,
    /// The period looked at last, and its bad time: zone, first reading, first reading after.
    period: u64,
    bad: (u8, u64, u64),
}

impl Troubles {
    /// The bad times as configured; `None` if there are none.
    pub fn new(config: &Config, seed: u64) -> Option<Troubles> {
        let patterns = &config.zone_patterns;
        patterns.trouble_every.map(|every| Troubles {
            seed,
            zones: config.zones.len() as u64,
            every,
            length: patterns.trouble_readings.min(every),
            slowdown: patterns.trouble_slowdown,
            period: u64::MAX,
            bad: (0, 0, 0),
        })
    }

    /// How many bad times begin a reading and machine: one zone's in each period.
    pub fn rate(&self) -> f64 {
        1.0 / (self.every * self.zones) as f64
    }

    /// Adds what the bad time of `zone` (an index into those of the fleet) does at `reading` to
    /// `effects`; `open` is the machine's part in it.
    #[inline]
    pub fn step(
        &mut self,
        zone: u8,
        reading: u64,
        open: &mut Option<OpenIncident>,
        journal: &mut Journal<'_>,
        effects: &mut Effects,
    ) {
        let period = reading / self.every;
        if period != self.period {
            self.draw(period);
        }
        let (bad, from, until) = self.bad;
        if bad != zone || reading < from || reading >= until {
            if let Some(incident) = open.take() {
                journal.end(incident);
            }
            return;
        }
        if open.is_none() {
            *open = Some(journal.begin(IncidentKind::ZoneTrouble, None, self.slowdown));
        }
        effects.cpu += CPU;
        effects.slowdown *= self.slowdown;
        effects.errors += ERRORS;
    }

    #[cold]
    fn draw(&mut self, period: u64) {
        self.period = period;
        let mut stream = RandomStream::new(self.seed, period, Purpose::Zones);
        let zone = stream.below(self.zones) as u8;
        let from = period * self.every + stream.below(self.every - self.length + 1);
        self.bad = (zone, from, from + self.length);
    }
}
