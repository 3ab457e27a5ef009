//! The producers of a run, by either transport.

use std::time::Duration;

use super::error::RunError;
use crate::cli::Transport;
use crate::manifest::Manifest;
use crate::pacing::StopFlag;
use crate::record::Topic;
use crate::sink::direct::{Direct, DirectError, DirectSink};
use crate::sink::kafka::{Cluster, Kafka, KafkaSettings, KafkaSink, Needs, transactional_id};
use crate::sink::tally::Tally;

/// The producers of a run, one at least.
pub enum Producers {
    /// Those of librdkafka.
    Librdkafka(Vec<Kafka>),
    /// Our own.
    Direct(Vec<Direct>),
}

impl Producers {
    /// Whether they can be started with such settings, before anything is asked of a cluster.
    ///
    /// # Errors
    /// [`RunError::Direct`] where the transport can't do what is asked.
    pub fn check(
        transport: Transport,
        settings: &KafkaSettings,
        manifest: &Manifest,
    ) -> Result<(), RunError> {
        match transport {
            Transport::Librdkafka => Ok(()),
            Transport::Direct if manifest.transactions.is_some() => {
                Err(DirectError::Transactions.into())
            }
            Transport::Direct => Ok(Direct::check(settings)?),
        }
    }

    /// Starts those that `manifest` needs.
    ///
    /// # Errors
    /// [`RunError`] where settings or topics are refused, or the transport can't do what is asked.
    pub fn start(
        transport: Transport,
        cluster: &Cluster,
        manifest: &Manifest,
        needs: Needs,
    ) -> Result<Producers, RunError> {
        let transactions = manifest.transactions.as_ref();
        let all = 0..needs.producers;
        Ok(match transport {
            Transport::Librdkafka => {
                let mut names = [const { None }; Topic::COUNT];
                for entry in &manifest.topics {
                    names[entry.topic.index()] = Some(entry.name.clone());
                }
                let shard = manifest.shard.index();
                let start = |thread| {
                    let of = transactions.map(|t| (t, transactional_id(t, shard, thread)));
                    Kafka::start(cluster, &names, needs, of)
                };
                Producers::Librdkafka(all.map(start).collect::<Result<_, _>>()?)
            }
            Transport::Direct => {
                let mut topics = [const { None }; Topic::COUNT];
                for entry in &manifest.topics {
                    topics[entry.topic.index()] = Some((entry.name.clone(), entry.partitions));
                }
                let start = |_| Direct::start(cluster, &topics, needs);
                Producers::Direct(all.map(start).collect::<Result<_, _>>()?)
            }
        })
    }

    /// What the producers count.
    pub fn tallies(&self) -> Box<dyn Iterator<Item = &Tally> + '_> {
        match self {
            Producers::Librdkafka(all) => Box::new(all.iter().map(Kafka::tally)),
            Producers::Direct(all) => Box::new(all.iter().map(Direct::tally)),
        }
    }

    /// How many records they hold that are neither acknowledged nor given up.
    pub fn in_flight(&self) -> usize {
        match self {
            Producers::Librdkafka(all) => all.iter().map(Kafka::in_flight).sum(),
            Producers::Direct(all) => all.iter().map(Direct::in_flight).sum(),
        }
    }

    /// Waits until every record has been acknowledged or given up, `patience` at most for each
    /// producer; returns how many are still neither.
    pub fn flush(&self, patience: Duration) -> usize {
        match self {
            Producers::Librdkafka(all) => all.iter().map(|one| one.flush(patience)).sum(),
            Producers::Direct(all) => all.iter().map(|one| one.flush(patience)).sum(),
        }
    }

    /// The fatal error that ended one of them, if one did.
    pub fn fatal(&self) -> Option<String> {
        match self {
            Producers::Librdkafka(all) => all.iter().find_map(Kafka::fatal),
            Producers::Direct(all) => all.iter().find_map(Direct::fatal),
        }
    }
}

/// The sink of thread `thread`, of librdkafka's producers: threads are dealt to them in turn, so that
/// a machine's records go through one.
pub fn kafka_sink(producers: &[Kafka], thread: u32, stop: &StopFlag) -> KafkaSink {
    producers[thread as usize % producers.len()].sink(stop.clone())
}

/// The same of our own.
pub fn direct_sink(producers: &[Direct], thread: u32, stop: &StopFlag) -> DirectSink {
    producers[thread as usize % producers.len()].sink(stop.clone())
}
