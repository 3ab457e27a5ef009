//! When each record is due: the slots of a reading, the rate's profile and course, the schedule
//! that maps slots to instants, the pacer that waits for them, and how far a run falls behind.

pub mod behind;
pub mod course;
pub mod offered;
pub mod pacer;
pub mod profile;
pub mod schedule;
pub mod slots;
pub mod trace;

pub use behind::Behind;
pub use course::Course;
pub use pacer::{Pacer, StopFlag, Turn};
pub use profile::Profile;
pub use schedule::{Grid, Pace, Schedule, SlotTime, Time};
pub use slots::{SlotKind, Slots};
