//! Every version of every API is answered, and read by the protocol's own decoder to its end.

use fleetstorm_broker::{Broker, Settings};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Request, StrBytes};

use crate::client::{Client, Made, name, produce_request};

/// Asks in all versions of which the broker says that it answers them.
fn all_versions<R: Request>(client: &mut Client, make: impl Fn(i16) -> R) {
    let versions = client.ask(&ApiVersionsRequest::default(), 0).unwrap();
    let api = versions.api_keys.iter().find(|k| k.api_key == R::KEY).unwrap();
    // Produce is claimed from 0 on and answered from 3 on, as by Kafka.
    let first = if R::KEY == ApiKey::Produce as i16 { 3 } else { api.min_version };
    for version in first..=api.max_version {
        let answer = client.ask(&make(version), version);
        assert!(answer.is_ok(), "{:?} {version}", ApiKey::try_from(R::KEY));
    }
}

#[test]
fn every_version_of_every_api_is_answered() {
    let broker = Broker::start(Settings::new()).unwrap();
    broker.create_topic("t", 2, &[]).unwrap();
    let client = &mut Client::connect(broker.address(1).unwrap());
    let batch = Made::plain(3, broker.now_ms()).batch();
    let id =
        client.ask(&MetadataRequest::default().with_topics(None), 12).unwrap().topics[0].topic_id;
    let text = StrBytes::from_static_str;
    let group = || GroupId(text("g"));

    all_versions(client, |version| {
        let mut request = produce_request("t", 0, batch.clone());
        if version >= 13 {
            request.topic_data[0].topic_id = id;
        }
        request
    });
    assert_eq!(broker.offsets("t", 0).unwrap().1, 33, "one batch of 3 a version");
    all_versions(client, |version| {
        let topic = FetchTopic::default().with_partitions(vec![
            FetchPartition::default().with_partition_max_bytes(1_000),
            FetchPartition::default().with_partition(9),
        ]);
        let topic =
            if version >= 13 { topic.with_topic_id(id) } else { topic.with_topic(name("t")) };
        FetchRequest::default()
            .with_max_bytes(1_000)
            .with_isolation_level(1)
            .with_topics(vec![topic])
    });
    all_versions(client, |_| {
        let partition = |time| ListOffsetsPartition::default().with_timestamp(time);
        let partitions = [-1, -2, -3, 0].into_iter().map(partition).collect();
        ListOffsetsRequest::default().with_topics(vec![
            ListOffsetsTopic::default().with_name(name("t")).with_partitions(partitions),
        ])
    });
    all_versions(client, |_| MetadataRequest::default().with_topics(None));
    all_versions(client, |version| {
        let request = FindCoordinatorRequest::default();
        if version < 4 {
            request.with_key(text("g"))
        } else {
            request.with_coordinator_keys(vec![text("g")])
        }
    });
    all_versions(client, |_| ApiVersionsRequest::default());
    all_versions(client, |_| CreateTopicsRequest::default());
    all_versions(client, |_| InitProducerIdRequest::default().with_transactional_id(None));
    all_versions(client, |_| {
        OffsetForLeaderEpochRequest::default().with_topics(vec![
            OffsetForLeaderTopic::default()
                .with_topic(name("t"))
                .with_partitions(vec![OffsetForLeaderPartition::default()]),
        ])
    });
    all_versions(client, |_| {
        DescribeConfigsRequest::default().with_resources(vec![
            describe_configs_request::DescribeConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text("t"))
                .with_configuration_keys(None),
        ])
    });
    all_versions(client, |_| DescribeClusterRequest::default());
    all_versions(client, |_| DescribeTopicPartitionsRequest::default());
    all_versions(client, |_| {
        OffsetCommitRequest::default().with_group_id(group()).with_topics(vec![
            OffsetCommitRequestTopic::default().with_name(name("t")).with_partitions(vec![
                OffsetCommitRequestPartition::default().with_committed_offset(5),
            ]),
        ])
    });
    all_versions(client, |version| {
        let request = OffsetFetchRequest::default();
        if version < 8 {
            request.with_group_id(group()).with_topics(Some(vec![
                OffsetFetchRequestTopic::default()
                    .with_name(name("t"))
                    .with_partition_indexes(vec![0, 1]),
            ]))
        } else {
            request.with_groups(vec![
                OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(Some(vec![
                    OffsetFetchRequestTopics::default()
                        .with_name(name("t"))
                        .with_partition_indexes(vec![0, 1]),
                ])),
            ])
        }
    });
    all_versions(client, |version| {
        JoinGroupRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(format!("g{version}"))))
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(1)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![JoinGroupRequestProtocol::default().with_name(text("range"))])
    });
    all_versions(client, |_| SyncGroupRequest::default().with_group_id(group()));
    all_versions(client, |_| HeartbeatRequest::default().with_group_id(group()));
    all_versions(client, |version| {
        let request = LeaveGroupRequest::default().with_group_id(group());
        if version < 3 { request } else { request.with_members(vec![MemberIdentity::default()]) }
    });
    all_versions(client, |_| DescribeGroupsRequest::default().with_groups(vec![group()]));
    all_versions(client, |_| ListGroupsRequest::default());
    all_versions(client, |_| DeleteGroupsRequest::default().with_groups_names(vec![group()]));
    all_versions(client, |_| OffsetDeleteRequest::default().with_group_id(group()));
    all_versions(client, |_| DeleteTopicsRequest::default());
    all_versions(client, |_| DeleteRecordsRequest::default());
    all_versions(client, |_| CreatePartitionsRequest::default());
    all_versions(client, |_| IncrementalAlterConfigsRequest::default());
    all_versions(client, |_| AlterConfigsRequest::default());
    all_versions(client, |_| {
        let topic = TopicRequest::default().with_name(name("t")).with_partition_indexes(vec![0, 9]);
        DescribeProducersRequest::default().with_topics(vec![topic])
    });
    all_versions(client, |_| ListPartitionReassignmentsRequest::default().with_topics(None));
    all_versions(client, |_| {
        AddPartitionsToTxnRequest::default().with_v3_and_below_topics(vec![
            AddPartitionsToTxnTopic::default().with_name(name("t")).with_partitions(vec![0]),
        ])
    });
    all_versions(client, |_| AddOffsetsToTxnRequest::default());
    all_versions(client, |_| EndTxnRequest::default());
    all_versions(client, |_| TxnOffsetCommitRequest::default());
}
