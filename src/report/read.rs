//! Reads a report.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fleetstorm_model::config::units::Shard;
use fleetstorm_model::manifest::{self, STREAM_VERSION};
use serde::Deserialize;
use serde_json::Value;

use super::{Report, Results};

/// Why a file is not a report that this program can use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It can't be read.
    #[error("failed to read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is too large.
    #[error("{} is too large for a report: more than {} MiB", path.display(), MOST_BYTES >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is not JSON.
    #[error("{} is not JSON: {source}", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It is JSON, but not a report.
    #[error("{} is not a report of `run --report`: {reason}", path.display())]
    NotAReport {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is of another version of the program.
    #[error("{} is of stream version {found}, and this program supports {STREAM_VERSION}: use the fleetstorm that made the run", path.display())]
    StreamVersion {
        /// The file.
        path: PathBuf,
        /// Its stream version.
        found: String,
    },
}

/// A report, and its JSON.
#[derive(Debug, Clone)]
pub struct ReadReport {
    /// The JSON in the file.
    pub document: Value,
    /// The report.
    pub report: Report,
}

/// Far more than the report of a large run, which has a few megabytes.
const MOST_BYTES: u64 = 64 << 20;
/// More shards than any run has.
const MOST_SHARDS: usize = 100_000;
/// The most threads that a run has.
const MOST_THREADS: u32 = 1024;

/// Reads the report in a file.
///
/// # Errors
/// [`ReadError`].
pub fn file(path: &Path) -> Result<ReadReport, ReadError> {
    let failed = |source| ReadError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // The file's own size is not asked: a pipe or a device has none.
    let file = File::open(path).map_err(failed)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(ReadError::TooLarge { path: path.to_owned() });
    }
    text(path, &bytes)
}

/// Reads a report from the text of the file at `path`.
///
/// # Errors
/// [`ReadError`].
pub fn text(path: &Path, bytes: &[u8]) -> Result<ReadReport, ReadError> {
    let path = path.to_owned();
    let document: Value = match serde_json::from_slice(bytes) {
        Ok(document) => document,
        Err(source) => return Err(ReadError::NotJson { path, source }),
    };
    // Before the rest, which may have another shape in another version.
    let version = &document["manifest"]["stream_version"];
    if !version.is_null() && version.as_u64() != Some(u64::from(STREAM_VERSION)) {
        return Err(ReadError::StreamVersion { path, found: version.to_string() });
    }
    let wrong = |reason| ReadError::NotAReport { path, reason };
    match Report::deserialize(&document) {
        Ok(report) => match report.check() {
            Ok(()) => Ok(ReadReport { document, report }),
            Err(unwritten) => Err(wrong(unwritten.to_string())),
        },
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Why no run can have written a report.
#[derive(Debug, thiserror::Error)]
enum ManifestError {
    #[error(transparent)]
    Manifest(#[from] manifest::ManifestError),
    #[error("its list of shards is empty")]
    NoShards,
    #[error("it lists {0} shards")]
    TooManyShards(usize),
    #[error("its shards are not those of one run")]
    ShardsOfSeveralRuns,
    #[error("slots {first} to {last} of thread {thread} of shard {shard} can't have been dropped")]
    Dropped { first: u64, last: u64, thread: Shard, shard: Shard },
    #[error("the threads that it says ended are not those of shard {0}")]
    Threads(Shard),
    #[error("the end offsets don't match the partitions of topic {0}")]
    EndOffsets(String),
}

impl Report {
    /// Rejects what no run writes, so that the code behind it meets nothing else.
    fn check(&self) -> Result<(), ManifestError> {
        self.manifest.check()?;
        let shards = match &self.shards {
            Some(shards) => shards.as_slice(),
            None => std::slice::from_ref(&self.manifest.shard),
        };
        let Some(first) = shards.first() else {
            return Err(ManifestError::NoShards);
        };
        if shards.len() > MOST_SHARDS {
            return Err(ManifestError::TooManyShards(shards.len()));
        }
        let distinct: HashSet<&Shard> = shards.iter().collect();
        let of_one_run = shards.iter().all(|shard| shard.count() == first.count());
        if !of_one_run || distinct.len() < shards.len() {
            return Err(ManifestError::ShardsOfSeveralRuns);
        }
        match &self.results {
            Some(results) => self.check_results(results, &distinct),
            None => Ok(()),
        }
    }

    fn check_results(
        &self,
        results: &Results,
        shards: &HashSet<&Shard>,
    ) -> Result<(), ManifestError> {
        let mut threads = HashMap::new();
        for span in &results.dropped {
            let count = span.thread.count();
            // All threads of a shard divide it in the same way.
            let agrees = *threads.entry(span.shard).or_insert(count) == count;
            let ordered = span.first_slot <= span.last_slot;
            if !shards.contains(&span.shard) || count > MOST_THREADS || !agrees || !ordered {
                return Err(ManifestError::Dropped {
                    first: span.first_slot,
                    last: span.last_slot,
                    thread: span.thread,
                    shard: span.shard,
                });
            }
        }
        let mut ended: HashMap<Shard, Vec<Shard>> = HashMap::new();
        for end in &results.threads {
            ended.entry(end.shard).or_default().push(end.thread);
        }
        for (shard, mut threads) in ended {
            threads.sort_by_key(|thread| thread.index());
            let count = threads.len() as u32;
            let all = (0..count).zip(&threads).all(|(i, t)| (t.index(), t.count()) == (i, count));
            if !all || count > MOST_THREADS || !shards.contains(&shard) {
                return Err(ManifestError::Threads(shard));
            }
        }
        for entry in &self.manifest.topics {
            let Some(ends) = results.end_offsets.get(entry.topic.name()) else { continue };
            if ends.len() != entry.partitions as usize || ends.iter().any(|&end| end < 0) {
                return Err(ManifestError::EndOffsets(entry.name.clone()));
            }
        }
        Ok(())
    }
}
