//! A JSON line a record on standard output, for pipes and for a look.

use std::io::{self, BufWriter, ErrorKind, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Message, Sink, SinkError};
use crate::record::Topic;

/// Writes `{"topic":..,"partition":..,"key":..,"timestamp":..,"value":{..}}` a record. Values must
/// be encoded as JSON.
#[derive(Debug)]
pub struct LineSink<W: Write> {
    names: [String; Topic::COUNT],
    output: BufWriter<W>,
    /// Whether each line is passed on at once, for who watches a paced run.
    line_by_line: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    topic: &'a str,
    partition: i32,
    key: &'a str,
    timestamp: i64,
    value: &'a RawValue,
}

impl LineSink<io::Stdout> {
    /// A sink to standard output; `names` are the topics' full names, in the order of
    /// [`Topic::ALL`].
    pub fn stdout(names: [String; Topic::COUNT], line_by_line: bool) -> LineSink<io::Stdout> {
        LineSink::new(io::stdout(), names, line_by_line)
    }
}

impl<W: Write> LineSink<W> {
    /// A sink to `output`.
    pub fn new(output: W, names: [String; Topic::COUNT], line_by_line: bool) -> LineSink<W> {
        LineSink { names, output: BufWriter::with_capacity(1 << 16, output), line_by_line }
    }

    fn write(&mut self, message: &Message<'_>) -> io::Result<()> {
        let line = Line {
            topic: &self.names[message.topic.index()],
            partition: message.partition,
            key: message.key,
            timestamp: message.timestamp_ms,
            value: serde_json::from_slice(message.value)?,
        };
        serde_json::to_writer(&mut self.output, &line)?;
        self.output.write_all(b"\n")?;
        if self.line_by_line { self.output.flush() } else { Ok(()) }
    }
}

impl<W: Write + Send> Sink for LineSink<W> {
    fn send(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        self.write(message).map_err(closed_or_failed)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.output.flush().map_err(closed_or_failed)
    }
}

/// Prints a text; a reader that has read enough is no error.
///
/// # Errors
/// [`SinkError::Write`] where it can't be written.
pub fn print(text: &str) -> Result<(), SinkError> {
    match io::stdout().lock().write_all(text.as_bytes()).map_err(closed_or_failed) {
        Err(SinkError::Closed) => Ok(()),
        printed => printed,
    }
}

fn closed_or_failed(error: io::Error) -> SinkError {
    match error.kind() {
        ErrorKind::BrokenPipe => SinkError::Closed,
        _ => SinkError::Write(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object() {
        let mut bytes = Vec::new();
        let mut sink = LineSink::new(&mut bytes, Topic::ALL.map(|t| format!("x-{t}")), false);
        let message = Message {
            topic: Topic::Usage,
            partition: 3,
            key: "machine-000001",
            timestamp_ms: 17,
            value: br#"{"a":1.5}"#,
            intended_ns: None,
        };
        assert!(sink.send(&message).is_ok() && sink.flush().is_ok());
        drop(sink);
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "{\"topic\":\"x-usage\",\"partition\":3,\"key\":\"machine-000001\",\"timestamp\":17,\"value\":{\"a\":1.5}}\n"
        );
    }
}
