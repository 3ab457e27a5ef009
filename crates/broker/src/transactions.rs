//! Transactions: who may write under a name, and which partitions wait for the end.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError;

/// All transactions, by the ids of their producers' choice.
pub(crate) type Transactions = BTreeMap<String, Transaction>;

/// What the last transaction under a name came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Empty,
    Ongoing,
    Committed,
    Aborted,
}

/// What is known under one transactional id.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    /// The epoch before, where its producer asked for the new one itself: it may ask again.
    pub(crate) last_epoch: i16,
    pub(crate) timeout_ms: i64,
    pub(crate) phase: Phase,
    pub(crate) partitions: BTreeSet<(String, i32)>,
    pub(crate) groups: BTreeSet<String>,
    /// When the transaction that is ongoing began, on the broker's clock.
    pub(crate) started_ms: i64,
}

impl Transaction {
    /// Says whether a producer is the one who may write.
    pub(crate) fn check(&self, producer_id: i64, epoch: i16) -> Result<(), ResponseError> {
        if self.producer_id != producer_id {
            Err(ResponseError::InvalidProducerIdMapping)
        } else if self.epoch != epoch {
            Err(ResponseError::ProducerFenced)
        } else {
            Ok(())
        }
    }

    /// Begins the transaction, unless it is ongoing.
    pub(crate) fn begin(&mut self, now_ms: i64) {
        if self.phase != Phase::Ongoing {
            self.phase = Phase::Ongoing;
            self.started_ms = now_ms;
        }
    }
}
