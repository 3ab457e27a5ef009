//! Transactions: the records of one thread's producer, committed by number or by time. A read_committed
//! consumer sees all of a transaction, or nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fleetstorm_model::manifest::Transactions;
use fleetstorm_model::record::Topic;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::producer::Producer;

use super::error::{KafkaError, describe};
use super::produce::KafkaProducer;
use crate::sink::SinkError;
use crate::sink::tally::Tally;

/// The timeout of a commit, retries included: as long as brokers keep a transaction open.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The timeout of one attempt.
const TURN: Duration = Duration::from_secs(10);
/// Records between two readings of the clock.
const LOOK_EVERY: u64 = 256;

/// The transactions of one producer. A thread must poll for its delivery reports, since a commit waits
/// for them.
pub struct Transaction {
    producer: KafkaProducer,
    tally: Arc<Tally>,
    most_records: u64,
    longest: Duration,
    open: Option<Open>,
}

struct Open {
    since: Instant,
    records: u64,
    /// By topic: records acknowledged before.
    acked: [u64; Topic::COUNT],
}

/// The transactional id of the producer of `thread` in `shard`.
pub fn id(transactions: &Transactions, shard: u32, thread: u32) -> String {
    format!("{}-{shard}-{thread}", transactions.id)
}

/// Fences the previous producer of the transactional id, and aborts its open transaction.
///
/// # Errors
/// [`KafkaError::Request`] if the cluster refuses.
pub fn fence(producer: &KafkaProducer, id: &str, timeout: Duration) -> Result<(), KafkaError> {
    let deadline = Instant::now() + timeout;
    loop {
        match producer.init_transactions(TURN.min(timeout)) {
            Ok(()) => return Ok(()),
            Err(error) if is_retriable(&error) && Instant::now() < deadline => {}
            Err(error) => {
                return Err(KafkaError::Request {
                    action: format!("take transactional id `{id}`"),
                    cause: cause(&error),
                });
            }
        }
    }
}

impl Transaction {
    /// The transactions of `producer`, which has fenced its id.
    pub fn new(producer: &KafkaProducer, tally: &Arc<Tally>, of: &Transactions) -> Transaction {
        Transaction {
            producer: Arc::clone(producer),
            tally: Arc::clone(tally),
            most_records: of.records,
            longest: of.time.duration(),
            open: None,
        }
    }

    /// Opens a transaction, unless one is open.
    ///
    /// # Errors
    /// [`SinkError::Fatal`].
    #[inline]
    pub fn begin(&mut self) -> Result<(), SinkError> {
        if self.open.is_some() {
            return Ok(());
        }
        self.producer.begin_transaction().map_err(|error| {
            SinkError::Fatal(format!("no transaction begins: {}", cause(&error)))
        })?;
        let acked = self.tally.deliveries().topics.map(|counts| counts.acked);
        self.open = Some(Open { since: Instant::now(), records: 0, acked });
        Ok(())
    }

    /// Counts a record. Commits if the transaction is full or old.
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    #[inline]
    pub fn count(&mut self) -> Result<(), SinkError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.records += 1;
        let full = open.records >= self.most_records;
        let look = open.records.is_multiple_of(LOOK_EVERY);
        if full || (look && open.since.elapsed() >= self.longest) { self.commit() } else { Ok(()) }
    }

    /// Commits a transaction that would be too old by the next record.
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    pub fn before_pause(&mut self, until_next: Duration) -> Result<(), SinkError> {
        match &self.open {
            Some(open) if open.since.elapsed() + until_next >= self.longest => self.commit(),
            _ => Ok(()),
        }
    }

    /// Commits the open transaction, once all its records are acknowledged.
    ///
    /// # Errors
    /// [`SinkError::Fatal`] if it can't be committed: it is aborted, and its records count as failed. A
    /// resumed run sends them again.
    pub fn commit(&mut self) -> Result<(), SinkError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let deadline = Instant::now() + TIMEOUT;
        let error = loop {
            match self.producer.commit_transaction(TURN) {
                Ok(()) => return Ok(()),
                Err(error) if is_retriable(&error) && Instant::now() < deadline => {}
                Err(error) => break error,
            }
        };
        // If even that fails, the broker aborts it after its timeout.
        if let Err(error) = self.producer.abort_transaction(TURN) {
            tracing::debug!("the transaction is left to its timeout: {}", cause(&error));
        }
        self.tally.revoke(&open.acked, "TransactionAborted");
        Err(SinkError::Fatal(format!(
            "a transaction of {} records was not committed: {}; --resume continues after the last one that was",
            open.records,
            cause(&error)
        )))
    }
}

fn is_retriable(error: &ClientError) -> bool {
    matches!(error, ClientError::Transaction(error) if error.is_retriable())
}

fn cause(error: &ClientError) -> String {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced) => {
            "another run has taken its transactional id".to_owned()
        }
        Some(code) => describe(code),
        None => error.to_string(),
    }
}
