//! Holding a run to its schedule: the pacer that waits for each slot, and how far a run falls behind.

pub mod behind;
pub mod pacer;

pub use behind::Behind;
pub use pacer::{Pacer, StopFlag, Turn};
