//! Metadata and DescribeTopicPartitions.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, MetadataRequest,
    MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{Context, text};
use crate::state::{CLUSTER_ID, State};
use crate::topics::{self, Partition, Topic};

/// Stands for authorized operations that were not requested.
pub(super) const NOT_ASKED: i32 = i32::MIN;
/// The authorized operations on a topic and on the cluster, one bit each: there are no ACLs.
const ALL_OF_TOPIC: i32 = 0b1101_1111_1000;
pub(super) const ALL_OF_CLUSTER: i32 = 0b1_1111_1010_0000;

pub(super) fn metadata(cx: &Context, request: MetadataRequest) -> MetadataResponse {
    let mut state = cx.shared.state();
    // Version 0 has no null: an empty list asks for all topics.
    let all = request.topics.as_ref().is_none_or(|t| cx.version == 0 && t.is_empty());
    let create = cx.version < 4 || request.allow_auto_topic_creation;
    let topics = if all {
        let live = state.live();
        state.topics.iter().map(|(name, topic)| described(name, topic, &live)).collect()
    } else {
        let mut topics = Vec::new();
        for wanted in request.topics.unwrap_or_default() {
            topics.push(match wanted.name {
                Some(name) => by_name(&mut state, name, create),
                None => by_id(&state, wanted.topic_id),
            });
        }
        topics
    };
    let mut topics = topics;
    if request.include_topic_authorized_operations {
        for topic in topics.iter_mut().filter(|t| t.error_code == 0) {
            topic.topic_authorized_operations = ALL_OF_TOPIC;
        }
    }
    // Only versions 8 to 10 can carry it.
    let of_cluster = request.include_cluster_authorized_operations;
    let of_cluster = if of_cluster { ALL_OF_CLUSTER } else { NOT_ASKED };
    let brokers = state.nodes.iter().filter(|n| n.live).map(|n| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(n.id))
            .with_host(text(&n.host))
            .with_port(i32::from(n.port))
    });
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(StrBytes::from_static_str(CLUSTER_ID)))
        .with_controller_id(BrokerId(state.coordinator().map_or(-1, |n| n.id)))
        .with_cluster_authorized_operations(of_cluster)
        .with_topics(topics)
}

fn by_name(state: &mut State, name: TopicName, create: bool) -> MetadataResponseTopic {
    let refused = |error: ResponseError| {
        MetadataResponseTopic::default()
            .with_name(Some(name.clone()))
            .with_error_code(error.code())
            .with_topic_authorized_operations(NOT_ASKED)
    };
    if topics::check_name(&name).is_err() {
        return refused(ResponseError::InvalidTopicException);
    }
    if create && state.topics.get(&name).is_none() {
        state.auto_create_topic(&name);
    }
    match state.topics.get(&name) {
        Some(topic) => described(&name, topic, &state.live()),
        None => refused(ResponseError::UnknownTopicOrPartition),
    }
}

fn by_id(state: &State, id: uuid::Uuid) -> MetadataResponseTopic {
    match state.topics.name_of(id).and_then(|name| Some((name, state.topics.get(name)?))) {
        Some((name, topic)) => described(name, topic, &state.live()),
        None => MetadataResponseTopic::default()
            .with_name(None)
            .with_topic_id(id)
            .with_error_code(ResponseError::UnknownTopicId.code())
            .with_topic_authorized_operations(NOT_ASKED),
    }
}

fn described(name: &str, topic: &Topic, live: &[i32]) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().zip(0..).map(|(p, index)| {
        let (replicas, in_sync, offline) = replicas(p, live);
        MetadataResponsePartition::default()
            .with_error_code(leader_error(p))
            .with_partition_index(index)
            .with_leader_id(BrokerId(p.leader))
            .with_leader_epoch(p.epoch)
            .with_replica_nodes(replicas)
            .with_isr_nodes(in_sync)
            .with_offline_replicas(offline)
    });
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(name))))
        .with_topic_id(topic.id)
        .with_topic_authorized_operations(NOT_ASKED)
        .with_partitions(partitions.collect())
}

fn leader_error(partition: &Partition) -> i16 {
    if partition.leader < 0 { ResponseError::LeaderNotAvailable.code() } else { 0 }
}

/// The replicas of a partition, its in-sync replicas, and its offline replicas.
fn replicas(partition: &Partition, live: &[i32]) -> (Vec<BrokerId>, Vec<BrokerId>, Vec<BrokerId>) {
    let ids = || partition.replicas.iter().copied();
    (
        ids().map(BrokerId).collect(),
        ids().filter(|id| live.contains(id)).map(BrokerId).collect(),
        ids().filter(|id| !live.contains(id)).map(BrokerId).collect(),
    )
}

pub(super) fn topic_partitions(
    cx: &Context,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let state = cx.shared.state();
    let live = state.live();
    let mut names: Vec<String> = if request.topics.is_empty() {
        state.topics.iter().map(|(name, _)| name.to_owned()).collect()
    } else {
        request.topics.iter().map(|t| t.name.to_string()).collect()
    };
    names.sort();
    names.dedup();
    let (from_topic, from_index) = request
        .cursor
        .map_or((String::new(), 0), |c| (c.topic_name.to_string(), c.partition_index));
    names.retain(|n| *n >= from_topic);
    let mut room = usize::try_from(request.response_partition_limit).unwrap_or(0).clamp(1, 2_000);
    let mut answer = DescribeTopicPartitionsResponse::default().with_next_cursor(None);
    for name in names {
        let answered = DescribeTopicPartitionsResponseTopic::default()
            .with_name(Some(TopicName(text(&name))))
            .with_topic_authorized_operations(ALL_OF_TOPIC);
        let Some(topic) = state.topics.get(&name) else {
            let error = if topics::check_name(&name).is_err() {
                ResponseError::InvalidTopicException
            } else {
                ResponseError::UnknownTopicOrPartition
            };
            answer.topics.push(answered.with_error_code(error.code()));
            continue;
        };
        let first = if name == from_topic { from_index.max(0) } else { 0 };
        let skip = usize::try_from(first).unwrap_or(0);
        if room == 0 {
            let cursor = Cursor::default().with_topic_name(TopicName(text(&name)));
            answer.next_cursor = Some(cursor.with_partition_index(first));
            break;
        }
        let mut partitions = Vec::new();
        for (p, index) in topic.partitions.iter().zip(0..).skip(skip) {
            if room == 0 {
                let cursor = Cursor::default().with_topic_name(TopicName(text(&name)));
                answer.next_cursor = Some(cursor.with_partition_index(index));
                break;
            }
            room -= 1;
            let (replicas, in_sync, offline) = replicas(p, &live);
            partitions.push(
                DescribeTopicPartitionsResponsePartition::default()
                    .with_error_code(leader_error(p))
                    .with_partition_index(index)
                    .with_leader_id(BrokerId(p.leader))
                    .with_leader_epoch(p.epoch)
                    .with_replica_nodes(replicas)
                    .with_isr_nodes(in_sync)
                    .with_eligible_leader_replicas(Some(Vec::new()))
                    .with_last_known_elr(Some(Vec::new()))
                    .with_offline_replicas(offline),
            );
        }
        answer.topics.push(answered.with_topic_id(topic.id).with_partitions(partitions));
        if answer.next_cursor.is_some() {
            break;
        }
    }
    answer
}
