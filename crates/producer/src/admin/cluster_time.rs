//! The time of a cluster, by its active controller. A broker reports its own clock only to clients that
//! write.

use std::time::{Duration, SystemTime};

use super::{AdminError, answer_within};
use crate::address::ServerAddress;
use crate::connection::{ConnectionError, Exchange};
use crate::settings::ConnectionSettings;

/// A cluster's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterTime {
    /// The controller whose clock it is.
    pub controller: i32,
    /// Its time, at some moment between request and response, in milliseconds since the epoch.
    pub time_ms: i64,
    /// When its response arrived, by this machine's clock.
    pub received: SystemTime,
    /// From request to response.
    pub round_trip: Duration,
}

impl ClusterTime {
    /// Asks a broker, which has until `timeout` to answer.
    ///
    /// # Errors
    /// [`AdminError`]: only Apache Kafka in KRaft mode reports the time, and only to users that may
    /// DESCRIBE the cluster. SASL is not supported.
    pub fn ask(
        settings: &ConnectionSettings,
        broker: &ServerAddress,
        timeout: Duration,
    ) -> Result<ClusterTime, AdminError> {
        answer_within(timeout, ask(settings, broker))
    }
}

async fn ask(
    settings: &ConnectionSettings,
    broker: &ServerAddress,
) -> Result<ClusterTime, AdminError> {
    let mut exchange = Exchange::open(broker, settings).await?;
    let asked = tokio::time::Instant::now();
    let response =
        exchange.request(|versions, frame, id| versions.encode_describe_quorum(frame, id)).await?;
    let (received, round_trip) = (SystemTime::now(), asked.elapsed());
    let leader = exchange.versions.decode_describe_quorum(response);
    let leader = leader.map_err(ConnectionError::from)?.map_err(AdminError::Refused)?;
    let leader = leader.ok_or(AdminError::NoTime)?;
    let (controller, time_ms) = (leader.controller, leader.time_ms);
    Ok(ClusterTime { controller, time_ms, received, round_trip })
}
