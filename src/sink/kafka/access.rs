//! What we may do with topics, asked without writing anything.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

use super::admin::Admin;
use super::connect::Cluster;
use super::describe::{self, Described};
use super::error::{KafkaError, describe as words};

/// What a cluster lets us do with a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// It is there, and we may write to it.
    Writable,
    /// It is there, and we may not write to it.
    Unwritable,
    /// It is there, and the cluster doesn't say what we may do.
    Untold,
    /// It is not there, and may be created.
    Creatable,
    /// It is not there, or we may not see it; and we may not create it.
    Forbidden,
    /// It is not there and can't be created: why.
    Impossible(String),
    /// It may not be seen, although it is there or could be created.
    Unseen,
}

/// What we may do with the topics `names`, in their order.
///
/// # Errors
/// [`KafkaError::Request`] where the cluster doesn't answer within `patience`.
pub fn access(
    cluster: &Cluster,
    names: &[String],
    patience: Duration,
) -> Result<Vec<Access>, KafkaError> {
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let described =
        describe::topics(cluster.client(), &asked, patience).map_err(|(code, reason)| {
            KafkaError::Request {
                action: "ask what may be done with the topics".to_owned(),
                cause: if reason.is_empty() { words(code) } else { reason },
            }
        })?;
    let described: BTreeMap<&str, &Described> =
        described.iter().map(|topic| (topic.name.as_str(), topic)).collect();
    let absent: Vec<&str> = asked
        .iter()
        .copied()
        .filter(|name| described.get(name).is_none_or(|topic| topic.error.is_some()))
        .collect();
    let rehearsed: BTreeMap<String, Option<RDKafkaErrorCode>> = if absent.is_empty() {
        BTreeMap::new()
    } else {
        Admin::new(cluster)?.rehearse(&absent, patience)?.into_iter().collect()
    };
    let told = asked.iter().map(|name| {
        let found = described.get(name).filter(|topic| topic.error.is_none());
        match found {
            Some(topic) => present(topic.writable),
            None => {
                let seen = described.get(name).and_then(|topic| topic.error);
                missing(seen, rehearsed.get(*name).copied().flatten())
            }
        }
    });
    Ok(told.collect())
}

fn present(writable: Option<bool>) -> Access {
    match writable {
        Some(true) => Access::Writable,
        Some(false) => Access::Unwritable,
        None => Access::Untold,
    }
}

/// What a topic means that was not described for `seen`, and whose creation is refused for `refused`.
fn missing(seen: Option<RDKafkaErrorCode>, refused: Option<RDKafkaErrorCode>) -> Access {
    let hidden = seen == Some(RDKafkaErrorCode::TopicAuthorizationFailed);
    match refused {
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed,
        ) => Access::Forbidden,
        None | Some(RDKafkaErrorCode::TopicAlreadyExists) if hidden => Access::Unseen,
        None | Some(RDKafkaErrorCode::TopicAlreadyExists) => Access::Creatable,
        Some(code) => Access::Impossible(words(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_from_what_is_hidden() {
        let hidden = Some(RDKafkaErrorCode::TopicAuthorizationFailed);
        let absent = Some(RDKafkaErrorCode::UnknownTopicOrPartition);
        assert_eq!(missing(absent, None), Access::Creatable);
        assert_eq!(missing(absent, hidden), Access::Forbidden);
        assert_eq!(missing(hidden, hidden), Access::Forbidden);
        assert_eq!(missing(hidden, Some(RDKafkaErrorCode::TopicAlreadyExists)), Access::Unseen);
        let bad = Some(RDKafkaErrorCode::InvalidTopic);
        assert!(matches!(missing(bad, bad), Access::Impossible(_)));
    }
}
