//! The options of `queries`, `expect` and `check`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use fleetstorm_answers::answer::Format;
use fleetstorm_answers::compare::Changelog;
use fleetstorm_answers::engine::Engine;
use fleetstorm_answers::semantics::{Options, zone_offset};
use fleetstorm_answers::suite::Language;
use fleetstorm_model::config::units::{Span, UnitError};

use super::{BrokerArgs, RegistryArgs};
use crate::check::CheckOptions;
use crate::exit::ProgramError;
use crate::expect::{Asked, QueryOptions};
use crate::job_output::{Columns, DataFormat, JobOutputOptions, OutputLocation, WindowedKey};

/// What to do with the queries of the suite.
#[derive(Debug, Subcommand)]
pub enum QueriesCommand {
    /// List names and questions.
    List,
    /// Print a query's exact definition, or the text that answers it in an engine.
    Show {
        /// The query.
        name: String,
        /// Print its text in flink-sql, kafka-streams, ksqldb or model [default: its definition and
        /// the schema of its output].
        #[arg(long, value_name = "ENGINE")]
        engine: Option<Language>,
    },
}

/// Options on what is asked about which run.
#[derive(Debug, Clone, Args)]
pub struct QueryArgs {
    /// A query of the suite: see `fleetstorm queries list`.
    #[arg(value_name = "QUERY", required_unless_present = "from",
        conflicts_with_all = ["from", "by", "select", "conditions"])]
    pub query: Option<String>,
    /// What `run --report` has written; of several shards, all their files.
    #[arg(long, value_name = "FILE", required = true, num_args = 1, help_heading = "What")]
    pub manifest: Vec<PathBuf>,
    /// Ask about this topic rather than by a query of the suite.
    #[arg(long, value_name = "TOPIC", requires = "select", help_heading = "What")]
    pub from: Option<String>,
    /// Windows: tumble:10s, hop:60s/10s, session:30s, cumulate:1h/10m or none [default: the
    /// query's; with --from none].
    #[arg(long, value_name = "WINDOW", help_heading = "What")]
    pub window: Option<String>,
    /// Columns that make a group.
    #[arg(
        long,
        value_name = "COLUMN,...",
        default_value = "",
        hide_default_value = true,
        help_heading = "What"
    )]
    pub by: String,
    /// What is computed: count, count(COLUMN), sum(COLUMN), avg(COLUMN), min(COLUMN), max(COLUMN),
    /// count_distinct(COLUMN); each may be named, as in `max(cpu_percent) as hottest`.
    #[arg(
        long,
        value_name = "AGGREGATE,...",
        default_value = "",
        hide_default_value = true,
        help_heading = "What"
    )]
    pub select: String,
    /// Which records count, as is_anomaly=true or cpu_percent>=80; repeatable, all must hold.
    #[arg(long = "where", id = "conditions", value_name = "CONDITION", help_heading = "What")]
    pub conditions: Vec<String>,
    /// Engine that fixes what the query means: flink-sql, flink-datastream, kafka-streams, ksqldb.
    #[arg(long, value_name = "ENGINE", default_value = "flink-sql", help_heading = "Meaning")]
    pub semantics: Engine,
    /// Flink: how far the watermark stays behind the highest timestamp [default: 1s].
    #[arg(long, value_name = "TIME", help_heading = "Meaning")]
    pub watermark: Option<Wait>,
    /// Kafka Streams and ksqlDB: how long a window takes records after its end [default: 24h, in
    /// ksqlDB less the window's size]; Flink DataStream: the allowed lateness [default: 0s].
    #[arg(long, value_name = "TIME", help_heading = "Meaning")]
    pub grace: Option<Wait>,
    /// Flink: the session's time zone, which moves windows of hours and days, as +02:00.
    #[arg(long, value_name = "OFFSET", help_heading = "Meaning")]
    pub zone_offset: Option<String>,
    /// The job ends with its input, as with scan.bounded.mode, so that all windows close.
    #[arg(long, help_heading = "Meaning")]
    pub bounded: bool,
    /// How far a record may lie behind an earlier one of its partition in event time, and of what a
    /// repartition brings together [default: what the reports say].
    #[arg(long, value_name = "TIME", help_heading = "Meaning")]
    pub skew: Option<Wait>,
}

/// The options of `fleetstorm expect`.
#[derive(Debug, Clone, Args)]
pub struct ExpectArgs {
    /// What is asked.
    #[command(flatten)]
    pub query: QueryArgs,
    /// Format of the answer: table, csv or json.
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "How")]
    pub format: Format,
    /// Write the answer to this topic rather than to stdout, as Avro by the query's schema. A topic
    /// that isn't there is created.
    #[arg(long, value_name = "TOPIC", conflicts_with = "format", help_heading = "How")]
    pub to_topic: Option<String>,
    /// The brokers.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The schema registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// The options of `fleetstorm check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// What is asked.
    #[command(flatten)]
    pub query: QueryArgs,
    /// The job's output.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What the job's output is [default: as the query's job does in the engine].
    #[arg(long, value_enum, help_heading = "Output")]
    pub mode: Option<ChangelogArg>,
    /// Repeated rows are no fault: the job delivers at least once.
    #[arg(long, help_heading = "Output")]
    pub at_least_once: bool,
    /// The job still runs: read on until every answer is right and nothing more has come for 3 s, at
    /// most as long as --within.
    #[arg(long, requires = "output_topic", help_heading = "Output")]
    pub follow: bool,
    /// How long --follow goes on.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "60s",
        requires = "follow",
        help_heading = "Output"
    )]
    pub within: Span,
    /// The brokers.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The schema registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// Write the verdict as JSON to a file, or to stdout with `-`.
    #[arg(long, value_name = "FILE", help_heading = "What to keep")]
    pub report: Option<PathBuf>,
}

/// Options on a job's output.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// The topic that the job writes to, read from its beginning.
    #[arg(long, value_name = "TOPIC", required_unless_present = "output_file")]
    pub output_topic: Option<String>,
    /// A file instead: CSV whose first line names the columns, or a JSON object a line.
    #[arg(long, value_name = "FILE", conflicts_with = "output_topic")]
    pub output_file: Option<PathBuf>,
    /// How values are written: avro, json or csv [default: a topic's avro, a file's by its name].
    #[arg(long, value_name = "FORMAT")]
    pub value_format: Option<DataFormat>,
    /// How keys are written: text, avro or json. Columns that a value lacks are taken from its key.
    #[arg(long, value_name = "FORMAT", default_value = "text",
        value_parser = DataFormat::of_key)]
    pub key_format: DataFormat,
    /// Kafka Streams and ksqlDB: keys have the bounds of a window behind them, of a time window or of
    /// a session.
    #[arg(long, value_name = "time|session")]
    pub windowed_key: Option<WindowedKey>,
    /// Names of the job's columns that are others, as in zone=Z,readings=CNT.
    #[arg(long, value_name = "NAME=JOBS_NAME,...")]
    pub columns: Option<Columns>,
}

/// How a job's records become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ChangelogArg {
    /// Each record is a row.
    Append,
    /// The last of each key is a row, unless its value is null.
    Upsert,
}

/// A length of time that may be nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(
    /// In milliseconds.
    pub i64,
);

impl FromStr for Wait {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Wait, UnitError> {
        if ["0", "0s", "0ms"].contains(&text.trim()) {
            return Ok(Wait(0));
        }
        let span: Span = text.parse()?;
        Ok(Wait(i64::try_from(span.duration().as_millis()).unwrap_or(i64::MAX)))
    }
}

impl OutputArgs {
    /// Where the output is, and how it is written.
    pub fn options(&self) -> JobOutputOptions {
        let from = match (&self.output_file, &self.output_topic) {
            (Some(file), _) => OutputLocation::File(file.clone()),
            (None, topic) => OutputLocation::Topic(topic.clone().unwrap_or_default()),
        };
        JobOutputOptions {
            from,
            value_format: self.value_format,
            key_format: self.key_format,
            windowed_key: self.windowed_key,
        }
    }
}

impl CheckArgs {
    /// What is checked, and how.
    ///
    /// # Errors
    /// As [`QueryArgs::options`].
    pub fn options(&self) -> Result<CheckOptions, ProgramError> {
        Ok(CheckOptions {
            query: self.query.options()?,
            output: self.output.options(),
            columns: self.output.columns.clone().unwrap_or_default(),
            changelog: self.mode.map(|mode| match mode {
                ChangelogArg::Append => Changelog::Append,
                ChangelogArg::Upsert => Changelog::Upsert,
            }),
            at_least_once: self.at_least_once,
            follow: self.follow.then(|| self.within.duration()),
            cluster: self.broker.options(),
            registry: self.registry.options(),
            report: self.report.clone(),
        })
    }
}

impl QueryArgs {
    /// What is asked, and what it means.
    ///
    /// # Errors
    /// [`ProgramError::Answer`] where the zone offset can't be read.
    pub fn options(&self) -> Result<QueryOptions, ProgramError> {
        let asked = match &self.query {
            Some(name) => Asked::Query { name: name.clone(), window: self.window.clone() },
            None => Asked::Own {
                from: self.from.clone().unwrap_or_default(),
                window: self.window.clone().unwrap_or_else(|| "none".to_owned()),
                by: self.by.clone(),
                select: self.select.clone(),
                conditions: self.conditions.clone(),
            },
        };
        let ms = |wait: Option<Wait>| wait.map(|Wait(ms)| ms);
        Ok(QueryOptions {
            reports: self.manifest.clone(),
            asked,
            engine: self.semantics,
            meaning: Options {
                watermark_ms: ms(self.watermark),
                grace_ms: ms(self.grace),
                zone_offset_ms: self.zone_offset.as_deref().map(zone_offset).transpose()?,
                bounded: self.bounded,
            },
            skew_ms: ms(self.skew),
        })
    }
}
