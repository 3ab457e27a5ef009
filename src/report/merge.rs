//! Merges the reports of the shards of one run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fleetstorm_model::config::units::Shard;
use fleetstorm_model::manifest::TopicEntry;
use fleetstorm_model::record::Topic;
use hdrhistogram::Histogram;
use serde_json::Value;

use super::histogram::{self, HistogramError};
use super::read::{self, ReadError, ReadReport};
use super::results::{
    BehindResults, ChangedTopic, Ending, EventTimeResults, Histograms, LISTED_SECONDS, Lag,
    LatencyResults, Past, Percentiles, RateResults, Results, ThreadEnd, TopicResults,
    max_second_error,
};
use super::{Report, rate};
use crate::sink::latency::{self, Latencies};

/// Why reports can't be merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// No report was given.
    #[error("there is no report to merge")]
    Nothing,
    /// A file is not a report.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A run has no results.
    #[error("{} has no results: its run is still going, or was killed", path.display())]
    NoResults {
        /// The file.
        path: PathBuf,
    },
    /// The manifests are of different runs.
    #[error("{} and {} are not of one run: {field} is {} and {}", first.display(), second.display(), values.0, values.1)]
    Differ {
        /// A file.
        first: PathBuf,
        /// Another file.
        second: PathBuf,
        /// The first field that differs, as a path into the manifest.
        field: String,
        /// Its value in either.
        values: (String, String),
    },
    /// A shard is there twice, and its records would count twice.
    #[error("{} and {} both hold shard {shard}", first.display(), second.display())]
    Twice {
        /// The shard.
        shard: Shard,
        /// A file.
        first: PathBuf,
        /// The other; the same where a file lists a shard twice.
        second: PathBuf,
    },
}

/// Merges the reports in `files`, one for each shard of a run, into one of the same shape.
///
/// Counts are added. Percentiles are those of all records together. Rates are what all shards have sent
/// over the whole time, from when the first was measured to when the last ended. The error compares that
/// with what was due of all of them; one record per shard is forgiven, since a shard's end decides about
/// it. Seconds of the schedule are added one by one. The worst second is the worst of these sums if all
/// seconds are listed, else the worst of any shard. The largest drift stands for that of the whole, which
/// can't be larger. So do the longest lag and, since reports don't say when it was, the largest total of
/// lags and their largest number, which the whole's may exceed. A single report is returned as it is.
///
/// # Errors
/// [`MergeError`].
pub fn merge(files: &[PathBuf]) -> Result<Report, MergeError> {
    let parts = files
        .iter()
        .map(|path| Part::new(path, read::file(path)?))
        .collect::<Result<Vec<_>, _>>()?;
    merged(parts)
}

/// A warning about shards of the run that `report` lacks; `None` if it has all.
pub fn missing(report: &Report) -> Option<String> {
    let held: BTreeSet<u32> = held(report).into_iter().map(Shard::index).collect();
    let count = held_of(report)?;
    let mut missing = (0..count)
        .filter(|index| !held.contains(index))
        .filter_map(|index| Shard::new(index, count).ok());
    let mut named: Vec<String> = missing.by_ref().take(MOST_NAMED).map(|s| s.to_string()).collect();
    let more = (count as usize).saturating_sub(held.len() + named.len());
    if more > 0 {
        named.push(format!("{more} more"));
    }
    (!named.is_empty()).then(|| {
        format!("shards of the run are missing, which nothing counts: {}", named.join(", "))
    })
}

/// Nobody reads more.
const MOST_NAMED: usize = 20;

/// A report and its file.
struct Part {
    path: PathBuf,
    /// The manifest in the file, without its shard.
    manifest: Value,
    /// The shards that the report holds, of a number of them.
    shards: Vec<Shard>,
    of: u32,
    report: Report,
    results: Results,
}

impl Part {
    fn new(path: &Path, read: ReadReport) -> Result<Part, MergeError> {
        let path = path.to_owned();
        let ReadReport { document, mut report } = read;
        let mut manifest = document["manifest"].clone();
        if let Some(fields) = manifest.as_object_mut() {
            fields.remove("shard");
            // Shards find other end offsets, and on embedded brokers each has its own topics.
            let topics = fields.get_mut("topics").and_then(Value::as_array_mut);
            for entry in topics.into_iter().flatten().filter_map(Value::as_object_mut) {
                entry.remove("start_offsets");
                entry.remove("id");
            }
        }
        let Some(of) = held_of(&report) else {
            let reason = "its shards are not those of one run".to_owned();
            return Err(ReadError::NotAReport { path, reason }.into());
        };
        let Some(results) = report.results.take() else {
            return Err(MergeError::NoResults { path });
        };
        Ok(Part { path, manifest, shards: held(&report), of, report, results })
    }
}

/// The shards that a report holds.
fn held(report: &Report) -> Vec<Shard> {
    report.shards.clone().unwrap_or_else(|| vec![report.manifest.shard])
}

/// Of how many shards these are; `None` if a report lists none, or some of another number.
fn held_of(report: &Report) -> Option<u32> {
    let shards = held(report);
    let count = shards.first()?.count();
    shards.iter().all(|shard| shard.count() == count).then_some(count)
}

fn merged(mut parts: Vec<Part>) -> Result<Report, MergeError> {
    let mut shards = shards_of_one_run(&parts)?;
    shards.sort_by_key(|shard| shard.index());
    // In a fixed order, so that sums of fractions don't depend on the command line.
    parts.sort_by_key(|part| part.shards.iter().map(|shard| shard.index()).min());
    let results = match parts.as_slice() {
        [only] => only.results.clone(),
        several => results(several)?,
    };
    let starts: Vec<Vec<TopicEntry>> =
        parts.iter().map(|part| part.report.manifest.topics.clone()).collect();
    let single = parts.len() == 1;
    let Some(Part { mut report, of, .. }) = parts.into_iter().next() else {
        return Err(MergeError::Nothing);
    };
    report.results = Some(results);
    for topics in starts {
        for (entry, other) in report.manifest.topics.iter_mut().zip(topics) {
            entry.start_offsets = both(entry.start_offsets.take(), other.start_offsets, i64::min);
            entry.id = entry.id.take().filter(|id| other.id.as_ref() == Some(id));
        }
    }
    if !single {
        let whole = shards.len() == of as usize;
        report.manifest.shard = if whole { Shard::WHOLE } else { shards[0] };
        report.shards = Some(shards);
    }
    Ok(report)
}

/// The shards in `parts`, if these are of one run and no shard is there twice.
fn shards_of_one_run(parts: &[Part]) -> Result<Vec<Shard>, MergeError> {
    let mut shards = Vec::new();
    let mut holders: BTreeMap<u32, &Path> = BTreeMap::new();
    for part in parts {
        let first = &parts[0];
        let divided = |part: &Part| Value::from(part.of);
        let difference = difference(&first.manifest, &part.manifest, "")
            .or_else(|| difference(&divided(first), &divided(part), "the number of shards"));
        if let Some((field, values)) = difference {
            let (first, second) = (first.path.clone(), part.path.clone());
            return Err(MergeError::Differ { first, second, field, values });
        }
        for &shard in &part.shards {
            if let Some(first) = holders.insert(shard.index(), &part.path) {
                let (first, second) = (first.to_owned(), part.path.clone());
                return Err(MergeError::Twice { shard, first, second });
            }
            shards.push(shard);
        }
    }
    Ok(shards)
}

/// The first difference between two documents, within `at`, with both values.
fn difference(first: &Value, second: &Value, at: &str) -> Option<(String, (String, String))> {
    let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match (first, second) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            names.into_iter().find_map(|name| difference(&first[name], &second[name], &below(name)))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(i, (a, b))| difference(a, b, &below(&i.to_string())))
        }
        _ => (first != second).then(|| (at.to_owned(), (first.to_string(), second.to_string()))),
    }
}

/// The results of several parts.
fn results(parts: &[Part]) -> Result<Results, MergeError> {
    let all = || parts.iter().map(|part| &part.results);
    let mut added = Added::new();
    for part in parts {
        added.add(&part.results.histograms).map_err(|reason| {
            let reason = format!("a histogram can't be read: {reason}");
            ReadError::NotAReport { path: part.path.clone(), reason }
        })?;
    }
    let mut records = BTreeMap::new();
    let mut errors = BTreeMap::new();
    for results in all() {
        for (topic, counts) in &results.records {
            let sum: &mut TopicResults = records.entry(topic.clone()).or_default();
            *sum = sum.plus(counts);
        }
        for (kind, &count) in &results.errors {
            let sum: &mut u64 = errors.entry(kind.clone()).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    let mut dropped: Vec<_> = all().flat_map(|results| results.dropped.clone()).collect();
    dropped.sort_by_key(|span| (span.from, span.first_slot));
    let transport = parts.first().and_then(|part| part.results.transport);
    Ok(Results {
        transport: transport.filter(|_| all().all(|results| results.transport == transport)),
        ended: all().map(|results| results.ended).max_by_key(badness).unwrap_or(Ending::Complete),
        records,
        elapsed_s: all().map(|results| results.elapsed_s).fold(0.0, f64::max),
        rate: RateResults { late_ms: Percentiles::of(&added.late), ..rate(parts) },
        event_time: EventTimeResults::default(),
        behind: BehindResults {
            handed_over: lag(all().map(|results| results.behind.handed_over)),
            acknowledged: lag(all().map(|results| results.behind.acknowledged)),
        },
        dropped,
        latency_ms: LatencyResults::of(&added.latencies),
        errors,
        changed_topics: changed_topics(all()),
        end_offsets: end_offsets(all()),
        throttled_s: all().map(|results| results.throttled_s).fold(0.0, f64::max),
        already_there: all().fold(0, |sum, r| sum.saturating_add(r.already_there)),
        already_dropped: all().fold(0, |sum, r| sum.saturating_add(r.already_dropped)),
        torn: all().fold(0, |sum, r| sum.saturating_add(r.torn)),
        threads: threads(all()),
        closing: all().fold(0, |sum, r| sum.saturating_add(r.closing)),
        histograms: Histograms::of(&added.latencies, &added.late),
    })
}

/// The offsets of two reports by partition, combined by `of`, if both have some.
fn both(
    one: Option<Vec<i64>>,
    other: Option<Vec<i64>>,
    of: fn(i64, i64) -> i64,
) -> Option<Vec<i64>> {
    Some(one?.into_iter().zip(other?).map(|(a, b)| of(a, b)).collect())
}

/// Where the threads of all parts were.
fn threads<'a>(all: impl Iterator<Item = &'a Results>) -> Vec<ThreadEnd> {
    let mut threads: Vec<ThreadEnd> = all.flat_map(|results| results.threads.clone()).collect();
    threads.sort_by_key(|end| (end.shard.index(), end.thread.index()));
    threads
}

/// What any of them noticed, each change once, by the first that did.
fn changed_topics<'a>(all: impl Iterator<Item = &'a Results>) -> Vec<ChangedTopic> {
    let mut changed: Vec<ChangedTopic> = all.flat_map(|r| r.changed_topics.clone()).collect();
    changed.sort_by_key(|topic| topic.noticed);
    let mut once: Vec<ChangedTopic> = Vec::new();
    for topic in changed {
        if !once.iter().any(|other| (&other.topic, &other.change) == (&topic.topic, &topic.change))
        {
            once.push(topic);
        }
    }
    once
}

/// Where the topics ended: behind the last record of any part.
fn end_offsets<'a>(all: impl Iterator<Item = &'a Results>) -> BTreeMap<String, Vec<i64>> {
    all.map(|results| results.end_offsets.clone())
        .reduce(|one, mut other| {
            let ends = one.into_iter().filter_map(|(topic, offsets)| {
                let both = both(Some(offsets), other.remove(&topic), i64::max)?;
                Some((topic, both))
            });
            ends.collect()
        })
        .unwrap_or_default()
}

/// How bad an ending is.
fn badness(ended: &Ending) -> u8 {
    match ended {
        Ending::Complete => 0,
        Ending::Closed => 1,
        Ending::Interrupted => 2,
        Ending::Failed => 3,
    }
}

fn lag(lags: impl Iterator<Item = Lag>) -> Lag {
    lags.fold(Lag::default(), |worst, lag| Lag {
        longest_s: worst.longest_s.max(lag.longest_s),
        total_s: worst.total_s.max(lag.total_s),
        times: worst.times.max(lag.times),
    })
}

/// The rate, without what the histograms say.
fn rate(parts: &[Part]) -> RateResults {
    let all = || parts.iter().map(|part| &part.results.rate);
    let largest = |of: fn(&RateResults) -> Option<f64>| all().filter_map(of).reduce(f64::max);
    let from_s = all().map(|rate| rate.measured.from_s).fold(f64::INFINITY, f64::min);
    let mut seconds = Vec::new();
    for rate in all() {
        let later = (rate.measured.from_s.floor() - from_s.floor()) as usize;
        let later = later.min(LISTED_SECONDS);
        let listed = rate.seconds.iter().take(LISTED_SECONDS - later);
        if seconds.len() < later + listed.len() {
            seconds.resize(later + listed.len(), (0u32, 0u32));
        }
        for (sum, &(due, sent)) in seconds.iter_mut().skip(later).zip(listed) {
            *sum = (sum.0.saturating_add(due), sum.1.saturating_add(sent));
        }
    }
    let measured: Vec<rate::Part> = parts
        .iter()
        .map(|part| rate::Part {
            fraction: rate::fraction(&part.report.manifest, &part.shards),
            shards: part.shards.len(),
            measured: part.results.rate.measured,
        })
        .collect();
    let past = all().filter_map(|rate| rate.past).reduce(|one, other| Past {
        slots: one.slots.plus(&other.slots),
        took_s: one.took_s.max(other.took_s),
        ..one
    });
    RateResults {
        silent: all().fold(0, |sum, rate| sum.saturating_add(rate.silent)),
        past: past.and_then(|past| Past::new(past.slots, past.took_s)),
        max_second_error: if seconds.len() < LISTED_SECONDS {
            max_second_error(from_s, seconds.iter().copied())
        } else {
            largest(|rate| rate.max_second_error)
        },
        max_drift: largest(|rate| rate.max_drift),
        seconds,
        ..parts.first().map(|part| rate::of(&part.report.manifest, &measured)).unwrap_or_default()
    }
}

/// Why a report's histograms can't be read.
#[derive(Debug, thiserror::Error)]
enum BadHistograms {
    #[error("{0:?} is not a topic")]
    Topic(String),
    #[error(transparent)]
    Histogram(#[from] HistogramError),
}

/// The histograms of several reports.
struct Added {
    late: Histogram<u64>,
    latencies: Latencies,
}

impl Added {
    fn new() -> Added {
        Added { late: latency::histogram(), latencies: Latencies::default() }
    }

    /// Adds those of a report.
    fn add(&mut self, histograms: &Histograms) -> Result<(), BadHistograms> {
        let add = |sum: &mut Histogram<u64>, text: &Option<String>| match text {
            Some(text) => histogram::add_encoded(sum, text),
            None => Ok(()),
        };
        add(self.latencies.past_mut(), &histograms.past)?;
        add(&mut self.late, &histograms.late)?;
        for (name, texts) in &histograms.topics {
            let topic: Topic = name.parse().map_err(|_| BadHistograms::Topic(name.clone()))?;
            let latency = self.latencies.topic(topic);
            add(&mut latency.intended, &texts.intended)?;
            add(&mut latency.enqueued, &texts.enqueued)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
