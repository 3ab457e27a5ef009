//! Options on where a run's records go.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use fleetstorm_model::config::units::Span;

use super::connection::BrokerArgs;
use super::count::whole;

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
