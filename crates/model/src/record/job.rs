//! The `jobs` topic.

use serde::{Deserialize, Serialize};

/// One change of the state of one job.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JobRecord<'a> {
    /// The job.
    pub job_id: &'a str,
    /// The machine that runs it.
    pub machine_id: &'a str,
    /// Its type.
    pub job_type: &'a str,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub status: &'a str,
    /// When it started, in milliseconds since the epoch; none until it does.
    pub start_time: Option<i64>,
    /// When it ended, in milliseconds since the epoch; none until it does.
    pub end_time: Option<i64>,
    /// `end_time` - `start_time`, in seconds; none until it has both.
    pub duration_seconds: Option<f64>,
}
