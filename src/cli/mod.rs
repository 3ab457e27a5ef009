//! The command line: names, defaults and help; and from arguments to the plain values that the rooms
//! take.

pub mod answers;
mod conversion;
pub mod count;
mod negative_values;
mod run;
pub mod score;
pub mod secrets;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use fleetstorm_model::config::units::{
    ByteRate, Percent, Rate, RateLimit, ShardChoice, Span, Speed, StartTime,
};
use fleetstorm_model::encoding::Format;
use fleetstorm_model::manifest::JobKey;
use fleetstorm_model::record::Topic;
use fleetstorm_model::schedule::Time;
use fleetstorm_model::schedule::trace;
use secrecy::SecretString;

use answers::{CheckArgs, ExpectArgs, QueriesCommand};
use count::{whole, whole_of};
use score::ScoreArgs;

use crate::registry::SubjectStrategy;
use crate::sink::kafka::topics::TopicConfig;
use crate::sink::property::Property;

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

/// Options on the brokers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where to")]
pub struct BrokerArgs {
    /// Brokers to connect to.
    #[arg(short, long, value_name = "HOST:PORT[,...]", help = BOOTSTRAP_HELP)]
    pub bootstrap_server: Option<String>,
    /// Properties of a Java client, of its registry too: options and -X win over them.
    #[arg(long, value_name = "FILE")]
    pub command_config: Option<PathBuf>,
    /// Set a librdkafka property; repeatable.
    #[arg(short = 'X', value_name = "KEY=VALUE", value_parser = secrets::PropertyParser)]
    pub properties: Vec<Property>,
    /// How long brokers and topics may take to answer.
    #[arg(long, value_name = "TIME", default_value = "15s")]
    pub connect_timeout: Span,
}

/// Where records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SinkKind {
    /// Kafka or Redpanda.
    Kafka,
    /// A JSON line a record on standard output.
    Stdout,
    /// Nowhere: simulate, encode and drop.
    Null,
}

/// Whose producer is to talk to the brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TransportArg {
    /// direct if it supports all that is asked for, else librdkafka.
    Auto,
    /// fleetstorm's own: cheaper, and strict when leaders move; no SASL, no transactions.
    Direct,
    /// librdkafka's: all of Kafka's security, and transactions.
    Librdkafka,
}

/// Options on where records go.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where to")]
pub struct DestinationArgs {
    /// The brokers; without any, an embedded broker and registry start on loopback.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// Kind of sink.
    #[arg(long, value_enum, default_value = "kafka")]
    pub sink: SinkKind,
    /// Hold the embedded broker and registry open after the run, until interrupted.
    #[arg(long)]
    pub keep: bool,
    /// Address of the embedded registry; port 0 takes any free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub embedded_registry: SocketAddr,
    /// Acknowledgements: `all` is idempotent; 1 and 0 give that up [default: all].
    #[arg(long, value_enum)]
    pub acks: Option<AcksArg>,
    /// Producer.
    #[arg(long, value_enum, default_value = "auto")]
    pub transport: TransportArg,
    /// Send records in transactions. Each producer's transactional id is this one with the shard's and
    /// the thread's number after it; a resumed run fences the one before.
    #[arg(long, value_name = "ID")]
    pub transactional_id: Option<String>,
    /// The most records of a transaction.
    #[arg(long, value_name = "N", default_value_t = 10_000, requires = "transactional_id",
        value_parser = whole::<u64>(1, u64::MAX))]
    pub transaction_records: u64,
    /// The longest time that a transaction stays open.
    #[arg(long, value_name = "TIME", default_value = "1s", requires = "transactional_id")]
    pub transaction_time: Span,
    /// How long a run that has sent everything waits without any acknowledgement before the remaining
    /// records fail. While records are being sent, none fails for its age, unless -X delivery.timeout.ms
    /// says so.
    #[arg(long, value_name = "TIME", default_value = "2m")]
    pub give_up_after: Span,
    /// How long an interrupted run may take to deliver what it has sent.
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub shutdown_timeout: Span,
}

const BOOTSTRAP_HELP: &str = "Brokers to connect to [env: FLEETSTORM_BOOTSTRAP_SERVER, \
    KAFKA_BOOTSTRAP_SERVERS]; a run without any starts an embedded broker and registry on loopback";
const REGISTRY_HELP: &str =
    "Schema registry, Confluent API [env: FLEETSTORM_SCHEMA_REGISTRY, SCHEMA_REGISTRY_URL]";

/// Options on the registry.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Schema registry")]
pub struct RegistryArgs {
    /// The registry's URL.
    #[arg(short = 'r', long, value_name = "URL", help = REGISTRY_HELP)]
    pub schema_registry: Option<String>,
    /// User and password for the registry [env: FLEETSTORM_REGISTRY_BASIC_AUTH].
    #[arg(long, value_name = "USER:PASSWORD")]
    pub registry_basic_auth: Option<SecretString>,
    /// Bearer token for the registry [env: FLEETSTORM_REGISTRY_TOKEN].
    #[arg(long, value_name = "TOKEN", conflicts_with = "registry_basic_auth")]
    pub registry_token: Option<SecretString>,
    /// Certificate authority of the registry, as a PEM file.
    #[arg(long, value_name = "FILE")]
    pub registry_ca: Option<PathBuf>,
    /// Client certificate for the registry, as a PEM file.
    #[arg(long, value_name = "FILE")]
    pub registry_cert: Option<PathBuf>,
    /// Key of that certificate, as a PEM file, not encrypted [default: it is in the same file].
    #[arg(long, value_name = "FILE", requires = "registry_cert")]
    pub registry_key: Option<PathBuf>,
    /// How long the registry may take to come up.
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub registry_timeout: Span,
    /// Name of subjects: topic, record or topic-record.
    #[arg(long, value_name = "STRATEGY", default_value = "topic")]
    pub subject_strategy: SubjectStrategy,
}

/// Options on what is simulated.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What")]
pub struct FleetArgs {
    /// Configuration file, YAML or JSON.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Preset to start from: see `fleetstorm scenarios list`.
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,
    /// Machines in the fleet (n_machines; 100).
    #[arg(long, value_name = "N", value_parser = whole_of("n_machines"))]
    pub machines: Option<u64>,
    /// Readings of each machine after which the run ends (n_readings; no end).
    #[arg(long, value_name = "N", value_parser = whole_of("n_readings"))]
    pub readings: Option<u64>,
    /// Expected number of jobs over the run (n_jobs).
    #[arg(long, value_name = "N", value_parser = whole_of("n_jobs"))]
    pub jobs: Option<u64>,
    /// Seed of all random streams; drawn and printed if not given.
    #[arg(long, value_name = "N", value_parser = whole_of("seed"))]
    pub seed: Option<u64>,
    /// Set any configuration key, as in `anomalies.enable=true`; repeatable.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Options on topics and records.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Topics")]
pub struct TopicArgs {
    /// Topics to write; `incidents` is the ground truth, written only if named.
    #[arg(
        long,
        value_name = "TOPIC,...",
        value_delimiter = ',',
        default_value = "telemetry,usage,status,jobs,machines"
    )]
    pub topics: Vec<Topic>,
    /// Put before every topic's name.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub topic_prefix: String,
    /// Partitions of topics that are created.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = whole::<u32>(1, 100_000))]
    pub partitions: u32,
    /// Replicas of topics that are created [default: the broker's].
    #[arg(long, value_name = "N", value_parser = whole::<u16>(1, 1000))]
    pub replication_factor: Option<u16>,
    /// Configuration of topics that are created, for all or for one; repeatable.
    #[arg(long, value_name = "[TOPIC:]KEY=VALUE")]
    pub topic_config: Vec<TopicConfig>,
    /// Fail if a topic is missing, rather than create it.
    #[arg(long)]
    pub no_create_topics: bool,
    /// Encoding of values; `stdout` is always JSON.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Key of the jobs topic.
    #[arg(long, value_enum, default_value = "machine_id")]
    pub job_key: JobKey,
}

/// Options on pace, time and length.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How fast, which time, how long")]
pub struct PaceArgs {
    /// Records a second over all topics (fractions allowed), or `max`.
    #[arg(long, value_name = "N|max")]
    pub rate: Option<RateLimit>,
    /// Bytes a second of keys and values, as 10MB: made a rate of records by their mean size.
    #[arg(long, value_name = "BYTES", conflicts_with = "rate")]
    pub byte_rate: Option<ByteRate>,
    /// Course of the rate: ramp:FROM..TO/TIME, steps:RATE@TIME,..., sine:MIN..MAX/PERIOD,
    /// burst:BASE+PEAK/EVERY/LENGTH (bursts end the periods), or csv:FILE with lines of time,rate.
    /// A ramp goes on at its last rate; steps and traces end the run.
    #[arg(long, value_name = "PROFILE", conflicts_with_all = ["rate", "byte_rate"])]
    pub rate_profile: Option<trace::Source>,
    /// Begin the profile again where it ends.
    #[arg(long, requires = "rate_profile")]
    pub repeat: bool,
    /// Records a second at the peak of the fleet's temporal curve (temporal_patterns), which the
    /// rate follows.
    #[arg(long, value_name = "N", conflicts_with_all = ["rate", "byte_rate", "rate_profile"])]
    pub peak_rate: Option<Rate>,
    /// Where the producer's queue is full: `wait` and catch up, or `drop` slots until it is half
    /// empty, counted and listed in the report; state changes wait for a later slot.
    #[arg(long, value_enum, default_value = "wait")]
    pub on_backlog: BacklogArg,
    /// End with code 40 where the records handed over are off by more, as 1%, from those that were
    /// due; slots with nothing to say are left out.
    #[arg(long, value_name = "PERCENT")]
    pub max_rate_error: Option<Percent>,
    /// Fleet time between two readings of a machine.
    #[arg(
        long,
        value_name = "TIME",
        help = "Fleet time between two readings of a machine [default: 1s]"
    )]
    pub interval: Option<Span>,
    /// Run the fleet's clock faster (60x) or slower (0.5x).
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<Speed>,
    /// Time of the records: `live` is when they are due, `simulated` advances by the interval.
    #[arg(long, value_enum)]
    pub time: Option<Time>,
    /// When the run starts: now, -7d, +10s, 2026-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub start: Option<StartTime>,
    /// End after this many slots of the schedule.
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0, u64::MAX))]
    pub records: Option<u64>,
    /// End this long after the start.
    #[arg(long, value_name = "TIME")]
    pub duration: Option<Span>,
    /// Close all windows: after the end of the run send one more record to every partition, its event
    /// time this long after the run's last. Needs a run that ends, and no --shard. A partition that
    /// no machine's name goes to gets none: there a job needs an idle timeout.
    #[arg(long, value_name = "TIME", conflicts_with = "shard")]
    pub close_windows: Option<Span>,
    /// Announce all machines again this often.
    #[arg(long, value_name = "TIME")]
    pub machines_refresh: Option<Span>,
    /// Threads that simulate [default: 1; for --sink null one a core].
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, 1024))]
    pub threads: Option<u32>,
    /// How far threads may be apart in event time where nothing paces them: within a partition no
    /// timestamp lies further than this behind an earlier record's. The shorter, the smaller the
    /// batches [default: 10 intervals, or as many as 30,000 records take, up to 60].
    #[arg(long, value_name = "SPAN")]
    pub max_skew: Option<Span>,
    /// Producers that the threads share [default: 1].
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, 64))]
    pub producers: Option<u32>,
    /// Simulate part I of N of the fleet, I from 0, or `job` for JOB_COMPLETION_INDEX, as a
    /// Kubernetes Indexed Job sets it; needs --seed and an absolute --start.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<ShardChoice>,
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

/// What happens to slots that are due while the producer's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BacklogArg {
    /// They wait, and are sent late.
    Wait,
    /// They are dropped; state changes wait for a later slot.
    Drop,
}

/// Which acknowledgement a record is delivered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AcksArg {
    /// By all in-sync replicas; the producer is idempotent.
    #[value(name = "all", alias = "-1")]
    All,
    /// By the leader alone.
    #[value(name = "1")]
    Leader,
    /// By none.
    #[value(name = "0")]
    None,
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
