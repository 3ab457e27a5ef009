//! A blocking admin client: configurations of topics, and their creation.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};

use super::connect::Cluster;
use super::error::{KafkaError, describe};
use super::produce::give_token;
use super::settings::{Tuning, refused};

/// A blocking admin client.
pub(super) struct Admin {
    client: AdminClient<DefaultClientContext>,
    options: AdminOptions,
    runtime: tokio::runtime::Runtime,
    bootstrap: String,
    timeout: Duration,
}

impl Admin {
    /// A client of its own for the cluster.
    ///
    /// # Errors
    /// [`KafkaError`] if its properties can't be used.
    pub(super) fn new(cluster: &Cluster) -> Result<Admin, KafkaError> {
        let settings = cluster.settings();
        let config = settings.client_config(Tuning::default())?;
        let client = AdminClient::from_config(&config).map_err(|error| refused(&error))?;
        if let Some(tokens) = &settings.tokens {
            give_token(client.inner(), tokens);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(
            |error| KafkaError::Request {
                action: "start a runtime for the admin client".to_owned(),
                cause: error.to_string(),
            },
        )?;
        let options = AdminOptions::new()
            .request_timeout(Some(settings.connect_timeout))
            .operation_timeout(Some(settings.connect_timeout));
        let (bootstrap, timeout) = (settings.bootstrap.clone(), settings.connect_timeout);
        Ok(Admin { client, options, runtime, bootstrap, timeout })
    }

    /// The configurations of topics. Without the ACLs to see them only warnings are lost.
    pub(super) fn configs(&self, names: &[&str]) -> Vec<ConfigResource> {
        let wanted: Vec<ResourceSpecifier<'_>> =
            names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let answers = self.runtime.block_on(self.client.describe_configs(&wanted, &self.options));
        let unknown = |what: &str, why: String| tracing::debug!("{what} unknown: {why}");
        match answers {
            Ok(answers) => answers
                .into_iter()
                .filter_map(|answer| {
                    answer
                        .inspect_err(|&code| unknown("a topic's configuration is", describe(code)))
                        .ok()
                })
                .collect(),
            Err(error) => {
                unknown("the topics' configurations are", error.to_string());
                Vec::new()
            }
        }
    }

    /// A property of a broker; `None` if it isn't reported.
    pub(super) fn broker_config(&self, broker: i32, name: &str) -> Option<String> {
        let wanted = [ResourceSpecifier::Broker(broker)];
        let asked = self.runtime.block_on(self.client.describe_configs(&wanted, &self.options));
        let told = asked.ok()?.into_iter().next()?.ok()?;
        told.entries.into_iter().find(|entry| entry.name == name)?.value
    }

    /// The error of a request. After a timeout the likely cause is an advertised listener that can't be
    /// reached, since the cluster has answered before.
    fn failed(&self, action: &str, cause: &ClientError) -> KafkaError {
        use RDKafkaErrorCode::{BrokerTransportFailure, OperationTimedOut, RequestTimedOut};
        let code = match cause {
            ClientError::AdminOp(code) => Some(*code),
            other => other.rdkafka_error_code(),
        };
        match code {
            Some(BrokerTransportFailure | OperationTimedOut | RequestTimedOut) => {
                KafkaError::Unreachable {
                    bootstrap: self.bootstrap.clone(),
                    waited: self.timeout,
                    cause: Some(format!("it answered at first, but not when asked to {action}")),
                }
            }
            _ => KafkaError::request(action, cause),
        }
    }

    /// Whether each of these topics could be created: the cluster validates the request and creates none.
    /// Returns the errors.
    pub(super) fn validate_creation(
        &self,
        names: &[&str],
        timeout: Duration,
    ) -> Result<Vec<(String, Option<RDKafkaErrorCode>)>, KafkaError> {
        let new: Vec<NewTopic<'_>> =
            names.iter().map(|name| NewTopic::new(name, 1, TopicReplication::Fixed(-1))).collect();
        let options = AdminOptions::new()
            .request_timeout(Some(timeout))
            .operation_timeout(Some(timeout))
            .validate_only(true);
        let results = self
            .runtime
            .block_on(self.client.create_topics(&new, &options))
            .map_err(|error| self.failed("ask whether topics may be created", &error))?;
        let told = results.into_iter().map(|result| match result {
            Ok(name) => (name, None),
            Err((name, code)) => (name, Some(code)),
        });
        Ok(told.collect())
    }

    /// Creates topics by name and configuration, with one request. Without a replication factor the
    /// broker's default holds.
    pub(super) fn create(
        &self,
        wanted: &[(String, BTreeMap<String, String>)],
        partitions: u32,
        replication_factor: Option<u16>,
    ) -> Result<(), KafkaError> {
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        let replicas = replication_factor.map_or(-1, i32::from);
        let new: Vec<NewTopic<'_>> = wanted
            .iter()
            .map(|(name, config)| {
                let new = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
                config.iter().fold(new, |new, (key, value)| new.set(key, value))
            })
            .collect();
        let results = self
            .runtime
            .block_on(self.client.create_topics(&new, &self.options))
            .map_err(|error| self.failed("create the topics", &error))?;
        for result in results {
            match result {
                // Another process, such as another shard, may have been faster.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((
                    topic,
                    RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed,
                )) => return Err(KafkaError::Unauthorised { action: "create", topic }),
                Err((topic, code)) => {
                    return Err(KafkaError::Create { topic, cause: describe(code) });
                }
            }
        }
        Ok(())
    }
}
