//! Transactions: the current producer of each transactional id, and the partitions that wait for the end.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError;

/// All transactions, by transactional id.
pub(crate) type Transactions = BTreeMap<String, Transaction>;

/// The state of a transactional id's last transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Empty,
    Ongoing,
    Committed,
    Aborted,
}

/// The state of one transactional id.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    /// The previous epoch, if the producer itself asked for the new one: it may retry that.
    pub(crate) last_epoch: i16,
    pub(crate) timeout_ms: i64,
    pub(crate) phase: Phase,
    pub(crate) partitions: BTreeSet<(String, i32)>,
    pub(crate) groups: BTreeSet<String>,
    /// When the ongoing transaction began, on the broker's clock.
    pub(crate) started_ms: i64,
}

impl Transaction {
    /// Checks that a producer is the current one.
    pub(crate) fn check(&self, producer_id: i64, epoch: i16) -> Result<(), ResponseError> {
        if self.producer_id != producer_id {
            Err(ResponseError::InvalidProducerIdMapping)
        } else if self.epoch != epoch {
            Err(ResponseError::ProducerFenced)
        } else {
            Ok(())
        }
    }

    /// Begins a transaction, unless one is ongoing.
    pub(crate) fn begin(&mut self, now_ms: i64) {
        if self.phase != Phase::Ongoing {
            self.phase = Phase::Ongoing;
            self.started_ms = now_ms;
        }
    }
}
