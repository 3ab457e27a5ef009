//! When each record is due: the slots of a reading, the rate's profile, the schedule that maps
//! slots to instants, and the pacer that waits for them.

pub mod pacer;
pub mod profile;
pub mod schedule;
pub mod slots;

pub use pacer::{Pacer, StopFlag, Turn};
pub use profile::Profile;
pub use schedule::{Pace, Schedule, SlotTime, Time};
pub use slots::{SlotKind, Slots};
