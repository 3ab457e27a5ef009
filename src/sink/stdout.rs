//! One JSON line per record on standard output, for pipes and for a look.

use std::io::{self, ErrorKind, Write};

use fleetstorm_model::record::Topic;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Message, Sink, SinkError};
use crate::output::Stdout;

/// Writes `{"topic":..,"partition":..,"key":..,"timestamp":..,"value":{..}}` for each record. Values must
/// be encoded as JSON. Each write holds whole lines, so that the sinks of several threads can share an
/// output.
#[derive(Debug)]
pub struct LineSink<W: Write> {
    names: [String; Topic::COUNT],
    output: W,
    /// Whole lines that are not written yet.
    lines: Vec<u8>,
    /// The most bytes of a write, unless a single line has more.
    block: usize,
    /// Whether each line is written at once, for somebody who watches a paced run.
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

impl LineSink<Stdout> {
    /// A sink to standard output; `names` are the topics' full names, in the order of
    /// [`Topic::ALL`].
    pub fn stdout(names: [String; Topic::COUNT], line_by_line: bool) -> LineSink<Stdout> {
        LineSink::new(Stdout, Stdout::block(), names, line_by_line)
    }
}

impl<W: Write> LineSink<W> {
    /// A sink to `output`, with at most `block` bytes in a write.
    pub fn new(
        output: W,
        block: usize,
        names: [String; Topic::COUNT],
        line_by_line: bool,
    ) -> LineSink<W> {
        LineSink { names, output, lines: Vec::with_capacity(2 * block), block, line_by_line }
    }

    fn write(&mut self, message: &Message<'_>) -> io::Result<()> {
        let line = Line {
            topic: &self.names[message.topic.index()],
            partition: message.partition,
            key: message.key,
            timestamp: message.timestamp_ms,
            value: serde_json::from_slice(message.value)?,
        };
        let before = self.lines.len();
        serde_json::to_writer(&mut self.lines, &line)?;
        self.lines.push(b'\n');
        if self.lines.len() > self.block {
            self.pass_on(before)?;
        }
        if self.line_by_line { self.pass_on(self.lines.len()) } else { Ok(()) }
    }

    /// Writes the first `length` bytes of the lines.
    fn pass_on(&mut self, length: usize) -> io::Result<()> {
        let (now, _) = self.lines.split_at(length);
        self.output.write_all(now)?;
        self.lines.drain(..length);
        Ok(())
    }
}

impl<W: Write + Send> Sink for LineSink<W> {
    fn send(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        self.write(message).map_err(closed_or_failed)
    }

    fn pass_on(&mut self) -> Result<(), SinkError> {
        self.flush()
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.pass_on(self.lines.len()).and_then(|()| self.output.flush()).map_err(closed_or_failed)
    }
}

/// Prints a text. A reader that closes the pipe early is not an error.
///
/// # Errors
/// [`SinkError::Write`] if it can't be written.
pub fn print(text: &str) -> Result<(), SinkError> {
    match Stdout.write_all(text.as_bytes()).map_err(closed_or_failed) {
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

    fn names() -> [String; Topic::COUNT] {
        Topic::ALL.map(|topic| format!("x-{topic}"))
    }

    #[test]
    fn a_line_is_one_json_object() {
        let mut bytes = Vec::new();
        let mut sink = LineSink::new(&mut bytes, 99, names(), false);
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

    /// Counts what it is given at once.
    #[derive(Default)]
    struct Writes(Vec<String>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whole_lines_are_written_at_once_as_many_as_a_block_holds() {
        let value = |length: usize| format!("\"{}\"", "v".repeat(length));
        // Lines of 100 bytes, but for one that is larger than a block.
        for (line_by_line, counts) in [(false, &[3, 2, 1, 1][..]), (true, &[1; 7])] {
            let mut writes = Writes::default();
            let mut sink = LineSink::new(&mut writes, 300, names(), line_by_line);
            for length in [27, 27, 27, 27, 27, 900, 27] {
                let value = value(length);
                let message = Message {
                    topic: Topic::Usage,
                    partition: 3,
                    key: "m",
                    timestamp_ms: 17,
                    value: value.as_bytes(),
                    intended_ns: None,
                };
                assert!(sink.send(&message).is_ok());
            }
            assert!(sink.flush().is_ok());
            drop(sink);
            let lines = |text: &String| text.lines().count();
            assert!(writes.0.iter().all(|text| text.ends_with("}\n")));
            assert_eq!(writes.0.iter().map(lines).collect::<Vec<_>>(), counts);
        }
    }
}
