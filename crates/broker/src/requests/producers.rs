//! DescribeProducers: the producer state of partitions.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};

use super::Context;

pub(super) fn describe(
    cx: &Context,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let state = cx.shared.state();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|&index| {
            let answer = PartitionResponse::default().with_partition_index(index);
            let found = state
                .topics
                .partition(&topic.name, index)
                .ok_or(ResponseError::UnknownTopicOrPartition)
                .and_then(|partition| partition.led_by(cx.node, -1).map(|()| partition));
            match found {
                Err(error) => answer.with_error_code(error.code()).with_error_message(None),
                Ok(partition) => {
                    let known = partition.log.producers.states().into_iter().map(|known| {
                        ProducerState::default()
                            .with_producer_id(ProducerId(known.producer_id))
                            .with_producer_epoch(i32::from(known.epoch))
                            .with_last_sequence(known.last_sequence)
                            .with_last_timestamp(known.last_timestamp)
                            .with_coordinator_epoch(-1)
                            .with_current_txn_start_offset(known.transaction_start.unwrap_or(-1))
                    });
                    answer.with_error_message(None).with_active_producers(known.collect())
                }
            }
        });
        let partitions = partitions.collect();
        TopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}
