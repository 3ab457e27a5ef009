//! The typed records that a run publishes, one struct a topic, with their keys.
//!
//! The structs mirror `schemas/*.avsc` field by field, in order; a test holds the two together. Their
//! texts are `&str` where records are made and encoded without an allocation, `String` where somebody
//! keeps them: `map` turns the one into the other.

pub mod incident;
pub mod job;
pub mod machine;
pub mod partitioning;
pub mod serial;
pub mod status;
pub mod telemetry;
pub mod topic;
pub mod usage;

use serde::Serialize;

pub use incident::IncidentRecord;
pub use job::JobRecord;
pub use machine::MachineRecord;
pub use partitioning::KeyHash;
pub use serial::SerialId;
pub use status::StatusRecord;
pub use telemetry::Telemetry;
pub use topic::{Topic, TopicSet};
pub use usage::Usage;

/// One record of any topic.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Record<T> {
    /// A reading of a machine.
    Telemetry(Telemetry<T>),
    /// What a machine uses.
    Usage(Usage<T>),
    /// A machine's health.
    Status(StatusRecord<T>),
    /// A change of a job's state.
    Job(JobRecord<T>),
    /// What a machine is.
    Machine(MachineRecord<T>),
    /// The beginning or the end of an incident.
    Incident(IncidentRecord<T>),
}

impl<T> Record<T> {
    /// The topic that it belongs to.
    #[inline]
    pub fn topic(&self) -> Topic {
        match self {
            Record::Telemetry(_) => Topic::Telemetry,
            Record::Usage(_) => Topic::Usage,
            Record::Status(_) => Topic::Status,
            Record::Job(_) => Topic::Jobs,
            Record::Machine(_) => Topic::Machines,
            Record::Incident(_) => Topic::Incidents,
        }
    }

    /// The record with other texts.
    pub fn map<'a, U>(&'a self, text: impl Fn(&'a T) -> U) -> Record<U> {
        match self {
            Record::Telemetry(record) => Record::Telemetry(record.map(text)),
            Record::Usage(record) => Record::Usage(record.map(text)),
            Record::Status(record) => Record::Status(record.map(text)),
            Record::Job(record) => Record::Job(record.map(text)),
            Record::Machine(record) => Record::Machine(record.map(text)),
            Record::Incident(record) => Record::Incident(record.map(text)),
        }
    }
}

impl Record<&str> {
    /// The record with texts of its own.
    pub fn owned(&self) -> Record<String> {
        self.map(|text| (*text).to_owned())
    }
}

impl Record<String> {
    /// The record as it is encoded.
    pub fn borrowed(&self) -> Record<&str> {
        self.map(String::as_str)
    }
}
