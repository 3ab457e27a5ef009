//! Metadata: brokers, and the leaders of partitions.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiKey, MetadataRequest, MetadataResponse as Metadata, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::{ProtocolError, RequestId, Versions, decode, encode};

/// A Metadata response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MetadataResponse {
    /// The live brokers.
    pub(crate) brokers: Vec<ResponseBroker>,
    /// The leader of each partition, by topic; -1 for none. Topics that don't exist, or that this user
    /// may not DESCRIBE, are left out.
    pub(crate) leaders: BTreeMap<String, Vec<i32>>,
}

/// A broker and its address for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResponseBroker {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Versions {
    /// Encodes a request for the brokers and the leaders of some topics. It creates no topics.
    pub(crate) fn encode_metadata(
        self,
        frame: &mut BytesMut,
        id: RequestId<'_>,
        topics: &[String],
    ) -> Result<(), ProtocolError> {
        let version = self.metadata_version()?;
        let topics = topics.iter().map(|name| {
            let name = TopicName(StrBytes::from_string(name.clone()));
            MetadataRequestTopic::default().with_name(Some(name))
        });
        let body = MetadataRequest::default()
            .with_topics(Some(topics.collect()))
            .with_allow_auto_topic_creation(false);
        encode(frame, ApiKey::Metadata, version, id, &body)
    }

    /// Decodes the response to [`Versions::encode_metadata`].
    pub(crate) fn decode_metadata(
        self,
        mut response: Bytes,
    ) -> Result<MetadataResponse, ProtocolError> {
        let response: Metadata = decode(&mut response, self.metadata_version()?)?;
        let brokers = response.brokers.into_iter().map(|broker| ResponseBroker {
            id: broker.node_id.0,
            host: broker.host.to_string(),
            port: u16::try_from(broker.port).unwrap_or(0),
        });
        let topics = response.topics.into_iter().filter(|topic| !topic.partitions.is_empty());
        let leaders = topics.filter_map(|topic| {
            let mut leaders = vec![-1; topic.partitions.len()];
            for partition in &topic.partitions {
                let index = usize::try_from(partition.partition_index).ok();
                if let Some(leader) = index.and_then(|index| leaders.get_mut(index)) {
                    *leader = partition.leader_id.0;
                }
            }
            Some((topic.name?.to_string(), leaders))
        });
        Ok(MetadataResponse { brokers: brokers.collect(), leaders: leaders.collect() })
    }

    fn metadata_version(self) -> Result<i16, ProtocolError> {
        self.metadata
            .ok_or(ProtocolError::Unsupported("supports no version of Metadata that we support"))
    }
}
