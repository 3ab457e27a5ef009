//! Single machines: those with the most incidents, over as much time as can be read.

use std::time::Duration;

use chrono::DateTime;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Record;
use fleetstorm_model::stream::Step;

use crate::exit::ProgramError;
use crate::pacing::StopFlag;

use super::incidents::Incident;
use super::series::{Columns, Line, Sums};
use super::walk::{is_up, walk};

/// The cpu of a few machines over a part of the run.
#[derive(Debug)]
pub struct Detail {
    /// The columns of all lines: those of the run, or finer ones of a part of it.
    pub columns: Columns,
    /// The machines, by number.
    pub machines: Vec<MachineLine>,
}

/// The cpu of one machine.
#[derive(Debug)]
pub struct MachineLine {
    /// Its place in a round.
    pub machine: usize,
    /// Its name and mean cpu.
    pub line: Line,
}

/// Most machines that are shown.
const SHOWN: usize = 6;
/// With more incidents of a machine than this, a line can't be read.
const LEGIBLE: u64 = 30;
/// The fewest readings that are shown where the run has as many.
const FEWEST: u64 = 60;

impl Detail {
    /// The machines with the most `incidents` in the run that `manifest` describes. Where a machine has
    /// too many to be read, a part of the run is shown. It begins a little before `focus_ms`.
    ///
    /// # Errors
    /// None of its own: those of the walk.
    pub fn of(
        manifest: &Manifest,
        whole: &Columns,
        names: &[&str],
        incidents: &[Incident],
        focus_ms: Option<i64>,
        stop: &StopFlag,
    ) -> Result<Detail, ProgramError> {
        let (chosen, most) = chosen(names, incidents);
        let interval = manifest.interval.duration();
        let (first, readings) = window(whole, interval, most, focus_ms);
        let columns = whole.part(interval, first, readings);
        let mut sums = vec![Sums::new(&columns); chosen.len()];
        walk(manifest, first + readings, stop, |step, keyed| {
            let (Step::Slot(slot), Some(keyed)) = (step, keyed) else { return Ok(()) };
            let Record::Telemetry(telemetry) = keyed.record else { return Ok(()) };
            let Some(round) = slot.round.checked_sub(first) else { return Ok(()) };
            if let Some(at) = chosen.iter().position(|&at| at == slot.at)
                && is_up(telemetry)
            {
                sums[at].add(columns.of_round(round), telemetry.cpu_percent);
            }
            Ok(())
        })?;
        let lines = chosen.into_iter().zip(sums).map(|(machine, sums)| MachineLine {
            machine,
            line: Line { name: names[machine].to_owned(), unit: "%", values: sums.means() },
        });
        Ok(Detail { columns, machines: lines.collect() })
    }

    /// The time that is shown; `None` if it is the `whole` run.
    pub fn part(&self, whole: &Columns) -> Option<String> {
        let (start, end) = self.columns.span_ms();
        let is_part = self.columns.readings < whole.readings;
        is_part.then(|| format!("from {} to {}", hour(start), hour(end)))
    }
}

/// The day and the hour.
fn hour(ms: f64) -> String {
    let instant = DateTime::from_timestamp_millis(ms as i64).unwrap_or_default();
    instant.format("%-d %b %H:%M").to_string()
}

/// The first reading that is shown, and the number of readings.
fn window(whole: &Columns, interval: Duration, most: u64, focus_ms: Option<i64>) -> (u64, u64) {
    if most <= LEGIBLE * 2 {
        return (0, whole.readings);
    }
    let fitting = (u128::from(whole.readings) * u128::from(LEGIBLE) / u128::from(most)) as u64;
    let readings = fitting.max(FEWEST).min(whole.readings);
    let since_ms = focus_ms.map_or(0.0, |ms| (ms - whole.start_ms) as f64);
    let focus = (since_ms / (interval.as_secs_f64() * 1000.0)).max(0.0) as u64;
    (focus.saturating_sub(readings / 3).min(whole.readings - readings), readings)
}

/// The machines with incidents of the most kinds, then with the most incidents, then by name; and the
/// most incidents that one of them had.
fn chosen(names: &[&str], incidents: &[Incident]) -> (Vec<usize>, u64) {
    let mut had = vec![(0u32, 0u64); names.len()];
    for incident in incidents {
        if let Some((kinds, count)) = had.get_mut(incident.machine) {
            *kinds |= 1 << incident.kind as u32;
            *count += 1;
        }
    }
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|&at| {
        let (kinds, count) = had[at];
        (std::cmp::Reverse((kinds.count_ones(), count)), names[at])
    });
    order.truncate(SHOWN);
    order.sort_unstable_by_key(|&at| names[at]);
    let most = order.iter().map(|&at| had[at].1).max().unwrap_or(0);
    (order, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleetstorm_model::simulation::incidents::IncidentKind;

    #[test]
    fn machines_with_most_kinds_come_before_those_with_most_incidents() {
        let names = ["g", "f", "e", "d", "c", "b", "a"];
        let incident =
            |(machine, kind)| Incident { machine, kind, start_ms: 0, end_ms: None, cause: None };
        let incidents = [
            (0, IncidentKind::CpuSpike),
            (0, IncidentKind::CpuSpike),
            (0, IncidentKind::CpuSpike),
            (1, IncidentKind::CpuSpike),
            (1, IncidentKind::Failure),
        ];
        let (order, most) = chosen(&names, &incidents.map(incident));
        // Of those without incidents, the first by name.
        assert_eq!((order, most), (vec![6, 5, 4, 3, 1, 0], 3));
        assert_eq!(chosen(&[], &[]), (Vec::new(), 0));
    }

    #[test]
    fn incidents_that_are_too_many_are_shown_for_a_part_of_the_run() {
        let minute = Duration::from_secs(60);
        let whole = Columns::new(0, minute, 2880);
        assert_eq!(window(&whole, minute, 10, None), (0, 2880));
        assert_eq!(window(&whole, minute, 600, None), (0, 144));
        assert_eq!(window(&whole, minute, 600, Some(1000 * 60_000)), (952, 144));
        assert_eq!(window(&whole, minute, 60_000, Some(2879 * 60_000)), (2820, 60));
    }
}
