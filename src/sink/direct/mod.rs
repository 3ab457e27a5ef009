//! A producer of our own, beside librdkafka's: records are written into record batches by the threads
//! that make them, and one thread talks to the brokers. It speaks plain TCP and TLS, with every kind
//! of acknowledgement and idempotence; SASL and transactions are librdkafka's.
//!
//! Where partitions are is still asked through librdkafka, whose connection the run has anyway.

mod batch;
mod broker;
mod codec;
mod connection;
mod error;
mod metadata;
mod outcome;
mod partition;
mod quorum;
mod quotas;
mod reach;
mod search;
mod sender;
mod settings;
mod shared;
mod sink;
mod split;
mod tls;
mod wire;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fleetstorm_model::record::Topic;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

use super::kafka::{Cluster, KafkaSettings, Needs};
use super::tally::Tally;
use super::throttled::Throttled;
use crate::pacing::StopFlag;

use metadata::Place;
use sender::{Event, Sender};
use settings::Settings;
use shared::Shared;

pub use error::DirectError;
pub use quorum::ClusterTime;
pub use quotas::Quota;
pub use sink::DirectSink;

/// A running producer, shared by the sinks of some threads.
pub struct Direct {
    settings: Settings,
    shared: Arc<Shared>,
    events: UnboundedSender<Event>,
    /// Of each topic, the numbers of its partitions: the first and how many.
    topics: [(usize, usize); Topic::COUNT],
    thread: Option<JoinHandle<()>>,
}

/// What a producer that is not paced may have in flight: what it sends while the first of it is
/// acknowledged, and no more than stays in the processor's caches.
const UNPACED_BYTES: usize = 8 << 20;
/// What all producers of a paced run may have in flight, as for librdkafka.
const PACED_BYTES: usize = 64 << 20;
/// How long a wait for the first connections lasts between two looks at the run's end.
const READY_TURN: Duration = Duration::from_millis(100);

impl Direct {
    /// Whether it can be started with such settings.
    ///
    /// # Errors
    /// [`DirectError`] where they ask for what it doesn't have.
    pub fn check(settings: &KafkaSettings) -> Result<(), DirectError> {
        Settings::read(settings, None, 1).map(drop)
    }

    /// One of a run's producers, for the topics named, with their partitions, in the order of
    /// [`Topic::ALL`].
    ///
    /// # Errors
    /// [`DirectError`] where the settings ask for what it doesn't have, or no broker lets it write.
    pub fn start(
        cluster: &Cluster,
        topics: &[Option<(String, u32)>; Topic::COUNT],
        needs: Needs,
    ) -> Result<Direct, DirectError> {
        let partitions = topics.iter().flatten().map(|(_, count)| *count as usize).sum();
        let settings = Settings::read(cluster.settings(), needs.largest_batch, partitions)?;
        let most_bytes = if needs.paced { PACED_BYTES } else { UNPACED_BYTES };
        // What is asked for holds for each, as it does for librdkafka's.
        let share = most_bytes / needs.producers.max(1) as usize;
        let most_bytes = settings.most_bytes.unwrap_or(share);
        let shared = Arc::new(Shared::new(partitions, settings.most_records.max(1), most_bytes));
        let mut places = Vec::new();
        let mut numbers = [(0, 0); Topic::COUNT];
        for ((topic, named), numbers) in Topic::ALL.into_iter().zip(topics).zip(&mut numbers) {
            let Some((name, count)) = named else { continue };
            *numbers = (places.len(), *count as usize);
            places.extend((0..*count as i32).map(|index| Place {
                topic,
                name: name.clone(),
                index,
            }));
        }
        let (events, queue) = unbounded_channel();
        let (ready, is_ready) = mpsc::channel();
        let (metadata_client, own) = (cluster.metadata_client(), settings.clone());
        let (told, sender) = (Arc::clone(&shared), events.clone());
        let broken = |error: std::io::Error| DirectError::Start(error.to_string());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
        let thread = std::thread::Builder::new()
            .name("direct".to_owned())
            .spawn(move || {
                let sender_thread = Sender::new(own, told, metadata_client, places, sender, ready);
                runtime.block_on(LocalSet::new().run_until(sender_thread.run(queue)));
            })
            .map_err(broken)?;
        let direct = Direct { settings, shared, events, topics: numbers, thread: Some(thread) };
        let deadline = Instant::now() + cluster.settings().patience;
        loop {
            match is_ready.recv_timeout(READY_TURN) {
                Ok(Ok(())) => return Ok(direct),
                Ok(Err(problem)) => return Err(DirectError::Start(problem)),
                Err(RecvTimeoutError::Timeout) => cluster.interrupted()?,
                Err(RecvTimeoutError::Disconnected) => {
                    let ended = direct.fatal().unwrap_or_default();
                    return Err(DirectError::Start(ended));
                }
            }
            if Instant::now() >= deadline {
                let trouble = direct.shared.trouble.lock().take();
                let unknown = || "the partitions' leaders can't be reached".to_owned();
                return Err(DirectError::Start(trouble.unwrap_or_else(unknown)));
            }
        }
    }

    /// A sink for one thread. A set `stop` ends its wait for room in a full producer.
    pub fn sink(&self, stop: StopFlag) -> DirectSink {
        let shared = Arc::clone(&self.shared);
        DirectSink::new(shared, self.events.clone(), self.topics, &self.settings, stop)
    }

    /// Counts what becomes of its records.
    pub fn tally(&self) -> &Tally {
        &self.shared.tally
    }

    /// How many records the producer holds that are neither acknowledged nor given up.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::Acquire) as usize
    }

    /// Why it sends no more, where that is so.
    pub fn fatal(&self) -> Option<String> {
        if let Some(problem) = self.shared.fatal.lock().clone() {
            return Some(problem);
        }
        let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        ended.then(|| "its thread has ended by a mistake in this program".to_owned())
    }

    /// For how long brokers have held it back.
    pub fn throttled(&self) -> &Throttled {
        &self.shared.throttled
    }

    /// Waits until every record has been acknowledged or given up, `patience` at most; returns how
    /// many are still neither.
    pub fn flush(&self, patience: Duration) -> usize {
        let deadline = Instant::now() + patience;
        loop {
            let left = self.in_flight();
            if left == 0 || Instant::now() >= deadline || self.fatal().is_some() {
                return left;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        let _ended = self.events.send(Event::Stop);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}
