//! Names of subjects.

use std::fmt;
use std::str::FromStr;

/// A subject name strategy of Confluent's serializers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SubjectStrategy {
    /// `<topic>-value`: one type per topic.
    #[default]
    TopicName,
    /// The record's full name: one type in all topics.
    RecordName,
    /// `<topic>-<record's full name>`: several types per topic.
    TopicRecordName,
}

impl SubjectStrategy {
    /// The subject for a topic's values, whose record has this full name.
    pub fn subject(&self, topic: &str, record_full_name: &str) -> String {
        match self {
            SubjectStrategy::TopicName => format!("{topic}-value"),
            SubjectStrategy::RecordName => record_full_name.to_owned(),
            SubjectStrategy::TopicRecordName => format!("{topic}-{record_full_name}"),
        }
    }
}

impl fmt::Display for SubjectStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SubjectStrategy::TopicName => "topic",
            SubjectStrategy::RecordName => "record",
            SubjectStrategy::TopicRecordName => "topic-record",
        })
    }
}

/// An unknown subject name strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown subject name strategy {0:?}: it is one of topic, record, topic-record")]
pub struct UnknownSubjectStrategy(
    /// The name as it was given.
    pub String,
);

impl FromStr for SubjectStrategy {
    type Err = UnknownSubjectStrategy;

    /// Accepts our names and those of Confluent's Java classes, with or without their package.
    fn from_str(name: &str) -> Result<SubjectStrategy, UnknownSubjectStrategy> {
        match name.rsplit('.').next().unwrap_or(name) {
            "topic" | "TopicNameStrategy" => Ok(SubjectStrategy::TopicName),
            "record" | "RecordNameStrategy" => Ok(SubjectStrategy::RecordName),
            "topic-record" | "TopicRecordNameStrategy" => Ok(SubjectStrategy::TopicRecordName),
            _ => Err(UnknownSubjectStrategy(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_named_as_javas_serializers_name_them() {
        let subject = |strategy: SubjectStrategy| strategy.subject("jobs", "fleet.Job");
        assert_eq!(subject(SubjectStrategy::TopicName), "jobs-value");
        assert_eq!(subject(SubjectStrategy::RecordName), "fleet.Job");
        assert_eq!(subject(SubjectStrategy::TopicRecordName), "jobs-fleet.Job");
    }

    #[test]
    fn names_are_read_and_written() {
        for (strategy, java) in [
            (SubjectStrategy::TopicName, "TopicNameStrategy"),
            (SubjectStrategy::RecordName, "RecordNameStrategy"),
            (SubjectStrategy::TopicRecordName, "TopicRecordNameStrategy"),
        ] {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
            assert_eq!(java.parse(), Ok(strategy));
            let full = format!("io.confluent.kafka.serializers.subject.{java}");
            assert_eq!(full.parse(), Ok(strategy));
        }
        let error = "topics".parse::<SubjectStrategy>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown subject name strategy \"topics\": it is one of topic, record, topic-record"
        );
    }
}
