//! Proves what a run delivered: reads its topics back, regenerates its records from the manifest, and
//! compares both key by key.
//!
//! The first pass keeps a count and an ordered hash for each topic and key, so its memory grows with
//! machines, not with records. Only keys that differ are read a second time, a limited number at once.

mod check;
mod compare;
mod difference;
pub mod fleet;
pub mod ledger;
pub mod position;
pub mod read_back;
pub mod runs;
pub mod verdict;
mod walk;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use chrono::{DateTime, Utc};
use fleetstorm_model::config::units::Shard;
use fleetstorm_model::fleet::{Groups, MachineId, Share};
use fleetstorm_model::manifest::{Manifest, TopicEntry};
use fleetstorm_model::record::{KeyHash, Topic};

use crate::consume::ConsumeError;
use crate::pacing::StopFlag;
use crate::registry::{Registry, RegistryError};
use crate::report::read::ReadError;
use crate::sink::kafka::{Cluster, KafkaError, KafkaSettings, topic_state, topics};

use check::{Checked, Suspect};
use compare::{Comparison, Found, TopicRules};
use ledger::{Content, Ledger};
use read_back::Topics;
use runs::{Run, Runs};
use verdict::{Counts, Example, Finding, Schemas, Verdict};
use walk::{Due, Walk};

/// Why a run can't be verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A report can't be read.
    #[error(transparent)]
    Report(#[from] ReadError),
    /// The reports are of several runs.
    #[error("{} and {} are not of one run: verify them one by one", first.display(), second.display())]
    NotOneRun {
        /// A report.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
    /// A shard is there twice.
    #[error("{} holds shard {shard}, which another report holds as well", file.display())]
    Twice {
        /// The report.
        file: PathBuf,
        /// The shard.
        shard: Shard,
    },
    /// The run was not written to Kafka.
    #[error("the run was not written to a broker: there is nothing to read back")]
    NothingWritten,
    /// The cluster can't be used.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The registry can't be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The registry has another schema under an id in the run's records.
    #[error(
        "the registry has another schema under id {id} than topic `{topic}` was written with: is it the run's registry?"
    )]
    Schema {
        /// The topic.
        topic: String,
        /// The id.
        id: u32,
    },
    /// A topic isn't as the run left it.
    #[error(
        "topic `{topic}` is missing, or has fewer than the {partitions} partitions that it had: is it the run's cluster?"
    )]
    Topic {
        /// The topic.
        topic: String,
        /// The number of partitions that the run saw.
        partitions: u32,
    },
    /// A topic was recreated, or this is another cluster.
    #[error("topic `{topic}` {}", anew(*noticed))]
    Recreated {
        /// The topic.
        topic: String,
        /// When the run noticed that; `None` if it was after the run.
        noticed: Option<DateTime<Utc>>,
    },
    /// Records of a run that is to be resumed have aged out.
    #[error(
        "topic `{topic}` has lost {records} records of the run to its retention: how far the run got can't be known"
    )]
    Removed {
        /// The topic.
        topic: String,
        /// How many offsets.
        records: u64,
    },
    /// The topics can't be read.
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    /// A thread panicked: a bug in this program.
    #[error("internal error: a thread that makes the records again panicked")]
    Panicked,
}

/// A part of a run that one thread regenerates.
pub struct Part<'a> {
    run: &'a Run,
    share: Share,
    /// How many of its readings to regenerate.
    readings: u64,
}

impl Part<'_> {
    /// Regenerates its records.
    fn walk(&self, each: impl FnMut(&Due<'_>)) {
        let mut left = self.readings;
        let goes_on = |_, _| {
            let goes_on = left > 0;
            left = left.saturating_sub(1);
            goes_on
        };
        let dropped = self.run.dropped(self.share);
        Walk::new(&self.run.manifest, self.share, dropped).run(goes_on, each);
    }
}

/// What the first pass has found.
struct Evidence<'a> {
    ledger: Ledger,
    /// Whether a key of the ledger belongs to the runs.
    known: Vec<AtomicBool>,
    parts: Vec<Part<'a>>,
    checked: Vec<Checked>,
    /// How long it took, in seconds.
    reading_s: f64,
}

impl<'a> Evidence<'a> {
    /// Reads `topics`, and compares what arrived with what `runs` sent.
    fn gather(runs: &'a Runs, topics: &Topics<'_>, threads: u32) -> Result<Self, VerifyError> {
        let began = Instant::now();
        let mut ledger = Ledger::default();
        topics.read(
            |_| true,
            |arrived| ledger.add(arrived.topic, arrived.key, &arrived.content, arrived.restamped),
        )?;
        let reading_s = began.elapsed().as_secs_f64();
        let known: Vec<AtomicBool> = (0..ledger.keys()).map(|_| AtomicBool::new(false)).collect();
        let (parts, checked) = check_all(runs, &ledger, &known, threads)?;
        Ok(Evidence { ledger, known, parts, checked, reading_s })
    }

    /// The keys that differ, with the number of the part that expects each.
    fn suspects(&self) -> Vec<(usize, Suspect)> {
        let of_parts = self.checked.iter().enumerate();
        of_parts.flat_map(|(part, c)| c.suspects.iter().map(move |s| (part, s.clone()))).collect()
    }

    /// The comparison of those keys.
    fn comparison<'b>(
        &'b self,
        cluster: &Cluster,
        manifest: &Manifest,
        topics: &'b Topics<'b>,
    ) -> Comparison<'b> {
        Comparison {
            parts: &self.parts,
            topics,
            rules: topic_rules(cluster, &manifest.topics, &self.ledger),
            partitions: manifest.partitions(),
        }
    }
}

/// What to verify, and how.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// The reports of `run --report`; of several shards, all their files.
    pub reports: Vec<PathBuf>,
    /// How many threads regenerate the records. Default: one per core.
    pub threads: Option<u32>,
}

/// Verifies the run of the reports in `options`, on the cluster of `settings`. Compares schemas with
/// `registry`, if there is one.
///
/// # Errors
/// [`VerifyError`]. What is wrong with the records is in the verdict.
pub fn verify(
    options: &VerifyOptions,
    settings: KafkaSettings,
    registry: Option<&Registry>,
    stop: &StopFlag,
) -> Result<Verdict, VerifyError> {
    let runs = Runs::read(&options.reports)?;
    let manifest = runs.manifest();
    let cluster = &Cluster::connect(settings, stop.clone())?;
    let began = Instant::now();
    check_ids(cluster, &runs)?;
    let schemas = schemas(&manifest, registry)?;
    let ends = |topic| runs.end_offsets(topic);
    let topics = Topics::open(cluster, &manifest.topics, ends, stop)?;

    let evidence = Evidence::gather(&runs, &topics, threads(options))?;
    let comparison = evidence.comparison(cluster, &manifest, &topics);
    let mut found = comparison.compare(&evidence.suspects())?;
    for fine in evidence.checked.iter().map(|c| &c.fine) {
        for (counts, &fine) in found.counts.iter_mut().zip(fine) {
            counts.expected += fine;
            counts.arrived += fine;
        }
    }
    count_unexpected(&runs, &evidence, &mut found);
    count_unseen_ends(&runs, &comparison.rules, &topics, &mut found.counts);
    explain_altered(&comparison, &manifest, &mut found.examples)?;

    let mut total = Counts::default();
    found.counts.iter().for_each(|counts| total.add(counts));
    Ok(Verdict {
        matches: total.is_clean(),
        whole: runs.whole(),
        topics: manifest
            .topics
            .iter()
            .map(|entry| (entry.topic.name().to_owned(), found.counts[entry.topic.index()]))
            .collect(),
        total,
        examples: found.examples,
        schemas,
        elapsed_s: began.elapsed().as_secs_f64(),
        records_per_second: evidence.ledger.records.iter().sum::<u64>() as f64
            / evidence.reading_s.max(1e-9),
        runs: runs.summaries,
    })
}

/// Rejects topics that the run didn't write to: their records would look lost.
fn check_ids(cluster: &Cluster, runs: &Runs) -> Result<(), VerifyError> {
    let manifest = runs.manifest();
    let names: Vec<&str> = manifest.topics.iter().map(|entry| entry.name.as_str()).collect();
    let states = match topic_state::states(cluster, &names, cluster.settings().connect_timeout) {
        Ok(states) => states,
        // Not every user may ask. Then records that are gone look lost.
        Err(error) => {
            tracing::debug!("whether the topics are the run's is not known: {error}");
            return Ok(());
        }
    };
    for entry in &manifest.topics {
        let now = states.get(&entry.name).and_then(|state| state.id.as_ref());
        let noticed = runs.recreated_at(&entry.name);
        let another = entry.id.as_ref().zip(now).is_some_and(|(before, now)| before != now);
        if another || (now.is_some() && noticed.is_some()) {
            return Err(VerifyError::Recreated { topic: entry.name.clone(), noticed });
        }
    }
    Ok(())
}

/// What is known of a topic that was recreated.
fn anew(noticed: Option<DateTime<Utc>>) -> String {
    match noticed {
        Some(at) => format!(
            "was recreated during the run, before {}: what the run wrote to it until then is gone",
            at.format("%Y-%m-%d %H:%M:%S UTC")
        ),
        None => {
            "has another id than the run wrote to: it was recreated after the run, and the run's \
                 records are gone, or this is another cluster"
                .to_owned()
        }
    }
}

fn threads(options: &VerifyOptions) -> u32 {
    options.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, |n| n.get() as u32))
}

/// Regenerates all runs' records, each share on its own thread, and compares them with the ledger.
fn check_all<'a>(
    runs: &'a Runs,
    ledger: &Ledger,
    known: &[AtomicBool],
    threads: u32,
) -> Result<(Vec<Part<'a>>, Vec<Checked>), VerifyError> {
    let (mut parts, mut checked) = (Vec::new(), Vec::new());
    for run in &runs.runs {
        let shares = run.shares(threads);
        let of_run = thread::scope(|scope| {
            let working: Vec<_> = shares
                .iter()
                .map(|&share| scope.spawn(move || check::check(run, share, ledger, known)))
                .collect();
            working.into_iter().map(|thread| thread.join()).collect::<Result<Vec<_>, _>>()
        });
        for (share, of_share) in shares.into_iter().zip(of_run.map_err(|_| VerifyError::Panicked)?)
        {
            parts.push(Part { run, share, readings: of_share.readings });
            checked.push(of_share);
        }
    }
    Ok((parts, checked))
}

/// What each topic does with records.
fn topic_rules(
    cluster: &Cluster,
    entries: &[TopicEntry],
    ledger: &Ledger,
) -> [TopicRules; Topic::COUNT] {
    let mut rules = [TopicRules::default(); Topic::COUNT];
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let policies = topics::cleanup_policies(cluster, &names);
    for entry in entries {
        // A topic that doesn't report its policy is assumed to have the one it was created with.
        let compacted = match policies.get(&entry.name) {
            Some(policy) => policy.contains("compact"),
            None => entry.topic.is_compacted(),
        };
        let restamped = ledger.restamped[entry.topic.index()];
        rules[entry.topic.index()] = TopicRules { compacted, restamped };
    }
    rules
}

/// Counts the records of keys that no run expects.
fn count_unexpected(runs: &Runs, evidence: &Evidence<'_>, found: &mut Found) {
    let Evidence { ledger, known, .. } = evidence;
    let unexpected = ledger.rows().filter(|&(_, row)| !known[row as usize].load(Ordering::Relaxed));
    let all_given = runs.are_all();
    for (key, row) in unexpected {
        let elsewhere = !all_given && belongs_to_another_shard(runs, key);
        for topic in Topic::ALL {
            let count = ledger.chain(row, topic).count;
            if count == 0 {
                continue;
            }
            let counts = &mut found.counts[topic.index()];
            counts.arrived += count;
            if elsewhere {
                counts.of_other_shards += count;
                continue;
            }
            counts.unexpected += count;
            let partitions = runs.runs[0].manifest.partitions()[topic.index()];
            found.show(Example {
                finding: Finding::Unexpected,
                topic,
                key: String::from_utf8_lossy(key).into_owned(),
                partition: KeyHash::of(key).partition(partitions),
                offset: None,
                nth: None,
                timestamp_ms: None,
                fields: None,
                part: 0,
            });
        }
    }
}

/// Whether a key belongs to a machine of the fleet, or to one of its jobs, outside of the given shards.
fn belongs_to_another_shard(runs: &Runs, key: &[u8]) -> bool {
    let manifest = &runs.runs[0].manifest;
    let machines = manifest.config.n_machines;
    let Some(index) = MachineId::index_in(key).filter(|&index| index < machines) else {
        return false;
    };
    let group = Groups::new(machines).of(index);
    let holds = |run: &Run| {
        let shard = (run.shard.index(), run.shard.count());
        Share { shard, thread: (0, 1) }.holds(group)
    };
    !runs.runs.iter().any(holds)
}

/// For runs without a known end: counts as lost the records that the reports count as acknowledged and that
/// were not read back.
fn count_unseen_ends(
    runs: &Runs,
    rules: &[TopicRules; Topic::COUNT],
    topics: &Topics<'_>,
    counts: &mut [Counts; Topic::COUNT],
) {
    if runs.whole() {
        return;
    }
    for topic in Topic::ALL {
        let aged = topics.ranges().iter().any(|range| range.topic == topic && range.removed > 0);
        let Some(acknowledged) = runs.acknowledged(topic) else { continue };
        let counts = &mut counts[topic.index()];
        if aged || rules[topic.index()].compacted {
            continue;
        }
        let extra = counts.duplicated + counts.unexpected + counts.of_other_shards;
        let present = counts.arrived - extra;
        let missing = acknowledged.saturating_sub(present);
        if missing > counts.lost {
            counts.expected += missing - counts.lost;
            counts.lost = missing;
        }
    }
}

/// Fills in the fields of altered examples: both records are fetched once more.
fn explain_altered(
    comparison: &Comparison<'_>,
    manifest: &Manifest,
    examples: &mut [Example],
) -> Result<(), VerifyError> {
    let altered = |example: &Example| example.finding == Finding::Altered;
    let mut found: BTreeMap<usize, (i32, i64, Vec<u8>)> = BTreeMap::new();
    let places: Vec<(usize, Topic, i64, String)> = examples
        .iter()
        .enumerate()
        .filter(|(_, example)| altered(example))
        .filter_map(|(at, e)| Some((at, e.topic, e.offset?, e.key.clone())))
        .collect();
    if places.is_empty() {
        return Ok(());
    }
    comparison.topics.read(
        |span| places.iter().any(|place| place.1 == span.topic),
        |arrived| {
            for (at, topic, offset, key) in &places {
                if *topic == arrived.topic
                    && *offset == arrived.offset
                    && key.as_bytes() == arrived.key
                {
                    let content = arrived.content;
                    let value = content.value.to_vec();
                    found.insert(*at, (content.partition, content.timestamp_ms, value));
                }
            }
        },
    )?;
    for (part_index, part) in comparison.parts.iter().enumerate() {
        let mut seen: BTreeMap<usize, usize> = places
            .iter()
            .filter(|place| examples[place.0].part == part_index)
            .map(|place| (place.0, 0))
            .collect();
        if seen.is_empty() {
            continue;
        }
        part.walk(|due| {
            for (&at, count) in &mut seen {
                let example = &mut examples[at];
                if example.topic != due.topic || example.key != due.key {
                    continue;
                }
                if example.nth == Some(*count)
                    && let Some((partition, timestamp_ms, value)) = found.get(&at)
                {
                    let (partition, timestamp_ms) = (*partition, *timestamp_ms);
                    let restamped = comparison.rules[due.topic.index()].restamped;
                    let mut sent = due.content();
                    if restamped {
                        sent.timestamp_ms = timestamp_ms;
                    }
                    let there = Content { partition, timestamp_ms, value };
                    let fields = difference::fields(due.topic, manifest.format, &sent, &there);
                    example.fields = Some(fields);
                }
                *count += 1;
            }
        });
    }
    Ok(())
}

/// Compares the registry's schemas with those of the records.
fn schemas(manifest: &Manifest, registry: Option<&Registry>) -> Result<Schemas, VerifyError> {
    let ids = || manifest.topics.iter().filter_map(|entry| Some((entry, entry.schema_id?)));
    if manifest.format == fleetstorm_model::encoding::Format::Json {
        return Ok(Schemas::None);
    }
    if ids().next().is_none() {
        return Err(VerifyError::NothingWritten);
    }
    let Some(registry) = registry else { return Ok(Schemas::NotAsked) };
    for (entry, id) in ids() {
        if !registry.schema(id)?.is_same_as(entry.topic.schema().text) {
            return Err(VerifyError::Schema { topic: entry.name.clone(), id: id.0 });
        }
    }
    Ok(Schemas::Match)
}
