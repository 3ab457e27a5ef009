//! When each record is due: the slots of a reading, the rate's profile and course, and the schedule,
//! which gives each slot its time and its timestamp. Nothing here reads a clock.

pub mod course;
pub mod offered;
pub mod profile;
pub mod slots;
pub mod trace;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::units::Rate;

pub use course::Course;
pub use profile::Profile;
pub use slots::{SlotKind, Slots};

/// Which time the records carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Time {
    /// A timestamp is the intended instant of sending.
    Live,
    /// Timestamps advance by the interval a reading, at whatever pace they are sent.
    Simulated,
}

/// How fast slots are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// As the fleet's clock runs, times this factor.
    Natural(f64),
    /// At a rate in records a second, over all topics.
    Rate(Profile),
    /// At what the fleet's temporal curve leaves of this rate: see [`offered`].
    Load(Rate),
    /// As fast as they can be sent.
    Max,
}

/// The grid that slots lie on: the size of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Machines of the fleet; at least one.
    pub machines: u32,
    /// Slots of a reading, at most 4.
    pub slots: usize,
    /// Fleet time between two readings of a machine.
    pub interval: Duration,
}

/// When slots are due and what timestamps they carry.
///
/// Slots are numbered over the whole fleet: slot s of the reading at position p of round r is
/// number (r N + p) S + s, for N machines with S slots a reading. Number j is due when S/2 + j
/// records are: evenly spaced, each reading in the middle of its N-th of a round, its own instant
/// that of its first slot.
#[derive(Debug, Clone)]
pub struct Schedule {
    machines: u64,
    slots: u64,
    interval_ns: u64,
    slot_steps_ns: [u64; 4],
    start_ms: i64,
    time: Time,
    beat: Beat,
}

/// What decides when slots are due.
#[derive(Debug, Clone)]
enum Beat {
    /// The fleet's clock, so many times as fast.
    Clock(f64),
    /// The course of a rate.
    Course(Course),
    /// Nothing.
    None,
}

/// Instant and timestamp of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotTime {
    /// When it is due, in nanoseconds from the schedule's zero; `None` if nothing is paced.
    pub intended_ns: Option<u64>,
    /// The timestamp of its record, in milliseconds since the epoch.
    pub timestamp_ms: i64,
}

impl Grid {
    /// The records a second that it calls for when its clock keeps time.
    pub fn natural_rate(&self) -> f64 {
        f64::from(self.machines) * self.slots as f64 / self.interval.as_secs_f64()
    }
}

impl Schedule {
    /// The schedule of the slots of `grid` from `start_ms` (milliseconds since the epoch) on.
    /// `offered` is the course of [`Pace::Load`], and asked for there only.
    pub fn new(
        grid: Grid,
        start_ms: i64,
        time: Time,
        pace: &Pace,
        offered: impl FnOnce(Rate) -> Course,
    ) -> Schedule {
        let interval_ns = nanoseconds(grid.interval);
        let (machines, slots) = (u64::from(grid.machines), grid.slots as u64);
        let mut slot_steps_ns = [0; 4];
        for (s, step) in slot_steps_ns.iter_mut().enumerate() {
            *step = part_of(interval_ns, s as u64, machines * slots.max(1));
        }
        let beat = match pace {
            Pace::Natural(speed) => Beat::Clock(*speed),
            Pace::Rate(profile) => Beat::Course(profile.course()),
            Pace::Load(peak) => Beat::Course(offered(*peak)),
            Pace::Max => Beat::None,
        };
        Schedule { machines, slots, interval_ns, slot_steps_ns, start_ms, time, beat }
    }

    /// How far into a round position `position` reads, in nanoseconds of fleet time:
    /// (position + 1/2) / N of the interval.
    pub fn phase_ns(&self, position: u32) -> u64 {
        part_of(self.interval_ns, 2 * u64::from(position) + 1, 2 * self.machines)
    }

    /// The number of slot `slot` of the reading at `position` of `round`.
    #[inline]
    pub fn slot_number(&self, round: u64, position: u32, slot: usize) -> u64 {
        (round * self.machines + u64::from(position)) * self.slots + slot as u64
    }

    /// Instant and timestamp of that slot; `phase_ns` is that of its position.
    #[inline(always)]
    pub fn slot_time(&self, round: u64, position: u32, phase_ns: u64, slot: usize) -> SlotTime {
        // After 584 years a fleet's clock stands still rather than wrap.
        let fleet_ns = || {
            let into_round = phase_ns + self.slot_steps_ns[slot];
            round.saturating_mul(self.interval_ns).saturating_add(into_round)
        };
        let paced_ns = |course: &Course| {
            let number = self.slot_number(round, position, slot);
            (course.instant(self.due_before(number)) * 1e9) as u64
        };
        let (intended_ns, timestamp_ns) = match (&self.beat, self.time) {
            (Beat::Clock(speed), _) if *speed == 1.0 => (Some(fleet_ns()), fleet_ns()),
            (Beat::Clock(speed), _) => (Some((fleet_ns() as f64 / speed) as u64), fleet_ns()),
            (Beat::Course(course), Time::Live) => {
                let due = paced_ns(course);
                (Some(due), due)
            }
            (Beat::Course(course), Time::Simulated) => (Some(paced_ns(course)), fleet_ns()),
            (Beat::None, _) => (None, fleet_ns()),
        };
        SlotTime { intended_ns, timestamp_ms: self.start_ms + (timestamp_ns / 1_000_000) as i64 }
    }

    /// Instant and timestamp of slot `number`.
    pub fn time_of(&self, number: u64) -> SlotTime {
        let (reading, slot) = (number / self.slots.max(1), number % self.slots.max(1));
        let position = (reading % self.machines) as u32;
        self.slot_time(reading / self.machines, position, self.phase_ns(position), slot as usize)
    }

    /// The number of the first slot that is due at `end_ns` from the schedule's zero or later; none is
    /// where there are no slots, nor where nothing is paced.
    pub fn first_due_from(&self, end_ns: u64) -> u64 {
        if self.slots == 0 || matches!(self.beat, Beat::None) {
            return 0;
        }
        let is_due = |number| self.time_of(number).intended_ns.is_some_and(|ns| ns >= end_ns);
        let mut beyond = 1u64;
        while beyond < u64::MAX / 2 && !is_due(beyond) {
            beyond *= 2;
        }
        let mut before = 0;
        while before < beyond {
            let middle = before + (beyond - before) / 2;
            if is_due(middle) { beyond = middle } else { before = middle + 1 }
        }
        beyond
    }

    /// The number of slots in `readings` readings of every machine.
    pub fn slots_in(&self, readings: u64) -> u64 {
        readings.saturating_mul(self.machines).saturating_mul(self.slots)
    }

    /// The records due in the first `seconds`, over the whole fleet; `None` if nothing is paced.
    #[inline]
    pub fn due(&self, seconds: f64) -> Option<f64> {
        match &self.beat {
            Beat::Clock(speed) => Some(self.natural_rate() * speed * seconds),
            Beat::Course(course) => Some(course.integral(seconds)),
            Beat::None => None,
        }
    }

    /// The records due when slot `number` is.
    #[inline]
    pub fn due_before(&self, number: u64) -> f64 {
        number as f64 + self.slots as f64 / 2.0
    }

    /// When `records` are due, in seconds; `None` if nothing is paced, infinite where so many never are.
    pub fn instant(&self, records: f64) -> Option<f64> {
        match &self.beat {
            Beat::Clock(speed) => Some(records / (self.natural_rate() * speed)),
            Beat::Course(course) => Some(course.instant(records)),
            Beat::None => None,
        }
    }

    /// The records a second that the schedule calls for at its natural pace.
    pub fn natural_rate(&self) -> f64 {
        (self.machines * self.slots) as f64 * 1e9 / self.interval_ns as f64
    }

    /// How far apart the timestamps of a machine's readings are at the start, in milliseconds.
    pub fn spacing_ms(&self) -> f64 {
        let interval = self.interval_ns as f64 / 1e6;
        match (&self.beat, self.time) {
            (Beat::Course(course), Time::Live) => {
                let of = |round| course.instant(self.due_before(self.slot_number(round, 0, 0)));
                let spacing = (of(1) - of(0)) * 1e3;
                // A course may never get so far.
                if spacing.is_finite() { spacing } else { interval }
            }
            _ => interval,
        }
    }

    /// The lowest and the highest rate that it calls for, in records a second; `None` if nothing is
    /// paced.
    pub fn rates(&self) -> Option<(f64, f64)> {
        match &self.beat {
            Beat::Clock(speed) => {
                let rate = self.natural_rate() * speed;
                Some((rate, rate))
            }
            Beat::Course(course) => Some((course.trough(), course.peak())),
            Beat::None => None,
        }
    }

    /// When its course ends, in seconds; `None` if it has no end.
    pub fn end(&self) -> Option<f64> {
        match &self.beat {
            Beat::Course(course) => course.end(),
            Beat::Clock(_) | Beat::None => None,
        }
    }
}

/// A duration in whole nanoseconds, at most 2^64 - 1 (584 years).
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// `whole` times `numerator` over `denominator`, rounded down.
fn part_of(whole: u64, numerator: u64, denominator: u64) -> u64 {
    (u128::from(whole) * u128::from(numerator) / u128::from(denominator)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(time: Time, pace: Pace) -> Schedule {
        let grid = Grid { machines: 100, slots: 3, interval: Duration::from_secs(1) };
        Schedule::new(grid, 1_000_000, time, &pace, |peak| Course::constant(peak.per_second()))
    }

    fn rate(text: &str) -> Pace {
        Pace::Rate(Profile::Constant(text.parse().unwrap()))
    }

    fn at(schedule: &Schedule, round: u64, position: u32, slot: usize) -> SlotTime {
        schedule.slot_time(round, position, schedule.phase_ns(position), slot)
    }

    #[test]
    fn natural_pace_puts_readings_in_the_middle_of_their_part_of_the_round() {
        let schedule = schedule(Time::Live, Pace::Natural(1.0));
        let first = at(&schedule, 0, 0, 0);
        assert_eq!(first, SlotTime { intended_ns: Some(5_000_000), timestamp_ms: 1_000_005 });
        let last = at(&schedule, 7, 99, 0);
        assert_eq!(last, SlotTime { intended_ns: Some(7_995_000_000), timestamp_ms: 1_007_995 });
        // A hundredth of a second has a reading's three slots.
        assert_eq!(at(&schedule, 0, 0, 2).intended_ns, Some(11_666_666));
    }

    #[test]
    fn a_rate_spaces_slots_evenly_and_every_second_has_its_count() {
        let schedule = schedule(Time::Live, rate("250"));
        let mut instants = Vec::new();
        for round in 0..10 {
            for position in 0..100 {
                for slot in 0..3 {
                    instants.push(at(&schedule, round, position, slot).intended_ns.unwrap());
                }
            }
        }
        assert!(instants.windows(2).all(|w| (3_999_998..=4_000_002).contains(&(w[1] - w[0]))));
        for second in 0..12u64 {
            let inside = |&&i: &&u64| i / 1_000_000_000 == second;
            let count = instants.iter().filter(inside).count();
            assert!((249..=251).contains(&count), "second {second}: {count}");
        }
    }

    #[test]
    fn fractional_rates_are_kept() {
        let schedule = schedule(Time::Live, rate("0.2"));
        let (a, b) = (at(&schedule, 0, 0, 0), at(&schedule, 0, 0, 1));
        assert_eq!(b.intended_ns.unwrap() - a.intended_ns.unwrap(), 5_000_000_000);
    }

    #[test]
    fn simulated_time_is_the_same_at_every_pace() {
        let paces = [Pace::Natural(1.0), Pace::Natural(60.0), Pace::Max, rate("12345.6")];
        let timestamps: Vec<Vec<i64>> = paces
            .into_iter()
            .map(|pace| {
                let schedule = schedule(Time::Simulated, pace);
                (0..3000)
                    .map(|i| at(&schedule, i / 100, (i % 100) as u32, 1).timestamp_ms)
                    .collect()
            })
            .collect();
        assert!(timestamps.windows(2).all(|w| w[0] == w[1]));
    }

    #[test]
    fn speed_divides_the_waits_and_leaves_the_timestamps() {
        let fast = at(&schedule(Time::Simulated, Pace::Natural(60.0)), 60, 0, 0);
        assert_eq!(fast.intended_ns, Some(60_005_000_000 / 60));
        assert_eq!(fast.timestamp_ms, 1_060_005);
    }

    #[test]
    fn timestamps_never_fall_for_a_machine_at_any_pace() {
        let paces = [
            (Time::Live, Pace::Natural(1.0)),
            (Time::Live, rate("1.5M")),
            (Time::Simulated, Pace::Max),
            (Time::Simulated, rate("7")),
        ];
        for (time, pace) in paces {
            let schedule = schedule(time, pace);
            let mut last = i64::MIN;
            for round in 0..1000 {
                for slot in 0..3 {
                    let now = at(&schedule, round, 37, slot).timestamp_ms;
                    assert!(now >= last);
                    last = now;
                }
            }
        }
    }
}
