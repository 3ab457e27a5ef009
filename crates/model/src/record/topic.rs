//! The topics and sets of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A topic of a run, by the name that it has before any prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Topic {
    /// Each reading of each machine.
    Telemetry,
    /// The same readings' cpu, memory and disk.
    Usage,
    /// Each change of a machine's health, and its heartbeats. Compacted.
    Status,
    /// Each change of a job's state.
    Jobs,
    /// What each machine is. Compacted.
    Machines,
    /// The beginning and the end of every incident on a machine. Not written unless asked for.
    Incidents,
}

/// A set of topics; it keeps their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSet(u8);

/// An unknown topic name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no topic `{name}`: choose from telemetry, usage, status, jobs, machines and incidents, separated by commas"
)]
pub struct UnknownTopic {
    name: String,
}

impl Topic {
    /// How many topics there are.
    pub const COUNT: usize = 6;

    /// All topics, in order.
    pub const ALL: [Topic; Topic::COUNT] = [
        Topic::Telemetry,
        Topic::Usage,
        Topic::Status,
        Topic::Jobs,
        Topic::Machines,
        Topic::Incidents,
    ];

    /// The topic's name, without a prefix.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Telemetry => "telemetry",
            Topic::Usage => "usage",
            Topic::Status => "status",
            Topic::Jobs => "jobs",
            Topic::Machines => "machines",
            Topic::Incidents => "incidents",
        }
    }

    /// Its place in [`Topic::ALL`], for tables.
    #[inline]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Whether the topic is compacted: it holds the last state of each key rather than a history.
    pub fn is_compacted(self) -> bool {
        matches!(self, Topic::Status | Topic::Machines)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(name: &str) -> Result<Topic, UnknownTopic> {
        Topic::ALL
            .into_iter()
            .find(|topic| topic.name() == name)
            .ok_or_else(|| UnknownTopic { name: name.to_owned() })
    }
}

impl TopicSet {
    /// All six.
    pub const ALL: TopicSet = TopicSet((1 << Topic::COUNT) - 1);

    /// Whether `topic` is in it.
    #[inline]
    pub fn contains(self, topic: Topic) -> bool {
        self.0 & (1 << topic.index()) != 0
    }

    /// The topics in it, in order.
    pub fn iter(self) -> impl Iterator<Item = Topic> {
        Topic::ALL.into_iter().filter(move |&topic| self.contains(topic))
    }
}

impl FromIterator<Topic> for TopicSet {
    fn from_iter<I: IntoIterator<Item = Topic>>(topics: I) -> TopicSet {
        TopicSet(topics.into_iter().fold(0, |set, topic| set | (1 << topic.index())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_sets_keep_order() {
        for topic in Topic::ALL {
            assert_eq!(topic.name().parse(), Ok(topic));
        }
        assert!("Telemetry".parse::<Topic>().is_err());
        let set: TopicSet = [Topic::Jobs, Topic::Telemetry, Topic::Jobs].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Topic::Telemetry, Topic::Jobs]);
    }
}
