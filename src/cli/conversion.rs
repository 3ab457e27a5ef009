//! Turns arguments into plain values. Those of `run`, which depend on each other, are in `run.rs`.

use crate::cluster::ClusterOptions;
use crate::doctor::DoctorOptions;
use crate::preview::PreviewOptions;
use crate::registry::RegistryOptions;
use crate::run::options::{OnBacklog, TransportChoice};
use crate::serve::ServeOptions;
use crate::sink::options::Acks;
use crate::verify::VerifyOptions;

use super::connection::{BrokerArgs, RegistryArgs};
use super::destination::{AcksArg, TransportArg};
use super::pace::BacklogArg;
use super::{DoctorArgs, PreviewArgs, ServeArgs, VerifyArgs};

impl BrokerArgs {
    /// How the brokers are reached.
    pub fn options(&self) -> ClusterOptions {
        ClusterOptions {
            bootstrap_servers: self.bootstrap_server.clone(),
            command_config: self.command_config.clone(),
            properties: self.properties.clone(),
            connect_timeout: self.connect_timeout.duration(),
        }
    }
}

impl RegistryArgs {
    /// How the registry is reached.
    pub fn options(&self) -> RegistryOptions {
        RegistryOptions {
            url: self.schema_registry.clone(),
            basic_auth: self.registry_basic_auth.clone(),
            token: self.registry_token.clone(),
            ca_file: self.registry_ca.clone(),
            certificate: self.registry_cert.clone(),
            key: self.registry_key.clone(),
            timeout: self.registry_timeout.duration(),
            subject_strategy: self.subject_strategy,
        }
    }
}

impl VerifyArgs {
    /// What is verified, and how.
    pub fn options(&self) -> VerifyOptions {
        VerifyOptions { reports: self.manifest.clone(), threads: self.threads }
    }
}

impl DoctorArgs {
    /// What is examined.
    pub fn options(&self) -> DoctorOptions {
        DoctorOptions {
            cluster: self.broker.options(),
            registry: self.registry.options(),
            topic_prefix: self.topic_prefix.clone(),
        }
    }
}

impl PreviewArgs {
    /// What is shown, and where.
    pub fn options(&self) -> PreviewOptions {
        PreviewOptions {
            run: self.fleet.builder(),
            scenario: self.fleet.scenario.clone(),
            readings: self.fleet.readings,
            length: self.span.length,
            interval: self.span.interval,
            start: self.span.start,
            out: self.out.clone(),
            sample: self.sample,
        }
    }
}

impl ServeArgs {
    /// What is started.
    pub fn options(&self) -> ServeOptions {
        ServeOptions {
            listen: self.listen,
            registry: self.registry,
            advertise: self.advertise.clone(),
            memory: self.memory,
            partition_memory: self.partition_memory,
        }
    }
}

impl From<AcksArg> for Acks {
    fn from(acks: AcksArg) -> Acks {
        match acks {
            AcksArg::All => Acks::All,
            AcksArg::Leader => Acks::Leader,
            AcksArg::None => Acks::None,
        }
    }
}

impl From<TransportArg> for TransportChoice {
    fn from(transport: TransportArg) -> TransportChoice {
        match transport {
            TransportArg::Auto => TransportChoice::Auto,
            TransportArg::Direct => TransportChoice::Direct,
            TransportArg::Librdkafka => TransportChoice::Librdkafka,
        }
    }
}

impl From<BacklogArg> for OnBacklog {
    fn from(on_backlog: BacklogArg) -> OnBacklog {
        match on_backlog {
            BacklogArg::Wait => OnBacklog::Wait,
            BacklogArg::Drop => OnBacklog::Drop,
        }
    }
}
