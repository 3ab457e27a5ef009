//! What a cluster reports of itself: its time, and its quotas on producing.

mod cluster_time;
mod quotas;

use std::io;
use std::time::Duration;

use tokio::time::timeout;

use crate::connection::ConnectionError;
use crate::error_code::ErrorCode;

pub use cluster_time::ClusterTime;
pub use quotas::Quota;

/// Why a cluster doesn't report something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The system has no event loop left to wait for the network with.
    #[error(transparent)]
    Runtime(#[from] io::Error),
    /// The broker can't be reached.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The broker refused the request with this code.
    #[error("{0}")]
    Refused(ErrorCode),
    /// The controller's answer holds no time.
    #[error("its controller doesn't report its time")]
    NoTime,
}

/// Waits for an answer on this thread, until a timeout.
fn answer_within<T>(
    limit: Duration,
    question: impl Future<Output = Result<T, AdminError>>,
) -> Result<T, AdminError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let answer = timeout(limit, question).await;
        answer.unwrap_or(Err(ConnectionError::ConnectTimeout.into()))
    })
}
