//! Each machine's latest status, counted by status and zone.

use std::collections::BTreeMap;

use fleetstorm_model::record::Record;
use fleetstorm_model::stream::KeyedRecord;

use super::keys::MachineIndex;
use crate::answer::{Certainty, Row, Value};

/// Counts machines by status and zone.
#[derive(Debug, Default)]
pub struct FleetStatus {
    machines: Vec<Machine>,
    counts: BTreeMap<(String, String), i64>,
    records: u64,
}

#[derive(Debug, Clone, Default)]
struct Machine {
    zone: Option<String>,
    status: Option<String>,
}

impl FleetStatus {
    /// A record arrives.
    pub fn take(&mut self, place: MachineIndex, keyed: &KeyedRecord<'_>) {
        if self.machines.len() <= place {
            self.machines.resize(place + 1, Machine::default());
        }
        match keyed.record {
            Record::Machine(machine) => {
                self.machines[place].zone.get_or_insert_with(|| machine.zone.to_owned());
            }
            Record::Status(status) => {
                self.records += 1;
                let machine = &mut self.machines[place];
                let Some(zone) = machine.zone.clone() else { return };
                if machine.status.as_deref() == Some(status.status) {
                    return;
                }
                let before = machine.status.replace(status.status.to_owned());
                if let Some(before) = before {
                    *self.counts.entry((before, zone.clone())).or_insert(0) -= 1;
                }
                *self.counts.entry((status.status.to_owned(), zone)).or_insert(0) += 1;
            }
            _ => {}
        }
    }

    /// The rows, and how many records there were.
    pub fn finish(self) -> (Vec<Row>, u64) {
        let counts = self.counts.into_iter().filter(|&(_, count)| count > 0);
        let row = |((status, zone), count)| Row {
            window: None,
            keys: vec![Value::Text(status), Value::Text(zone)],
            values: vec![Value::Long(count)],
            certainty: Certainty::Exact,
        };
        (counts.map(row).collect(), self.records)
    }
}
