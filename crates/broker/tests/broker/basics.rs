//! Topics, batches in and out, offsets, settings.

use std::time::Duration;

use bytes::Bytes;
use fleetstorm_broker::{ApiKey, Broker, CLUSTER_ID, ResponseError, Restart, Settings};
use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, StrBytes};
use kafka_protocol::records::{Compression, RecordBatchDecoder};

use crate::client::{Client, Made, name, produce_request};

fn broker() -> (Broker, Client) {
    let broker = Broker::start(Settings::new()).unwrap();
    let client = Client::connect(broker.address(1).unwrap());
    (broker, client)
}

fn fetch(topic: &str, offset: i64) -> FetchRequest {
    FetchRequest::default()
        .with_max_wait_ms(10_000)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![FetchTopic::default().with_topic(name(topic)).with_partitions(vec![
            FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20),
        ])])
}

#[test]
fn a_client_of_a_version_yet_to_come_learns_the_versions() {
    let (_broker, mut client) = broker();
    client.send_bytes(&[0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 7, 1, 2]).unwrap();
    let mut frame = client.receive_frame().unwrap();
    ResponseHeader::decode(&mut frame, 0).unwrap();
    let answer = ApiVersionsResponse::decode(&mut frame, 0).unwrap();
    assert_eq!(answer.error_code, ResponseError::UnsupportedVersion.code());
    assert!(answer.api_keys.iter().any(|k| k.api_key == 18 && k.max_version == 4));
    // And goes on over the same connection.
    let named = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("test"))
        .with_client_software_version(StrBytes::from_static_str("1.0"));
    for version in 0..=4 {
        assert_eq!(client.ask(&named, version).unwrap().error_code, 0);
    }
    let nameless = client.ask(&ApiVersionsRequest::default(), 3).unwrap();
    assert_eq!(nameless.error_code, ResponseError::InvalidRequest.code());
}

#[test]
fn what_is_produced_is_fetched_as_it_came() {
    let (broker, mut client) = broker();
    broker.create_topic("t", 1, &[]).unwrap();
    let now = broker.now_ms();
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for (codec, offset) in codecs.into_iter().zip((0..).step_by(3)) {
        let batch = Made { compression: codec, ..Made::plain(3, now) }.batch();
        let outcome = client.produce("t", 0, batch).unwrap();
        assert_eq!((outcome.error_code, outcome.base_offset), (0, offset));
    }
    for (version, offset) in [(4, 0), (11, 0), (12, 5)] {
        let answer = client.ask(&fetch("t", offset), version).unwrap();
        let partition = &answer.responses[0].partitions[0];
        assert_eq!((partition.error_code, partition.high_watermark), (0, 15));
        let mut bytes = partition.records.clone().unwrap();
        let sets = RecordBatchDecoder::decode_all(&mut bytes).unwrap();
        let records: Vec<_> = sets.into_iter().flat_map(|s| s.records).collect();
        // From the batch on that has the offset.
        let first = offset / 3 * 3;
        assert_eq!(records.len() as i64, 15 - first);
        for (record, expected) in records.iter().zip(first..) {
            assert_eq!(record.offset, expected);
            assert_eq!(record.key, Some(Bytes::from(format!("k{}", expected % 3))));
        }
    }
    // The library's own look at it opens every codec.
    let records = broker.records("t", 0).unwrap();
    assert_eq!(records.len(), 15);
    for (record, offset) in records.iter().zip(0..) {
        assert_eq!((record.offset, record.timestamp), (offset, now + offset % 3));
        assert_eq!(record.value, Some(Bytes::from(format!("v{}", offset % 3))));
        assert_eq!(record.headers[0].0, "h");
    }
}

#[test]
fn a_fetch_waits_for_records() {
    let (broker, mut reader) = broker();
    broker.create_topic("t", 1, &[]).unwrap();
    reader.send(&fetch("t", 0), 12).unwrap();
    let mut writer = Client::connect(broker.address(1).unwrap());
    writer.produce("t", 0, Made::plain(1, broker.now_ms()).batch()).unwrap();
    let answer = reader.receive::<FetchRequest>(12).unwrap();
    assert!(!answer.responses[0].partitions[0].records.as_ref().unwrap().is_empty());
}

#[test]
fn offsets_are_found_by_place_and_time() {
    let (broker, mut client) = broker();
    broker.create_topic("t", 1, &[]).unwrap();
    let now = broker.now_ms();
    for later in [0, 100, 50] {
        client.produce("t", 0, Made::plain(10, now + later).batch()).unwrap();
    }
    let mut at = |timestamp| {
        let partition =
            ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
        let topic =
            ListOffsetsTopic::default().with_name(name("t")).with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default().with_topics(vec![topic]);
        let answer = client.ask(&request, 7).unwrap();
        let found = &answer.topics[0].partitions[0];
        assert_eq!(found.error_code, 0);
        (found.offset, found.timestamp)
    };
    assert_eq!(at(-1).0, 30);
    assert_eq!(at(-2).0, 0);
    assert_eq!(at(-3), (19, now + 109));
    assert_eq!(at(now + 5), (5, now + 5));
    assert_eq!(at(now + 60), (10, now + 100));
    assert_eq!(at(now + 1_000).0, -1);
}

#[test]
fn batches_that_kafka_refuses_are_refused() {
    let (broker, mut client) = broker();
    broker.create_topic("t", 1, &[("max.message.bytes", "200")]).unwrap();
    let now = broker.now_ms();
    let mut code = |topic: &str, batch: Vec<u8>| {
        let code = client.produce(topic, 0, Bytes::from(batch)).unwrap().error_code;
        ResponseError::try_from_code(code).map(|e| format!("{e:?}")).unwrap_or_default()
    };
    let good = Made::plain(1, now).batch().to_vec();
    assert_eq!(code("t", Made::plain(100, now).batch().to_vec()), "MessageTooLarge");
    let mut flipped = good.clone();
    flipped[70] ^= 1;
    assert_eq!(code("t", flipped), "CorruptMessage");
    assert_eq!(code("t", good[..40].to_vec()), "CorruptMessage");
    assert_eq!(code("t", [good.clone(), good.clone()].concat()), "InvalidRecord");
    let mut old = good.clone();
    old[16] = 1;
    assert_eq!(code("t", old), "UnsupportedForMessageFormat");
    assert_eq!(code("t", Made::plain(1, now + 7_200_000).batch().to_vec()), "InvalidTimestamp");
    assert_eq!(code("missing", good.clone()), "UnknownTopicOrPartition");
    assert_eq!(code("t", good), "");
}

#[test]
fn sequences_are_kept_as_kafka_keeps_them() {
    let (broker, mut client) = broker();
    broker.create_topic("t", 1, &[]).unwrap();
    let now = broker.now_ms();
    let id = client.ask(&InitProducerIdRequest::default().with_transactional_id(None), 4).unwrap();
    assert_eq!((id.error_code, id.producer_epoch), (0, 0));
    let mut send = |epoch, sequence| {
        let batch = Made::by(id.producer_id.0, epoch, sequence, 10, now).batch();
        let outcome = client.produce("t", 0, batch).unwrap();
        (outcome.error_code, outcome.base_offset)
    };
    assert_eq!(send(0, 0), (0, 0));
    assert_eq!(send(0, 10), (0, 10));
    assert_eq!(send(0, 0), (0, 0), "a duplicate has the offset that it had");
    assert_eq!(send(0, 30).0, ResponseError::OutOfOrderSequenceNumber.code());
    assert_eq!(send(1, 0), (0, 20));
    assert_eq!(send(0, 20).0, ResponseError::InvalidProducerEpoch.code());
    assert_eq!(broker.batches("t", 0).unwrap().len(), 3);
    broker.forget_producer_state("t", 0).unwrap();
    assert_eq!(send(0, 50), (0, 30));
}

#[test]
fn producers_expire_by_their_records_timestamps_and_the_brokers_clock() {
    let settings = Settings::new()
        .set("producer.id.expiration.ms", 60_000)
        .set("producer.id.expiration.check.interval.ms", 10_000);
    let broker = Broker::start(settings).unwrap();
    let mut client = Client::connect(broker.address(1).unwrap());
    broker.create_topic("t", 1, &[]).unwrap();
    let now = broker.now_ms();
    client.produce("t", 0, Made::by(5, 0, 0, 1, now).batch()).unwrap();
    broker.advance_clock(Duration::from_secs(50));
    assert_eq!(broker.producers("t", 0).unwrap().len(), 1);
    broker.advance_clock(Duration::from_secs(10));
    assert_eq!(broker.producers("t", 0).unwrap(), []);
    // One whose records are older than that is gone with the next check, or with a restart.
    client.produce("t", 0, Made::by(5, 0, 7, 1, now).batch()).unwrap();
    assert_eq!(broker.producers("t", 0).unwrap().len(), 1);
    broker.restart(1, Restart::Clean).unwrap();
    assert_eq!(broker.producers("t", 0).unwrap(), []);
}

#[test]
fn topics_are_created_with_settings_and_described() {
    let (broker, mut client) = broker();
    let topic = |topic: &str, partitions, configs: &[(&'static str, &'static str)]| {
        let config = |&(name, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(Some(StrBytes::from_static_str(value)))
        };
        CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.iter().map(config).collect())
    };
    let topics = vec![
        topic("good", 3, &[("cleanup.policy", "compact")]),
        topic("a/b", 1, &[]),
        topic("none", 0, &[]),
        topic("odd", 1, &[("cleanup.policy", "burn")]),
        topic("unknown", 1, &[("colour", "red")]),
    ];
    let request = CreateTopicsRequest::default().with_topics(topics);
    let codes = |answer: CreateTopicsResponse| -> Vec<i16> {
        answer.topics.iter().map(|t| t.error_code).collect()
    };
    let expected = [
        0,
        ResponseError::InvalidTopicException.code(),
        ResponseError::InvalidPartitions.code(),
        ResponseError::InvalidConfig.code(),
        ResponseError::InvalidConfig.code(),
    ];
    assert_eq!(codes(client.ask(&request, 7).unwrap()), expected);
    let again = codes(client.ask(&request, 5).unwrap());
    assert_eq!(again[0], ResponseError::TopicAlreadyExists.code());

    let resource = |kind, name: &'static str| {
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(StrBytes::from_static_str(name))
            .with_configuration_keys(None)
    };
    let request = DescribeConfigsRequest::default().with_resources(vec![
        resource(2, "good"),
        resource(4, "1"),
        resource(2, "missing"),
    ]);
    let answer = client.ask(&request, 4).unwrap();
    let value = |at: usize, name: &str| {
        let found = answer.results[at].configs.iter().find(|c| c.name.as_str() == name).unwrap();
        found.value.clone().unwrap().to_string()
    };
    assert_eq!(value(0, "cleanup.policy"), "compact");
    assert_eq!(value(1, "producer.id.expiration.ms"), "86400000");
    assert_eq!(answer.results[2].error_code, ResponseError::UnknownTopicOrPartition.code());
    assert_eq!(broker.requests(None, ApiKey::CreateTopics), 2);
}

#[test]
fn older_clients_give_a_topic_all_its_settings_at_once() {
    let (broker, mut client) = broker();
    broker.create_topic("tuned", 1, &[("retention.ms", "1000")]).unwrap();
    let mut set = |setting: &'static str, value: &'static str| {
        let config = AlterableConfig::default()
            .with_name(StrBytes::from_static_str(setting))
            .with_value(Some(StrBytes::from_static_str(value)));
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(StrBytes::from_static_str("tuned"))
            .with_configs(vec![config]);
        let request = AlterConfigsRequest::default().with_resources(vec![resource]);
        client.ask(&request, 2).unwrap().responses[0].error_code
    };
    assert_eq!(set("cleanup.policy", "burn"), ResponseError::InvalidConfig.code());
    assert_eq!(set("cleanup.policy", "compact"), 0);
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(StrBytes::from_static_str("tuned"))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let answer = client.ask(&request, 4).unwrap();
    let value = |name: &str| {
        let found = answer.results[0].configs.iter().find(|c| c.name.as_str() == name).unwrap();
        found.value.clone().unwrap().to_string()
    };
    assert_eq!(value("cleanup.policy"), "compact");
    assert_eq!(value("retention.ms"), "-1", "what wasn't named has its default again");
}

#[test]
fn producers_are_described_as_partitions_remember_them() {
    let (broker, mut client) = broker();
    broker.create_topic("written", 1, &[]).unwrap();
    let now = broker.now_ms();
    let batch = Made::by(7, 2, 0, 3, now).batch();
    assert_eq!(client.produce("written", 0, batch).unwrap().error_code, 0);
    let topic = TopicRequest::default().with_name(name("written"));
    let request = DescribeProducersRequest::default()
        .with_topics(vec![topic.with_partition_indexes(vec![0, 1])]);
    let answer = client.ask(&request, 0).unwrap();
    let partitions = &answer.topics[0].partitions;
    assert_eq!(partitions[1].error_code, ResponseError::UnknownTopicOrPartition.code());
    let [producer] = &partitions[0].active_producers[..] else { panic!("{partitions:?}") };
    assert_eq!((producer.producer_id.0, producer.producer_epoch), (7, 2));
    assert_eq!((producer.last_sequence, producer.current_txn_start_offset), (2, -1));
}

#[test]
fn metadata_names_nodes_and_topics_and_creates_what_is_named() {
    let broker = Broker::start(Settings::new().nodes(3)).unwrap();
    let mut client = Client::connect(broker.address(2).unwrap());
    broker.create_topic("t", 3, &[]).unwrap();
    let named = |topics: &[&str]| {
        let topics =
            topics.iter().map(|t| MetadataRequestTopic::default().with_name(Some(name(t))));
        MetadataRequest::default()
            .with_topics(Some(topics.collect()))
            .with_allow_auto_topic_creation(true)
    };
    for version in [0, 1, 5, 9, 12, 13] {
        let answer = client.ask(&named(&["t", "new", "a b"]), version).unwrap();
        assert_eq!(answer.brokers.len(), 3);
        let codes: Vec<_> = answer.topics.iter().map(|t| t.error_code).collect();
        assert_eq!(codes, [0, 0, ResponseError::InvalidTopicException.code()]);
        let leaders: Vec<_> = answer.topics[0].partitions.iter().map(|p| p.leader_id.0).collect();
        assert_eq!(leaders, [1, 2, 3]);
    }
    let all = client.ask(&MetadataRequest::default().with_topics(None), 9).unwrap();
    assert_eq!(all.topics.len(), 2);
    assert_eq!(all.cluster_id.unwrap().as_str(), CLUSTER_ID);
    let outcome = client.produce("t", 0, Made::plain(1, broker.now_ms()).batch()).unwrap();
    assert_eq!(outcome.error_code, ResponseError::NotLeaderOrFollower.code());
}

#[test]
fn the_oldest_batches_go_first_and_the_earliest_offset_tells_it() {
    let mut settings = Settings::new();
    settings.partition_bytes = 1_000;
    settings.total_bytes = 1_500;
    let broker = Broker::start(settings).unwrap();
    let mut client = Client::connect(broker.address(1).unwrap());
    for topic in ["a", "b"] {
        broker.create_topic(topic, 1, &[]).unwrap();
    }
    let size =
        |topic| -> usize { broker.batches(topic, 0).unwrap().iter().map(|b| b.bytes.len()).sum() };
    for _ in 0..50 {
        for topic in ["a", "b"] {
            client.produce(topic, 0, Made::plain(5, broker.now_ms()).batch()).unwrap();
            assert!(size("a") <= 1_000 && size("b") <= 1_000 && size("a") + size("b") <= 1_500);
        }
    }
    let (start, end) = broker.offsets("a", 0).unwrap();
    assert_eq!(end, 250);
    assert_eq!(start, broker.batches("a", 0).unwrap()[0].base_offset);
    let answer = client.ask(&fetch("a", 0), 12).unwrap();
    let refused = &answer.responses[0].partitions[0];
    assert_eq!(refused.error_code, ResponseError::OffsetOutOfRange.code());
    assert_eq!(refused.log_start_offset, start);
}

#[test]
fn without_acks_nothing_is_answered() {
    let (broker, mut client) = broker();
    broker.create_topic("t", 1, &[]).unwrap();
    let batch = Made::plain(1, broker.now_ms()).batch();
    let silent = |topic: &str| produce_request(topic, 0, batch.clone()).with_acks(0);
    client.send(&silent("t"), 9).unwrap();
    let outcome = client.produce("t", 0, batch.clone()).unwrap();
    assert_eq!(outcome.base_offset, 1, "the first answer is that of the second request");
    client.send(&silent("missing"), 9).unwrap();
    assert!(client.is_closed());
}
