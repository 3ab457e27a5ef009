//! The verdict of a verification, in JSON and for a person.

use std::collections::BTreeMap;
use std::io::{self, Write};

use fleetstorm_model::record::Topic;
use serde::Serialize;
use serde_json::Value;

use super::runs::ReportSummary;

/// The verdict over a run.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// Whether nothing is wrong.
    pub matches: bool,
    /// The reports that it is about.
    pub runs: Vec<ReportSummary>,
    /// Whether the run's end is known, so that records missing there are known too.
    pub whole: bool,
    /// Counts by topic name, without prefix.
    pub topics: BTreeMap<String, Counts>,
    /// The sum of all topics.
    pub total: Counts,
    /// A few of each kind of finding.
    pub examples: Vec<Example>,
    /// The finding about the registry's schemas.
    pub schemas: Schemas,
    /// How long the verification took, in seconds.
    pub elapsed_s: f64,
    /// Records read back per second, in the first pass.
    pub records_per_second: f64,
}

/// The counts of a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Records that the run sent. If its end isn't known: those up to the last that arrived of each key,
    /// and those that the report counts as acknowledged beyond.
    pub expected: u64,
    /// Records read back.
    pub arrived: u64,
    /// Expected and missing.
    pub lost: u64,
    /// There again.
    pub duplicated: u64,
    /// There, after a later record of their key.
    pub out_of_order: u64,
    /// There with other bytes, timestamp or partition.
    pub altered: u64,
    /// There, and not expected.
    pub unexpected: u64,
    /// Missing, since they aged out of the topic.
    pub aged: u64,
    /// Missing, since a later record of their key replaced them in a compacted topic.
    pub compacted: u64,
    /// Of machines in shards whose reports weren't given.
    pub of_other_shards: u64,
}

/// What can be wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It is missing.
    Lost,
    /// It is there again.
    Duplicated,
    /// It is after a later one.
    OutOfOrder,
    /// It differs from what was sent.
    Altered,
    /// It was never sent.
    Unexpected,
}

/// A record with a finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// What is wrong.
    pub finding: Finding,
    /// Its topic.
    pub topic: Topic,
    /// Its key.
    pub key: String,
    /// The partition.
    pub partition: i32,
    /// Its offset, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Its index among the expected records of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<usize>,
    /// Its expected timestamp, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<i64>,
    /// The fields that differ: expected and actual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<BTreeMap<String, (Value, Value)>>,
    /// The part that expects it.
    #[serde(skip)]
    pub part: usize,
}

/// The finding about the schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Schemas {
    /// The registry has them under the ids in the records.
    Match,
    /// No registry was given.
    NotAsked,
    /// The records are JSON, without schemas.
    None,
}

impl Counts {
    /// Adds other counts.
    pub fn add(&mut self, other: &Counts) {
        self.expected += other.expected;
        self.arrived += other.arrived;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.out_of_order += other.out_of_order;
        self.altered += other.altered;
        self.unexpected += other.unexpected;
        self.aged += other.aged;
        self.compacted += other.compacted;
        self.of_other_shards += other.of_other_shards;
    }

    /// Whether no record is lost, duplicated, out of order, altered or unexpected.
    pub fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.out_of_order + self.altered + self.unexpected == 0
    }

    /// The counts to print, with their names; none that is zero.
    fn named(&self) -> Vec<String> {
        [
            (self.lost, "lost"),
            (self.duplicated, "duplicated"),
            (self.out_of_order, "out of order"),
            (self.altered, "altered"),
            (self.unexpected, "unexpected"),
            (self.aged, "aged out"),
            (self.compacted, "compacted away"),
            (self.of_other_shards, "of other shards"),
        ]
        .into_iter()
        .filter(|&(count, _)| count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect()
    }
}

impl Verdict {
    /// Writes the verdict for a person.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for (topic, counts) in &self.topics {
            let named = counts.named();
            let rest =
                if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
            writeln!(
                out,
                "{topic:<10} {:>12} of {} records{rest}",
                counts.arrived, counts.expected
            )?;
        }
        for example in &self.examples {
            writeln!(out, "  {example}")?;
        }
        let (failed, unconfirmed) =
            self.runs.iter().fold((0, 0), |(f, u), told| (f + told.failed, u + told.unconfirmed));
        if failed + unconfirmed > 0 {
            writeln!(
                out,
                "The run itself counts {failed} as failed, {unconfirmed} as unconfirmed."
            )?;
        }
        if !self.whole {
            let why = match self.runs.iter().any(|told| told.ended.is_none()) {
                true => "the run has no results, so each key's records were held against its first",
                false => {
                    "the run ended early or by the clock, so its last records are known by count alone"
                }
            };
            writeln!(out, "Note: {why}.")?;
        }
        if self.schemas == Schemas::NotAsked {
            writeln!(
                out,
                "Note: no registry was named, so schema ids were compared and no schemas."
            )?;
        }
        let said = match self.matches {
            true if self.total.expected + self.total.arrived == 0 => {
                "there was nothing to verify, since the run has sent nothing"
            }
            true => "everything is there, once, in order",
            false => "the topics differ from the run",
        };
        writeln!(
            out,
            "Verified in {:.1} s ({:.0} records/s): {said}.",
            self.elapsed_s, self.records_per_second
        )
    }
}

impl std::fmt::Display for Example {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let finding = match self.finding {
            Finding::Lost => "lost",
            Finding::Duplicated => "duplicated",
            Finding::OutOfOrder => "out of order",
            Finding::Altered => "altered",
            Finding::Unexpected => "unexpected",
        };
        write!(f, "{finding}: {}-{} key {}", self.topic, self.partition, self.key)?;
        if let Some(offset) = self.offset {
            write!(f, " at offset {offset}")?;
        }
        if let Some(nth) = self.nth {
            write!(f, ", record {nth} of its key")?;
        }
        if let Some(timestamp) = self.timestamp_ms {
            write!(f, ", stamped {timestamp}")?;
        }
        for (field, (expected, found)) in self.fields.iter().flatten() {
            write!(f, "; {field}: {expected} was sent, {found} is there")?;
        }
        Ok(())
    }
}
