//! A thread that polls a producer for delivery reports.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::error::KafkaError;
use super::produce::{EventQueue, KafkaProducer};

/// The longest wait for an event.
const TURN: Duration = Duration::from_millis(100);

/// Polls a producer until it is dropped.
pub struct Poller {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Poller {
    /// Starts polling `producer`.
    ///
    /// # Errors
    /// [`KafkaError::Request`] if the system has no thread left.
    pub fn start(producer: &KafkaProducer) -> Result<Poller, KafkaError> {
        let stop = Arc::new(AtomicBool::new(false));
        let events = queue(producer)?;
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("deliveries".to_owned())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    events.serve(TURN);
                }
            })
            .map_err(|error| KafkaError::Request {
                action: "start a thread for delivery reports".to_owned(),
                cause: error.to_string(),
            })?;
        Ok(Poller { stop, thread: Some(thread) })
    }
}

/// The queue of a producer's events.
///
/// # Errors
/// [`KafkaError::Request`] if it has none.
pub fn queue(producer: &KafkaProducer) -> Result<EventQueue, KafkaError> {
    EventQueue::of(producer).ok_or_else(|| KafkaError::Request {
        action: "open the producer's queue of events".to_owned(),
        cause: "the client has none".to_owned(),
    })
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed. Nothing is left to do about it.
            let _panicked = thread.join();
        }
    }
}
