//! DescribeCluster and FindCoordinator.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest,
    FindCoordinatorResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::metadata::{ALL_OF_CLUSTER, NOT_ASKED};
use super::{Context, text};
use crate::state::CLUSTER_ID;

pub(super) fn describe(cx: &Context, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    let state = cx.shared.state();
    let brokers = state.nodes.iter().filter(|n| n.live).map(|n| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(n.id))
            .with_host(text(&n.host))
            .with_port(i32::from(n.port))
    });
    let asked = request.include_cluster_authorized_operations;
    let operations = if asked { ALL_OF_CLUSTER } else { NOT_ASKED };
    DescribeClusterResponse::default()
        .with_endpoint_type(1)
        .with_cluster_id(StrBytes::from_static_str(CLUSTER_ID))
        .with_controller_id(BrokerId(state.coordinator().map_or(-1, |n| n.id)))
        .with_brokers(brokers.collect())
        .with_cluster_authorized_operations(operations)
}

pub(super) fn find_coordinator(
    cx: &Context,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let state = cx.shared.state();
    // The key types: 0 for groups, 1 for transactions.
    let (error, node) = match state.coordinator() {
        _ if !(0..=1).contains(&request.key_type) => (Some(ResponseError::InvalidRequest), None),
        None => (Some(ResponseError::CoordinatorNotAvailable), None),
        found => (None, found),
    };
    let code = error.map_or(0, |e| e.code());
    let id = BrokerId(node.map_or(-1, |n| n.id));
    let host = text(node.map_or("", |n| n.host.as_str()));
    let port = node.map_or(-1, |n| i32::from(n.port));
    let answer = FindCoordinatorResponse::default();
    if cx.version < 4 {
        return answer.with_error_code(code).with_node_id(id).with_host(host).with_port(port);
    }
    let each = request.coordinator_keys.into_iter().map(|key| {
        Coordinator::default()
            .with_key(key)
            .with_error_code(code)
            .with_node_id(id)
            .with_host(host.clone())
            .with_port(port)
    });
    answer.with_coordinators(each.collect())
}
