//! The response to any request with nothing but an error, and the throttle time in responses.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::fetch_response::FetchableTopicResponse;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::produce_response::TopicProduceResponse;
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, CreateTopicsResponse, DescribeClusterResponse, FetchResponse,
    FindCoordinatorResponse, InitProducerIdResponse, ListOffsetsResponse, MetadataResponse,
    ProduceResponse, ProducerId, RequestKind, ResponseKind,
};

use super::{Context, fetch, produce};

/// The response with this error code. `None` if the API has none.
pub(crate) fn error_response(
    cx: &Context,
    request: &RequestKind,
    error: ResponseError,
) -> Option<ResponseKind> {
    let code = error.code();
    Some(match request {
        RequestKind::Produce(r) => {
            let topics = r.topic_data.iter().map(|t| {
                let why = (error, String::new());
                let each = t.partition_data.iter().map(|p| produce::refused(p.index, &why));
                TopicProduceResponse::default()
                    .with_name(t.name.clone())
                    .with_topic_id(t.topic_id)
                    .with_partition_responses(each.collect())
            });
            ProduceResponse::default().with_responses(topics.collect()).into()
        }
        RequestKind::Fetch(r) => {
            let topics = r.topics.iter().map(|t| {
                let each = t.partitions.iter().map(|p| fetch::refused(p.partition, error));
                FetchableTopicResponse::default()
                    .with_topic(t.topic.clone())
                    .with_topic_id(t.topic_id)
                    .with_partitions(each.collect())
            });
            FetchResponse::default().with_responses(topics.collect()).into()
        }
        RequestKind::ListOffsets(r) => {
            let topics = r.topics.iter().map(|t| {
                let each = t.partitions.iter().map(|p| {
                    ListOffsetsPartitionResponse::default()
                        .with_partition_index(p.partition_index)
                        .with_error_code(code)
                        .with_timestamp(-1)
                        .with_offset(-1)
                });
                ListOffsetsTopicResponse::default()
                    .with_name(t.name.clone())
                    .with_partitions(each.collect())
            });
            ListOffsetsResponse::default().with_topics(topics.collect()).into()
        }
        RequestKind::Metadata(r) => {
            let topics = r.topics.iter().flatten().map(|t| {
                MetadataResponseTopic::default()
                    .with_name(t.name.clone())
                    .with_topic_id(t.topic_id)
                    .with_error_code(code)
            });
            MetadataResponse::default()
                .with_controller_id(BrokerId(-1))
                .with_topics(topics.collect())
                .into()
        }
        RequestKind::FindCoordinator(r) => {
            let each = r.coordinator_keys.iter().map(|key| {
                Coordinator::default()
                    .with_key(key.clone())
                    .with_node_id(BrokerId(-1))
                    .with_port(-1)
                    .with_error_code(code)
            });
            let each = if cx.version < 4 { Vec::new() } else { each.collect() };
            let answer = FindCoordinatorResponse::default().with_coordinators(each);
            if cx.version < 4 {
                answer.with_error_code(code).with_node_id(BrokerId(-1)).with_port(-1).into()
            } else {
                answer.into()
            }
        }
        RequestKind::InitProducerId(_) => InitProducerIdResponse::default()
            .with_error_code(code)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
            .into(),
        RequestKind::ApiVersions(_) => ApiVersionsResponse::default().with_error_code(code).into(),
        RequestKind::DescribeCluster(_) => {
            DescribeClusterResponse::default().with_error_code(code).into()
        }
        RequestKind::CreateTopics(r) => {
            let topics = r.topics.iter().map(|t| {
                CreatableTopicResult::default().with_name(t.name.clone()).with_error_code(code)
            });
            CreateTopicsResponse::default().with_topics(topics.collect()).into()
        }
        _ => return None,
    })
}

/// Sets the throttle time of a response.
pub(crate) fn throttle(answer: &mut ResponseKind, ms: i32) {
    match answer {
        ResponseKind::Produce(r) => r.throttle_time_ms = ms,
        ResponseKind::Fetch(r) => r.throttle_time_ms = ms,
        ResponseKind::ListOffsets(r) => r.throttle_time_ms = ms,
        ResponseKind::Metadata(r) => r.throttle_time_ms = ms,
        ResponseKind::FindCoordinator(r) => r.throttle_time_ms = ms,
        ResponseKind::InitProducerId(r) => r.throttle_time_ms = ms,
        ResponseKind::ApiVersions(r) => r.throttle_time_ms = ms,
        ResponseKind::CreateTopics(r) => r.throttle_time_ms = ms,
        ResponseKind::DescribeConfigs(r) => r.throttle_time_ms = ms,
        ResponseKind::DescribeCluster(r) => r.throttle_time_ms = ms,
        ResponseKind::OffsetForLeaderEpoch(r) => r.throttle_time_ms = ms,
        _ => {}
    }
}
