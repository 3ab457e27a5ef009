//! Planned maintenance: each night, in local time, every zone has its turn, in which its machines
//! are drained one after another, looked after, and taken back.

use crate::config::Config;
use crate::random::{Purpose, Stream};

use super::effects::Effects;
use super::incidents::{IncidentKind, OpenIncident};
use super::journal::Journal;
use super::local_time::{DAY_MS, LocalClock};

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: f64 = 60_000.0;
/// The part of its maintenance that a machine takes to be drained, and to be taken back.
const DRAIN: f64 = 0.2;
const RETURN: f64 = 0.1;
/// The load that is left on a drained machine.
const IDLE: f64 = 0.03;

/// What the configuration says of maintenance.
#[derive(Debug, Clone)]
pub struct MaintenanceRules {
    seed: u64,
    hours: (i64, i64),
    minutes: (f64, f64),
    share: f64,
    zones: i64,
    clocks: Vec<LocalClock>,
}

/// The maintenance of one machine.
#[derive(Debug, Clone)]
pub struct Maintenance {
    /// Its next or present maintenance, in milliseconds since the epoch; planned again at its end.
    from_ms: i64,
    until_ms: i64,
    incident: Option<OpenIncident>,
}

/// What maintenance means for the jobs of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It is in service.
    In,
    /// It is being drained: jobs go on, none starts.
    Draining,
    /// It is out of service: no job runs.
    Out,
}

impl MaintenanceRules {
    /// The rules as configured, with the clock of every region; none where there is no
    /// maintenance.
    pub fn new(config: &Config, seed: u64, clocks: Vec<LocalClock>) -> Option<MaintenanceRules> {
        let maintenance = &config.maintenance;
        let (first, last) = maintenance.hours;
        (maintenance.enable && first < last).then(|| MaintenanceRules {
            seed,
            hours: (i64::from(first), i64::from(last)),
            minutes: (f64::from(maintenance.minutes.0), f64::from(maintenance.minutes.1)),
            share: maintenance.share,
            zones: config.zones.len() as i64,
            clocks,
        })
    }

    /// When machine `machine` of this zone and region is maintained on the local date `day` (days
    /// since the epoch), in milliseconds since the epoch: a function of these and the seed. None
    /// where it has no turn that night.
    fn turn(&self, machine: u32, zone: u8, region: u8, day: i64) -> Option<(i64, i64)> {
        let night = (u64::from(machine) << 32) | u64::from(day as u32);
        let mut stream = Stream::new(self.seed, night, Purpose::Maintenance);
        if !stream.chance(self.share) {
            return None;
        }
        let window = (self.hours.1 - self.hours.0) * HOUR_MS / self.zones;
        let minutes = stream.between(self.minutes.0, self.minutes.1);
        let length = ((minutes * MINUTE_MS) as i64).min(window);
        let offset = stream.uniform() * (window - length) as f64;
        let local = day * DAY_MS + self.hours.0 * HOUR_MS + i64::from(zone) * window;
        let from = self.clocks[usize::from(region)].utc_ms(local + offset as i64);
        Some((from, from + length))
    }
}

/// A machine in service, before its first reading.
impl Default for Maintenance {
    fn default() -> Maintenance {
        Maintenance { from_ms: i64::MAX, until_ms: i64::MIN, incident: None }
    }
}

impl Maintenance {
    /// Moves on to the instant of the journal, and adds what maintenance means to `effects`.
    /// `place` is the machine's number, zone and region.
    #[inline]
    pub fn step(
        &mut self,
        rules: &mut MaintenanceRules,
        place: (u32, u8, u8),
        journal: &mut Journal<'_>,
        effects: &mut Effects,
    ) -> Availability {
        let now = journal.timestamp;
        if now >= self.until_ms {
            self.plan(rules, place, journal);
        }
        if now < self.from_ms {
            return Availability::In;
        }
        if self.incident.is_none() {
            let minutes = (self.until_ms - self.from_ms) as f64 / MINUTE_MS;
            self.incident = Some(journal.begin(IncidentKind::Maintenance, None, minutes));
        }
        let part = (now - self.from_ms) as f64 / (self.until_ms - self.from_ms) as f64;
        let out = (part / DRAIN).min((1.0 - part) / RETURN).clamp(0.0, 1.0);
        effects.demand *= 1.0 - (1.0 - IDLE) * out;
        if part < DRAIN { Availability::Draining } else { Availability::Out }
    }

    #[cold]
    fn plan(
        &mut self,
        rules: &mut MaintenanceRules,
        (machine, zone, region): (u32, u8, u8),
        journal: &mut Journal<'_>,
    ) {
        if let Some(incident) = self.incident.take() {
            journal.end(incident);
        }
        let now = journal.timestamp;
        let day = rules.clocks[usize::from(region)].local_ms(now).div_euclid(DAY_MS);
        (self.from_ms, self.until_ms) = match rules.turn(machine, zone, region, day) {
            Some((from, until)) if until > now => (from, until),
            // Nothing more today: think again at midnight, and at the latest in an hour where the
            // clocks are put back.
            _ => {
                let midnight = rules.clocks[usize::from(region)].utc_ms((day + 1) * DAY_MS);
                (i64::MAX, midnight.max(now + HOUR_MS))
            }
        };
    }
}
