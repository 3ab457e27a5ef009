//! DeleteTopics, CreatePartitions and DeleteRecords.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse, ListPartitionReassignmentsResponse, TopicName,
};

use super::{Context, text};
use crate::state::State;
use crate::topics::MAX_PARTITIONS;

/// The offset that means: delete all records.
const HIGH_WATERMARK: i64 = -1;

pub(super) fn delete(cx: &Context, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let mut state = cx.shared.state();
    let wanted = if cx.version >= 6 {
        request.topics
    } else {
        let named = |name| DeleteTopicState::default().with_name(Some(name));
        request.topic_names.into_iter().map(named).collect()
    };
    let mut responses = Vec::new();
    for topic in wanted {
        let answer = DeletableTopicResult::default().with_error_message(None);
        let (name, missing) = match topic.name {
            Some(name) => (Some(name.to_string()), ResponseError::UnknownTopicOrPartition),
            None => (
                state.topics.name_of(topic.topic_id).map(str::to_owned),
                ResponseError::UnknownTopicId,
            ),
        };
        let removed = name.as_deref().and_then(|name| state.topics.remove(name));
        let answer = answer.with_name(name.map(|n| TopicName(text(n))));
        responses.push(match removed {
            None => answer.with_topic_id(topic.topic_id).with_error_code(missing.code()),
            Some(gone) => {
                state.bytes -= gone.partitions.iter().map(|p| p.log.bytes()).sum::<usize>();
                answer.with_topic_id(gone.id)
            }
        });
    }
    drop(state);
    // Consumers that wait for its records learn that it is gone.
    cx.shared.appended.notify_waiters();
    DeleteTopicsResponse::default().with_responses(responses)
}

pub(super) fn create_partitions(
    cx: &Context,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut state = cx.shared.state();
    let mut results = Vec::new();
    for wanted in request.topics {
        let done = add_partitions(&mut state, &wanted, request.validate_only);
        let result = CreatePartitionsTopicResult::default().with_name(wanted.name);
        results.push(match done {
            Ok(()) => result.with_error_message(None),
            Err((error, why)) => {
                result.with_error_code(error.code()).with_error_message(Some(text(why)))
            }
        });
    }
    CreatePartitionsResponse::default().with_results(results)
}

fn add_partitions(
    state: &mut State,
    wanted: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), (ResponseError, String)> {
    let missing = || (ResponseError::UnknownTopicOrPartition, "no such topic".to_owned());
    let topic = state.topics.get(&wanted.name).ok_or_else(missing)?;
    let has = topic.partitions.len();
    let factor = topic.partitions.first().map_or(1, |p| p.replicas.len());
    let count = usize::try_from(wanted.count).unwrap_or(0);
    if count <= has || wanted.count > MAX_PARTITIONS {
        let why = format!(
            "The topic {} currently has {has} partition(s); {} would not be an increase.",
            wanted.name.as_str(),
            wanted.count
        );
        return Err((ResponseError::InvalidPartitions, why));
    }
    if validate_only {
        return Ok(());
    }
    let live = state.live();
    for index in has..count {
        let replicas = state.replicas(index, factor);
        if let Some(topic) = state.topics.get_mut(&wanted.name) {
            topic.add_partition(replicas, &live);
        }
    }
    Ok(())
}

pub(super) fn delete_records(cx: &Context, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let mut state = cx.shared.state();
    let mut topics = Vec::new();
    for topic in request.topics {
        let mut partitions = Vec::new();
        for wanted in &topic.partitions {
            let index = wanted.partition_index;
            let answer = DeleteRecordsPartitionResult::default().with_partition_index(index);
            partitions.push(
                match delete_before(cx, &mut state, &topic.name, index, wanted.offset) {
                    Ok(low) => answer.with_low_watermark(low),
                    Err(error) => answer.with_low_watermark(-1).with_error_code(error.code()),
                },
            );
        }
        topics.push(
            DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions),
        );
    }
    DeleteRecordsResponse::default().with_topics(topics)
}

/// Deletes the records before an offset. Returns the new log start offset.
fn delete_before(
    cx: &Context,
    state: &mut State,
    topic: &str,
    index: i32,
    offset: i64,
) -> Result<i64, ResponseError> {
    let State { topics, config, bytes, .. } = state;
    let found = topics.get_mut(topic).ok_or(ResponseError::UnknownTopicOrPartition)?;
    if !found.is_deleted_from(config) {
        return Err(ResponseError::PolicyViolation);
    }
    let partition = found.partition_mut(index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    partition.led_by(cx.node, -1)?;
    let log = &mut partition.log;
    let offset = if offset == HIGH_WATERMARK { log.end() } else { offset };
    if offset < 0 || offset > log.end() {
        return Err(ResponseError::OffsetOutOfRange);
    }
    let before = log.bytes();
    log.truncate_before(offset);
    *bytes -= before - log.bytes();
    Ok(log.start())
}

/// Partitions are never reassigned.
pub(super) fn reassignments() -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default().with_error_message(None)
}
