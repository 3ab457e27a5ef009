//! What a detector said: rows of a machine, an instant and perhaps a score.

use std::collections::HashMap;

/// A row of a detector's output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarm {
    /// Its event time, in milliseconds since the epoch.
    pub at_ms: i64,
    /// How sure the detector is; none where it doesn't say.
    pub score: Option<f64>,
    /// When the row was written, in milliseconds since the epoch; none where that isn't known.
    pub written_ms: Option<i64>,
}

/// A detector's rows, by machine.
#[derive(Debug, Default)]
pub struct Alarms {
    numbers: HashMap<Box<str>, usize>,
    machines: Vec<OfMachine>,
    rows: u64,
    /// How many rows say what another of the same machine and instant had said.
    repeated: u64,
    /// How many rows have a score.
    with_score: u64,
}

/// The rows of one machine.
#[derive(Debug)]
pub(super) struct OfMachine {
    pub(super) name: Box<str>,
    /// The machine's number in the run; none where it has no such.
    pub(super) number: Option<u32>,
    /// In the order of their instants, each instant once.
    pub(super) rows: Vec<(Alarm, Option<Label>)>,
}

/// What the reading is that a row has the instant of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// One in an anomaly, of the kinds whose bits are set.
    Anomalous(u8),
    /// One in another incident, or in an anomaly that does not show: neither an anomaly nor health.
    Apart,
    /// One of a healthy machine.
    Healthy,
}

impl Alarms {
    /// Takes a row.
    pub fn add(&mut self, machine_id: &str, alarm: Alarm) {
        self.rows += 1;
        self.with_score += u64::from(alarm.score.is_some());
        let number = match self.numbers.get(machine_id) {
            Some(&number) => number,
            None => {
                let name: Box<str> = machine_id.into();
                self.numbers.insert(name.clone(), self.machines.len());
                self.machines.push(OfMachine { name, number: None, rows: Vec::new() });
                self.machines.len() - 1
            }
        };
        self.machines[number].rows.push((alarm, None));
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many rows say what another of the same machine and instant had said.
    pub(super) fn repeated(&self) -> u64 {
        self.repeated
    }

    /// How many rows have a score.
    pub(super) fn with_score(&self) -> u64 {
        self.with_score
    }

    /// The rows of each machine.
    pub(super) fn machines(&self) -> &[OfMachine] {
        &self.machines
    }

    /// The place of a machine's rows.
    pub(super) fn find(&self, machine_id: &str) -> Option<usize> {
        self.numbers.get(machine_id).copied()
    }

    pub(super) fn machine_mut(&mut self, place: usize) -> &mut OfMachine {
        &mut self.machines[place]
    }

    /// Brings each machine's rows into the order of their instants. Of several rows of an instant the
    /// one with the highest score stays, the first that was written of those.
    pub(super) fn sort(&mut self) {
        for machine in &mut self.machines {
            let rows = &mut machine.rows;
            let before = rows.len();
            rows.sort_by_key(|(alarm, _)| (alarm.at_ms, alarm.written_ms.unwrap_or(i64::MAX)));
            rows.dedup_by(|(later, _), (kept, _)| {
                let is_same = later.at_ms == kept.at_ms;
                if is_same && later.score > kept.score {
                    (kept.score, kept.written_ms) = (later.score, later.written_ms);
                }
                is_same
            });
            self.repeated += (before - rows.len()) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_instant_are_one_alarm() {
        let mut alarms = Alarms::default();
        let row = |at_ms, score, written_ms| Alarm { at_ms, score, written_ms: Some(written_ms) };
        for (machine, alarm) in [
            ("a", row(20, Some(0.1), 900)),
            ("a", row(10, Some(0.2), 800)),
            ("b", row(10, None, 700)),
            ("a", row(10, Some(0.9), 850)),
        ] {
            alarms.add(machine, alarm);
        }
        alarms.sort();
        assert_eq!((alarms.rows(), alarms.repeated(), alarms.with_score()), (4, 1, 3));
        let of = |name: &str| &alarms.machines()[alarms.find(name).unwrap()].rows;
        assert_eq!(of("a")[..], [(row(10, Some(0.9), 850), None), (row(20, Some(0.1), 900), None)]);
        assert_eq!(of("b").len(), 1);
        assert_eq!(alarms.find("c"), None);
    }
}
