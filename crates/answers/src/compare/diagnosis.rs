//! What may be behind rows that are extra while others are missing: windows of another length, moved
//! by a time zone, sessions with another gap.

use std::collections::HashMap;
use std::hash::Hash;

use super::output::{Output, OutputRow};
use crate::answer::{Answer, Row, Value};
use crate::query::{Bounds, Length, Window};

/// Time zones differ by multiples of this.
const QUARTER_HOUR_MS: i64 = 15 * 60_000;

/// What `extra` and `missing` rows have in common, a sentence each.
pub(super) fn notes(
    answer: &Answer,
    window: Window,
    output: &Output,
    extra: &[&OutputRow],
    missing: &[&Row],
) -> Vec<String> {
    let bounds: Vec<Bounds> = extra.iter().filter_map(|row| row.window).collect();
    let notes = match window {
        Window::Tumble { size_ms } | Window::Hop { size_ms, .. } => {
            [other_length(&bounds, size_ms), moved(answer, &bounds)]
        }
        Window::Cumulate { .. } => [None, moved(answer, &bounds)],
        Window::Session { .. } => [split(extra, missing), moved(answer, &bounds)],
        Window::None => [None, None],
    };
    notes.into_iter().chain([replaced(output, missing)]).flatten().collect()
}

/// Rows took each other's places, and some are missing.
fn replaced(output: &Output, missing: &[&Row]) -> Option<String> {
    let is_so = output.replaced() > 0 && !missing.is_empty();
    is_so.then(|| {
        format!(
            "{} upserts took the place of a row of another window or key, so that Kafka's keys are not those of rows: say --mode append, or --windowed-key if windows stand behind them",
            output.replaced()
        )
    })
}

/// Most extra windows have one other length.
fn other_length(extra: &[Bounds], size_ms: i64) -> Option<String> {
    let lengths = extra.iter().map(|window| window.end_ms.saturating_sub(window.start_ms));
    let length_ms = most_common(lengths.filter(|&length_ms| length_ms != size_ms), extra.len())?;
    let (found, asked) = (Length(length_ms), Length(size_ms));
    Some(format!("windows of {found} are there, and the query's are of {asked}"))
}

/// Most extra windows would be expected ones, were they moved by a time zone.
fn moved(answer: &Answer, extra: &[Bounds]) -> Option<String> {
    let expected: Vec<Bounds> = answer.rows.iter().filter_map(|row| row.window).collect();
    let is_there = |window: &Bounds, by_ms: i64| {
        let moved = Bounds {
            start_ms: window.start_ms.saturating_sub(by_ms),
            end_ms: window.end_ms.saturating_sub(by_ms),
        };
        expected.binary_search(&moved).is_ok()
    };
    let first = |windows: &[Bounds]| windows.iter().map(|window| window.start_ms).min();
    let by_ms = first(extra)?.saturating_sub(first(&expected)?);
    let fitting = extra.iter().filter(|window| is_there(window, by_ms)).count();
    if by_ms == 0 || by_ms % QUARTER_HOUR_MS != 0 || fitting * 2 <= extra.len() {
        return None;
    }
    let (hours, minutes) = (by_ms.abs() / 3_600_000, by_ms.abs() % 3_600_000 / 60_000);
    let sign = if by_ms > 0 { '+' } else { '-' };
    Some(format!(
        "windows are {sign}{hours:02}:{minutes:02} from where they should be: the job's time zone is another (if that is right, say so by --zone-offset)"
    ))
}

/// Extra sessions lie within missing ones of their keys, or missing ones within extra ones.
fn split(extra: &[&OutputRow], missing: &[&Row]) -> Option<String> {
    let mut by_keys: HashMap<String, Vec<Bounds>> = HashMap::new();
    for row in missing {
        by_keys.entry(text(&row.keys)).or_default().extend(row.window);
    }
    let holds = |outer: &Bounds, inner: &Bounds| {
        outer.start_ms <= inner.start_ms && inner.end_ms <= outer.end_ms
    };
    let any = |holds: &dyn Fn(&Bounds, &Bounds) -> bool| {
        let held = extra.iter().filter(|row| {
            let of_keys = by_keys.get(&text(&row.keys)).into_iter().flatten();
            row.window.is_some_and(|found| of_keys.clone().any(|missing| holds(missing, &found)))
        });
        held.count() * 2 > extra.len()
    };
    if any(&|missing, found| holds(missing, found)) {
        Some(
            "sessions are there in parts: the job's gap is shorter, or its ends are told otherwise"
                .to_owned(),
        )
    } else if any(&|missing, found| holds(found, missing)) {
        Some("sessions are there that hold expected ones: the job's gap is longer, or its ends are told otherwise".to_owned())
    } else {
        None
    }
}

fn text(keys: &[Value]) -> String {
    keys.iter().map(|key| format!("{key}\0")).collect()
}

/// The value that more than half of `of` have.
fn most_common<T: Copy + Eq + Hash>(values: impl Iterator<Item = T>, of: usize) -> Option<T> {
    let mut counts: HashMap<T, usize> = HashMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts.into_iter().find(|&(_, count)| count * 2 > of).map(|(value, _)| value)
}
