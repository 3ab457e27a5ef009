//! Local time: what a wall clock in a region shows.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

/// Milliseconds in a day of 24 hours.
pub const DAY_MS: i64 = 86_400_000;
/// UTC offsets change at whole minutes: at quarters of an hour, except in Casey in 2020.
const MINUTE_MS: i64 = 60_000;

/// The wall clock of one time zone. If it is asked in order of time, it looks the zone up once a minute.
#[derive(Debug, Clone)]
pub struct LocalClock {
    zone: Tz,
    /// The minute that was looked up last, since the epoch, and its offset.
    minute: i64,
    offset_ms: i64,
    /// The local date that was asked for last, in days since the epoch, and when it began.
    day: i64,
    began_ms: i64,
}

/// An instant of a local date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalDay {
    /// The date, in days since the epoch.
    pub day: i64,
    /// Milliseconds since it began: at midnight, or later if clocks skip midnight.
    pub elapsed_ms: i64,
}

impl LocalClock {
    /// The wall clock of `zone`, with its daylight saving time.
    pub fn new(zone: Tz) -> LocalClock {
        LocalClock { zone, minute: i64::MIN, offset_ms: 0, day: i64::MIN, began_ms: 0 }
    }

    /// What the clock shows at the instant `utc_ms` (milliseconds since the epoch), as milliseconds
    /// between 1970-01-01 00:00 on the clock and the time that it shows.
    #[inline]
    pub fn local_ms(&mut self, utc_ms: i64) -> i64 {
        let minute = utc_ms.div_euclid(MINUTE_MS);
        if minute != self.minute {
            self.look_up(minute);
        }
        utc_ms + self.offset_ms
    }

    #[cold]
    fn look_up(&mut self, minute: i64) {
        self.minute = minute;
        self.offset_ms = self.offset_at(minute * MINUTE_MS);
    }

    /// The local date at the instant `utc_ms`.
    #[inline]
    pub fn day(&mut self, utc_ms: i64) -> LocalDay {
        let day = self.local_ms(utc_ms).div_euclid(DAY_MS);
        if day != self.day {
            (self.day, self.began_ms) = (day, self.utc_ms(day * DAY_MS));
        }
        LocalDay { day, elapsed_ms: utc_ms - self.began_ms }
    }

    /// The instant at which the clock shows `local_ms`. If it shows it twice (clocks are set back), the
    /// first; if it skips it (clocks are set forward), the instant of the skip.
    pub fn utc_ms(&self, local_ms: i64) -> i64 {
        let Some(local) = DateTime::from_timestamp_millis(local_ms) else {
            return local_ms;
        };
        match self.zone.from_local_datetime(&local.naive_utc()).earliest() {
            Some(instant) => instant.timestamp_millis(),
            None => self.skip_ms(local_ms),
        }
    }

    /// The instant at which the clock skips `local_ms`.
    #[cold]
    fn skip_ms(&self, local_ms: i64) -> i64 {
        // No clock differs from UTC, or is set forward, by more than a day.
        let (mut before, mut after) = (local_ms - 2 * DAY_MS, local_ms + 2 * DAY_MS);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if middle + self.offset_at(middle) < local_ms {
                before = middle
            } else {
                after = middle
            }
        }
        after
    }

    /// How far the clock is ahead of UTC at the instant `utc_ms`, in milliseconds.
    fn offset_at(&self, utc_ms: i64) -> i64 {
        DateTime::from_timestamp_millis(utc_ms)
            .map(|utc| self.zone.offset_from_utc_datetime(&utc.naive_utc()).fix())
            .map_or(0, |offset| i64::from(offset.local_minus_utc()) * 1000)
    }
}

/// Whether a local date is a Saturday or Sunday; `day` counts from 1970-01-01, a Thursday.
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
        // 02:20 and 02:30 don't exist that day.
        for skipped in ["2026-03-08T02:20:00Z", "2026-03-08T02:30:00Z"] {
            assert_eq!(new_york.utc_ms(ms(skipped)), ms("2026-03-08T07:00:00Z"));
        }
    }

    #[test]
    fn every_clock_is_read_both_ways_over_all_its_changes() {
        let mut changes = 0;
        for zone in chrono_tz::TZ_VARIANTS {
            let mut clock = LocalClock::new(zone);
            let mut before = (i64::MIN, i64::MIN);
            let years = ms("2020-01-01T00:00:00Z")..ms("2031-01-01T00:00:00Z");
            for utc in years.step_by(6 * 3_600_000) {
                let local = clock.local_ms(utc);
                if local - utc == before.1 - before.0 {
                    before = (utc, local);
                    continue;
                }
                changes += usize::from(before.0 != i64::MIN);
                let mut last = i64::MIN;
                // A minute at a time around the change, which lies within six hours before.
                for utc in (utc - 7 * 3_600_000..utc + 3_600_000).step_by(MINUTE_MS as usize) {
                    let local = LocalClock::new(zone).local_ms(utc);
                    for within in [0, 1, MINUTE_MS / 2, MINUTE_MS - 1] {
                        // Offsets change at whole minutes only.
                        assert_eq!(clock.local_ms(utc + within), local + within, "{zone}");
                    }
                    // The clock shows it then, or showed it before.
                    assert!(clock.utc_ms(local) <= utc, "{zone} {utc}");
                    let shown = clock.utc_ms(utc);
                    assert!(shown >= last, "{zone}: what is shown later comes later");
                    last = shown;
                    let shows = clock.local_ms(shown);
                    let skipped = shows > utc && clock.local_ms(shown - 1) < utc;
                    assert!(shows == utc || skipped, "{zone} {utc}: {shows}");
                }
                before = (utc, local);
            }
        }
        assert!(changes > 2000, "{changes}");
    }

    #[test]
    fn days_begin_when_their_first_hour_is_shown() {
        // On 2020-03-21, a Saturday, Tehran's clocks skipped from 00:00 to 01:00.
        let mut tehran = LocalClock::new(Tz::Asia__Tehran);
        let saturday = ms("2020-03-21T00:00:00Z").div_euclid(DAY_MS);
        let began = ms("2020-03-20T20:30:00Z");
        let before = LocalDay { day: saturday - 1, elapsed_ms: DAY_MS - 1 };
        assert_eq!(tehran.day(began - 1), before);
        assert_eq!(tehran.day(began), LocalDay { day: saturday, elapsed_ms: 0 });
        assert_eq!(tehran.local_ms(began), saturday * DAY_MS + 3_600_000);
        // Apia had no 30th of December 2011.
        let mut apia = LocalClock::new(Tz::Pacific__Apia);
        let skipped = ms("2011-12-30T12:00:00Z");
        assert_eq!(apia.utc_ms(skipped), ms("2011-12-30T10:00:00Z"));
        assert_eq!(apia.local_ms(apia.utc_ms(skipped)), ms("2011-12-31T00:00:00Z"));
    }

    #[test]
    fn weekends_are_saturday_and_sunday() {
        let day = |text: &str| ms(text).div_euclid(DAY_MS);
        let week: Vec<bool> = (0..7).map(|d| is_weekend(day("2026-11-23T00:00:00Z") + d)).collect();
        assert_eq!(week, [false, false, false, false, false, true, true]);
        assert!(is_weekend(day("1969-12-28T00:00:00Z")));
    }
}
