//! What is kept of a group: counts, sums, extremes, sets; and what an answer says of it.

use std::collections::HashSet;

use super::arrival::Inclusion;
use super::keys::{IdHash, Interner, MachineIndex};
use crate::answer::Value;
use crate::query::{Aggregate, Column, Field, Function, Kind};

use fleetstorm_model::record::Record;

/// What of each group is kept for the aggregates that are asked.
#[derive(Debug)]
pub struct Plan {
    /// Columns whose values are added up and compared.
    columns: Vec<Column>,
    /// Columns whose distinct values are counted.
    distinct: Vec<(Column, Interner)>,
    asked: Vec<Asked>,
    whole_means: bool,
}

/// An aggregate and where its column is kept.
#[derive(Debug, Clone, Copy)]
struct Asked {
    function: Function,
    kept: Option<usize>,
    kind: Kind,
}

/// What is kept of the records of a group in a window.
#[derive(Debug, Clone)]
pub struct State {
    /// Records that count.
    pub count: u64,
    /// Of them, those that may have no partner in a join.
    pub unmatched: u64,
    columns: Box<[Summary]>,
    distinct: Box<[HashSet<u32, IdHash>]>,
    /// Records that may not count.
    pub maybe: Option<Box<State>>,
}

/// What is kept of a column's values.
#[derive(Debug, Clone, Copy)]
struct Summary {
    count: u64,
    sum: f64,
    /// What the sum lost by rounding, so that it hardly depends on the order of adding.
    lost: f64,
    /// The sum of those below zero.
    below: f64,
    min: f64,
    max: f64,
}

impl Summary {
    const NONE: Summary = Summary {
        count: 0,
        sum: 0.0,
        lost: 0.0,
        below: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
    };

    #[inline]
    fn add(&mut self, value: f64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if value < 0.0 {
            self.below += value;
        }
        self.add_to_sum(value);
    }

    #[inline]
    fn add_to_sum(&mut self, value: f64) {
        let sum = self.sum + value;
        // The larger of both keeps its digits.
        let (large, small) =
            if self.sum.abs() >= value.abs() { (self.sum, value) } else { (value, self.sum) };
        self.lost += (large - sum) + small;
        self.sum = sum;
    }

    fn absorb(&mut self, other: &Summary) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.below += other.below;
        self.add_to_sum(other.sum);
        self.lost += other.lost;
    }

    fn total(&self) -> f64 {
        self.sum + self.lost
    }

    /// The least or the most that a mean can be where any of `maybe` count beside these.
    fn mean_with(&self, maybe: &Summary, most: bool) -> Option<f64> {
        let mean = (self.count > 0).then(|| self.total() / self.count as f64);
        if maybe.count == 0 {
            return mean;
        }
        let extreme = if most { maybe.max } else { maybe.min };
        let Some(mean) = mean else { return Some(extreme) };
        let pulls = if most { extreme > mean } else { extreme < mean };
        if !pulls {
            return Some(mean);
        }
        // As if all of them were the extreme one: none is beyond it.
        let (sure, other) = (self.count as f64, maybe.count as f64);
        Some((self.total() + other * extreme) / (sure + other))
    }
}

impl Plan {
    /// What these aggregates need. `whole_means`: whether a mean of whole numbers is one.
    pub fn new(select: &[Aggregate], whole_means: bool) -> Plan {
        let mut plan =
            Plan { columns: Vec::new(), distinct: Vec::new(), asked: Vec::new(), whole_means };
        for aggregate in select {
            let kept = aggregate.column.map(|column| match aggregate.function {
                Function::CountDistinct => {
                    let at = plan.distinct.iter().position(|(kept, _)| *kept == column);
                    at.unwrap_or_else(|| {
                        plan.distinct.push((column, Interner::default()));
                        plan.distinct.len() - 1
                    })
                }
                _ => {
                    let at = plan.columns.iter().position(|kept| *kept == column);
                    at.unwrap_or_else(|| {
                        plan.columns.push(column);
                        plan.columns.len() - 1
                    })
                }
            });
            let kind = aggregate.column.map_or(Kind::Long, |column| column.kind);
            plan.asked.push(Asked { function: aggregate.function, kept, kind });
        }
        plan
    }

    /// A group without records.
    pub fn state(&self) -> State {
        State {
            count: 0,
            unmatched: 0,
            columns: self.columns.iter().map(|_| Summary::NONE).collect(),
            distinct: self.distinct.iter().map(|_| HashSet::default()).collect(),
            maybe: None,
        }
    }

    /// Adds a record that isn't late for sure to a group.
    #[inline]
    pub fn add(
        &mut self,
        state: &mut State,
        record: &Record<&str>,
        place: MachineIndex,
        verdict: Inclusion,
    ) {
        let state = if verdict == Inclusion::Counts {
            state
        } else {
            let empty = || Box::new(self.state());
            state.maybe.get_or_insert_with(empty)
        };
        state.count += 1;
        state.unmatched += u64::from(verdict == Inclusion::MaybeUnmatched);
        for (summary, column) in state.columns.iter_mut().zip(&self.columns) {
            match column.of(record) {
                Field::Double(value) => summary.add(value),
                Field::Long(value) => summary.add(value as f64),
                Field::Text(_) | Field::Bool(_) => summary.count += 1,
                Field::Null => {}
            }
        }
        for (set, (column, interner)) in state.distinct.iter_mut().zip(&mut self.distinct) {
            if let Some(id) = interner.id(column, record, place) {
                set.insert(id);
            }
        }
    }

    /// What is asked of a group, as if every record counted.
    pub fn values(&self, state: &State) -> Vec<Value> {
        match &state.maybe {
            None => self.asked.iter().map(|asked| self.value(state, asked)).collect(),
            Some(maybe) => {
                let mut all = state.clone();
                all.maybe = None;
                all.absorb(maybe);
                self.asked.iter().map(|asked| self.value(&all, asked)).collect()
            }
        }
    }

    /// The least and the most of what is asked, where some records may be late.
    pub fn bracket(&self, state: &State) -> (Vec<Value>, Vec<Value>) {
        let Some(maybe) = &state.maybe else { return (self.values(state), self.values(state)) };
        let sure = State { maybe: None, ..state.clone() };
        let mut all = sure.clone();
        all.absorb(maybe);
        let one = |asked: &Asked| {
            let (few, many) = (self.value(&sure, asked), self.value(&all, asked));
            let (Some(kept), false) = (asked.kept, asked.function == Function::CountDistinct)
            else {
                return (few, many);
            };
            let (summary, other) = (&sure.columns[kept], &maybe.columns[kept]);
            match asked.function {
                Function::Count | Function::Max | Function::CountDistinct => (few, many),
                Function::Min => (many, few),
                Function::Sum => {
                    let least = summary.total() + other.below;
                    let most = summary.total() + (other.total() - other.below);
                    (self.number(asked, least), self.number(asked, most))
                }
                Function::Avg => {
                    let end = |most| {
                        let mean = summary.mean_with(other, most);
                        mean.map_or(Value::Null, |mean| self.mean(asked, mean))
                    };
                    (end(false), end(true))
                }
            }
        };
        self.asked.iter().map(one).unzip()
    }

    /// The least of what is asked, where every record may be late: nothing but counts has one.
    pub fn nothing(&self) -> Vec<Value> {
        let least = |asked: &Asked| match asked.function {
            Function::Count | Function::CountDistinct => Value::Long(0),
            Function::Sum | Function::Avg | Function::Min | Function::Max => Value::Null,
        };
        self.asked.iter().map(least).collect()
    }

    fn value(&self, state: &State, asked: &Asked) -> Value {
        let Some(kept) = asked.kept else { return Value::Long(state.count as i64) };
        if asked.function == Function::CountDistinct {
            return Value::Long(state.distinct[kept].len() as i64);
        }
        let summary = &state.columns[kept];
        match asked.function {
            Function::Count | Function::CountDistinct => Value::Long(summary.count as i64),
            _ if summary.count == 0 => Value::Null,
            Function::Sum => self.number(asked, summary.total()),
            Function::Avg => self.mean(asked, summary.total() / summary.count as f64),
            Function::Min => self.number(asked, summary.min),
            Function::Max => self.number(asked, summary.max),
        }
    }

    fn number(&self, asked: &Asked, number: f64) -> Value {
        match asked.kind {
            Kind::Double => Value::Double(number),
            _ => Value::Long(number as i64),
        }
    }

    fn mean(&self, asked: &Asked, mean: f64) -> Value {
        if self.whole_means && asked.kind == Kind::Long {
            Value::Long(mean as i64)
        } else {
            Value::Double(mean)
        }
    }
}

impl State {
    /// Takes the records of another group of the same plan.
    pub fn absorb(&mut self, other: &State) {
        self.count += other.count;
        self.unmatched += other.unmatched;
        for (summary, other) in self.columns.iter_mut().zip(&other.columns) {
            summary.absorb(other);
        }
        for (set, other) in self.distinct.iter_mut().zip(&other.distinct) {
            set.extend(other);
        }
        match (&mut self.maybe, &other.maybe) {
            (Some(maybe), Some(other)) => maybe.absorb(other),
            (None, Some(other)) => self.maybe = Some(other.clone()),
            (_, None) => {}
        }
    }
}
