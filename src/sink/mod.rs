//! Where records go.

pub mod direct;
pub mod embedded;
pub mod kafka;
pub mod latency;
pub mod null;
pub mod options;
pub mod property;
pub mod stdout;
pub mod tally;
pub mod throttled;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use fleetstorm_model::record::Topic;

/// Whose producer talks to the brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Our own.
    Direct,
    /// librdkafka's.
    Librdkafka,
}

impl Transport {
    /// As options and reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Direct => "direct",
            Transport::Librdkafka => "librdkafka",
        }
    }
}

/// A record on its way out.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Its topic.
    pub topic: Topic,
    /// Its partition.
    pub partition: i32,
    /// Its key, UTF-8 text.
    pub key: &'a str,
    /// Its timestamp, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// Its encoded value.
    pub value: &'a [u8],
    /// The instant at which it was due, in nanoseconds from the schedule's zero, where latency
    /// from it is to be measured.
    pub intended_ns: Option<u64>,
}

/// A place that takes records, owned by one thread.
pub trait Sink: Send {
    /// Takes a record. Returns once the sink holds it; a full sink makes the caller wait.
    ///
    /// # Errors
    /// Where the sink will take no more records at all. The failure of one record is counted in
    /// the run's [`tally::Tally`] instead.
    fn send(&mut self, message: &Message<'_>) -> Result<(), SinkError>;

    /// Takes a record where there is room, and says whether it did. A sink that was full takes none
    /// until it has room for many.
    ///
    /// # Errors
    /// As [`Sink::send`].
    fn try_send(&mut self, message: &Message<'_>) -> Result<bool, SinkError> {
        self.send(message).map(|()| true)
    }

    /// Whether [`Sink::before_pause`] is to be called before every wait.
    #[inline]
    fn wants_before_pause(&self) -> bool {
        false
    }

    /// Tells the sink that its next record is so far off.
    ///
    /// # Errors
    /// As [`Sink::send`].
    fn before_pause(&mut self, _until_next: Duration) -> Result<(), SinkError> {
        Ok(())
    }

    /// Hands on what only this sink holds of what it took, so that it comes before what other sinks take
    /// from now on.
    ///
    /// # Errors
    /// As [`Sink::send`].
    fn pass_on(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Passes on what the sink itself holds back.
    ///
    /// # Errors
    /// As [`Sink::send`].
    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Why a sink takes no more records.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The run was stopped while the sink was full.
    #[error("the run was stopped")]
    Stopped,
    /// Who reads the output has gone.
    #[error("standard output was closed")]
    Closed,
    /// Writing the output failed.
    #[error("failed to write the output: {0}")]
    Write(#[from] std::io::Error),
    /// The producer can't go on.
    #[error("the producer can't go on: {0}")]
    Fatal(String),
}
