//! Scenarios: named presets over the configuration. What is set beside one wins over it, key by
//! key.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::error::ConfigError;
use super::layer::Layer;
use super::origin::Origin;
use super::suggestion::nearest;

/// A named preset.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What `--scenario` takes.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub description: &'static str,
    /// The settings that make it, as an object in the shape of [`super::Config`].
    pub settings: Value,
}

static SCENARIOS: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
    let scenario = |name, description, settings| Scenario { name, description, settings };
    vec![
        scenario("baseline", "Normal operating conditions", json!({})),
        scenario(
            "maintenance_window",
            "Machines are drained at night, zone after zone, in each region's local time",
            json!({
                "temporal_patterns": {"enable_diurnal": true, "night_load_factor": 0.5},
                "maintenance": {"enable": true, "hours": [1, 5], "minutes": [15, 45]},
            }),
        ),
        scenario(
            "capacity_planning",
            "Load grows by an eighth a month, over days and weeks with their pattern",
            json!({
                "temporal_patterns": {
                    "enable_diurnal": true, "enable_weekly": true,
                    "night_load_factor": 0.5, "weekend_load_factor": 0.7,
                },
                "growth": {"per_month": 0.125},
            }),
        ),
        scenario(
            "anomaly_detection",
            "Anomalies of all six kinds, labelled, in about one reading in ten",
            json!({
                "anomalies": {
                    "enable": true,
                    "cpu_spike_probability": 0.03,
                    "memory_leak_probability": 0.02, "memory_leak_rate": 1.0,
                    "network_saturation_probability": 0.02,
                    "disk_full_probability": 0.015,
                    "multi_resource_probability": 0.01,
                    "sensor_drift_probability": 0.01,
                },
            }),
        ),
        scenario(
            "multi_zone",
            "Four zones, each with its own load; now and then one has trouble",
            json!({
                "zones": ["zone-a", "zone-b", "zone-c", "zone-d"],
                "regions": ["us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1"],
                "temporal_patterns": {"enable_diurnal": true, "night_load_factor": 0.5},
                "zone_patterns": {
                    "load_spread": 0.4, "trouble_every": 300, "trouble_readings": 60,
                },
            }),
        ),
        scenario(
            "cpu_bound",
            "Processors are the bottleneck: long queues, slow responses",
            json!({
                "base_cpu_load": 0.75, "base_memory_load": 0.4, "base_network_load": 0.1,
                "jobs": {"arrival_probability": 0.02},
            }),
        ),
        scenario(
            "memory_bound",
            "Memory is nearly full across the fleet, and leaks make it worse",
            json!({
                "base_memory_load": 0.9, "base_cpu_load": 0.25,
                "anomalies": {
                    "enable": true,
                    "cpu_spike_probability": 0.0, "network_saturation_probability": 0.0,
                    "memory_leak_probability": 0.05,
                },
            }),
        ),
        scenario(
            "network_heavy",
            "Traffic fills half of the links on average, and saturates some",
            json!({
                "base_network_load": 0.55,
                "anomalies": {
                    "enable": true,
                    "cpu_spike_probability": 0.0, "memory_leak_probability": 0.0,
                    "network_saturation_probability": 0.05,
                },
            }),
        ),
        scenario(
            "degradation_cycle",
            "Machines wear out and recover, out of step",
            json!({
                "degradation": {
                    "enable": true, "rate": 0.008, "threshold": 0.9, "recovery": 0.2,
                },
            }),
        ),
        scenario(
            "production",
            "Everything at its usual rate: days, weeks, anomalies, wear, maintenance, failures",
            json!({
                "temporal_patterns": {
                    "enable_diurnal": true, "enable_weekly": true,
                    "night_load_factor": 0.5, "weekend_load_factor": 0.65,
                },
                "anomalies": {
                    "enable": true,
                    "cpu_spike_probability": 0.008, "cpu_spike_magnitude": 30.0,
                    "cpu_spike_duration": [3, 20],
                    "memory_leak_probability": 0.005, "memory_leak_rate": 0.3,
                    "memory_leak_duration": [20, 100],
                    "network_saturation_probability": 0.005,
                    "network_saturation_duration": [3, 20],
                    "disk_full_probability": 0.003,
                    "multi_resource_probability": 0.002,
                    "sensor_drift_probability": 0.002, "sensor_drift_duration": [50, 200],
                },
                "enable_failures": true,
                "failure_probability": 0.0002,
                "cascade_failure_probability": 0.2,
                "failures": {"cascade_delay": [2, 6]},
                "maintenance": {"enable": true, "hours": [2, 4], "minutes": [20, 40], "share": 0.1},
                "degradation": {"enable": true, "rate": 0.001, "threshold": 0.95, "recovery": 0.08},
                "zone_patterns": {"load_spread": 0.15},
            }),
        ),
        scenario(
            "chaos",
            "Anomalies, failures and cascades at high rates, from which the fleet recovers",
            json!({
                "anomalies": {
                    "enable": true,
                    "cpu_spike_probability": 0.15, "cpu_spike_magnitude": 60.0,
                    "cpu_spike_duration": [2, 10],
                    "memory_leak_probability": 0.1, "memory_leak_rate": 1.5,
                    "memory_leak_duration": [2, 10],
                    "network_saturation_probability": 0.1,
                    "network_saturation_duration": [2, 10],
                    "disk_full_probability": 0.08, "disk_full_duration": [2, 10],
                    "multi_resource_probability": 0.06, "multi_resource_duration": [2, 10],
                },
                "enable_failures": true,
                "failure_probability": 0.005,
                "cascade_failure_probability": 0.6,
                "failures": {"repair_readings": 10.0, "cascade_delay": [1, 2]},
                "zone_patterns": {
                    "trouble_every": 300, "trouble_readings": 60, "trouble_slowdown": 4.0,
                },
            }),
        ),
        scenario(
            "cpu_spikes",
            "Frequent, short, strong CPU spikes over days and weeks with their pattern",
            json!({
                "temporal_patterns": {
                    "enable_diurnal": true, "enable_weekly": true,
                    "night_load_factor": 0.55, "weekend_load_factor": 0.6,
                },
                "anomalies": {
                    "enable": true,
                    "cpu_spike_probability": 0.2, "cpu_spike_magnitude": 50.0,
                    "cpu_spike_duration": [3, 15],
                    "memory_leak_probability": 0.0, "network_saturation_probability": 0.0,
                },
            }),
        ),
        scenario(
            "memory_leak",
            "Long memory leaks, each ended by a restart",
            json!({
                "anomalies": {
                    "enable": true,
                    "memory_leak_probability": 0.2, "memory_leak_rate": 0.8,
                    "memory_leak_duration": [50, 100],
                    "cpu_spike_probability": 0.0, "network_saturation_probability": 0.0,
                },
            }),
        ),
        scenario(
            "network_congestion",
            "Links saturate again and again, at any hour; traffic is highest before noon",
            json!({
                "temporal_patterns": {
                    "enable_diurnal": true, "peak_hour": 11, "night_load_factor": 0.4,
                },
                "anomalies": {
                    "enable": true,
                    "network_saturation_probability": 0.2,
                    "network_saturation_duration": [10, 30],
                    "cpu_spike_probability": 0.0, "memory_leak_probability": 0.0,
                },
            }),
        ),
        scenario(
            "disk_pressure",
            "Disks run full and stay so until they are cleaned",
            json!({
                "anomalies": {
                    "enable": true,
                    "disk_full_probability": 0.2, "disk_full_duration": [100, 200],
                    "cpu_spike_probability": 0.0, "memory_leak_probability": 0.0,
                    "network_saturation_probability": 0.0,
                },
                "degradation": {"enable": true, "rate": 0.005},
            }),
        ),
        scenario(
            "cascade_failure",
            "Failures that take the machines that depend on them along",
            json!({
                "enable_failures": true,
                "failure_probability": 0.002,
                "cascade_failure_probability": 0.5,
                "failures": {"cascade_delay": [2, 4]},
            }),
        ),
        scenario(
            "sensor_drift",
            "Sensors read ever farther from the truth until they are calibrated",
            json!({
                "anomalies": {
                    "enable": true,
                    "sensor_drift_probability": 0.2, "sensor_drift_magnitude": 25.0,
                    "sensor_drift_duration": [100, 300],
                    "cpu_spike_probability": 0.0, "memory_leak_probability": 0.0,
                    "network_saturation_probability": 0.0,
                },
            }),
        ),
    ]
});

/// The name of [`all`]'s baseline in the Python package superstore.
const NORMAL: &str = "normal";

/// All scenarios, in the order in which they are listed.
pub fn all() -> &'static [Scenario] {
    &SCENARIOS
}

/// The scenario of this name; `normal`, the Python package's word, is `baseline`.
///
/// # Errors
/// [`ConfigError::UnknownScenario`] with the nearest name, or all names where none is near.
pub fn find(name: &str) -> Result<&'static Scenario, ConfigError> {
    let name = if name == NORMAL { "baseline" } else { name };
    let known = || all().iter().map(|scenario| scenario.name);
    all().iter().find(|scenario| scenario.name == name).ok_or_else(|| {
        ConfigError::UnknownScenario {
            name: name.to_owned(),
            nearest: nearest(name, known()),
            known: known().collect(),
        }
    })
}

impl Scenario {
    /// The scenario's settings, to be resolved with what is set beside it.
    pub fn layer(&self) -> Layer {
        Layer { origin: Origin::Scenario(self.name.to_owned()), value: self.settings.clone() }
    }

    /// The scenario as YAML that a configuration file can hold: its settings alone, under a comment
    /// that says what it is.
    ///
    /// # Errors
    /// [`ConfigError::Internal`] if it cannot be written as YAML.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        let heading = format!("# {}: {}\n", self.name, self.description);
        if self.settings == json!({}) {
            return Ok(heading + "{}\n");
        }
        let settings = serde_saphyr::to_string(&self.settings).map_err(ConfigError::internal)?;
        Ok(heading + &settings)
    }
}
