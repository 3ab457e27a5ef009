//! Compatibility levels, and what each requires of a new schema.

use std::fmt;
use std::str::FromStr;

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};

use super::answer::ApiError;

/// The longest reason in a message.
const REASON_LIMIT: usize = 300;

/// A subject's compatibility level, under Confluent's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Level {
    None,
    #[default]
    Backward,
    BackwardTransitive,
    Forward,
    ForwardTransitive,
    Full,
    FullTransitive,
}

const NAMES: [(Level, &str); 7] = [
    (Level::None, "NONE"),
    (Level::Backward, "BACKWARD"),
    (Level::BackwardTransitive, "BACKWARD_TRANSITIVE"),
    (Level::Forward, "FORWARD"),
    (Level::ForwardTransitive, "FORWARD_TRANSITIVE"),
    (Level::Full, "FULL"),
    (Level::FullTransitive, "FULL_TRANSITIVE"),
];

impl Level {
    /// Why `new` is incompatible with `earlier`, given oldest first; `None` if it is compatible.
    pub(super) fn incompatibility<'a>(
        self,
        new: &Schema,
        earlier: impl DoubleEndedIterator<Item = &'a Schema>,
    ) -> Option<String> {
        let depth = match self {
            Level::None => 0,
            Level::Backward | Level::Forward | Level::Full => 1,
            Level::BackwardTransitive | Level::ForwardTransitive | Level::FullTransitive => {
                usize::MAX
            }
        };
        let backward = !matches!(self, Level::Forward | Level::ForwardTransitive);
        let forward = !matches!(self, Level::Backward | Level::BackwardTransitive);
        earlier.rev().take(depth).find_map(|old| {
            let new_reads_old = || if backward { unreadable(old, new) } else { None };
            let old_reads_new = || if forward { unreadable(new, old) } else { None };
            new_reads_old().or_else(old_reads_new)
        })
    }
}

/// Why a reader can't read all that a writer may write.
///
/// A named type that one schema defines and the other only refers to counts as a mismatch, which is
/// stricter than Confluent.
fn unreadable(writer: &Schema, reader: &Schema) -> Option<String> {
    match SchemaCompatibility::can_read(writer, reader) {
        Ok(Compatibility::Full) => None,
        Ok(Compatibility::Partial) => {
            Some("the reader can read only some of what the writer may write".to_owned())
        }
        Err(error) => {
            let words: Vec<_> = error.to_string().split_whitespace().map(String::from).collect();
            Some(words.join(" ").chars().take(REASON_LIMIT).collect())
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(level, _)| level == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

impl FromStr for Level {
    type Err = ApiError;

    fn from_str(name: &str) -> Result<Level, ApiError> {
        let found = NAMES.iter().find(|(_, n)| n.eq_ignore_ascii_case(name));
        found.map(|(level, _)| *level).ok_or_else(ApiError::invalid_level)
    }
}
