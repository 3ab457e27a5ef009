//! A run that is about to begin: what its topics, its registry and the clock still decide.

use std::time::Duration;

use chrono::DateTime;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::run::{Run, Start};
use fleetstorm_model::schedule::Time;

use crate::exit::ProgramError;
use crate::sink::kafka::topics::TimestampRange;

/// A run before it begins. Partitions and schema ids are still open.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The run, with the partitions of topics to be created, and without schema ids.
    pub run: Run,
    /// Whether the run is resumed: its topics and schemas must be as they were.
    pub resumed: bool,
}

impl Plan {
    /// The plan of a new run.
    pub fn new(run: Run) -> Plan {
        Plan { run, resumed: false }
    }

    /// The plan of a resumed run.
    pub fn resumed(manifest: Manifest) -> Plan {
        Plan { run: Run::of(manifest), resumed: true }
    }

    /// The timestamps of the run's records, as seen at `now_ms`.
    pub fn timestamps(&self, now_ms: i64) -> TimestampRange {
        let manifest = &self.run.manifest;
        let earliest = match self.run.start {
            Start::Fixed => manifest.start.timestamp_millis(),
            Start::WhenReady => now_ms,
        };
        let latest = match manifest.time {
            // Never ahead of the time of sending, which a future start only delays.
            Time::Live => Some(now_ms),
            // Announcements alone carry the start.
            Time::Simulated if manifest.grid().slots == 0 => Some(earliest),
            Time::Simulated => match manifest.fleet_time() {
                Some(length) => Some(earliest.saturating_add(length.as_millis() as i64)),
                None if self.outruns_the_clock() || earliest > now_ms => None,
                None => Some(now_ms),
            },
        };
        // What closes windows lies ahead of all that.
        let behind = manifest.close_windows.map_or(0, |span| span.duration().as_millis() as i64);
        let latest = latest.map(|latest| latest.saturating_add(behind));
        TimestampRange { now: now_ms, earliest, latest }
    }

    /// The manifest of a run that starts now. If the start follows the clock, it is `now_ms` plus `startup_time`,
    /// in which everything gets ready.
    pub fn begin(&mut self, now_ms: i64, startup_time: Duration) -> &Manifest {
        let startup_time = match self.run.manifest.time {
            Time::Live => startup_time.as_millis() as i64,
            Time::Simulated => 0,
        };
        let ready = DateTime::from_timestamp_millis(now_ms + startup_time);
        self.run.begin(ready.unwrap_or(DateTime::UNIX_EPOCH));
        &self.run.manifest
    }

    /// Whether simulated time passes faster than the clock.
    fn outruns_the_clock(&self) -> bool {
        let schedule = self.run.manifest.schedule();
        schedule.rates().is_none_or(|(_, highest)| highest > schedule.natural_rate())
    }
}

/// An error if something about a topic isn't as the resumed run had it.
pub(super) fn unchanged<T: PartialEq + std::fmt::Debug>(
    what: &str,
    topic: &str,
    before: Option<T>,
    now: Option<T>,
) -> Result<(), ProgramError> {
    let shown = |value: &Option<T>| value.as_ref().map_or("none".to_owned(), |v| format!("{v:?}"));
    if before == now {
        return Ok(());
    }
    Err(ProgramError::Usage(format!(
        "topic `{topic}` has {what} {} now, and {} when the run began: it can't be resumed",
        shown(&now),
        shown(&before)
    )))
}

#[cfg(test)]
mod tests {

    use super::*;
    use fleetstorm_model::record::Topic;
    use fleetstorm_model::schedule::Pace;

    fn timestamps(topics: &[Topic], records: Option<u64>) -> (i64, Option<i64>) {
        let mut builder = Run::builder().seed(1).time(Time::Simulated).pace(Pace::Max);
        builder = builder.topics(topics.iter().copied());
        if let Some(records) = records {
            builder = builder.records(records);
        }
        let timestamps = Plan::new(builder.build_at(1000).unwrap()).timestamps(1000);
        (timestamps.earliest, timestamps.latest)
    }

    #[test]
    fn announcements_alone_carry_the_start_and_nothing_beyond() {
        assert_eq!(timestamps(&[Topic::Machines], Some(5)), (1000, Some(1000)));
        assert_eq!(timestamps(&[Topic::Machines], None), (1000, Some(1000)));
        assert_eq!(timestamps(&[Topic::Machines, Topic::Usage], None), (1000, None));
    }
}
