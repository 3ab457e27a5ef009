//! What is asked, as a value: read from the texts of options, or made by the suite.

pub mod column;
pub mod filter;
pub mod select;
pub mod window;

use std::fmt;

use fleetstorm_model::record::Topic;

pub use column::{Column, Field, Kind};
pub use filter::{Condition, Op};
pub use select::{Aggregate, Function};
pub use window::{Bounds, Length, Window};

use crate::error::QueryError;

/// A question on the records of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// Groups of one topic's records and what is computed of them.
    Aggregate(Aggregation),
    /// Jobs that failed within a time of their machine's status `down`: an interval join, by the
    /// Kafka timestamps of both.
    Outages {
        /// At most so long before it or after it, in milliseconds, both ends included.
        within_ms: i64,
    },
    /// Each machine's latest status, counted by status and zone.
    FleetStatus,
}

/// Groups of a topic's records and what is computed of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregation {
    /// The topic.
    pub from: Topic,
    /// Which of its records count: all conditions hold.
    pub filter: Vec<Condition>,
    /// The columns that make a group.
    pub by: Vec<Key>,
    /// The windows of event time.
    pub window: Window,
    /// What is computed, one at least.
    pub select: Vec<Aggregate>,
    /// Which groups are emitted.
    pub having: Option<Having>,
    /// How many groups are emitted.
    pub top: Option<Top>,
    /// Whether a machine's records of the same instant count once.
    pub once: bool,
}

/// A column by which records are grouped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Key {
    /// A column of the topic.
    Column(Column),
    /// The class of the machine's memory, from topic `machines` as of the record's time: `small`
    /// below 64 GB, `medium` below 256 GB, `large` from there on.
    MemoryClass,
}

/// A condition on a group: a number compared with a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Having {
    /// Which of the aggregates.
    pub aggregate: usize,
    /// How it is compared.
    pub op: Op,
    /// With what.
    pub bound: f64,
}

/// The groups with the most of the first aggregate, among those alike in the first key column. Ties
/// are broken by the other key columns, the first in the order of their texts before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Top {
    /// How many are emitted.
    pub count: usize,
}

impl Key {
    /// The name of its column in the answer.
    pub fn name(&self) -> &'static str {
        match self {
            Key::Column(column) => column.name,
            Key::MemoryClass => "memory_class",
        }
    }

    /// What it holds.
    pub fn kind(&self) -> Kind {
        match self {
            Key::Column(column) => column.kind,
            Key::MemoryClass => Kind::Text,
        }
    }
}

/// The class of a machine's memory.
pub fn memory_class(memory_gb: i32) -> &'static str {
    match memory_gb {
        ..64 => "small",
        64..256 => "medium",
        _ => "large",
    }
}

impl Aggregation {
    /// Reads a question from the texts of options; lists are separated by commas.
    ///
    /// # Errors
    /// [`QueryError`] where a text can't be read.
    pub fn parse(
        from: &str,
        window: &str,
        by: &str,
        select: &str,
        conditions: &[String],
    ) -> Result<Aggregation, QueryError> {
        let from: Topic = from.parse()?;
        let by = list(by).map(|name| Column::find(from, name).map(Key::Column));
        let filter =
            conditions.iter().flat_map(|all| list(all)).map(|text| Condition::parse(from, text));
        let aggregation = Aggregation {
            from,
            by: by.collect::<Result<_, _>>()?,
            window: window.parse()?,
            select: list(select)
                .map(|text| Aggregate::parse(from, text))
                .collect::<Result<_, _>>()?,
            filter: filter.collect::<Result<_, _>>()?,
            having: None,
            top: None,
            once: false,
        };
        if aggregation.select.is_empty() {
            return Err(QueryError::NothingSelected);
        }
        let own = ["window_start", "window_end", "certainty"];
        let mut names: Vec<String> = own.map(str::to_owned).to_vec();
        names.extend(aggregation.by.iter().map(|key| key.name().to_owned()));
        names.extend(aggregation.select.iter().map(|aggregate| aggregate.name.clone()));
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(QueryError::Twice(pair[0].clone())),
            None => Ok(aggregation),
        }
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

impl Question {
    /// The topics whose records it reads.
    pub fn topics(&self) -> Vec<Topic> {
        match self {
            Question::Aggregate(asked) if asked.by.contains(&Key::MemoryClass) => {
                vec![asked.from, Topic::Machines]
            }
            Question::Aggregate(asked) => vec![asked.from],
            Question::Outages { .. } => vec![Topic::Status, Topic::Jobs],
            Question::FleetStatus => vec![Topic::Status, Topic::Machines],
        }
    }

    /// Its window.
    pub fn window(&self) -> Window {
        match self {
            Question::Aggregate(asked) => asked.window,
            Question::Outages { .. } | Question::FleetStatus => Window::None,
        }
    }

    /// Whether its groups are those of the topic's own keys, so that no record passes a repartition.
    pub fn is_by_machine(&self) -> bool {
        let is_machine = |key: &Key| matches!(key, Key::Column(c) if c.name == "machine_id");
        match self {
            Question::Aggregate(asked) => asked.top.is_none() && asked.by.iter().any(is_machine),
            Question::Outages { .. } => true,
            Question::FleetStatus => false,
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Question::Aggregate(asked) => {
                let texts =
                    |parts: &mut dyn Iterator<Item = String>| parts.collect::<Vec<_>>().join(",");
                let select = texts(&mut asked.select.iter().map(Aggregate::to_string));
                write!(f, "{select} from {}", asked.from)?;
                if !asked.filter.is_empty() {
                    let filter = texts(&mut asked.filter.iter().map(Condition::to_string));
                    write!(f, " where {filter}")?;
                }
                if !asked.by.is_empty() {
                    let by = texts(&mut asked.by.iter().map(|key| key.name().to_owned()));
                    write!(f, " by {by}")?;
                }
                write!(f, " window {}", asked.window)
            }
            Question::Outages { within_ms } => {
                write!(f, "jobs failed within {} of status down", Length(*within_ms))
            }
            Question::FleetStatus => f.write_str("latest status of machines by status, zone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_from_texts() {
        let asked = Aggregation::parse(
            "telemetry",
            "tumble:10s",
            "zone, machine_type",
            "count,avg(cpu_percent),count_distinct(machine_id)",
            &["is_anomaly=true".to_owned(), "cpu_percent>1,error_count=0".to_owned()],
        )
        .unwrap();
        assert_eq!(
            Question::Aggregate(asked).to_string(),
            "count,avg(cpu_percent),count_distinct(machine_id) from telemetry where \
             is_anomaly=true,cpu_percent>1,error_count=0 by zone,machine_type window tumble:10s"
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        let error = |from, by, select| {
            Aggregation::parse(from, "none", by, select, &[]).unwrap_err().to_string()
        };
        assert!(error("telemetri", "", "count").contains("choose from telemetry"));
        assert!(error("jobs", "zone", "count").contains("has no column `zone`"));
        assert!(error("jobs", "", "").contains("--select"));
        assert!(error("jobs", "status,status", "count").contains("twice"));
        assert!(error("jobs", "", "count,count").contains("twice"));
    }
}
