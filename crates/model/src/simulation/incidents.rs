//! Incidents: the ground truth of what happens to a machine.

/// A kind of incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentKind {
    /// Processor load jumps, then falls back gradually.
    CpuSpike,
    /// A process takes more and more memory until it is restarted.
    MemoryLeak,
    /// The link is full.
    NetworkSaturation,
    /// The disk fills up until it is cleaned.
    DiskFull,
    /// Processor, memory and link run high together.
    MultiResource,
    /// A sensor drifts further and further from the true value until it is calibrated.
    SensorDrift,
    /// The machine fails by itself.
    Failure,
    /// The machine fails because one of its dependencies did.
    Cascade,
    /// The machine is taken out of service on purpose.
    Maintenance,
    /// The machine has worn out and recovers.
    Degradation,
    /// The machine's zone is in trouble.
    ZoneTrouble,
}

/// Identifies an incident: its machine's number in the fleet, and its number on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncidentRef {
    /// Number of the machine in the fleet.
    pub machine: u32,
    /// Number of the incident on the machine, from 0.
    pub number: u32,
}

/// The beginning or the end of an incident, with the fields of its record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IncidentChange {
    /// The incident's number on its machine, from 0.
    pub number: u32,
    /// Its kind.
    pub kind: IncidentKind,
    /// The incident that caused it.
    pub cause: Option<IncidentRef>,
    /// When it began, in milliseconds since the epoch.
    pub start_time: i64,
    /// When it ended, in milliseconds since the epoch; none when it begins.
    pub end_time: Option<i64>,
    /// How strong it is, in its kind's unit: see [`IncidentKind::unit`].
    pub magnitude: f32,
}

/// An incident that has begun but not ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenIncident(IncidentChange);

impl IncidentKind {
    /// All kinds: anomalies first.
    pub const ALL: [IncidentKind; 11] = [
        IncidentKind::CpuSpike,
        IncidentKind::MemoryLeak,
        IncidentKind::NetworkSaturation,
        IncidentKind::DiskFull,
        IncidentKind::MultiResource,
        IncidentKind::SensorDrift,
        IncidentKind::Failure,
        IncidentKind::Cascade,
        IncidentKind::Maintenance,
        IncidentKind::Degradation,
        IncidentKind::ZoneTrouble,
    ];

    /// The kinds that are anomalies: `is_anomaly` is true where one of them is open and shows.
    pub const ANOMALIES: [IncidentKind; 6] = {
        let [a, b, c, d, e, f, ..] = IncidentKind::ALL;
        [a, b, c, d, e, f]
    };

    /// The kind's name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            IncidentKind::CpuSpike => "cpu_spike",
            IncidentKind::MemoryLeak => "memory_leak",
            IncidentKind::NetworkSaturation => "network_saturation",
            IncidentKind::DiskFull => "disk_full",
            IncidentKind::MultiResource => "multi_resource",
            IncidentKind::SensorDrift => "sensor_drift",
            IncidentKind::Failure => "failure",
            IncidentKind::Cascade => "cascade",
            IncidentKind::Maintenance => "maintenance",
            IncidentKind::Degradation => "degradation",
            IncidentKind::ZoneTrouble => "zone_trouble",
        }
    }

    /// Whether it is an anomaly.
    pub fn is_anomaly(self) -> bool {
        IncidentKind::ANOMALIES.contains(&self)
    }

    /// The unit of this kind's magnitude.
    pub fn unit(self) -> &'static str {
        match self {
            IncidentKind::CpuSpike | IncidentKind::MultiResource => "points",
            IncidentKind::MemoryLeak => "points a reading",
            IncidentKind::SensorDrift => "points, negative where it reads too low",
            IncidentKind::DiskFull => "percent of the disk",
            IncidentKind::NetworkSaturation | IncidentKind::ZoneTrouble => {
                "times the usual response time"
            }
            IncidentKind::Failure | IncidentKind::Cascade => "readings until repaired",
            IncidentKind::Maintenance => "minutes",
            IncidentKind::Degradation => "wear from 0 to 1",
        }
    }
}

impl OpenIncident {
    /// The incident that begins with `change`.
    pub fn new(change: IncidentChange) -> OpenIncident {
        OpenIncident(change)
    }

    /// Its number on its machine.
    pub fn number(&self) -> u32 {
        self.0.number
    }

    /// Its end at the instant `timestamp` (milliseconds since the epoch).
    pub fn end(self, timestamp: i64) -> IncidentChange {
        IncidentChange { end_time: Some(timestamp), ..self.0 }
    }
}
