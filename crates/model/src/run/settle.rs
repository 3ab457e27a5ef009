//! What of a run is settled when all its settings are known: its start, and how often jobs arrive.

use chrono::{DateTime, Utc};

use crate::config::units::StartTime;
use crate::fleet::Fleet;
use crate::manifest::Manifest;
use crate::schedule::{Pace, Slots, Time};
use crate::simulation::jobs;
use crate::simulation::temporal_curve::TemporalCurve;

use super::error::RunError;

/// When a run starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// When its manifest says: the start was given, or follows from the run's length.
    Fixed,
    /// When all is ready. The run then writes the instant into its manifest.
    WhenReady,
}

/// How far in the past a live start may lie beside a rate: shards start seconds apart.
pub(super) const LATE_START_MS: i64 = 60_000;
/// The most arrivals a machine and reading that event slots can carry: see `jobs` in the
/// configuration.
const MOST_ARRIVALS: f64 = 0.2;

/// Turns `n_jobs` into the probability of an arrival, for a start at `start_ms`.
pub(super) fn jobs(manifest: &mut Manifest, start_ms: i64) -> Result<(), RunError> {
    let Some(n_jobs) = manifest.config.n_jobs else {
        return Ok(());
    };
    let Some(length) = manifest.fleet_time() else {
        return Err(RunError::JobsWithoutEnd { n_jobs });
    };
    let rounds = length.as_secs_f64() / manifest.interval.duration().as_secs_f64();
    // Where load follows the clock, jobs do: fewer readings bring one, and each more likely.
    let fleet = Fleet::new(&manifest.config, manifest.seed);
    let end_ms = start_ms.saturating_add(manifest.span_ms(length));
    let mut course = TemporalCurve::new(&manifest.config, &fleet);
    let curve = course.as_mut().map_or(1.0, |c| c.mean(start_ms, end_ms));
    let readings = rounds * f64::from(manifest.config.n_machines) * curve;
    // Jobs that run at the start have their records too.
    let spacing_ms = manifest.schedule().spacing_ms();
    let begun = jobs::mean_in_progress(|readings| {
        let before = start_ms.saturating_sub((readings as f64 * spacing_ms) as i64);
        course.as_mut().map_or(1.0, |c| c.fleet_factor(before))
    }) * f64::from(manifest.config.n_machines);
    let most = readings * MOST_ARRIVALS;
    if n_jobs as f64 > most {
        return Err(RunError::TooManyJobs { n_jobs, readings, most });
    }
    let arrival = if n_jobs == 0 { 0.0 } else { n_jobs as f64 / (readings + begun) };
    manifest.config.jobs.arrival_probability = arrival;
    Ok(())
}

/// Settles the start, and refuses what no start can serve.
pub(super) fn start(
    given: Option<StartTime>,
    manifest: &mut Manifest,
    now_ms: i64,
) -> Result<Start, RunError> {
    if manifest.shard.count() > 1 {
        if !matches!(given, Some(StartTime::Absolute(_))) {
            return Err(RunError::ShardStart);
        }
        if manifest.config.seed.is_none() {
            return Err(RunError::ShardSeed);
        }
    }
    let start_ms = match (given, manifest.time) {
        (None | Some(StartTime::Now), Time::Live) => return Ok(Start::WhenReady),
        (None, Time::Simulated) => match manifest.fleet_time() {
            Some(length) => {
                // A reading stands in the middle of its part of the round, so that its last slot
                // may reach beyond: (S - 2) / 2S of a part, for S slots.
                let slots = Slots::new(manifest.topic_set()).len() as u32;
                let part = manifest.interval.duration() / manifest.config.n_machines;
                let beyond = part * slots.saturating_sub(2) / (2 * slots.max(1));
                let length = (length + beyond).as_millis() as i64 + 1;
                now_ms.saturating_sub(length).max(0)
            }
            None => return Ok(Start::WhenReady),
        },
        (Some(given), _) => given.resolve(now_ms).map_err(RunError::Start)?,
    };
    let paced_by_rate = matches!(manifest.pace, Pace::Rate(_) | Pace::Load(_));
    if manifest.time == Time::Live && paced_by_rate && start_ms < now_ms - LATE_START_MS {
        return Err(RunError::PastStart);
    }
    manifest.start = instant(start_ms);
    Ok(Start::Fixed)
}

/// An instant in milliseconds since the epoch; the epoch for years that no start reaches.
pub(super) fn instant(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::UNIX_EPOCH)
}
