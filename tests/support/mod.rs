//! What the tests of the program and those against real clusters share.

pub mod consumer;
mod program;
mod reports;

use std::time::{SystemTime, UNIX_EPOCH};

pub use program::{Finished, Running, SOON, command, run};
pub use reports::{assert_all_acked, check, merge, sent, slots, total};

/// The program's topics, in its order.
pub const TOPICS: [&str; 5] = ["telemetry", "usage", "status", "jobs", "machines"];

/// All topics: those and the ground truth.
pub const ALL_TOPICS: [&str; 6] = ["telemetry", "usage", "status", "jobs", "machines", "incidents"];

/// Now, in milliseconds since the epoch.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set").as_millis() as i64
}
