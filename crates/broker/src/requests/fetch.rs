//! Fetch: returns batches once there are enough, or the wait time is over.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse, ProducerId};
use tokio::time::Instant;

use super::{Context, offsets, text};
use crate::faults::{Action, Hit};
use crate::state::State;

const READ_COMMITTED: i8 = 1;

/// Answers at once on an error or with enough bytes, else once there are enough or the wait time is over.
///
/// Fetch sessions are refused, as by a broker with a full session cache: clients then name all partitions
/// each time.
pub(super) async fn fetch(cx: &Context, request: FetchRequest, hit: Option<&Hit>) -> FetchResponse {
    if request.session_id != 0 {
        let error = ResponseError::FetchSessionIdNotFound;
        return FetchResponse::default().with_error_code(error.code());
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = Instant::now() + wait.min(Duration::from_secs(600));
    loop {
        let appended = cx.shared.appended.notified();
        tokio::pin!(appended);
        // From here on no append is missed.
        appended.as_mut().enable();
        if enough(cx, &request) || Instant::now() >= deadline {
            return read(cx, &request, hit);
        }
        let _ = tokio::time::timeout_at(deadline, appended).await;
    }
}

/// Whether the request can be answered before its wait time is over.
fn enough(cx: &Context, request: &FetchRequest) -> bool {
    let state = cx.shared.state();
    let wanted = usize::try_from(request.min_bytes).unwrap_or(0);
    let mut ready = 0;
    for topic in &request.topics {
        let Some(name) = name(cx, &state, &topic.topic, topic.topic_id) else { return true };
        for p in &topic.partitions {
            let Ok((log, below)) = readable(cx, &state, name, p, request.isolation_level) else {
                return true;
            };
            let most = usize::try_from(p.partition_max_bytes).unwrap_or(0);
            ready += log.readable(p.fetch_offset, below, wanted).min(most.max(1));
            if ready >= wanted {
                return true;
            }
        }
    }
    ready >= wanted
}

fn name<'a>(cx: &Context, state: &'a State, name: &'a str, id: uuid::Uuid) -> Option<&'a str> {
    if cx.version >= 13 { state.topics.name_of(id) } else { Some(name) }
}

/// The log of a partition, and the first offset that may not be read.
fn readable<'a>(
    cx: &Context,
    state: &'a State,
    topic: &str,
    wanted: &FetchPartition,
    isolation: i8,
) -> Result<(&'a crate::log::Log, i64), ResponseError> {
    let epoch = wanted.current_leader_epoch;
    let partition = offsets::led(state, cx.node, topic, wanted.partition, epoch)?;
    let log = &partition.log;
    if wanted.fetch_offset < log.start() || wanted.fetch_offset > log.end() {
        return Err(ResponseError::OffsetOutOfRange);
    }
    Ok((log, if isolation == READ_COMMITTED { log.last_stable_offset() } else { log.end() }))
}

fn read(cx: &Context, request: &FetchRequest, hit: Option<&Hit>) -> FetchResponse {
    let state = cx.shared.state();
    let mut room =
        usize::try_from(request.max_bytes).unwrap_or(0).min(cx.shared.settings.request_bytes);
    let mut empty = true;
    let mut leaders = Vec::new();
    let mut answer = FetchResponse::default();
    for topic in &request.topics {
        let named = name(cx, &state, &topic.topic, topic.topic_id);
        let fault_of = |index| {
            let hit = hit?;
            let (t, i) = hit.partition.as_ref()?;
            (named == Some(t.as_str()) && *i == index).then_some(hit.action)
        };
        let mut partitions = Vec::new();
        for wanted in &topic.partitions {
            let found = match (named, fault_of(wanted.partition)) {
                (_, Some(Action::Fail(error) | Action::ApplyThenFail(error))) => Err(error),
                (None, _) => Err(ResponseError::UnknownTopicId),
                (Some(name), _) => readable(cx, &state, name, wanted, request.isolation_level),
            };
            partitions.push(match found {
                Err(error) => {
                    let mut refused = refused(wanted.partition, error);
                    let known = state.topics.partition(named.unwrap_or_default(), wanted.partition);
                    if let Some(known) = known {
                        if error == ResponseError::OffsetOutOfRange {
                            refused.high_watermark = known.log.end();
                            refused.log_start_offset = known.log.start();
                        } else if cx.version >= 12 {
                            refused.current_leader = LeaderIdAndEpoch::default()
                                .with_leader_id(BrokerId(known.leader))
                                .with_leader_epoch(known.epoch);
                            leaders.push(known.leader);
                        }
                    }
                    refused
                }
                Ok((log, below)) => {
                    let from = wanted.fetch_offset;
                    let most = usize::try_from(wanted.partition_max_bytes).unwrap_or(0).min(room);
                    let (records, next) = log.read(from, below, most, empty);
                    empty &= records.is_empty();
                    room = room.saturating_sub(records.len());
                    let aborted = (request.isolation_level == READ_COMMITTED).then(|| {
                        let left_out = log.aborted_between(from, next).into_iter().map(|a| {
                            AbortedTransaction::default()
                                .with_producer_id(ProducerId(a.producer_id))
                                .with_first_offset(a.first)
                        });
                        left_out.collect()
                    });
                    PartitionData::default()
                        .with_partition_index(wanted.partition)
                        .with_high_watermark(log.end())
                        .with_last_stable_offset(log.last_stable_offset())
                        .with_log_start_offset(log.start())
                        .with_aborted_transactions(aborted)
                        .with_preferred_read_replica(BrokerId(-1))
                        .with_records(Some(records))
                }
            });
        }
        answer.responses.push(
            FetchableTopicResponse::default()
                .with_topic(topic.topic.clone())
                .with_topic_id(topic.topic_id)
                .with_partitions(partitions),
        );
    }
    if cx.version >= 16 {
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
    answer
}

pub(super) fn refused(index: i32, error: ResponseError) -> PartitionData {
    PartitionData::default()
        .with_partition_index(index)
        .with_error_code(error.code())
        .with_high_watermark(-1)
        .with_last_stable_offset(-1)
        .with_log_start_offset(-1)
        .with_preferred_read_replica(BrokerId(-1))
        .with_records(Some(Bytes::new()))
}
