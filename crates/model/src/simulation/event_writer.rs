//! Writes the state changes of a machine at one reading to the queue of its event slots.

use super::events::{Event, EventArena, EventQueue};
use super::incidents::{IncidentChange, IncidentKind, IncidentRef, OpenIncident};
use super::jobs::JobChange;
use super::status::Health;

/// Which state changes are queued. The others happen all the same.
#[derive(Debug, Clone, Copy)]
pub struct EventFilter {
    /// Changes of a machine's status.
    pub status: bool,
    /// Changes of a job's state.
    pub jobs: bool,
    /// Beginnings and ends of incidents.
    pub incidents: bool,
}

/// Writes the state changes of one machine at one reading, in the order in which they happen.
#[derive(Debug)]
pub struct EventWriter<'a> {
    /// The instant of the reading, in milliseconds since the epoch.
    pub timestamp: i64,
    /// Which changes are queued.
    pub filter: EventFilter,
    /// The events of all machines.
    pub arena: &'a mut EventArena,
    /// The queue of this machine.
    pub queue: &'a mut EventQueue,
    /// How many incidents the machine has had; not counted where it can have none.
    pub incident_count: &'a mut u32,
}

impl EventWriter<'_> {
    /// The machine's health changed; `last_heartbeat` is its last, in milliseconds since the epoch.
    pub fn status_changed(&mut self, health: Health, last_heartbeat: i64) {
        if self.filter.status {
            self.arena.push(self.queue, Event::Status { health, last_heartbeat });
        }
    }

    /// A job of the machine changed its state.
    pub fn job_changed(&mut self, change: JobChange) {
        if self.filter.jobs {
            self.arena.push(self.queue, Event::Job(change));
        }
    }

    /// Begins an incident.
    pub fn begin_incident(
        &mut self,
        kind: IncidentKind,
        cause: Option<IncidentRef>,
        magnitude: f64,
    ) -> OpenIncident {
        let number = *self.incident_count;
        *self.incident_count = number.wrapping_add(1);
        let change = IncidentChange {
            number,
            kind,
            cause,
            start_time: self.timestamp,
            end_time: None,
            magnitude: magnitude as f32,
        };
        self.incident_changed(change);
        OpenIncident::new(change)
    }

    /// Ends an incident.
    pub fn end_incident(&mut self, incident: OpenIncident) {
        self.incident_changed(incident.end(self.timestamp));
    }

    fn incident_changed(&mut self, change: IncidentChange) {
        if self.filter.incidents {
            self.arena.push(self.queue, Event::Incident(change));
        }
    }
}
