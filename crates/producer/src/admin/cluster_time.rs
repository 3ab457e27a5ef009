//! What time it is in a cluster, by the controller that leads it: no other clock of a cluster is told
//! to who writes nothing.

use std::time::{Duration, SystemTime};

use super::{AdminError, answer_within};
use crate::address::ServerAddress;
use crate::connection::{ConnectionError, Exchange};
use crate::settings::ConnectionSettings;

/// The time as a cluster tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterTime {
    /// The controller whose clock it is.
    pub controller: i32,
    /// Its time between question and answer, in milliseconds since the epoch.
    pub time_ms: i64,
    /// When its answer was here, by this machine's clock.
    pub received: SystemTime,
    /// From the question to the answer.
    pub round_trip: Duration,
}

impl ClusterTime {
    /// Asks a broker, which is to answer within `patience`.
    ///
    /// # Errors
    /// [`AdminError`]: brokers of other kinds than Apache Kafka with controllers (KRaft) don't tell, nor
    /// to a user who may not DESCRIBE the cluster; and nobody is asked by SASL.
    pub fn ask(
        settings: &ConnectionSettings,
        broker: &ServerAddress,
        patience: Duration,
    ) -> Result<ClusterTime, AdminError> {
        answer_within(patience, ask(settings, broker))
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
