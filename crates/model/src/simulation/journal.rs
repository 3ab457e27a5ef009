//! The journal of a machine at one reading: what happens to it is written here, in order, and goes
//! to the queue of its event slots as far as anybody asked for it.

use super::events::{Event, EventQueue, Events};
use super::incidents::{IncidentChange, IncidentKind, IncidentRef, OpenIncident};
use super::jobs::JobChange;
use super::status::Health;

/// Which state changes anybody asked for. Others happen all the same, unreported.
#[derive(Debug, Clone, Copy)]
pub struct Reported {
    /// Changes of a machine's status.
    pub status: bool,
    /// Changes of a job's state.
    pub jobs: bool,
    /// Beginnings and ends of incidents.
    pub incidents: bool,
}

/// Where state changes of one machine at one reading are written.
#[derive(Debug)]
pub struct Journal<'a> {
    /// The instant of the reading, in milliseconds since the epoch.
    pub timestamp: i64,
    /// Which changes anybody asked for.
    pub reported: Reported,
    /// The events of all machines.
    pub events: &'a mut Events,
    /// Those of this machine that wait.
    pub queue: &'a mut EventQueue,
    /// How many incidents the machine has had; not counted where it can have none.
    pub incidents: &'a mut u32,
}

impl Journal<'_> {
    /// The machine's health changed; it was last heard of at `last_heartbeat`.
    pub fn status(&mut self, health: Health, last_heartbeat: i64) {
        if self.reported.status {
            self.events.push(self.queue, Event::Status { health, last_heartbeat });
        }
    }

    /// A job of the machine changed its state.
    pub fn job(&mut self, change: JobChange) {
        if self.reported.jobs {
            self.events.push(self.queue, Event::Job(change));
        }
    }

    /// An incident begins.
    pub fn begin(
        &mut self,
        kind: IncidentKind,
        cause: Option<IncidentRef>,
        magnitude: f64,
    ) -> OpenIncident {
        let number = *self.incidents;
        *self.incidents = number.wrapping_add(1);
        let change = IncidentChange {
            number,
            kind,
            cause,
            start_time: self.timestamp,
            end_time: None,
            magnitude: magnitude as f32,
        };
        self.incident(change);
        OpenIncident::new(change)
    }

    /// An incident ends.
    pub fn end(&mut self, incident: OpenIncident) {
        self.incident(incident.end(self.timestamp));
    }

    fn incident(&mut self, change: IncidentChange) {
        if self.reported.incidents {
            self.events.push(self.queue, Event::Incident(change));
        }
    }
}
