//! A detector's alarms, scored against the ground truth that the run's manifest gives.
//!
//! There is a small set of figures and no total. Beside each is that of a detector that raises as many
//! alarms at readings drawn at random. An episode is detected or missed; readings count for themselves, and
//! those of an episode don't count as found because one of them was. What is kept grows with alarms,
//! incidents and machines, not with readings.
//!
//! The rows go through `alarms` (what the detector said), `truth` (what really happened, made again in one
//! pass), `judge` (which alarms are right) and `calculation`; `random` is the detector that stands beside.

mod alarms;
mod calculation;
mod curve;
mod figures;
mod intervals;
mod judge;
mod random;
mod ranking;
mod truth;

#[cfg(test)]
mod tests;

use fleetstorm_model::record::Topic;

pub use alarms::{Alarm, Alarms};
pub use figures::{
    AlarmCounts, Delays, Episode, FalseAlarms, Figure, Figures, MergedAlarms, RandomBy,
    RandomDetector, ReadingFigures, RunFacts, Score,
};
pub use intervals::wilson;
pub use judge::Rules;

use crate::evaluate::Part;
use truth::Truth;

/// How alarms are scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// What an alarm counts for.
    pub rules: Rules,
    /// The score from which on a row is an alarm; none: each row is one.
    pub threshold: Option<f64>,
    /// The instant, in milliseconds since the epoch, from which on the run was live, so that the time at
    /// which an alarm was written shows its delay; none: it never was.
    pub live_from_ms: Option<i64>,
}

/// Why alarms can't be scored. Texts are fragments that fit after "error: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// There is nothing to detect.
    #[error(
        "the run has no episode of an anomaly, so that there is nothing to detect: {}",
        if *enabled {
            "make a longer run, one of more machines, or give its anomalies a higher probability, as by --set anomalies.cpu_spike_probability=0.02"
        } else {
            "make a run with --set anomalies.enable=true, or with --scenario anomaly_detection"
        }
    )]
    NoEpisodes {
        /// Whether the run's anomalies are enabled.
        enabled: bool,
    },
    /// The run has no readings that a detector could see.
    #[error(
        "the run writes no readings, which a detector would look at: it has neither topic telemetry nor topic usage, but {}", written.iter().map(|t| t.name()).collect::<Vec<_>>().join(", ")
    )]
    NoReadings {
        /// The topics that it writes.
        written: Vec<Topic>,
    },
    /// The manifest gives no end.
    #[error(
        "the run has no end in its manifest, so it has no ground truth: end it by --records, --readings or --duration, or give the report of a run that was interrupted"
    )]
    Endless,
    /// No run was given.
    #[error("no manifest was given")]
    NoInput,
}

/// The score of `alarms` in a run that consists of `parts`.
///
/// # Errors
/// [`ScoreError`] where the run gives nothing to score them by.
pub fn score(
    parts: &[Part<'_>],
    mut alarms: Alarms,
    options: &Options,
) -> Result<Score, ScoreError> {
    let manifest = parts.first().ok_or(ScoreError::NoInput)?.manifest;
    let written = manifest.topic_set();
    if ![Topic::Telemetry, Topic::Usage].into_iter().any(|topic| written.contains(topic)) {
        return Err(ScoreError::NoReadings { written: written.iter().collect() });
    }
    if !manifest.has_known_end() && parts.iter().any(|part| part.records.is_none()) {
        return Err(ScoreError::Endless);
    }
    alarms.sort();
    let truth = Truth::of(parts, &mut alarms, options.rules.grace_ms);
    if !truth.spans.iter().any(truth::Span::is_episode) {
        return Err(ScoreError::NoEpisodes { enabled: manifest.config.anomalies.enable });
    }
    Ok(calculation::calculate(&truth, &alarms, options, manifest.seed))
}
