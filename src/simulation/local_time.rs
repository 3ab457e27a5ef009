//! Local time: what a clock on the wall of a region shows.

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

/// Milliseconds in a day without a change of the clocks.
pub const DAY_MS: i64 = 86_400_000;
/// Clocks change at whole quarters of an hour of UTC.
const QUARTER_MS: i64 = 900_000;

/// The wall clock of one time zone. Asked in order of time it looks the zone up once a quarter.
#[derive(Debug, Clone)]
pub struct LocalClock {
    zone: Tz,
    quarter: i64,
    offset_ms: i64,
}

impl LocalClock {
    /// The wall clock of `zone`, daylight saving included.
    pub fn new(zone: Tz) -> LocalClock {
        LocalClock { zone, quarter: i64::MIN, offset_ms: 0 }
    }

    /// What the clock shows at the instant `utc_ms` (milliseconds since the epoch), as the
    /// milliseconds that would have passed since the epoch had it always shown UTC.
    #[inline]
    pub fn local_ms(&mut self, utc_ms: i64) -> i64 {
        let quarter = utc_ms.div_euclid(QUARTER_MS);
        if quarter != self.quarter {
            self.look_up(quarter);
        }
        utc_ms + self.offset_ms
    }

    #[cold]
    fn look_up(&mut self, quarter: i64) {
        self.quarter = quarter;
        self.offset_ms = DateTime::from_timestamp_millis(quarter * QUARTER_MS)
            .map(|utc| self.zone.offset_from_utc_datetime(&utc.naive_utc()).fix())
            .map_or(0, |offset| i64::from(offset.local_minus_utc()) * 1000);
    }

    /// The instant at which the clock shows `local_ms`: the first of two where it is put back, and
    /// the next that it shows where it is put forward over it.
    pub fn utc_ms(&self, local_ms: i64) -> i64 {
        let Some(local) = DateTime::from_timestamp_millis(local_ms) else {
            return local_ms;
        };
        let local = local.naive_utc();
        let earliest = |local: &NaiveDateTime| self.zone.from_local_datetime(local).earliest();
        let shown = (0..=8).find_map(|quarters| {
            earliest(&local.checked_add_signed(TimeDelta::minutes(15 * quarters))?)
        });
        shown.map_or(local_ms, |instant| instant.timestamp_millis())
    }
}

/// Whether a local date is a Saturday or a Sunday; `day` counts from 1970-01-01, a Thursday.
#[inline]
pub fn is_weekend(day: i64) -> bool {
    (day + 3).rem_euclid(7) >= 5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis()
    }

    #[test]
    fn clocks_follow_daylight_saving() {
        let mut new_york = LocalClock::new(Tz::America__New_York);
        for (utc, local) in [
            ("2026-01-15T19:00:00Z", "2026-01-15T14:00:00Z"),
            ("2026-07-15T18:00:00Z", "2026-07-15T14:00:00Z"),
            // The second Sunday of March: 01:59:59 is followed by 03:00:00.
            ("2026-03-08T06:59:59Z", "2026-03-08T01:59:59Z"),
            ("2026-03-08T07:00:00Z", "2026-03-08T03:00:00Z"),
        ] {
            assert_eq!(new_york.local_ms(ms(utc)), ms(local), "{utc}");
            assert_eq!(new_york.utc_ms(ms(local)), ms(utc), "{local}");
        }
        // Half past two does not come that day.
        assert_eq!(new_york.utc_ms(ms("2026-03-08T02:30:00Z")), ms("2026-03-08T07:00:00Z"));
    }

    #[test]
    fn weekends_are_saturday_and_sunday() {
        let day = |text: &str| ms(text).div_euclid(DAY_MS);
        let week: Vec<bool> = (0..7).map(|d| is_weekend(day("2026-11-23T00:00:00Z") + d)).collect();
        assert_eq!(week, [false, false, false, false, false, true, true]);
        assert!(is_weekend(day("1969-12-28T00:00:00Z")));
    }
}
