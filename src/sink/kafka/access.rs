//! The user's access to topics, found out without writing anything. Why a broker denies a login or a
//! connection is in `authentication.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

use super::admin::Admin;
use super::connect::Cluster;
use super::describe::{self, TopicDescription};
use super::error::{KafkaError, describe as words};

/// The user's access to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicAccess {
    /// It exists, and may be written.
    Writable,
    /// It exists, and may not be written.
    NotWritable,
    /// It exists, and the cluster doesn't report the authorized operations.
    Unknown,
    /// It doesn't exist, and may be created.
    Creatable,
    /// It doesn't exist, or may not be described; and it may not be created.
    NotCreatable,
    /// It doesn't exist and can't be created: why.
    CreationFails(String),
    /// It may not be described, although it exists or could be created.
    NotDescribable,
}

/// The user's access to the topics `names`, in their order.
///
/// # Errors
/// [`KafkaError::Request`] if the cluster doesn't answer within `timeout`.
pub fn access(
    cluster: &Cluster,
    names: &[String],
    timeout: Duration,
) -> Result<Vec<TopicAccess>, KafkaError> {
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let described =
        describe::topics(cluster.client(), &asked, timeout).map_err(|(code, reason)| {
            KafkaError::Request {
                action: "describe the topics".to_owned(),
                cause: if reason.is_empty() { words(code) } else { reason },
            }
        })?;
    let described: BTreeMap<&str, &TopicDescription> =
        described.iter().map(|topic| (topic.name.as_str(), topic)).collect();
    let absent: Vec<&str> = asked
        .iter()
        .copied()
        .filter(|name| described.get(name).is_none_or(|topic| topic.error.is_some()))
        .collect();
    let creation_errors: BTreeMap<String, Option<RDKafkaErrorCode>> = if absent.is_empty() {
        BTreeMap::new()
    } else {
        Admin::new(cluster)?.validate_creation(&absent, timeout)?.into_iter().collect()
    };
    let access = asked.iter().map(|name| {
        let found = described.get(name).filter(|topic| topic.error.is_none());
        match found {
            Some(topic) => present(topic.writable),
            None => {
                let seen = described.get(name).and_then(|topic| topic.error);
                missing(seen, creation_errors.get(*name).copied().flatten())
            }
        }
    });
    Ok(access.collect())
}

fn present(writable: Option<bool>) -> TopicAccess {
    match writable {
        Some(true) => TopicAccess::Writable,
        Some(false) => TopicAccess::NotWritable,
        None => TopicAccess::Unknown,
    }
}

/// The access to a topic whose description failed with `seen`, and whose creation would fail with
/// `refused`.
fn missing(seen: Option<RDKafkaErrorCode>, refused: Option<RDKafkaErrorCode>) -> TopicAccess {
    let hidden = seen == Some(RDKafkaErrorCode::TopicAuthorizationFailed);
    match refused {
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed,
        ) => TopicAccess::NotCreatable,
        None | Some(RDKafkaErrorCode::TopicAlreadyExists) if hidden => TopicAccess::NotDescribable,
        None | Some(RDKafkaErrorCode::TopicAlreadyExists) => TopicAccess::Creatable,
        Some(code) => TopicAccess::CreationFails(words(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_from_what_is_hidden() {
        let hidden = Some(RDKafkaErrorCode::TopicAuthorizationFailed);
        let absent = Some(RDKafkaErrorCode::UnknownTopicOrPartition);
        assert_eq!(missing(absent, None), TopicAccess::Creatable);
        assert_eq!(missing(absent, hidden), TopicAccess::NotCreatable);
        assert_eq!(missing(hidden, hidden), TopicAccess::NotCreatable);
        assert_eq!(
            missing(hidden, Some(RDKafkaErrorCode::TopicAlreadyExists)),
            TopicAccess::NotDescribable
        );
        let bad = Some(RDKafkaErrorCode::InvalidTopic);
        assert!(matches!(missing(bad, bad), TopicAccess::CreationFails(_)));
    }
}
