//! The records that a job wrote, as rows.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::answer::Value;
use crate::query::Bounds;

/// How a job's records become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Changelog {
    /// Each record is a row.
    Append,
    /// The last record of each key is a row, unless its value is null.
    Upsert,
}

/// A row of a job's output.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputRow {
    /// Its window; none where the question has none.
    pub window: Option<Bounds>,
    /// Its keys, in the answer's order.
    pub keys: Vec<Value>,
    /// Its values, in the answer's order.
    pub values: Vec<Value>,
    /// When it was written, in milliseconds since the epoch, where that is known.
    pub written_ms: Option<i64>,
    /// Where it stands.
    pub place: Place,
}

/// Where a record of a job's output stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// In a topic.
    Record {
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
    /// In a file.
    Line {
        /// The line, the first of which is 1.
        line: u64,
    },
}

/// What a job wrote.
#[derive(Debug, Clone)]
pub struct Output {
    changelog: Changelog,
    at_least_once: bool,
    /// Of an append log, all rows.
    appended: Vec<OutputRow>,
    /// Of upserts, the last row of each key; none where it was deleted last.
    upserted: HashMap<Box<[u8]>, Option<OutputRow>>,
    /// How often a key's row took the place of one with another window or other keys.
    replaced: u64,
    records: u64,
    undecodable: u64,
    first_undecodable: Vec<(Place, String)>,
}

/// How many records that can't be decoded are kept.
const SHOWN: usize = 5;

impl Output {
    /// One without records.
    pub fn new(changelog: Changelog) -> Output {
        Output {
            changelog,
            at_least_once: false,
            appended: Vec::new(),
            upserted: HashMap::new(),
            replaced: 0,
            records: 0,
            undecodable: 0,
            first_undecodable: Vec::new(),
        }
    }

    /// One whose job writes at least once, so that repeated rows are no fault.
    #[must_use]
    pub fn at_least_once(self) -> Output {
        Output { at_least_once: true, ..self }
    }

    /// Takes the next record: its key's bytes and its row, none where its value is null. A null in an
    /// append log is no row.
    pub fn add(&mut self, key: Option<&[u8]>, row: Option<OutputRow>) {
        self.records += 1;
        match self.changelog {
            Changelog::Append => self.appended.extend(row),
            Changelog::Upsert => {
                let is_other = |(now, before): (&OutputRow, &OutputRow)| {
                    (now.window, &now.keys) != (before.window, &before.keys)
                };
                let slot = self.upserted.entry(key.unwrap_or_default().into()).or_default();
                self.replaced += u64::from(row.as_ref().zip(slot.as_ref()).is_some_and(is_other));
                *slot = row;
            }
        }
    }

    /// Takes a record that can't be decoded, and why.
    pub fn add_undecodable(&mut self, place: Place, why: impl FnOnce() -> String) {
        self.records += 1;
        self.undecodable += 1;
        if self.first_undecodable.len() < SHOWN {
            self.first_undecodable.push((place, why()));
        }
    }

    /// How records become rows.
    pub fn changelog(&self) -> Changelog {
        self.changelog
    }

    /// Whether repeated rows are no fault.
    pub fn may_repeat(&self) -> bool {
        self.at_least_once
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = &OutputRow> {
        self.appended.iter().chain(self.upserted.values().flatten())
    }

    /// How many records there were.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many keys have a tombstone as their last record.
    pub fn deleted(&self) -> u64 {
        self.upserted.values().filter(|row| row.is_none()).count() as u64
    }

    /// How often a key's row took the place of one with another window or other keys: then the keys
    /// aren't those of rows.
    pub fn replaced(&self) -> u64 {
        self.replaced
    }

    /// How many records could not be decoded.
    pub fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// The first of them, and why.
    pub fn first_undecodable(&self) -> &[(Place, String)] {
        &self.first_undecodable
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Record { partition, offset } => {
                write!(f, "partition {partition} offset {offset}")
            }
            Place::Line { line } => write!(f, "line {line}"),
        }
    }
}
