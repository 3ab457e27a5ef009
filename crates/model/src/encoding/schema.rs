//! The Avro schemas of the records: `schemas/*.avsc`, built into the program.

use crate::record::Topic;

/// The Avro schema of a topic's records.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The topic.
    pub topic: Topic,
    /// Name and namespace of the record, as RecordNameStrategy has it.
    pub full_name: &'static str,
    /// The schema as JSON text, as in the file.
    pub text: &'static str,
}

/// The schemas of all topics, in the order of [`Topic::ALL`].
pub const SCHEMAS: [Schema; Topic::COUNT] = [
    Schema {
        topic: Topic::Telemetry,
        full_name: "fleetstorm.Telemetry",
        text: include_str!("../../schemas/telemetry.avsc"),
    },
    Schema {
        topic: Topic::Usage,
        full_name: "fleetstorm.Usage",
        text: include_str!("../../schemas/usage.avsc"),
    },
    Schema {
        topic: Topic::Status,
        full_name: "fleetstorm.Status",
        text: include_str!("../../schemas/status.avsc"),
    },
    Schema {
        topic: Topic::Jobs,
        full_name: "fleetstorm.Job",
        text: include_str!("../../schemas/jobs.avsc"),
    },
    Schema {
        topic: Topic::Machines,
        full_name: "fleetstorm.Machine",
        text: include_str!("../../schemas/machines.avsc"),
    },
    Schema {
        topic: Topic::Incidents,
        full_name: "fleetstorm.Incident",
        text: include_str!("../../schemas/incidents.avsc"),
    },
];

/// A schema in the form that Avro's libraries print: without whitespace. Clients look a schema up in a
/// registry in this form.
pub fn printed(text: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let stays = |&c: &char| {
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
        quoted || !c.is_ascii_whitespace()
    };
    text.chars().filter(stays).collect()
}

impl Topic {
    /// The Avro schema of the topic's records.
    pub fn schema(self) -> &'static Schema {
        &SCHEMAS[self.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_stays_as_it_is() {
        let text = "{ \"a b\" :\n [ \"c \\\" d\", \"e \\\\\" , 1 ] }";
        assert_eq!(printed(text), "{\"a b\":[\"c \\\" d\",\"e \\\\\",1]}");
    }

    /// `tests/vectors/PrintSchemas.java` made the vectors.
    #[test]
    fn schemas_are_printed_as_avros_java_library_prints_them() {
        let lines = include_str!("../../tests/vectors/schemas.txt").lines();
        let ours: Vec<String> = SCHEMAS.iter().map(|schema| printed(schema.text)).collect();
        assert_eq!(ours, lines.collect::<Vec<_>>());
    }
}
