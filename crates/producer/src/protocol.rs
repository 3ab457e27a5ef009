//! Encodes requests and decodes responses with the `kafka-protocol` crate: headers and versions here, and
//! a file for each family of requests.

mod admin;
mod logs;
mod metadata;
mod produce;

use std::error::Error;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, FetchRequest, ListOffsetsRequest,
    ProduceRequest, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, StrBytes};

use crate::error_code::ErrorCode;

#[cfg(test)]
pub(crate) use admin::QuotaValue;
pub(crate) use admin::{QuotaEntity, QuotaEntry};
pub(crate) use logs::{FetchedLog, ListedOffset, OffsetSpec};
pub(crate) use metadata::{MetadataResponse, ResponseBroker};
pub(crate) use produce::ProducedBatch;

/// The newest Produce version that names topics by name.
const NEWEST_PRODUCE: i16 = 12;
/// The newest Fetch version that names topics by name.
const NEWEST_FETCH: i16 = 12;
/// The newest ListOffsets version that is needed.
const NEWEST_LIST_OFFSETS: i16 = 7;
/// The newest DescribeClientQuotas version.
const NEWEST_DESCRIBE_QUOTAS: i16 = 1;
/// The newest InitProducerId version that is needed.
const NEWEST_INIT_PRODUCER_ID: i16 = 4;
/// The first Metadata version that creates no missing topics, and the newest.
const METADATA: (i16, i16) = (4, 12);
/// The first DescribeQuorum version that reports the time, and the newest.
const DESCRIBE_QUORUM: (i16, i16) = (1, 2);

/// The API versions to use with a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Versions {
    produce: i16,
    init_producer_id: i16,
    fetch: i16,
    list_offsets: i16,
    metadata: Option<i16>,
    describe_quotas: Option<i16>,
    /// `None` if the broker has no controllers, or doesn't report them.
    describe_quorum: Option<i16>,
}

/// What a request header holds beside API key and version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId<'a> {
    /// The correlation id.
    pub(crate) correlation: i32,
    /// The client id.
    pub(crate) client_id: &'a str,
}

/// A response about some partitions.
#[derive(Debug)]
pub(crate) struct Response<T> {
    /// How long the broker throttles this connection: a quota is exceeded.
    pub(crate) throttle: Duration,
    /// The part for each partition.
    pub(crate) partitions: Vec<PartitionResponse<T>>,
}

/// The part of a response for a partition.
#[derive(Debug)]
pub(crate) struct PartitionResponse<T> {
    /// The topic's name.
    pub(crate) topic: String,
    /// The partition's index in the topic.
    pub(crate) index: i32,
    /// The content.
    pub(crate) content: T,
}

/// The part of a request for a topic.
#[derive(Debug)]
pub(crate) struct TopicRequest<T> {
    /// The topic's name.
    pub(crate) topic: String,
    /// The part for each partition.
    pub(crate) partitions: Vec<PartitionRequest<T>>,
}

/// The part of a request for a partition.
#[derive(Debug)]
pub(crate) struct PartitionRequest<T> {
    /// The partition's index in the topic.
    pub(crate) index: i32,
    /// The content.
    pub(crate) content: T,
}

/// Why a request can't be encoded, or a response can't be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The broker supports no version of an API that this crate supports. Says what it lacks.
    #[error("it {0}")]
    Unsupported(&'static str),
    /// The broker doesn't report its API versions.
    #[error("it does not report its API versions ({0})")]
    NoVersions(ErrorCode),
    /// The request can't be encoded in the broker's version.
    #[error("a request could not be encoded: {0}")]
    Encode(#[source] Box<dyn Error + Send + Sync>),
    /// The response is too short.
    #[error("its answer is too short")]
    TooShort,
    /// The response is malformed.
    #[error("its answer can't be decoded: {0}")]
    Decode(#[source] Box<dyn Error + Send + Sync>),
}

/// Encodes an ApiVersions request.
pub(crate) fn encode_api_versions(
    frame: &mut BytesMut,
    client_id: &str,
) -> Result<(), ProtocolError> {
    let id = RequestId { correlation: 0, client_id };
    encode(frame, ApiKey::ApiVersions, 0, id, &ApiVersionsRequest::default())
}

impl Versions {
    /// The versions to use, by the response to [`encode_api_versions`].
    pub(crate) fn decode(mut response: Bytes) -> Result<Versions, ProtocolError> {
        let known: ApiVersionsResponse = decode(&mut response, 0)?;
        if let Some(error) = ErrorCode::from_code(known.error_code) {
            return Err(ProtocolError::NoVersions(error));
        }
        let newest = |key: ApiKey, ours: i16| {
            let range = known.api_keys.iter().find(|api| api.api_key == key as i16)?;
            (range.min_version <= ours).then(|| ours.min(range.max_version))
        };
        let within = |key: ApiKey, (oldest, ours): (i16, i16)| {
            newest(key, ours).filter(|version| *version >= oldest)
        };
        Ok(Versions {
            produce: within(ApiKey::Produce, (ProduceRequest::VERSIONS.min, NEWEST_PRODUCE))
                .ok_or(ProtocolError::Unsupported(
                    "supports no version of Produce that we support",
                ))?,
            init_producer_id: newest(ApiKey::InitProducerId, NEWEST_INIT_PRODUCER_ID).unwrap_or(0),
            fetch: newest(ApiKey::Fetch, NEWEST_FETCH).unwrap_or(FetchRequest::VERSIONS.min),
            list_offsets: newest(ApiKey::ListOffsets, NEWEST_LIST_OFFSETS)
                .unwrap_or(ListOffsetsRequest::VERSIONS.min),
            metadata: within(ApiKey::Metadata, METADATA),
            describe_quotas: newest(ApiKey::DescribeClientQuotas, NEWEST_DESCRIBE_QUOTAS),
            describe_quorum: within(ApiKey::DescribeQuorum, DESCRIBE_QUORUM),
        })
    }
}

/// The correlation id of a response.
pub(crate) fn correlation(response: &Bytes) -> Option<i32> {
    response.get(..4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes)
}

fn milliseconds(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Fills an empty frame: length, header, body.
fn encode<B: Encodable + HeaderVersion>(
    frame: &mut BytesMut,
    key: ApiKey,
    version: i16,
    id: RequestId<'_>,
    body: &B,
) -> Result<(), ProtocolError> {
    frame.clear();
    frame.put_u32(0);
    RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(id.correlation)
        .with_client_id(Some(StrBytes::from_string(id.client_id.to_owned())))
        .encode(frame, B::header_version(version))
        .and_then(|()| body.encode(frame, version))
        .map_err(|error| ProtocolError::Encode(error.into()))?;
    let length = (frame.len() - 4) as u32;
    (&mut frame[..4]).put_u32(length);
    Ok(())
}

fn decode<B: Decodable + HeaderVersion>(
    response: &mut Bytes,
    version: i16,
) -> Result<B, ProtocolError> {
    if response.remaining() < 4 {
        return Err(ProtocolError::TooShort);
    }
    ResponseHeader::decode(response, B::header_version(version))
        .and_then(|_| B::decode(response, version))
        .map_err(|error| ProtocolError::Decode(error.into()))
}
