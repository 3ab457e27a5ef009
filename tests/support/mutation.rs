//! JSON documents changed at random: values deleted, replaced by what readers stumble over, or by
//! another value of the same document.

use proptest::prelude::*;
use serde_json::{Value, json};

/// What happens to a value.
#[derive(Debug, Clone)]
pub enum Change {
    Delete,
    Replace(Value),
    /// By the value at another place.
    Copy(usize),
    /// A list's elements, so many times over.
    Repeat(usize),
    /// A number, times this.
    Scale(f64),
}

/// Changes, each of a place counted in the order of the document.
pub fn changes() -> impl Strategy<Value = Vec<(usize, Change)>> {
    let change = prop_oneof![
        2 => Just(Change::Delete),
        6 => nasty().prop_map(Change::Replace),
        2 => any::<usize>().prop_map(Change::Copy),
        1 => (0usize..4).prop_map(Change::Repeat),
        2 => prop_oneof![Just(0.0), Just(-1.0), Just(0.5), Just(1e3), Just(1e9), Just(1e300)]
            .prop_map(Change::Scale),
    ];
    prop::collection::vec((any::<usize>(), change), 1..4)
}

/// Values of every kind at their edges.
fn nasty() -> impl Strategy<Value = Value> {
    let numbers = [
        json!(0),
        json!(-1),
        json!(1),
        json!(2),
        json!(0.5),
        json!(1e-320),
        json!(-0.0),
        json!(1e308),
        json!(u32::MAX),
        json!(1u64 << 53),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(1_000_001),
        json!(10_000_000),
    ];
    let texts = [
        "",
        "0/0",
        "0/1",
        "3/4",
        "4294967294/4294967295",
        "1/2",
        "36525d",
        "1ns",
        "1s",
        "max",
        "now",
        "9999-12-31T23:59:59Z",
        "-262143-01-01T00:00:00Z",
        "+262142-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "telemetry",
        "jobs",
        "incidents",
        "UTC",
        "Europe/Paris",
        "avro",
        "job_id",
        "\u{0}",
        "\u{202e}",
        "ramp:0..1/1s",
    ];
    let shapes = [
        Value::Null,
        json!(true),
        json!(false),
        json!([]),
        json!({}),
        json!([[]]),
        json!([0]),
        json!([0, 0]),
        json!([24, 0]),
        json!(["", ""]),
        json!({"natural": 0.0}),
        json!({"rate": {"steps": []}}),
        json!({"rate": {"trace": []}}),
        json!({"rate": {"repeat": {"constant": 1}}}),
        json!({"rate": {"repeat": {"repeat": {"steps": [{"rate": 1, "length": "1s"}]}}}}),
        json!({"rate": {"sine": {"min": 9, "max": 1, "period": "1s"}}}),
        json!({"rate": {"burst": {"base": 1, "peak": 1, "every": "1s", "length": "2s"}}}),
        json!({"rate": {"trace": [{"at_s": 0.0, "rate": 1}, {"at_s": 1e300, "rate": 1}]}}),
        json!({"load": 1e9}),
        json!("x".repeat(5000)),
    ];
    let all: Vec<Value> = numbers.into_iter().chain(texts.map(Value::from)).chain(shapes).collect();
    prop::sample::select(all)
}

/// `document` after `changes`.
pub fn changed(document: &Value, changes: &[(usize, Change)]) -> Value {
    let mut document = document.clone();
    for (place, change) in changes {
        let mut pointers = Vec::new();
        collect(&document, String::new(), &mut pointers);
        let pointer = &pointers[place % pointers.len()];
        let copied = match change {
            Change::Copy(other) => {
                document.pointer(&pointers[other % pointers.len()]).cloned().unwrap_or(Value::Null)
            }
            _ => Value::Null,
        };
        if let Change::Delete = change {
            delete(&mut document, pointer);
            continue;
        }
        let Some(value) = document.pointer_mut(pointer) else { continue };
        match (change, &mut *value) {
            (Change::Replace(by), _) => *value = by.clone(),
            (Change::Copy(_), _) => *value = copied,
            (Change::Repeat(times), Value::Array(list)) => {
                *list = std::iter::repeat_n(list.clone(), *times).flatten().collect();
            }
            (Change::Scale(by), Value::Number(number)) => {
                let scaled = number.as_f64().unwrap_or(1.0) * by;
                *value = match number.is_f64() {
                    true => json!(scaled),
                    false => json!(scaled as i64),
                };
            }
            _ => {}
        }
    }
    document
}

/// The pointers of all values in a document but itself.
fn collect(value: &Value, at: String, pointers: &mut Vec<String>) {
    let mut add = |name: String, value: &Value| {
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        pointers.push(pointer.clone());
        collect(value, pointer, pointers);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| add(name.clone(), value)),
        // One of a long list stands for its neighbours.
        Value::Array(list) => {
            list.iter().take(4).enumerate().for_each(|(i, value)| add(i.to_string(), value));
        }
        _ => {}
    }
    if at.is_empty() && pointers.is_empty() {
        pointers.push(String::new());
    }
}

fn delete(document: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    match document.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.remove(&name.replace("~1", "/").replace("~0", "~"));
        }
        Some(Value::Array(list)) => {
            let at = name.parse().unwrap_or(usize::MAX);
            if at < list.len() {
                list.remove(at);
            }
        }
        _ => {}
    }
}
