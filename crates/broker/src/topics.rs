//! Topics and their partitions.

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::error::ResponseError;
use uuid::Uuid;

use crate::config::{self, Values};
use crate::log::Log;

/// The most partitions of a topic.
pub(crate) const MAX_PARTITIONS: i32 = 10_000;

/// All topics of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<String, Topic>,
    names: HashMap<Uuid, String>,
}

/// One topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<Partition>,
    /// Its topic settings.
    pub(crate) config: Values,
}

/// One partition.
#[derive(Debug)]
pub(crate) struct Partition {
    /// Its leader; -1 for none.
    pub(crate) leader: i32,
    pub(crate) epoch: i32,
    /// Its replicas.
    pub(crate) replicas: Vec<i32>,
    pub(crate) log: Log,
}

/// The limits that a batch is checked against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_message_bytes: usize,
    pub(crate) compacted: bool,
    pub(crate) log_append_time: bool,
    pub(crate) min_in_sync: usize,
    /// How far a record's timestamp may lie before and after the broker's time, in milliseconds.
    pub(crate) before_ms: i64,
    pub(crate) after_ms: i64,
}

impl Topic {
    pub(crate) fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }

    pub(crate) fn is_compacted(&self, broker: &Values) -> bool {
        self.has_policy(broker, "compact")
    }

    pub(crate) fn is_deleted_from(&self, broker: &Values) -> bool {
        self.has_policy(broker, "delete")
    }

    fn has_policy(&self, broker: &Values, policy: &str) -> bool {
        config::topic_value(&self.config, broker, "cleanup.policy")
            .split(',')
            .any(|p| p.trim() == policy)
    }

    pub(crate) fn limits(&self, broker: &Values) -> Limits {
        let number = |name| config::topic_number(&self.config, broker, name);
        Limits {
            max_message_bytes: usize::try_from(number("max.message.bytes")).unwrap_or(0),
            compacted: self.is_compacted(broker),
            log_append_time: config::topic_value(&self.config, broker, "message.timestamp.type")
                == "LogAppendTime",
            min_in_sync: usize::try_from(number("min.insync.replicas")).unwrap_or(1),
            before_ms: number("message.timestamp.before.max.ms"),
            after_ms: number("message.timestamp.after.max.ms"),
        }
    }

    /// Adds a partition. Its first replica leads it.
    pub(crate) fn add_partition(&mut self, replicas: Vec<i32>, live: &[i32]) {
        let leader = replicas.iter().copied().find(|r| live.contains(r)).unwrap_or(-1);
        let mut log = Log::default();
        log.begin_epoch(0);
        self.partitions.push(Partition { leader, epoch: 0, replicas, log });
    }
}

impl Topics {
    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
    }

    pub(crate) fn name_of(&self, id: Uuid) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Topic)> {
        self.by_name.iter().map(|(name, topic)| (name.as_str(), topic))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Topic)> {
        self.by_name.iter_mut().map(|(name, topic)| (name.as_str(), topic))
    }

    pub(crate) fn insert(&mut self, name: &str, topic: Topic) {
        self.names.insert(topic.id, name.to_owned());
        self.by_name.insert(name.to_owned(), topic);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Topic> {
        let topic = self.by_name.remove(name)?;
        self.names.remove(&topic.id);
        Some(topic)
    }

    pub(crate) fn partition(&self, topic: &str, index: i32) -> Option<&Partition> {
        self.get(topic)?.partition(index)
    }

    pub(crate) fn partition_mut(&mut self, topic: &str, index: i32) -> Option<&mut Partition> {
        self.get_mut(topic)?.partition_mut(index)
    }
}

impl Partition {
    /// Changes the leader, with a new epoch.
    pub(crate) fn lead(&mut self, node: i32) {
        self.leader = node;
        self.epoch += 1;
        self.log.begin_epoch(self.epoch);
    }

    /// Checks that `node` leads the partition, and the leader epoch that a client expects (-1: any).
    pub(crate) fn led_by(&self, node: i32, believed_epoch: i32) -> Result<(), ResponseError> {
        if self.leader != node {
            return Err(ResponseError::NotLeaderOrFollower);
        }
        if believed_epoch < 0 || believed_epoch == self.epoch {
            Ok(())
        } else if believed_epoch < self.epoch {
            Err(ResponseError::FencedLeaderEpoch)
        } else {
            Err(ResponseError::UnknownLeaderEpoch)
        }
    }
}

/// An invalid topic name, in Kafka's words.
#[derive(Debug, thiserror::Error)]
#[error("Topic name is invalid: {0}")]
pub(crate) struct InvalidName(String);

/// Checks a topic name by Kafka's rules.
///
/// # Errors
/// The reason, as a sentence.
pub(crate) fn check_name(name: &str) -> Result<(), InvalidName> {
    let why = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.len() > 249 {
        format!("the length of '{name}' is longer than the max allowed length 249")
    } else if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        )
    } else {
        return Ok(());
    };
    Err(InvalidName(why))
}
