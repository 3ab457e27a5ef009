//! A thread that takes a producer's delivery reports.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::error::KafkaError;
use super::produce::KafkaProducer;

/// How long a poll lasts. The client spins for the last millisecond of it.
const TURN: Duration = Duration::from_millis(500);

/// Polls a producer until it is dropped.
pub struct Poller {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Poller {
    /// Starts to poll `producer`.
    ///
    /// # Errors
    /// [`KafkaError::Request`] where the system has no thread left.
    pub fn start(producer: &KafkaProducer) -> Result<Poller, KafkaError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (producer, stopped) = (Arc::clone(producer), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name("deliveries".to_owned())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    producer.poll(TURN);
                }
            })
            .map_err(|error| KafkaError::Request {
                action: "start a thread for delivery reports".to_owned(),
                cause: error.to_string(),
            })?;
        Ok(Poller { stop, thread: Some(thread) })
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed; nothing is left to do about it.
            let _panicked = thread.join();
        }
    }
}
