//! Batches of a partition that may have been appended, and the search of its log for them.

use std::collections::VecDeque;

use super::{LogQuery, Partition};
use crate::batch::Batch;
use crate::log_search::{LogBatch, LogSearch};

impl Partition {
    /// Whether a waiting batch may have been appended.
    pub(super) fn has_batches_in_doubt(&self) -> bool {
        self.producer_id.is_some() && self.waiting.iter().any(|batch| batch.in_doubt)
    }

    /// The next query about its log at `now_ns`, if there is one: its end offset before the first batch
    /// of all, its batches if some are in doubt.
    pub(crate) fn log_query(&self, now_ns: u64) -> Option<LogQuery> {
        let is_due = !self.querying && self.in_flight.is_empty() && now_ns >= self.not_before_ns;
        match &self.search {
            _ if !is_due => None,
            Some(search) if search.is_outside => Some(LogQuery::StartOffset),
            Some(search) => Some(LogQuery::Batches { from: search.next }),
            None => (self.known_end_offset.is_none() || self.has_batches_in_doubt())
                .then_some(LogQuery::EndOffset),
        }
    }

    /// Notes that a query is in flight.
    pub(crate) fn log_query_sent(&mut self) {
        self.querying = true;
    }

    /// Notes that a query failed. It is repeated from `retry_ns` on.
    pub(crate) fn log_query_failed(&mut self, retry_ns: u64) {
        self.querying = false;
        self.search = None;
        self.not_before_ns = retry_ns;
    }

    /// Takes the end offset. Returns the batches that were appended after all.
    pub(crate) fn on_end_offset(&mut self, end: i64) -> Vec<Batch> {
        self.querying = false;
        match self.known_end_offset {
            None => self.known_end_offset = Some(end),
            _ if !self.has_batches_in_doubt() => {}
            Some(known) if end <= known => {
                // Nothing was appended after what is known. The end is lower if an unclean election
                // truncated the log.
                self.known_end_offset = Some(end);
                return self.resolve(&[]);
            }
            Some(known) => self.search = Some(LogSearch::new(known, end)),
        }
        Vec::new()
    }

    /// Takes the start offset. Returns the batches that were appended after all.
    pub(crate) fn on_start_offset(&mut self, start: i64) -> Vec<Batch> {
        self.querying = false;
        if let Some(search) = &mut self.search {
            search.is_outside = false;
            search.next = search.next.max(start);
        }
        self.end_search()
    }

    /// Takes fetched batches, from the offset that was queried on. If there are none yet, the query is
    /// repeated from `retry_ns` on. Returns the batches that were appended after all, once that is known
    /// of each.
    pub(crate) fn on_batches(
        &mut self,
        batches: impl Iterator<Item = LogBatch>,
        retry_ns: u64,
    ) -> Vec<Batch> {
        self.querying = false;
        if let (Some(search), Some(producer)) = (&mut self.search, self.producer_id)
            && !search.take(batches, producer)
        {
            self.not_before_ns = retry_ns;
        }
        self.end_search()
    }

    /// Notes that the queried offset is out of range: the log's start or end has passed it.
    pub(crate) fn on_offset_out_of_range(&mut self) {
        self.querying = false;
        if let Some(search) = &mut self.search {
            search.is_outside = true;
        }
    }

    /// Resolves the batches in doubt once all of the log was seen.
    fn end_search(&mut self) -> Vec<Batch> {
        match self.search.take_if(|search| search.is_over()) {
            Some(search) => self.resolve(&search.found),
            None => Vec::new(),
        }
    }

    /// Stops the search: the broker doesn't show the log. Batches in doubt are sent again with their
    /// sequence numbers, which prevents duplicates while the broker knows the producer.
    pub(crate) fn skip_search(&mut self) {
        self.querying = false;
        self.search = None;
        self.waiting.iter_mut().for_each(|batch| batch.in_doubt = false);
        self.sequence_known = false;
        self.end_sequence_if_certain();
    }

    /// Resolves the batches in doubt by those of the sequence that were found in the log.
    fn resolve(&mut self, found: &[LogBatch]) -> Vec<Batch> {
        self.search = None;
        self.sequence_known = false;
        let mut stored = Vec::new();
        let mut missing = false;
        let mut left = VecDeque::with_capacity(self.waiting.len());
        for mut batch in std::mem::take(&mut self.waiting) {
            let is_it = |one: &&LogBatch| {
                Some(one.sequence) == batch.sequence && one.count == batch.count()
            };
            match found.iter().find(is_it).filter(|_| batch.in_doubt) {
                Some(at) => {
                    // A batch can't follow one that is missing.
                    self.ending |= missing;
                    self.known_end_offset = self.known_end_offset.max(Some(at.end));
                    stored.push(batch);
                }
                None => {
                    missing |= batch.in_doubt;
                    batch.in_doubt = false;
                    left.push_back(batch);
                }
            }
        }
        self.waiting = left;
        self.end_sequence_if_certain();
        stored
    }
}
