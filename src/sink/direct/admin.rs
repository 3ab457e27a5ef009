//! Admin requests over a connection of the direct transport.

use std::time::Duration;

use fleetstorm_producer::{AdminError, ClusterTime, Quota, ServerAddress};

use super::error::DirectError;
use super::settings::connection_settings;
use crate::sink::kafka::{KafkaSettings, Node, error_kind};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum AdminRequestError {
    /// The settings are not supported.
    #[error(transparent)]
    Settings(#[from] DirectError),
    /// The broker doesn't answer it.
    #[error("{}", words(.0))]
    Broker(#[from] AdminError),
}

/// The time of the cluster of `settings`, by this broker, which has until `timeout` to answer.
///
/// # Errors
/// [`AdminRequestError`].
pub fn cluster_time(
    settings: &KafkaSettings,
    broker: &Node,
    timeout: Duration,
) -> Result<ClusterTime, AdminRequestError> {
    Ok(ClusterTime::ask(&connection_settings(settings)?, &address(broker), timeout)?)
}

/// The quotas that apply to a client with `settings`, by this broker, which has until `timeout` to
/// answer.
///
/// # Errors
/// [`AdminRequestError`].
pub fn quotas(
    settings: &KafkaSettings,
    broker: &Node,
    timeout: Duration,
) -> Result<Vec<Quota>, AdminRequestError> {
    Ok(Quota::ask(&connection_settings(settings)?, &address(broker), timeout)?)
}

fn address(broker: &Node) -> ServerAddress {
    ServerAddress { host: broker.host.clone(), port: broker.port }
}

/// An error's text, with codes by their names in reports.
fn words(error: &AdminError) -> String {
    match error {
        AdminError::Refused(code) => error_kind(code.code()),
        other => other.to_string(),
    }
}
