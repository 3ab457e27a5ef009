//! A running producer, and its sender thread.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

use crate::address::ServerAddress;
use crate::appender::Appender;
use crate::error::ProducerError;
use crate::event::Event;
use crate::report::DeliveryReports;
use crate::sender::Sender;
use crate::settings::ProducerSettings;
use crate::shared::{Buffered, Shared};
use crate::topic::{PartitionTable, Topic};

/// A running producer, shared by the appenders of several threads. [`Producer::flush`] it before you drop
/// it: dropping it stops it at once, and unsent records are lost.
pub struct Producer {
    settings: ProducerSettings,
    shared: Arc<Shared>,
    events: UnboundedSender<Event>,
    partitions: PartitionTable,
    /// Receives once: when the producer can send.
    ready: Mutex<Option<Receiver<Result<(), ProducerError>>>>,
    thread: Option<JoinHandle<()>>,
}

impl Producer {
    /// Starts a producer for these topics. A topic's index here is its number in
    /// [`Record::topic`](crate::Record::topic). Delivery reports go to `reports`. The producer takes
    /// records at once, and sends them once it has found the leaders of their partitions;
    /// [`Producer::wait_ready`] waits for that.
    ///
    /// # Errors
    /// [`ProducerError`] if the bootstrap servers can't be parsed, or the system has no thread left.
    pub fn start(
        settings: ProducerSettings,
        topics: &[Topic],
        reports: Arc<dyn DeliveryReports>,
    ) -> Result<Producer, ProducerError> {
        let bootstrap = ServerAddress::parse_list(&settings.bootstrap_servers)?;
        let partitions = PartitionTable::new(topics);
        let settings = settings.bounded(partitions.len());
        let max = Buffered { records: settings.max_records, bytes: settings.max_bytes };
        let shared = Arc::new(Shared::new(partitions.len(), max, reports));
        let (events, queue) = unbounded_channel();
        let (tell_ready, ready) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let of_thread = (settings.clone(), Arc::clone(&shared), events.clone(), topics.to_vec());
        let thread = std::thread::Builder::new().name("producer".to_owned()).spawn(move || {
            let (settings, shared, events, topics) = of_thread;
            let sender = Sender::new(settings, bootstrap, &topics, shared, events, tell_ready);
            runtime.block_on(LocalSet::new().run_until(sender.run(queue)));
        })?;
        let (ready, thread) = (Mutex::new(Some(ready)), Some(thread));
        Ok(Producer { settings, shared, events, partitions, ready, thread })
    }

    /// Waits until records can be sent: all leaders are connected, and a producer id is allocated if one
    /// is needed. Returns whether that was so within `timeout`.
    ///
    /// # Errors
    /// [`ProducerError`] if that can't happen any more.
    pub fn wait_ready(&self, timeout: Duration) -> Result<bool, ProducerError> {
        let mut ready = self.ready.lock();
        let Some(told) = &*ready else { return self.fatal_error().map_or(Ok(true), Err) };
        let outcome = match told.recv_timeout(timeout) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => return Ok(false),
            Err(RecvTimeoutError::Disconnected) => Err(ProducerError::ThreadEnded),
        };
        *ready = None;
        outcome.map(|()| true)
    }

    /// Why it is not ready yet: the last failed connection, if there was one. Returns it once.
    pub fn not_ready_error(&self) -> ProducerError {
        ProducerError::NotReady(self.shared.last_failure.lock().take())
    }

    /// An appender for one thread.
    #[must_use]
    pub fn appender(&self) -> Appender {
        let (shared, events) = (Arc::clone(&self.shared), self.events.clone());
        Appender::new(shared, events, self.partitions.clone(), &self.settings)
    }

    /// How many records are enqueued or in flight: neither acknowledged nor failed.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight() as usize
    }

    /// Why it can't send any more, if it can't.
    #[must_use]
    pub fn fatal_error(&self) -> Option<ProducerError> {
        if let Some(code) = *self.shared.producer_id_refused.lock() {
            return Some(ProducerError::NoProducerId(code));
        }
        let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        ended.then_some(ProducerError::ThreadEnded)
    }

    /// Waits until every record that appenders handed over is acknowledged or has failed, for at most
    /// `timeout`. Returns how many are still neither. Call [`Appender::close_batches`] first.
    pub fn flush(&self, timeout: Duration) -> usize {
        let deadline = Instant::now() + timeout;
        loop {
            let left = self.in_flight();
            if left == 0 || Instant::now() >= deadline || self.fatal_error().is_some() {
                return left;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let _ended = self.events.send(Event::Stop);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let in_flight = self.in_flight();
        f.debug_struct("Producer").field("in_flight", &in_flight).finish_non_exhaustive()
    }
}
