//! State changes that wait for an event slot: one queue per machine, in the order in which they
//! happened.

use slab::Slab;

use super::incidents::IncidentChange;
use super::jobs::JobChange;
use super::status::Health;

/// A state change, which an event slot of its machine carries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    /// The machine's health changed.
    Status {
        /// The health it has now.
        health: Health,
        /// Its last heartbeat, in milliseconds since the epoch.
        last_heartbeat: i64,
    },
    /// A job of the machine changed its state.
    Job(JobChange),
    /// An incident of the machine began or ended.
    Incident(IncidentChange),
}

/// The end of a list in a slab.
const NONE: u32 = u32::MAX;

/// The two ends of one machine's queue; empty by default.
#[derive(Debug, Clone, Copy)]
pub struct EventQueue {
    head: u32,
    tail: u32,
}

/// The queued events of all machines of a share, in one arena. Most queues are empty at any time, and an
/// empty queue costs eight bytes.
#[derive(Debug, Default)]
pub struct EventArena(Slab<(Event, u32)>);

impl Default for EventQueue {
    fn default() -> EventQueue {
        EventQueue { head: NONE, tail: NONE }
    }
}

impl EventQueue {
    /// Whether nothing is queued.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head == NONE
    }
}

impl EventArena {
    /// Appends `event` to `queue`.
    pub fn push(&mut self, queue: &mut EventQueue, event: Event) {
        let key = self.0.insert((event, NONE)) as u32;
        match self.0.get_mut(queue.tail as usize) {
            Some(last) => last.1 = key,
            None => queue.head = key,
        }
        queue.tail = key;
    }

    /// Puts `event` back at the front of `queue`, from which it was taken.
    pub fn put_back(&mut self, queue: &mut EventQueue, event: Event) {
        let key = self.0.insert((event, queue.head)) as u32;
        queue.head = key;
        if queue.tail == NONE {
            queue.tail = key;
        }
    }

    /// The events of `queue`, the oldest first.
    pub fn queued(&self, queue: &EventQueue) -> impl Iterator<Item = &Event> {
        let mut next = queue.head;
        std::iter::from_fn(move || {
            let (event, after) = self.0.get(next as usize)?;
            next = *after;
            Some(event)
        })
    }

    /// Takes the oldest event of `queue`, if any.
    #[inline]
    pub fn pop(&mut self, queue: &mut EventQueue) -> Option<Event> {
        let (event, next) = self.0.try_remove(queue.head as usize)?;
        queue.head = next;
        if next == NONE {
            queue.tail = NONE;
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_keep_their_own_order_in_a_shared_arena() {
        let event = |n| Event::Status { health: Health::Healthy, last_heartbeat: n };
        let mut arena = EventArena::default();
        let (mut a, mut b) = (EventQueue::default(), EventQueue::default());
        for n in 0..100 {
            arena.push(&mut a, event(n));
            arena.push(&mut b, event(1000 + n));
            if n % 3 == 0 {
                assert_eq!(arena.pop(&mut a), Some(event(n / 3)));
            }
        }
        for n in 34..100 {
            assert_eq!(arena.pop(&mut a), Some(event(n)));
        }
        assert!(a.is_empty() && arena.pop(&mut a).is_none());
        let first = arena.pop(&mut b).expect("a hundred are queued");
        arena.put_back(&mut b, first);
        assert!((0..100).map(|n| event(1000 + n)).eq(arena.queued(&b).copied()));
        arena.put_back(&mut a, event(7));
        arena.push(&mut a, event(8));
        assert_eq!([arena.pop(&mut a), arena.pop(&mut a)], [Some(event(7)), Some(event(8))]);
        assert!((0..100).all(|n| arena.pop(&mut b) == Some(event(1000 + n))));
        assert!(arena.0.is_empty());
    }
}
