//! Compaction: the last record of each key stays.

use std::collections::HashMap;

use bytes::Bytes;

use super::Log;
use super::batch::{self, Batch};
use super::header::{HEADER, Header};
use super::records::{self, Record};

impl Log {
    /// Whether another compaction is worthwhile: at least `least` bytes came since the last one, and as
    /// many as that one left.
    pub(crate) fn is_dirty(&self, least: usize) -> bool {
        self.bytes.saturating_sub(self.compacted_bytes) >= self.compacted_bytes.max(least)
    }

    /// Drops records whose key has a later one, and tombstones from before `horizon_ms`. Open
    /// transactions, the last batch, and batches that can't be decompressed stay. Offsets don't change.
    pub(crate) fn compact(&mut self, horizon_ms: i64) {
        let below = self.last_stable_offset();
        // The last batch keeps the end of the log readable.
        let settled = self
            .batches
            .iter()
            .take(self.batches.len().saturating_sub(1))
            .take_while(|b| b.header.last_offset() < below)
            .count();
        let mut latest: HashMap<Bytes, i64> = HashMap::new();
        let mut opened = Vec::with_capacity(settled);
        for (batch, place) in self.batches.iter().zip(0..) {
            let header = &batch.header;
            if header.is_control() || self.is_aborted(header) {
                opened.push(None);
                continue;
            }
            let records = records::read(header, batch.bytes.slice(HEADER..)).ok();
            for record in records.iter().flatten() {
                if header.last_offset() < below
                    && let Some(key) = &record.key
                {
                    latest.insert(key.clone(), header.base_offset + i64::from(record.offset_delta));
                }
            }
            opened.push(records.filter(|_| place < settled));
        }
        let mut kept = std::collections::VecDeque::with_capacity(self.batches.len());
        for (batch, (records, place)) in
            std::mem::take(&mut self.batches).into_iter().zip(opened.into_iter().zip(0..))
        {
            let header = batch.header;
            if place < settled && self.is_aborted(&header) && !header.is_control() {
                continue;
            }
            let Some(records) = records else {
                kept.push_back(batch);
                continue;
            };
            let stays = |r: &Record| {
                let offset = header.base_offset + i64::from(r.offset_delta);
                let time = header.base_timestamp.saturating_add(r.timestamp_delta);
                let current = r.key.as_ref().is_some_and(|k| latest.get(k) == Some(&offset));
                current && (r.value.is_some() || time >= horizon_ms)
            };
            let count = records.len();
            let records: Vec<Record> = records.into_iter().filter(stays).collect();
            if records.len() == count {
                kept.push_back(batch);
            } else if !records.is_empty() {
                kept.push_back(rewritten(header, &records));
            }
        }
        self.bytes = kept.iter().map(|b| b.bytes.len()).sum();
        self.compacted_bytes = self.bytes;
        self.batches = kept;
    }

    fn is_aborted(&self, header: &Header) -> bool {
        let within = |a: &super::AbortedTxn| {
            a.producer_id == header.producer_id
                && a.first <= header.base_offset
                && header.base_offset < a.last
        };
        header.is_transactional() && !header.is_control() && self.aborted.iter().any(within)
    }
}

/// The batch with the records that stay, uncompressed.
fn rewritten(header: Header, records: &[Record]) -> Batch {
    let mut body = Vec::new();
    for r in records {
        let (key, value) = (r.key.as_deref(), r.value.as_deref());
        records::write(&mut body, r.offset_delta, r.timestamp_delta, key, value, &r.headers);
    }
    let count = i32::try_from(records.len()).unwrap_or(i32::MAX);
    batch::write(Header { count, ..header }, &body)
}
