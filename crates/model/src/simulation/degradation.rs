//! Degradation: a machine wears and grows slower until it recovers. Each has its own pace and its own
//! initial wear, so that machines are out of step.

use crate::config;
use crate::random::RandomStream;

use super::effects::Effects;
use super::event_writer::EventWriter;
use super::incidents::{IncidentKind, OpenIncident};

/// Spread of the machines' own rates: sigma of a log-normal with mean 1.
const RATE_SIGMA: f64 = 0.3;
/// What full wear does: load added, factor added to response times, requests failing.
const WORN_CPU: f64 = 0.15;
const WORN_SLOWDOWN: f64 = 2.0;
const WORN_ERRORS: f64 = 0.03;

/// What the configuration says of degradation.
#[derive(Debug, Clone, Copy)]
pub struct DegradationRules {
    rate: f64,
    threshold: f64,
    recovery: f64,
}

/// The degradation of one machine.
#[derive(Debug, Clone)]
pub struct Degradation {
    /// From 0 to a little above the threshold.
    wear: f64,
    /// Wear that a reading adds.
    rate: f64,
    recovering: Option<OpenIncident>,
}

impl DegradationRules {
    /// The rules as configured; `None` if machines don't degrade.
    pub fn new(config: &config::Degradation) -> Option<DegradationRules> {
        let config::Degradation { enable, rate, threshold, recovery } = *config;
        enable.then_some(DegradationRules { rate, threshold, recovery })
    }

    /// How many recoveries begin per reading of a machine, at least.
    pub fn rate(&self) -> f64 {
        1.0 / (self.threshold / self.rate + self.threshold / self.recovery).max(2.0)
    }
}

impl Degradation {
    /// A machine somewhere between two recoveries.
    pub fn new(rules: &DegradationRules, mut stream: RandomStream) -> Degradation {
        let median = libm::exp(-RATE_SIGMA * RATE_SIGMA / 2.0);
        Degradation {
            wear: stream.between(0.0, rules.threshold),
            rate: rules.rate * stream.log_normal(median, RATE_SIGMA),
            recovering: None,
        }
    }

    /// Advances by one reading, and adds what wear does to `effects`; returns whether the machine is
    /// recovering.
    #[inline]
    pub fn step(
        &mut self,
        rules: &DegradationRules,
        writer: &mut EventWriter<'_>,
        effects: &mut Effects,
    ) -> bool {
        match self.recovering {
            None => {
                self.wear += self.rate;
                if self.wear >= rules.threshold {
                    let incident =
                        writer.begin_incident(IncidentKind::Degradation, None, self.wear);
                    self.recovering = Some(incident);
                }
            }
            Some(incident) => {
                self.wear -= rules.recovery;
                if self.wear <= 0.0 {
                    self.wear = 0.0;
                    writer.end_incident(incident);
                    self.recovering = None;
                    effects.restarted = true;
                }
            }
        }
        // Barely noticeable at first, in full at the end.
        let impact = self.wear * self.wear;
        effects.added_cpu += WORN_CPU * impact;
        effects.slowdown *= 1.0 + WORN_SLOWDOWN * impact;
        effects.error_rate += WORN_ERRORS * impact;
        self.recovering.is_some()
    }
}
