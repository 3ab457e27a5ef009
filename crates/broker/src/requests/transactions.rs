//! InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn and EndTxn.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse, InitProducerIdRequest,
    InitProducerIdResponse, ProducerId,
};

use super::Context;
use super::groups::{code, coordinates};
use crate::config;
use crate::state::State;
use crate::transactions::{Phase, Transaction};

pub(super) fn init(cx: &Context, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    let now = cx.shared.now_ms();
    let mut state = cx.shared.state();
    let given = match &request.transactional_id {
        // A producer without a transactional id gets a new id each time, and bumps its epoch itself.
        None => Ok((state.producer_id(), 0)),
        Some(name) => coordinates(cx, &state).and_then(|()| {
            let timeout = i64::from(request.transaction_timeout_ms);
            let longest = config::broker_number(&state.config, "transaction.max.timeout.ms");
            if name.0.is_empty() {
                return Err(ResponseError::InvalidRequest);
            }
            if timeout <= 0 || timeout > longest {
                return Err(ResponseError::InvalidTransactionTimeout);
            }
            let expected = (request.producer_id.0, request.producer_epoch);
            let expected = (cx.version >= 3 && expected.0 >= 0).then_some(expected);
            state.init_transactional(name, timeout, expected, now)
        }),
    };
    drop(state);
    cx.shared.appended.notify_waiters();
    let (producer_id, epoch) = *given.as_ref().unwrap_or(&(-1, -1));
    InitProducerIdResponse::default()
        .with_error_code(code(given.map(drop)))
        .with_producer_id(ProducerId(producer_id))
        .with_producer_epoch(epoch)
}

/// The transaction of a producer, if it is the current one of its transactional id.
fn of_producer<'a>(
    cx: &Context,
    state: &'a mut State,
    name: &str,
    producer: (ProducerId, i16),
    knows_fencing: i16,
) -> Result<&'a mut Transaction, ResponseError> {
    coordinates(cx, state)?;
    if name.is_empty() {
        return Err(ResponseError::InvalidRequest);
    }
    let known = state.transactions.get_mut(name).ok_or(ResponseError::InvalidProducerIdMapping)?;
    known.check(producer.0.0, producer.1).map_err(|e| match e {
        // Older clients know another code for it.
        ResponseError::ProducerFenced if cx.version < knows_fencing => {
            ResponseError::InvalidProducerEpoch
        }
        other => other,
    })?;
    Ok(known)
}

pub(super) fn add_partitions(
    cx: &Context,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    let now = cx.shared.now_ms();
    let mut state = cx.shared.state();
    let name = request.v3_and_below_transactional_id.0.as_str();
    let producer = (request.v3_and_below_producer_id, request.v3_and_below_producer_epoch);
    let topics = request.v3_and_below_topics;
    let exists = |state: &State, topic: &str, index| state.topics.partition(topic, index).is_some();
    let all_exist = topics.iter().all(|t| t.partitions.iter().all(|&p| exists(&state, &t.name, p)));
    let done = of_producer(cx, &mut state, name, producer, 2).map(|known| {
        if all_exist {
            known.begin(now);
            for topic in &topics {
                let places = topic.partitions.iter().map(|&p| (topic.name.to_string(), p));
                known.partitions.extend(places);
            }
        }
    });
    let results = topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|&index| {
            let done = done.and_then(|()| {
                if all_exist {
                    Ok(())
                } else if exists(&state, &topic.name, index) {
                    Err(ResponseError::OperationNotAttempted)
                } else {
                    Err(ResponseError::UnknownTopicOrPartition)
                }
            });
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(index)
                .with_partition_error_code(code(done))
        });
        let partitions = partitions.collect();
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name)
            .with_results_by_partition(partitions)
    });
    AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results.collect())
}

pub(super) fn add_offsets(
    cx: &Context,
    request: &AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let now = cx.shared.now_ms();
    let mut state = cx.shared.state();
    let producer = (request.producer_id, request.producer_epoch);
    let done = of_producer(cx, &mut state, &request.transactional_id, producer, 2).map(|known| {
        known.begin(now);
        known.groups.insert(request.group_id.to_string());
    });
    AddOffsetsToTxnResponse::default().with_error_code(code(done))
}

pub(super) fn end(cx: &Context, request: &EndTxnRequest) -> EndTxnResponse {
    let now = cx.shared.now_ms();
    let mut state = cx.shared.state();
    let producer = (request.producer_id, request.producer_epoch);
    let name = request.transactional_id.as_str();
    let done = of_producer(cx, &mut state, name, producer, 2).and_then(|known| {
        match (known.phase, request.committed) {
            (Phase::Ongoing, _) => Ok(true),
            // The response to the same request was lost.
            (Phase::Committed, true) | (Phase::Aborted, false) => Ok(false),
            _ => Err(ResponseError::InvalidTxnState),
        }
    });
    if done == Ok(true) {
        state.end_transaction(name, request.committed, now);
    }
    drop(state);
    cx.shared.appended.notify_waiters();
    EndTxnResponse::default()
        .with_error_code(code(done.map(drop)))
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}
