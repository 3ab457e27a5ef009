//! State changes that wait while slots are dropped, so that no story of a job, a machine or an incident
//! lacks a part.

use std::collections::HashSet;

use fleetstorm_model::simulation::events::Event;
use fleetstorm_model::stream::Stream;

/// How many event slots of each machine were dropped while a state change waited, and not made up for
/// since.
#[derive(Debug, Default)]
pub struct DeferredChanges {
    /// By the machine's place; empty if nothing was dropped.
    owed: Vec<u64>,
}

impl DeferredChanges {
    /// Notes that an event slot of this machine was dropped, and its state change waits.
    pub fn wait(&mut self, at: usize) {
        if self.owed.len() <= at {
            self.owed.resize(at + 1, 0);
        }
        self.owed[at] += 1;
    }

    /// Notes that nothing waits on this machine any more.
    #[inline]
    pub fn caught_up(&mut self, at: usize) {
        if let Some(owed) = self.owed.get_mut(at) {
            *owed = 0;
        }
    }

    /// How many stories lack a part: a change still waits that would have been sent if no slot had been
    /// dropped.
    pub fn count_incomplete(&self, stream: &Stream) -> u64 {
        let of_machine = |(at, &owed): (usize, &u64)| {
            let waiting =
                stream.queued_events(at).take(usize::try_from(owed).unwrap_or(usize::MAX));
            waiting.map(story).collect::<HashSet<_>>().len() as u64
        };
        self.owed.iter().enumerate().map(of_machine).sum()
    }
}

/// The story that a state change belongs to: its kind, and its number.
fn story(event: &Event) -> (u8, u32) {
    match event {
        Event::Status { .. } => (0, 0),
        Event::Job(change) => (1, change.number),
        Event::Incident(change) => (2, change.number),
    }
}
