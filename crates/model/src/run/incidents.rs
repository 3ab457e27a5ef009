//! The ground truth of a run: its incidents.

use std::collections::HashMap;

use crate::fleet::Share;
use crate::manifest::Manifest;
use crate::record::IncidentRecord;
use crate::simulation::incidents::IncidentKind;
use crate::stream::{Step, Stream};

/// One incident on one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its id, as in the topic `incidents`.
    pub id: String,
    /// The machine that it happens to.
    pub machine_id: String,
    /// Its kind, as in the topic `incidents`.
    pub kind: String,
    /// Whether it is an anomaly, which telemetry is labelled by.
    pub is_anomaly: bool,
    /// The incident on another machine that caused it.
    pub cause: Option<String>,
    /// When it begins, in milliseconds since the epoch.
    pub start_ms: i64,
    /// When it ends, in milliseconds since the epoch; `None` if it outlasts the run.
    pub end_ms: Option<i64>,
    /// How strong it is, in the unit of its kind.
    pub magnitude: f64,
}

/// All incidents of the shard of `manifest`, in the order in which they begin.
pub(super) fn of(manifest: &Manifest) -> Vec<Incident> {
    let shard = (manifest.shard.index(), manifest.shard.count());
    let mut stream = Stream::of_incidents(manifest, Share { shard, thread: (0, 1) });
    let mut found: Vec<Incident> = Vec::new();
    let mut open: HashMap<String, usize> = HashMap::new();
    let mut note = |kind: IncidentKind, record: &IncidentRecord<&str>| {
        let Some(end_ms) = record.end_time else {
            open.insert(record.incident_id.to_owned(), found.len());
            return found.push(begun(kind, record));
        };
        let begun = open.remove(record.incident_id);
        if let Some(incident) = begun.and_then(|place| found.get_mut(place)) {
            incident.end_ms = Some(end_ms);
        }
    };
    while let Some(step) = stream.next() {
        if let Step::Slot(slot) = step {
            while stream.next_incident(slot.at, &mut note).is_some() {}
        }
    }
    found
}

fn begun(kind: IncidentKind, record: &IncidentRecord<&str>) -> Incident {
    Incident {
        id: record.incident_id.to_owned(),
        machine_id: record.machine_id.to_owned(),
        kind: record.kind.to_owned(),
        is_anomaly: kind.is_anomaly(),
        cause: record.cause.map(str::to_owned),
        start_ms: record.start_time,
        end_ms: None,
        magnitude: record.magnitude,
    }
}
