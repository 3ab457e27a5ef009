//! A log of latencies in HdrHistogram's own format, second by second, for its tools.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use crate::sink::latency::Latencies;

/// A log that is being written.
///
/// Each interval has a line without a tag, for all topics (from the intended time if records are paced,
/// else from when they were enqueued), and two with tags for each topic, `telemetry.intended` and
/// `telemetry.enqueued`. Values are microseconds.
#[derive(Debug)]
pub struct HdrLog {
    file: BufWriter<File>,
    paced: bool,
}

impl HdrLog {
    /// Opens a log at `path`, and overwrites it. `paced` says whether the run is paced.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn create(path: &Path, paced: bool) -> io::Result<HdrLog> {
        Ok(HdrLog { file: BufWriter::new(File::create(path)?), paced })
    }

    /// Writes the head of the log: it begins at `start`.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn begin(&mut self, start: SystemTime) -> io::Result<()> {
        IntervalLogWriterBuilder::new()
            .add_comment("[Latencies of fleetstorm, in microseconds]")
            .add_comment("[Histogram log format version 1.3]")
            .with_start_time(start)
            .with_base_time(start)
            .begin_log_with(&mut self.file, &mut V2DeflateSerializer::new())?;
        self.file.write_all(LEGEND.as_bytes())?;
        self.file.flush()
    }

    /// Writes the latencies of one interval, `from` to `to` after the start.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn interval(
        &mut self,
        latencies: &Latencies,
        from: Duration,
        to: Duration,
    ) -> io::Result<()> {
        let total = latencies.total();
        let all = if self.paced { &total.intended } else { &total.enqueued };
        self.line(all, from, to, None)?;
        for (topic, latency) in latencies.topics() {
            self.line(&latency.intended, from, to, Some(&format!("{topic}.intended")))?;
            self.line(&latency.enqueued, from, to, Some(&format!("{topic}.enqueued")))?;
        }
        self.file.flush()
    }

    fn line(
        &mut self,
        histogram: &Histogram<u64>,
        from: Duration,
        to: Duration,
        tag: Option<&str>,
    ) -> io::Result<()> {
        if histogram.is_empty() {
            return Ok(());
        }
        let mut serializer = V2DeflateSerializer::new();
        IntervalLogWriterBuilder::new()
            .begin_log_with(&mut self.file, &mut serializer)?
            .write_histogram(histogram, from, to.saturating_sub(from), tag.and_then(Tag::new))
            .map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => error,
                IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
            })
    }
}

/// The line of column names that the Java library writes.
const LEGEND: &str =
    "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";
