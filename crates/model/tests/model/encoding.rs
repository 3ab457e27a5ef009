//! The straight-line encoders against apache-avro, and the record structs against the schemas.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use fleetstorm_model::encoding::schema::SCHEMAS;
use fleetstorm_model::encoding::{Encoder, SchemaId, avro, json};
use fleetstorm_model::record::{
    IncidentRecord, JobRecord, MachineRecord, Record, StatusRecord, Telemetry, Topic, Usage,
};
use proptest::prelude::*;

fn schema(topic: Topic) -> Schema {
    Schema::parse_str(topic.schema().text).expect("the schema is valid")
}

/// The record as apache-avro sees it, through serde and the schema.
fn value(record: &Record<&str>, schema: &Schema) -> Value {
    apache_avro::to_value(record)
        .and_then(|value| value.resolve(schema))
        .expect("the record's fields are those of the schema")
}

fn assert_equal_bytes(record: &Record<&str>) -> Result<(), TestCaseError> {
    let schema = schema(record.topic());
    let value = value(record, &schema);
    let expected = GenericDatumWriter::builder(&schema)
        .build()
        .and_then(|writer| writer.write_value_to_vec(value.clone()))
        .expect("apache-avro encodes it");
    let mut ours = Vec::new();
    avro::write(record, &mut ours);
    prop_assert_eq!(&ours, &expected);
    let mut rest = ours.as_slice();
    let decoded = GenericDatumReader::builder(&schema)
        .build()
        .and_then(|reader| reader.read_value(&mut rest))
        .expect("apache-avro decodes it");
    prop_assert_eq!(decoded, value);
    prop_assert!(rest.is_empty(), "nothing trails behind the datum");
    Ok(())
}

/// Text of every length class: one byte of length, two bytes, and none.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), ".{1,40}", "[a-zé]{100,200}"]
}

/// Numbers that JSON can carry.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        (0u32..10_000).prop_map(|n| f64::from(n) / 100.0),
    ]
}

fn long() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -70i64..70, Just(i64::MIN), Just(i64::MAX), 0i64..2_000_000_000_000]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn telemetry(
        timestamp in long(),
        names in prop::array::uniform4(text()),
        numbers in prop::array::uniform7(number()),
        counts in prop::array::uniform2(long()),
        is_anomaly: bool,
    ) {
        assert_equal_bytes(&Record::Telemetry(Telemetry {
            timestamp,
            machine_id: &names[0],
            machine_type: &names[1],
            zone: &names[2],
            region: &names[3],
            cpu_percent: numbers[0],
            memory_percent: numbers[1],
            disk_percent: numbers[2],
            network_in_mbps: numbers[3],
            network_out_mbps: numbers[4],
            request_count: counts[0],
            error_count: counts[1],
            latency_p50: numbers[5],
            latency_p99: numbers[6],
            is_anomaly,
        }))?;
    }

    #[test]
    fn usage(timestamp in long(), machine_id in text(), numbers in prop::array::uniform3(number())) {
        assert_equal_bytes(&Record::Usage(Usage {
            timestamp,
            machine_id: &machine_id,
            cpu_percent: numbers[0],
            memory_percent: numbers[1],
            disk_percent: numbers[2],
        }))?;
    }

    #[test]
    fn status(machine_id in text(), status in text(), last_heartbeat in long()) {
        assert_equal_bytes(&Record::Status(StatusRecord {
            machine_id: &machine_id,
            status: &status,
            last_heartbeat,
        }))?;
    }

    #[test]
    fn job(
        names in prop::array::uniform4(text()),
        start_time in prop::option::of(long()),
        end_time in prop::option::of(long()),
        duration_seconds in prop::option::of(number()),
    ) {
        assert_equal_bytes(&Record::Job(JobRecord {
            job_id: &names[0],
            machine_id: &names[1],
            job_type: &names[2],
            status: &names[3],
            start_time,
            end_time,
            duration_seconds,
        }))?;
    }

    #[test]
    fn machine(
        names in prop::array::uniform4(text()),
        cores: i32,
        memory_gb: i32,
        created_at in long(),
    ) {
        assert_equal_bytes(&Record::Machine(MachineRecord {
            machine_id: &names[0],
            machine_type: &names[1],
            cores,
            memory_gb,
            zone: &names[2],
            region: &names[3],
            created_at,
        }))?;
    }

    #[test]
    fn incident(
        names in prop::array::uniform3(text()),
        cause in prop::option::of(text()),
        start_time in long(),
        end_time in prop::option::of(long()),
        magnitude in number(),
    ) {
        assert_equal_bytes(&Record::Incident(IncidentRecord {
            incident_id: &names[0],
            machine_id: &names[1],
            kind: &names[2],
            cause: cause.as_deref(),
            start_time,
            end_time,
            magnitude,
        }))?;
    }
}

/// One record of every topic.
fn samples() -> [Record<&'static str>; Topic::COUNT] {
    [
        Record::Telemetry(Telemetry {
            timestamp: 1,
            machine_id: "m",
            machine_type: "core",
            zone: "z",
            region: "r",
            cpu_percent: 1.0,
            memory_percent: 2.0,
            disk_percent: 3.0,
            network_in_mbps: 4.0,
            network_out_mbps: 5.0,
            request_count: 6,
            error_count: 7,
            latency_p50: 8.0,
            latency_p99: 9.0,
            is_anomaly: true,
        }),
        Record::Usage(Usage {
            timestamp: 1,
            machine_id: "m",
            cpu_percent: 1.0,
            memory_percent: 2.0,
            disk_percent: 3.0,
        }),
        Record::Status(StatusRecord { machine_id: "m", status: "healthy", last_heartbeat: 1 }),
        Record::Job(JobRecord {
            job_id: "j",
            machine_id: "m",
            job_type: "batch",
            status: "queued",
            start_time: None,
            end_time: Some(2),
            duration_seconds: None,
        }),
        Record::Machine(MachineRecord {
            machine_id: "m",
            machine_type: "core",
            cores: 1,
            memory_gb: 2,
            zone: "z",
            region: "r",
            created_at: 3,
        }),
        Record::Incident(IncidentRecord {
            incident_id: "i",
            machine_id: "m",
            kind: "cascade",
            cause: Some("c"),
            start_time: 1,
            end_time: None,
            magnitude: 2.0,
        }),
    ]
}

/// A record that lacks a field of its schema, has one more, or names one otherwise, fails here.
#[test]
fn records_have_exactly_the_fields_of_their_schemas_in_order() {
    for (record, entry) in samples().iter().zip(SCHEMAS) {
        assert_eq!(record.topic(), entry.topic);
        let text: serde_json::Value = serde_json::from_str(entry.text).expect("JSON");
        let name =
            format!("{}.{}", text["namespace"].as_str().unwrap(), text["name"].as_str().unwrap());
        assert_eq!(name, entry.full_name);
        let in_schema: Vec<&str> = text["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| field["name"].as_str().unwrap())
            .collect();
        // Fields in the order in which serde writes them.
        let written = serde_json::to_string(record).unwrap();
        let mut at = 0;
        for field in &in_schema {
            let quoted = format!("\"{field}\":");
            let found = written[at..].find(&quoted).unwrap_or_else(|| {
                panic!("{}: field {field} is missing or out of order in {written}", entry.topic)
            });
            at += found + quoted.len();
        }
        let count = serde_json::to_value(record).unwrap().as_object().unwrap().len();
        assert_eq!(count, in_schema.len(), "{}: as many fields as the schema", entry.topic);
    }
}

#[test]
fn avro_values_are_framed_and_json_values_are_objects() {
    let avro_encoder = Encoder::avro([7, 8, 9, 10, 11, 12].map(SchemaId));
    let json_encoder = Encoder::json();
    let mut buffer = vec![1, 2, 3];
    for (i, record) in samples().iter().enumerate() {
        avro_encoder.encode(record, &mut buffer);
        assert_eq!(buffer[..5], [0, 0, 0, 0, 7 + i as u8]);
        let mut bare = Vec::new();
        avro::write(record, &mut bare);
        assert_eq!(buffer[5..], bare);

        json_encoder.encode(record, &mut buffer);
        let mut written = Vec::new();
        json::write(record, &mut written);
        assert_eq!(buffer, written);
        assert!(serde_json::from_slice::<serde_json::Value>(&buffer).unwrap().is_object());
    }
}
