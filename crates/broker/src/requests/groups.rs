//! The classic group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and the admin requests for
//! groups.

use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    GroupId, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, SyncGroupRequest,
    SyncGroupResponse,
};

use super::metadata::NOT_ASKED;
use super::{Context, text};
use crate::config;
use crate::groups::{Group, Join, Joined, Phase, Reply, Synced};
use crate::state::State;

/// The authorized operations on a group: read, delete, describe.
const ALL_OF_GROUP: i32 = 0b1_0100_1000;

/// Checks that this node is the coordinator.
pub(super) fn coordinates(cx: &Context, state: &State) -> Result<(), ResponseError> {
    match state.coordinator() {
        Some(node) if node.id == cx.node => Ok(()),
        _ => Err(ResponseError::NotCoordinator),
    }
}

/// The group, created if it doesn't exist.
fn group<'a>(cx: &Context, state: &'a mut State, id: &str) -> Result<&'a mut Group, ResponseError> {
    coordinates(cx, state)?;
    if id.is_empty() {
        return Err(ResponseError::InvalidGroupId);
    }
    Ok(state.groups.entry(id.to_owned()).or_default())
}

/// The group, if it exists.
fn known<'a>(cx: &Context, state: &'a mut State, id: &str) -> Result<&'a mut Group, ResponseError> {
    coordinates(cx, state)?;
    if id.is_empty() {
        return Err(ResponseError::InvalidGroupId);
    }
    state.groups.get_mut(id).ok_or(ResponseError::UnknownMemberId)
}

pub(super) async fn join(cx: &Context, request: JoinGroupRequest) -> JoinGroupResponse {
    let soon = {
        let mut state = cx.shared.state();
        let number = |name| config::broker_number(&state.config, name);
        let sessions =
            number("group.min.session.timeout.ms")..=number("group.max.session.timeout.ms");
        let session = i64::from(request.session_timeout_ms);
        let delay = millis(number("group.initial.rebalance.delay.ms"));
        if sessions.contains(&session) {
            group(cx, &mut state, &request.group_id)
                .map(|group| group.join(wish(cx, &request, delay)))
        } else {
            Err(ResponseError::InvalidSessionTimeout)
        }
    };
    let joined = match soon {
        Err(error) => Err(error),
        Ok(Reply::Now(joined)) => Ok(joined),
        Ok(Reply::Later(receiver)) => receiver.await.map_err(|_| ResponseError::UnknownMemberId),
    };
    let joined = joined.unwrap_or_else(|error| Joined {
        error: Some(error),
        generation: -1,
        member: request.member_id.to_string(),
        ..Joined::default()
    });
    let members = joined.members.into_iter().map(|(id, instance, metadata)| {
        JoinGroupResponseMember::default()
            .with_member_id(text(id))
            .with_group_instance_id(instance.map(text))
            .with_metadata(metadata)
    });
    // Before version 7 there is no null.
    let protocol = joined.protocol.map(text);
    let protocol = if cx.version < 7 { Some(protocol.unwrap_or_default()) } else { protocol };
    JoinGroupResponse::default()
        .with_error_code(joined.error.map_or(0, |e| e.code()))
        .with_generation_id(joined.generation)
        .with_protocol_type((cx.version >= 7).then(|| text(joined.protocol_type)))
        .with_protocol_name(protocol)
        .with_leader(text(joined.leader))
        .with_member_id(text(joined.member))
        .with_members(members.collect())
}

fn wish(cx: &Context, request: &JoinGroupRequest, initial_delay: Duration) -> Join {
    // Version 0 has no rebalance timeout: the session timeout counts.
    let rebalance = match request.rebalance_timeout_ms {
        ms if ms >= 0 && cx.version > 0 => ms,
        _ => request.session_timeout_ms,
    };
    Join {
        member: request.member_id.to_string(),
        instance: request.group_instance_id.as_ref().map(ToString::to_string),
        client_id: cx.client_id.clone(),
        host: cx.host.clone(),
        session: millis(i64::from(request.session_timeout_ms)),
        rebalance: millis(i64::from(rebalance)),
        protocol_type: request.protocol_type.to_string(),
        protocols: request
            .protocols
            .iter()
            .map(|p| (p.name.to_string(), p.metadata.clone()))
            .collect(),
        id_first: cx.version >= 4,
        initial_delay,
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

pub(super) async fn sync(cx: &Context, request: SyncGroupRequest) -> SyncGroupResponse {
    let soon = {
        let mut state = cx.shared.state();
        known(cx, &mut state, &request.group_id).and_then(|group| {
            let other =
                |asked: Option<&str>, is: Option<&str>| asked.is_some_and(|a| Some(a) != is);
            if other(request.protocol_type.as_deref(), Some(&group.protocol_type))
                || other(request.protocol_name.as_deref(), group.protocol.as_deref())
            {
                return Err(ResponseError::InconsistentGroupProtocol);
            }
            let assignments = request.assignments.into_iter();
            Ok(group.sync(
                &request.member_id,
                request.group_instance_id.as_deref(),
                request.generation_id,
                assignments.map(|a| (a.member_id.to_string(), a.assignment)).collect(),
            ))
        })
    };
    let synced = match soon {
        Err(error) => Err(error),
        Ok(Reply::Now(synced)) => Ok(synced),
        Ok(Reply::Later(receiver)) => receiver.await.map_err(|_| ResponseError::UnknownMemberId),
    };
    let synced = synced.unwrap_or_else(Synced::refused);
    let named = synced.error.is_none();
    SyncGroupResponse::default()
        .with_error_code(synced.error.map_or(0, |e| e.code()))
        .with_protocol_type(named.then(|| text(synced.protocol_type)))
        .with_protocol_name(synced.protocol.map(text))
        .with_assignment(synced.assignment)
}

pub(super) fn heartbeat(cx: &Context, request: &HeartbeatRequest) -> HeartbeatResponse {
    let mut state = cx.shared.state();
    let done = known(cx, &mut state, &request.group_id).and_then(|group| {
        let instance = request.group_instance_id.as_deref();
        group.heartbeat(&request.member_id, instance, request.generation_id)
    });
    HeartbeatResponse::default().with_error_code(code(done))
}

pub(super) fn leave(cx: &Context, request: &LeaveGroupRequest) -> LeaveGroupResponse {
    let mut state = cx.shared.state();
    let group = match known(cx, &mut state, &request.group_id) {
        Ok(group) => group,
        Err(error) => return LeaveGroupResponse::default().with_error_code(error.code()),
    };
    if cx.version < 3 {
        let done = group.leave(&request.member_id, None);
        return LeaveGroupResponse::default().with_error_code(code(done));
    }
    let members = request.members.iter().map(|m| {
        MemberResponse::default()
            .with_member_id(m.member_id.clone())
            .with_group_instance_id(m.group_instance_id.clone())
            .with_error_code(code(group.leave(&m.member_id, m.group_instance_id.as_deref())))
    });
    LeaveGroupResponse::default().with_members(members.collect())
}

pub(super) fn describe(cx: &Context, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let state = cx.shared.state();
    let coordinates = coordinates(cx, &state);
    let operations = if request.include_authorized_operations { ALL_OF_GROUP } else { NOT_ASKED };
    let groups = request.groups.into_iter().map(|id| {
        let found = state.groups.get(id.0.as_str());
        let answer = DescribedGroup::default()
            .with_group_id(id)
            .with_error_message(None)
            .with_authorized_operations(operations);
        match (coordinates, found) {
            (Err(error), _) => answer.with_error_code(error.code()),
            (Ok(()), Some(group)) => described(answer, group),
            (Ok(()), None) => {
                let error = ResponseError::GroupIdNotFound.code();
                let answer = answer.with_group_state(text("Dead"));
                if cx.version < 6 { answer } else { answer.with_error_code(error) }
            }
        }
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

fn described(answer: DescribedGroup, group: &Group) -> DescribedGroup {
    let protocol = group.protocol.clone().unwrap_or_default();
    let members = group.members.iter().map(|(id, m)| {
        let metadata = m.protocols.iter().find(|(name, _)| *name == protocol);
        DescribedGroupMember::default()
            .with_member_id(text(id))
            .with_group_instance_id(m.instance.clone().map(text))
            .with_client_id(text(&m.client_id))
            .with_client_host(text(format!("/{}", m.host)))
            .with_member_metadata(metadata.map(|(_, m)| m.clone()).unwrap_or_default())
            .with_member_assignment(m.assignment.clone())
    });
    answer
        .with_group_state(text(group.phase.name()))
        .with_protocol_type(text(&group.protocol_type))
        .with_members(members.collect())
        .with_protocol_data(text(protocol))
}

pub(super) fn list(cx: &Context, request: &ListGroupsRequest) -> ListGroupsResponse {
    let state = cx.shared.state();
    if coordinates(cx, &state).is_err() {
        // Clients ask every node for its groups. Only the coordinator has some.
        return ListGroupsResponse::default();
    }
    let among = |filter: &[kafka_protocol::protocol::StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|f| f.eq_ignore_ascii_case(value))
    };
    let groups = state
        .groups
        .iter()
        .filter(|(_, g)| !g.is_unused())
        .filter(|(_, g)| among(&request.states_filter, g.phase.name()))
        .filter(|_| among(&request.types_filter, "classic"))
        .map(|(id, g)| {
            ListedGroup::default()
                .with_group_id(GroupId(text(id)))
                .with_protocol_type(text(&g.protocol_type))
                .with_group_state(text(g.phase.name()))
                .with_group_type(text("classic"))
        });
    ListGroupsResponse::default().with_groups(groups.collect())
}

pub(super) fn delete(cx: &Context, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut state = cx.shared.state();
    let coordinates = coordinates(cx, &state);
    let results = request.groups_names.into_iter().map(|id| {
        let done = coordinates.and_then(|()| match state.groups.get(id.0.as_str()) {
            None => Err(ResponseError::GroupIdNotFound),
            Some(g) if g.phase != Phase::Empty => Err(ResponseError::NonEmptyGroup),
            Some(_) => {
                state.groups.remove(id.0.as_str());
                Ok(())
            }
        });
        DeletableGroupResult::default().with_group_id(id).with_error_code(code(done))
    });
    DeleteGroupsResponse::default().with_results(results.collect())
}

/// The error code of a result.
pub(super) fn code(done: Result<(), ResponseError>) -> i16 {
    done.map_or_else(|e| e.code(), |()| 0)
}
