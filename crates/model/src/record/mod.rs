//! The typed records that a run publishes, one struct a topic, with their keys.
//!
//! The structs mirror `schemas/*.avsc` field by field, in order; a test holds the two together.

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
pub enum Record<'a> {
    /// A reading of a machine.
    Telemetry(Telemetry<'a>),
    /// What a machine uses.
    Usage(Usage<'a>),
    /// A machine's health.
    Status(StatusRecord<'a>),
    /// A change of a job's state.
    Job(JobRecord<'a>),
    /// What a machine is.
    Machine(MachineRecord<'a>),
    /// The beginning or the end of an incident.
    Incident(IncidentRecord<'a>),
}

impl Record<'_> {
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
}
