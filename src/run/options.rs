//! The options of a run, apart from what decides its records.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fleetstorm_model::config::units::Percent;
use fleetstorm_model::run::RunBuilder;

use crate::cluster::ClusterOptions;
use crate::registry::RegistryOptions;
use crate::sink::kafka::topics::TopicConfig;
use crate::sink::options::Acks;

/// Which run to make.
#[derive(Debug, Clone)]
pub enum Source {
    /// A new one.
    New(Box<RunBuilder>),
    /// The run of this report, which was interrupted: what arrived is read, and the rest is sent.
    Resumed(PathBuf),
}

/// How to make a run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Where its records go.
    pub sink: SinkOptions,
    /// Its threads. Default: one, or one per core for the null sink.
    pub threads: Option<u32>,
    /// What to do with slots that fall due while the producer's queue is full.
    pub on_backlog: OnBacklog,
    /// How far apart threads may be in event time. Default: a few readings.
    pub max_skew: Option<Duration>,
    /// How far off the rate may be before that is an error.
    pub max_rate_error: Option<Percent>,
    /// How long a run that has sent everything waits without an acknowledgement.
    pub give_up_after: Duration,
    /// How long an interrupted run may take to deliver what it has sent.
    pub shutdown_timeout: Duration,
    /// Where manifest and results are written; `-` is standard output.
    pub report: Option<PathBuf>,
    /// Where latencies are logged second by second.
    pub hdr_log: Option<PathBuf>,
}

/// Where records go.
#[derive(Debug, Clone)]
pub enum SinkOptions {
    /// To Kafka or Redpanda.
    Kafka(Box<KafkaOptions>),
    /// To standard output, as JSON lines whose topics have this prefix.
    Stdout {
        /// The prefix of topic names.
        topic_prefix: String,
    },
    /// Nowhere.
    Null,
}

/// How records are written to a cluster.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// The brokers. Without any, an embedded broker and registry start.
    pub cluster: ClusterOptions,
    /// The registry.
    pub registry: RegistryOptions,
    /// Whether schemas that are missing are registered.
    pub register_schemas: bool,
    /// Whether the embedded broker and registry stay open after the run, until interrupted.
    pub keep: bool,
    /// The address of the embedded registry.
    pub embedded_registry: SocketAddr,
    /// Which acknowledgements a record needs. Default: all in-sync replicas.
    pub acks: Option<Acks>,
    /// The producer to use.
    pub transport: TransportChoice,
    /// How many producers the threads share. Default: one.
    pub producers: Option<u32>,
    /// The topics that are created.
    pub topics: TopicCreation,
}

/// How topics are created.
#[derive(Debug, Clone)]
pub struct TopicCreation {
    /// Whether those that are missing are created.
    pub create: bool,
    /// Their partitions.
    pub partitions: u32,
    /// Their replicas; the broker's default unless given.
    pub replication_factor: Option<u16>,
    /// Their configuration.
    pub configs: Vec<TopicConfig>,
}

/// What to do with slots that fall due while the producer's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnBacklog {
    /// They wait, and are sent late.
    #[default]
    Wait,
    /// They are dropped; state changes wait for a later slot.
    Drop,
}

/// Which producer to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportChoice {
    /// The direct one if it supports all that is asked for, else librdkafka's.
    Auto,
    /// fleetstorm's own.
    Direct,
    /// librdkafka's.
    Librdkafka,
}
