//! Wear: a machine grows slower bit by bit until it is taken to recovery; each at its own pace and
//! from its own state on, so that machines are out of step.

use crate::config;
use crate::random::RandomStream;

use super::effects::Effects;
use super::incidents::{IncidentKind, OpenIncident};
use super::journal::Journal;

/// Spread of the machines' own rates: sigma of a log-normal with mean 1.
const CHARACTER: f64 = 0.3;
/// What full wear does: load added, response times longer, requests failing.
const WORN_CPU: f64 = 0.15;
const WORN_SLOWDOWN: f64 = 2.0;
const WORN_ERRORS: f64 = 0.03;

/// What the configuration says of wear.
#[derive(Debug, Clone, Copy)]
pub struct WearRules {
    rate: f64,
    threshold: f64,
    recovery: f64,
}

/// The wear of one machine.
#[derive(Debug, Clone)]
pub struct Wear {
    /// From 0 to a little above the threshold.
    wear: f64,
    rate: f64,
    recovering: Option<OpenIncident>,
}

impl WearRules {
    /// The rules as configured; `None` if machines don't wear out.
    pub fn new(config: &config::Degradation) -> Option<WearRules> {
        let config::Degradation { enable, rate, threshold, recovery } = *config;
        enable.then_some(WearRules { rate, threshold, recovery })
    }

    /// How many recoveries begin a reading and machine, at least.
    pub fn rate(&self) -> f64 {
        1.0 / (self.threshold / self.rate + self.threshold / self.recovery).max(2.0)
    }
}

impl Wear {
    /// A machine somewhere between two recoveries.
    pub fn new(rules: &WearRules, mut stream: RandomStream) -> Wear {
        let median = libm::exp(-CHARACTER * CHARACTER / 2.0);
        Wear {
            wear: stream.between(0.0, rules.threshold),
            rate: rules.rate * stream.log_normal(median, CHARACTER),
            recovering: None,
        }
    }

    /// Moves on by one reading, and adds what wear does to `effects`; true while the machine
    /// recovers.
    #[inline]
    pub fn step(
        &mut self,
        rules: &WearRules,
        journal: &mut Journal<'_>,
        effects: &mut Effects,
    ) -> bool {
        match self.recovering {
            None => {
                self.wear += self.rate;
                if self.wear >= rules.threshold {
                    let begun = journal.begin(IncidentKind::Degradation, None, self.wear);
                    self.recovering = Some(begun);
                }
            }
            Some(incident) => {
                self.wear -= rules.recovery;
                if self.wear <= 0.0 {
                    self.wear = 0.0;
                    journal.end(incident);
                    self.recovering = None;
                    effects.restarted = true;
                }
            }
        }
        // Barely felt at first, in full at the end.
        let felt = self.wear * self.wear;
        effects.cpu += WORN_CPU * felt;
        effects.slowdown *= 1.0 + WORN_SLOWDOWN * felt;
        effects.errors += WORN_ERRORS * felt;
        self.recovering.is_some()
    }
}
