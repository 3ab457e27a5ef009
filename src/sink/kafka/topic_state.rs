//! The state of topics at one moment, and how it has changed since another.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::OwnedResourceSpecifier;
use rdkafka::error::RDKafkaErrorCode;
use serde::{Deserialize, Serialize};

use super::admin::Admin;
use super::connect::Cluster;
use super::describe;
use super::error::KafkaError;

/// The state of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Its topic id, which changes when the topic is recreated; `None` on a cluster without topic ids.
    pub id: Option<String>,
    /// How many partitions it has.
    pub partitions: u32,
    /// Its `cleanup.policy`; `None` if the cluster doesn't report it.
    pub cleanup_policy: Option<String>,
}

/// How a topic has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum TopicChange {
    /// It was deleted and recreated.
    #[serde(rename = "made_anew")]
    Recreated,
    /// It was deleted.
    Deleted,
    /// Its number of partitions changed.
    Partitions {
        /// The number before.
        before: u32,
        /// The number now.
        now: u32,
    },
    /// Its `cleanup.policy` changed.
    CleanupPolicy {
        /// The policy before.
        before: String,
        /// The policy now.
        now: String,
    },
}

impl TopicState {
    /// How the topic under its name now differs from it.
    pub fn changes(&self, now: &TopicState) -> Vec<TopicChange> {
        if self.id.is_some() && now.id.is_some() && self.id != now.id {
            return vec![TopicChange::Recreated];
        }
        let mut changes = Vec::new();
        if self.partitions != now.partitions {
            let (before, now) = (self.partitions, now.partitions);
            changes.push(TopicChange::Partitions { before, now });
        }
        if let (Some(before), Some(now)) = (&self.cleanup_policy, &now.cleanup_policy)
            && before != now
        {
            let (before, now) = (before.clone(), now.clone());
            changes.push(TopicChange::CleanupPolicy { before, now });
        }
        changes
    }
}

/// The state of the topics `names` that exist. If the cluster can't describe a topic for another reason,
/// that is an error: the topic may exist.
///
/// # Errors
/// [`KafkaError`] if the cluster doesn't answer within `timeout`.
pub fn states(
    cluster: &Cluster,
    names: &[&str],
    timeout: Duration,
) -> Result<BTreeMap<String, TopicState>, KafkaError> {
    let failed =
        |cause: String| KafkaError::Request { action: "describe the topics".to_owned(), cause };
    let described = describe::topics(cluster.client(), names, timeout)
        .map_err(|(code, reason)| failed(format!("{code}: {reason}")))?;
    let mut states = BTreeMap::new();
    for topic in described {
        match topic.error {
            None => {
                let (id, partitions) = (topic.id, topic.partitions);
                states.insert(topic.name, TopicState { id, partitions, cleanup_policy: None });
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {}
            Some(code) => return Err(failed(format!("{}: {code}", topic.name))),
        }
    }
    let there: Vec<&str> = states.keys().map(String::as_str).collect();
    if there.is_empty() {
        return Ok(states);
    }
    for config in Admin::new(cluster)?.configs(&there) {
        let OwnedResourceSpecifier::Topic(name) = &config.specifier else { continue };
        let policy = config.get("cleanup.policy").and_then(|entry| entry.value.clone());
        if let Some(state) = states.get_mut(name) {
            state.cleanup_policy = policy;
        }
    }
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_and_what_is_unknown_is_none() {
        let state = |id: Option<&str>, partitions, policy: Option<&str>| TopicState {
            id: id.map(str::to_owned),
            partitions,
            cleanup_policy: policy.map(str::to_owned),
        };
        let before = state(Some("a"), 3, Some("delete"));
        assert_eq!(before.changes(&before), []);
        assert_eq!(before.changes(&state(None, 3, None)), []);
        // What another topic is like is no change of this one.
        let another = state(Some("b"), 6, Some("compact"));
        assert_eq!(before.changes(&another), [TopicChange::Recreated]);
        let grown = state(Some("a"), 6, Some("compact"));
        let policy = TopicChange::CleanupPolicy { before: "delete".into(), now: "compact".into() };
        let expected = [TopicChange::Partitions { before: 3, now: 6 }, policy];
        assert_eq!(before.changes(&grown), expected);
    }
}
