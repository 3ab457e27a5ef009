//! The incidents of a run, from the records of topic `incidents`.

use std::collections::HashMap;

use fleetstorm_model::record::IncidentRecord;
use fleetstorm_model::simulation::incidents::IncidentKind;

use super::series::Columns;

/// One incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its machine's place in a round.
    pub machine: usize,
    /// Its kind.
    pub kind: IncidentKind,
    /// When it began, in milliseconds since the epoch.
    pub start_ms: i64,
    /// When it ended, in milliseconds since the epoch; `None` if it is open at the end of the run.
    pub end_ms: Option<i64>,
    /// The index of the incident that caused it.
    pub cause: Option<usize>,
}

/// The incidents so far.
#[derive(Debug, Default)]
pub struct Gathered {
    incidents: Vec<Incident>,
    places: HashMap<String, usize>,
    causes: Vec<(usize, String)>,
}

impl Incident {
    /// Whether the machine is down during it.
    pub fn is_failure(&self) -> bool {
        matches!(self.kind, IncidentKind::Failure | IncidentKind::Cascade)
    }
}

impl Gathered {
    /// Takes a record: an incident of `machine` begins or ends.
    pub fn take(&mut self, machine: usize, record: &IncidentRecord<&str>) {
        if let Some(&place) = self.places.get(record.incident_id) {
            self.incidents[place].end_ms = record.end_time;
            return;
        }
        let Some(kind) = IncidentKind::ALL.into_iter().find(|kind| kind.as_str() == record.kind)
        else {
            return;
        };
        let place = self.incidents.len();
        self.places.insert(record.incident_id.to_owned(), place);
        // The record of a cause may come after that of its effect, where its machine has many records.
        self.causes.extend(record.cause.map(|cause| (place, cause.to_owned())));
        self.incidents.push(Incident {
            machine,
            kind,
            start_ms: record.start_time,
            end_ms: record.end_time,
            cause: None,
        });
    }

    /// All incidents, with their causes.
    pub fn finish(self) -> Vec<Incident> {
        let Gathered { mut incidents, places, causes } = self;
        for (place, cause) in causes {
            incidents[place].cause = places.get(&cause).copied();
        }
        incidents
    }
}

/// How many incidents of each kind there are. Kinds without incidents are left out.
pub fn counts(incidents: &[Incident]) -> Vec<(IncidentKind, usize)> {
    let count = |kind| incidents.iter().filter(|incident| incident.kind == kind).count();
    IncidentKind::ALL
        .into_iter()
        .map(|kind| (kind, count(kind)))
        .filter(|&(_, count)| count > 0)
        .collect()
}

/// The mean number of machines with an open incident of `kind`, by column.
pub fn open(incidents: &[Incident], kind: IncidentKind, columns: &Columns) -> Vec<Option<f64>> {
    let mut sums = vec![0.0; columns.count];
    let (first, last) = columns.span_ms();
    for incident in incidents.iter().filter(|incident| incident.kind == kind) {
        let start = (incident.start_ms as f64).max(first);
        let end = incident.end_ms.map_or(last, |ms| (ms as f64).min(last));
        let Some(from) = columns.of_time(start as i64) else { continue };
        for (column, sum) in sums.iter_mut().enumerate().skip(from) {
            let (left, right) = (columns.edge_ms(column), columns.edge_ms(column + 1));
            if left >= end {
                break;
            }
            *sum += (end.min(right) - start.max(left)).max(0.0) / (right - left);
        }
    }
    sums.into_iter().map(Some).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn record<'a>(
        id: &'a str,
        cause: Option<&'a str>,
        end_time: Option<i64>,
    ) -> IncidentRecord<&'a str> {
        let kind = if cause.is_some() { "cascade" } else { "failure" };
        let (machine_id, start_time) = ("machine-000000", 500);
        IncidentRecord {
            incident_id: id,
            machine_id,
            kind,
            cause,
            start_time,
            end_time,
            magnitude: 1.0,
        }
    }

    #[test]
    fn beginnings_and_ends_are_joined_and_causes_found() {
        let mut gathered = Gathered::default();
        gathered.take(1, &record("b", Some("a"), None));
        gathered.take(0, &record("a", None, None));
        gathered.take(0, &record("a", None, Some(2500)));
        let incidents = gathered.finish();
        assert_eq!(incidents.len(), 2);
        assert_eq!((incidents[0].cause, incidents[0].end_ms), (Some(1), None));
        assert_eq!((incidents[1].cause, incidents[1].end_ms), (None, Some(2500)));
        assert_eq!(counts(&incidents), [(IncidentKind::Failure, 1), (IncidentKind::Cascade, 1)]);
        let columns = Columns::new(0, Duration::from_secs(1), 4);
        let machines = |kind| open(&incidents, kind, &columns).into_iter().flatten();
        assert!(machines(IncidentKind::Failure).eq([0.5, 1.0, 0.5, 0.0]));
        assert!(machines(IncidentKind::Cascade).eq([0.5, 1.0, 1.0, 1.0]));
    }
}
