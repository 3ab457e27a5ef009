//! Requests and answers of Kafka's protocol as bytes, by the `kafka-protocol` crate.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, BrokerId, DescribeClientQuotasRequest,
    DescribeClientQuotasResponse, DescribeQuorumRequest, DescribeQuorumResponse, FetchRequest,
    FetchResponse, InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, StrBytes};

use super::batch::ProducerId;

/// The newest version of producing that names topics by their names.
const NEWEST_PRODUCE: i16 = 12;
/// The newest version of fetching that names topics by their names.
const NEWEST_FETCH: i16 = 12;
/// The newest version of asking for offsets that is needed.
const NEWEST_OFFSETS: i16 = 7;
/// The newest version of asking for quotas.
const NEWEST_QUOTAS: i16 = 1;
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
    fetch: i16,
    offsets: i16,
    quotas: Option<i16>,
    /// None of brokers that have no controllers, or don't tell of them.
    quorum: Option<i16>,
}

/// An answer to a request about some partitions.
#[derive(Debug)]
pub(super) struct Answer<T> {
    /// How long the broker holds this connection back, since a quota is used up.
    pub(super) throttled: Duration,
    /// What it says of each partition, by topic and number.
    pub(super) partitions: Vec<(String, i32, T)>,
}

/// What a broker says of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchAnswer {
    /// Kafka's error code, 0 for none.
    pub(super) code: i16,
    /// The offset of its first record; negative where that isn't told.
    pub(super) base_offset: i64,
}

/// What a broker says of where a partition's log begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OffsetAnswer {
    /// Kafka's error code, 0 for none.
    pub(super) code: i16,
    /// The offset of the first record, or the one behind the last.
    pub(super) offset: i64,
}

/// Which end of a log is asked for, by the number that Kafka has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogEnd {
    /// The offset of the first record.
    First = -2,
    /// The offset behind the last record.
    Last = -1,
}

/// What a broker shows of a partition's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogAnswer {
    /// Kafka's error code, 0 for none.
    pub(super) code: i16,
    /// Batches; the last may be cut off.
    pub(super) records: Bytes,
}

/// What a request says of each of some partitions, by topic.
pub(super) type ByTopic<T> = Vec<(String, Vec<(i32, T)>)>;

/// The replica that asks as Kafka's own tools do: it is told the end of the log rather than the high
/// watermark, behind which a batch in doubt may stand.
const DEBUGGING: BrokerId = BrokerId(-2);
/// How long a broker waits for records that aren't replicated yet.
const FETCH_WAIT: Duration = Duration::from_millis(100);
/// The most bytes of a log that are fetched at once, of one partition and of all.
const FETCH_PARTITION_BYTES: i32 = 1 << 20;
const FETCH_BYTES: i32 = 4 << 20;

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
        let fetch = newest(ApiKey::Fetch, NEWEST_FETCH).unwrap_or(FetchRequest::VERSIONS.min);
        let offsets =
            newest(ApiKey::ListOffsets, NEWEST_OFFSETS).unwrap_or(ListOffsetsRequest::VERSIONS.min);
        let quotas = newest(ApiKey::DescribeClientQuotas, NEWEST_QUOTAS);
        let quorum = newest(ApiKey::DescribeQuorum, QUORUM.1).filter(|at| *at >= QUORUM.0);
        Ok(Versions { produce, producer, fetch, offsets, quotas, quorum })
    }

    /// A request to store batches: those of each topic by partition.
    pub(super) fn produce(
        self,
        frame: &mut BytesMut,
        correlation: i32,
        client_id: &str,
        acks: i16,
        timeout_ms: i32,
        topics: ByTopic<Bytes>,
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

    /// What an answer to [`Versions::produce`] says.
    pub(super) fn told_batches(self, mut answer: Bytes) -> Result<Answer<BatchAnswer>, String> {
        let answer: ProduceResponse = decode(&mut answer, self.produce)?;
        let topics = answer.responses.into_iter();
        let partitions = topics.flat_map(|topic| {
            topic.partition_responses.into_iter().map(move |said| {
                let batch = BatchAnswer { code: said.error_code, base_offset: said.base_offset };
                (topic.name.to_string(), said.index, batch)
            })
        });
        let partitions = partitions.collect();
        Ok(Answer { throttled: milliseconds(answer.throttle_time_ms), partitions })
    }

    /// A question for where the logs of partitions begin or end.
    pub(super) fn ask_offsets(
        self,
        frame: &mut BytesMut,
        correlation: i32,
        client_id: &str,
        topics: ByTopic<LogEnd>,
    ) -> Result<(), String> {
        let topics = topics.into_iter().map(|(name, partitions)| {
            let partitions = partitions.into_iter().map(|(index, wanted)| {
                ListOffsetsPartition::default()
                    .with_partition_index(index)
                    .with_timestamp(wanted as i64)
            });
            ListOffsetsTopic::default()
                .with_name(TopicName(StrBytes::from_string(name)))
                .with_partitions(partitions.collect())
        });
        let body =
            ListOffsetsRequest::default().with_replica_id(DEBUGGING).with_topics(topics.collect());
        request(frame, ApiKey::ListOffsets, self.offsets, correlation, client_id, &body)
    }

    /// What an answer to [`Versions::ask_offsets`] says.
    pub(super) fn told_offsets(self, mut answer: Bytes) -> Result<Answer<OffsetAnswer>, String> {
        let answer: ListOffsetsResponse = decode(&mut answer, self.offsets)?;
        let partitions = answer.topics.into_iter().flat_map(|topic| {
            topic.partitions.into_iter().map(move |said| {
                let offset = OffsetAnswer { code: said.error_code, offset: said.offset };
                (topic.name.to_string(), said.partition_index, offset)
            })
        });
        let partitions = partitions.collect();
        Ok(Answer { throttled: milliseconds(answer.throttle_time_ms), partitions })
    }

    /// A question for what stands in the logs of partitions from offsets on.
    pub(super) fn ask_logs(
        self,
        frame: &mut BytesMut,
        correlation: i32,
        client_id: &str,
        topics: ByTopic<i64>,
    ) -> Result<(), String> {
        let topics = topics.into_iter().map(|(name, partitions)| {
            let partitions = partitions.into_iter().map(|(index, from)| {
                FetchPartition::default()
                    .with_partition(index)
                    .with_fetch_offset(from)
                    .with_partition_max_bytes(FETCH_PARTITION_BYTES)
            });
            FetchTopic::default()
                .with_topic(TopicName(StrBytes::from_string(name)))
                .with_partitions(partitions.collect())
        });
        let body = FetchRequest::default()
            .with_max_wait_ms(FETCH_WAIT.as_millis() as i32)
            .with_min_bytes(1)
            .with_max_bytes(FETCH_BYTES)
            .with_topics(topics.collect());
        request(frame, ApiKey::Fetch, self.fetch, correlation, client_id, &body)
    }

    /// What an answer to [`Versions::ask_logs`] shows.
    pub(super) fn told_logs(self, mut answer: Bytes) -> Result<Answer<LogAnswer>, String> {
        let answer: FetchResponse = decode(&mut answer, self.fetch)?;
        let partitions = answer.responses.into_iter().flat_map(|topic| {
            topic.partitions.into_iter().map(move |said| {
                let log =
                    LogAnswer { code: said.error_code, records: said.records.unwrap_or_default() };
                (topic.topic.to_string(), said.partition_index, log)
            })
        });
        let partitions = partitions.collect();
        Ok(Answer { throttled: milliseconds(answer.throttle_time_ms), partitions })
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

    /// A question for all quotas.
    pub(super) fn ask_quotas(
        self,
        frame: &mut BytesMut,
        correlation: i32,
        client_id: &str,
    ) -> Result<(), String> {
        let version = self.quotas.ok_or("it doesn't tell of quotas")?;
        let body = DescribeClientQuotasRequest::default();
        request(frame, ApiKey::DescribeClientQuotas, version, correlation, client_id, &body)
    }

    /// What an answer to [`Versions::ask_quotas`] tells.
    pub(super) fn told_quotas(
        self,
        mut answer: Bytes,
    ) -> Result<DescribeClientQuotasResponse, String> {
        let version = self.quotas.ok_or("it doesn't tell of quotas")?;
        decode(&mut answer, version)
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

fn milliseconds(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
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
