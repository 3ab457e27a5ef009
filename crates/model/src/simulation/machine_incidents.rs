//! All incidents of a machine, in this order: failures, maintenance, zone trouble, degradation and
//! anomalies.

use crate::config::Config;
use crate::fleet::Fleet;
use crate::random::{Purpose, RandomStream};

use super::anomalies::{AnomalyRules, Episodes};
use super::degradation::{Degradation, DegradationRules};
use super::effects::Effects;
use super::event_writer::EventWriter;
use super::failures::{FailureRules, Failures, Stage, Transition};
use super::incidents::OpenIncident;
use super::local_time::LocalClock;
use super::maintenance::{Availability, Maintenance, MaintenanceRules};
use super::placement::Placement;
use super::zone_trouble::ZoneTroubles;

/// What the configuration says of incidents.
#[derive(Debug, Clone)]
pub struct IncidentRules {
    /// Failures.
    pub failures: Option<FailureRules>,
    anomalies: Option<AnomalyRules>,
    maintenance: Option<MaintenanceRules>,
    degradation: Option<DegradationRules>,
    zone_troubles: Option<ZoneTroubles>,
}

/// The incidents of one machine.
#[derive(Debug, Clone)]
pub struct MachineIncidents {
    failures: Option<Failures>,
    episodes: Option<Episodes>,
    maintenance: Maintenance,
    degradation: Option<Degradation>,
    zone_trouble: Option<OpenIncident>,
    /// The reading at which it went down last.
    down_since: u64,
    last_heartbeat: i64,
}

/// The condition of a machine at one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// What acts on its signals, without its anomalies.
    pub effects: Effects,
    /// What acts on them with its anomalies, if any is open.
    pub anomalous: Option<Effects>,
    /// How far its failure has got.
    pub stage: Stage,
    /// A transition that affects its dependents.
    pub transition: Option<Transition>,
    /// Whether it is in service.
    pub availability: Availability,
    /// Whether it is degraded, whatever its load.
    pub degraded: bool,
    /// Its last heartbeat before this reading, in milliseconds since the epoch.
    pub last_heartbeat: i64,
}

impl IncidentRules {
    /// The rules as configured, for readings of a machine that are `spacing_ms` milliseconds apart;
    /// `None` if no incident is switched on.
    pub fn new(config: &Config, fleet: &Fleet, spacing_ms: f64) -> Option<IncidentRules> {
        let clocks = || fleet.time_zones().iter().map(|&zone| LocalClock::new(zone)).collect();
        let rules = IncidentRules {
            failures: FailureRules::new(config),
            anomalies: AnomalyRules::new(&config.anomalies),
            maintenance: MaintenanceRules::new(config, fleet.seed(), clocks(), spacing_ms),
            degradation: DegradationRules::new(&config.degradation),
            zone_troubles: ZoneTroubles::new(config, fleet.seed()),
        };
        let any = rules.failures.is_some()
            || rules.anomalies.is_some()
            || rules.maintenance.is_some()
            || rules.degradation.is_some()
            || rules.zone_troubles.is_some();
        any.then_some(rules)
    }

    /// About how many incidents begin per reading of a machine. Event slots carry each twice.
    pub fn incident_rate(&self) -> f64 {
        let failures = self.failures.as_ref().map_or(0.0, FailureRules::rate);
        self.anomalies.as_ref().map_or(0.0, |rules| rules.rate(failures))
            + failures
            + self.maintenance.as_ref().map_or(0.0, MaintenanceRules::rate)
            + self.degradation.as_ref().map_or(0.0, DegradationRules::rate)
            + self.zone_troubles.as_ref().map_or(0.0, ZoneTroubles::rate)
    }

    /// About how many times a machine's status changes per reading: four times for a failure and twice
    /// for each dependent (little more than one per machine), twice for a maintenance, for a recovery
    /// from degradation, and for an episode that can saturate the processor.
    pub fn status_rate(&self) -> f64 {
        let failures = self.failures.as_ref().map_or(0.0, FailureRules::rate);
        7.0 * failures
            + 2.0 * self.maintenance.as_ref().map_or(0.0, MaintenanceRules::rate)
            + 2.0 * self.degradation.as_ref().map_or(0.0, DegradationRules::rate)
            + 2.0 * self.anomalies.as_ref().map_or(0.0, |rules| rules.cpu_rate(failures))
    }
}

impl MachineIncidents {
    /// The incidents of machine `index`, which has so many dependencies, before its first reading.
    pub fn new(rules: &IncidentRules, seed: u64, index: u32, dependencies: u8) -> MachineIncidents {
        let stream = |purpose| RandomStream::new(seed, u64::from(index), purpose);
        let failures = rules.failures.as_ref();
        let anomalies = rules.anomalies.as_ref();
        let degradation = rules.degradation.as_ref();
        MachineIncidents {
            failures: failures
                .map(|rules| Failures::new(rules, dependencies, stream(Purpose::Failures))),
            episodes: anomalies.map(|rules| Episodes::new(rules, stream(Purpose::Anomalies))),
            maintenance: Maintenance::default(),
            degradation: degradation
                .map(|rules| Degradation::new(rules, stream(Purpose::Degradation))),
            zone_trouble: None,
            down_since: 0,
            last_heartbeat: i64::MIN,
        }
    }

    /// The failures of the machine, where machines fail.
    pub fn failures(&mut self) -> Option<&mut Failures> {
        self.failures.as_mut()
    }

    /// The machine's last heartbeat, in milliseconds since the epoch.
    pub fn last_heartbeat(&self) -> i64 {
        self.last_heartbeat
    }

    /// Advances to `reading` of the machine at `placement`.
    #[inline]
    pub fn step(
        &mut self,
        rules: &mut IncidentRules,
        placement: Placement,
        reading: u64,
        writer: &mut EventWriter<'_>,
    ) -> Condition {
        let mut effects = Effects::NONE;
        let (mut stage, mut transition, mut degraded) = (Stage::Up, None, false);
        if let (Some(failures), Some(rules)) = (&mut self.failures, &rules.failures) {
            transition = failures.step(rules, reading, writer, &mut effects);
            stage = failures.stage();
            degraded = stage != Stage::Up || failures.is_impacted();
        }
        let mut availability = Availability::InService;
        if let Some(rules) = &mut rules.maintenance {
            availability = self.maintenance.step(rules, placement, writer, &mut effects);
            degraded |= availability != Availability::InService;
        }
        if let Some(zone_troubles) = &mut rules.zone_troubles {
            let open = &mut self.zone_trouble;
            zone_troubles.step(placement.zone, reading, open, writer, &mut effects);
        }
        let last_heartbeat = self.last_heartbeat;
        if stage == Stage::Down {
            if transition.is_some() {
                self.down_since = reading;
            }
            return Condition {
                effects,
                anomalous: None,
                stage,
                transition,
                availability,
                degraded,
                last_heartbeat,
            };
        }
        self.last_heartbeat = writer.timestamp;
        if let (Some(degradation), Some(rules)) = (&mut self.degradation, &rules.degradation) {
            degraded |= degradation.step(rules, writer, &mut effects);
        }
        let mut anomalous = None;
        if let (Some(episodes), Some(rules)) = (&mut self.episodes, &rules.anomalies) {
            if transition == Some(Transition::CameUp) {
                episodes.postpone(reading - self.down_since);
            }
            anomalous = episodes.step(rules, reading, writer, &effects);
        }
        Condition { effects, anomalous, stage, transition, availability, degraded, last_heartbeat }
    }

    /// Ends the anomalies of a machine that went down at `reading`.
    pub fn end_episodes(
        &mut self,
        rules: &IncidentRules,
        reading: u64,
        writer: &mut EventWriter<'_>,
    ) {
        if let (Some(episodes), Some(rules)) = (&mut self.episodes, &rules.anomalies) {
            episodes.end_all(rules, reading, writer);
        }
    }
}
