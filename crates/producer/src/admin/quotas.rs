//! The quotas that may throttle a producer, as the cluster reports them.

use std::time::Duration;

use super::{AdminError, answer_within};
use crate::address::ServerAddress;
use crate::connection::{ConnectionError, Exchange};
use crate::protocol::{QuotaEntity, QuotaEntry};
use crate::settings::ConnectionSettings;

/// A quota that may throttle this client.
#[derive(Debug, Clone, PartialEq)]
pub struct Quota {
    /// The entity that it is for, as `client-id fleetstorm` or `user <default>`.
    pub entity: String,
    /// Its name, as `producer_byte_rate`.
    pub key: String,
    /// Its value: bytes a second of each broker, or a percentage of a thread's time.
    pub value: f64,
}

/// The quotas that apply to a producer.
const PRODUCING: [&str; 2] = ["producer_byte_rate", "request_percentage"];
const CLIENT_ID: &str = "client-id";

impl Quota {
    /// The quotas on producing for this client id, and for users that this client may be. The broker has
    /// until `timeout` to answer.
    ///
    /// # Errors
    /// [`AdminError`]: the user needs DESCRIBE_CONFIGS on the cluster. SASL is not supported.
    pub fn ask(
        settings: &ConnectionSettings,
        broker: &ServerAddress,
        timeout: Duration,
    ) -> Result<Vec<Quota>, AdminError> {
        let entries = answer_within(timeout, ask(settings, broker))?;
        Ok(entries.into_iter().flat_map(|entry| quotas(entry, &settings.client_id)).collect())
    }
}

/// The quotas on producing of an entry that is for this client.
fn quotas(entry: QuotaEntry, client_id: &str) -> Vec<Quota> {
    let is_ours = entry.entity.iter().all(|QuotaEntity { kind, name }| {
        kind != CLIENT_ID || name.as_deref().is_none_or(|name| name == client_id)
    });
    if !is_ours {
        return Vec::new();
    }
    let parts = entry.entity.iter().map(|QuotaEntity { kind, name }| {
        format!("{kind} {}", name.as_deref().unwrap_or("<default>"))
    });
    let entity = parts.collect::<Vec<_>>().join(", ");
    let values = entry.values.into_iter().filter(|value| PRODUCING.contains(&&*value.key));
    values
        .map(|value| Quota { entity: entity.clone(), key: value.key, value: value.value })
        .collect()
}

async fn ask(
    settings: &ConnectionSettings,
    broker: &ServerAddress,
) -> Result<Vec<QuotaEntry>, AdminError> {
    let mut exchange = Exchange::open(broker, settings).await?;
    let response =
        exchange.request(|versions, frame, id| versions.encode_describe_quotas(frame, id)).await?;
    let entries = exchange.versions.decode_describe_quotas(response);
    entries.map_err(ConnectionError::from)?.map_err(AdminError::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::QuotaValue;

    #[test]
    fn quotas_of_others_and_on_other_things_are_left_out() {
        let entry = |client: Option<&str>, key: &str| QuotaEntry {
            entity: vec![
                QuotaEntity { kind: "user".to_owned(), name: None },
                QuotaEntity { kind: CLIENT_ID.to_owned(), name: client.map(str::to_owned) },
            ],
            values: vec![QuotaValue { key: key.to_owned(), value: 5.0 }],
        };
        let told = quotas(entry(Some("me"), "producer_byte_rate"), "me");
        assert_eq!(told[0].entity, "user <default>, client-id me");
        assert_eq!(quotas(entry(None, "request_percentage"), "me").len(), 1);
        assert!(quotas(entry(Some("you"), "producer_byte_rate"), "me").is_empty());
        assert!(quotas(entry(None, "consumer_byte_rate"), "me").is_empty());
    }
}
