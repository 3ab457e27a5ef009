//! Avro and JSON, decoded to cells with names.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Cursor;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use serde_json::Value as Json;

use fleetstorm_model::encoding::SchemaId;

use super::key::Key;
use super::{Cell, Cells, DecodeError, JobOutputError};
use crate::registry::{Registry, RegistryError};

/// Bytes before an Avro value: a zero and the schema's id.
const HEADER: usize = 5;

/// The schemas of a topic's records. Each is requested once.
#[derive(Debug, Default)]
pub struct Schemas(HashMap<u32, Result<Schema, DecodeError>>);

impl Schemas {
    /// Decodes Avro in Confluent's wire format.
    ///
    /// # Errors
    /// Inside, why these bytes can't be decoded; outside, that the registry can't be asked.
    pub fn decode(
        &mut self,
        bytes: &[u8],
        registry: Option<&Registry>,
    ) -> Result<Result<Key, DecodeError>, JobOutputError> {
        let (Some(&[0, a, b, c, d]), Some(mut datum)) = (bytes.first_chunk(), bytes.get(HEADER..))
        else {
            return Ok(Err(DecodeError(no_header(bytes))));
        };
        let schema = match self.schema(u32::from_be_bytes([a, b, c, d]), registry)? {
            Ok(schema) => schema,
            Err(why) => return Ok(Err(why.clone())),
        };
        let decoded = GenericDatumReader::builder(schema)
            .build()
            .and_then(|reader| reader.read_value(&mut datum));
        Ok(match decoded {
            Ok(_) if !datum.is_empty() => {
                Err(DecodeError(format!("{} bytes are left behind its Avro value", datum.len())))
            }
            Ok(value) => Ok(named(value)),
            Err(error) => Err(DecodeError(format!("it doesn't fit its schema: {error}"))),
        })
    }

    fn schema(
        &mut self,
        id: u32,
        registry: Option<&Registry>,
    ) -> Result<&Result<Schema, DecodeError>, JobOutputError> {
        let unknown = match self.0.entry(id) {
            Entry::Occupied(known) => return Ok(known.into_mut()),
            Entry::Vacant(unknown) => unknown,
        };
        let registry = registry.ok_or(JobOutputError::NoRegistry)?;
        Ok(unknown.insert(match registry.schema(SchemaId(id)) {
            Ok(stored) => stored
                .parse()
                .map_err(|error| DecodeError(format!("schema {id} is no Avro: {error}"))),
            Err(RegistryError::NotFound { .. }) => {
                Err(DecodeError(format!("the registry has no schema {id}")))
            }
            Err(error) => return Err(error.into()),
        }))
    }
}

/// Decodes JSON.
///
/// # Errors
/// Why it can't be decoded.
pub fn json(bytes: &[u8]) -> Result<Key, DecodeError> {
    let value: Json = serde_json::from_reader(Cursor::new(bytes))
        .map_err(|error| DecodeError(format!("it is no JSON: {error}")))?;
    Ok(match value {
        Json::Object(fields) => {
            Key::Named(fields.into_iter().map(|(name, value)| (name, json_cell(value))).collect())
        }
        other => Key::Plain(json_cell(other)),
    })
}

fn json_cell(value: Json) -> Cell {
    match value {
        Json::Null => Cell::Null,
        Json::Bool(value) => Cell::Bool(value),
        Json::String(text) => Cell::Text(text),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Cell::Long(whole),
            None => number.as_f64().map_or(Cell::Other("a number out of range"), Cell::Double),
        },
        Json::Array(_) => Cell::Other("an array"),
        Json::Object(_) => Cell::Other("an object"),
    }
}

fn named(value: Avro) -> Key {
    match value {
        Avro::Record(fields) => Key::Named(cells(fields)),
        Avro::Union(_, inner) => named(*inner),
        other => Key::Plain(avro_cell(other)),
    }
}

fn cells(fields: Vec<(String, Avro)>) -> Cells {
    fields.into_iter().map(|(name, value)| (name, avro_cell(value))).collect()
}

fn avro_cell(value: Avro) -> Cell {
    match value {
        Avro::Null => Cell::Null,
        Avro::Boolean(value) => Cell::Bool(value),
        Avro::Int(number) => Cell::Long(number.into()),
        Avro::Long(number) => Cell::Long(number),
        // As the decimal digits that it was written with, so that 0.1 is 0.1.
        Avro::Float(number) => number.to_string().parse().map_or(Cell::Null, Cell::Double),
        Avro::Double(number) => Cell::Double(number),
        Avro::String(text) | Avro::Enum(_, text) => Cell::Text(text),
        Avro::Uuid(id) => Cell::Text(id.to_string()),
        Avro::TimestampMillis(ms) | Avro::LocalTimestampMillis(ms) => Cell::TimeMs(ms),
        Avro::TimestampMicros(us) | Avro::LocalTimestampMicros(us) => {
            Cell::TimeMs(us.div_euclid(1000))
        }
        Avro::TimestampNanos(ns) | Avro::LocalTimestampNanos(ns) => {
            Cell::TimeMs(ns.div_euclid(1_000_000))
        }
        Avro::Union(_, inner) => avro_cell(*inner),
        Avro::Decimal(_) | Avro::BigDecimal(_) => Cell::Other("a decimal"),
        Avro::Bytes(_) | Avro::Fixed(..) => Cell::Other("bytes"),
        Avro::Record(_) => Cell::Other("a record"),
        Avro::Array(_) => Cell::Other("an array"),
        Avro::Map(_) => Cell::Other("a map"),
        _ => Cell::Other("another type"),
    }
}

fn no_header(bytes: &[u8]) -> String {
    match bytes.first() {
        Some(b'{') => "it has no schema id before it, and looks like JSON".to_owned(),
        Some(0) | None => format!("{} bytes are too few for Avro", bytes.len()),
        Some(first) => format!("it has no schema id before it: its first byte is {first:#04x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_cells() {
        let Ok(Key::Named(cells)) = json(br#"{"a":1,"b":1.5,"c":"x","d":null,"e":[1]}"#) else {
            panic!("an object")
        };
        let values: Vec<Cell> = cells.into_iter().map(|(_, cell)| cell).collect();
        let text = Cell::Text("x".into());
        let other = Cell::Other("an array");
        assert_eq!(values, [Cell::Long(1), Cell::Double(1.5), text, Cell::Null, other]);
        assert_eq!(json(b"\"zone\""), Ok(Key::Plain(Cell::Text("zone".into()))));
        assert!(json(b"{").is_err());
    }

    #[test]
    fn what_is_no_avro_says_why() {
        let why = |bytes: &[u8]| Schemas::default().decode(bytes, None).unwrap().unwrap_err().0;
        assert!(why(b"{\"a\":1}").contains("looks like JSON"));
        assert!(why(b"\0\0").contains("too few"));
        assert!(why(b"zone-a").contains("0x7a"));
        let asked = Schemas::default().decode(b"\0\0\0\0\x01x", None);
        assert!(matches!(asked, Err(JobOutputError::NoRegistry)));
    }
}
