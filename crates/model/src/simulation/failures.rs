//! Failures: now and then a machine fails, is down until it is repaired, and warms up again. Each
//! machine draws its own, so that failures are not synchronised.

use crate::config::Config;
use crate::random::RandomStream;

use super::effects::Effects;
use super::event_writer::EventWriter;
use super::incidents::{IncidentKind, IncidentRef, OpenIncident};

/// Readings from the first sign of a failure until the machine is down.
const FAILING_READINGS: (u64, u64) = (1, 3);
/// Readings that a repaired machine takes to recover.
const RECOVERING_READINGS: (u64, u64) = (3, 8);
/// Sigma of the logarithm of repair times.
const REPAIR_SIGMA: f64 = 0.6;
/// The fraction of its usual demand that a machine takes on in its first reading after a repair.
const COLD: f64 = 0.3;
/// What an outage of all its dependencies does to a machine.
const IMPACT_LOST_REQUESTS: f64 = 0.5;
const IMPACT_ERRORS: f64 = 0.25;
const IMPACT_SLOWDOWN: f64 = 2.0;
/// How much of an impact remains from one reading to the next, once its cause is gone.
const IMPACT_DECAY: f64 = 0.7;
/// An impact above this degrades a machine; below, the machine has recovered.
const DEGRADING_IMPACT: f64 = 0.1;

/// What the configuration says of failures.
#[derive(Debug, Clone, Copy)]
pub struct FailureRules {
    probability: f64,
    cascade_probability: f64,
    cascade_delay: (u64, u64),
    repair_readings: f64,
}

/// How far a machine's failure has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It works.
    Up,
    /// It shows the first signs of a failure.
    Failing,
    /// It doesn't work.
    Down,
    /// It works again, but is still warming up.
    Recovering,
}

/// The failures of one machine.
#[derive(Debug, Clone)]
pub struct Failures {
    stream: RandomStream,
    stage: Stage,
    /// The readings at which the stage began and ends.
    began: u64,
    until: u64,
    repair_readings: u64,
    incident: Option<OpenIncident>,
    cascade: Option<PendingCascade>,
    /// How many machines it depends on, and how many of these are down.
    dependencies: u8,
    dependencies_down: u8,
    /// How far outages of its dependencies affect it, from 0 to 1.
    impact: f64,
}

/// A failure that a dependency passes on.
#[derive(Debug, Clone, Copy)]
struct PendingCascade {
    /// The reading at which it arrives.
    at: u64,
    cause: IncidentRef,
}

/// A change of a machine's stage that affects its dependents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// The machine went down, by this incident (its number on the machine).
    WentDown(u32),
    /// It came up again.
    CameUp,
}

impl FailureRules {
    /// The rules as configured; `None` if machines don't fail.
    pub fn new(config: &Config) -> Option<FailureRules> {
        let (least, most) = config.failures.cascade_delay;
        config.enable_failures.then_some(FailureRules {
            probability: config.failure_probability,
            cascade_probability: config.cascade_failure_probability,
            cascade_delay: (u64::from(least), u64::from(most)),
            repair_readings: config.failures.repair_readings,
        })
    }

    /// An upper bound on the mean failures per reading of a machine, cascades included.
    pub fn rate(&self) -> f64 {
        // From first sign to full recovery, at the mean of the log-normal repair times.
        let spread = libm::exp(REPAIR_SIGMA * REPAIR_SIGMA / 2.0);
        let cycle = 2.0 + self.repair_readings * spread + 5.5;
        let mut rate = self.probability;
        for _ in 0..20 {
            // At most two dependencies pass their failures on.
            let hazard = (self.probability + 2.0 * self.cascade_probability * rate).min(1.0);
            rate = if hazard > 0.0 { 1.0 / (1.0 / hazard + cycle) } else { 0.0 };
        }
        rate
    }
}

impl Failures {
    /// A working machine with so many dependencies, before its first reading.
    pub fn new(rules: &FailureRules, dependencies: u8, mut stream: RandomStream) -> Failures {
        let until = stream.geometric(rules.probability);
        Failures {
            stream,
            stage: Stage::Up,
            began: 0,
            until,
            repair_readings: 0,
            incident: None,
            cascade: None,
            dependencies,
            dependencies_down: 0,
            impact: 0.0,
        }
    }

    /// How far the machine's failure has got.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether outages of its dependencies degrade the machine.
    pub fn is_impacted(&self) -> bool {
        self.impact > DEGRADING_IMPACT
    }

    /// Advances to `reading`, and adds what failures do to `effects`; returns a transition that affects
    /// the dependents.
    #[inline]
    pub fn step(
        &mut self,
        rules: &FailureRules,
        reading: u64,
        writer: &mut EventWriter<'_>,
        effects: &mut Effects,
    ) -> Option<Transition> {
        let due = self.stage == Stage::Up && self.cascade.is_some_and(|c| reading >= c.at);
        let transition =
            if reading >= self.until || due { self.change(rules, reading, writer) } else { None };
        self.apply(reading, transition, effects);
        transition
    }

    /// A dependency went down at `reading`, by the incident `cause`. With the cascade's probability this
    /// machine fails as well. `stream` is that of the dependency.
    pub fn dependency_went_down(
        &mut self,
        rules: &FailureRules,
        reading: u64,
        cause: IncidentRef,
        stream: &mut RandomStream,
    ) {
        self.dependencies_down += 1;
        // Both draws are made in any case, so that one machine's state never shifts another's draws.
        let fails = stream.chance(rules.cascade_probability);
        let delay = draw(rules.cascade_delay, stream);
        if fails && self.stage == Stage::Up && self.cascade.is_none() {
            self.cascade = Some(PendingCascade { at: reading + delay, cause });
        }
    }

    /// A dependency works again.
    pub fn dependency_came_up(&mut self) {
        self.dependencies_down = self.dependencies_down.saturating_sub(1);
    }

    /// The machine's own stream, from which its cascades to dependents are drawn.
    pub fn stream(&mut self) -> &mut RandomStream {
        &mut self.stream
    }

    #[cold]
    fn change(
        &mut self,
        rules: &FailureRules,
        reading: u64,
        writer: &mut EventWriter<'_>,
    ) -> Option<Transition> {
        let (stage, lasts, transition) = match self.stage {
            Stage::Up => {
                let lasts = draw(FAILING_READINGS, &mut self.stream);
                let drawn = self.stream.log_normal(rules.repair_readings, REPAIR_SIGMA);
                self.repair_readings = drawn.round().max(1.0) as u64;
                let cascade = self.cascade.take().filter(|cascade| reading >= cascade.at);
                let (kind, cause) = match cascade {
                    Some(cascade) => (IncidentKind::Cascade, Some(cascade.cause)),
                    None => (IncidentKind::Failure, None),
                };
                self.incident =
                    Some(writer.begin_incident(kind, cause, self.repair_readings as f64));
                (Stage::Failing, lasts, None)
            }
            Stage::Failing => {
                let number = self.incident.map_or(0, |incident| incident.number());
                (Stage::Down, self.repair_readings, Some(Transition::WentDown(number)))
            }
            Stage::Down => {
                let lasts = draw(RECOVERING_READINGS, &mut self.stream);
                (Stage::Recovering, lasts, Some(Transition::CameUp))
            }
            Stage::Recovering => {
                if let Some(incident) = self.incident.take() {
                    writer.end_incident(incident);
                }
                // A cascade that arrived meanwhile found the machine failed already.
                self.cascade = None;
                (Stage::Up, self.stream.geometric(rules.probability).saturating_add(1), None)
            }
        };
        (self.stage, self.began) = (stage, reading);
        self.until = reading.saturating_add(lasts);
        transition
    }

    fn apply(&mut self, reading: u64, transition: Option<Transition>, effects: &mut Effects) {
        match self.stage {
            Stage::Up | Stage::Down => {}
            Stage::Failing => {
                effects.error_rate += 0.2;
                effects.slowdown *= 2.0;
            }
            Stage::Recovering => {
                let progress = (reading - self.began) as f64 / (self.until - self.began) as f64;
                effects.demand *= COLD + (1.0 - COLD) * progress;
                effects.slowdown *= 1.5 - 0.5 * progress;
                effects.restarted |= transition == Some(Transition::CameUp);
            }
        }
        if self.dependencies_down == 0 && self.impact == 0.0 {
            return;
        }
        let down = f64::from(self.dependencies_down) / f64::from(self.dependencies.max(1));
        self.impact = down.max(self.impact * IMPACT_DECAY);
        if self.impact < 0.01 {
            self.impact = 0.0;
        }
        effects.lost_requests = IMPACT_LOST_REQUESTS * self.impact;
        effects.error_rate += IMPACT_ERRORS * self.impact;
        effects.slowdown *= 1.0 + IMPACT_SLOWDOWN * self.impact;
    }
}

/// A uniform draw from the two bounds and what lies between.
fn draw((least, most): (u64, u64), stream: &mut RandomStream) -> u64 {
    least + stream.below(most - least + 1)
}
