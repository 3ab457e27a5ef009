//! Whether a manifest that was read is one that a run could have written. What the program decides
//! by options before a run, a file may have otherwise: everything is held against the same bounds, so
//! that whoever makes the run's records again meets nothing that a run could not.

use crate::config::layers::Origin;
use crate::config::units::Speed;
use crate::fleet::Fleet;
use crate::record::{Topic, TopicSet};
use crate::schedule::{Pace, Time};
use crate::simulation::trouble::Hazards;

use super::{Manifest, TopicEntry};

/// The most events a reading, on average, that don't queue without end.
const MOST_EVENTS: f64 = 0.9;
/// The most producers that a run has: one a thread.
const MOST_PRODUCERS: u32 = 1024;
/// More partitions than a topic has on any cluster.
const MOST_PARTITIONS: u32 = 1_000_000;
/// The longest name of a topic that Kafka takes.
const LONGEST_NAME: usize = 249;
/// The end of the year 9999, in milliseconds since the epoch.
const LATEST_MS: i64 = 253_402_300_799_999;
/// The least load of a weekend by which simulated time still passes.
const LEAST_WEEKEND: f64 = 1e-4;

impl Manifest {
    /// Refuses what no run writes.
    ///
    /// # Errors
    /// What is wrong, as a fragment.
    pub fn check(&self) -> Result<(), String> {
        let origin = Origin::File("its configuration".into());
        self.config.validate(origin).map_err(|error| error.to_string())?;
        if !(0..=LATEST_MS).contains(&self.start.timestamp_millis()) {
            return Err("its start is not between the years 1970 and 9999".to_owned());
        }
        match &self.pace {
            Pace::Natural(speed) => {
                Speed::new(*speed).map_err(|error| format!("its pace: {error}"))?;
            }
            Pace::Rate(profile) => profile.check().map_err(|error| format!("its pace: {error}"))?,
            Pace::Load(_) => self.curve_moves()?,
            Pace::Max => {}
        }
        if let Some(bytes) = &self.bytes
            && !(bytes.mean_slot_bytes.is_finite() && bytes.mean_slot_bytes > 0.0)
        {
            return Err("its records have no size".to_owned());
        }
        if let Some(transactions) = &self.transactions
            && (transactions.records == 0
                || !(1..=MOST_PRODUCERS).contains(&transactions.producers))
        {
            return Err(
                "its transactions are of no records or producers, or of too many".to_owned()
            );
        }
        if self.topics.is_empty() {
            return Err("it has no topics".to_owned());
        }
        let mut seen: Vec<Topic> = Vec::new();
        for entry in &self.topics {
            if seen.contains(&entry.topic) {
                return Err(format!("it has the topic {} twice", entry.topic));
            }
            seen.push(entry.topic);
            entry.check()?;
        }
        self.events_fit()
    }

    /// Refuses what would change state more often than event slots, one a reading, can carry.
    ///
    /// # Errors
    /// How much more often, and what to do.
    pub fn events_fit(&self) -> Result<(), String> {
        let topics: TopicSet = self.topic_set();
        let config = &self.config;
        let fleet = Fleet::new(config, self.seed);
        let Some(hazards) = Hazards::new(config, &fleet, self.schedule().spacing_ms()) else {
            return Ok(());
        };
        let asked = |topic, events: f64| if topics.contains(topic) { events } else { 0.0 };
        let incidents = hazards.incident_rate();
        let events = asked(Topic::Incidents, 2.0 * incidents)
            + asked(Topic::Jobs, 3.0 * config.jobs.arrival_probability)
            + asked(Topic::Status, hazards.status_rate());
        if events > MOST_EVENTS {
            return Err(format!(
                "the fleet would change its state {events:.2} times a reading, more than the event slots, one a reading, can carry (at most {MOST_EVENTS}): lower the probabilities, lengthen the durations, or leave topics out"
            ));
        }
        Ok(())
    }

    /// Refuses a curve that is to pace simulated time and stands still for days: time would never
    /// get past them.
    ///
    /// # Errors
    /// What to do about it.
    pub fn curve_moves(&self) -> Result<(), String> {
        let patterns = &self.config.temporal_patterns;
        let still = patterns.enable_weekly && patterns.weekend_load_factor < LEAST_WEEKEND;
        if self.time == Time::Simulated && still {
            return Err(format!(
                "simulated time would stand still over weekends without load: raise temporal_patterns.weekend_load_factor to {LEAST_WEEKEND} at least, or say --time live"
            ));
        }
        Ok(())
    }
}

impl TopicEntry {
    fn check(&self) -> Result<(), String> {
        let TopicEntry { name, partitions, .. } = self;
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Err(format!("its topic {} has a name of {} bytes", self.topic, name.len()));
        }
        if !(1..=MOST_PARTITIONS).contains(partitions) {
            return Err(format!("its topic {name} has {partitions} partitions"));
        }
        let Some(offsets) = &self.start_offsets else { return Ok(()) };
        if offsets.len() != *partitions as usize {
            return Err(format!(
                "its topic {name} has {partitions} partitions and {} start offsets",
                offsets.len()
            ));
        }
        match offsets.iter().find(|&&offset| offset < 0) {
            Some(offset) => Err(format!("its topic {name} has the start offset {offset}")),
            None => Ok(()),
        }
    }
}
