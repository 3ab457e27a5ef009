//! Figures of a score as text.

use fleetstorm_answers::score::Figure;

use crate::chart::axis;

/// A proportion; a dash where there is none.
pub fn percent(value: Option<f64>) -> String {
    match value.map(|value| 100.0 * value) {
        None => "-".to_owned(),
        Some(percent) if percent != 0.0 && percent < 1.0 => format!("{percent:.2} %"),
        Some(percent) => format!("{percent:.1} %"),
    }
}

/// The interval of a proportion.
pub fn interval(figure: &Figure) -> String {
    figure.interval.filter(|_| figure.value.is_some()).map_or("-".to_owned(), |(low, high)| {
        format!("{:.1} to {:.1} %", 100.0 * low, 100.0 * high)
    })
}

/// A time.
pub fn length(ms: Option<f64>) -> String {
    match ms {
        None => "-".to_owned(),
        Some(ms) if ms.abs() < 120_000.0 => format!("{:.1} s", ms / 1000.0),
        Some(ms) => axis::length(ms as i64),
    }
}

/// A number of no unit.
pub fn number(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value.abs() < 1.0 => format!("{value:.3}"),
        Some(value) if value.abs() < 10.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.1}"),
    }
}
