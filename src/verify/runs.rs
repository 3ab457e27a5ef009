//! What to verify: the runs of reports, shard by shard.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use fleetstorm_model::config::units::Shard;
use fleetstorm_model::fleet::{Groups, Share};
use fleetstorm_model::manifest::{JobKey, Manifest};
use fleetstorm_model::record::Topic;
use serde::Serialize;

use super::VerifyError;
use crate::report::read::{self, ReadReport};
use crate::report::results::{DroppedSpan, Ending};
use crate::report::{Report, Results};
use crate::sink::kafka::topic_state::TopicChange;

/// One shard of a run.
#[derive(Debug, Clone)]
pub struct Run {
    /// The manifest of its report, which may be of several shards.
    pub manifest: Arc<Manifest>,
    /// Which shard it is.
    pub shard: Shard,
    /// Whether its end is known from the manifest, and was reached: all records up to there were sent.
    /// Otherwise what arrived must be the first records of each key.
    pub whole: bool,
    /// Its dropped slots.
    pub dropped: Vec<DroppedSpan>,
}

/// The runs of several reports.
#[derive(Debug, Clone)]
pub struct Runs {
    /// The shards, at least one.
    pub runs: Vec<Run>,
    /// The results in the reports; `None` if one of them has none.
    pub results: Option<Vec<Results>>,
    /// The reports.
    pub summaries: Vec<ReportSummary>,
}

/// A report, as the verdict names it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportSummary {
    /// The file.
    pub file: PathBuf,
    /// The shards that it holds.
    pub shards: Vec<Shard>,
    /// How the run ended; `None` if it was killed, or still goes on.
    pub ended: Option<Ending>,
    /// Records that it counts as failed.
    pub failed: u64,
    /// Records with an unknown outcome.
    pub unconfirmed: u64,
}

/// The spans of a share's dropped slots.
#[derive(Debug, Clone, Default)]
pub struct Dropped(Vec<(u64, u64)>);

impl Dropped {
    /// The spans by first and last slot, in order.
    pub fn spans(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// Whether a slot is in one of them.
    #[inline]
    pub fn hold(&self, slot: u64) -> bool {
        // Slots come in order, but a few spans are searched as quickly.
        !self.0.is_empty() && {
            let next = self.0.partition_point(|&(_, last)| last < slot);
            self.0.get(next).is_some_and(|&(first, _)| first <= slot)
        }
    }
}

impl Run {
    /// The parts in which the shard is verified: as many as `threads`, or as the run itself had if its
    /// threads dropped slots.
    pub fn shares(&self, threads: u32) -> Vec<Share> {
        let threads = self.dropped.first().map_or(threads, |span| span.thread.count());
        let shard = (self.shard.index(), self.shard.count());
        let groups = Groups::new(self.manifest.config.n_machines).len().max(1);
        let threads = threads.clamp(1, groups);
        (0..threads).map(|thread| Share { shard, thread: (thread, threads) }).collect()
    }

    /// The slots of a share that were dropped.
    pub fn dropped(&self, share: Share) -> Dropped {
        let of_share = self.dropped.iter().filter(|span| span.thread.index() == share.thread.0);
        let mut spans: Vec<(u64, u64)> =
            of_share.map(|span| (span.first_slot, span.last_slot)).collect();
        spans.sort_unstable();
        Dropped(spans)
    }
}

impl Runs {
    /// The runs of the reports in `files`: one run's, or its shards'.
    ///
    /// # Errors
    /// [`VerifyError`] if a report can't be read, or they are not of one run.
    pub fn read(files: &[PathBuf]) -> Result<Runs, VerifyError> {
        let reports = files
            .iter()
            .map(|file| Ok((file.as_path(), read::file(file)?)))
            .collect::<Result<Vec<(&Path, ReadReport)>, VerifyError>>()?;
        let mut all = Runs { runs: Vec::new(), results: Some(Vec::new()), summaries: Vec::new() };
        for (file, ReadReport { report, .. }) in &reports {
            if let Some((first, ReadReport { report: other, .. })) = reports.first()
                && unsharded(&other.manifest) != unsharded(&report.manifest)
            {
                let (first, second) = (first.to_path_buf(), file.to_path_buf());
                return Err(VerifyError::NotOneRun { first, second });
            }
            all.add(file, report)?;
        }
        Ok(all)
    }

    /// The run of one report.
    ///
    /// # Errors
    /// As [`Runs::read`].
    pub fn of(report: ReadReport) -> Result<Runs, VerifyError> {
        let mut all = Runs { runs: Vec::new(), results: Some(Vec::new()), summaries: Vec::new() };
        all.add(Path::new(""), &report.report)?;
        Ok(all)
    }

    fn add(&mut self, file: &Path, report: &Report) -> Result<(), VerifyError> {
        let shards = report.shards.clone().unwrap_or_else(|| vec![report.manifest.shard]);
        let whole = report.results.as_ref().is_some_and(|r| r.ended == Ending::Complete)
            && report.manifest.has_known_end();
        let held: HashSet<Shard> = self.runs.iter().map(|run| run.shard).collect();
        let mut spans: HashMap<Shard, Vec<DroppedSpan>> = HashMap::new();
        for span in report.results.iter().flat_map(|results| &results.dropped) {
            spans.entry(span.shard).or_default().push(span.clone());
        }
        let manifest = Arc::new(report.manifest.clone());
        for &shard in &shards {
            if held.contains(&shard) {
                return Err(VerifyError::Twice { file: file.to_owned(), shard });
            }
            let dropped = spans.remove(&shard).unwrap_or_default();
            self.runs.push(Run { manifest: Arc::clone(&manifest), shard, whole, dropped });
        }
        self.summaries.push(ReportSummary {
            file: file.to_owned(),
            shards,
            ended: report.results.as_ref().map(|results| results.ended),
            failed: report.results.as_ref().map_or(0, Results::failed),
            unconfirmed: report.results.as_ref().map_or(0, Results::unconfirmed),
        });
        self.results = self.results.take().zip(report.results.clone()).map(|(mut all, results)| {
            all.push(results);
            all
        });
        Ok(())
    }

    /// A manifest for all: each topic from the first offset that any shard found.
    pub fn manifest(&self) -> Manifest {
        let mut manifest = Manifest::clone(&self.runs[0].manifest);
        for run in &self.runs[1..] {
            for (entry, other) in manifest.topics.iter_mut().zip(&run.manifest.topics) {
                let pair = entry.start_offsets.take().zip(other.start_offsets.as_ref());
                entry.start_offsets = pair
                    .map(|(own, other)| own.iter().zip(other).map(|(a, b)| *a.min(b)).collect());
                entry.id = entry.id.take().filter(|id| other.id.as_ref() == Some(id));
            }
        }
        manifest
    }

    /// The end offsets of a topic when the last of the runs ended; `None` if one of them doesn't report
    /// them.
    pub fn end_offsets(&self, topic: Topic) -> Option<Vec<i64>> {
        let all = self.results.as_ref()?;
        let of = |results: &Results| results.end_offsets.get(topic.name()).cloned();
        all.iter().map(of).reduce(|one, other| {
            Some(one?.into_iter().zip(other?).map(|(a, b)| a.max(b)).collect())
        })?
    }

    /// When a run noticed that a topic was recreated; `None` if none did.
    pub fn recreated_at(&self, topic: &str) -> Option<DateTime<Utc>> {
        let changed = self.results.iter().flatten().flat_map(|results| &results.changed_topics);
        let of_topic = changed.filter(|changed| changed.topic == topic);
        of_topic.filter(|c| c.change == TopicChange::Recreated).map(|c| c.noticed).min()
    }

    /// The records of a topic that the reports count as acknowledged, if they all have results.
    pub fn acknowledged(&self, topic: Topic) -> Option<u64> {
        let all = self.results.as_ref()?;
        let of_topic = all.iter().filter_map(|results| results.records.get(topic.name()));
        Some(of_topic.fold(0, |sum: u64, topic| sum.saturating_add(topic.acked)))
    }

    /// Whether these are all shards of the run.
    pub fn are_all(&self) -> bool {
        self.runs.len() == self.runs[0].shard.count() as usize
    }

    /// Whether every run's end is known, and was reached.
    pub fn whole(&self) -> bool {
        self.runs.iter().all(|run| run.whole)
    }

    /// Whether keys are machines, in every topic.
    pub fn keyed_by_machine(&self) -> bool {
        let manifest = &self.runs[0].manifest;
        manifest.job_key == JobKey::MachineId || !manifest.topic_set().contains(Topic::Jobs)
    }
}

/// What all shards of a run have in common.
fn unsharded(manifest: &Manifest) -> Manifest {
    let mut manifest = Manifest { shard: Shard::WHOLE, ..manifest.clone() };
    for entry in &mut manifest.topics {
        entry.start_offsets = None;
        entry.id = None;
    }
    manifest
}
