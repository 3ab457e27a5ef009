//! The command line: names, defaults and help; and from arguments to the plain values that the rooms
//! take.

pub mod answers;
pub mod connection;
mod conversion;
pub mod count;
pub mod destination;
pub mod fleet;
mod negative_values;
pub mod pace;
mod run;
pub mod score;
pub mod secrets;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use fleetstorm_model::config::units::{Span, StartTime};
use fleetstorm_model::record::Topic;

use answers::{CheckArgs, ExpectArgs, QueriesCommand};
use connection::{BrokerArgs, RegistryArgs};
use count::whole;
use destination::DestinationArgs;
use fleet::{FleetArgs, TopicArgs};
use pace::PaceArgs;
use score::ScoreArgs;

/// A load producer for Kafka and Redpanda: one simulated fleet of machines, published as Avro
/// records to separate topics.
#[derive(Debug, Parser)]
#[command(name = "fleetstorm", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say more on stderr: -v for debug, -vv for all, librdkafka's own words included [env:
    /// FLEETSTORM_LOG, a filter as fleetstorm=debug].
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Say nothing on stderr but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

impl Cli {
    /// Reads a command line, whose first word is the program's name.
    ///
    /// # Errors
    ///
    /// An error of clap's, or the help or version that the user asked for.
    pub fn read(words: impl IntoIterator<Item = impl Into<OsString>>) -> clap::error::Result<Cli> {
        Cli::from_arg_matches(&matches(words)?)
    }
}

/// A command line as clap reads it, with values that begin with a minus joined to their options.
///
/// # Errors
///
/// As [`Cli::read`].
pub fn matches(
    words: impl IntoIterator<Item = impl Into<OsString>>,
) -> clap::error::Result<ArgMatches> {
    let command = Cli::command();
    let words = negative_values::joined(&command, words);
    command.try_get_matches_from(words)
}

const EXIT_CODES: &str = "\
Exit codes:
    0  done            2  usage or configuration
   10  no broker answers           20  no registry answers
   11  the broker denied access    21  the registry denied access (401, 403)
   12  a topic can't be used       22  a schema is refused or missing
   13  the producer failed         23  the registry answers with errors or isn't one
   30  records were lost           24  an embedded address is taken
   31  records are too large       40  the rate was not held
   32  topics differ from the run  33  a job's answers are wrong
                                   34  a job's answers are missing
   50  output can't be written    130  interrupted";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulate the fleet and publish it.
    Run(Box<RunArgs>),
    /// Show the shape of a run without a broker: in the terminal, as a picture, or as a sample of
    /// its records.
    Preview(Box<PreviewArgs>),
    /// Read a run's topics back and prove that nothing was lost, altered or sent twice.
    Verify(Box<VerifyArgs>),
    /// The right answer of a streaming query over a run, from its report alone.
    Expect(Box<ExpectArgs>),
    /// Hold a streaming job's output against the right answer: a verdict for each window and key.
    Check(Box<CheckArgs>),
    /// Score a detector's alarms against the run's anomalies, each figure beside that of chance.
    Score(Box<ScoreArgs>),
    /// Look at the queries that `expect` knows, and how engines are asked them.
    #[command(subcommand)]
    Queries(QueriesCommand),
    /// Find out why a run would fail: brokers, credentials, topics, registry, clock. Writes nothing.
    Doctor(Box<DoctorArgs>),
    /// Start the embedded broker, and a registry if asked for, alone: for tests and demos, in memory.
    Broker(Box<ServeArgs>),
    /// Work on what `run --report` has written.
    #[command(subcommand)]
    Report(ReportCommand),
    /// Look at the presets that `--scenario` takes.
    #[command(subcommand)]
    Scenarios(ScenariosCommand),
    /// Look at the Avro schemas, or register them.
    #[command(subcommand)]
    Schemas(SchemasCommand),
}

/// Options on the embedded broker and registry alone.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Address of the broker; port 0 takes any free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    pub listen: SocketAddr,
    /// Address of a schema registry beside it, none unless given; port 0 takes any free one.
    #[arg(long, value_name = "HOST:PORT")]
    pub registry: Option<SocketAddr>,
    /// Advertised listener, if it differs from the address that the broker listens on.
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<String>,
    /// The most bytes of records that all partitions keep; the oldest are deleted first.
    #[arg(long, value_name = "BYTES", default_value = "1GiB")]
    pub memory: ByteSize,
    /// The most bytes of records that a partition keeps.
    #[arg(long, value_name = "BYTES", default_value = "256MiB")]
    pub partition_memory: ByteSize,
}

/// What to do with reports.
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Make the reports of the shards of one run one report of the whole.
    Merge {
        /// The reports; one that was merged of some shards counts for all of them.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Write the merged report to FILE rather than to stdout.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// What to do with the scenarios.
#[derive(Debug, Subcommand)]
pub enum ScenariosCommand {
    /// List names and descriptions.
    List,
    /// Print a scenario's settings as YAML, which `--config` takes.
    Show {
        /// The scenario.
        name: String,
    },
}

/// What to do with the schemas.
#[derive(Debug, Subcommand)]
pub enum SchemasCommand {
    /// List topics, record names and files.
    List,
    /// Print the schema of a topic.
    Show {
        /// The topic.
        topic: Topic,
    },
    /// Register the schemas of all topics, and print subjects and ids.
    Register {
        /// Where and how.
        #[command(flatten)]
        registry: RegistryArgs,
        /// Put before every topic's name in subjects.
        #[arg(long, value_name = "PREFIX", default_value = "")]
        topic_prefix: String,
    },
}

/// The options of `fleetstorm run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Where the records go.
    #[command(flatten)]
    pub destination: DestinationArgs,
    /// The schema registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// What is simulated.
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// Which topics, and how they are written.
    #[command(flatten)]
    pub topics: TopicArgs,
    /// How fast, in which time, for how long.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// What is kept of the run.
    #[command(flatten)]
    pub keep: KeepArgs,
    /// Look the schemas up, and fail if one is missing, rather than register it.
    #[arg(long, help_heading = "Schema registry")]
    pub no_register_schemas: bool,
    /// Continue the run of this report, which was interrupted or killed: read what arrived, and send the
    /// rest. The report holds all options but those of the connection.
    #[arg(long, value_name = "FILE", help_heading = "What", conflicts_with_all = RESUMED)]
    pub resume: Option<PathBuf>,
}

/// The options that a resumed run's report decides.
const RESUMED: [&str; 35] = [
    "config",
    "scenario",
    "machines",
    "readings",
    "jobs",
    "seed",
    "set",
    "topics",
    "topic_prefix",
    "partitions",
    "replication_factor",
    "topic_config",
    "no_create_topics",
    "format",
    "job_key",
    "rate",
    "byte_rate",
    "rate_profile",
    "repeat",
    "peak_rate",
    "interval",
    "speed",
    "time",
    "start",
    "records",
    "duration",
    "close_windows",
    "machines_refresh",
    "shard",
    "sink",
    "keep",
    "embedded_registry",
    "transactional_id",
    "transaction_records",
    "transaction_time",
];

/// The options of `fleetstorm verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// What `run --report` has written; of several shards, all their files.
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., help_heading = "What")]
    pub manifest: Vec<PathBuf>,
    /// The brokers.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The schema registry: without one, schemas aren't compared.
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// Threads that make the records again [default: one a core].
    #[arg(long, value_name = "N", help_heading = "How", value_parser = whole::<u32>(1, 1024))]
    pub threads: Option<u32>,
    /// Write the verdict as JSON to a file, or to stdout with `-`.
    #[arg(long, value_name = "FILE", help_heading = "What to keep")]
    pub report: Option<PathBuf>,
}

/// The options of `fleetstorm doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// The brokers.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The schema registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// Put before the name of every topic that a run would write.
    #[arg(long, value_name = "PREFIX", default_value = "", help_heading = "Topics")]
    pub topic_prefix: String,
    /// Write the checks as JSON to a file, or to stdout with `-`.
    #[arg(long, value_name = "FILE", help_heading = "What to keep")]
    pub report: Option<PathBuf>,
}

/// The options of `fleetstorm preview`.
#[derive(Debug, Clone, Default, Args)]
pub struct PreviewArgs {
    /// What is simulated.
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// Which time is shown.
    #[command(flatten)]
    pub span: PreviewSpan,
    /// Write a picture to FILE, named .svg or .html, rather than draw in the terminal.
    #[arg(long, value_name = "FILE", conflicts_with = "sample", help_heading = "What to show")]
    pub out: Option<PathBuf>,
    /// Print N records of all topics as JSON lines instead: as many of each topic as of any other,
    /// where there are, spread evenly over the run.
    #[arg(long, value_name = "N", help_heading = "What to show",
        value_parser = whole::<u64>(1, u64::MAX))]
    pub sample: Option<u64>,
}

/// Options on the time that a preview shows.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which time")]
pub struct PreviewSpan {
    /// How much of the fleet's time is shown.
    #[arg(long = "for", value_name = "TIME")]
    #[arg(help = "How much of the fleet's time is shown [default: 48h]")]
    pub length: Option<Span>,
    /// Fleet time between two readings of a machine [default: gives 2000 to 3000 readings or so,
    /// but no less than 1s].
    #[arg(long, value_name = "TIME")]
    pub interval: Option<Span>,
    /// When it starts: -7d, 2026-01-01T00:00:00Z [default: so that it ends now].
    #[arg(long, value_name = "TIME")]
    pub start: Option<StartTime>,
}

/// Options on what is kept of a run.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What to keep")]
pub struct KeepArgs {
    /// Write manifest and results as JSON to a file, or to stdout with `-`.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write latencies second by second, as an HdrHistogram log with a tag for each topic.
    #[arg(long, value_name = "FILE")]
    pub hdr_log: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_as_documented() {
        let Ok(Cli { command: Command::Run(run), .. }) = Cli::read(["fleetstorm", "run"]) else {
            panic!("`run` needs no options");
        };
        assert_eq!(run.topics.topics, Topic::ALL[..5]);
        assert_eq!(run.topics.partitions, 6);
        assert_eq!(run.destination.acks, None);
        assert!(run.pace.rate.is_none() && run.pace.time.is_none());
    }

    fn error(words: &[&str]) -> Option<String> {
        let words = words.iter().copied();
        Cli::read(["fleetstorm"].into_iter().chain(words)).err().map(|error| error.to_string())
    }

    #[test]
    fn a_relative_start_is_not_taken_for_an_option() {
        assert_eq!(error(&["run", "--start", "-7d"]), None);
        assert_eq!(error(&["preview", "--start", "-7d", "--interval", "15m"]), None);
        assert_eq!(error(&["run", "--topic-prefix", "-x-", "-q"]), None);
    }

    #[test]
    fn what_is_an_option_is_no_value() {
        for words in [&["run", "--start", "-q"][..], &["run", "--rate", "--seed", "5"]] {
            let error = error(words).unwrap_or_default();
            assert!(error.contains("a value is required for"), "{error}");
        }
        assert!(error(&["run", "--", "--rate", "-5"]).unwrap_or_default().contains("'--rate'"));
    }

    /// Every option that takes a value, once, with its command.
    fn options_with_values() -> Vec<(Vec<String>, clap::Arg)> {
        fn below(
            path: &[String],
            command: &clap::Command,
            found: &mut Vec<(Vec<String>, clap::Arg)>,
        ) {
            let options = command.get_opts().filter(|option| option.get_action().takes_values());
            found.extend(options.map(|option| (path.to_vec(), option.clone())));
            for sub in command.get_subcommands() {
                below(&[path, &[sub.get_name().to_owned()]].concat(), sub, found);
            }
        }
        let mut found = Vec::new();
        below(&[], &Cli::command(), &mut found);
        found
    }

    #[test]
    fn every_option_takes_a_value_with_a_minus_and_tells_its_bound() {
        let options = options_with_values();
        assert!(options.len() > 60, "{}", options.len());
        for (path, option) in options {
            let long = option.get_long().map(|name| format!("--{name}"));
            let name = long.or(option.get_short().map(|c| format!("-{c}"))).unwrap_or_default();
            for value in ["-5", "-1s"] {
                let words: Vec<&str> =
                    path.iter().map(String::as_str).chain([name.as_str(), value]).collect();
                let error = error(&words).unwrap_or_default();
                assert!(!error.contains("unexpected argument"), "{words:?}: {error}");
                let bound = ["from", "must be", "write", "possible values", "as in"];
                let numbers = ["N", "N|max", "TIME", "BYTES", "PERCENT", "FACTOR", "I/N"];
                let kinds = option.get_value_names().unwrap_or_default();
                if kinds.iter().any(|kind| numbers.contains(&kind.as_str()))
                    && option.get_id() != "start"
                {
                    assert!(error.contains(&format!("'{value}' for '{name}")), "{error}");
                    assert!(bound.iter().any(|word| error.contains(word)), "{error}");
                }
            }
        }
    }
}
