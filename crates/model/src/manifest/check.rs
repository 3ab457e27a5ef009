//! Checks that a run could have written a manifest. A file may hold anything, so everything is checked
//! against the bounds of the options. Code that regenerates the records meets nothing that a run could
//! not write.

use crate::config::Origin;
use crate::config::units::Speed;
use crate::config::{ConfigError, UnitError};
use crate::fleet::Fleet;
use crate::record::{Topic, TopicSet};
use crate::schedule::profile::ProfileError;
use crate::schedule::{Pace, Time};
use crate::simulation::machine_incidents::IncidentRules;

use super::{Manifest, TopicEntry};

/// Why no run can have written a manifest. Texts are fragments that fit after the name of its file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Its configuration is out of bounds.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its start is out of bounds.
    #[error("its start is not between the years 1970 and 9999")]
    Start,
    /// Its speed is out of bounds.
    #[error("its pace: {0}")]
    Speed(#[from] UnitError),
    /// Its profile is invalid.
    #[error("its pace: {0}")]
    Profile(#[from] ProfileError),
    /// Records have no size.
    #[error("its records have no size")]
    Size,
    /// Transactions have no records or producers, or too many producers.
    #[error("its transactions have no records or producers, or too many")]
    Transactions,
    /// There is no topic.
    #[error("it has no topics")]
    NoTopics,
    /// A topic is there twice.
    #[error("it has the topic {0} twice")]
    Twice(Topic),
    /// A topic's name is empty or too long.
    #[error("its topic {topic} has a name of {bytes} bytes")]
    Name {
        /// The topic.
        topic: Topic,
        /// The length of its full name.
        bytes: usize,
    },
    /// A topic has no partitions, or more than any cluster has.
    #[error("its topic {topic} has {partitions} partitions")]
    Partitions {
        /// The topic's full name.
        topic: String,
        /// How many.
        partitions: u32,
    },
    /// A topic's partitions and offsets don't agree.
    #[error("its topic {topic} has {partitions} partitions and {offsets} start offsets")]
    Offsets {
        /// The topic's full name.
        topic: String,
        /// How many partitions.
        partitions: u32,
        /// How many offsets.
        offsets: usize,
    },
    /// An offset is negative.
    #[error("its topic {topic} has the start offset {offset}")]
    Offset {
        /// The topic's full name.
        topic: String,
        /// The offset.
        offset: i64,
    },
    /// The fleet's behaviour doesn't fit.
    #[error(transparent)]
    Infeasible(#[from] Infeasible),
}

/// Why a fleet's behaviour doesn't fit a run's slots or its time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Infeasible {
    /// State changes would queue without end.
    #[error(
        "the fleet would change its state {events:.2} times a reading, more than event slots, one a reading, can carry (at most {MOST_EVENTS}): lower the probabilities, lengthen the durations, or leave topics out"
    )]
    Events {
        /// State changes a reading.
        events: f64,
    },
    /// Simulated time would not get past a weekend.
    #[error(
        "simulated time would stand still over weekends without load: raise temporal_patterns.weekend_load_factor to at least {LEAST_WEEKEND}, or use --time live"
    )]
    StandsStill,
    /// Windows are to be closed, but the run's end is not known.
    #[error(
        "--close-windows needs a run whose end is known before it runs: give --readings or --records, or a --duration and a pace other than --rate max"
    )]
    ClosesWithoutEnd,
    /// Windows are to be closed by a shard.
    #[error(
        "--close-windows and --shard exclude each other: no shard knows when the others have ended, and what closes the windows before makes their last records late; make the run in one process, with --threads"
    )]
    ClosesInShards,
}

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
    /// Rejects what no run writes.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), ManifestError> {
        let origin = Origin::File("its configuration".into());
        self.config.validate(origin)?;
        if !(0..=LATEST_MS).contains(&self.start.timestamp_millis()) {
            return Err(ManifestError::Start);
        }
        match &self.pace {
            Pace::Natural(speed) => {
                Speed::new(*speed)?;
            }
            Pace::Rate(profile) => profile.check()?,
            Pace::Load(_) => self.curve_moves()?,
            Pace::Max => {}
        }
        if let Some(bytes) = &self.bytes
            && !(bytes.mean_slot_bytes.is_finite() && bytes.mean_slot_bytes > 0.0)
        {
            return Err(ManifestError::Size);
        }
        if let Some(transactions) = &self.transactions
            && (transactions.records == 0
                || !(1..=MOST_PRODUCERS).contains(&transactions.producers))
        {
            return Err(ManifestError::Transactions);
        }
        if self.topics.is_empty() {
            return Err(ManifestError::NoTopics);
        }
        let mut seen: Vec<Topic> = Vec::new();
        for entry in &self.topics {
            if seen.contains(&entry.topic) {
                return Err(ManifestError::Twice(entry.topic));
            }
            seen.push(entry.topic);
            entry.check()?;
        }
        self.windows_close()?;
        Ok(self.events_fit()?)
    }

    /// Rejects closing windows if the run's end isn't known before it runs.
    ///
    /// # Errors
    /// What to do about it.
    pub fn windows_close(&self) -> Result<(), Infeasible> {
        if self.close_windows.is_none() {
            return Ok(());
        }
        if self.shard.count() > 1 {
            return Err(Infeasible::ClosesInShards);
        }
        if self.has_known_end() { Ok(()) } else { Err(Infeasible::ClosesWithoutEnd) }
    }

    /// Rejects a fleet that changes state more often than event slots, one per reading, can carry.
    ///
    /// # Errors
    /// How much more often, and what to do.
    pub fn events_fit(&self) -> Result<(), Infeasible> {
        let topics: TopicSet = self.topic_set();
        let config = &self.config;
        let fleet = Fleet::new(config, self.seed);
        let Some(rules) = IncidentRules::new(config, &fleet, self.schedule().spacing_ms()) else {
            return Ok(());
        };
        let asked = |topic, events: f64| if topics.contains(topic) { events } else { 0.0 };
        let incidents = rules.incident_rate();
        let events = asked(Topic::Incidents, 2.0 * incidents)
            + asked(Topic::Jobs, 3.0 * config.jobs.arrival_probability)
            + asked(Topic::Status, rules.status_rate());
        if events > MOST_EVENTS {
            return Err(Infeasible::Events { events });
        }
        Ok(())
    }

    /// Rejects a curve that paces simulated time and stands still for days: time would never get past
    /// them.
    ///
    /// # Errors
    /// What to do about it.
    pub fn curve_moves(&self) -> Result<(), Infeasible> {
        let patterns = &self.config.temporal_patterns;
        let still = patterns.enable_weekly && patterns.weekend_load_factor < LEAST_WEEKEND;
        if self.time == Time::Simulated && still {
            return Err(Infeasible::StandsStill);
        }
        Ok(())
    }
}

impl TopicEntry {
    fn check(&self) -> Result<(), ManifestError> {
        let TopicEntry { topic, name, partitions, .. } = self;
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Err(ManifestError::Name { topic: *topic, bytes: name.len() });
        }
        let topic = || name.clone();
        if !(1..=MOST_PARTITIONS).contains(partitions) {
            return Err(ManifestError::Partitions { topic: topic(), partitions: *partitions });
        }
        let Some(offsets) = &self.start_offsets else { return Ok(()) };
        if offsets.len() != *partitions as usize {
            let (partitions, offsets) = (*partitions, offsets.len());
            return Err(ManifestError::Offsets { topic: topic(), partitions, offsets });
        }
        match offsets.iter().find(|&&offset| offset < 0) {
            Some(&offset) => Err(ManifestError::Offset { topic: topic(), offset }),
            None => Ok(()),
        }
    }
}
