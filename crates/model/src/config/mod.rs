//! The configuration: the seed's `CrossfilterConfig` under its own names, where each value came
//! from, and the units that it is written in.
//!
//! To add a key: add the field with its default below (or in `shape.rs`), one line to the table in `bounds.rs`, and,
//! where a switch turns it on, one line to the table in `notes.rs`.

mod bounds;
mod error;
mod layer;
mod notes;
mod origin;
mod resolve;
pub mod scenarios;
pub mod shape;
mod suggestion;
pub mod units;
mod yaml;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use bounds::whole_bounds;
pub use error::{ConfigError, Problem, ProblemKind};
pub use layer::Layer;
pub use origin::Origin;
pub use resolve::{Resolved, resolve};
pub use scenarios::Scenario;
pub use shape::{
    Anomalies, Degradation, Failures, Growth, Maintenance, TemporalPatterns, ZonePatterns,
};
pub use suggestion::nearest;
pub use units::{ByteRate, Rate, RateLimit, Shard, Span, Speed, StartTime, UnitError};

/// What is simulated. Every key may be left out; missing keys take their defaults.
///
/// Reading one with serde checks names and types only; [`resolve`] and [`Config::validate`] also
/// check the bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Machines in the fleet: 1 to 10,000,000, default 100.
    pub n_machines: u32,
    /// Readings of each machine, after which the run ends: 1 to 100,000,000,000. Unset (the
    /// default) means no end.
    pub n_readings: Option<u64>,
    /// Expected number of jobs over a run of known length: 0 to 1,000,000,000,000. Unset (the
    /// default), jobs arrive by [`Jobs::arrival_probability`].
    pub n_jobs: Option<u64>,
    /// Seed of every random stream: any unsigned 64-bit integer. Unset (the default), one is
    /// drawn and written into the manifest.
    pub seed: Option<u64>,
    /// Names of the types of machine: 1 to 255 different names of 1 to 128 bytes, default core,
    /// edge, worker.
    pub machine_types: Vec<String>,
    /// Fewest and most CPU cores of a machine: 1 to 4096, default 4 to 64. Edges have the lowest part of the
    /// range, workers the highest, on a logarithmic scale; even numbers where both bounds are even.
    pub cores_range: (u32, u32),
    /// Names of the zones: 1 to 255 different names of 1 to 128 bytes, default zone-a, zone-b,
    /// zone-c.
    pub zones: Vec<String>,
    /// Names of the regions: 1 to 255 different names of 1 to 128 bytes, default us-east-1,
    /// us-west-2, eu-west-1.
    pub regions: Vec<String>,
    /// Mean CPU utilisation of the fleet, jobs included, at the peak of the temporal patterns: a fraction
    /// from 0 to 1, default 0.3. Anomalies and wear come on top. With the default jobs and variance it is
    /// kept from 0.05 to 0.8; above, machines are saturated, and the mean is 0.86 at most. A note says what a run
    /// has instead.
    pub base_cpu_load: f64,
    /// Mean memory utilisation of the fleet, jobs included, over a week: a fraction from 0 to 1, default
    /// 0.5. Leaks come on top. With the default jobs and variance it is kept from 0.1 to 0.9; beyond, the
    /// system and jobs hold more, or memory is full. A note says so.
    pub base_memory_load: f64,
    /// Mean network utilisation where `base_cpu_load` is its default: a fraction from 0 to 1, default 0.3.
    /// It sets the bytes of a request of each machine type, so that traffic goes with requests.
    pub base_network_load: f64,
    /// How far loads stray from their mean: from 0 to 1, default 0.2.
    pub load_variance: f64,
    /// Anomalous episodes, labelled in the telemetry.
    pub anomalies: Anomalies,
    /// Load by the hour of the day and the day of the week.
    pub temporal_patterns: TemporalPatterns,
    /// Whether machines fail: default false.
    pub enable_failures: bool,
    /// Probability that a machine fails, per machine and reading: from 0 to 1, default 0.001.
    pub failure_probability: f64,
    /// Probability that a machine fails when one that it depends on has failed: from 0 to 1,
    /// default 0.3.
    pub cascade_failure_probability: f64,
    /// How machines fail and come back.
    pub failures: Failures,
    /// Planned maintenance by night.
    pub maintenance: Maintenance,
    /// Wear and recovery.
    pub degradation: Degradation,
    /// Growth of the load over months.
    pub growth: Growth,
    /// What sets zones apart.
    pub zone_patterns: ZonePatterns,
    /// The jobs that the machines run.
    pub jobs: Jobs,
}

/// The jobs that the machines run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jobs {
    /// Probability that a job arrives, per machine and reading, where `n_jobs` is unset: from 0
    /// to 0.2, default 0.01; load's daily and weekly curve lowers it. A job changes its state up to three times and a reading carries one
    /// event, so more would queue without end.
    pub arrival_probability: f64,
}

impl Config {
    /// The configuration as YAML that reads back as the same configuration.
    ///
    /// # Errors
    /// [`ConfigError::Internal`] if it cannot be written as YAML.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        serde_saphyr::to_string(self).map_err(ConfigError::internal)
    }

    /// Checks the bounds of a configuration that came by serde (as part of a manifest, say)
    /// rather than by [`resolve`]; `origin` is what the error names.
    ///
    /// # Errors
    /// [`ConfigError::Settings`] with every value out of bounds.
    pub fn validate(&self, origin: Origin) -> Result<(), ConfigError> {
        let value = serde_json::to_value(self).map_err(ConfigError::internal)?;
        resolve(vec![Layer { origin, value }]).map(|_| ())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            n_machines: 100,
            n_readings: None,
            n_jobs: None,
            seed: None,
            machine_types: names(["core", "edge", "worker"]),
            cores_range: (4, 64),
            zones: names(["zone-a", "zone-b", "zone-c"]),
            regions: names(["us-east-1", "us-west-2", "eu-west-1"]),
            base_cpu_load: 0.3,
            base_memory_load: 0.5,
            base_network_load: 0.3,
            load_variance: 0.2,
            anomalies: Anomalies::default(),
            temporal_patterns: TemporalPatterns::default(),
            enable_failures: false,
            failure_probability: 0.001,
            cascade_failure_probability: 0.3,
            failures: Failures::default(),
            maintenance: Maintenance::default(),
            degradation: Degradation::default(),
            growth: Growth::default(),
            zone_patterns: ZonePatterns::default(),
            jobs: Jobs::default(),
        }
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self { arrival_probability: 0.01 }
    }
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}
