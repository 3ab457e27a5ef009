//! Jobs that failed within a time of their machine's status `down`: an interval join.

use fleetstorm_model::record::Record;
use fleetstorm_model::stream::KeyedRecord;

use super::keys::MachineIndex;
use crate::answer::{Bracket, Certainty, Row, Value, Why};

/// Joins failed jobs with outages.
#[derive(Debug)]
pub struct Outages {
    within_ms: i64,
    /// Whether a record may be late, so that a pair may be missing.
    maybe_late: bool,
    machines: Vec<Machine>,
    rows: Vec<Row>,
    records: u64,
}

/// What of a machine may still find its other half.
#[derive(Debug, Clone, Default)]
struct Machine {
    downs: Vec<i64>,
    failed: Vec<Failed>,
}

#[derive(Debug, Clone)]
struct Failed {
    at_ms: i64,
    job_id: String,
    job_type: String,
}

impl Outages {
    /// No pairs yet.
    pub fn new(within_ms: i64, maybe_late: bool) -> Outages {
        Outages { within_ms, maybe_late, machines: Vec::new(), rows: Vec::new(), records: 0 }
    }

    /// A record arrives. Those of a machine come in the order of their timestamps.
    pub fn take(&mut self, place: MachineIndex, keyed: &KeyedRecord<'_>) {
        self.records += 1;
        let at_ms = keyed.timestamp_ms;
        let (within_ms, maybe_late) = (self.within_ms, self.maybe_late);
        match keyed.record {
            Record::Status(status) if status.status == "down" => {
                let machine = self.machine(place, at_ms);
                machine.downs.push(at_ms);
                let pair = |failed: &Failed| pair(status.machine_id, failed, at_ms, maybe_late);
                let near = machine.failed.iter().filter(|f| at_ms - f.at_ms <= within_ms);
                let rows: Vec<Row> = near.map(pair).collect();
                self.rows.extend(rows);
            }
            Record::Job(job) if job.status == "failed" => {
                let machine = self.machine(place, at_ms);
                let failed = Failed {
                    at_ms,
                    job_id: job.job_id.to_owned(),
                    job_type: job.job_type.to_owned(),
                };
                let near = machine.downs.iter().filter(|&&down| at_ms - down <= within_ms);
                let rows: Vec<Row> =
                    near.map(|&down| pair(job.machine_id, &failed, down, maybe_late)).collect();
                machine.failed.push(failed);
                self.rows.extend(rows);
            }
            _ => {}
        }
    }

    /// The pairs, and how many records there were.
    pub fn finish(self) -> (Vec<Row>, u64) {
        let mut rows = self.rows;
        rows.sort_by(Row::order);
        (rows, self.records)
    }

    /// What of the machine is not too old for an event at this instant.
    fn machine(&mut self, place: MachineIndex, at_ms: i64) -> &mut Machine {
        if self.machines.len() <= place {
            self.machines.resize(place + 1, Machine::default());
        }
        let within_ms = self.within_ms;
        let machine = &mut self.machines[place];
        machine.downs.retain(|down| at_ms - down <= within_ms);
        machine.failed.retain(|failed| at_ms - failed.at_ms <= within_ms);
        machine
    }
}

fn pair(machine_id: &str, failed: &Failed, down_ms: i64, maybe_late: bool) -> Row {
    let text = |text: &str| Value::Text(text.to_owned());
    let values = vec![text(machine_id), text(&failed.job_type), Value::Long(failed.at_ms)];
    let certainty = if maybe_late {
        Certainty::Bracketed(Box::new(Bracket {
            least: values.clone(),
            most: values.clone(),
            may_be_missing: true,
            pending: false,
            why: Why::MaybeLate(1),
        }))
    } else {
        Certainty::Exact
    };
    Row { window: None, keys: vec![text(&failed.job_id), Value::Long(down_ms)], values, certainty }
}
