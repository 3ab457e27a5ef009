//! The units of the command line as types: read from text, written as text that reads back as
//! the same value, and kept in the manifest.

mod percent;
mod rate;
mod shard;
mod span;
mod start;
#[cfg(test)]
mod tests;

pub use percent::Percent;
pub use rate::{ByteRate, Level, Rate, RateLimit, Speed};
pub use shard::{Shard, ShardChoice};
pub use span::Span;
pub use start::StartTime;

/// Why a text is no value of its unit. Its `Display` doesn't repeat the text, which who reads
/// the command line names already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; write {examples}")]
pub struct UnitError {
    /// What is wrong.
    pub reason: String,
    /// Valid values, as examples to choose from.
    pub examples: &'static str,
}

/// Serialises a unit as its text, and reads it back from that.
macro_rules! serde_as_text {
    ($unit:ty) => {
        impl serde::Serialize for $unit {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $unit {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse()
                    .map_err(|error| serde::de::Error::custom(format_args!("`{text}`: {error}")))
            }
        }
    };
}
use serde_as_text;
