//! The temporal curve: load by hour of the day and day of the week, in local time.

use crate::config::Config;
use crate::fleet::Fleet;

use super::local_time::{DAY_MS, LocalClock, LocalDay, is_weekend};

const MINUTE_MS: i64 = 60_000;
const MINUTES: usize = 1440;
/// How long load takes from a weekday's level to a weekend's, from midnight on.
const EASE_MS: f64 = 3_600_000.0;

/// The factor on every load that depends on local time: 1 at the peak of a weekday.
///
/// Over a day it is a cosine, n + (1 - n) (1 + cos(2 pi (h - peak) / 24)) / 2 at hour h for a night
/// load factor n: 1 at the peak hour, n twelve hours later. On local Saturdays and Sundays it is
/// multiplied by the weekend load factor, eased in and out over the hour after midnight.
#[derive(Debug, Clone)]
pub struct TemporalCurve {
    /// The factor at each minute of a local day, and at the first minute of the next.
    day: Box<[f32]>,
    weekend: f64,
    clocks: Vec<LocalClock>,
    /// The fraction of the fleet in each region.
    region_shares: Vec<f64>,
}

impl TemporalCurve {
    /// The curve as configured; `None` if load doesn't follow the clock.
    pub fn new(config: &Config, fleet: &Fleet) -> Option<TemporalCurve> {
        let patterns = &config.temporal_patterns;
        if !patterns.enable_diurnal && !patterns.enable_weekly {
            return None;
        }
        let night = if patterns.enable_diurnal { patterns.night_load_factor } else { 1.0 };
        let factor = |minute: usize| {
            let hours = minute as f64 / 60.0 - f64::from(patterns.peak_hour);
            let wave = libm::cos(hours * std::f64::consts::TAU / 24.0);
            (night + (1.0 - night) * (1.0 + wave) / 2.0) as f32
        };
        Some(TemporalCurve {
            day: (0..=MINUTES).map(factor).collect(),
            weekend: if patterns.enable_weekly { patterns.weekend_load_factor } else { 1.0 },
            clocks: fleet.time_zones().iter().map(|&zone| LocalClock::new(zone)).collect(),
            region_shares: fleet.region_shares(),
        })
    }

    /// The factor in region `region` (an index into [`Fleet::regions`]) at the instant
    /// `timestamp_ms` (milliseconds since the epoch), from 0 to 1.
    #[inline]
    pub fn factor(&mut self, region: usize, timestamp_ms: i64) -> f64 {
        let clock = &mut self.clocks[region];
        let time_of_day = clock.local_ms(timestamp_ms).rem_euclid(DAY_MS);
        let level = if self.weekend == 1.0 {
            1.0
        } else {
            weekday_factor(self.weekend, clock.day(timestamp_ms))
        };
        let minute = (time_of_day / MINUTE_MS) as usize;
        let part = (time_of_day % MINUTE_MS) as f32 / MINUTE_MS as f32;
        let (low, high) = (self.day[minute], self.day[minute + 1]);
        f64::from(low + (high - low) * part) * level
    }

    /// The mean factor over a week, but for changes of clocks.
    pub fn weekly_mean(&self) -> f64 {
        let day = self.day[..MINUTES].iter().copied().map(f64::from).sum::<f64>() / MINUTES as f64;
        day * (5.0 + 2.0 * self.weekend) / 7.0
    }

    /// The mean factor over the fleet at the instant `timestamp_ms`.
    pub fn fleet_factor(&mut self, timestamp_ms: i64) -> f64 {
        (0..self.clocks.len()).map(|r| self.region_shares[r] * self.factor(r, timestamp_ms)).sum()
    }

    /// The mean factor over the fleet from `from_ms` to `to_ms`, at evenly spaced instants.
    pub fn mean(&mut self, from_ms: i64, to_ms: i64) -> f64 {
        const INSTANTS: i64 = 4000;
        let length = i128::from(to_ms.saturating_sub(from_ms).max(0));
        let mut sum = 0.0;
        for region in 0..self.clocks.len() {
            let mut of_region = 0.0;
            for i in 0..INSTANTS {
                let offset = length * i128::from(2 * i + 1) / i128::from(2 * INSTANTS);
                of_region += self.factor(region, from_ms + offset as i64);
            }
            sum += self.region_shares[region] * of_region / INSTANTS as f64;
        }
        sum
    }
}

/// The factor of the day of the week at an instant of a local date; `weekend` is that of weekends.
#[inline]
fn weekday_factor(weekend: f64, LocalDay { day, elapsed_ms }: LocalDay) -> f64 {
    let level = |day| if is_weekend(day) { weekend } else { 1.0 };
    let now = level(day);
    let eased = elapsed_ms as f64 / EASE_MS;
    if eased >= 1.0 {
        return now;
    }
    let before = level(day - 1);
    before + (now - before) * eased * eased * (3.0 - 2.0 * eased)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23, a Monday, at midnight UTC, in milliseconds since the epoch.
    const MONDAY: i64 = 1_795_392_000_000;
    const HOUR: i64 = 3_600_000;

    fn curve(change: impl FnOnce(&mut Config)) -> TemporalCurve {
        let mut config = Config { regions: vec!["UTC".into()], ..Config::default() };
        config.temporal_patterns.enable_diurnal = true;
        config.temporal_patterns.enable_weekly = true;
        change(&mut config);
        TemporalCurve::new(&config, &Fleet::new(&config, 1)).unwrap()
    }

    #[test]
    fn the_peak_is_one_and_the_trough_the_night_factor_twelve_hours_later() {
        let mut curve = curve(|_| {});
        assert_eq!(curve.factor(0, MONDAY + 14 * HOUR), 1.0);
        assert!((curve.factor(0, MONDAY + 26 * HOUR) - 0.3).abs() < 1e-6);
        assert!((curve.factor(0, MONDAY + (5 * 24 + 14) * HOUR) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn no_minute_brings_a_jump() {
        let mut curve = curve(|_| {});
        let of = |m: i64, curve: &mut TemporalCurve| curve.factor(0, MONDAY + m * MINUTE_MS);
        for minute in 0..7 * 1440 {
            let change = of(minute + 1, &mut curve) - of(minute, &mut curve);
            // The cosine changes by at most 0.35 * 2 pi / 1440 a minute, the easing of half the
            // load by 0.5 * 1.5 / 60.
            assert!(change.abs() <= 0.35 * 6.3 / 1440.0 + 0.75 / 60.0, "{minute}: {change}");
        }
    }

    #[test]
    fn no_change_of_clocks_brings_a_jump_at_a_weekend() {
        for zone in chrono_tz::TZ_VARIANTS {
            let mut curve = curve(|c| {
                c.regions = vec![zone.name().into()];
                c.temporal_patterns.enable_diurnal = false;
            });
            let mut offset = i64::MIN;
            // 2020-01-01 to 2031-01-01.
            for day in 18_262..22_280 {
                let of_day = curve.clocks[0].local_ms(day * DAY_MS) - day * DAY_MS;
                if std::mem::replace(&mut offset, of_day) == of_day {
                    continue;
                }
                for minute in -2 * 1440..1440 {
                    let at = day * DAY_MS + minute * MINUTE_MS;
                    let change = curve.factor(0, at + MINUTE_MS) - curve.factor(0, at);
                    assert!(change.abs() <= 0.75 / 60.0, "{zone} at {at}: {change}");
                }
            }
        }
    }

    #[test]
    fn a_mean_weighs_the_whole_curve() {
        let mut daily = curve(|c| c.temporal_patterns.enable_weekly = false);
        assert!((daily.mean(MONDAY, MONDAY + 24 * HOUR) - 0.65).abs() < 1e-3);
        let mut weekly = curve(|c| c.temporal_patterns.enable_diurnal = false);
        assert!((weekly.mean(MONDAY, MONDAY + 7 * 24 * HOUR) - 6.0 / 7.0).abs() < 1e-3);
        assert!((weekly.weekly_mean() - 6.0 / 7.0).abs() < 1e-12);
        let mut both = curve(|_| {});
        // Easing takes an hour after midnight twice a week, when the load is low.
        let mean = both.mean(MONDAY, MONDAY + 7 * 24 * HOUR);
        assert!((mean - both.weekly_mean()).abs() < 1e-3);
        assert!(
            TemporalCurve::new(&Config::default(), &Fleet::new(&Config::default(), 1)).is_none(),
            "without patterns there is no curve"
        );
    }
}
