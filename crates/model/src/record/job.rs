//! The `jobs` topic.

use serde::{Deserialize, Serialize};

/// One change of the state of one job.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JobRecord<T> {
    /// The job.
    pub job_id: T,
    /// The machine that runs it.
    pub machine_id: T,
    /// Its type.
    pub job_type: T,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub status: T,
    /// When it started, in milliseconds since the epoch; none until it does.
    pub start_time: Option<i64>,
    /// When it ended, in milliseconds since the epoch; none until it does.
    pub end_time: Option<i64>,
    /// `end_time` - `start_time`, in seconds; none until it has both.
    pub duration_seconds: Option<f64>,
}

impl<T> JobRecord<T> {
    /// The record with other texts.
    pub fn map<'a, U>(&'a self, text: impl Fn(&'a T) -> U) -> JobRecord<U> {
        JobRecord {
            job_id: text(&self.job_id),
            machine_id: text(&self.machine_id),
            job_type: text(&self.job_type),
            status: text(&self.status),
            start_time: self.start_time,
            end_time: self.end_time,
            duration_seconds: self.duration_seconds,
        }
    }
}
