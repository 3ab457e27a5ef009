//! CreateTopics.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use super::{Context, ErrorWithMessage, text};
use crate::config::{self, Values};
use crate::state::State;
use crate::topics::{self, MAX_PARTITIONS};

pub(super) fn create(cx: &Context, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut state = cx.shared.state();
    let mut results = Vec::new();
    for wanted in &request.topics {
        let result = CreatableTopicResult::default().with_name(wanted.name.clone());
        let twice = request.topics.iter().filter(|t| t.name == wanted.name).count() > 1;
        let checked = if twice {
            Err((ResponseError::InvalidRequest, "a topic is named twice".to_owned()))
        } else {
            check(&state, wanted)
        };
        results.push(match checked {
            Err((error, why)) => result
                .with_error_code(error.code())
                .with_error_message(Some(text(why)))
                .with_configs(None),
            Ok(plan) => {
                let result = result
                    .with_num_partitions(i32::try_from(plan.partitions).unwrap_or(-1))
                    .with_replication_factor(i16::try_from(plan.factor).unwrap_or(-1))
                    .with_configs(Some(described(&state, &plan.config)))
                    .with_error_message(None);
                if request.validate_only {
                    result
                } else {
                    state.create_topic(&wanted.name, plan.partitions, plan.factor, plan.config);
                    result.with_topic_id(
                        state.topics.get(&wanted.name).map(|t| t.id).unwrap_or_default(),
                    )
                }
            }
        });
    }
    CreateTopicsResponse::default().with_topics(results)
}

/// The topic to create.
struct Plan {
    partitions: usize,
    factor: usize,
    config: Values,
}

fn check(state: &State, wanted: &CreatableTopic) -> Result<Plan, ErrorWithMessage> {
    let name = wanted.name.as_str();
    topics::check_name(name).map_err(|e| (ResponseError::InvalidTopicException, e.to_string()))?;
    if state.topics.get(name).is_some() {
        let why = format!("Topic '{name}' already exists.");
        return Err((ResponseError::TopicAlreadyExists, why));
    }
    let mut config = Values::new();
    for entry in &wanted.configs {
        let value = entry.value.as_deref().unwrap_or_default();
        check_config(&entry.name, value)?;
        config.insert(entry.name.to_string(), value.to_owned());
    }
    if !wanted.assignments.is_empty() {
        return assigned(state, wanted, config);
    }
    let of_broker = |name| config::broker_number(&state.config, name);
    let partitions = match wanted.num_partitions {
        -1 => of_broker("num.partitions"),
        count => i64::from(count),
    };
    let factor = match wanted.replication_factor {
        -1 => of_broker("default.replication.factor"),
        factor => i64::from(factor),
    };
    if !(1..=i64::from(MAX_PARTITIONS)).contains(&partitions) {
        let why = format!(
            "Number of partitions was set to an invalid value; 1 to {MAX_PARTITIONS} are possible"
        );
        return Err((ResponseError::InvalidPartitions, why));
    }
    let nodes = state.nodes.len();
    let factor = usize::try_from(factor).unwrap_or(0);
    if factor < 1 || factor > nodes {
        let why = format!(
            "Replication factor must be at least 1 and no more than the {nodes} brokers registered"
        );
        return Err((ResponseError::InvalidReplicationFactor, why));
    }
    Ok(Plan { partitions: usize::try_from(partitions).unwrap_or(1), factor, config })
}

/// A topic whose replica assignment the client gives. The assignment is checked: partitions count from 0,
/// and the nodes exist. The broker still assigns the replicas itself.
fn assigned(
    state: &State,
    wanted: &CreatableTopic,
    config: Values,
) -> Result<Plan, ErrorWithMessage> {
    let bad = |why: &str| (ResponseError::InvalidReplicaAssignment, why.to_owned());
    let mut indexes: Vec<i32> = wanted.assignments.iter().map(|a| a.partition_index).collect();
    indexes.sort_unstable();
    if !indexes.iter().copied().eq(0..i32::try_from(indexes.len()).unwrap_or(0)) {
        return Err(bad("partitions must be numbered from 0 on"));
    }
    let factor = wanted.assignments[0].broker_ids.len();
    for assignment in &wanted.assignments {
        let ids = &assignment.broker_ids;
        if ids.is_empty() || ids.len() != factor || ids.iter().any(|id| state.node(id.0).is_none())
        {
            return Err(bad("replicas must be brokers that exist, as many for each partition"));
        }
    }
    if indexes.len() > usize::try_from(MAX_PARTITIONS).unwrap_or(0) {
        return Err((ResponseError::InvalidPartitions, "too many partitions".to_owned()));
    }
    Ok(Plan { partitions: indexes.len(), factor, config })
}

/// Checks a topic setting.
pub(super) fn check_config(name: &str, value: &str) -> Result<(), ErrorWithMessage> {
    match config::find(config::TOPIC, name) {
        None => Err((ResponseError::InvalidConfig, format!("Unknown topic config name: {name}"))),
        Some(setting) => {
            setting.check(value).map_err(|e| (ResponseError::InvalidConfig, e.to_string()))
        }
    }
}

fn described(state: &State, config: &Values) -> Vec<CreatableTopicConfigs> {
    config::TOPIC
        .iter()
        .map(|s| {
            CreatableTopicConfigs::default()
                .with_name(text(s.name))
                .with_value(Some(text(config::topic_value(config, &state.config, s.name))))
                .with_config_source(if config.contains_key(s.name) { 1 } else { 5 })
        })
        .collect()
}
