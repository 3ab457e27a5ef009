//! The columns of the topics: their names, what they hold, and how they are read.

use fleetstorm_model::record::{Record, Topic};

use crate::error::QueryError;

/// A value of a column, borrowed from a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field<'a> {
    /// Nothing.
    Null,
    /// A text.
    Text(&'a str),
    /// A number with a fraction.
    Double(f64),
    /// A whole number, or an instant in milliseconds since the epoch.
    Long(i64),
    /// True or false.
    Bool(bool),
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Texts.
    Text,
    /// Numbers with a fraction.
    Double,
    /// Whole numbers.
    Long,
    /// True or false.
    Bool,
    /// Instants, in milliseconds since the epoch.
    Time,
}

/// A column of a topic.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name, that of the schema's field.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether all records of a machine have the same value.
    pub of_machine: bool,
    read: for<'a> fn(&Record<&'a str>) -> Field<'a>,
}

impl PartialEq for Column {
    fn eq(&self, other: &Column) -> bool {
        self.name == other.name && self.kind == other.kind
    }
}

impl Kind {
    /// What it holds, in words.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Text => "texts",
            Kind::Double => "numbers",
            Kind::Long => "whole numbers",
            Kind::Bool => "true or false",
            Kind::Time => "instants",
        }
    }

    /// Whether values can be added up.
    pub fn is_number(self) -> bool {
        matches!(self, Kind::Double | Kind::Long)
    }
}

impl Column {
    /// The column of `topic` by this name.
    ///
    /// # Errors
    /// [`QueryError::Column`], with the columns that there are.
    pub fn find(topic: Topic, name: &str) -> Result<Column, QueryError> {
        let columns = of(topic);
        columns.iter().find(|column| column.name == name).copied().ok_or_else(|| {
            QueryError::Column {
                topic,
                name: name.to_owned(),
                known: columns.iter().map(|column| column.name).collect(),
            }
        })
    }

    /// Its value in a record of its topic; null in one of another.
    #[inline]
    pub fn of<'a>(&self, record: &Record<&'a str>) -> Field<'a> {
        (self.read)(record)
    }
}

/// The columns of a topic, in the order of its schema.
pub fn of(topic: Topic) -> &'static [Column] {
    match topic {
        Topic::Telemetry => TELEMETRY,
        Topic::Usage => USAGE,
        Topic::Status => STATUS,
        Topic::Jobs => JOBS,
        Topic::Machines => MACHINES,
        Topic::Incidents => INCIDENTS,
    }
}

/// A column: its record, field, kind, and whether it is one of the machine's own.
macro_rules! column {
    ($record:ident, $field:ident, $kind:ident, $of_machine:literal) => {
        Column {
            name: stringify!($field),
            kind: Kind::$kind,
            of_machine: $of_machine,
            read: |record| match record {
                Record::$record(value) => column!(@field $kind, value.$field),
                _ => Field::Null,
            },
        }
    };
    ($record:ident, $field:ident, $kind:ident ?) => {
        Column {
            name: stringify!($field),
            kind: Kind::$kind,
            of_machine: false,
            read: |record| match record {
                Record::$record(value) => match value.$field {
                    Some(value) => column!(@field $kind, value),
                    None => Field::Null,
                },
                _ => Field::Null,
            },
        }
    };
    (@field Text, $value:expr) => { Field::Text($value) };
    (@field Double, $value:expr) => { Field::Double($value) };
    (@field Long, $value:expr) => { Field::Long(i64::from($value)) };
    (@field Time, $value:expr) => { Field::Long($value) };
    (@field Bool, $value:expr) => { Field::Bool($value) };
}

static TELEMETRY: &[Column] = &[
    column!(Telemetry, timestamp, Time, false),
    column!(Telemetry, machine_id, Text, true),
    column!(Telemetry, machine_type, Text, true),
    column!(Telemetry, zone, Text, true),
    column!(Telemetry, region, Text, true),
    column!(Telemetry, cpu_percent, Double, false),
    column!(Telemetry, memory_percent, Double, false),
    column!(Telemetry, disk_percent, Double, false),
    column!(Telemetry, network_in_mbps, Double, false),
    column!(Telemetry, network_out_mbps, Double, false),
    column!(Telemetry, request_count, Long, false),
    column!(Telemetry, error_count, Long, false),
    column!(Telemetry, latency_p50, Double, false),
    column!(Telemetry, latency_p99, Double, false),
    column!(Telemetry, is_anomaly, Bool, false),
];

static USAGE: &[Column] = &[
    column!(Usage, timestamp, Time, false),
    column!(Usage, machine_id, Text, true),
    column!(Usage, cpu_percent, Double, false),
    column!(Usage, memory_percent, Double, false),
    column!(Usage, disk_percent, Double, false),
];

static STATUS: &[Column] = &[
    column!(Status, machine_id, Text, true),
    column!(Status, status, Text, false),
    column!(Status, last_heartbeat, Time, false),
];

static JOBS: &[Column] = &[
    column!(Job, job_id, Text, false),
    column!(Job, machine_id, Text, true),
    column!(Job, job_type, Text, false),
    column!(Job, status, Text, false),
    column!(Job, start_time, Time?),
    column!(Job, end_time, Time?),
    column!(Job, duration_seconds, Double?),
];

static MACHINES: &[Column] = &[
    column!(Machine, machine_id, Text, true),
    column!(Machine, machine_type, Text, true),
    column!(Machine, cores, Long, false),
    column!(Machine, memory_gb, Long, false),
    column!(Machine, zone, Text, true),
    column!(Machine, region, Text, true),
    column!(Machine, created_at, Time, false),
];

static INCIDENTS: &[Column] = &[
    column!(Incident, incident_id, Text, false),
    column!(Incident, machine_id, Text, true),
    column!(Incident, kind, Text, false),
    column!(Incident, cause, Text?),
    column!(Incident, start_time, Time, false),
    column!(Incident, end_time, Time?),
    column!(Incident, magnitude, Double, false),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_schemas_in_order() {
        for topic in Topic::ALL {
            let schema: serde_json::Value = serde_json::from_str(topic.schema().text).unwrap();
            let fields = schema["fields"].as_array().unwrap().iter();
            let names: Vec<&str> = fields.map(|field| field["name"].as_str().unwrap()).collect();
            assert_eq!(of(topic).iter().map(|c| c.name).collect::<Vec<_>>(), names, "{topic}");
        }
    }

    #[test]
    fn an_unknown_column_names_the_nearest_and_all() {
        let error = Column::find(Topic::Usage, "cpu_precent").unwrap_err().to_string();
        assert!(error.contains("did you mean `cpu_percent`?"), "{error}");
        assert!(error.contains("timestamp, machine_id"), "{error}");
    }
}
