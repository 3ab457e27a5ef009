//! The sections of the configuration that give events their shape: anomalies, patterns in time and
//! place, failures, maintenance, wear.
//!
//! Probabilities are per machine and reading, those of anomalies shares of readings; durations count
//! readings unless their name says otherwise, so that the shape doesn't depend on the rate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Anomalous episodes, labelled in the telemetry. The probability of a kind is the share of readings that
/// are in an episode of it; so one begins with the probability share / mean length. Episodes that a failure
/// ends early leave a little less. A duration is drawn evenly from its range, a magnitude evenly within
/// 25 % of its value (the level of a full disk is exact), and each episode adds a point at least.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Anomalies {
    /// Whether there are any: default false.
    pub enable: bool,
    /// Share of readings in a CPU spike: from 0 to 1, default 0.02.
    pub cpu_spike_probability: f64,
    /// Points of CPU that a spike adds at its start, from where it falls to a quarter: 0 to 100, default 40.
    pub cpu_spike_magnitude: f64,
    /// Length of a CPU spike: 1 to 1,000,000 readings, default 5 to 30.
    pub cpu_spike_duration: (u32, u32),
    /// Share of readings in a memory leak: from 0 to 1, default 0.01.
    pub memory_leak_probability: f64,
    /// Points of memory that a leak takes each reading: 0 to 100, default 0.5.
    pub memory_leak_rate: f64,
    /// Readings until the leaking process is restarted: 1 to 1,000,000, default 5 to 30.
    pub memory_leak_duration: (u32, u32),
    /// Share of readings with a saturated network: from 0 to 1, default 0.01.
    pub network_saturation_probability: f64,
    /// How many times longer responses take over a saturated link: 1 to 100, default 5.
    pub network_saturation_slowdown: f64,
    /// Length of a saturation: 1 to 1,000,000 readings, default 5 to 30.
    pub network_saturation_duration: (u32, u32),
    /// Share of readings in which a disk runs full: from 0 to 1, default 0.
    pub disk_full_probability: f64,
    /// Percent of the disk at which it stands until it is cleaned: 92 to 100, default 99. Disks are up to 90 %
    /// full by themselves.
    pub disk_full_level: f64,
    /// Readings until a full disk is cleaned: 1 to 1,000,000, default 5 to 30.
    pub disk_full_duration: (u32, u32),
    /// Share of readings in which CPU, memory and network run high together: from 0 to 1, default 0.
    pub multi_resource_probability: f64,
    /// Points of CPU and of memory that are added: 0 to 100, default 30.
    pub multi_resource_magnitude: f64,
    /// Length of such an episode: 1 to 1,000,000 readings, default 5 to 30.
    pub multi_resource_duration: (u32, u32),
    /// Share of readings in which a sensor drifts: from 0 to 1, default 0.
    pub sensor_drift_probability: f64,
    /// Points by which a drifting sensor is off before it is calibrated: 0 to 100, default 20.
    pub sensor_drift_magnitude: f64,
    /// Readings until a drifting sensor is calibrated: 1 to 1,000,000, default 5 to 30.
    pub sensor_drift_duration: (u32, u32),
}

/// Load by the hour of the day and the day of the week, in the region's local time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemporalPatterns {
    /// Whether load follows the hour of the day: default false.
    pub enable_diurnal: bool,
    /// Whether load follows the day of the week: default false.
    pub enable_weekly: bool,
    /// Hour at which load is highest: 0 to 23, default 14.
    pub peak_hour: u8,
    /// Load at its lowest of the day, as a fraction of that at the peak: from 0 to 1, default 0.3.
    pub night_load_factor: f64,
    /// Load at weekends, as a fraction of that on weekdays: from 0 to 1, default 0.5.
    pub weekend_load_factor: f64,
    /// Time zones of regions, by IANA name, as `{mars-1: Europe/Paris}`; they come before the
    /// built-in ones of the large clouds' regions. Default none.
    pub time_zones: BTreeMap<String, String>,
}

/// How machines fail and come back, where `enable_failures` is on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Failures {
    /// Median time that a machine is down, log-normally distributed: 1 to 1,000,000 readings,
    /// default 20.
    pub repair_readings: f64,
    /// Readings from the failure of a machine to that of one that depends on it: 1 to 1,000,000,
    /// default 1 to 3.
    pub cascade_delay: (u32, u32),
    /// Whether a machine that is down still has telemetry and usage records, all zeros: default
    /// false.
    pub report_while_down: bool,
}

/// Planned maintenance: every night, in local time, each zone's machines in their zone's turn. On a
/// night on which clocks are put forward or back, zones share out what there is of the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Maintenance {
    /// Whether there is any: default false.
    pub enable: bool,
    /// Local hours of the window, from the first on and up to the second, which is the next day's
    /// where it isn't above the first, as in 22 to 4; zones share it out in their order: 0 to 24,
    /// different hours, default 2 to 5.
    pub hours: (u8, u8),
    /// Fewest and most minutes that a machine is out of service: 1 to 1440, default 15 to 45; at most
    /// its zone's part of the window.
    pub minutes: (u32, u32),
    /// Part of the machines that has its turn in a night: from 0 to 1, default 1.
    pub share: f64,
}

/// Wear: machines grow slower until they are restarted, each at its own pace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Degradation {
    /// Whether machines wear out: default false.
    pub enable: bool,
    /// Wear that a reading adds, on average: above 0 and up to 1, default 0.008.
    pub rate: f64,
    /// Wear at which a machine is taken to recovery: above 0 and up to 1, default 0.9.
    pub threshold: f64,
    /// Wear that a reading of recovery takes away: above 0 and up to 1, default 0.2.
    pub recovery: f64,
}

/// Growth of the load over fleet time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Growth {
    /// What a month (30 days of fleet time) adds to the load, as a fraction of that at the start:
    /// from 0 to 10, default 0.
    pub per_month: f64,
}

/// What sets zones apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ZonePatterns {
    /// How far zones' loads lie apart: the first has 1 + this times the load, the last 1 - this,
    /// the others evenly between. From 0 to 1, default 0.
    pub load_spread: f64,
    /// One zone has trouble once in this many readings: 2 to 1,000,000,000, or null (the
    /// default) for never.
    pub trouble_every: Option<u64>,
    /// How many readings the trouble lasts: 1 to 1,000,000,000, default 120; at most
    /// `trouble_every`.
    pub trouble_readings: u64,
    /// How many times longer responses take meanwhile: 1 to 100, default 3.
    pub trouble_slowdown: f64,
}

impl Anomalies {
    /// Each kind's name, share of readings and bounds of its length in readings, whether switched on or not, in
    /// the order of [`IncidentKind::ANOMALIES`](crate::simulation::incidents::IncidentKind::ANOMALIES).
    pub fn kinds(&self) -> [(&'static str, f64, (u32, u32)); 6] {
        [
            ("cpu_spike", self.cpu_spike_probability, self.cpu_spike_duration),
            ("memory_leak", self.memory_leak_probability, self.memory_leak_duration),
            (
                "network_saturation",
                self.network_saturation_probability,
                self.network_saturation_duration,
            ),
            ("disk_full", self.disk_full_probability, self.disk_full_duration),
            ("multi_resource", self.multi_resource_probability, self.multi_resource_duration),
            ("sensor_drift", self.sensor_drift_probability, self.sensor_drift_duration),
        ]
    }

    /// The share of readings that are to be expected in an episode of any kind, from 0 to 1: kinds are
    /// independent.
    pub fn expected_share(&self) -> f64 {
        if !self.enable {
            return 0.0;
        }
        1.0 - self.kinds().iter().map(|(_, share, _)| 1.0 - share).product::<f64>()
    }
}

impl Maintenance {
    /// How many hours the window has, from 1 to 24.
    pub fn window_hours(&self) -> u8 {
        let (first, last) = self.hours;
        if first < last { last - first } else { 24 + last - first }
    }
}

impl Default for Anomalies {
    fn default() -> Self {
        let duration = (5, 30);
        Self {
            enable: false,
            cpu_spike_probability: 0.02,
            cpu_spike_magnitude: 40.0,
            cpu_spike_duration: duration,
            memory_leak_probability: 0.01,
            memory_leak_rate: 0.5,
            memory_leak_duration: duration,
            network_saturation_probability: 0.01,
            network_saturation_slowdown: 5.0,
            network_saturation_duration: duration,
            disk_full_probability: 0.0,
            disk_full_level: 99.0,
            disk_full_duration: duration,
            multi_resource_probability: 0.0,
            multi_resource_magnitude: 30.0,
            multi_resource_duration: duration,
            sensor_drift_probability: 0.0,
            sensor_drift_magnitude: 20.0,
            sensor_drift_duration: duration,
        }
    }
}

impl Default for TemporalPatterns {
    fn default() -> Self {
        Self {
            enable_diurnal: false,
            enable_weekly: false,
            peak_hour: 14,
            night_load_factor: 0.3,
            weekend_load_factor: 0.5,
            time_zones: BTreeMap::new(),
        }
    }
}

impl Default for Failures {
    fn default() -> Self {
        Self { repair_readings: 20.0, cascade_delay: (1, 3), report_while_down: false }
    }
}

impl Default for Maintenance {
    fn default() -> Self {
        Self { enable: false, hours: (2, 5), minutes: (15, 45), share: 1.0 }
    }
}

impl Default for Degradation {
    fn default() -> Self {
        Self { enable: false, rate: 0.008, threshold: 0.9, recovery: 0.2 }
    }
}

impl Default for Growth {
    fn default() -> Self {
        Self { per_month: 0.0 }
    }
}

impl Default for ZonePatterns {
    fn default() -> Self {
        Self { load_spread: 0.0, trouble_every: None, trouble_readings: 120, trouble_slowdown: 3.0 }
    }
}
