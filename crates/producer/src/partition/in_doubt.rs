//! Batches of a partition that may have been stored, and the search of its log for them.

use std::collections::VecDeque;

use super::{LogQuery, Partition};
use crate::batch::Batch;
use crate::log_search::{LogBatch, LogSearch};

impl Partition {
    /// Whether a batch that waits may have been stored.
    pub(super) fn has_batches_in_doubt(&self) -> bool {
        self.producer_id.is_some() && self.waiting.iter().any(|batch| batch.in_doubt)
    }

    /// What has to be asked about its log at `now_ns`, if anything: where it ends before the first
    /// batch of all, and what stands in it where batches are in doubt.
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

    /// Notes that a question is with the broker.
    pub(crate) fn log_query_sent(&mut self) {
        self.querying = true;
    }

    /// Notes that a question has no answer; it is asked again from `retry_ns` on.
    pub(crate) fn log_query_failed(&mut self, retry_ns: u64) {
        self.querying = false;
        self.search = None;
        self.not_before_ns = retry_ns;
    }

    /// Takes where the log ends. Returns the batches that are stored after all.
    pub(crate) fn on_end_offset(&mut self, end: i64) -> Vec<Batch> {
        self.querying = false;
        match self.known_end_offset {
            None => self.known_end_offset = Some(end),
            _ if !self.has_batches_in_doubt() => {}
            Some(known) if end <= known => {
                // Nothing came behind what is known; less where an unclean election cut the log.
                self.known_end_offset = Some(end);
                return self.resolve(&[]);
            }
            Some(known) => self.search = Some(LogSearch::new(known, end)),
        }
        Vec::new()
    }

    /// Takes where the log begins. Returns the batches that are stored after all.
    pub(crate) fn on_start_offset(&mut self, start: i64) -> Vec<Batch> {
        self.querying = false;
        if let Some(search) = &mut self.search {
            search.is_outside = false;
            search.next = search.next.max(start);
        }
        self.end_search()
    }

    /// Takes the batches that stand in the log from the offset on that was asked for; it is asked
    /// again from `retry_ns` on where none do yet. Returns the batches that are stored after all, once
    /// that is known of each.
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

    /// Notes that the log doesn't have the offset that was asked for: its beginning or its end has
    /// passed it.
    pub(crate) fn on_offset_out_of_range(&mut self) {
        self.querying = false;
        if let Some(search) = &mut self.search {
            search.is_outside = true;
        }
    }

    /// Settles the batches in doubt where all of the log was seen.
    fn end_search(&mut self) -> Vec<Batch> {
        match self.search.take_if(|search| search.is_over()) {
            Some(search) => self.resolve(&search.found),
            None => Vec::new(),
        }
    }

    /// Gives the search up: the broker doesn't show the log. Batches in doubt are sent again at their
    /// places in the sequence, which keeps them from being stored twice while the broker knows it.
    pub(crate) fn skip_search(&mut self) {
        self.querying = false;
        self.search = None;
        self.waiting.iter_mut().for_each(|batch| batch.in_doubt = false);
        self.sequence_known = false;
        self.end_sequence_if_certain();
    }

    /// Settles the batches in doubt by those of the sequence that stand in the log.
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
                    // A place behind one that is missing can't be followed by it any more.
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
