//! Produce: batches are checked, then appended.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_response::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{BrokerId, ProduceRequest, ProduceResponse, TransactionalId};

use super::{Closed, Context, ErrorWithMessage, text};
use crate::faults::{Action, Hit};
use crate::log::AppendInfo;
use crate::log::batch;
use crate::log::header::Header;
use crate::log::producers::SequenceCheck;
use crate::state::State;
use crate::topics::Limits;

/// A partition of the request, on its way through the checks.
struct Sent {
    index: i32,
    records: Option<Bytes>,
    outcome: Result<(Limits, Header), ErrorWithMessage>,
}

/// Appends the batches of a request. Returns `None` with acks=0.
pub(super) fn produce(
    cx: &Context,
    request: ProduceRequest,
    hit: Option<&Hit>,
) -> Result<Option<ProduceResponse>, Closed> {
    let acks = request.acks;
    let mut answer = ProduceResponse::default();
    let mut failed = false;
    for topic in request.topic_data {
        let name = {
            let state = cx.shared.state();
            if cx.version >= 13 {
                state.topics.name_of(topic.topic_id).map(str::to_owned)
            } else {
                Some(topic.name.to_string())
            }
        };
        let partitions = topic.partition_data.into_iter().map(|p| (p.index, p.records));
        let results = match &name {
            Some(name) => {
                store(cx, name, partitions.collect(), acks, request.transactional_id.as_ref(), hit)
            }
            None => partitions
                .map(|(index, _)| refused(index, &(ResponseError::UnknownTopicId, String::new())))
                .collect(),
        };
        failed |= results.iter().any(|r| r.error_code != 0);
        let answered = TopicProduceResponse::default()
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
            .with_partition_responses(results);
        answer.responses.push(answered);
    }
    name_leaders(cx, &mut answer);
    match acks {
        0 if failed => Err(Closed),
        0 => Ok(None),
        _ => Ok(Some(answer)),
    }
}

/// Appends the batches for the partitions of one topic.
fn store(
    cx: &Context,
    topic: &str,
    partitions: Vec<(i32, Option<Bytes>)>,
    acks: i16,
    transaction: Option<&TransactionalId>,
    hit: Option<&Hit>,
) -> Vec<PartitionProduceResponse> {
    let fault_of = |index| {
        let hit = hit?;
        let (t, i) = hit.partition.as_ref()?;
        (t == topic && *i == index).then_some(hit.action)
    };
    // Limits are looked up and batches appended under the lock. The checks between run without it.
    let mut sent: Vec<Sent> = {
        let state = cx.shared.state();
        let limits = |index| match fault_of(index) {
            Some(Action::Fail(error)) => Err((error, "as a test asked".to_owned())),
            _ => limits(&state, cx.node, topic, index, acks),
        };
        partitions
            .into_iter()
            .map(|(index, records)| Sent {
                index,
                records,
                outcome: limits(index).map(|limits| (limits, NO_HEADER)),
            })
            .collect()
    };
    let now = cx.shared.now_ms();
    for one in &mut sent {
        if let Ok((limits, header)) = &mut one.outcome {
            match check(one.records.as_ref(), limits, now) {
                Ok(read) => *header = read,
                Err(refusal) => one.outcome = Err(refusal),
            }
        }
    }
    let mut state = cx.shared.state();
    let results = sent.into_iter().map(|one| {
        let stored = one.outcome.and_then(|(limits, header)| {
            let bytes = one.records.unwrap_or_default();
            let time = limits.log_append_time.then_some(now);
            append(&mut state, cx, topic, one.index, (&bytes, header), time, transaction)
        });
        match (stored, fault_of(one.index)) {
            (Ok(_), Some(Action::ApplyThenFail(error))) => {
                refused(one.index, &(error, "as a test asked".to_owned()))
            }
            (Ok((stored, start)), _) => PartitionProduceResponse::default()
                .with_index(one.index)
                .with_base_offset(stored.base_offset)
                .with_log_append_time_ms(stored.log_append_time)
                .with_log_start_offset(start),
            (Err(refusal), _) => refused(one.index, &refusal),
        }
    });
    let results = results.collect();
    drop(state);
    cx.shared.appended.notify_waiters();
    results
}

const NO_HEADER: Header = Header {
    base_offset: 0,
    leader_epoch: 0,
    attributes: 0,
    last_offset_delta: 0,
    base_timestamp: 0,
    max_timestamp: 0,
    producer_id: -1,
    producer_epoch: -1,
    base_sequence: -1,
    count: 0,
};

/// The limits for a batch, if this node may append it at all.
fn limits(
    state: &State,
    node: i32,
    topic: &str,
    index: i32,
    acks: i16,
) -> Result<Limits, ErrorWithMessage> {
    let plain = |error| (error, String::new());
    if !(-1..=1).contains(&acks) {
        return Err(plain(ResponseError::InvalidRequiredAcks));
    }
    let found = state.topics.get(topic).ok_or(plain(ResponseError::UnknownTopicOrPartition))?;
    let partition = found.partition(index).ok_or(plain(ResponseError::UnknownTopicOrPartition))?;
    partition.led_by(node, -1).map_err(plain)?;
    let limits = found.limits(&state.config);
    let live = state.live();
    let in_sync = partition.replicas.iter().filter(|r| live.contains(r)).count();
    if acks == -1 && in_sync < limits.min_in_sync {
        return Err(plain(ResponseError::NotEnoughReplicas));
    }
    Ok(limits)
}

fn check(records: Option<&Bytes>, limits: &Limits, now: i64) -> Result<Header, ErrorWithMessage> {
    let records = records
        .ok_or_else(|| (ResponseError::InvalidRecord, "a partition without records".to_owned()))?;
    let header = batch::check(records, limits.max_message_bytes, limits.compacted)?;
    if !limits.log_append_time {
        let (after, before) =
            (header.max_timestamp.saturating_sub(now), now.saturating_sub(header.base_timestamp));
        if after > limits.after_ms || before > limits.before_ms {
            let why = format!(
                "Timestamp {} of message is out of range: the broker's time is {now}",
                header.max_timestamp
            );
            return Err((ResponseError::InvalidTimestamp, why));
        }
    }
    Ok(header)
}

fn append(
    state: &mut State,
    cx: &Context,
    topic: &str,
    index: i32,
    (bytes, header): (&Bytes, Header),
    log_append_time: Option<i64>,
    transaction: Option<&TransactionalId>,
) -> Result<(AppendInfo, i64), ErrorWithMessage> {
    if header.is_transactional() {
        let known = state.topics.partition(topic, index);
        // A duplicate is detected whatever happened to its transaction.
        let duplicate = known.is_some_and(|p| {
            matches!(p.log.producers.check_sequence(&header), Ok(SequenceCheck::Duplicate(_)))
        });
        if !duplicate {
            let producer = (header.producer_id, header.producer_epoch);
            let name = transaction.map(|t| t.0.as_str());
            state
                .check_transactional(name, producer, topic, index)
                .map_err(|e| (e, "the partition is not in an ongoing transaction".to_owned()))?;
        }
    }
    let partition = state
        .topics
        .partition_mut(topic, index)
        .ok_or((ResponseError::UnknownTopicOrPartition, String::new()))?;
    partition.led_by(cx.node, -1).map_err(|e| (e, String::new()))?;
    let epoch = partition.epoch;
    let before = partition.log.bytes();
    let stored = partition.log.append(bytes, header, epoch, log_append_time)?;
    state.bytes += partition.log.bytes() - before;
    state.enforce_retention(&cx.shared.settings, topic, index);
    let start = state.topics.partition(topic, index).map_or(-1, |p| p.log.start());
    Ok((stored, start))
}

pub(super) fn refused(index: i32, (error, why): &ErrorWithMessage) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(error.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
        .with_error_message((!why.is_empty()).then(|| text(why)))
}

/// Names the leaders to a client that asked the wrong node.
fn name_leaders(cx: &Context, answer: &mut ProduceResponse) {
    if cx.version < 10 {
        return;
    }
    let wrong = ResponseError::NotLeaderOrFollower.code();
    let state = cx.shared.state();
    let mut leaders = Vec::new();
    for topic in &mut answer.responses {
        let name = if cx.version >= 13 {
            state.topics.name_of(topic.topic_id).unwrap_or_default()
        } else {
            topic.name.as_str()
        };
        for p in topic.partition_responses.iter_mut().filter(|p| p.error_code == wrong) {
            if let Some(known) = state.topics.partition(name, p.index) {
                p.current_leader = LeaderIdAndEpoch::default()
                    .with_leader_id(BrokerId(known.leader))
                    .with_leader_epoch(known.epoch);
                leaders.push(known.leader);
            }
        }
    }
    leaders.sort_unstable();
    leaders.dedup();
    answer.node_endpoints = leaders
        .into_iter()
        .filter_map(|id| state.node(id))
        .map(|n| {
            NodeEndpoint::default()
                .with_node_id(BrokerId(n.id))
                .with_host(text(&n.host))
                .with_port(i32::from(n.port))
        })
        .collect();
}
