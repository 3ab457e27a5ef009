//! Options on what is simulated, and on the topics of its records.

use std::path::PathBuf;

use clap::Args;
use fleetstorm_model::encoding::Format;
use fleetstorm_model::manifest::JobKey;
use fleetstorm_model::record::Topic;

use super::count::{whole, whole_of};
use crate::sink::kafka::topics::TopicConfig;

/// Options on what is simulated.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What")]
pub struct FleetArgs {
    /// Configuration file, YAML or JSON.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Preset to start from: see `fleetstorm scenarios list`.
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,
    /// Machines in the fleet (n_machines; 100).
    #[arg(long, value_name = "N", value_parser = whole_of("n_machines"))]
    pub machines: Option<u64>,
    /// Readings of each machine after which the run ends (n_readings; no end).
    #[arg(long, value_name = "N", value_parser = whole_of("n_readings"))]
    pub readings: Option<u64>,
    /// Expected number of jobs over the run (n_jobs).
    #[arg(long, value_name = "N", value_parser = whole_of("n_jobs"))]
    pub jobs: Option<u64>,
    /// Seed of all random streams; drawn and printed if not given.
    #[arg(long, value_name = "N", value_parser = whole_of("seed"))]
    pub seed: Option<u64>,
    /// Set any configuration key, as in `anomalies.enable=true`; repeatable.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Options on topics and records.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Topics")]
pub struct TopicArgs {
    /// Topics to write; `incidents` is the ground truth, written only if named.
    #[arg(
        long,
        value_name = "TOPIC,...",
        value_delimiter = ',',
        default_value = "telemetry,usage,status,jobs,machines"
    )]
    pub topics: Vec<Topic>,
    /// Put before every topic's name.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub topic_prefix: String,
    /// Partitions of topics that are created.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = whole::<u32>(1, 100_000))]
    pub partitions: u32,
    /// Replicas of topics that are created [default: the broker's].
    #[arg(long, value_name = "N", value_parser = whole::<u16>(1, 1000))]
    pub replication_factor: Option<u16>,
    /// Configuration of topics that are created, for all or for one; repeatable.
    #[arg(long, value_name = "[TOPIC:]KEY=VALUE")]
    pub topic_config: Vec<TopicConfig>,
    /// Fail if a topic is missing, rather than create it.
    #[arg(long)]
    pub no_create_topics: bool,
    /// Encoding of values; `stdout` is always JSON.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Key of the jobs topic.
    #[arg(long, value_enum, default_value = "machine_id")]
    pub job_key: JobKey,
}
