//! The figures of a score.

use std::collections::BTreeMap;

use fleetstorm_model::simulation::incidents::IncidentKind;
use serde::Serialize;

use super::random::Random;

/// A detector's score.
#[derive(Debug, Clone, Serialize)]
pub struct Score {
    /// What the detector was shown.
    pub run: RunFacts,
    /// What it said.
    pub alarms: AlarmCounts,
    /// The detector that stands beside it.
    pub random: RandomDetector,
    /// Episodes of all kinds.
    pub all: Figures,
    /// Those of each kind that there are.
    pub kinds: Vec<Figures>,
    /// How many of its alarms are right. Of no kind: one that is wrong is of none.
    pub merged: MergedAlarms,
    /// How often it alarms for nothing.
    pub false_alarms: FalseAlarms,
    /// Rows against readings, at their exact instants and without any grace.
    pub readings: ReadingFigures,
    /// The first episodes that it missed.
    pub missed: Vec<Episode>,
    /// What to know of the figures.
    pub notes: Vec<String>,
    /// All episodes, in the order of machines.
    #[serde(skip)]
    pub episodes: Vec<Episode>,
    /// The random detector.
    #[serde(skip)]
    pub(super) by_chance: Random,
    #[serde(skip)]
    pub(super) grace_ms: i64,
}

/// The run, as a detector sees it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RunFacts {
    /// Its machines.
    pub machines: u32,
    /// The readings that they reported.
    pub readings: u64,
    /// Those of an anomaly.
    pub anomalous_readings: u64,
    /// For how long machines reported and nothing was wrong with them.
    pub healthy_machine_hours: f64,
    /// When it starts, in milliseconds since the epoch.
    pub from_ms: i64,
    /// Its last reading.
    pub to_ms: i64,
}

/// What became of a detector's rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlarmCounts {
    /// All.
    pub rows: u64,
    /// Those of a machine and an instant that another row has.
    pub repeated: u64,
    /// Those of machines that the run doesn't have.
    pub unknown_machine: u64,
    /// The first of these machines.
    pub unknown_machines: Vec<String>,
    /// Those before the run or after its end and grace.
    pub outside_run: u64,
    /// Those whose score is below the threshold.
    pub below_threshold: u64,
    /// The alarms that are scored: the sum of what follows.
    pub scored: u64,
    /// Those in an episode or its grace.
    pub right: u64,
    /// Those where nothing is wrong.
    pub wrong: u64,
    /// Those in another incident or its grace, neither right nor wrong.
    pub apart: u64,
    /// These by the incident's kind.
    pub apart_by_kind: BTreeMap<&'static str, u64>,
}

/// The random detector that figures stand beside.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RandomDetector {
    /// The probability with which each reading that is reported raises an alarm.
    pub alarms_per_reading: f64,
    /// How often it was simulated, for the figures that have no closed form.
    pub simulations: u32,
    /// The seed of these simulations.
    pub seed: u64,
}

/// Where a random detector's figure is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RandomBy {
    /// The expectation, computed.
    ClosedForm,
    /// The mean of simulations.
    Simulations,
}

/// A figure, and that of the random detector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// The detector's; none where there is nothing that it could be of.
    pub value: Option<f64>,
    /// Its 95 % interval after Wilson, where it is a proportion of trials that may pass for independent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// The random detector's.
    pub random: Option<f64>,
    /// Where that is from.
    pub random_by: RandomBy,
}

/// What was found of the episodes of a kind, or of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// The kind; `all`.
    pub kind: &'static str,
    /// How many there are.
    pub episodes: u64,
    /// Those with an alarm from their begin to the end of the grace.
    pub detected: u64,
    /// The others.
    pub missed: u64,
    /// The part that was detected.
    pub recall: Figure,
    /// From begins to the first alarms, in event time, of those detected.
    pub delay_ms: Option<Delays>,
    /// The same of the random detector, simulated: the mean of each figure where it detects any.
    pub random_delay_ms: Option<Delays>,
    /// From the instants at which episodes' first readings were due to when the first alarms were written,
    /// of those detected while the run was live. A random detector takes no time, and has none.
    pub emission_delay_ms: Option<Delays>,
    /// The part of their readings that have a row of the same machine and instant.
    pub reading_recall: Figure,
    /// The area under the curve of precision over recall, of their readings against those of healthy
    /// machines; none where rows have no scores.
    pub average_precision: Figure,
}

/// Delays, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Delays {
    /// Of how many episodes; of a random detector, on average.
    pub episodes: f64,
    /// The median.
    pub p50: f64,
    /// Of 90 in 100, the most.
    pub p90: f64,
    /// The most.
    pub max: f64,
}

/// Alarms, of which those of a machine within the gap are one while the truth stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MergedAlarms {
    /// The gap, in milliseconds.
    pub gap_ms: i64,
    /// Those in episodes.
    pub right: u64,
    /// Those where nothing is wrong.
    pub wrong: u64,
    /// The part of both that is right.
    pub precision: Figure,
}

/// Alarms for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FalseAlarms {
    /// How many, once they are merged.
    pub alarms: u64,
    /// For each hour that a machine reported and was healthy.
    pub per_machine_hour: Figure,
}

/// Rows against readings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReadingFigures {
    /// Readings of an anomaly that alarmed.
    pub right: u64,
    /// Readings of healthy machines that did.
    pub wrong: u64,
    /// Readings of other incidents that did: neither right nor wrong.
    pub apart: u64,
    /// Alarms whose instant is no reading's of their machine.
    pub no_reading: u64,
    /// The part of the alarming readings that are of an anomaly.
    pub precision: Figure,
    /// The part of the readings of an anomaly that alarmed.
    pub recall: Figure,
    /// The area under the curve of precision over recall; none where rows have no scores.
    pub average_precision: Figure,
}

/// An episode, and whether it was detected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Episode {
    /// Its machine.
    pub machine_id: Box<str>,
    /// Its kind.
    #[serde(serialize_with = "kind_name")]
    pub kind: IncidentKind,
    /// When it began, in milliseconds since the epoch.
    pub start_ms: i64,
    /// When it ended; none where it outlasts the run.
    pub end_ms: Option<i64>,
    /// The readings that its machine reported up to the end of the grace.
    pub readings: u64,
    /// From its begin to the first alarm; none where it was missed.
    pub delay_ms: Option<i64>,
}

fn kind_name<S: serde::Serializer>(kind: &IncidentKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}
