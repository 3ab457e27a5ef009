//! Inlines the references of schemas.
//!
//! Apicurio's serializers register each named type of a record by itself, and then a schema that refers
//! to them. The registry stores the inlined schema, printed as Avro's Java library prints it, so that any
//! client can read it.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

/// A schema's text with the definition of each referenced type at its first mention. The definitions have
/// no references of their own. `None` if the text is not JSON.
pub(super) fn inline(text: &str, referred: &HashMap<String, Value>) -> Option<String> {
    let schema = serde_json::from_str(text).ok()?;
    let mut writer = Writer { referred, defined: HashSet::new() };
    Some(writer.schema(schema, "", true).to_string())
}

struct Writer<'a> {
    /// Definitions, by full name.
    referred: &'a HashMap<String, Value>,
    /// The full names that were written: to define one again would be an error.
    defined: HashSet<String>,
}

impl Writer<'_> {
    /// A schema within a namespace. An inlined definition has no references, so nothing is filled in
    /// there, which bounds the depth.
    fn schema(&mut self, schema: Value, namespace: &str, fill: bool) -> Value {
        match schema {
            Value::String(name) => self.mention(name, namespace, fill),
            Value::Array(union) => {
                let union = union.into_iter();
                union.map(|branch| self.schema(branch, namespace, fill)).collect()
            }
            Value::Object(schema) => self.object(schema, namespace, fill),
            other => other,
        }
    }

    fn mention(&mut self, name: String, namespace: &str, fill: bool) -> Value {
        let full = full_name(&name, namespace);
        if is_builtin(&full) {
            return name.into();
        }
        if self.defined.contains(&full) || !fill {
            return shortest(&full, namespace).into();
        }
        match self.referred.get(&full) {
            // It was a schema of its own, so its namespace is its own.
            Some(definition) => self.definition(definition.clone(), namespace),
            None => name.into(),
        }
    }

    /// A definition that was a schema of its own, now within a namespace.
    fn definition(&mut self, mut definition: Value, namespace: &str) -> Value {
        if let Value::Object(schema) = &mut definition
            && let Some(Value::String(name)) = schema.get("name")
            && !name.contains('.')
        {
            schema.entry("namespace").or_insert_with(|| "".into());
        }
        self.schema(definition, namespace, false)
    }

    fn object(&mut self, mut schema: Map<String, Value>, namespace: &str, fill: bool) -> Value {
        let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "record" | "error" | "enum" | "fixed" => return self.named(schema, namespace, fill),
            _ => {}
        }
        for part in ["type", "items", "values"] {
            if let Some(part) = schema.get_mut(part) {
                *part = self.schema(part.take(), namespace, fill);
            }
        }
        Value::Object(schema)
    }

    fn named(&mut self, mut schema: Map<String, Value>, namespace: &str, fill: bool) -> Value {
        let name = schema.get("name").and_then(Value::as_str).unwrap_or_default();
        let own = schema.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
        let full = full_name(name, own);
        if !self.defined.insert(full.clone()) {
            return shortest(&full, namespace).into();
        }
        let within = full.rsplit_once('.').map_or("", |(within, _)| within);
        if within == namespace {
            schema.remove("namespace");
        }
        if let Some(Value::Array(fields)) = schema.get_mut("fields") {
            for field in fields {
                if let Some(kind) = field.get_mut("type") {
                    *kind = self.schema(kind.take(), within, fill);
                }
            }
        }
        Value::Object(schema)
    }
}

fn is_builtin(name: &str) -> bool {
    let builtin =
        ["null", "boolean", "int", "long", "float", "double", "bytes", "string", "array", "map"];
    builtin.contains(&name)
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() || is_builtin(name) {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

/// A full name, as it may be written within a namespace.
fn shortest<'a>(full: &'a str, namespace: &str) -> &'a str {
    match full.rsplit_once('.') {
        Some((within, name)) if within == namespace => name,
        _ => full,
    }
}
