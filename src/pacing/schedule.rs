//! The schedule: from the index of a slot to its instant and its timestamp, without a clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::profile::Profile;

/// Which time the records carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Time {
    /// A timestamp is the intended instant of sending.
    Live,
    /// Timestamps advance by the interval a reading, at whatever pace they are sent.
    Simulated,
}

/// How fast slots are worked off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// As the fleet's clock runs, times this factor.
    Natural(f64),
    /// At a rate in records a second, over all topics.
    Rate(Profile),
    /// As fast as they can be sent.
    Max,
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
    pace: Pace,
}

/// Instant and timestamp of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotTime {
    /// When it is due, in nanoseconds from the schedule's zero; none where nothing is paced.
    pub intended_ns: Option<u64>,
    /// The timestamp of its record, in milliseconds since the epoch.
    pub timestamp_ms: i64,
}

impl Schedule {
    /// The schedule of `machines` machines (at least one) with `slots` slots a reading (at most
    /// 4), whose readings are `interval` apart in fleet time, from `start_ms` (milliseconds since
    /// the epoch) on.
    pub fn new(
        machines: u32,
        slots: usize,
        interval: Duration,
        start_ms: i64,
        time: Time,
        pace: Pace,
    ) -> Schedule {
        let interval_ns = nanoseconds(interval);
        let (machines, slots) = (u64::from(machines), slots as u64);
        let mut slot_steps_ns = [0; 4];
        for (s, step) in slot_steps_ns.iter_mut().enumerate() {
            *step = part_of(interval_ns, s as u64, machines * slots.max(1));
        }
        Schedule { machines, slots, interval_ns, slot_steps_ns, start_ms, time, pace }
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
    #[inline]
    pub fn slot_time(&self, round: u64, position: u32, phase_ns: u64, slot: usize) -> SlotTime {
        let fleet_ns = || round * self.interval_ns + phase_ns + self.slot_steps_ns[slot];
        let paced_ns = |profile: &Profile| {
            let number = self.slot_number(round, position, slot);
            let records = number as f64 + self.slots as f64 / 2.0;
            (profile.instant(records) * 1e9) as u64
        };
        let (intended_ns, timestamp_ns) = match (&self.pace, self.time) {
            (Pace::Natural(speed), _) if *speed == 1.0 => (Some(fleet_ns()), fleet_ns()),
            (Pace::Natural(speed), _) => (Some((fleet_ns() as f64 / speed) as u64), fleet_ns()),
            (Pace::Rate(profile), Time::Live) => {
                let due = paced_ns(profile);
                (Some(due), due)
            }
            (Pace::Rate(profile), Time::Simulated) => (Some(paced_ns(profile)), fleet_ns()),
            (Pace::Max, _) => (None, fleet_ns()),
        };
        SlotTime { intended_ns, timestamp_ms: self.start_ms + (timestamp_ns / 1_000_000) as i64 }
    }

    /// The number of slots in `readings` readings of every machine.
    pub fn slots_in(&self, readings: u64) -> u64 {
        readings.saturating_mul(self.machines).saturating_mul(self.slots)
    }

    /// The records a second that the schedule calls for at its natural pace.
    pub fn natural_rate(&self) -> f64 {
        (self.machines * self.slots) as f64 * 1e9 / self.interval_ns as f64
    }

    /// The target in records a second; none where nothing is paced.
    pub fn target_rate(&self) -> Option<f64> {
        match &self.pace {
            Pace::Natural(speed) => Some(self.natural_rate() * speed),
            Pace::Rate(Profile::Constant(rate)) => Some(rate.per_second()),
            Pace::Max => None,
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
        Schedule::new(100, 3, Duration::from_secs(1), 1_000_000, time, pace)
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
