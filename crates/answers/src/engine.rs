//! The engines whose meaning of a query is known.

use std::fmt;
use std::str::FromStr;

/// An engine whose semantics fix what a query means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Apache Flink, SQL with window table-valued functions.
    FlinkSql,
    /// Apache Flink, DataStream API.
    FlinkDataStream,
    /// Kafka Streams.
    KafkaStreams,
    /// ksqlDB.
    KsqlDb,
}

/// A name of an engine that there isn't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("choose from flink-sql, flink-datastream, kafka-streams and ksqldb")]
pub struct UnknownEngine;

impl Engine {
    /// All engines.
    pub const ALL: [Engine; 4] =
        [Engine::FlinkSql, Engine::FlinkDataStream, Engine::KafkaStreams, Engine::KsqlDb];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Engine::FlinkSql => "flink-sql",
            Engine::FlinkDataStream => "flink-datastream",
            Engine::KafkaStreams => "kafka-streams",
            Engine::KsqlDb => "ksqldb",
        }
    }

    /// Whether it has watermarks, and emits a window once it closes.
    pub fn is_flink(self) -> bool {
        matches!(self, Engine::FlinkSql | Engine::FlinkDataStream)
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Engine, UnknownEngine> {
        Engine::ALL.into_iter().find(|engine| engine.name() == name).ok_or(UnknownEngine)
    }
}
