//! Requests and their responses: one file for each family.

mod api_versions;
mod cluster;
mod config_changes;
mod configs;
mod error_response;
mod fetch;
mod group_offsets;
mod groups;
mod metadata;
mod offsets;
mod produce;
mod producers;
mod topic_changes;
mod topics;
mod transactions;

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AlterConfigsRequest, ApiKey,
    ApiVersionsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteGroupsRequest,
    DeleteRecordsRequest, DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest,
    DescribeGroupsRequest, DescribeProducersRequest, DescribeTopicPartitionsRequest, EndTxnRequest,
    FetchRequest, FindCoordinatorRequest, HeartbeatRequest, IncrementalAlterConfigsRequest,
    InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest,
    ListOffsetsRequest, ListPartitionReassignmentsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest,
    RequestKind, ResponseKind, SyncGroupRequest, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::StrBytes;

pub(crate) use api_versions::versions_answer;
pub(crate) use error_response::{error_response, throttle};

use crate::bounded_reader::{BoundedReader, InvalidRequest, decode_and_drop};
use crate::faults::Hit;
use crate::state::Shared;

/// What a handler knows of a request's connection.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    /// The node that it was sent to.
    pub(crate) node: i32,
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    /// The client's id, and its address.
    pub(crate) client_id: String,
    pub(crate) host: String,
}

macro_rules! apis {
    ($($api:ident($request:ty): $min:literal..=$max:literal,)*) => {
        /// The supported APIs, with their lowest and highest version.
        pub(crate) const APIS: &[(ApiKey, i16, i16)] = &[$((ApiKey::$api, $min, $max),)*];

        /// Decodes a request's body and drops it.
        ///
        /// # Errors
        /// If it isn't one.
        fn walk(api: ApiKey, version: i16, from: &mut BoundedReader) -> Result<(), InvalidRequest> {
            match api {
                $(ApiKey::$api => decode_and_drop::<$request>(from, version),)*
                _ => Err(InvalidRequest::unsupported(api)),
            }
        }
    };
}

apis! {
    Produce(ProduceRequest): 3..=13,
    Fetch(FetchRequest): 4..=17,
    ListOffsets(ListOffsetsRequest): 1..=10,
    Metadata(MetadataRequest): 0..=13,
    FindCoordinator(FindCoordinatorRequest): 0..=6,
    ApiVersions(ApiVersionsRequest): 0..=4,
    CreateTopics(CreateTopicsRequest): 2..=7,
    InitProducerId(InitProducerIdRequest): 0..=5,
    OffsetCommit(OffsetCommitRequest): 2..=9,
    OffsetFetch(OffsetFetchRequest): 1..=9,
    JoinGroup(JoinGroupRequest): 0..=9,
    Heartbeat(HeartbeatRequest): 0..=4,
    LeaveGroup(LeaveGroupRequest): 0..=5,
    SyncGroup(SyncGroupRequest): 0..=5,
    DescribeGroups(DescribeGroupsRequest): 0..=6,
    ListGroups(ListGroupsRequest): 0..=5,
    DeleteGroups(DeleteGroupsRequest): 0..=2,
    OffsetDelete(OffsetDeleteRequest): 0..=0,
    DeleteTopics(DeleteTopicsRequest): 1..=6,
    DeleteRecords(DeleteRecordsRequest): 0..=2,
    CreatePartitions(CreatePartitionsRequest): 0..=3,
    AlterConfigs(AlterConfigsRequest): 0..=2,
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest): 0..=1,
    ListPartitionReassignments(ListPartitionReassignmentsRequest): 0..=0,
    AddPartitionsToTxn(AddPartitionsToTxnRequest): 0..=3,
    AddOffsetsToTxn(AddOffsetsToTxnRequest): 0..=4,
    EndTxn(EndTxnRequest): 0..=4,
    TxnOffsetCommit(TxnOffsetCommitRequest): 0..=4,
    OffsetForLeaderEpoch(OffsetForLeaderEpochRequest): 2..=4,
    DescribeConfigs(DescribeConfigsRequest): 1..=4,
    DescribeCluster(DescribeClusterRequest): 0..=2,
    DescribeProducers(DescribeProducersRequest): 0..=0,
    DescribeTopicPartitions(DescribeTopicPartitionsRequest): 0..=0,
}

/// The supported versions of an API.
pub(crate) fn versions(api: ApiKey) -> Option<(i16, i16)> {
    APIS.iter().find(|(known, _, _)| *known as i16 == api as i16).map(|&(_, min, max)| (min, max))
}

/// Decodes a request's body.
///
/// # Errors
/// If it isn't one.
pub(crate) fn decode(
    api: ApiKey,
    version: i16,
    body: Bytes,
) -> Result<RequestKind, InvalidRequest> {
    walk(api, version, &mut BoundedReader::new(body.clone()))?;
    let mut body = body;
    RequestKind::decode(api, &mut body, version).map_err(InvalidRequest::of)
}

/// Handles a request. A Produce with acks=0 gets no response. If it failed, the connection is closed, as
/// Kafka does it.
///
/// # Errors
/// [`Closed`] if the connection is to be closed.
pub(crate) async fn answer(
    cx: &Context,
    request: RequestKind,
    hit: Option<&Hit>,
) -> Result<Option<ResponseKind>, Closed> {
    Ok(Some(match request {
        RequestKind::Produce(r) => {
            return Ok(produce::produce(cx, r, hit)?.map(ResponseKind::Produce));
        }
        RequestKind::Fetch(r) => fetch::fetch(cx, r, hit).await.into(),
        RequestKind::ListOffsets(r) => offsets::list(cx, r).into(),
        RequestKind::OffsetForLeaderEpoch(r) => offsets::for_leader_epoch(cx, r).into(),
        RequestKind::Metadata(r) => metadata::metadata(cx, r).into(),
        RequestKind::DescribeTopicPartitions(r) => metadata::topic_partitions(cx, r).into(),
        RequestKind::ApiVersions(r) => api_versions::answer(cx, &r).into(),
        RequestKind::CreateTopics(r) => topics::create(cx, r).into(),
        RequestKind::DescribeConfigs(r) => configs::describe(cx, r).into(),
        RequestKind::DescribeCluster(r) => cluster::describe(cx, &r).into(),
        RequestKind::FindCoordinator(r) => cluster::find_coordinator(cx, r).into(),
        RequestKind::InitProducerId(r) => transactions::init(cx, &r).into(),
        RequestKind::AddPartitionsToTxn(r) => transactions::add_partitions(cx, r).into(),
        RequestKind::AddOffsetsToTxn(r) => transactions::add_offsets(cx, &r).into(),
        RequestKind::EndTxn(r) => transactions::end(cx, &r).into(),
        RequestKind::TxnOffsetCommit(r) => group_offsets::commit_in_transaction(cx, r).into(),
        RequestKind::OffsetCommit(r) => group_offsets::commit(cx, r).into(),
        RequestKind::OffsetFetch(r) => group_offsets::fetch(cx, r).into(),
        RequestKind::OffsetDelete(r) => group_offsets::delete(cx, r).into(),
        RequestKind::JoinGroup(r) => groups::join(cx, r).await.into(),
        RequestKind::SyncGroup(r) => groups::sync(cx, r).await.into(),
        RequestKind::Heartbeat(r) => groups::heartbeat(cx, &r).into(),
        RequestKind::LeaveGroup(r) => groups::leave(cx, &r).into(),
        RequestKind::DescribeGroups(r) => groups::describe(cx, r).into(),
        RequestKind::ListGroups(r) => groups::list(cx, &r).into(),
        RequestKind::DeleteGroups(r) => groups::delete(cx, r).into(),
        RequestKind::DeleteTopics(r) => topic_changes::delete(cx, r).into(),
        RequestKind::CreatePartitions(r) => topic_changes::create_partitions(cx, r).into(),
        RequestKind::DeleteRecords(r) => topic_changes::delete_records(cx, r).into(),
        RequestKind::ListPartitionReassignments(_) => topic_changes::reassignments().into(),
        RequestKind::AlterConfigs(r) => config_changes::replace(cx, r).into(),
        RequestKind::DescribeProducers(r) => producers::describe(cx, r).into(),
        RequestKind::IncrementalAlterConfigs(r) => config_changes::alter(cx, r).into(),
        _ => return Err(Closed),
    }))
}

/// An error code, and the message beside it.
pub(crate) type ErrorWithMessage = (ResponseError, String);

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(crate) struct Closed;

/// A string of the protocol.
pub(crate) fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}
