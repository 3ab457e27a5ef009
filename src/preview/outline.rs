//! Which run is previewed: from options to a manifest, and the summary of it.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleetstorm_model::config::scenarios;
use fleetstorm_model::config::units::{Span, StartTime};
use fleetstorm_model::encoding::Format;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;
use fleetstorm_model::run::{Run, RunBuilder};
use fleetstorm_model::schedule::{Pace, Time};

use crate::exit::ProgramError;
use crate::report::number_format::anomalies;

/// Which run is previewed, and how it is shown.
#[derive(Debug, Clone, Default)]
pub struct PreviewOptions {
    /// The fleet.
    pub run: RunBuilder,
    /// The scenario that the fleet starts from.
    pub scenario: Option<String>,
    /// Readings of each machine.
    pub readings: Option<u64>,
    /// How much of the fleet's time is shown. Two days unless interval and readings decide it.
    pub length: Option<Span>,
    /// Fleet time between two readings of a machine.
    pub interval: Option<Span>,
    /// When the run starts. Unless given, it ends now.
    pub start: Option<StartTime>,
    /// The file of the picture. Unless given, the terminal shows the run.
    pub out: Option<PathBuf>,
    /// How many records are printed in place of a drawing.
    pub sample: Option<u64>,
}

/// The run that is previewed.
#[derive(Debug, Clone)]
pub struct Outline {
    /// The run.
    pub manifest: Manifest,
    /// The name of its scenario; `None` if it has none.
    pub scenario: Option<&'static str>,
    /// What the scenario shows, in a few words.
    pub description: &'static str,
    /// Notes for the user about options that have no effect as given.
    pub notes: Vec<String>,
}

/// The fewest readings of a machine where interval and readings are not given.
const READINGS: u64 = 2000;
const LENGTH: Duration = Duration::from_secs(48 * 3600);
const MINUTE_MS: i64 = 60_000;
const DAY_S: u64 = 86_400;
/// Round intervals, in seconds.
const INTERVALS: [u64; 26] = [
    1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1200, 1800, 3600,
    7200, 21_600, 43_200,
];

impl Outline {
    /// The run that `options` describe at the instant `now_ms` (milliseconds since the epoch).
    ///
    /// # Errors
    /// [`ProgramError::Config`] and [`ProgramError::Usage`].
    pub fn new(options: &PreviewOptions, now_ms: i64) -> Result<Outline, ProgramError> {
        let scenario = options.scenario.as_deref().map(scenarios::find).transpose()?;
        let (interval, readings) = interval_and_readings(options)?;
        let start_ms = start(options.start, interval, readings, now_ms)?;
        let builder = options.run.clone().readings(readings).interval(interval.duration());
        let builder = builder.time(Time::Simulated).pace(Pace::Max).format(Format::Json);
        let builder = builder.topics(Topic::ALL).start(StartTime::Absolute(start_ms));
        let Run { manifest, notes, .. } = builder.build_at(now_ms)?;
        let description = scenario.map_or("", |scenario| scenario.description);
        Ok(Outline { manifest, scenario: scenario.map(|s| s.name), description, notes })
    }

    /// The scenario's name, or that of the program.
    pub fn title(&self) -> &'static str {
        self.scenario.unwrap_or("fleetstorm")
    }

    /// Readings of each machine.
    pub fn readings(&self) -> u64 {
        self.manifest.config.n_readings.unwrap_or(1)
    }

    /// Fleet, span, interval, seed and the share of anomalies, in one line.
    pub fn summary(&self) -> String {
        let manifest = &self.manifest;
        let machines = manifest.config.n_machines;
        let length = length(manifest.interval, self.readings());
        let anomalies = anomalies(manifest.config.anomalies.expected_share());
        let start = manifest.start;
        let end = start.checked_add_signed(delta(length));
        format!(
            "{machines} machine{}, {} to {} UTC, {} readings each (every {}), seed {}{anomalies}",
            if machines == 1 { "" } else { "s" },
            minute(start),
            minute(end.unwrap_or(start)),
            self.readings(),
            manifest.interval,
            manifest.seed
        )
    }
}

fn delta(length: Duration) -> chrono::TimeDelta {
    chrono::TimeDelta::from_std(length).unwrap_or_default()
}

fn minute(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%d %H:%M").to_string()
}

fn length(interval: Span, readings: u64) -> Duration {
    Duration::try_from_secs_f64(interval.duration().as_secs_f64() * readings as f64)
        .unwrap_or(Duration::MAX)
}

/// The interval and the number of readings. Two of length, interval and readings decide the third.
fn interval_and_readings(options: &PreviewOptions) -> Result<(Span, u64), ProgramError> {
    let usage = |text: &str| Err(ProgramError::Usage(text.to_owned()));
    let length = options.length.map_or(LENGTH, Span::duration);
    let interval = match (options.interval, options.readings) {
        (Some(_), Some(_)) if options.length.is_some() => {
            return usage(
                "--for, --interval and --readings are all given: two decide the third, leave one out",
            );
        }
        (Some(interval), Some(readings)) => return Ok((interval, readings)),
        (Some(interval), None) => interval,
        (None, Some(readings)) => {
            let part = length.as_nanos() / u128::from(readings.max(1));
            let part = Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX));
            let interval = Span::new(part).map_err(|e| ProgramError::Usage(e.to_string()))?;
            return Ok((interval, readings));
        }
        (None, None) => round_interval(length)?,
    };
    let count = length.as_nanos() / interval.duration().as_nanos().max(1);
    match u64::try_from(count) {
        Ok(0) => usage(
            "--interval is longer than --for, so that there is no reading: give a shorter interval",
        ),
        Ok(count) => Ok((interval, count)),
        Err(_) => usage("--interval is too short for --for: give a longer interval"),
    }
}

/// The longest round interval with at least [`READINGS`] readings. A second is the least.
fn round_interval(length: Duration) -> Result<Span, ProgramError> {
    let most = length.as_secs() / READINGS;
    let seconds = match most / DAY_S {
        0 => INTERVALS.into_iter().take_while(|&s| s <= most).last().unwrap_or(1),
        days => days * DAY_S,
    };
    // A length of less than a second has one reading.
    let interval = Duration::from_secs(seconds).min(length);
    Span::new(interval).map_err(|error| ProgramError::Usage(error.to_string()))
}

fn start(
    given: Option<StartTime>,
    interval: Span,
    readings: u64,
    now_ms: i64,
) -> Result<i64, ProgramError> {
    match given {
        Some(given) => {
            given.resolve(now_ms).map_err(|error| ProgramError::Usage(format!("--start: {error}")))
        }
        None => {
            let length = i64::try_from(length(interval, readings).as_millis()).unwrap_or(i64::MAX);
            Ok((now_ms.saturating_sub(length).max(0)) / MINUTE_MS * MINUTE_MS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval_and_readings_of(length: &str) -> (String, u64) {
        let options = PreviewOptions { length: length.parse().ok(), ..PreviewOptions::default() };
        let (interval, readings) = interval_and_readings(&options).unwrap();
        (interval.to_string(), readings)
    }

    #[test]
    fn the_chosen_interval_makes_some_thousand_readings() {
        assert_eq!(interval_and_readings_of("48h"), ("1m".to_owned(), 2880));
        assert_eq!(interval_and_readings_of("90d"), ("1h".to_owned(), 2160));
        assert_eq!(interval_and_readings_of("10m"), ("1s".to_owned(), 600));
        assert_eq!(interval_and_readings_of("36525d"), ("18d".to_owned(), 2029));
        for hours in 1..2000 {
            let (_, readings) = interval_and_readings_of(&format!("{hours}h"));
            assert!((2000..8000).contains(&readings) || hours == 1, "{hours}h: {readings}");
        }
    }

    #[test]
    fn the_span_ends_now_in_whole_minutes() {
        let interval = "1m".parse().unwrap();
        assert_eq!(start(None, interval, 60, 3_600_000 + 61_234).unwrap(), 60_000);
        assert_eq!(start(None, interval, 60, 1000).unwrap(), 0);
    }
}
