//! Produce and InitProducerId.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{
    PartitionResponse, ProtocolError, RequestId, Response, TopicRequest, Versions, decode, encode,
    milliseconds,
};
use crate::batch::ProducerId;
use crate::error_code::ErrorCode;

/// The part of a Produce response for a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProducedBatch {
    pub(crate) error: Option<ErrorCode>,
    /// Its base offset; negative if it isn't reported.
    pub(crate) base_offset: i64,
}

impl Versions {
    /// Encodes a Produce request.
    pub(crate) fn encode_produce(
        self,
        frame: &mut BytesMut,
        id: RequestId<'_>,
        acks: i16,
        timeout_ms: i32,
        topics: Vec<TopicRequest<Bytes>>,
    ) -> Result<(), ProtocolError> {
        let topics = topics.into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|partition| {
                PartitionProduceData::default()
                    .with_index(partition.index)
                    .with_records(Some(partition.content))
            });
            TopicProduceData::default()
                .with_name(TopicName(StrBytes::from_string(topic.topic)))
                .with_partition_data(partitions.collect())
        });
        let body = ProduceRequest::default()
            .with_transactional_id(None)
            .with_acks(acks)
            .with_timeout_ms(timeout_ms)
            .with_topic_data(topics.collect());
        encode(frame, ApiKey::Produce, self.produce, id, &body)
    }

    /// Decodes the response to [`Versions::encode_produce`].
    pub(crate) fn decode_produce(
        self,
        mut response: Bytes,
    ) -> Result<Response<ProducedBatch>, ProtocolError> {
        let response: ProduceResponse = decode(&mut response, self.produce)?;
        let topics = response.responses.into_iter();
        let partitions = topics.flat_map(|topic| {
            topic.partition_responses.into_iter().map(move |partition| PartitionResponse {
                topic: topic.name.to_string(),
                index: partition.index,
                content: ProducedBatch {
                    error: ErrorCode::from_code(partition.error_code),
                    base_offset: partition.base_offset,
                },
            })
        });
        let partitions = partitions.collect();
        Ok(Response { throttle: milliseconds(response.throttle_time_ms), partitions })
    }

    /// Encodes an InitProducerId request.
    pub(crate) fn encode_init_producer_id(
        self,
        frame: &mut BytesMut,
        id: RequestId<'_>,
    ) -> Result<(), ProtocolError> {
        let body = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000);
        encode(frame, ApiKey::InitProducerId, self.init_producer_id, id, &body)
    }

    /// The producer id in a response, or its error.
    pub(crate) fn decode_init_producer_id(
        self,
        mut response: Bytes,
    ) -> Result<Result<ProducerId, ErrorCode>, ProtocolError> {
        let response: InitProducerIdResponse = decode(&mut response, self.init_producer_id)?;
        Ok(match ErrorCode::from_code(response.error_code) {
            None => Ok(ProducerId { id: response.producer_id.0, epoch: response.producer_epoch }),
            Some(error) => Err(error),
        })
    }
}
