//! Requests and answers of Kafka's protocol as bytes, by the `kafka-protocol` crate.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, DescribeQuorumRequest, DescribeQuorumResponse,
    InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse, RequestHeader,
    ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, StrBytes};

use super::batch::ProducerId;

/// The newest version of producing that names topics by their names.
const NEWEST_PRODUCE: i16 = 12;
/// The newest version of asking for a producer that is needed.
const NEWEST_PRODUCER: i16 = 4;
/// The version of asking for the controllers that is the first to tell the time, and the newest.
const QUORUM: (i16, i16) = (1, 2);
/// The topic that the controllers keep.
const CONTROLLERS: &str = "__cluster_metadata";

/// The versions in which a broker is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Versions {
    produce: i16,
    producer: i16,
    /// None of brokers that have no controllers, or don't tell of them.
    quorum: Option<i16>,
}

/// What a broker says of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchAnswer {
    /// Kafka's error code, 0 for none.
    pub(super) code: i16,
}

/// A request for the versions that a broker knows.
pub(super) fn ask_versions(client_id: &str, frame: &mut BytesMut) -> Result<(), String> {
    request(frame, ApiKey::ApiVersions, 0, 0, client_id, &ApiVersionsRequest::default())
}

impl Versions {
    /// The versions to use, by an answer to [`ask_versions`].
    pub(super) fn read(mut answer: Bytes) -> Result<Versions, String> {
        let known: ApiVersionsResponse = decode(&mut answer, 0)?;
        if known.error_code != 0 {
            return Err(format!("it does not tell its versions (error {})", known.error_code));
        }
        let newest = |key: ApiKey, ours: i16| {
            let range = known.api_keys.iter().find(|api| api.api_key == key as i16)?;
            (range.min_version <= ours).then(|| ours.min(range.max_version))
        };
        let produce = newest(ApiKey::Produce, NEWEST_PRODUCE)
            .filter(|version| *version >= ProduceRequest::VERSIONS.min)
            .ok_or("it knows no version of producing that we know")?;
        let producer = newest(ApiKey::InitProducerId, NEWEST_PRODUCER).unwrap_or(0);
        let quorum = newest(ApiKey::DescribeQuorum, QUORUM.1).filter(|at| *at >= QUORUM.0);
        Ok(Versions { produce, producer, quorum })
    }

    /// A request to store batches: those of each topic by partition.
    pub(super) fn produce(
        self,
        frame: &mut BytesMut,
        correlation: i32,
        client_id: &str,
        acks: i16,
        timeout_ms: i32,
        topics: Vec<(String, Vec<(i32, Bytes)>)>,
    ) -> Result<(), String> {
        let topics = topics.into_iter().map(|(name, partitions)| {
            let partitions = partitions.into_iter().map(|(index, records)| {
                PartitionProduceData::default().with_index(index).with_records(Some(records))
            });
            TopicProduceData::default()
                .with_name(TopicName(StrBytes::from_string(name)))
                .with_partition_data(partitions.collect())
        });
        let body = ProduceRequest::default()
            .with_transactional_id(None)
            .with_acks(acks)
            .with_timeout_ms(timeout_ms)
            .with_topic_data(topics.collect());
        request(frame, ApiKey::Produce, self.produce, correlation, client_id, &body)
    }

    /// What an answer to [`Versions::produce`] says, by topic and partition.
    pub(super) fn stored(
        self,
        mut answer: Bytes,
    ) -> Result<Vec<(String, i32, BatchAnswer)>, String> {
        let answer: ProduceResponse = decode(&mut answer, self.produce)?;
        let mut said = Vec::new();
        for topic in answer.responses {
            for partition in topic.partition_responses {
                let answer = BatchAnswer { code: partition.error_code };
                said.push((topic.name.to_string(), partition.index, answer));
            }
        }
        Ok(said)
    }

    /// A request for a producer's number.
    pub(super) fn ask_producer(
        self,
        frame: &mut BytesMut,
        correlation: i32,
        client_id: &str,
    ) -> Result<(), String> {
        let body = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000);
        request(frame, ApiKey::InitProducerId, self.producer, correlation, client_id, &body)
    }

    /// The producer that an answer gives, or the error code of one that gives none.
    pub(super) fn producer(self, mut answer: Bytes) -> Result<Result<ProducerId, i16>, String> {
        let answer: InitProducerIdResponse = decode(&mut answer, self.producer)?;
        Ok(match answer.error_code {
            0 => Ok(ProducerId { id: answer.producer_id.0, epoch: answer.producer_epoch }),
            code => Err(code),
        })
    }

    /// A question for the controllers.
    pub(super) fn ask_quorum(
        self,
        frame: &mut BytesMut,
        correlation: i32,
        client_id: &str,
    ) -> Result<(), String> {
        let version = self.quorum.ok_or("it doesn't tell of controllers")?;
        let topic = TopicData::default()
            .with_topic_name(TopicName(StrBytes::from_static_str(CONTROLLERS)))
            .with_partitions(vec![PartitionData::default().with_partition_index(0)]);
        let body = DescribeQuorumRequest::default().with_topics(vec![topic]);
        request(frame, ApiKey::DescribeQuorum, version, correlation, client_id, &body)
    }

    /// The controller that leads, and its time in milliseconds since the epoch, by an answer to
    /// [`Versions::ask_quorum`]: when the leader was last on a par with itself.
    pub(super) fn leading(self, mut answer: Bytes) -> Result<(i32, i64), String> {
        let version = self.quorum.ok_or("it doesn't tell of controllers")?;
        let answer: DescribeQuorumResponse = decode(&mut answer, version)?;
        let partition = answer.topics.iter().flat_map(|topic| &topic.partitions).next();
        match (answer.error_code, partition) {
            (0, Some(partition)) if partition.error_code == 0 => {
                let leader = partition.leader_id;
                let mut voters = partition.current_voters.iter();
                let voter = voters.find(|voter| voter.replica_id == leader);
                let told_ms = voter.map(|voter| voter.last_caught_up_timestamp);
                told_ms.filter(|ms| *ms > 0).map(|ms| (leader.0, ms)).ok_or_else(untold)
            }
            (0, None) => Err(untold()),
            (code, partition) => {
                let code = if code == 0 { partition.map_or(0, |p| p.error_code) } else { code };
                Err(format!("it answers with error {code}"))
            }
        }
    }
}

fn untold() -> String {
    "its controller doesn't tell the time".to_owned()
}

/// The number by which an answer names its request.
pub(super) fn correlation(answer: &Bytes) -> Option<i32> {
    answer.get(..4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes)
}

/// Fills an empty frame: length, header, body.
fn request<B: Encodable + HeaderVersion>(
    frame: &mut BytesMut,
    key: ApiKey,
    version: i16,
    correlation: i32,
    client_id: &str,
    body: &B,
) -> Result<(), String> {
    frame.clear();
    frame.put_u32(0);
    RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_string(client_id.to_owned())))
        .encode(frame, B::header_version(version))
        .map_err(|error| error.to_string())?;
    body.encode(frame, version).map_err(|error| error.to_string())?;
    let length = (frame.len() - 4) as u32;
    (&mut frame[..4]).put_u32(length);
    Ok(())
}

fn decode<B: Decodable + HeaderVersion>(answer: &mut Bytes, version: i16) -> Result<B, String> {
    if answer.remaining() < 4 {
        return Err("its answer is too short".to_owned());
    }
    ResponseHeader::decode(answer, B::header_version(version))
        .and_then(|_| B::decode(answer, version))
        .map_err(|error| format!("its answer can't be read: {error}"))
}
