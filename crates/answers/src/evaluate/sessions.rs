//! Session windows: they grow and merge.

use std::collections::HashMap;

use fleetstorm_model::record::Record;

use super::arrival::Inclusion;
use super::keys::{IdHash, MachineIndex};
use super::summary::{Plan, State};

/// The sessions of all groups that records may still come for.
#[derive(Debug, Default)]
pub struct Sessions {
    by_group: HashMap<u32, Vec<Session>, IdHash>,
    /// When those that are over are looked for next.
    next_look_ms: Option<i64>,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    /// Its first event.
    pub first_ms: i64,
    /// Its last event.
    pub last_ms: i64,
    /// What is kept of it.
    pub state: State,
}

/// A session that is over, with its group.
pub type Over = (u32, Session);

impl Sessions {
    /// Merges the record with all sessions at most `gap_ms` away. `judge` decides whether it counts, from
    /// the last event of the merged session.
    #[expect(clippy::too_many_arguments)]
    pub fn add(
        &mut self,
        plan: &mut Plan,
        group: u32,
        event_ms: i64,
        gap_ms: i64,
        judge: impl Fn(i64) -> Inclusion,
        record: &Record<&str>,
        place: MachineIndex,
    ) {
        let sessions = self.by_group.entry(group).or_default();
        let joins = |s: &Session| s.first_ms - gap_ms <= event_ms && event_ms <= s.last_ms + gap_ms;
        let joined = sessions.iter().filter(|session| joins(session));
        let last_ms = joined.map(|session| session.last_ms).fold(event_ms, i64::max);
        let verdict = judge(last_ms);
        if verdict == Inclusion::Late {
            return;
        }
        let mut whole = Session { first_ms: event_ms, last_ms: event_ms, state: plan.state() };
        plan.add(&mut whole.state, record, place, verdict);
        let mut at = 0;
        while at < sessions.len() {
            if joins(&sessions[at]) {
                let other = sessions.swap_remove(at);
                whole.first_ms = whole.first_ms.min(other.first_ms);
                whole.last_ms = whole.last_ms.max(other.last_ms);
                whole.state.absorb(&other.state);
            } else {
                at += 1;
            }
        }
        sessions.push(whole);
    }

    /// Whether it is time to look for sessions that are over: once a gap.
    #[inline]
    pub fn is_time(&mut self, past_ms: i64, gap_ms: i64) -> bool {
        match self.next_look_ms {
            Some(next) if past_ms < next => false,
            _ => {
                self.next_look_ms = Some(past_ms.saturating_add(gap_ms));
                true
            }
        }
    }

    /// Takes out the sessions that no record from `past_ms` on can join.
    pub fn finish(&mut self, past_ms: i64, gap_ms: i64) -> Vec<Over> {
        let mut over = Vec::new();
        self.by_group.retain(|&group, sessions| {
            let mut at = 0;
            while at < sessions.len() {
                if sessions[at].last_ms.saturating_add(gap_ms) < past_ms {
                    over.push((group, sessions.swap_remove(at)));
                } else {
                    at += 1;
                }
            }
            !sessions.is_empty()
        });
        over
    }
}
