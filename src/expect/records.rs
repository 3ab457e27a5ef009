//! An answer as Avro records of a topic.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use fleetstorm_answers::answer::{Answer, Row, Value};
use fleetstorm_answers::query::Kind;
use fleetstorm_model::encoding::{SchemaId, WireHeader};
use serde_json::json;

use crate::exit::ProgramError;
use crate::sink::kafka::publish::PublishedRecord;

/// The schema of the answer to a question of one's own: the window's bounds, then the columns, each of
/// which may be null.
pub fn schema(answer: &Answer) -> String {
    let instant = json!({"type": "long", "logicalType": "timestamp-millis"});
    let bounds: &[&str] = if answer.windowed { &["window_start", "window_end"] } else { &[] };
    let bounds = bounds.iter().map(|name| json!({"name": name, "type": instant}));
    let columns = answer.columns.iter().map(|column| {
        let holds = match column.kind {
            Kind::Text => json!("string"),
            Kind::Double => json!("double"),
            Kind::Long => json!("long"),
            Kind::Bool => json!("boolean"),
            Kind::Time => instant.clone(),
        };
        json!({"name": column.name, "type": ["null", holds], "default": null})
    });
    let fields: Vec<_> = bounds.chain(columns).collect();
    json!({
        "type": "record",
        "name": "Answer",
        "namespace": "fleetstorm.answers",
        "fields": fields,
    })
    .to_string()
}

/// The rows as records: Avro of `schema` under `id`, keyed by keys and window, the window's end as
/// timestamp. A header says how sure each is.
///
/// # Errors
/// [`ProgramError`] where a row doesn't fit the schema.
pub fn records(
    answer: &Answer,
    schema: &str,
    id: SchemaId,
) -> Result<Vec<PublishedRecord>, ProgramError> {
    let wrong = |error: apache_avro::Error| ProgramError::Internal(error.to_string());
    let schema = Schema::parse_str(schema).map_err(wrong)?;
    let writer = GenericDatumWriter::builder(&schema).build().map_err(wrong)?;
    let header = WireHeader::new(id);
    let record = |row: &Row| {
        let fields = Avro::Record(fields(answer, row)).resolve(&schema).map_err(wrong)?;
        let mut value = header.as_bytes().to_vec();
        writer.write_value(&mut value, fields).map_err(wrong)?;
        Ok(PublishedRecord {
            key: key(row).into_bytes(),
            value,
            timestamp_ms: row.window.map(|window| window.end_ms),
            header: ("certainty", row.certainty.as_str()),
        })
    };
    answer.rows.iter().map(record).collect()
}

/// The keys' texts and the window's bounds, so that no two rows share a key.
fn key(row: &Row) -> String {
    let keys: Vec<String> = row.keys.iter().map(Value::to_string).collect();
    let window = row.window.map(|window| format!("@{}-{}", window.start_ms, window.end_ms));
    keys.join("|") + &window.unwrap_or_default()
}

fn fields(answer: &Answer, row: &Row) -> Vec<(String, Avro)> {
    let bounds = row.window.iter().flat_map(|window| {
        // As the engine tells them, in its own zone.
        let instant = |ms: i64| Avro::TimestampMillis(ms + answer.zone_offset_ms);
        [("window_start", instant(window.start_ms)), ("window_end", instant(window.end_ms))]
    });
    let bounds = bounds.map(|(name, value)| (name.to_owned(), value));
    let values = row.keys.iter().chain(&row.values).zip(&answer.columns);
    let columns = values.map(|(value, column)| {
        let value = match (value, column.kind) {
            (Value::Null, _) => Avro::Null,
            (Value::Long(ms), Kind::Time) => Avro::TimestampMillis(*ms),
            (Value::Text(text), _) => Avro::String(text.clone()),
            (Value::Double(number), _) => Avro::Double(*number),
            (Value::Long(number), _) => Avro::Long(*number),
            (Value::Bool(value), _) => Avro::Boolean(*value),
        };
        (column.name.clone(), value)
    });
    bounds.chain(columns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleetstorm_answers::engine::Engine;
    use fleetstorm_answers::evaluate::{Input, evaluate};
    use fleetstorm_answers::semantics::{Options, Semantics};
    use fleetstorm_answers::suite;
    use fleetstorm_model::Run;

    #[test]
    fn rows_of_every_query_fit_its_schema_and_the_general_one() {
        let builder = Run::builder().scenario("production").machines(20).readings(700).seed(7);
        let run = builder.build().unwrap();
        for query in suite::all() {
            let question = query.question().unwrap();
            let semantics = Semantics::new(Engine::FlinkSql, &Options::default(), &question);
            let answer =
                evaluate(&Input::of(&run.manifest), &question, &semantics.unwrap()).unwrap();
            for schema in [query.schema.to_owned(), schema(&answer)] {
                let records = records(&answer, &schema, SchemaId(7)).unwrap();
                assert_eq!(records.len(), answer.rows.len(), "{}", query.name);
                assert!(records.iter().all(|record| record.value.starts_with(&[0, 0, 0, 0, 7])));
            }
        }
    }
}
