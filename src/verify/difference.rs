//! Compares a record that arrived with the one that was sent, field by field.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use fleetstorm_model::encoding::Format;
use fleetstorm_model::encoding::schema::SCHEMAS;
use fleetstorm_model::record::Topic;
use serde_json::{Value, json};

use super::ledger::Content;

/// The longest string or list that a record may claim to hold. Ours are far shorter.
const MOST_BYTES: usize = 1 << 20;
/// A longer value is not a record of ours, and is shown by its length.
const MOST_SHOWN: usize = 64 << 10;

static READERS: LazyLock<[Option<Schema>; Topic::COUNT]> = LazyLock::new(|| {
    apache_avro::util::max_allocation_bytes(MOST_BYTES);
    SCHEMAS.map(|schema| Schema::parse_str(schema.text).ok())
});

/// The fields, and other parts, in which a record of `topic` differs: what was sent, and what arrived. If
/// the record can't be decoded, its `value` differs.
pub fn fields(
    topic: Topic,
    format: Format,
    sent: &Content<'_>,
    found: &Content<'_>,
) -> BTreeMap<String, (Value, Value)> {
    let mut differing = BTreeMap::new();
    let mut note = |name: &str, sent: Value, found: Value| {
        if sent != found {
            differing.insert(name.to_owned(), (sent, found));
        }
    };
    note("partition", json!(sent.partition), json!(found.partition));
    note("timestamp", json!(sent.timestamp_ms), json!(found.timestamp_ms));
    if sent.value == found.value {
        return differing;
    }
    match (decode(topic, format, sent.value), decode(topic, format, found.value)) {
        (Some(Decoded { id: a, fields: sent }), Some(Decoded { id: b, fields: mut found })) => {
            note("schema id", json!(a), json!(b));
            for (name, value) in sent {
                note(&name, value, found.remove(&name).unwrap_or(Value::Null));
            }
            for (name, value) in found {
                note(&name, Value::Null, value);
            }
        }
        _ => note("value", shown(sent.value), shown(found.value)),
    }
    // Other bytes with the same meaning, such as JSON in another order.
    if differing.is_empty() {
        differing.insert("value".to_owned(), (shown(sent.value), shown(found.value)));
    }
    differing
}

/// The fields of a record of `topic`, in either format; `None` if it isn't one.
pub(super) fn value_fields(topic: Topic, bytes: &[u8]) -> Option<serde_json::Map<String, Value>> {
    let decoded = [Format::Avro, Format::Json].into_iter().find_map(|f| decode(topic, f, bytes));
    decoded.map(|decoded| decoded.fields)
}

struct Decoded {
    /// The schema id; `None` for JSON.
    id: Option<u32>,
    fields: serde_json::Map<String, Value>,
}

/// The fields of a record of `topic`; `None` if `bytes` aren't one.
fn decode(topic: Topic, format: Format, bytes: &[u8]) -> Option<Decoded> {
    if bytes.len() > MOST_SHOWN {
        return None;
    }
    match format {
        Format::Json => match serde_json::from_slice(bytes).ok()? {
            Value::Object(fields) => Some(Decoded { id: None, fields }),
            _ => None,
        },
        Format::Avro => {
            let (&[0, a, b, c, d], mut datum) = bytes.split_first_chunk::<5>()? else {
                return None;
            };
            let schema = READERS[topic.index()].as_ref()?;
            let reader = GenericDatumReader::builder(schema).build().ok()?;
            let value = reader.read_value(&mut datum).ok()?;
            match Value::try_from(value).ok()? {
                Value::Object(fields) if datum.is_empty() => {
                    Some(Decoded { id: Some(u32::from_be_bytes([a, b, c, d])), fields })
                }
                _ => None,
            }
        }
    }
}

/// Bytes in a readable form.
fn shown(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        _ if bytes.len() > MOST_SHOWN => json!(format!("{} bytes", bytes.len())),
        Ok(text) if !text.contains(char::is_control) => json!(text),
        _ => json!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use fleetstorm_model::encoding::{Encoder, SchemaId};
    use fleetstorm_model::record::{Record, Usage};

    fn usage(cpu_percent: f64) -> Vec<u8> {
        let record = Record::Usage(Usage {
            timestamp: 17,
            machine_id: "machine-000001",
            cpu_percent,
            memory_percent: 2.0,
            disk_percent: 3.0,
        });
        let mut buffer = Vec::new();
        Encoder::avro([SchemaId(7); Topic::COUNT]).encode(&record, &mut buffer).to_vec()
    }

    fn content(value: &[u8]) -> Content<'_> {
        Content { partition: 1, timestamp_ms: 17, value }
    }

    #[test]
    fn the_fields_that_differ_are_named() {
        let (sent, found) = (usage(1.5), usage(99.0));
        let fields = fields(Topic::Usage, Format::Avro, &content(&sent), &content(&found));
        assert_eq!(fields.len(), 1, "{fields:?}");
        assert_eq!(fields["cpu_percent"], (json!(1.5), json!(99.0)));
        let elsewhere = Content { partition: 2, timestamp_ms: 18, value: &sent };
        let names: Vec<String> =
            super::fields(Topic::Usage, Format::Avro, &content(&sent), &elsewhere)
                .into_keys()
                .collect();
        assert_eq!(names, ["partition", "timestamp"]);
        let cut = super::fields(Topic::Usage, Format::Avro, &content(&sent), &content(&sent[..9]));
        assert_eq!(cut.into_keys().collect::<Vec<_>>(), ["value"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn any_bytes_differ_in_something(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            topic in 0..Topic::COUNT,
            framed in any::<bool>(),
        ) {
            let sent = usage(1.0);
            let mut bytes = bytes;
            if framed {
                bytes.splice(0..0, [0, 0, 0, 0, 7]);
            }
            prop_assume!(bytes != sent);
            for format in [Format::Avro, Format::Json] {
                let fields = fields(Topic::ALL[topic], format, &content(&sent), &content(&bytes));
                prop_assert!(!fields.is_empty());
            }
        }
    }
}
