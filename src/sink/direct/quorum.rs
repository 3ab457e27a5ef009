//! What time it is in a cluster, by the controller that leads it: no other clock of a cluster is told
//! to who writes nothing.

use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::connection;
use super::settings::Settings;
use crate::sink::kafka::{KafkaSettings, Node};

/// The time as a cluster tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterTime {
    /// The controller whose clock it is.
    pub controller: i32,
    /// Its time between question and answer, in milliseconds since the epoch.
    pub told_ms: i64,
    /// When its answer was here, by this machine's clock.
    pub heard: SystemTime,
    /// From the question to the answer.
    pub took: Duration,
}

impl ClusterTime {
    /// Asks the cluster of `settings` by one of its brokers, which is to answer within `patience`.
    ///
    /// # Errors
    /// Why it isn't told: brokers of other kinds than Apache Kafka with controllers (KRaft) don't, nor
    /// to a user who may not DESCRIBE the cluster; and nobody is asked by SASL.
    pub fn ask(
        settings: &KafkaSettings,
        broker: &Node,
        patience: Duration,
    ) -> Result<ClusterTime, String> {
        let settings = Settings::of_connection(settings).map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        runtime.block_on(async {
            let told = timeout(patience, ask(&settings, broker)).await;
            told.unwrap_or_else(|_| Err("it did not answer in time".to_owned()))
        })
    }
}

async fn ask(settings: &Settings, broker: &Node) -> Result<ClusterTime, String> {
    let text = |error: std::io::Error| error.to_string();
    let (mut stream, versions) = connection::connect(&broker.host, broker.port, settings).await?;
    let mut frame = BytesMut::new();
    versions.ask_quorum(&mut frame, 1, &settings.client_id)?;
    let asked = tokio::time::Instant::now();
    stream.write_all(&frame).await.map_err(text)?;
    stream.flush().await.map_err(text)?;
    let answer = connection::next(&mut stream).await.map_err(text)?;
    let (heard, took) = (SystemTime::now(), asked.elapsed());
    let (controller, told_ms) = versions.leading(answer)?;
    Ok(ClusterTime { controller, told_ms, heard, took })
}
