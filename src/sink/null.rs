//! A sink that drops everything, to measure what comes before it.

use std::hint::black_box;

use super::{Message, Sink, SinkError};

/// Drops every record.
#[derive(Debug, Default, Clone, Copy)]
pub struct NullSink;

impl Sink for NullSink {
    #[inline]
    fn send(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        black_box(message);
        Ok(())
    }
}
