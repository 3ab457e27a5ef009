//! Reporting on a run: while it lasts, at its end, and in a file.

pub mod file;
pub mod hdr_log;
pub mod histogram;
pub mod latency;
pub mod live;
pub mod merge;
pub mod number_format;
pub mod rate;
pub mod read;
pub mod results;
pub mod summary;

use serde::{Deserialize, Serialize};

use fleetstorm_model::config::units::Shard;
use fleetstorm_model::manifest::Manifest;

pub use results::Results;

/// The JSON document of a run: what was planned, and what happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The run, as resolved before its first record.
    pub manifest: Manifest,
    /// The shards that it holds, if it was merged. `manifest.shard` is then the whole fleet if these are
    /// all shards, else the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<Vec<Shard>>,
    /// The results; `None` until the run has ended.
    pub results: Option<Results>,
}
