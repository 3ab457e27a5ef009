//! ListOffsets and OffsetForLeaderEpoch.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};

use super::Context;
use crate::log::OffsetAndTimestamp;
use crate::state::State;
use crate::topics::Partition;

/// The timestamps with a special meaning.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

const READ_COMMITTED: i8 = 1;

pub(super) fn list(cx: &Context, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let state = cx.shared.state();
    let committed = request.isolation_level == READ_COMMITTED;
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let index = wanted.partition_index;
            let answer = ListOffsetsPartitionResponse::default().with_partition_index(index);
            let found = led(&state, cx.node, &topic.name, index, wanted.current_leader_epoch)
                .and_then(|p| offset(p, wanted.timestamp, committed));
            match found {
                Err(error) => {
                    answer.with_error_code(error.code()).with_timestamp(-1).with_offset(-1)
                }
                Ok(at) => answer
                    .with_timestamp(at.timestamp)
                    .with_offset(at.offset)
                    // Clients before version 4 know no epochs.
                    .with_leader_epoch(if cx.version < 4 { -1 } else { at.leader_epoch }),
            }
        });
        let partitions = partitions.collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

/// The partition, if this node leads it.
pub(super) fn led<'a>(
    state: &'a State,
    node: i32,
    topic: &str,
    index: i32,
    believed_epoch: i32,
) -> Result<&'a Partition, ResponseError> {
    let partition =
        state.topics.partition(topic, index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    partition.led_by(node, believed_epoch)?;
    Ok(partition)
}

fn offset(
    partition: &Partition,
    timestamp: i64,
    committed: bool,
) -> Result<OffsetAndTimestamp, ResponseError> {
    let log = &partition.log;
    let end = if committed { log.last_stable_offset() } else { log.end() };
    let place =
        |offset| OffsetAndTimestamp { timestamp: -1, offset, leader_epoch: partition.epoch };
    let nowhere = OffsetAndTimestamp { timestamp: -1, offset: -1, leader_epoch: -1 };
    Ok(match timestamp {
        LATEST => place(end),
        EARLIEST | EARLIEST_LOCAL => place(log.start()),
        MAX_TIMESTAMP => log.at_max_timestamp().unwrap_or(nowhere),
        LATEST_TIERED => nowhere,
        time if time >= 0 => log.offset_for_timestamp(time, end).unwrap_or(nowhere),
        _ => return Err(ResponseError::UnsupportedVersion),
    })
}

pub(super) fn for_leader_epoch(
    cx: &Context,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let state = cx.shared.state();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let answer = EpochEndOffset::default().with_partition(wanted.partition);
            let (name, index) = (&topic.topic, wanted.partition);
            match led(&state, cx.node, name, index, wanted.current_leader_epoch) {
                Err(error) => {
                    answer.with_error_code(error.code()).with_leader_epoch(-1).with_end_offset(-1)
                }
                Ok(p) => {
                    let (epoch, end) = p.log.end_of_epoch(wanted.leader_epoch).unwrap_or((-1, -1));
                    // A future epoch is unknown.
                    let known = wanted.leader_epoch <= p.epoch;
                    let (epoch, end) = if known { (epoch, end) } else { (-1, -1) };
                    answer.with_leader_epoch(epoch).with_end_offset(end)
                }
            }
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}
