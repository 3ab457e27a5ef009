//! Failures: a machine that works fails now and then, is down until it is repaired, and warms up
//! again. Each machine draws its own, so that failures are not synchronised.

use crate::config::Config;
use crate::random::RandomStream;

use super::effects::Effects;
use super::incidents::{IncidentKind, IncidentRef, OpenIncident};
use super::journal::Journal;

/// Readings from the first sign of a failure until the machine is down.
const FAILING: (u64, u64) = (1, 3);
/// Readings that a repaired machine takes to be itself again.
const RECOVERING: (u64, u64) = (3, 8);
/// Sigma of the logarithm of repair times.
const REPAIR_SIGMA: f64 = 0.6;
/// The work that a machine takes on in its first reading after a repair.
const COLD: f64 = 0.3;
/// What losing all that it depends on does to a machine.
const LOST_REQUESTS: f64 = 0.5;
const LOST_ERRORS: f64 = 0.25;
const LOST_SLOWDOWN: f64 = 2.0;
/// How much of an impact is left a reading after its cause has gone.
const IMPACT_LEFT: f64 = 0.7;
/// An impact above this degrades a machine; below, it has recovered.
const DEGRADING: f64 = 0.1;

/// What the configuration says of failures.
#[derive(Debug, Clone, Copy)]
pub struct FailureRules {
    probability: f64,
    cascade_probability: f64,
    cascade_delay: (u64, u64),
    repair_readings: f64,
}

/// Where a machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It works.
    Up,
    /// It shows the first signs of a failure.
    Failing,
    /// It doesn't work.
    Down,
    /// It works again, not yet as before.
    Recovering,
}

/// The failures of one machine.
#[derive(Debug, Clone)]
pub struct Failures {
    stream: RandomStream,
    stage: Stage,
    /// The reading at which the stage began, and that at which it ends.
    began: u64,
    until: u64,
    repair: u64,
    incident: Option<OpenIncident>,
    /// A failure on its way from a machine that this one depends on: when it arrives, its cause.
    struck: Option<(u64, IncidentRef)>,
    /// How many machines it depends on, and how many of these are down.
    dependencies: u8,
    lost: u8,
    impact: f64,
}

/// What a step changed that others must hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
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

    /// The most failures a machine and reading on average, those by cascade included.
    pub fn rate(&self) -> f64 {
        // From first sign to full recovery, at the mean of the repair times' log-normal law.
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
    /// A working machine that depends on so many others, before its first reading.
    pub fn new(rules: &FailureRules, dependencies: u8, mut stream: RandomStream) -> Failures {
        let until = stream.geometric(rules.probability);
        Failures {
            stream,
            stage: Stage::Up,
            began: 0,
            until,
            repair: 0,
            incident: None,
            struck: None,
            dependencies,
            lost: 0,
            impact: 0.0,
        }
    }

    /// Where the machine stands.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether what it depends on fails it so far that it is degraded.
    pub fn is_impacted(&self) -> bool {
        self.impact > DEGRADING
    }

    /// Moves on to `reading`, and adds what it means to `effects`; returns a turn of which others
    /// must hear.
    #[inline]
    pub fn step(
        &mut self,
        rules: &FailureRules,
        reading: u64,
        journal: &mut Journal<'_>,
        effects: &mut Effects,
    ) -> Option<Turn> {
        let due = self.stage == Stage::Up && self.struck.is_some_and(|(at, _)| reading >= at);
        let turn =
            if reading >= self.until || due { self.change(rules, reading, journal) } else { None };
        self.act(reading, turn, effects);
        turn
    }

    /// Takes that a machine which this one depends on went down at `reading`, by the incident `cause`.
    /// With the cascade's probability this one will fail as well. `stream` is that machine's.
    pub fn hear_of_loss(
        &mut self,
        rules: &FailureRules,
        reading: u64,
        cause: IncidentRef,
        stream: &mut RandomStream,
    ) {
        self.lost += 1;
        // Both draws are made in any case, so that one machine's state moves no other's draws.
        let fails = stream.chance(rules.cascade_probability);
        let delay = draw(rules.cascade_delay, stream);
        if fails && self.stage == Stage::Up && self.struck.is_none() {
            self.struck = Some((reading + delay, cause));
        }
    }

    /// Takes that a machine which this one depends on works again.
    pub fn hear_of_return(&mut self) {
        self.lost = self.lost.saturating_sub(1);
    }

    /// The machine's own stream, from which what it passes on is drawn.
    pub fn stream(&mut self) -> &mut RandomStream {
        &mut self.stream
    }

    #[cold]
    fn change(
        &mut self,
        rules: &FailureRules,
        reading: u64,
        journal: &mut Journal<'_>,
    ) -> Option<Turn> {
        let (stage, lasts, turn) = match self.stage {
            Stage::Up => {
                let lasts = draw(FAILING, &mut self.stream);
                let drawn = self.stream.log_normal(rules.repair_readings, REPAIR_SIGMA);
                self.repair = drawn.round().max(1.0) as u64;
                let struck = self.struck.take().filter(|(at, _)| reading >= *at);
                let (kind, cause) = match struck {
                    Some((_, cause)) => (IncidentKind::Cascade, Some(cause)),
                    None => (IncidentKind::Failure, None),
                };
                self.incident = Some(journal.begin(kind, cause, self.repair as f64));
                (Stage::Failing, lasts, None)
            }
            Stage::Failing => {
                let number = self.incident.map_or(0, |incident| incident.number());
                (Stage::Down, self.repair, Some(Turn::WentDown(number)))
            }
            Stage::Down => {
                let lasts = draw(RECOVERING, &mut self.stream);
                (Stage::Recovering, lasts, Some(Turn::CameUp))
            }
            Stage::Recovering => {
                if let Some(incident) = self.incident.take() {
                    journal.end(incident);
                }
                // A failure that was on its way has found the machine failed already.
                self.struck = None;
                (Stage::Up, self.stream.geometric(rules.probability).saturating_add(1), None)
            }
        };
        (self.stage, self.began) = (stage, reading);
        self.until = reading.saturating_add(lasts);
        turn
    }

    fn act(&mut self, reading: u64, turn: Option<Turn>, effects: &mut Effects) {
        match self.stage {
            Stage::Up | Stage::Down => {}
            Stage::Failing => {
                effects.errors += 0.2;
                effects.slowdown *= 2.0;
            }
            Stage::Recovering => {
                let part = (reading - self.began) as f64 / (self.until - self.began) as f64;
                effects.demand *= COLD + (1.0 - COLD) * part;
                effects.slowdown *= 1.5 - 0.5 * part;
                effects.restarted |= turn == Some(Turn::CameUp);
            }
        }
        if self.lost == 0 && self.impact == 0.0 {
            return;
        }
        let all = f64::from(self.lost) / f64::from(self.dependencies.max(1));
        self.impact = all.max(self.impact * IMPACT_LEFT);
        if self.impact < 0.01 {
            self.impact = 0.0;
        }
        effects.lost = LOST_REQUESTS * self.impact;
        effects.errors += LOST_ERRORS * self.impact;
        effects.slowdown *= 1.0 + LOST_SLOWDOWN * self.impact;
    }
}

/// Between the two, evenly.
fn draw((least, most): (u64, u64), stream: &mut RandomStream) -> u64 {
    least + stream.below(most - least + 1)
}
