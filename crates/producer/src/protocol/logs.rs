//! ListOffsets and Fetch.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    ApiKey, BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{
    PartitionResponse, ProtocolError, RequestId, Response, TopicRequest, Versions, decode, encode,
    milliseconds,
};
use crate::error_code::ErrorCode;

/// The part of a ListOffsets response for a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListedOffset {
    pub(crate) error: Option<ErrorCode>,
    /// The log's start offset, or its end offset.
    pub(crate) offset: i64,
}

/// Which offset is queried, by Kafka's number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetSpec {
    /// The offset of the first record.
    Earliest = -2,
    /// The offset after the last record.
    Latest = -1,
}

/// The part of a Fetch response for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FetchedLog {
    pub(crate) error: Option<ErrorCode>,
    /// Batches; the last may be cut off.
    pub(crate) records: Bytes,
}

/// The replica id of Kafka's own debugging tools. For it, ListOffsets and Fetch go to the log end offset
/// rather than to the high watermark: a batch in doubt may be between the two.
const DEBUGGING_CONSUMER: BrokerId = BrokerId(-2);
/// How long a broker waits for records that are not replicated yet.
const FETCH_MAX_WAIT: Duration = Duration::from_millis(100);
/// The most bytes that are fetched at once, of one partition and of all.
const FETCH_PARTITION_BYTES: i32 = 1 << 20;
const FETCH_BYTES: i32 = 4 << 20;

impl Versions {
    /// Encodes a request for start or end offsets.
    pub(crate) fn encode_list_offsets(
        self,
        frame: &mut BytesMut,
        id: RequestId<'_>,
        topics: Vec<TopicRequest<OffsetSpec>>,
    ) -> Result<(), ProtocolError> {
        let topics = topics.into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|partition| {
                ListOffsetsPartition::default()
                    .with_partition_index(partition.index)
                    .with_timestamp(partition.content as i64)
            });
            ListOffsetsTopic::default()
                .with_name(TopicName(StrBytes::from_string(topic.topic)))
                .with_partitions(partitions.collect())
        });
        let body = ListOffsetsRequest::default()
            .with_replica_id(DEBUGGING_CONSUMER)
            .with_topics(topics.collect());
        encode(frame, ApiKey::ListOffsets, self.list_offsets, id, &body)
    }

    /// Decodes the response to [`Versions::encode_list_offsets`].
    pub(crate) fn decode_list_offsets(
        self,
        mut response: Bytes,
    ) -> Result<Response<ListedOffset>, ProtocolError> {
        let response: ListOffsetsResponse = decode(&mut response, self.list_offsets)?;
        let partitions = response.topics.into_iter().flat_map(|topic| {
            topic.partitions.into_iter().map(move |partition| PartitionResponse {
                topic: topic.name.to_string(),
                index: partition.partition_index,
                content: ListedOffset {
                    error: ErrorCode::from_code(partition.error_code),
                    offset: partition.offset,
                },
            })
        });
        let partitions = partitions.collect();
        Ok(Response { throttle: milliseconds(response.throttle_time_ms), partitions })
    }

    /// Encodes a request for records from offsets on.
    pub(crate) fn encode_fetch(
        self,
        frame: &mut BytesMut,
        id: RequestId<'_>,
        topics: Vec<TopicRequest<i64>>,
    ) -> Result<(), ProtocolError> {
        let topics = topics.into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|partition| {
                FetchPartition::default()
                    .with_partition(partition.index)
                    .with_fetch_offset(partition.content)
                    .with_partition_max_bytes(FETCH_PARTITION_BYTES)
            });
            FetchTopic::default()
                .with_topic(TopicName(StrBytes::from_string(topic.topic)))
                .with_partitions(partitions.collect())
        });
        let body = FetchRequest::default()
            .with_max_wait_ms(FETCH_MAX_WAIT.as_millis() as i32)
            .with_min_bytes(1)
            .with_max_bytes(FETCH_BYTES)
            .with_topics(topics.collect());
        encode(frame, ApiKey::Fetch, self.fetch, id, &body)
    }

    /// Decodes the response to [`Versions::encode_fetch`].
    pub(crate) fn decode_fetch(
        self,
        mut response: Bytes,
    ) -> Result<Response<FetchedLog>, ProtocolError> {
        let response: FetchResponse = decode(&mut response, self.fetch)?;
        let partitions = response.responses.into_iter().flat_map(|topic| {
            topic.partitions.into_iter().map(move |partition| PartitionResponse {
                topic: topic.topic.to_string(),
                index: partition.partition_index,
                content: FetchedLog {
                    error: ErrorCode::from_code(partition.error_code),
                    records: partition.records.unwrap_or_default(),
                },
            })
        });
        let partitions = partitions.collect();
        Ok(Response { throttle: milliseconds(response.throttle_time_ms), partitions })
    }
}
