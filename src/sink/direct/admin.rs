//! What a cluster is asked over a connection of the direct transport's.

use std::time::Duration;

use fleetstorm_producer::{AdminError, ClusterTime, Quota, ServerAddress};

use super::error::DirectError;
use super::settings::connection_settings;
use crate::sink::kafka::{KafkaSettings, Node, error_kind};

/// Why something isn't told.
#[derive(Debug, thiserror::Error)]
pub enum AdminRequestError {
    /// Nobody is asked with such settings.
    #[error(transparent)]
    Settings(#[from] DirectError),
    /// The broker doesn't tell.
    #[error("{}", words(.0))]
    Broker(#[from] AdminError),
}

/// The time of the cluster of `settings`, by one of its brokers, which is to answer within `patience`.
///
/// # Errors
/// [`AdminRequestError`].
pub fn cluster_time(
    settings: &KafkaSettings,
    broker: &Node,
    patience: Duration,
) -> Result<ClusterTime, AdminRequestError> {
    Ok(ClusterTime::ask(&connection_settings(settings)?, &address(broker), patience)?)
}

/// The quotas on producing that a client with `settings` meets, by a broker that is to answer within
/// `patience`.
///
/// # Errors
/// [`AdminRequestError`].
pub fn quotas(
    settings: &KafkaSettings,
    broker: &Node,
    patience: Duration,
) -> Result<Vec<Quota>, AdminRequestError> {
    Ok(Quota::ask(&connection_settings(settings)?, &address(broker), patience)?)
}

fn address(broker: &Node) -> ServerAddress {
    ServerAddress { host: broker.host.clone(), port: broker.port }
}

/// Codes by the names that reports have for them.
fn words(error: &AdminError) -> String {
    match error {
        AdminError::Refused(code) => error_kind(code.code()),
        other => other.to_string(),
    }
}
