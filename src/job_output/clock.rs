//! When a job's records were written, and by whose clock.

use serde::Serialize;

/// When a record was written, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenAt {
    /// By the broker's clock (LogAppendTime).
    Appended(i64),
    /// As the job says (CreateTime), which may be a record's event time.
    Created(i64),
}

/// Whose time a record's timestamp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The broker's: LogAppendTime.
    AppendTime,
    /// The job's: CreateTime.
    CreateTime,
}

/// The clocks by which a job's records were written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clocks {
    appended: bool,
    created: bool,
}

impl WrittenAt {
    /// The time, by whatever clock.
    pub fn ms(self) -> i64 {
        match self {
            WrittenAt::Appended(ms) | WrittenAt::Created(ms) => ms,
        }
    }
}

impl Clock {
    /// What happened at its time.
    pub fn as_str(self) -> &'static str {
        match self {
            Clock::AppendTime => "appended",
            Clock::CreateTime => "created",
        }
    }
}

impl Clocks {
    /// Takes the time of a record.
    pub fn add(&mut self, written: Option<WrittenAt>) {
        match written {
            Some(WrittenAt::Appended(_)) => self.appended = true,
            Some(WrittenAt::Created(_)) => self.created = true,
            None => {}
        }
    }

    /// The clock of all: the job's where some have that; none where no record has a time.
    pub fn clock(self) -> Option<Clock> {
        match (self.appended, self.created) {
            (_, true) => Some(Clock::CreateTime),
            (true, false) => Some(Clock::AppendTime),
            (false, false) => None,
        }
    }
}
