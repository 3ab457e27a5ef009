//! From records to bytes: Avro data behind the registry's framing, or JSON.

pub mod avro;
pub mod framing;
pub mod json;
pub mod schema;

use crate::record::{Record, Topic};

pub use framing::{SchemaId, WireHeader};

/// How record values are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Avro in the Confluent wire format, for consumers with a schema registry.
    Avro,
    /// JSON objects with times as epoch milliseconds, for pipelines without a registry.
    Json,
}

/// Encodes records of every topic of a run.
#[derive(Debug, Clone)]
pub struct Encoder {
    format: Format,
    headers: [WireHeader; Topic::COUNT],
}

impl Encoder {
    /// An Avro encoder with these schema ids, in the order of [`Topic::ALL`].
    pub fn avro(schemas: [SchemaId; Topic::COUNT]) -> Encoder {
        Encoder { format: Format::Avro, headers: schemas.map(WireHeader::new) }
    }

    /// An encoder of JSON.
    pub fn json() -> Encoder {
        Encoder { format: Format::Json, headers: [WireHeader::new(SchemaId(0)); Topic::COUNT] }
    }

    /// Replaces what `buffer` holds by the encoded record, and returns it.
    #[inline(always)]
    pub fn encode<'a>(&self, record: &Record<&str>, buffer: &'a mut Vec<u8>) -> &'a [u8] {
        buffer.clear();
        match self.format {
            Format::Avro => {
                buffer.extend_from_slice(self.headers[record.topic().index()].as_bytes());
                avro::write(record, buffer);
            }
            Format::Json => json::write(record, buffer),
        }
        buffer
    }
}
