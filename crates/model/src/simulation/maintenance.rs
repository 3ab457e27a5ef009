//! Planned maintenance: each night, in local time, every zone has its turn, in which its machines
//! are drained one after another, looked after, and taken back.
//!
//! A night's window lasts from the instant at which the region's clocks first show its first hour to
//! that at which they first show its last, and zones share out what lies between: so they come one
//! after another on every night, also where clocks are put forward or back. Where they skip the whole
//! window, there is no maintenance that night.

use crate::config::Config;
use crate::random::{Purpose, RandomStream};

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
    /// From the midnight that a night is named by: the second may lie on the next day.
    hours: (i64, i64),
    minutes: (f64, f64),
    share: f64,
    zones: i64,
    clocks: Vec<LocalClock>,
    /// How far apart the readings of a machine are, in milliseconds.
    spacing_ms: f64,
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
    /// The rules as configured, with the clock of every region, for readings of a machine that are
    /// `spacing_ms` milliseconds apart; `None` if there is no maintenance.
    pub fn new(
        config: &Config,
        seed: u64,
        clocks: Vec<LocalClock>,
        spacing_ms: f64,
    ) -> Option<MaintenanceRules> {
        let maintenance = &config.maintenance;
        let first = i64::from(maintenance.hours.0);
        maintenance.enable.then(|| MaintenanceRules {
            seed,
            hours: (first, first + i64::from(maintenance.window_hours())),
            minutes: (f64::from(maintenance.minutes.0), f64::from(maintenance.minutes.1)),
            share: maintenance.share,
            zones: config.zones.len() as i64,
            clocks,
            spacing_ms,
        })
    }

    /// How many maintenances begin a reading and machine: one a night, which readings further apart
    /// than it lasts may miss.
    pub fn rate(&self) -> f64 {
        let part = ((self.hours.1 - self.hours.0) * HOUR_MS / self.zones) as f64;
        let length = ((self.minutes.0 + self.minutes.1) / 2.0 * MINUTE_MS).min(part);
        self.share * length.min(self.spacing_ms) / DAY_MS as f64
    }

    /// When machine `machine` of this zone and region is maintained in the night whose window begins on
    /// the local date `day` (days since the epoch), in milliseconds since the epoch: a function of these
    /// and the seed. `None` if it has no turn that night.
    fn turn(&self, machine: u32, zone: u8, region: u8, day: i64) -> Option<(i64, i64)> {
        let night = (u64::from(machine) << 32) | u64::from(day as u32);
        let mut stream = RandomStream::new(self.seed, night, Purpose::Maintenance);
        if !stream.chance(self.share) {
            return None;
        }
        let clock = &self.clocks[usize::from(region)];
        let first = clock.utc_ms(day * DAY_MS + self.hours.0 * HOUR_MS);
        let last = clock.utc_ms(day * DAY_MS + self.hours.1 * HOUR_MS);
        let part = (last - first) / self.zones;
        let minutes = stream.between(self.minutes.0, self.minutes.1);
        let length = ((minutes * MINUTE_MS) as i64).min(part);
        let offset = stream.uniform() * (part - length) as f64;
        let from = first + i64::from(zone) * part + offset as i64;
        (length > 0).then_some((from, from + length))
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
        // The night before may reach into this day.
        let mut turns = [day - 1, day].into_iter();
        let next = turns.find_map(|day| {
            rules.turn(machine, zone, region, day).filter(|&(_, until)| until > now)
        });
        (self.from_ms, self.until_ms) = next.unwrap_or_else(|| {
            // Nothing more today: think again at midnight, and at the latest in an hour where the
            // clocks are put back.
            let midnight = rules.clocks[usize::from(region)].utc_ms((day + 1) * DAY_MS);
            (i64::MAX, midnight.max(now + HOUR_MS))
        });
    }
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};
    use chrono_tz::{TZ_VARIANTS, Tz};

    use super::*;

    fn rules(zone: Tz, hours: (u8, u8), minutes: (u32, u32)) -> MaintenanceRules {
        let mut config = Config::default();
        config.maintenance =
            crate::config::Maintenance { enable: true, hours, minutes, ..config.maintenance };
        MaintenanceRules::new(&config, 1, vec![LocalClock::new(zone)], 1000.0).unwrap()
    }

    fn day(year: i32, month: u32, day: u32) -> i64 {
        let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        i64::from(date.num_days_from_ce() - NaiveDate::default().num_days_from_ce())
    }

    /// The local dates of 2020 to 2030 on which the clocks of `zone` change, and those beside them.
    fn nights_of_change(zone: Tz) -> Vec<i64> {
        let mut clock = LocalClock::new(zone);
        let mut offset = |day: i64| clock.local_ms(day * DAY_MS) - day * DAY_MS;
        let days = (day(2020, 1, 1)..day(2031, 1, 1)).filter(|&d| offset(d) != offset(d + 1));
        days.flat_map(|d| d - 1..=d + 2).collect()
    }

    #[test]
    fn zones_come_one_after_another_on_every_night_of_every_time_zone() {
        let mut nights = 0;
        for zone in TZ_VARIANTS {
            let days = nights_of_change(zone);
            for hours in [(2, 5), (1, 4), (0, 1), (22, 4), (23, 0), (0, 24), (20, 19)] {
                let rules = rules(zone, hours, (15, 45));
                let clock = &rules.clocks[0];
                for &day in &days {
                    nights += 1;
                    let first = clock.utc_ms(day * DAY_MS + rules.hours.0 * HOUR_MS);
                    let last = clock.utc_ms(day * DAY_MS + rules.hours.1 * HOUR_MS);
                    let what = format!("{zone}, {hours:?}, day {day}");
                    let mut turns = Vec::new();
                    for place in 0..3u8 {
                        turns.extend((0..4).map(|n| rules.turn(n, place, 0, day)));
                    }
                    if last - first < 3 {
                        assert!(turns.iter().all(Option::is_none), "{what}");
                        continue;
                    }
                    let turns: Vec<_> = turns.into_iter().map(Option::unwrap).collect();
                    for places in turns.chunks(4).collect::<Vec<_>>().windows(2) {
                        let end = places[0].iter().map(|(_, until)| *until).max();
                        let begin = places[1].iter().map(|(from, _)| *from).min();
                        assert!(end <= begin, "{what}: {turns:?}");
                    }
                    for (from, until) in turns {
                        assert!(first <= from && from < until && until <= last, "{what}");
                        // Whoever looks at the wall finds an hour of the window, but where clocks are
                        // put back over its end.
                        let local = LocalClock::new(zone).local_ms(from);
                        let hour = local.rem_euclid(DAY_MS) / HOUR_MS;
                        let into = (hour - rules.hours.0).rem_euclid(24);
                        let put_back = last - first > (rules.hours.1 - rules.hours.0) * HOUR_MS;
                        assert!(into < rules.hours.1 - rules.hours.0 || put_back, "{what}");
                    }
                }
            }
        }
        assert!(nights > 50_000, "{nights}");
    }

    #[test]
    fn a_window_across_midnight_belongs_to_the_day_that_it_begins_on() {
        let rules = rules(Tz::UTC, (22, 4), (15, 45));
        let day = day(2026, 3, 1);
        let midnight = day * DAY_MS;
        let turns: Vec<_> = (0..3).map(|zone| rules.turn(7, zone, 0, day).unwrap()).collect();
        for (zone, (from, until)) in (0..).zip(turns) {
            let begins = midnight + (22 + 2 * zone) * HOUR_MS;
            assert!(begins <= from && until <= begins + 2 * HOUR_MS);
            assert!((15 * 60_000..=45 * 60_000).contains(&(until - from)));
        }
    }

    #[test]
    fn maintenance_begins_as_often_as_readings_meet_it() {
        let mut rules = rules(Tz::UTC, (2, 5), (30, 30));
        assert_eq!(rules.rate(), 1.0 / 86_400.0);
        // A day apart: one in 48 falls into the half hour.
        rules.spacing_ms = 86_400_000.0;
        assert_eq!(rules.rate(), 1.0 / 48.0);
    }
}
