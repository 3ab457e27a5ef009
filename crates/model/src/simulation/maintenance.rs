//! Planned maintenance: each night, in local time, zones are maintained one after another. Each machine
//! of a zone is drained, maintained, and taken back.
//!
//! A night's window begins when the region's clocks first show its first hour, and ends when they first
//! show its last. Zones divide it evenly, so they never overlap, even if clocks are set forward or back
//! that night. If clocks skip the whole window, there is no maintenance that night.

use crate::config::Config;
use crate::random::{Purpose, RandomStream};

use super::effects::Effects;
use super::event_writer::EventWriter;
use super::incidents::{IncidentKind, OpenIncident};
use super::local_time::{DAY_MS, LocalClock};
use super::placement::Placement;

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: f64 = 60_000.0;
/// The fraction of its maintenance for which a machine is drained, and for which it is taken back.
const DRAIN: f64 = 0.2;
const RETURN: f64 = 0.1;
/// The fraction of its usual demand that a drained machine keeps.
const IDLE: f64 = 0.03;

/// What the configuration says of maintenance.
#[derive(Debug, Clone)]
pub struct MaintenanceRules {
    seed: u64,
    /// The window, from the midnight before it begins; the second hour may lie on the next day.
    hours: (i64, i64),
    minutes: (f64, f64),
    share: f64,
    zones: i64,
    clocks: Vec<LocalClock>,
    /// The time between two readings of a machine, in milliseconds.
    spacing_ms: f64,
}

/// The maintenance of one machine.
#[derive(Debug, Clone)]
pub struct Maintenance {
    /// Its current or next maintenance, in milliseconds since the epoch. When it ends, the next is
    /// planned.
    from_ms: i64,
    until_ms: i64,
    incident: Option<OpenIncident>,
}

/// What maintenance means for the jobs of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It is in service.
    InService,
    /// It is being drained: running jobs go on, no job starts.
    Draining,
    /// It is out of service: no job runs.
    OutOfService,
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

    /// Whether any region's window has a part from `from_ms` to `until_ms` (milliseconds since the epoch).
    pub fn has_window_between(&mut self, from_ms: i64, until_ms: i64) -> bool {
        let (first, last) = self.hours;
        self.clocks.iter_mut().any(|clock| {
            let days = [from_ms, until_ms].map(|ms| clock.local_ms(ms).div_euclid(DAY_MS));
            // The window of the night before may reach into the first day.
            (days[0] - 1..=days[1]).any(|day| {
                let begin_ms = clock.utc_ms(day * DAY_MS + first * HOUR_MS);
                let end_ms = clock.utc_ms(day * DAY_MS + last * HOUR_MS);
                begin_ms < end_ms && begin_ms < until_ms && from_ms < end_ms
            })
        })
    }

    /// How many maintenances begin per reading of a machine: one per night, but readings further apart
    /// than it lasts may miss it.
    pub fn rate(&self) -> f64 {
        let zone_window = ((self.hours.1 - self.hours.0) * HOUR_MS / self.zones) as f64;
        let length = ((self.minutes.0 + self.minutes.1) / 2.0 * MINUTE_MS).min(zone_window);
        self.share * length.min(self.spacing_ms) / DAY_MS as f64
    }

    /// When the machine at `placement` is maintained in the night whose window begins on the local date
    /// `day` (days since the epoch), in milliseconds since the epoch: a function of these and the seed.
    /// `None` if it isn't maintained that night.
    fn on_night(&self, placement: Placement, day: i64) -> Option<(i64, i64)> {
        let Placement { machine, zone, region } = placement;
        let night = (u64::from(machine) << 32) | u64::from(day as u32);
        let mut stream = RandomStream::new(self.seed, night, Purpose::Maintenance);
        if !stream.chance(self.share) {
            return None;
        }
        let clock = &self.clocks[usize::from(region)];
        let first = clock.utc_ms(day * DAY_MS + self.hours.0 * HOUR_MS);
        let last = clock.utc_ms(day * DAY_MS + self.hours.1 * HOUR_MS);
        let zone_window = (last - first) / self.zones;
        let minutes = stream.between(self.minutes.0, self.minutes.1);
        let length = ((minutes * MINUTE_MS) as i64).min(zone_window);
        let offset = stream.uniform() * (zone_window - length) as f64;
        let from = first + i64::from(zone) * zone_window + offset as i64;
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
    /// Advances the machine at `placement` to the instant of `writer`, and adds what maintenance does to
    /// `effects`.
    #[inline]
    pub fn step(
        &mut self,
        rules: &mut MaintenanceRules,
        placement: Placement,
        writer: &mut EventWriter<'_>,
        effects: &mut Effects,
    ) -> Availability {
        let now = writer.timestamp;
        if now >= self.until_ms {
            self.plan(rules, placement, writer);
        }
        if now < self.from_ms {
            return Availability::InService;
        }
        if self.incident.is_none() {
            let minutes = (self.until_ms - self.from_ms) as f64 / MINUTE_MS;
            self.incident = Some(writer.begin_incident(IncidentKind::Maintenance, None, minutes));
        }
        let progress = (now - self.from_ms) as f64 / (self.until_ms - self.from_ms) as f64;
        let drained = (progress / DRAIN).min((1.0 - progress) / RETURN).clamp(0.0, 1.0);
        effects.demand *= 1.0 - (1.0 - IDLE) * drained;
        if progress < DRAIN { Availability::Draining } else { Availability::OutOfService }
    }

    #[cold]
    fn plan(
        &mut self,
        rules: &mut MaintenanceRules,
        placement: Placement,
        writer: &mut EventWriter<'_>,
    ) {
        if let Some(incident) = self.incident.take() {
            writer.end_incident(incident);
        }
        let now = writer.timestamp;
        let region = usize::from(placement.region);
        let day = rules.clocks[region].local_ms(now).div_euclid(DAY_MS);
        // The window of the day before may reach into this day.
        let mut nights = [day - 1, day].into_iter();
        let next =
            nights.find_map(|day| rules.on_night(placement, day).filter(|&(_, until)| until > now));
        (self.from_ms, self.until_ms) = next.unwrap_or_else(|| {
            // Nothing more today: plan again at midnight, but at least an hour from now. Clocks that are
            // set back may have shown midnight before.
            let midnight = rules.clocks[region].utc_ms((day + 1) * DAY_MS);
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
    fn zones_follow_one_another_on_every_night_of_every_time_zone() {
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
                    let mut planned = Vec::new();
                    for zone in 0..3u8 {
                        let placement = |machine| Placement { machine, zone, region: 0 };
                        planned.extend((0..4).map(|n| rules.on_night(placement(n), day)));
                    }
                    if last - first < 3 {
                        assert!(planned.iter().all(Option::is_none), "{what}");
                        continue;
                    }
                    let planned: Vec<_> = planned.into_iter().map(Option::unwrap).collect();
                    for zones in planned.chunks(4).collect::<Vec<_>>().windows(2) {
                        let end = zones[0].iter().map(|(_, until)| *until).max();
                        let begin = zones[1].iter().map(|(from, _)| *from).min();
                        assert!(end <= begin, "{what}: {planned:?}");
                    }
                    for (from, until) in planned {
                        assert!(first <= from && from < until && until <= last, "{what}");
                        // The wall clock shows an hour of the window, unless clocks are set back over
                        // its end.
                        let local = LocalClock::new(zone).local_ms(from);
                        let hour = local.rem_euclid(DAY_MS) / HOUR_MS;
                        let into = (hour - rules.hours.0).rem_euclid(24);
                        let set_back = last - first > (rules.hours.1 - rules.hours.0) * HOUR_MS;
                        assert!(into < rules.hours.1 - rules.hours.0 || set_back, "{what}");
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
        let placement = |zone| Placement { machine: 7, zone, region: 0 };
        let planned: Vec<_> =
            (0..3).map(|zone| rules.on_night(placement(zone), day).unwrap()).collect();
        for (zone, (from, until)) in (0..).zip(planned) {
            let begins = midnight + (22 + 2 * zone) * HOUR_MS;
            assert!(begins <= from && until <= begins + 2 * HOUR_MS);
            assert!((15 * 60_000..=45 * 60_000).contains(&(until - from)));
        }
    }

    #[test]
    fn maintenance_begins_as_often_as_readings_meet_it() {
        let mut rules = rules(Tz::UTC, (2, 5), (30, 30));
        assert_eq!(rules.rate(), 1.0 / 86_400.0);
        // Readings a day apart: one in 48 falls into the half hour.
        rules.spacing_ms = 86_400_000.0;
        assert_eq!(rules.rate(), 1.0 / 48.0);
    }
}
