//! Axes: round steps of time and of values, and their labels.

use chrono::{DateTime, Timelike};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Steps of a time axis, in milliseconds.
const STEPS: [i64; 24] = [
    1000,
    2000,
    5000,
    10_000,
    15_000,
    30_000,
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    15 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
    2 * DAY_MS,
    7 * DAY_MS,
    14 * DAY_MS,
    28 * DAY_MS,
    91 * DAY_MS,
    364 * DAY_MS,
];

/// A mark on a time axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its instant, in milliseconds since the epoch.
    pub ms: i64,
    /// The hour, or the date at midnight.
    pub label: String,
}

/// Marks at round instants from `start_ms` to `end_ms`, `most` of them at most. Labels are in UTC.
pub fn times(start_ms: f64, end_ms: f64, most: usize) -> Vec<Mark> {
    let (start, end) = (start_ms as i64, end_ms as i64);
    let wanted = (end - start).max(1) / most.max(1) as i64;
    let round = STEPS.into_iter().find(|&step| step >= wanted);
    let step = round.unwrap_or_else(|| (wanted / (364 * DAY_MS) + 1) * 364 * DAY_MS);
    let first = start.div_euclid(step) * step;
    (0..=most as i64 + 2)
        .map(|i| first + i * step)
        .filter(|ms| (start..=end).contains(ms))
        .take(most.max(1))
        .map(|ms| Mark { ms, label: label(ms, step, end - start) })
        .collect()
}

fn label(ms: i64, step: i64, length: i64) -> String {
    let Some(instant) = DateTime::from_timestamp_millis(ms) else { return String::new() };
    let is_midnight = instant.num_seconds_from_midnight() == 0;
    let format = match step {
        _ if length > 370 * DAY_MS => "%b %Y",
        _ if step >= DAY_MS || is_midnight => "%-d %b",
        _ if step < MINUTE_MS => "%H:%M:%S",
        _ => "%H:%M",
    };
    instant.format(format).to_string()
}

/// The axis for values from `least` to `most`: its lower end, its upper end and the step of its marks.
/// All are round numbers, and there are about `count` marks.
pub fn values(least: f64, most: f64, count: usize) -> (f64, f64, f64) {
    let most = if most > least { most } else { least + 1.0 };
    let rough = (most - least) / count.max(1) as f64;
    let ten = 10f64.powi(rough.log10().floor() as i32);
    let step = [1.0, 2.0, 5.0].map(|m| m * ten).into_iter().find(|&s| s >= rough);
    let step = step.unwrap_or(10.0 * ten);
    ((least / step).floor() * step, (most / step).ceil() * step, step)
}

/// A value in few digits.
pub fn number(value: f64) -> String {
    let text = match value.abs() {
        v if v >= 99_500.0 => return format!("{:.0}k", value / 1000.0),
        v if v >= 20.0 => format!("{value:.0}"),
        v if v >= 2.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A length of time, such as "4 m" or "1 h 20 m".
pub fn length(ms: i64) -> String {
    let seconds = ms / 1000;
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")];
    let words: Vec<String> = parts
        .into_iter()
        .skip_while(|&(count, _)| count == 0)
        .take(2)
        .filter(|&(count, _)| count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    if words.is_empty() { "0 s".to_owned() } else { words.join(" ") }
}

/// Text without control characters, which could harm a terminal or a picture, cut to `most` characters.
pub fn plain(text: &str, most: usize) -> String {
    let is_plain = |c: &char| !c.is_control() && !matches!(*c, '\u{fffe}' | '\u{ffff}');
    let mut plain: String = text.chars().filter(is_plain).collect();
    if plain.chars().count() > most {
        plain = plain.chars().take(most.saturating_sub(1)).collect();
        plain.push('…');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_few_and_inside() {
        let start = 1_767_225_600_000.0 + 1_234_000.0;
        for minutes in [1.0, 7.0, 90.0, 2880.0, 129_600.0, 5_000_000.0, 50_000_000.0] {
            let end = start + minutes * 60_000.0;
            for most in [3, 8, 12] {
                let marks = times(start, end, most);
                assert!(!marks.is_empty() && marks.len() <= most, "{minutes}: {marks:?}");
                assert!(marks.iter().all(|m| (start..=end).contains(&(m.ms as f64))));
            }
        }
        let day = times(1_767_225_600_000.0, 1_767_312_000_000.0, 4);
        let labels: Vec<&str> = day.iter().map(|mark| mark.label.as_str()).collect();
        assert_eq!(labels, ["1 Jan", "06:00", "12:00", "18:00"]);
    }

    #[test]
    fn ranges_hold_their_values() {
        assert_eq!(values(0.0, 87.0, 4), (0.0, 100.0, 50.0));
        assert_eq!(values(18.2, 31.0, 4), (15.0, 35.0, 5.0));
        for (least, most) in [(0.0, 0.0), (0.0, 0.013), (3.0, 3.0), (999.0, 123_456.0)] {
            let (low, high, step) = values(least, most, 4);
            assert!(low <= least && high >= most && high > low && step > 0.0);
        }
    }

    #[test]
    fn numbers_and_times_are_short() {
        assert_eq!(
            [0.0, 1.5, 19.96, 20.4, 1234.5, 250_000.0].map(number),
            ["0", "1.5", "20", "20", "1234", "250k"]
        );
        assert_eq!(
            [0, 240_000, 4_800_000, 86_400_000].map(length),
            ["0 s", "4 m", "1 h 20 m", "1 d"]
        );
    }

    #[test]
    fn text_is_made_harmless() {
        assert_eq!(plain("zone\u{1b}[31m-a\n", 20), "zone[31m-a");
        assert_eq!(plain("abcdefgh", 5), "abcd…");
    }
}
