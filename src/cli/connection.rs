//! Options on how the brokers and the registry are reached.

use std::path::PathBuf;

use clap::Args;
use fleetstorm_model::config::units::Span;
use secrecy::SecretString;

use super::secrets;
use crate::registry::SubjectStrategy;
use crate::sink::property::Property;

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

const BOOTSTRAP_HELP: &str = "Brokers to connect to [env: FLEETSTORM_BOOTSTRAP_SERVER, \
    KAFKA_BOOTSTRAP_SERVERS]; a run without any starts an embedded broker and registry on loopback";
const REGISTRY_HELP: &str =
    "Schema registry, Confluent API [env: FLEETSTORM_SCHEMA_REGISTRY, SCHEMA_REGISTRY_URL]";
