//! Why a run is impossible.

use crate::config::{ConfigError, UnitError};
use crate::manifest::Infeasible;

/// Why a run can't be made. Settings are named as the options of the program are; texts are fragments
/// that fit after "error: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The fleet's behaviour doesn't fit the run's slots or its time.
    #[error(transparent)]
    Infeasible(#[from] Infeasible),
    /// The interval between two readings is out of bounds.
    #[error("--interval: {0}")]
    Interval(UnitError),
    /// The start is out of bounds.
    #[error("--start: {0}")]
    Start(UnitError),
    /// The byte rate is out of bounds in records.
    #[error("--byte-rate in records: {0}")]
    ByteRate(UnitError),
    /// No selected topic has slots, so a byte rate means nothing.
    #[error("--byte-rate needs a topic that is paced: announcements of machines are not")]
    NothingPaced,
    /// The load is to follow a curve that the fleet doesn't have.
    #[error(
        "--peak-rate follows the fleet's temporal curve, and there is none: set temporal_patterns.enable_diurnal=true, or choose a scenario that does, as production"
    )]
    NoCurve,
    /// A number of jobs needs a run with an end.
    #[error(
        "n_jobs = {n_jobs} needs a run of known length: give --readings, --records or --duration, or set jobs.arrival_probability instead"
    )]
    JobsWithoutEnd {
        /// The jobs that were asked for.
        n_jobs: u64,
    },
    /// The number of jobs doesn't fit the run's readings.
    #[error(
        "n_jobs = {n_jobs} is too many for {readings:.0} readings: at most one reading in five can bring a job, so {most:.0}"
    )]
    TooManyJobs {
        /// The jobs that were asked for.
        n_jobs: u64,
        /// The readings that can bring one.
        readings: f64,
        /// The most jobs that they can bring.
        most: f64,
    },
    /// A shard has no absolute start.
    #[error(
        "--shard needs --start with an instant, as 2026-01-01T00:00:00Z: shards that start by their own clocks would disagree"
    )]
    ShardStart,
    /// A shard has no seed.
    #[error("--shard needs --seed: each shard would draw its own")]
    ShardSeed,
    /// A live run at a rate starts in the past.
    #[error(
        "--start in the past and --rate can't be combined in live time: a run catches up only at the natural pace; leave out --rate, or use --time simulated"
    )]
    PastStart,
}
