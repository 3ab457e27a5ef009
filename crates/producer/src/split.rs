//! Splits a batch that is larger than its topic's max.message.bytes.

use std::io;

use bytes::{Buf, Bytes};

use crate::batch::{Batch, CHECKED, HEADER, OpenBatch};
use crate::codec::{Codec, Compressor, decompress};

impl Batch {
    /// Splits a batch of several records into two halves, in order, with the same codec.
    ///
    /// # Errors
    /// The batch itself, if its own bytes can't be read.
    pub(crate) fn split(self) -> Result<[Batch; 2], Box<Batch>> {
        self.halves().map_err(|error| {
            tracing::error!("a batch that is too large could not be split: {error}");
            Box::new(self)
        })
    }

    fn halves(&self) -> io::Result<[Batch; 2]> {
        let bytes = self.bytes();
        let codec = Codec::of_attributes(bytes[CHECKED + 1]).ok_or_else(unreadable)?;
        let first_ms = (&bytes[CHECKED + 6..CHECKED + 14]).get_i64();
        let mut records = Bytes::from(decompress(codec, &bytes[HEADER..])?);
        let mut compressor = Compressor::new(codec, None);
        let middle = self.count() / 2;
        let mut halves = Vec::with_capacity(2);
        for notes in [&self.notes[..middle], &self.notes[middle..]] {
            let mut open = OpenBatch::new(None);
            for note in notes {
                let length = varint(&mut records)?;
                let mut record = take(&mut records, length)?;
                record.try_get_u8().map_err(io::Error::other)?; // attributes
                let timestamp_ms = first_ms + varint(&mut record)?;
                varint(&mut record)?; // offset
                let length = varint(&mut record)?;
                let key = take(&mut record, length)?;
                let length = varint(&mut record)?;
                let value = take(&mut record, length)?;
                open.push(&key, &value, timestamp_ms, *note);
            }
            halves.push(open.close(self.partition, &mut compressor)?.0);
        }
        let mut halves: [Batch; 2] = halves.try_into().map_err(|_| unreadable())?;
        let span = self.number_span / 2;
        halves[0].counted_bytes = self.counted_bytes / 2;
        halves[1].counted_bytes = self.counted_bytes - halves[0].counted_bytes;
        for (half, number) in halves.iter_mut().zip([self.number, self.number + span]) {
            (half.number, half.number_span) = (number, span);
        }
        // It has waited since its first record was enqueued.
        halves[0].created_ns = self.created_ns;
        Ok(halves)
    }
}

/// Reads a varint.
fn varint(bytes: &mut Bytes) -> io::Result<i64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.try_get_u8().map_err(io::Error::other)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(unreadable())
}

fn take(bytes: &mut Bytes, length: i64) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    if length > bytes.len() { Err(unreadable()) } else { Ok(bytes.split_to(length)) }
}

fn unreadable() -> io::Error {
    io::Error::other("its records can't be read")
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::{Record, RecordBatchDecoder};

    use super::*;
    use crate::note::{NO_OPAQUE, RecordNote};

    fn records(batch: &mut Batch) -> Vec<Record> {
        RecordBatchDecoder::decode(&mut batch.stamped(None)).expect("it can be read").records
    }

    #[test]
    fn the_parts_hold_the_records_of_the_whole_in_order() {
        for codec in [Codec::None, Codec::Gzip, Codec::Lz4, Codec::Zstd] {
            let mut open = OpenBatch::new(None);
            for at in 0..7_u64 {
                let note = RecordNote { enqueued_ns: 100 + at, opaque: NO_OPAQUE, bytes: 9 };
                // Times go back as well as forth.
                let timestamp_ms = 1_000 - (at as i64 % 3) * 400;
                open.push(format!("key{at}").as_bytes(), &[b'v'; 90], timestamp_ms, note);
            }
            let (mut batch, _) = open.close(4, &mut Compressor::new(codec, None)).unwrap();
            (batch.number, batch.number_span) = (1 << 32, 1 << 32);
            let (whole, counted_bytes) = (records(&mut batch), batch.counted_bytes);
            let mut parts = batch.split().expect("it can be split");
            assert_eq!(parts.each_ref().map(Batch::count), [3, 4]);
            assert_eq!(
                parts.each_ref().map(|part| part.counted_bytes).iter().sum::<usize>(),
                counted_bytes
            );
            assert_eq!(parts.each_ref().map(|part| part.partition), [4, 4]);
            assert_eq!(parts[1].number, (1 << 32) + (1 << 31));
            assert_eq!(parts.each_ref().map(|part| part.created_ns), [100, 103]);
            let again: Vec<Record> = parts.iter_mut().flat_map(records).collect();
            let content = |records: &[Record]| -> Vec<_> {
                records.iter().map(|r| (r.key.clone(), r.value.clone(), r.timestamp)).collect()
            };
            assert_eq!(content(&again), content(&whole));
            let [_, last] = parts;
            let [_, last] = last.split().unwrap();
            let [_, last] = last.split().unwrap();
            assert_eq!((last.count(), last.notes[0].enqueued_ns), (1, 106));
        }
    }
}
