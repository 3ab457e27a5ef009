//! A record batch in Kafka's format 2: records are appended one by one, then the batch is closed and
//! stamped with its producer id, epoch and sequence.
//!
//! The layout is that of Kafka's `DefaultRecordBatch`: 61 bytes of header, then the records, which
//! may be compressed as a whole.

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::{Codec, Compressor};
use crate::note::RecordNote;

/// The bytes of a batch before its records.
pub(crate) const HEADER: usize = 61;
/// The first byte that the checksum covers.
pub(crate) const CHECKED: usize = 21;
/// The most bytes that a record's framing takes: eight varints, and its attributes.
const FRAMING: usize = 40;
/// The initial size of a batch's buffer, which doubles as it grows.
const FIRST_ROOM: usize = 1 << 10;
/// A batch that fills less than this part of its buffer is copied out of it. Otherwise batches in flight
/// would hold many times the memory that they are counted by.
const SPARSE: usize = 4;

/// A buffer that a finished batch left for the next one.
#[derive(Debug)]
pub(crate) struct Buffer {
    data: BytesMut,
    notes: Vec<RecordNote>,
}

/// A batch that still takes records.
#[derive(Debug)]
pub(crate) struct OpenBatch {
    /// The records, after room for the header.
    data: BytesMut,
    notes: Vec<RecordNote>,
    first_ms: i64,
    latest_ms: i64,
}

/// A closed batch.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The partition's number among those of the producer.
    pub(crate) partition: usize,
    /// What its delivery report needs of each record.
    pub(crate) notes: Vec<RecordNote>,
    /// Its number in its partition, in order.
    pub(crate) number: u64,
    /// How many numbers, from its own on, belong to it and to its parts if it is split.
    pub(crate) number_span: u64,
    /// When its first record was enqueued, on the producer's clock.
    pub(crate) created_ns: u64,
    /// Its base sequence when it was last sent; `None` before it is sent.
    pub(crate) sequence: Option<i32>,
    /// Whether it gets a new sequence when it is next sent.
    pub(crate) needs_sequence: bool,
    /// Whether it was sent and may have been appended.
    pub(crate) in_doubt: bool,
    /// The bytes by which it counts towards what the producer may hold.
    pub(crate) counted_bytes: usize,
    data: Bytes,
    /// Whether it is still in the buffer that it was written into, rather than in one of its own size.
    in_buffer: bool,
}

/// A producer id and its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProducerId {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// No producer id, for batches without a sequence.
const NOBODY: ProducerId = ProducerId { id: -1, epoch: -1 };

impl OpenBatch {
    /// An empty batch, in a reused buffer if there is one.
    pub(crate) fn new(buffer: Option<Buffer>) -> OpenBatch {
        let first = || Buffer { data: BytesMut::with_capacity(FIRST_ROOM), notes: Vec::new() };
        let Buffer { mut data, mut notes } = buffer.unwrap_or_else(first);
        data.clear();
        data.put_bytes(0, HEADER);
        notes.clear();
        OpenBatch { data, notes, first_ms: 0, latest_ms: 0 }
    }

    /// Whether a record of this size would make it larger than `most_bytes`.
    #[inline]
    pub(crate) fn is_full(&self, bytes: usize, most_bytes: usize) -> bool {
        !self.notes.is_empty() && self.data.len() + bytes + FRAMING > most_bytes
    }

    /// Adds a record; returns the bytes that it takes.
    #[inline]
    pub(crate) fn push(
        &mut self,
        key: &[u8],
        value: &[u8],
        timestamp_ms: i64,
        note: RecordNote,
    ) -> usize {
        if self.notes.is_empty() {
            (self.first_ms, self.latest_ms) = (timestamp_ms, timestamp_ms);
        }
        self.latest_ms = self.latest_ms.max(timestamp_ms);
        let mut before = Varints::new();
        before.byte(0); // attributes
        before.put(timestamp_ms - self.first_ms);
        before.put(self.notes.len() as i64);
        before.put(key.len() as i64);
        let mut between = Varints::new();
        between.put(value.len() as i64);
        let length = before.len + key.len() + between.len + value.len() + 1;
        let mut first = Varints::new();
        first.put(length as i64);
        self.data.reserve(first.len + length);
        self.data.extend_from_slice(first.as_slice());
        self.data.extend_from_slice(before.as_slice());
        self.data.extend_from_slice(key);
        self.data.extend_from_slice(between.as_slice());
        self.data.extend_from_slice(value);
        self.data.put_u8(0); // no headers
        self.notes.push(note);
        first.len + length
    }

    /// How many records it holds.
    pub(crate) fn records(&self) -> u64 {
        self.notes.len() as u64
    }

    /// The bytes that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.data.len() - HEADER
    }

    /// Closes the batch, which has at least one record. Returns its buffer as well, if the batch was
    /// copied out of it.
    ///
    /// # Errors
    /// Errors of the codec.
    pub(crate) fn close(
        self,
        partition: usize,
        compressor: &mut Compressor,
    ) -> std::io::Result<(Batch, Option<Buffer>)> {
        let OpenBatch { mut data, mut notes, first_ms, latest_ms } = self;
        let codec = compressor.codec();
        let smaller = if codec != Codec::None {
            let records = compressor.compress(&data[HEADER..])?;
            let mut smaller = BytesMut::with_capacity(HEADER + records.len());
            smaller.put_bytes(0, HEADER);
            smaller.extend_from_slice(records);
            Some(smaller)
        } else if data.len() < data.capacity() / SPARSE {
            Some(BytesMut::from(&data[..]))
        } else {
            None
        };
        let buffer = smaller.map(|smaller| {
            let few = notes.to_vec();
            Buffer {
                data: std::mem::replace(&mut data, smaller),
                notes: std::mem::replace(&mut notes, few),
            }
        });
        let count = notes.len() as i32;
        let length = (data.len() - 12) as i32; // all behind this field
        let mut header = &mut data[..HEADER];
        header.put_i64(0); // base offset, the broker's to set
        header.put_i32(length);
        header.put_i32(-1); // partition leader epoch, the broker's to set
        header.put_i8(2); // format
        header.put_u32(0); // checksum, see `stamp`
        header.put_i16(codec as i16);
        header.put_i32(count - 1);
        header.put_i64(first_ms);
        header.put_i64(latest_ms);
        header.put_i64(NOBODY.id);
        header.put_i16(NOBODY.epoch);
        header.put_i32(-1);
        header.put_i32(count);
        let created_ns = notes.first().map_or(0, |note| note.enqueued_ns);
        let data = data.freeze();
        let batch = Batch {
            partition,
            notes,
            number: 0,
            number_span: 1,
            created_ns,
            sequence: None,
            needs_sequence: true,
            in_doubt: false,
            counted_bytes: data.len(),
            data,
            in_buffer: buffer.is_none(),
        };
        Ok((batch, buffer))
    }
}

impl Batch {
    /// The bytes to send, stamped with the producer id, epoch and sequence if it has them.
    pub(crate) fn stamped(&mut self, producer: Option<ProducerId>) -> Bytes {
        // Nobody else holds the bytes: a request that did was written, or failed.
        let mut data = BytesMut::from(std::mem::take(&mut self.data));
        let producer = producer.unwrap_or(NOBODY);
        (&mut data[43..51]).put_i64(producer.id);
        (&mut data[51..53]).put_i16(producer.epoch);
        (&mut data[53..57]).put_i32(self.sequence.unwrap_or(-1));
        // To combine it from the records' own checksums would cost more.
        let crc = crc32c::crc32c(&data[CHECKED..]);
        (&mut data[17..CHECKED]).put_u32(crc);
        self.data = data.freeze();
        self.data.clone()
    }

    /// How many records it has.
    pub(crate) fn count(&self) -> usize {
        self.notes.len()
    }

    /// Its size in a request, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    /// Its bytes, header included.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// Its buffer, for reuse, if it still has it.
    pub(crate) fn into_buffer(self) -> Option<Buffer> {
        self.in_buffer.then(|| Buffer { data: BytesMut::from(self.data), notes: self.notes })
    }
}

impl Buffer {
    /// Its capacity, in bytes of records.
    pub(crate) fn bytes(&self) -> usize {
        self.data.capacity()
    }
}

/// Numbers as Kafka's varints: zigzag, seven bits a byte.
struct Varints {
    bytes: [u8; FRAMING],
    len: usize,
}

impl Varints {
    fn new() -> Varints {
        Varints { bytes: [0; FRAMING], len: 0 }
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    #[inline]
    fn put(&mut self, value: i64) {
        let mut left = ((value << 1) ^ (value >> 63)) as u64;
        while left >= 0x80 {
            self.byte(left as u8 | 0x80);
            left >>= 7;
        }
        self.byte(left as u8);
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests;
