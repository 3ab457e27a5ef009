//! DescribeConfigs.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::{Context, text};
use crate::config::{self, Setting, Values};
use crate::state::State;
use crate::topics;

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;

/// The source of a value, by Kafka's numbers.
const OF_TOPIC: i8 = 1;
const OF_BROKER: i8 = 4;
const DEFAULT: i8 = 5;

pub(super) fn describe(cx: &Context, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let state = cx.shared.state();
    let results = request.resources.into_iter().map(|resource| {
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match values(&state, &resource, request.include_synonyms) {
            Ok(configs) => result.with_configs(configs),
            Err((error, why)) => {
                result.with_error_code(error.code()).with_error_message(Some(text(why)))
            }
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn values(
    state: &State,
    resource: &DescribeConfigsResource,
    synonyms: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, (ResponseError, String)> {
    let name = resource.resource_name.as_str();
    let wanted = |s: &&Setting| {
        let keys = resource.configuration_keys.as_ref();
        keys.is_none_or(|keys| keys.iter().any(|k| k.as_str() == s.name))
    };
    match resource.resource_type {
        TOPIC => {
            topics::check_name(name)
                .map_err(|e| (ResponseError::InvalidTopicException, e.to_string()))?;
            let topic = state.topics.get(name).ok_or_else(|| {
                (ResponseError::UnknownTopicOrPartition, format!("topic {name} does not exist"))
            })?;
            let all = config::TOPIC.iter().filter(wanted);
            Ok(all.map(|s| of_topic(s, &topic.config, &state.config, synonyms)).collect())
        }
        BROKER => {
            // An empty name means the cluster-wide defaults. There are none.
            if !name.is_empty() && !name.parse().is_ok_and(|id| state.node(id).is_some()) {
                let why = format!("there is no broker {name}");
                return Err((ResponseError::InvalidRequest, why));
            }
            let all = config::BROKER.iter().filter(wanted).filter(|_| !name.is_empty());
            Ok(all.map(|s| of_broker(s, &state.config, synonyms)).collect())
        }
        other => {
            let why = format!("resources of type {other} have no settings here");
            Err((ResponseError::InvalidRequest, why))
        }
    }
}

fn of_topic(
    setting: &Setting,
    topic: &Values,
    broker: &Values,
    synonyms: bool,
) -> DescribeConfigsResourceResult {
    let mut sources = Vec::new();
    if let Some(value) = topic.get(setting.name) {
        sources.push((setting.name, value.as_str(), OF_TOPIC));
    }
    match config::inherited(setting.name) {
        Some(name) => {
            if let Some(value) = broker.get(name) {
                sources.push((name, value, OF_BROKER));
            }
            let default = config::find(config::BROKER, name).map_or("", |s| s.default);
            sources.push((name, default, DEFAULT));
        }
        None => sources.push((setting.name, setting.default, DEFAULT)),
    }
    result(setting, &sources, synonyms, false)
}

fn of_broker(setting: &Setting, values: &Values, synonyms: bool) -> DescribeConfigsResourceResult {
    let mut sources = Vec::new();
    if let Some(value) = values.get(setting.name) {
        sources.push((setting.name, value.as_str(), OF_BROKER));
    }
    sources.push((setting.name, setting.default, DEFAULT));
    result(setting, &sources, synonyms, false)
}

/// A setting with all its possible values, the effective one first.
fn result(
    setting: &Setting,
    sources: &[(&str, &str, i8)],
    synonyms: bool,
    read_only: bool,
) -> DescribeConfigsResourceResult {
    let (_, value, source) = sources[0];
    let synonym = |&(name, value, source): &(&str, &str, i8)| {
        DescribeConfigsSynonym::default()
            .with_name(text(name))
            .with_value(Some(text(value)))
            .with_source(source)
    };
    DescribeConfigsResourceResult::default()
        .with_name(text(setting.name))
        .with_value(Some(text(value)))
        .with_read_only(read_only)
        .with_config_source(source)
        .with_synonyms(if synonyms { sources.iter().map(synonym).collect() } else { Vec::new() })
        .with_config_type(setting.type_code())
        .with_documentation(None)
}
