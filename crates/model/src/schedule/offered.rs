//! The load that a fleet offers by its own temporal curve: the course of `--peak-rate`.

use super::course::{After, Course, Line};
use super::{Grid, Time};
use crate::config::units::Rate;
use crate::simulation::temporal_curve::TemporalCurve;

/// Between two looks at the curve, in milliseconds: in five minutes a cosine of a day bends by less
/// than a ten-thousandth.
const STEP_MS: i64 = 300_000;
/// The looks of 52 weeks, after which the course begins again on the same day of the week.
const STEPS: i64 = 52 * 7 * 86_400_000 / STEP_MS;

/// The course of the rate `peak` times the factor of `curve`, from `start_ms` (milliseconds since
/// the epoch) on.
///
/// In live time the rate follows the clock. In simulated time it follows the timestamps, so that the
/// clock of `grid` runs fast at the peak and slowly at night.
pub fn course(
    peak: Rate,
    curve: &mut TemporalCurve,
    start_ms: i64,
    time: Time,
    grid: Grid,
) -> Course {
    let mut rate =
        |step: i64| peak.per_second() * curve.fleet_factor(start_ms.saturating_add(step * STEP_MS));
    let step_s = STEP_MS as f64 / 1000.0;
    let records = grid.natural_rate() * step_s;
    let mut from = rate(0);
    let lines = (1..=STEPS).map(|step| {
        let to = rate(step);
        let length = match time {
            Time::Live => step_s,
            // A line whose area is the records of a step.
            Time::Simulated => 2.0 * records / (from + to),
        };
        let line: Line = (length, from, to);
        from = to;
        line
    });
    Course::new(lines.collect::<Vec<_>>(), After::Repeat)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::fleet::Fleet;

    /// 2026-11-23, a Monday, at midnight UTC.
    const MONDAY: i64 = 1_795_392_000_000;

    fn offered(time: Time, machines: u32) -> Course {
        let mut config = Config { regions: vec!["UTC".into()], ..Config::default() };
        config.temporal_patterns.enable_diurnal = true;
        let mut curve = TemporalCurve::new(&config, &Fleet::new(&config, 1)).unwrap();
        let grid = Grid { machines, slots: 3, interval: Duration::from_secs(1) };
        course("1000".parse().unwrap(), &mut curve, MONDAY, time, grid)
    }

    #[test]
    fn a_live_day_has_the_mean_of_the_curve() {
        let course = offered(Time::Live, 100);
        // The mean of 0.3 + 0.7 (1 + cos) / 2 is 0.65.
        let day = course.integral(86_400.0);
        assert!((day / (1000.0 * 86_400.0) - 0.65).abs() < 1e-4, "{day}");
        assert!((course.peak() - 1000.0).abs() < 0.1 && (course.trough() - 300.0).abs() < 0.1);
        let year_and_a_day = course.integral(365.0 * 86_400.0) - course.integral(364.0 * 86_400.0);
        assert!((year_and_a_day / day - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_simulated_day_has_its_readings_and_takes_as_long_as_the_curve_makes_it() {
        let course = offered(Time::Simulated, 10);
        let readings = 30.0 * 86_400.0;
        // The integral of 1 / (a + b cos) over a turn is 2 pi / sqrt(a^2 - b^2).
        let exact = readings / 1000.0 / (0.65f64 * 0.65 - 0.35 * 0.35).sqrt();
        let took = course.instant(readings);
        assert!((took / exact - 1.0).abs() < 1e-3, "{took} and {exact}");
    }
}
