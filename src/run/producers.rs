//! The producers of a run, of either transport.

use std::time::Duration;

use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;

use super::options::TransportChoice;
use crate::exit::ProgramError;
use crate::pacing::StopFlag;
use crate::sink::Transport;
use crate::sink::direct::{Direct, DirectError, DirectSink};
use crate::sink::kafka::{Cluster, Kafka, KafkaSettings, KafkaSink, Needs, transactional_id};
use crate::sink::tally::Tally;
use crate::sink::throttled::Throttled;

/// The producers of a run, at least one.
pub enum Producers {
    /// librdkafka's.
    Librdkafka(Vec<Kafka>),
    /// fleetstorm's own.
    Direct(Vec<Direct>),
}

impl Producers {
    /// The transport for `choice` with such settings, before any request to a cluster.
    ///
    /// # Errors
    /// [`ProgramError::Direct`] if the transport doesn't support what is asked.
    pub fn choose(
        choice: TransportChoice,
        settings: &KafkaSettings,
        manifest: &Manifest,
    ) -> Result<Transport, ProgramError> {
        let direct = match manifest.transactions {
            Some(_) => Err(DirectError::Transactions),
            None => Direct::check(settings),
        };
        match (choice, direct) {
            (TransportChoice::Librdkafka, _) => Ok(Transport::Librdkafka),
            (TransportChoice::Direct | TransportChoice::Auto, Ok(())) => Ok(Transport::Direct),
            (TransportChoice::Direct, Err(error)) => Err(error.into()),
            (TransportChoice::Auto, Err(lack)) => {
                tracing::debug!("librdkafka sends: {lack}");
                Ok(Transport::Librdkafka)
            }
        }
    }

    /// Starts the producers that `manifest` needs.
    ///
    /// # Errors
    /// [`ProgramError`] if settings or topics are rejected, or no broker lets them write.
    pub fn start(
        transport: Transport,
        cluster: &Cluster,
        manifest: &Manifest,
        needs: Needs,
    ) -> Result<Producers, ProgramError> {
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

    /// Their transport.
    pub fn transport(&self) -> Transport {
        match self {
            Producers::Librdkafka(_) => Transport::Librdkafka,
            Producers::Direct(_) => Transport::Direct,
        }
    }

    /// Their tallies.
    pub fn tallies(&self) -> Box<dyn Iterator<Item = &Tally> + '_> {
        match self {
            Producers::Librdkafka(all) => Box::new(all.iter().map(Kafka::tally)),
            Producers::Direct(all) => Box::new(all.iter().map(Direct::tally)),
        }
    }

    /// For how long brokers have throttled each.
    pub fn throttled(&self) -> Box<dyn Iterator<Item = &Throttled> + '_> {
        match self {
            Producers::Librdkafka(all) => Box::new(all.iter().map(Kafka::throttled)),
            Producers::Direct(all) => Box::new(all.iter().map(Direct::throttled)),
        }
    }

    /// How many records they hold that are neither acknowledged nor failed.
    pub fn in_flight(&self) -> usize {
        match self {
            Producers::Librdkafka(all) => all.iter().map(Kafka::in_flight).sum(),
            Producers::Direct(all) => all.iter().map(Direct::in_flight).sum(),
        }
    }

    /// Waits until every record is acknowledged or has failed, for at most `timeout` for each producer.
    /// Returns how many are still neither.
    pub fn flush(&self, timeout: Duration) -> usize {
        match self {
            Producers::Librdkafka(all) => all.iter().map(|one| one.flush(timeout)).sum(),
            Producers::Direct(all) => all.iter().map(|one| one.flush(timeout)).sum(),
        }
    }

    /// The fatal error that ended one of them, if there was one.
    pub fn fatal_error(&self) -> Option<String> {
        match self {
            Producers::Librdkafka(all) => all.iter().find_map(Kafka::fatal_error),
            Producers::Direct(all) => all.iter().find_map(Direct::fatal_error),
        }
    }
}

/// The sink of thread `thread`, of librdkafka's producers. Threads take producers in turn, so a machine's
/// records go through one.
pub fn kafka_sink(producers: &[Kafka], thread: u32, stop: &StopFlag) -> KafkaSink {
    producers[thread as usize % producers.len()].sink(stop.clone())
}

/// The same of the direct producers.
pub fn direct_sink(producers: &[Direct], thread: u32, stop: &StopFlag) -> DirectSink {
    producers[thread as usize % producers.len()].sink(stop.clone())
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::sink::options::{Acks, ProducerOptions};
    use fleetstorm_model::manifest::Transactions;
    use fleetstorm_model::run::Run;

    fn chosen(
        choice: TransportChoice,
        property: &str,
        in_transactions: bool,
    ) -> Result<Transport, String> {
        let mut builder = Run::builder();
        if in_transactions {
            let time = "1s".parse().unwrap();
            let id = "t".to_owned();
            builder = builder.transactions(Transactions { id, producers: 1, records: 1, time });
        }
        let manifest = builder.build_at(0).unwrap().manifest;
        let settings = KafkaSettings {
            bootstrap: "127.0.0.1:9".to_owned(),
            options: ProducerOptions::read(Acks::All, true, vec![property.parse().unwrap()]),
            tokens: None,
            connect_timeout: Duration::from_secs(1),
        };
        Producers::choose(choice, &settings, &manifest).map_err(|error| error.to_string())
    }

    #[test]
    fn librdkafka_is_taken_where_direct_lacks_what_is_asked_for() {
        use Transport::{Direct, Librdkafka};
        for (property, transactions, expected, lack) in [
            ("linger.ms=1", false, Direct, None),
            ("security.protocol=SASL_SSL", false, Librdkafka, Some("SASL")),
            ("statistics.interval.ms=5", false, Librdkafka, Some("statistics.interval.ms")),
            ("message.timeout.ms=0", false, Direct, None),
            // Whose words on a wrong value tell more.
            ("linger.ms=soon", false, Librdkafka, Some("linger.ms")),
            ("linger.ms=1", true, Librdkafka, Some("transactions")),
        ] {
            assert_eq!(
                chosen(TransportChoice::Auto, property, transactions),
                Ok(expected),
                "{property}"
            );
            assert_eq!(chosen(TransportChoice::Librdkafka, property, transactions), Ok(Librdkafka));
            match (chosen(TransportChoice::Direct, property, transactions), lack) {
                (chosen, None) => assert_eq!(chosen, Ok(Direct)),
                (chosen, Some(word)) => assert!(chosen.unwrap_err().contains(word)),
            }
        }
    }
}
