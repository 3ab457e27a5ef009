//! What the broker answers: one file for each family of requests.

mod api_versions;
mod cluster;
mod configs;
mod fetch;
mod metadata;
mod offsets;
mod produce;
mod producer_ids;
mod refusal;
mod topics;

use std::sync::Arc;

use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, CreateTopicsRequest, DescribeClusterRequest,
    DescribeConfigsRequest, DescribeTopicPartitionsRequest, FetchRequest, FindCoordinatorRequest,
    InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest,
    ProduceRequest, RequestKind, ResponseKind,
};
use kafka_protocol::protocol::StrBytes;

pub(crate) use api_versions::versions_answer;
pub(crate) use refusal::{refuse, throttle};

use crate::careful::{Reader, drop_decoded};
use crate::faults::Hit;
use crate::state::Shared;

/// Where a request came in, and from whom.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    /// The node that it was sent to.
    pub(crate) node: i32,
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
}

macro_rules! apis {
    ($($api:ident($request:ty): $min:literal..=$max:literal,)*) => {
        /// Every API that is answered, with its lowest and highest version.
        pub(crate) const APIS: &[(ApiKey, i16, i16)] = &[$((ApiKey::$api, $min, $max),)*];

        /// Reads a request's body to its end and drops it.
        ///
        /// # Errors
        /// Where it isn't one.
        pub(crate) fn walk(api: ApiKey, version: i16, from: &mut Reader) -> Result<(), String> {
            match api {
                $(ApiKey::$api => drop_decoded::<$request>(from, version),)*
                _ => Err(format!("{api:?} is not answered")),
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
    OffsetForLeaderEpoch(OffsetForLeaderEpochRequest): 2..=4,
    DescribeConfigs(DescribeConfigsRequest): 1..=4,
    DescribeCluster(DescribeClusterRequest): 0..=2,
    DescribeTopicPartitions(DescribeTopicPartitionsRequest): 0..=0,
}

/// The versions in which an API is answered.
pub(crate) fn versions(api: ApiKey) -> Option<(i16, i16)> {
    APIS.iter().find(|(known, _, _)| *known as i16 == api as i16).map(|&(_, min, max)| (min, max))
}

/// Does what a request asks. No answer to a Produce with acks=0; where that failed, an error, upon which
/// the connection is closed as Kafka does it.
///
/// # Errors
/// [`Closed`] where the connection is to be closed.
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
        RequestKind::DescribeCluster(_) => cluster::describe(cx).into(),
        RequestKind::FindCoordinator(r) => cluster::find_coordinator(cx, r).into(),
        RequestKind::InitProducerId(r) => producer_ids::init(cx, &r).into(),
        _ => return Err(Closed),
    }))
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(crate) struct Closed;

/// A text as the protocol has it.
pub(crate) fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}
