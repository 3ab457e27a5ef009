//! From what is kept of groups to the rows of an answer.

use std::collections::BTreeMap;

use super::arrival::{Arrival, Slack};
use super::keys::Groups;
use super::summary::{Plan, State};
use crate::answer::{Bracket, Certainty, Row, TOLERANCE, Value, Why};
use crate::query::{Aggregation, Bounds, Having, Window};
use crate::semantics::Semantics;

/// The rows so far.
#[derive(Debug, Default)]
pub struct Rows(Vec<Row>);

impl Rows {
    /// Adds the rows of the groups of one window.
    pub fn add(
        &mut self,
        asked: &Aggregation,
        plan: &Plan,
        groups: &Groups,
        window: Option<Bounds>,
        states: impl Iterator<Item = (u32, State)>,
    ) {
        let rows = states.filter_map(|(id, state)| {
            let mut row = row(plan, window, groups.values(id).to_vec(), &state);
            // What a late record joins may be apart without it.
            if let (Window::Session { .. }, Certainty::Bracketed(bracket)) =
                (asked.window, &mut row.certainty)
            {
                bracket.may_be_missing = true;
            }
            having(asked, row)
        });
        match asked.top {
            None => self.0.extend(rows),
            Some(top) => self.0.extend(ranked(rows.collect(), top.count)),
        }
    }

    /// The rows in order, once all records have arrived: what is still open is pending, and what a
    /// repartition may have made late is bracketed.
    pub fn finish(self, semantics: &Semantics, plan: &Plan, arrival: &Arrival) -> Vec<Row> {
        let mut rows = self.0;
        let (highest, slowest) = (arrival.highest(), arrival.slowest());
        for row in &mut rows {
            let Some(window) = row.window else { continue };
            if arrival.slack() == Slack::Unbounded && semantics.is_late(window.end_ms, highest) {
                let records = match &row.certainty {
                    Certainty::Bracketed(bracket) => bracket.why,
                    _ => Why::MaybeLate(1),
                };
                row.certainty = Certainty::Bracketed(Box::new(Bracket {
                    least: padded(plan.nothing(), row.values.len()),
                    most: row.values.clone(),
                    may_be_missing: true,
                    pending: false,
                    why: records,
                }));
            }
            let closes = semantics.bounded
                || !semantics.engine.is_flink()
                || semantics.closes(window.end_ms, slowest);
            if !closes {
                match &mut row.certainty {
                    Certainty::Bracketed(bracket) => bracket.pending = true,
                    certainty => *certainty = Certainty::Pending,
                }
            }
        }
        rows.sort_by(Row::order);
        rows
    }
}

/// The values of aggregates behind columns that a ranking puts before them.
fn padded(mut values: Vec<Value>, width: usize) -> Vec<Value> {
    let before = width.saturating_sub(values.len());
    values.splice(0..0, (0..before).map(|_| Value::Null));
    values
}

fn row(plan: &Plan, window: Option<Bounds>, keys: Vec<Value>, state: &State) -> Row {
    let certainty = match &state.maybe {
        None => Certainty::Exact,
        Some(maybe) => {
            let (least, most) = plan.bracket(state);
            let may_be_missing = state.count == 0;
            let why = match maybe.unmatched {
                0 => Why::MaybeLate(maybe.count),
                unmatched => Why::MaybeUnmatched(unmatched),
            };
            let bracket = Bracket { least, most, may_be_missing, pending: false, why };
            Certainty::Bracketed(Box::new(bracket))
        }
    };
    Row { window, keys, values: plan.values(state), certainty }
}

/// The row after HAVING; `None` if it is filtered out.
fn having(asked: &Aggregation, mut row: Row) -> Option<Row> {
    let Some(having) = asked.having else { return Some(row) };
    let value = row.values[having.aggregate].number();
    if let Certainty::Bracketed(bracket) = &mut row.certainty {
        let of = |values: &[Value]| values[having.aggregate].number();
        let ends = [value, of(&bracket.least), of(&bracket.most)];
        let holds = |value: &Option<f64>| value.is_some_and(|value| having.holds(value));
        if !ends.iter().any(holds) {
            return None;
        }
        bracket.may_be_missing |= !ends.iter().all(holds);
        return Some(row);
    }
    let value = value?;
    if having.is_on_the_bound(value) && asked.select[having.aggregate].is_approximate() {
        row.certainty = Certainty::Bracketed(Box::new(Bracket {
            least: row.values.clone(),
            most: row.values.clone(),
            may_be_missing: true,
            pending: false,
            why: Why::OnTheBound,
        }));
        return Some(row);
    }
    having.holds(value).then_some(row)
}

impl Having {
    /// Whether a value fulfils it.
    pub fn holds(&self, value: f64) -> bool {
        value.partial_cmp(&self.bound).is_some_and(|ordering| self.op.holds(ordering))
    }

    /// Whether a value is as good as equal to the bound.
    fn is_on_the_bound(&self, value: f64) -> bool {
        (value - self.bound).abs() <= TOLERANCE * self.bound.abs()
    }
}

/// The first `count` rows of each first key by the first value, as keys (first key, rank) and values
/// (other keys, values).
fn ranked(rows: Vec<Row>, count: usize) -> Vec<Row> {
    let mut parts: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows {
        let part = match row.keys.first() {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        };
        parts.entry(part).or_default().push(row);
    }
    let mut rows = Vec::new();
    for (_, mut part) in parts {
        let exact = part.iter().all(|row| row.certainty == Certainty::Exact);
        part.sort_by(|a, b| {
            let most_first = b.values[0].order(&a.values[0]);
            most_first.then_with(|| a.order(b))
        });
        for (rank, mut row) in part.into_iter().take(count).enumerate() {
            let mut others = row.keys.split_off(1);
            row.keys.push(Value::Long(rank as i64 + 1));
            others.append(&mut row.values);
            row.values = others;
            if !exact {
                row.certainty = Certainty::Bracketed(Box::new(Bracket {
                    least: row.values.iter().map(|_| Value::Null).collect(),
                    most: row.values.iter().map(|_| Value::Null).collect(),
                    may_be_missing: true,
                    pending: false,
                    why: Why::RankedAgainst,
                }));
            }
            rows.push(row);
        }
    }
    rows
}
