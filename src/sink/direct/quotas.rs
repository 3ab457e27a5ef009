//! The quotas that hold a producer back, as the cluster tells them.

use std::time::Duration;

use bytes::BytesMut;
use kafka_protocol::messages::DescribeClientQuotasResponse;
use kafka_protocol::messages::describe_client_quotas_response::EntryData;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::connection;
use super::settings::Settings;
use crate::sink::kafka::{KafkaSettings, Node, error_kind};

/// A quota that may hold this client back.
#[derive(Debug, Clone, PartialEq)]
pub struct Quota {
    /// Whom it is for, as `client-id fleetstorm` or `user <default>`.
    pub entity: String,
    /// Its name, as `producer_byte_rate`.
    pub key: String,
    /// Its value: bytes a second of each broker, or a percentage of a thread's time.
    pub value: f64,
}

/// The quotas that a producer meets.
const PRODUCING: [&str; 2] = ["producer_byte_rate", "request_percentage"];
const CLIENT_ID: &str = "client-id";

impl Quota {
    /// The quotas on producing that are for clients of this name, or for users that may be ours; the
    /// broker is to answer within `patience`.
    ///
    /// # Errors
    /// Why they aren't told: a user needs DESCRIBE_CONFIGS on the cluster, and nobody is asked by SASL.
    pub fn ask(
        settings: &KafkaSettings,
        broker: &Node,
        patience: Duration,
    ) -> Result<Vec<Quota>, String> {
        let settings = Settings::of_connection(settings).map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let answer = runtime.block_on(async {
            let told = timeout(patience, ask(&settings, broker)).await;
            told.unwrap_or_else(|_| Err("it did not answer in time".to_owned()))
        })?;
        if answer.error_code != 0 {
            return Err(error_kind(answer.error_code));
        }
        let entries = answer.entries.unwrap_or_default();
        Ok(entries.iter().flat_map(|entry| quotas(entry, &settings.client_id)).collect())
    }
}

/// The quotas on producing of one entry, where it is for this client.
fn quotas(entry: &EntryData, client_id: &str) -> Vec<Quota> {
    let is_ours = entry.entity.iter().all(|part| {
        let name = part.entity_name.as_deref();
        *part.entity_type != *CLIENT_ID || name.is_none_or(|name| name == client_id)
    });
    if !is_ours {
        return Vec::new();
    }
    let parts = entry.entity.iter().map(|part| {
        format!("{} {}", &*part.entity_type, part.entity_name.as_deref().unwrap_or("<default>"))
    });
    let entity = parts.collect::<Vec<_>>().join(", ");
    let values = entry.values.iter().filter(|value| PRODUCING.contains(&&*value.key));
    values
        .map(|value| Quota {
            entity: entity.clone(),
            key: value.key.to_string(),
            value: value.value,
        })
        .collect()
}

async fn ask(settings: &Settings, broker: &Node) -> Result<DescribeClientQuotasResponse, String> {
    let text = |error: std::io::Error| error.to_string();
    let (mut stream, versions) = connection::connect(&broker.host, broker.port, settings).await?;
    let mut frame = BytesMut::new();
    versions.ask_quotas(&mut frame, 1, &settings.client_id)?;
    stream.write_all(&frame).await.map_err(text)?;
    stream.flush().await.map_err(text)?;
    versions.told_quotas(connection::next(&mut stream).await.map_err(text)?)
}
