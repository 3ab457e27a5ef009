//! OffsetCommit, OffsetFetch, OffsetDelete and TxnOffsetCommit.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetFetchRequest, OffsetFetchResponse, TopicName, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
};

use super::groups::{code, coordinates};
use super::{Context, text};
use crate::groups::{Committed, Group, subscribed};
use crate::state::State;

/// The longest metadata of an offset, as Kafka's `offset.metadata.max.bytes`.
const LONGEST_METADATA: usize = 4096;

pub(super) fn commit(cx: &Context, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let mut state = cx.shared.state();
    let allowed = coordinates(cx, &state).and_then(|()| {
        if request.group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let generation = request.generation_id_or_member_epoch;
        // A group without members may be used for offsets alone.
        if generation >= 0 && !state.groups.contains_key(request.group_id.as_str()) {
            return Err(ResponseError::IllegalGeneration);
        }
        let group = state.groups.entry(request.group_id.to_string()).or_default();
        let instance = request.group_instance_id.as_deref();
        group.check_commit(&request.member_id, instance, generation, false)
    });
    let mut topics = Vec::new();
    for topic in request.topics {
        let mut partitions = Vec::new();
        for p in topic.partitions {
            let committed = Committed {
                offset: p.committed_offset,
                leader_epoch: p.committed_leader_epoch,
                metadata: p.committed_metadata.unwrap_or_default().to_string(),
            };
            let done = allowed
                .and_then(|()| check(&state, &topic.name, p.partition_index, &committed))
                .map(|()| {
                    let place = (topic.name.to_string(), p.partition_index);
                    if let Some(group) = state.groups.get_mut(request.group_id.as_str()) {
                        group.offsets.insert(place, committed);
                    }
                });
            partitions.push(
                OffsetCommitResponsePartition::default()
                    .with_partition_index(p.partition_index)
                    .with_error_code(code(done)),
            );
        }
        topics.push(
            OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions),
        );
    }
    OffsetCommitResponse::default().with_topics(topics)
}

fn check(state: &State, topic: &str, index: i32, what: &Committed) -> Result<(), ResponseError> {
    if state.topics.partition(topic, index).is_none() {
        return Err(ResponseError::UnknownTopicOrPartition);
    }
    if what.metadata.len() > LONGEST_METADATA {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    Ok(())
}

pub(super) fn commit_in_transaction(
    cx: &Context,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let mut state = cx.shared.state();
    let group_id = request.group_id.to_string();
    let producer = (request.producer_id.0, request.producer_epoch);
    let allowed = coordinates(cx, &state).and_then(|()| {
        let known = state.transactions.get(request.transactional_id.as_str());
        let known = known.ok_or(ResponseError::InvalidProducerIdMapping)?;
        known.check(producer.0, producer.1).map_err(|e| match e {
            ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
            other => other,
        })?;
        if !known.groups.contains(&group_id) {
            return Err(ResponseError::InvalidTxnState);
        }
        let group = state.groups.entry(group_id.clone()).or_default();
        let instance = request.group_instance_id.as_deref();
        group.check_commit(&request.member_id, instance, request.generation_id, true)
    });
    let mut topics = Vec::new();
    for topic in request.topics {
        let mut partitions = Vec::new();
        for p in topic.partitions {
            let committed = Committed {
                offset: p.committed_offset,
                leader_epoch: p.committed_leader_epoch,
                metadata: p.committed_metadata.unwrap_or_default().to_string(),
            };
            let done = allowed
                .and_then(|()| check(&state, &topic.name, p.partition_index, &committed))
                .map(|()| {
                    let place = (topic.name.to_string(), p.partition_index);
                    if let Some(group) = state.groups.get_mut(&group_id) {
                        group
                            .pending_offsets
                            .entry(producer.0)
                            .or_default()
                            .insert(place, committed);
                    }
                });
            partitions.push(
                TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(p.partition_index)
                    .with_error_code(code(done)),
            );
        }
        topics.push(
            TxnOffsetCommitResponseTopic::default()
                .with_name(topic.name)
                .with_partitions(partitions),
        );
    }
    TxnOffsetCommitResponse::default().with_topics(topics)
}

/// A group's committed offset for a partition; -1 for none.
struct Found {
    index: i32,
    error: i16,
    committed: Committed,
}

pub(super) fn fetch(cx: &Context, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let state = cx.shared.state();
    let coordinates = coordinates(cx, &state);
    let stable = request.require_stable;
    if cx.version < 8 {
        let answer = OffsetFetchResponse::default();
        if let Err(error) = coordinates {
            return answer.with_error_code(error.code());
        }
        let group = state.groups.get(request.group_id.as_str());
        let wanted = request.topics.map(|topics| {
            topics.into_iter().map(|t| (t.name.to_string(), t.partition_indexes)).collect()
        });
        let topics = found(group, wanted, stable).into_iter().map(|(name, partitions)| {
            let partitions = partitions.into_iter().map(|f| {
                OffsetFetchResponsePartition::default()
                    .with_partition_index(f.index)
                    .with_error_code(f.error)
                    .with_committed_offset(f.committed.offset)
                    .with_committed_leader_epoch(f.committed.leader_epoch)
                    .with_metadata(Some(text(f.committed.metadata)))
            });
            OffsetFetchResponseTopic::default()
                .with_name(TopicName(text(name)))
                .with_partitions(partitions.collect())
        });
        return answer.with_topics(topics.collect());
    }
    let groups = request.groups.into_iter().map(|wanted| {
        let group = state.groups.get(wanted.group_id.as_str());
        let answer = OffsetFetchResponseGroup::default().with_group_id(wanted.group_id);
        if let Err(error) = coordinates {
            return answer.with_error_code(error.code());
        }
        let wanted = wanted.topics.map(|topics| {
            topics.into_iter().map(|t| (t.name.to_string(), t.partition_indexes)).collect()
        });
        let topics = found(group, wanted, stable).into_iter().map(|(name, partitions)| {
            let partitions = partitions.into_iter().map(|f| {
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(f.index)
                    .with_error_code(f.error)
                    .with_committed_offset(f.committed.offset)
                    .with_committed_leader_epoch(f.committed.leader_epoch)
                    .with_metadata(Some(text(f.committed.metadata)))
            });
            OffsetFetchResponseTopics::default()
                .with_name(TopicName(text(name)))
                .with_partitions(partitions.collect())
        });
        answer.with_topics(topics.collect())
    });
    OffsetFetchResponse::default().with_groups(groups.collect())
}

/// A group's committed offsets for the wanted partitions, or for all.
fn found(
    group: Option<&Group>,
    wanted: Option<Vec<(String, Vec<i32>)>>,
    stable: bool,
) -> Vec<(String, Vec<Found>)> {
    let nothing = || Committed { offset: -1, leader_epoch: -1, metadata: String::new() };
    let wanted = wanted.unwrap_or_else(|| {
        let mut all: Vec<(String, Vec<i32>)> = Vec::new();
        for (topic, index) in group.iter().flat_map(|g| g.offsets.keys()) {
            match all.last_mut() {
                Some((last, indexes)) if last == topic => indexes.push(*index),
                _ => all.push((topic.clone(), vec![*index])),
            }
        }
        all
    });
    wanted
        .into_iter()
        .map(|(topic, indexes)| {
            let each = indexes.into_iter().map(|index| {
                let place = (topic.clone(), index);
                let pending_offsets = stable
                    && group.is_some_and(|g| {
                        g.pending_offsets.values().any(|o| o.contains_key(&place))
                    });
                if pending_offsets {
                    let error = ResponseError::UnstableOffsetCommit.code();
                    return Found { index, error, committed: nothing() };
                }
                let committed = group.and_then(|g| g.offsets.get(&place)).cloned();
                Found { index, error: 0, committed: committed.unwrap_or_else(nothing) }
            });
            let each = each.collect();
            (topic, each)
        })
        .collect()
}

pub(super) fn delete(cx: &Context, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let mut state = cx.shared.state();
    let answer = OffsetDeleteResponse::default();
    let group = match coordinates(cx, &state) {
        Err(error) => return answer.with_error_code(error.code()),
        Ok(()) => state.groups.get_mut(request.group_id.as_str()),
    };
    let Some(group) = group else {
        return answer.with_error_code(ResponseError::GroupIdNotFound.code());
    };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|p| {
            let done = if subscribed(group) {
                Err(ResponseError::GroupSubscribedToTopic)
            } else {
                group.offsets.remove(&(topic.name.to_string(), p.partition_index));
                Ok(())
            };
            OffsetDeleteResponsePartition::default()
                .with_partition_index(p.partition_index)
                .with_error_code(code(done))
        });
        let partitions = partitions.collect();
        OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    answer.with_topics(topics)
}
