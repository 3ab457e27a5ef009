//! DescribeClientQuotas and DescribeQuorum.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::{
    ApiKey, DescribeClientQuotasRequest, DescribeClientQuotasResponse, DescribeQuorumRequest,
    DescribeQuorumResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{ProtocolError, RequestId, Versions, decode, encode};
use crate::error_code::ErrorCode;

/// The topic of the KRaft metadata log.
const CLUSTER_METADATA: &str = "__cluster_metadata";

/// The quotas of one entity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QuotaEntry {
    /// The parts of the entity.
    pub(crate) entity: Vec<QuotaEntity>,
    pub(crate) values: Vec<QuotaValue>,
}

/// A part of a quota's entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QuotaEntity {
    /// `user` or `client-id`.
    pub(crate) kind: String,
    /// Its name; `None` for the default.
    pub(crate) name: Option<String>,
}

/// A quota's name and value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QuotaValue {
    pub(crate) key: String,
    pub(crate) value: f64,
}

/// The active controller and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaderTime {
    pub(crate) controller: i32,
    /// In milliseconds since the epoch.
    pub(crate) time_ms: i64,
}

impl Versions {
    /// Encodes a request for all quotas.
    pub(crate) fn encode_describe_quotas(
        self,
        frame: &mut BytesMut,
        id: RequestId<'_>,
    ) -> Result<(), ProtocolError> {
        let body = DescribeClientQuotasRequest::default();
        encode(frame, ApiKey::DescribeClientQuotas, self.quotas_version()?, id, &body)
    }

    /// The quotas in a response, or its error.
    pub(crate) fn decode_describe_quotas(
        self,
        mut response: Bytes,
    ) -> Result<Result<Vec<QuotaEntry>, ErrorCode>, ProtocolError> {
        let version = self.quotas_version()?;
        let response: DescribeClientQuotasResponse = decode(&mut response, version)?;
        if let Some(error) = ErrorCode::from_code(response.error_code) {
            return Ok(Err(error));
        }
        let entries = response.entries.unwrap_or_default().into_iter().map(|entry| {
            let entity = entry.entity.into_iter().map(|part| QuotaEntity {
                kind: part.entity_type.to_string(),
                name: part.entity_name.map(|name| name.to_string()),
            });
            let values = entry.values.into_iter();
            let values =
                values.map(|value| QuotaValue { key: value.key.to_string(), value: value.value });
            QuotaEntry { entity: entity.collect(), values: values.collect() }
        });
        Ok(Ok(entries.collect()))
    }

    /// Encodes a request for the quorum of controllers.
    pub(crate) fn encode_describe_quorum(
        self,
        frame: &mut BytesMut,
        id: RequestId<'_>,
    ) -> Result<(), ProtocolError> {
        let topic = TopicData::default()
            .with_topic_name(TopicName(StrBytes::from_static_str(CLUSTER_METADATA)))
            .with_partitions(vec![PartitionData::default().with_partition_index(0)]);
        let body = DescribeQuorumRequest::default().with_topics(vec![topic]);
        encode(frame, ApiKey::DescribeQuorum, self.quorum_version()?, id, &body)
    }

    /// The active controller and its time, by the response to [`Versions::encode_describe_quorum`]: when
    /// the leader last caught up with itself. `None` if it isn't reported.
    pub(crate) fn decode_describe_quorum(
        self,
        mut response: Bytes,
    ) -> Result<Result<Option<LeaderTime>, ErrorCode>, ProtocolError> {
        let response: DescribeQuorumResponse = decode(&mut response, self.quorum_version()?)?;
        let partition = response.topics.iter().flat_map(|topic| &topic.partitions).next();
        let error = ErrorCode::from_code(response.error_code)
            .or_else(|| partition.and_then(|p| ErrorCode::from_code(p.error_code)));
        if let Some(error) = error {
            return Ok(Err(error));
        }
        let time = partition.and_then(|partition| {
            let leader = partition.leader_id;
            let mut voters = partition.current_voters.iter();
            let voter = voters.find(|voter| voter.replica_id == leader)?;
            let time_ms = voter.last_caught_up_timestamp;
            (time_ms > 0).then_some(LeaderTime { controller: leader.0, time_ms })
        });
        Ok(Ok(time))
    }

    fn quotas_version(self) -> Result<i16, ProtocolError> {
        self.describe_quotas.ok_or(ProtocolError::Unsupported("doesn't report quotas"))
    }

    fn quorum_version(self) -> Result<i16, ProtocolError> {
        self.describe_quorum.ok_or(ProtocolError::Unsupported("doesn't report its controllers"))
    }
}
