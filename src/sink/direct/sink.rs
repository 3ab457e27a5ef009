//! A thread's sink for the direct producer.

use std::time::Duration;

use fleetstorm_model::record::Topic;
use fleetstorm_producer::{Appender, Record, SendError};

use crate::sink::{Message, Sink, SinkError};

/// A thread's sink for the direct producer.
pub struct DirectSink {
    appender: Appender,
    topics: TopicIndexes,
}

/// The index of each topic in the producer.
#[derive(Debug, Clone, Copy)]
pub struct TopicIndexes([usize; Topic::COUNT]);

impl Default for TopicIndexes {
    fn default() -> TopicIndexes {
        // No producer has this many topics.
        TopicIndexes([usize::MAX; Topic::COUNT])
    }
}

impl TopicIndexes {
    /// Sets the index of a topic.
    pub fn set(&mut self, topic: Topic, index: usize) {
        self.0[topic.index()] = index;
    }

    /// Translates a message for the producer.
    #[inline]
    fn record<'a>(&self, message: &Message<'a>) -> Record<'a> {
        Record {
            topic: self.0[message.topic.index()],
            partition: message.partition,
            key: message.key.as_bytes(),
            value: message.value,
            timestamp_ms: message.timestamp_ms,
            opaque: message.intended_ns,
        }
    }
}

impl DirectSink {
    /// A sink for an appender whose topics have these indexes.
    pub fn new(appender: Appender, topics: TopicIndexes) -> DirectSink {
        DirectSink { appender, topics }
    }
}

impl Sink for DirectSink {
    #[inline]
    fn send(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        let record = self.topics.record(message);
        self.appender.send(&record).map_err(|error| failed(error, message.topic))
    }

    fn try_send(&mut self, message: &Message<'_>) -> Result<bool, SinkError> {
        let record = self.topics.record(message);
        self.appender.try_send(&record).map_err(|error| failed(error, message.topic))
    }

    #[inline]
    fn wants_before_pause(&self) -> bool {
        self.appender.has_open_batches()
    }

    fn before_pause(&mut self, until_next: Duration) -> Result<(), SinkError> {
        self.appender.before_pause(until_next).map_err(SinkError::from)
    }

    fn pass_on(&mut self) -> Result<(), SinkError> {
        self.appender.close_batches().map_err(SinkError::from)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.appender.close_batches().map_err(SinkError::from)
    }
}

/// Why a record of a topic is not accepted.
#[cold]
fn failed(error: SendError, topic: Topic) -> SinkError {
    match error {
        SendError::NoSuchPartition { partition, .. } => {
            SinkError::Fatal(format!("topic {topic} has no partition {partition}"))
        }
        other => other.into(),
    }
}

impl From<SendError> for SinkError {
    fn from(error: SendError) -> SinkError {
        match error {
            SendError::Stopped => SinkError::Stopped,
            SendError::Compression(error) => SinkError::Write(error),
            other => SinkError::Fatal(other.to_string()),
        }
    }
}
