//! Notes on what a configuration asks for and the run is too short to show.

use std::time::Duration;

use chrono::DateTime;

use crate::config::Config;
use crate::config::units::Span;
use crate::fleet::Fleet;
use crate::manifest::Manifest;
use crate::schedule::{Pace, Time};
use crate::simulation::local_time::LocalClock;
use crate::simulation::maintenance::MaintenanceRules;

const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// A month of `growth.per_month`.
const MONTH: Duration = Duration::from_secs(30 * 86_400);
/// Growth by less can't be seen beside what load does otherwise.
const VISIBLE_GROWTH: f64 = 0.01;
/// Round intervals for suggestions, in seconds.
const INTERVALS: [u64; 16] =
    [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 21_600, 86_400];

/// A note for each setting that the run of `manifest` is too short to show. It starts at its start, or
/// where that is not known yet, at any time. A run without a known end has no notes.
pub(super) fn notes(manifest: &Manifest, is_start_known: bool) -> Vec<String> {
    let Some(fleet_time) = manifest.fleet_time() else { return Vec::new() };
    let rounds = fleet_time.as_secs_f64() / manifest.interval.duration().as_secs_f64();
    let span = Duration::from_millis(manifest.span_ms(fleet_time).max(1).unsigned_abs());
    let natural_rate = match manifest.pace {
        Pace::Natural(speed) => Some(manifest.schedule().natural_rate() * speed),
        Pace::Rate(_) | Pace::Load(_) | Pace::Max => None,
    };
    let run = Seen { config: &manifest.config, time: manifest.time, natural_rate, rounds, span };
    let maintenance = is_start_known.then(|| run.maintenance(manifest)).flatten();
    run.patterns()
        .into_iter()
        .chain(maintenance)
        .chain(run.growth())
        .chain(run.failures())
        .chain(run.anomalies())
        .collect()
}

/// What a run shows of its configuration.
struct Seen<'a> {
    config: &'a Config,
    time: Time,
    /// Records a second, where the interval decides it.
    natural_rate: Option<f64>,
    /// Readings of each machine.
    rounds: f64,
    /// From the first timestamp to the last.
    span: Duration,
}

impl Seen<'_> {
    fn patterns(&self) -> Option<String> {
        let patterns = &self.config.temporal_patterns;
        let daily = (patterns.enable_diurnal && self.span < DAY).then_some(("daily", DAY));
        let weekly = (patterns.enable_weekly && self.span < WEEK).then_some(("weekly", WEEK));
        let (names, needed) = match (daily, weekly) {
            (Some((daily, _)), Some((weekly, week))) => (format!("{daily} and {weekly}"), week),
            (one, other) => {
                let (name, needed) = one.or(other)?;
                (name.to_owned(), needed)
            }
        };
        Some(format!(
            "the run spans {}, too short for the {names} pattern of temporal_patterns: {}",
            words(self.span),
            self.long_enough(needed)
        ))
    }

    fn maintenance(&self, manifest: &Manifest) -> Option<String> {
        let share = self.config.maintenance.share;
        if !self.config.maintenance.enable || share == 0.0 {
            return None;
        }
        let start_ms = manifest.start.timestamp_millis();
        let end_ms = start_ms.saturating_add(i64::try_from(self.span.as_millis()).ok()?);
        let zones = Fleet::new(self.config, manifest.seed).time_zones().to_vec();
        let clocks = zones.into_iter().map(LocalClock::new).collect();
        let mut rules = MaintenanceRules::new(self.config, manifest.seed, clocks, 0.0)?;
        let is_seen = rules.has_window_between(start_ms, end_ms);
        let time = |ms| DateTime::from_timestamp_millis(ms).unwrap_or_default().format("%H:%M");
        (!is_seen).then(|| {
            format!(
                "the run goes from {} to {} UTC, and no region has maintenance.hours then: {}",
                time(start_ms),
                time(end_ms),
                self.long_enough(DAY)
            )
        })
    }

    fn growth(&self) -> Option<String> {
        let growth = self.config.growth.per_month * self.span.as_secs_f64() / MONTH.as_secs_f64();
        (growth > 0.0 && growth < VISIBLE_GROWTH).then(|| {
            format!(
                "the run spans {}, in which growth.per_month adds {} % to the load: {}",
                words(self.span),
                digits(100.0 * growth),
                self.long_enough(MONTH)
            )
        })
    }

    fn failures(&self) -> Option<String> {
        let rate = f64::from(self.config.n_machines) * self.config.failure_probability;
        let expected = rate * self.rounds;
        let is_rare = self.config.enable_failures && rate > 0.0 && expected < 1.0;
        is_rare.then(|| self.too_few("failures", expected, 1.0 / rate))
    }

    fn anomalies(&self) -> Option<String> {
        let anomalies = &self.config.anomalies;
        let rare = |(name, share, (least, most)): (&'static str, f64, (u32, u32))| {
            let open = f64::from(self.config.n_machines) * share;
            let length = (f64::from(least) + f64::from(most)) / 2.0;
            // Those that are open at the start, and those that begin.
            let expected = open * (1.0 + self.rounds / length);
            let is_rare = anomalies.enable && share > 0.0 && expected < 1.0;
            is_rare.then(|| (name, expected, length * (1.0 / open - 1.0)))
        };
        let rare: Vec<(&str, f64, f64)> = anomalies.kinds().into_iter().filter_map(rare).collect();
        let &(_, fewest, readings) = rare.iter().max_by(|a, b| a.2.total_cmp(&b.2))?;
        let names: Vec<&str> = rare.iter().map(|&(name, ..)| name).collect();
        Some(self.too_few(&format!("anomalies of {}", names.join(", ")), fewest, readings))
    }

    /// A note that only so many of `what` are expected, and the readings in which one is.
    fn too_few(&self, what: &str, expected: f64, readings: f64) -> String {
        format!(
            "the run has {} readings of {} machines, in which {} {what} are expected: --readings {} has one",
            self.rounds.round(),
            self.config.n_machines,
            digits(expected),
            readings.ceil()
        )
    }

    /// The options by which as many readings span `needed`, at the same rate.
    fn long_enough(&self, needed: Duration) -> String {
        let least = needed.as_secs_f64() / self.rounds.max(1.0);
        let round = INTERVALS.into_iter().find(|&seconds| seconds as f64 >= least);
        let seconds = round.unwrap_or((least / 86_400.0).ceil() as u64 * 86_400);
        let interval = words(Duration::from_secs(seconds)).replace(' ', "");
        let time = if self.time == Time::Live { "--time simulated " } else { "" };
        // By itself the interval decides the rate as well.
        let rate = self.natural_rate.map_or(String::new(), |rate| format!("--rate {rate:.0} "));
        let (readings, needed) = (self.rounds.round(), words(needed));
        format!("{readings} readings with {time}{rate}--interval {interval} span {needed}")
    }
}

fn words(length: Duration) -> String {
    // Whole seconds, where there are any.
    let seconds = Duration::from_secs(length.as_secs());
    let length = if seconds.is_zero() { length } else { seconds };
    Span::new(length).map_or_else(|_| "0s".to_owned(), |span| span.to_string())
}

/// A number below one in two digits.
fn digits(number: f64) -> String {
    let places = (1.0 - number.log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{number:.places$}")
}
