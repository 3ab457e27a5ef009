//! What a cluster tells of itself to who asks: its time, and the quotas on producing.

mod cluster_time;
mod quotas;

use std::io;
use std::time::Duration;

use tokio::time::timeout;

use crate::connection::ConnectionError;
use crate::error_code::ErrorCode;

pub use cluster_time::ClusterTime;
pub use quotas::Quota;

/// Why something isn't told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The system gives nothing that can wait for the network.
    #[error(transparent)]
    Runtime(#[from] io::Error),
    /// The broker can't be asked.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The broker refuses to tell, by this code.
    #[error("{0}")]
    Refused(ErrorCode),
    /// The broker's answer has no time.
    #[error("its controller doesn't tell the time")]
    NoTime,
}

/// What a question comes to within a time, on this thread.
fn answer_within<T>(
    patience: Duration,
    question: impl Future<Output = Result<T, AdminError>>,
) -> Result<T, AdminError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let answer = timeout(patience, question).await;
        answer.unwrap_or(Err(ConnectionError::ConnectTimeout.into()))
    })
}
