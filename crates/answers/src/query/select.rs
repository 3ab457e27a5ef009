//! What is asked of each group: counts, sums, means, extremes.

use std::fmt;

use fleetstorm_model::record::Topic;

use super::column::{Column, Kind};
use crate::error::QueryError;

/// An aggregate and the name of its column in the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// What is computed.
    pub function: Function,
    /// Of which column; none where records are counted.
    pub column: Option<Column>,
    /// The name of its column in the answer.
    pub name: String,
}

/// What is computed of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// How many records, or how many values that aren't null.
    Count,
    /// The sum.
    Sum,
    /// The mean.
    Avg,
    /// The least.
    Min,
    /// The most.
    Max,
    /// How many different values.
    CountDistinct,
}

impl Function {
    const ALL: [Function; 6] = [
        Function::Count,
        Function::Sum,
        Function::Avg,
        Function::Min,
        Function::Max,
        Function::CountDistinct,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Function::Count => "count",
            Function::Sum => "sum",
            Function::Avg => "avg",
            Function::Min => "min",
            Function::Max => "max",
            Function::CountDistinct => "count_distinct",
        }
    }
}

impl Aggregate {
    /// Reads an aggregate, as `count`, `avg(cpu_percent)` or `max(cpu_percent) as hottest`.
    ///
    /// # Errors
    /// [`QueryError`] where there is no such aggregate or column, or one doesn't fit the other.
    pub fn parse(topic: Topic, text: &str) -> Result<Aggregate, QueryError> {
        let unread = || QueryError::Aggregate { text: text.trim().to_owned() };
        let (call, name) = match text.split_once(" as ") {
            Some((call, name)) => (call.trim(), Some(name.trim())),
            None => (text.trim(), None),
        };
        let (function, argument) = match call.split_once('(') {
            Some((function, rest)) => {
                let argument = rest.strip_suffix(')').ok_or_else(unread)?.trim();
                (function.trim(), Some(argument).filter(|argument| *argument != "*"))
            }
            None => (call, None),
        };
        let function =
            Function::ALL.into_iter().find(|f| f.name() == function).ok_or_else(unread)?;
        let column = argument.map(|name| Column::find(topic, name)).transpose()?;
        match (function, column) {
            (Function::Count, _) | (Function::CountDistinct, Some(_)) => {}
            (_, None) => return Err(unread()),
            (Function::Min | Function::Max, Some(Column { kind: Kind::Time, .. })) => {}
            (_, Some(column)) if column.kind.is_number() => {}
            (_, Some(Column { name: column, kind, .. })) => {
                let (function, kind) = (function.name(), kind.words());
                return Err(QueryError::NotANumber { function, column, kind });
            }
        }
        let name = match (name, column) {
            (Some(""), _) => return Err(unread()),
            (Some(name), _) => name.to_owned(),
            (None, None) => function.name().to_owned(),
            (None, Some(column)) => format!("{}_{}", function.name(), column.name),
        };
        Ok(Aggregate { function, column, name })
    }

    /// What its column in the answer holds. `whole_means`: whether a mean of whole numbers is one.
    pub fn kind(&self, whole_means: bool) -> Kind {
        match (self.function, self.column) {
            (Function::Count | Function::CountDistinct, _) | (_, None) => Kind::Long,
            (Function::Avg, Some(column)) if !(whole_means && column.kind == Kind::Long) => {
                Kind::Double
            }
            (_, Some(column)) => column.kind,
        }
    }

    /// Whether it depends on the order in which doubles are added up.
    pub fn is_approximate(&self) -> bool {
        matches!(self.function, Function::Sum | Function::Avg)
            && self.column.is_some_and(|column| column.kind == Kind::Double)
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "{}({})", self.function.name(), column.name),
            None => f.write_str(self.function.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_are_read_with_their_names() {
        let read = |text| Aggregate::parse(Topic::Telemetry, text).unwrap();
        assert_eq!(read("count").name, "count");
        assert_eq!(read("count(*)").to_string(), "count");
        assert_eq!(read(" avg( cpu_percent ) ").name, "avg_cpu_percent");
        assert_eq!(read("max(latency_p99) as worst").name, "worst");
        assert_eq!(read("avg(request_count)").kind(true), Kind::Long);
        assert_eq!(read("avg(request_count)").kind(false), Kind::Double);
    }

    #[test]
    fn what_can_not_be_computed_is_refused() {
        let error = |text| Aggregate::parse(Topic::Telemetry, text).unwrap_err().to_string();
        assert!(error("median(cpu_percent)").contains("count_distinct(COLUMN)"));
        assert!(error("avg").contains("avg(COLUMN)"));
        assert!(error("avg(zone)").contains("`zone` holds texts"));
        assert!(error("sum(timestamp)").contains("instants"));
        assert!(error("avg(cpu").contains("avg(COLUMN)"));
        assert!(error("avg(cpu)").contains("did you mean `cpu_percent`?"));
    }
}
