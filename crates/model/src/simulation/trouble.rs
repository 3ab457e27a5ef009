//! All that can befall a machine, brought together: failures before everything else, then
//! maintenance, wear, the zone's bad times and anomalies.

use crate::config::Config;
use crate::fleet::Fleet;
use crate::random::{Purpose, RandomStream};

use super::anomalies::{Episodes, Kinds};
use super::effects::Effects;
use super::failures::{FailureRules, Failures, Stage, Turn};
use super::incidents::OpenIncident;
use super::journal::Journal;
use super::local_time::LocalClock;
use super::maintenance::{Availability, Maintenance, MaintenanceRules};
use super::wear::{Wear, WearRules};
use super::zones::Troubles;

/// What can befall machines, as configured.
#[derive(Debug, Clone)]
pub struct Hazards {
    /// Failures.
    pub failures: Option<FailureRules>,
    anomalies: Option<Kinds>,
    maintenance: Option<MaintenanceRules>,
    wear: Option<WearRules>,
    zones: Option<Troubles>,
}

/// The troubles of one machine.
#[derive(Debug, Clone)]
pub struct Trouble {
    failures: Option<Failures>,
    episodes: Option<Episodes>,
    maintenance: Maintenance,
    wear: Option<Wear>,
    zone: Option<OpenIncident>,
    down_since: u64,
    last_beat: i64,
}

/// How a machine stands at one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// What acts on its signals.
    pub effects: Effects,
    /// Whether it works.
    pub stage: Stage,
    /// Whether that changed in a way of which others must hear.
    pub turn: Option<Turn>,
    /// Whether it is in service.
    pub availability: Availability,
    /// Whether it is degraded, whatever its load.
    pub degraded: bool,
    /// When it was last heard of before this reading, in milliseconds since the epoch.
    pub last_beat: i64,
}

impl Hazards {
    /// The hazards that `config` switches on, for readings of a machine that are `spacing_ms`
    /// milliseconds apart; `None` if nothing can befall a machine.
    pub fn new(config: &Config, fleet: &Fleet, spacing_ms: f64) -> Option<Hazards> {
        let clocks = || fleet.time_zones().iter().map(|&zone| LocalClock::new(zone)).collect();
        let hazards = Hazards {
            failures: FailureRules::new(config),
            anomalies: Kinds::new(&config.anomalies),
            maintenance: MaintenanceRules::new(config, fleet.seed(), clocks(), spacing_ms),
            wear: WearRules::new(&config.degradation),
            zones: Troubles::new(config, fleet.seed()),
        };
        let any = hazards.failures.is_some()
            || hazards.anomalies.is_some()
            || hazards.maintenance.is_some()
            || hazards.wear.is_some()
            || hazards.zones.is_some();
        any.then_some(hazards)
    }

    /// How many incidents begin a machine and reading, about: what event slots must carry twice.
    pub fn incident_rate(&self) -> f64 {
        self.anomalies.as_ref().map_or(0.0, Kinds::rate)
            + self.failures.as_ref().map_or(0.0, FailureRules::rate)
            + self.maintenance.as_ref().map_or(0.0, MaintenanceRules::rate)
            + self.wear.as_ref().map_or(0.0, WearRules::rate)
            + self.zones.as_ref().map_or(0.0, Troubles::rate)
    }

    /// How many times a machine's status changes a reading, about: four times a failure and twice
    /// for each dependant (little more than one a machine), twice a maintenance, twice a recovery from
    /// wear, and twice an episode that seizes the processor.
    pub fn status_rate(&self) -> f64 {
        7.0 * self.failures.as_ref().map_or(0.0, FailureRules::rate)
            + 2.0 * self.maintenance.as_ref().map_or(0.0, MaintenanceRules::rate)
            + 2.0 * self.wear.as_ref().map_or(0.0, WearRules::rate)
            + 2.0 * self.anomalies.as_ref().map_or(0.0, Kinds::processor_rate)
    }
}

impl Trouble {
    /// The troubles of machine `index`, which depends on so many others, before its first reading.
    pub fn new(hazards: &Hazards, seed: u64, index: u32, dependencies: u8) -> Trouble {
        let stream = |purpose| RandomStream::new(seed, u64::from(index), purpose);
        let failures = hazards.failures.as_ref();
        let anomalies = hazards.anomalies.as_ref();
        Trouble {
            failures: failures
                .map(|rules| Failures::new(rules, dependencies, stream(Purpose::Failures))),
            episodes: anomalies.map(|kinds| Episodes::new(kinds, stream(Purpose::Anomalies))),
            maintenance: Maintenance::default(),
            wear: hazards.wear.as_ref().map(|rules| Wear::new(rules, stream(Purpose::Wear))),
            zone: None,
            down_since: 0,
            last_beat: i64::MIN,
        }
    }

    /// The failures of the machine, where machines fail.
    pub fn failures(&mut self) -> Option<&mut Failures> {
        self.failures.as_mut()
    }

    /// When the machine was last heard of, in milliseconds since the epoch.
    pub fn last_beat(&self) -> i64 {
        self.last_beat
    }

    /// Moves on to `reading`; `place` is the machine's number, zone and region.
    #[inline]
    pub fn step(
        &mut self,
        hazards: &mut Hazards,
        place: (u32, u8, u8),
        reading: u64,
        journal: &mut Journal<'_>,
    ) -> Condition {
        let mut effects = Effects::NONE;
        let (mut stage, mut turn, mut degraded) = (Stage::Up, None, false);
        if let (Some(failures), Some(rules)) = (&mut self.failures, &hazards.failures) {
            turn = failures.step(rules, reading, journal, &mut effects);
            stage = failures.stage();
            degraded = stage != Stage::Up || failures.is_impacted();
        }
        let mut availability = Availability::In;
        if let Some(rules) = &mut hazards.maintenance {
            availability = self.maintenance.step(rules, place, journal, &mut effects);
            degraded |= availability != Availability::In;
        }
        if let Some(troubles) = &mut hazards.zones {
            troubles.step(place.1, reading, &mut self.zone, journal, &mut effects);
        }
        let last_beat = self.last_beat;
        if stage == Stage::Down {
            if turn.is_some() {
                self.down_since = reading;
            }
            return Condition { effects, stage, turn, availability, degraded, last_beat };
        }
        self.last_beat = journal.timestamp;
        if let (Some(wear), Some(rules)) = (&mut self.wear, &hazards.wear) {
            degraded |= wear.step(rules, journal, &mut effects);
        }
        if let (Some(episodes), Some(kinds)) = (&mut self.episodes, &hazards.anomalies) {
            if turn == Some(Turn::CameUp) {
                episodes.put_off(reading - self.down_since);
            }
            episodes.step(kinds, reading, journal, &mut effects);
        }
        Condition { effects, stage, turn, availability, degraded, last_beat }
    }

    /// Ends what can't go on in a machine that went down at `reading`.
    pub fn end_with_machine(&mut self, hazards: &Hazards, reading: u64, journal: &mut Journal<'_>) {
        if let (Some(episodes), Some(kinds)) = (&mut self.episodes, &hazards.anomalies) {
            episodes.end_all(kinds, reading, journal);
        }
    }
}
