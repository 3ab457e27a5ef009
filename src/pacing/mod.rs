//! Keeps a run to its schedule: the pacer, which waits for each slot, and how far a run falls behind.

pub mod behind;
pub mod pacer;

use std::time::{SystemTime, UNIX_EPOCH};

pub use behind::Behind;
pub use pacer::{Pacer, StopFlag, Turn};

/// Milliseconds since the epoch, by this machine's clock.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
