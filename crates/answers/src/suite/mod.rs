//! Queries with names: questions that people who watch fleets ask, each with an exact definition, the
//! text that answers it in each engine, and the schema of its output.

mod catalog;

use std::fmt;
use std::str::FromStr;

use crate::error::QueryError;
use crate::query::{Aggregation, Having, Key, Op, Question, Top, Window};

/// A query with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Its name.
    pub name: &'static str,
    /// The question in a line.
    pub asks: &'static str,
    /// Exactly what the answer is.
    pub definition: &'static str,
    /// The Avro schema of the output.
    pub schema: &'static str,
    flink: &'static [&'static str],
    streams: &'static str,
    ksqldb: &'static [&'static str],
}

/// In whose language a query is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Flink SQL.
    FlinkSql,
    /// A Java program of Kafka Streams.
    KafkaStreams,
    /// ksqlDB's SQL.
    KsqlDb,
    /// The question as `expect` asks it.
    Model,
}

/// A name of a language that there isn't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("choose from flink-sql, kafka-streams, ksqldb and model")]
pub struct UnknownLanguage;

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Language, UnknownLanguage> {
        match name {
            "flink-sql" => Ok(Language::FlinkSql),
            "kafka-streams" => Ok(Language::KafkaStreams),
            "ksqldb" => Ok(Language::KsqlDb),
            "model" => Ok(Language::Model),
            _ => Err(UnknownLanguage),
        }
    }
}

/// All queries.
pub fn all() -> &'static [Query] {
    catalog::QUERIES
}

/// The query of a name.
///
/// # Errors
/// [`QueryError::Query`], with the names that there are.
pub fn find(name: &str) -> Result<&'static Query, QueryError> {
    all().iter().find(|query| query.name == name).ok_or_else(|| QueryError::Query {
        name: name.to_owned(),
        known: all().iter().map(|query| query.name).collect(),
    })
}

impl Query {
    /// What it asks, as a value.
    ///
    /// # Errors
    /// None: a test reads them all.
    pub fn question(&self) -> Result<Question, QueryError> {
        self.question_by(None)
    }

    /// The same with windows of other lengths.
    ///
    /// # Errors
    /// [`QueryError::WindowKind`] where the query's windows are of another kind.
    pub fn question_by(&self, window: Option<Window>) -> Result<Question, QueryError> {
        let question = self.own_question()?;
        let Some(window) = window else { return Ok(question) };
        match question {
            Question::Aggregate(asked) if asked.window.is_like(&window) => {
                Ok(Question::Aggregate(Aggregation { window, ..asked }))
            }
            other => Err(QueryError::WindowKind {
                name: self.name,
                has: other.window().words(),
                example: other.window().to_string(),
            }),
        }
    }

    /// The text that answers it in a language, or that says why none does.
    pub fn text(&self, language: Language) -> Result<String, QueryError> {
        Ok(match language {
            Language::FlinkSql => self.flink.join("\n"),
            Language::KafkaStreams => self.streams.to_owned(),
            Language::KsqlDb => self.ksqldb.join("\n"),
            Language::Model => format!("{}\n", self.question()?),
        })
    }

    fn own_question(&self) -> Result<Question, QueryError> {
        let telemetry = |window: &str, by: &str, select: &str, conditions: &[&str]| {
            let conditions: Vec<String> = conditions.iter().map(|&c| c.to_owned()).collect();
            Aggregation::parse("telemetry", window, by, select, &conditions)
        };
        let asked = match self.name {
            "zone-load" => telemetry(
                "tumble:10s",
                "zone",
                "count as readings,avg(cpu_percent) as cpu_avg,max(cpu_percent) as cpu_max,max(latency_p99) as p99_max",
                &[],
            )?,
            "hot-machines" => {
                let select = "count as readings,avg(cpu_percent) as cpu_avg";
                Aggregation {
                    having: Some(Having { aggregate: 1, op: Op::Gt, bound: 80.0 }),
                    ..telemetry("hop:60s/10s", "machine_id", select, &[])?
                }
            }
            "anomaly-sessions" => {
                telemetry("session:30s", "machine_id", "count as readings", &["is_anomaly=true"])?
            }
            "failed-by-outage" => return Ok(Question::Outages { within_ms: 60_000 }),
            "load-by-memory" => Aggregation {
                by: vec![Key::MemoryClass],
                ..telemetry("tumble:10s", "", "count as readings,avg(cpu_percent) as cpu_avg", &[])?
            },
            "fleet-status" => return Ok(Question::FleetStatus),
            "busiest" => Aggregation {
                top: Some(Top { count: 3 }),
                ..telemetry("tumble:10s", "zone,machine_id", "sum(request_count) as requests", &[])?
            },
            "distinct-reporters" => {
                telemetry("cumulate:10m/1m", "zone", "count_distinct(machine_id) as machines", &[])?
            }
            // deduplicated
            _ => Aggregation {
                once: true,
                ..telemetry("tumble:10s", "zone", "count as readings", &[])?
            },
        };
        Ok(Question::Aggregate(asked))
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<19} {}", self.name, self.asks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_can_be_asked_and_shown() {
        assert_eq!(all().len(), 9);
        for query in all() {
            let question = query.question().unwrap();
            assert!(query.definition.starts_with(&format!("# {}\n", query.name)));
            assert!(query.definition.contains(query.asks), "{}", query.name);
            let flink = query.text(Language::FlinkSql).unwrap();
            assert!(flink.contains("INSERT INTO answers"), "{}", query.name);
            for topic in question.topics() {
                assert!(flink.contains(&format!("'topic'='{topic}'")), "{}: {topic}", query.name);
            }
            for language in [Language::KafkaStreams, Language::KsqlDb] {
                let text = query.text(language).unwrap();
                let refuses = text.contains("can't express it");
                assert!(refuses || text.contains(query.name), "{}", query.name);
            }
        }
    }

    #[test]
    fn an_unknown_query_names_the_nearest_and_all() {
        let error = find("zone-loads").unwrap_err().to_string();
        assert!(error.contains("did you mean `zone-load`?") && error.contains("busiest"));
    }

    #[test]
    fn windows_can_be_made_longer_and_not_of_another_kind() {
        let query = find("distinct-reporters").unwrap();
        let longer = query.question_by("cumulate:1h/10m".parse().ok()).unwrap();
        assert_eq!(longer.window().size_ms(), Some(3_600_000));
        let error = query.question_by("tumble:10s".parse().ok()).unwrap_err().to_string();
        assert!(error.contains("as cumulate:10m/1m"), "{error}");
        let status = find("fleet-status").unwrap();
        assert!(status.question_by("tumble:10s".parse().ok()).is_err());
    }
}
