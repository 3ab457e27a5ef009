//! What is told of a run: while it runs, at its end, and in a file.

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

/// The JSON document of a run: what it was to be, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The run, as resolved before its first record.
    pub manifest: Manifest,
    /// The shards that it holds, where it was merged of several: `manifest.shard` is the whole fleet
    /// where these are all of its shards, else the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<Vec<Shard>>,
    /// What became of it; none until it has ended.
    pub results: Option<Results>,
}
