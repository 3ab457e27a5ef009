//! Transactions across producers, partitions and groups: begun, ended and aborted.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;

use super::State;
use crate::transactions::{Phase, Transaction};

impl State {
    /// Gives a producer its id and the next epoch. The previous epoch is fenced.
    ///
    /// # Errors
    /// As Kafka: an ongoing transaction is aborted, and the producer must retry.
    pub(crate) fn init_transactional(
        &mut self,
        name: &str,
        timeout_ms: i64,
        expected: Option<(i64, i16)>,
        now_ms: i64,
    ) -> Result<(i64, i16), ResponseError> {
        if !self.transactions.contains_key(name) {
            let producer_id = self.producer_id();
            self.transactions.insert(
                name.to_owned(),
                Transaction {
                    producer_id,
                    epoch: 0,
                    last_epoch: -1,
                    timeout_ms,
                    phase: Phase::Empty,
                    partitions: BTreeSet::new(),
                    groups: BTreeSet::new(),
                    started_ms: now_ms,
                },
            );
            return Ok((producer_id, 0));
        }
        let fresh = self.producer_id();
        let Some(known) = self.transactions.get_mut(name) else {
            return Err(ResponseError::UnknownServerError);
        };
        if expected.is_some_and(|(id, _)| id != known.producer_id) {
            return Err(ResponseError::ProducerFenced);
        }
        if known.phase == Phase::Ongoing {
            known.epoch = known.epoch.saturating_add(1);
            self.end_transaction(name, false, now_ms);
            return Err(ResponseError::ConcurrentTransactions);
        }
        match expected {
            Some((_, epoch)) if epoch == known.last_epoch => {
                return Ok((known.producer_id, known.epoch));
            }
            Some((_, epoch)) if epoch != known.epoch => return Err(ResponseError::ProducerFenced),
            _ => {}
        }
        known.timeout_ms = timeout_ms;
        known.phase = Phase::Empty;
        if known.epoch >= i16::MAX - 1 {
            known.producer_id = fresh;
            known.epoch = 0;
            known.last_epoch = -1;
        } else {
            known.last_epoch = if expected.is_some() { known.epoch } else { -1 };
            known.epoch += 1;
        }
        Ok((known.producer_id, known.epoch))
    }

    /// Ends an ongoing transaction: writes markers into its partitions, and commits or drops its groups'
    /// offsets.
    pub(crate) fn end_transaction(&mut self, name: &str, commit: bool, now_ms: i64) {
        let State { transactions, topics, groups, bytes, .. } = self;
        let Some(known) = transactions.get_mut(name) else { return };
        let producer = (known.producer_id, known.epoch);
        for (topic, index) in std::mem::take(&mut known.partitions) {
            if let Some(p) = topics.partition_mut(&topic, index) {
                let before = p.log.bytes();
                p.log.end_transaction(producer, commit, p.epoch, now_ms);
                *bytes += p.log.bytes() - before;
            }
        }
        for group in std::mem::take(&mut known.groups) {
            if let Some(group) = groups.get_mut(&group) {
                group.end_transaction(known.producer_id, commit);
            }
        }
        known.phase = if commit { Phase::Committed } else { Phase::Aborted };
    }

    /// Aborts transactions that have exceeded their timeout. Returns whether there were any.
    pub(crate) fn abort_overdue(&mut self, now_ms: i64) -> bool {
        let overdue: Vec<String> = self
            .transactions
            .iter()
            .filter(|(_, t)| t.phase == Phase::Ongoing && now_ms - t.started_ms > t.timeout_ms)
            .map(|(name, _)| name.clone())
            .collect();
        for name in &overdue {
            if let Some(known) = self.transactions.get_mut(name) {
                known.epoch = known.epoch.saturating_add(1);
            }
            self.end_transaction(name, false, now_ms);
        }
        !overdue.is_empty()
    }

    /// Checks that a transactional batch may be appended: its partition must have been added to the
    /// transaction.
    pub(crate) fn check_transactional(
        &self,
        name: Option<&str>,
        producer: (i64, i16),
        topic: &str,
        index: i32,
    ) -> Result<(), ResponseError> {
        let known = name.and_then(|n| self.transactions.get(n));
        let known = known.ok_or(ResponseError::InvalidTxnState)?;
        if known.producer_id != producer.0 {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if known.epoch > producer.1 {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        let place = (topic.to_owned(), index);
        if known.phase == Phase::Ongoing && known.partitions.contains(&place) {
            Ok(())
        } else {
            Err(ResponseError::InvalidTxnState)
        }
    }
}
