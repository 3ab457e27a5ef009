//! Groups of a topic's records by window and keys.

use std::collections::{HashMap, VecDeque};

use fleetstorm_model::record::Record;
use fleetstorm_model::stream::KeyedRecord;

use super::arrival::{Arrival, Inclusion};
use super::event_ms;
use super::keys::{Groups, IdHash, MachineIndex};
use super::rows::Rows;
use super::sessions::Sessions;
use super::summary::{Plan, State};
use crate::answer::Row;
use crate::engine::Engine;
use crate::query::{Aggregation, Bounds, Window, memory_class};
use crate::semantics::Semantics;

/// Counts the records of an aggregation.
#[derive(Debug)]
pub struct Grouped<'a> {
    asked: &'a Aggregation,
    semantics: &'a Semantics,
    /// How far behind the highest timestamp a record may still come, in milliseconds.
    horizon_ms: i64,
    plan: Plan,
    groups: Groups,
    arrival: Arrival,
    /// Windows that records may still come for, by their ends.
    open: VecDeque<Open>,
    /// Where the last record's first window is among them.
    hint: usize,
    sessions: Sessions,
    rows: Rows,
    /// By the place of a machine: what its first announcement said.
    announced: Vec<Option<Announced>>,
    /// By the place of a machine: the instants of the records that were seen, the latest last.
    seen: Vec<Vec<i64>>,
    records: u64,
}

/// A window that records may still come for.
#[derive(Debug)]
struct Open {
    bounds: Bounds,
    groups: HashMap<u32, State, IdHash>,
}

/// What is known of a machine by topic `machines`. It never changes.
#[derive(Debug, Clone, Copy)]
struct Announced {
    class: &'static str,
    at_ms: i64,
}

/// The only "window" of a question without any.
const ALWAYS: Bounds = Bounds { start_ms: i64::MIN, end_ms: i64::MAX };

impl<'a> Grouped<'a> {
    /// Nothing counted yet. The machines of parts are announced before their records.
    pub fn new(
        asked: &'a Aggregation,
        semantics: &'a Semantics,
        arrival: Arrival,
        horizon_ms: i64,
    ) -> Grouped<'a> {
        let whole_means = semantics.engine == Engine::FlinkSql;
        Grouped {
            asked,
            semantics,
            horizon_ms,
            plan: Plan::new(&asked.select, whole_means),
            groups: Groups::new(&asked.by),
            arrival,
            open: VecDeque::new(),
            hint: 0,
            sessions: Sessions::default(),
            rows: Rows::default(),
            announced: Vec::new(),
            seen: Vec::new(),
            records: 0,
        }
    }

    /// A record arrives.
    #[inline]
    pub fn take(&mut self, place: MachineIndex, keyed: &KeyedRecord<'_>) {
        if keyed.record.topic() != self.asked.from {
            self.announce(place, keyed);
            return;
        }
        self.records += 1;
        let event_ms = event_ms(keyed);
        let counts = self.asked.filter.iter().all(|condition| condition.holds(keyed.record));
        // A watermark is made of all records; stream time is that of the window's processor, behind
        // the filter.
        if counts || self.semantics.engine.is_flink() {
            self.arrival.arrive(self.semantics, keyed.partition, event_ms);
        }
        if event_ms.saturating_sub(self.horizon_ms) >= self.first_end() {
            self.finish_windows();
        }
        if !counts {
            return;
        }
        if self.asked.once && !self.is_first(place, event_ms) {
            return;
        }
        let machine = self.announced.get(place).copied().flatten();
        let group = self.groups.of(keyed.record, place, machine.map(|machine| machine.class));
        // Kafka Streams takes either first where both are of the same instant.
        let is_unmatched = !self.semantics.engine.is_flink()
            && machine.is_some_and(|machine| event_ms <= machine.at_ms);
        let matched = if is_unmatched { Inclusion::MaybeUnmatched } else { Inclusion::Counts };
        match self.asked.window {
            Window::None => self.add(ALWAYS, group, keyed.record, place, matched),
            Window::Session { gap_ms } => {
                let (plan, arrival, semantics) = (&mut self.plan, &self.arrival, self.semantics);
                let judge = |last_ms: i64| {
                    let is_late = |highest: i64| {
                        let highest = highest.saturating_sub(semantics.lateness_ms);
                        semantics.closes_session(last_ms, gap_ms, highest)
                    };
                    let verdict = arrival.judge(is_late);
                    let stays = arrival.judge(|ms| semantics.forgets_session(event_ms, ms));
                    let stays =
                        if stays == Inclusion::Counts { stays } else { Inclusion::MaybeLate };
                    verdict.max(stays).max(matched)
                };
                self.sessions.add(plan, group, event_ms, gap_ms, judge, keyed.record, place);
                let past = self.arrival.highest().saturating_sub(self.horizon_ms);
                if self.sessions.is_time(past, gap_ms) {
                    let over = self.sessions.finish(past, gap_ms);
                    self.emit_sessions(over, gap_ms);
                }
            }
            window => {
                for bounds in window.of(event_ms, self.semantics.zone_offset_ms) {
                    let semantics = self.semantics;
                    let verdict = self.arrival.judge(|ms| semantics.is_late(bounds.end_ms, ms));
                    if verdict != Inclusion::Late {
                        self.add(bounds, group, keyed.record, place, verdict.max(matched));
                    }
                }
            }
        }
    }

    /// The rows, and how many records there were.
    pub fn finish(mut self) -> (Vec<Row>, u64, Arrival) {
        while let Some(Open { bounds, groups }) = self.open.pop_front() {
            self.emit(bounds, groups);
        }
        if let Window::Session { gap_ms } = self.asked.window {
            let over = self.sessions.finish(i64::MAX, gap_ms);
            self.emit_sessions(over, gap_ms);
        }
        let rows = self.rows.finish(self.semantics, &self.plan, &self.arrival);
        (rows, self.records, self.arrival)
    }

    #[inline]
    fn add(
        &mut self,
        bounds: Bounds,
        group: u32,
        record: &Record<&str>,
        place: MachineIndex,
        verdict: Inclusion,
    ) {
        let at = match self.open.get(self.hint) {
            Some(open) if open.bounds == bounds => self.hint,
            _ => self.locate(bounds),
        };
        let plan = &mut self.plan;
        let state = self.open[at].groups.entry(group).or_insert_with(|| plan.state());
        plan.add(state, record, place, verdict);
    }

    fn locate(&mut self, bounds: Bounds) -> usize {
        let at = match self.open.binary_search_by(|open| open.bounds.cmp(&bounds)) {
            Ok(at) => at,
            Err(at) => {
                self.open.insert(at, Open { bounds, groups: HashMap::default() });
                at
            }
        };
        self.hint = at;
        at
    }

    /// The end of the window that ends first.
    #[inline]
    fn first_end(&self) -> i64 {
        self.open.front().map_or(i64::MAX, |open| open.bounds.end_ms)
    }

    /// Emits the windows that no record comes for any more.
    fn finish_windows(&mut self) {
        let past = self.arrival.highest().saturating_sub(self.horizon_ms);
        while self.first_end() <= past {
            let Some(Open { bounds, groups }) = self.open.pop_front() else { return };
            self.hint = 0;
            self.emit(bounds, groups);
        }
    }

    fn emit(&mut self, bounds: Bounds, groups: HashMap<u32, State, IdHash>) {
        let window = (bounds != ALWAYS).then_some(bounds);
        self.rows.add(self.asked, &self.plan, &self.groups, window, groups.into_iter());
    }

    fn emit_sessions(&mut self, over: Vec<super::sessions::Over>, gap_ms: i64) {
        for (group, session) in over {
            let end_ms = self.semantics.session_end(session.last_ms, gap_ms);
            let window = Some(Bounds { start_ms: session.first_ms, end_ms });
            let states = std::iter::once((group, session.state));
            self.rows.add(self.asked, &self.plan, &self.groups, window, states);
        }
    }

    fn announce(&mut self, place: MachineIndex, keyed: &KeyedRecord<'_>) {
        let Record::Machine(machine) = keyed.record else { return };
        if self.announced.len() <= place {
            self.announced.resize(place + 1, None);
        }
        let class = memory_class(machine.memory_gb);
        self.announced[place].get_or_insert(Announced { class, at_ms: keyed.timestamp_ms });
    }

    /// Whether no record of this machine and instant was seen before.
    fn is_first(&mut self, place: MachineIndex, event_ms: i64) -> bool {
        if self.seen.len() <= place {
            self.seen.resize(place + 1, Vec::new());
        }
        let past = self.arrival.highest().saturating_sub(self.horizon_ms);
        let seen = &mut self.seen[place];
        let Err(at) = seen.binary_search(&event_ms) else { return false };
        seen.insert(at, event_ms);
        let over = seen.partition_point(|&ms| ms < past);
        seen.drain(..over);
        true
    }
}
