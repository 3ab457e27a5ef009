//! The registry's data: schemas by id, subjects and their versions.

use std::collections::{BTreeMap, HashMap};
use std::panic::catch_unwind;

use apache_avro::Schema;
use serde_json::Value;

use super::answer::ApiError;
use super::compatibility::Level;

/// The most schemas, and the most versions of subjects, that it keeps.
const COUNT_LIMIT: usize = 10_000;
/// The most bytes of schema text that it keeps.
const BYTE_LIMIT: usize = 32 << 20;
/// The longest subject name, in bytes.
const SUBJECT_LIMIT: usize = 1024;

/// A valid schema.
#[derive(Debug)]
pub(super) struct Parsed {
    text: String,
    /// The text without the differences of whitespace and key order: schemas with the same canonical text
    /// are the same.
    canonical: String,
    schema: Schema,
}

impl Parsed {
    pub(super) fn parse(text: String) -> Result<Parsed, ApiError> {
        let invalid = |error: String| ApiError::invalid_schema(format!("Invalid schema: {error}"));
        let value: Value = serde_json::from_str(&text).map_err(|e| invalid(e.to_string()))?;
        // Some odd schemas make apache-avro 0.22 panic, such as a default that doesn't fit a fixed of
        // size 2^63.
        let schema = catch_unwind(|| Schema::parse(&value))
            .map_err(|_| invalid("it cannot be understood".to_owned()))?
            .map_err(|e| invalid(e.to_string()))?;
        Ok(Parsed { canonical: value.to_string(), text, schema })
    }
}

/// A version of a subject, as a request names it.
#[derive(Clone, Copy, Debug)]
pub(super) enum VersionName {
    Latest,
    Number(usize),
}

/// A version of a subject, with its schema.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) version: usize,
    pub(super) id: u32,
    pub(super) text: &'a str,
}

impl Found<'_> {
    /// Its version and id, without the text.
    pub(super) fn registered(&self) -> Registered {
        Registered { version: self.version, id: self.id }
    }
}

/// The version and id of a registered schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registered {
    pub(super) version: usize,
    pub(super) id: u32,
}

#[derive(Debug, Default)]
struct Subject {
    /// Version n is at n - 1.
    versions: Vec<Version>,
    level: Option<Level>,
}

#[derive(Debug)]
struct Version {
    id: u32,
    deleted: bool,
}

impl Subject {
    /// The versions that are not deleted, numbered, oldest first.
    fn live(&self) -> impl DoubleEndedIterator<Item = (usize, &Version)> {
        let numbered = self.versions.iter().enumerate();
        numbered
            .filter(|(_, version)| !version.deleted)
            .map(|(index, version)| (index + 1, version))
    }
}

/// The registry's memory.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// Schema n is at n - 1. Deleted versions keep their schemas, so that records stay readable.
    schemas: Vec<Parsed>,
    ids: HashMap<String, u32>,
    subjects: BTreeMap<String, Subject>,
    level: Level,
    /// All versions of all subjects, deleted ones too.
    versions: usize,
    bytes: usize,
}

impl Store {
    /// Registers a schema under a subject, unless it is there already.
    pub(super) fn register(
        &mut self,
        subject: &str,
        parsed: Parsed,
    ) -> Result<Registered, ApiError> {
        check_name(subject)?;
        if let Some(found) = self.lookup(subject, &parsed)? {
            return Ok(found.registered());
        }
        if let Some(reason) = self.incompatibility(subject, &parsed.schema, None) {
            return Err(ApiError::incompatible(subject, &reason));
        }
        self.make_room(subject)?;
        let id = self.intern(parsed)?;
        let entry = self.subjects.entry(subject.to_owned()).or_default();
        entry.versions.push(Version { id, deleted: false });
        self.versions += 1;
        Ok(Registered { version: entry.versions.len(), id })
    }

    /// The id of a schema: a new one if the schema is new.
    fn intern(&mut self, parsed: Parsed) -> Result<u32, ApiError> {
        if let Some(id) = self.ids.get(&parsed.canonical) {
            return Ok(*id);
        }
        let bytes = self.bytes + parsed.text.len();
        if self.schemas.len() >= COUNT_LIMIT || bytes > BYTE_LIMIT {
            return Err(ApiError::full());
        }
        let id = u32::try_from(self.schemas.len() + 1).map_err(|_| ApiError::full())?;
        self.ids.insert(parsed.canonical.clone(), id);
        self.schemas.push(parsed);
        self.bytes = bytes;
        Ok(id)
    }

    fn make_room(&self, subject: &str) -> Result<(), ApiError> {
        let known = self.subjects.contains_key(subject);
        if self.versions >= COUNT_LIMIT || (!known && self.subjects.len() >= COUNT_LIMIT) {
            return Err(ApiError::full());
        }
        Ok(())
    }

    /// The version of a subject with exactly this schema.
    pub(super) fn lookup(
        &self,
        subject: &str,
        parsed: &Parsed,
    ) -> Result<Option<Found<'_>>, ApiError> {
        let Some(subject) = self.subjects.get(subject) else {
            return Ok(None);
        };
        let Some(id) = self.ids.get(&parsed.canonical) else {
            return Ok(None);
        };
        let version = subject.live().rev().find(|(_, version)| version.id == *id);
        version.map(|(number, _)| self.found(number, *id)).transpose()
    }

    /// The names of the subjects that have versions.
    pub(super) fn subjects(&self, prefix: &str) -> Vec<&str> {
        let live = self.subjects.iter().filter(|(_, s)| s.live().next().is_some());
        live.map(|(name, _)| name.as_str()).filter(|name| name.starts_with(prefix)).collect()
    }

    /// The numbers of a subject's versions.
    pub(super) fn versions(&self, subject: &str) -> Result<Vec<usize>, ApiError> {
        let found = self.live_subject(subject)?;
        Ok(found.live().map(|(number, _)| number).collect())
    }

    /// One version of a subject.
    pub(super) fn version(
        &self,
        subject: &str,
        version: VersionName,
    ) -> Result<Found<'_>, ApiError> {
        let mut live = self.live_subject(subject)?.live();
        let found = match version {
            VersionName::Latest => live.next_back(),
            VersionName::Number(number) => live.find(|(n, _)| *n == number),
        };
        match (found, version) {
            (Some((number, version)), _) => self.found(number, version.id),
            (None, VersionName::Number(number)) => Err(ApiError::version_not_found(number)),
            (None, VersionName::Latest) => Err(ApiError::subject_not_found(subject)),
        }
    }

    /// A schema's text.
    pub(super) fn text(&self, id: u32) -> Result<&str, ApiError> {
        self.schema(id).map(|parsed| parsed.text.as_str())
    }

    /// The subjects with a schema, and its version in each.
    pub(super) fn subjects_with(&self, id: u32) -> Result<Vec<(&str, usize)>, ApiError> {
        self.schema(id)?;
        let versions = self.subjects.iter().flat_map(|(name, subject)| {
            let live = subject.live();
            live.map(move |(number, version)| (name.as_str(), number, version.id))
        });
        Ok(versions
            .filter(|(_, _, found)| *found == id)
            .map(|(name, number, _)| (name, number))
            .collect())
    }

    /// Deletes a subject's versions, softly: their numbers are not reused.
    pub(super) fn delete(&mut self, subject: &str) -> Result<Vec<usize>, ApiError> {
        let deleted = self.versions(subject)?;
        if let Some(subject) = self.subjects.get_mut(subject) {
            for version in &mut subject.versions {
                version.deleted = true;
            }
        }
        Ok(deleted)
    }

    /// Deletes a subject permanently, after a soft delete.
    pub(super) fn delete_permanently(&mut self, subject: &str) -> Result<Vec<usize>, ApiError> {
        match self.subjects.get(subject) {
            Some(found) if found.live().next().is_some() => {
                Err(ApiError::not_deleted_first(subject))
            }
            Some(found) if !found.versions.is_empty() => {
                let count = found.versions.len();
                self.versions = self.versions.saturating_sub(count);
                self.subjects.remove(subject);
                Ok((1..=count).collect())
            }
            _ => Err(ApiError::subject_not_found(subject)),
        }
    }

    /// The level for all subjects, or a subject's own.
    pub(super) fn level(&self, subject: Option<&str>) -> Result<Level, ApiError> {
        match subject {
            None => Ok(self.level),
            Some(name) => {
                let own = self.subjects.get(name).and_then(|subject| subject.level);
                own.ok_or_else(|| ApiError::no_level(name))
            }
        }
    }

    /// Sets the level for all subjects, or a subject's own.
    pub(super) fn set_level(
        &mut self,
        subject: Option<&str>,
        level: Level,
    ) -> Result<(), ApiError> {
        match subject {
            None => self.level = level,
            Some(name) => {
                check_name(name)?;
                self.make_room(name)?;
                self.subjects.entry(name.to_owned()).or_default().level = Some(level);
            }
        }
        Ok(())
    }

    /// Why a schema is incompatible with a subject's versions, or with one of them.
    pub(super) fn compatibility(
        &self,
        subject: &str,
        version: Option<VersionName>,
        parsed: &Parsed,
    ) -> Result<Option<String>, ApiError> {
        let number = match version {
            None => None,
            // Confluent calls any schema compatible with a missing subject.
            Some(VersionName::Latest) if self.versions(subject).is_err() => None,
            Some(version) => Some(self.version(subject, version)?.version),
        };
        Ok(self.incompatibility(subject, &parsed.schema, number))
    }

    fn incompatibility(&self, subject: &str, new: &Schema, only: Option<usize>) -> Option<String> {
        let subject = self.subjects.get(subject)?;
        let earlier = subject
            .live()
            .filter(|(number, _)| only.is_none_or(|only| only == *number))
            .filter_map(|(_, version)| self.schema(version.id).ok())
            .map(|parsed| &parsed.schema);
        subject.level.unwrap_or(self.level).incompatibility(new, earlier)
    }

    fn live_subject(&self, name: &str) -> Result<&Subject, ApiError> {
        let found = self.subjects.get(name);
        found
            .filter(|subject| subject.live().next().is_some())
            .ok_or_else(|| ApiError::subject_not_found(name))
    }

    fn found(&self, version: usize, id: u32) -> Result<Found<'_>, ApiError> {
        let text = self.text(id)?;
        Ok(Found { version, id, text })
    }

    fn schema(&self, id: u32) -> Result<&Parsed, ApiError> {
        usize::try_from(id)
            .ok()
            .and_then(|id| self.schemas.get(id.checked_sub(1)?))
            .ok_or_else(|| ApiError::id_not_found(id))
    }
}

fn check_name(subject: &str) -> Result<(), ApiError> {
    if subject.is_empty() || subject.len() > SUBJECT_LIMIT {
        return Err(ApiError::invalid_subject());
    }
    Ok(())
}
