//! IncrementalAlterConfigs and AlterConfigs. The latter, which older clients send, resets what it doesn't
//! name.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, alter_configs_response,
};

use super::configs::{BROKER, TOPIC};
use super::{Context, ErrorWithMessage, text};
use crate::config::{self, Kind, Setting, Values};
use crate::state::State;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(super) fn alter(
    cx: &Context,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let mut state = cx.shared.state();
    let mut responses = Vec::new();
    for resource in request.resources {
        let done = change(&mut state, &resource, false, request.validate_only);
        let answer = AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        responses.push(match done {
            Ok(()) => answer.with_error_message(None),
            Err((error, why)) => {
                answer.with_error_code(error.code()).with_error_message(Some(text(why)))
            }
        });
    }
    IncrementalAlterConfigsResponse::default().with_responses(responses)
}

pub(super) fn replace(cx: &Context, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let mut state = cx.shared.state();
    let mut responses = Vec::new();
    for resource in request.resources {
        let set = resource.configs.into_iter().map(|config| {
            AlterableConfig::default()
                .with_name(config.name)
                .with_config_operation(SET)
                .with_value(config.value)
        });
        let all = AlterConfigsResource::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_configs(set.collect());
        let answer = alter_configs_response::AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        responses.push(match change(&mut state, &all, true, request.validate_only) {
            Ok(()) => answer.with_error_message(None),
            Err((error, why)) => {
                answer.with_error_code(error.code()).with_error_message(Some(text(why)))
            }
        });
    }
    AlterConfigsResponse::default().with_responses(responses)
}

/// Changes a resource's settings, or replaces them, if they are valid.
fn change(
    state: &mut State,
    resource: &AlterConfigsResource,
    no_others: bool,
    validate_only: bool,
) -> Result<(), ErrorWithMessage> {
    let name = resource.resource_name.as_str();
    let State { topics, config: broker, nodes, .. } = state;
    match resource.resource_type {
        TOPIC => {
            let missing =
                || (ResponseError::UnknownTopicOrPartition, format!("no topic {name} exists"));
            let topic = topics.get_mut(name).ok_or_else(missing)?;
            let default = |n: &str| config::topic_value(&Values::new(), broker, n).to_owned();
            let before = if no_others { Values::new() } else { topic.config.clone() };
            let changed = changed(config::TOPIC, before, &resource.configs, default)?;
            if !validate_only {
                topic.config = changed;
            }
        }
        BROKER => {
            if !name.is_empty() && !nodes.iter().any(|n| n.id.to_string() == name) {
                return Err((ResponseError::InvalidRequest, format!("there is no broker {name}")));
            }
            let default =
                |n: &str| config::find(config::BROKER, n).map_or("", |s| s.default).to_owned();
            let before = if no_others { Values::new() } else { broker.clone() };
            let changed = changed(config::BROKER, before, &resource.configs, default)?;
            if !validate_only {
                *broker = changed;
            }
        }
        other => {
            let why = format!("resources of type {other} have no settings here");
            return Err((ResponseError::InvalidRequest, why));
        }
    }
    Ok(())
}

/// The values with all changes made, if all are valid.
fn changed(
    among: &[Setting],
    mut values: Values,
    changes: &[AlterableConfig],
    default: impl Fn(&str) -> String,
) -> Result<Values, ErrorWithMessage> {
    for change in changes {
        let name = change.name.as_str();
        let invalid = |why: String| (ResponseError::InvalidConfig, why);
        let setting = config::find(among, name)
            .ok_or_else(|| invalid(format!("Unknown config name: {name}")))?;
        let given = change.value.as_deref().unwrap_or_default();
        let listed = matches!(setting.kind, Kind::Word(_, true));
        let value = match change.config_operation {
            SET => given.to_owned(),
            DELETE => {
                values.remove(name);
                continue;
            }
            APPEND | SUBTRACT if listed => {
                let now = values.get(name).cloned().unwrap_or_else(|| default(name));
                let mut parts: Vec<&str> = now.split(',').filter(|p| !p.is_empty()).collect();
                parts.retain(|p| !given.split(',').any(|g| g == *p));
                if change.config_operation == APPEND {
                    parts.extend(given.split(','));
                }
                parts.join(",")
            }
            _ => return Err(invalid(format!("{name} is not a list"))),
        };
        setting.check(&value).map_err(|e| invalid(e.to_string()))?;
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}
