//! Which brokers there are, and what they lead.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiKey, MetadataRequest, MetadataResponse as Metadata, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::{ProtocolError, RequestId, Versions, decode, encode};

/// What a broker says of its cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MetadataResponse {
    /// The brokers that live.
    pub(crate) brokers: Vec<ResponseBroker>,
    /// The brokers that lead each topic's partitions, by topic; -1 where none does. Topics that don't
    /// exist, or aren't shown to us, are left out.
    pub(crate) leaders: BTreeMap<String, Vec<i32>>,
}

/// A broker as it is named to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResponseBroker {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Versions {
    /// A request for the brokers and the leaders of some topics, which creates none.
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

    /// What a response to [`Versions::encode_metadata`] says.
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
        self.metadata.ok_or(ProtocolError::Unsupported("knows no version of metadata that we know"))
    }
}
