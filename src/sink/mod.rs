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

/// The producer that talks to the brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// fleetstorm's own.
    Direct,
    /// librdkafka's.
    Librdkafka,
}

impl Transport {
    /// Its name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Direct => "direct",
            Transport::Librdkafka => "librdkafka",
        }
    }
}

/// A record to send.
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
    /// When it was due, in nanoseconds from the schedule's zero, if its latency from then is measured.
    pub intended_ns: Option<u64>,
}

/// A destination of records, owned by one thread.
pub trait Sink: Send {
    /// Takes a record. Returns once the sink holds it. A full sink blocks.
    ///
    /// # Errors
    /// If the sink takes no more records at all. A record that fails is counted in the run's
    /// [`tally::Tally`] instead.
    fn send(&mut self, message: &Message<'_>) -> Result<(), SinkError>;

    /// Takes a record if there is room, and returns whether it did. Once a sink was full, it takes none
    /// until it has room for many.
    ///
    /// # Errors
    /// As [`Sink::send`].
    fn try_send(&mut self, message: &Message<'_>) -> Result<bool, SinkError> {
        self.send(message).map(|()| true)
    }

    /// Whether [`Sink::before_pause`] must be called before every wait.
    #[inline]
    fn wants_before_pause(&self) -> bool {
        false
    }

    /// Tells the sink that its next record comes in `until_next`.
    ///
    /// # Errors
    /// As [`Sink::send`].
    fn before_pause(&mut self, _until_next: Duration) -> Result<(), SinkError> {
        Ok(())
    }

    /// Passes on what only this sink holds, so that it comes before what other sinks take from now on.
    ///
    /// # Errors
    /// As [`Sink::send`].
    fn pass_on(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Passes on all that the sink holds.
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
    /// The reader of the output has gone.
    #[error("standard output was closed")]
    Closed,
    /// Writing the output failed.
    #[error("failed to write the output: {0}")]
    Write(#[from] std::io::Error),
    /// The producer had a fatal error.
    #[error("the producer can't go on: {0}")]
    Fatal(String),
}
