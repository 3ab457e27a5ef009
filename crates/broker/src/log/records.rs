//! The records of a batch: read, checked, written.

use bytes::{Buf, Bytes};

use super::codec;
use super::header::Header;

/// Why the records of a batch are rejected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("a record without a key")]
    NoKey,
    #[error("{0}")]
    Malformed(&'static str),
    #[error(transparent)]
    Codec(#[from] codec::CodecError),
}

/// A record in its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) offset_delta: i32,
    pub(crate) timestamp_delta: i64,
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(Bytes, Option<Bytes>)>,
}

const SHORT: RecordError = RecordError::Malformed("a record ends before its fields do");

/// Checks that the records are complete, match the header's count, and have keys if the topic needs them.
pub(crate) fn check(header: &Header, body: Bytes, keyed: bool) -> Result<(), RecordError> {
    let mut body = codec::decompress(header.codec(), body)?;
    for expected in 0..header.count {
        let mut record = next(&mut body)?;
        let (offset_delta, _) = start(&mut record)?;
        if offset_delta != expected {
            return Err(RecordError::Malformed(
                "the offset deltas of the batch are not consecutive",
            ));
        }
        if field(&mut record)?.is_none() && keyed {
            return Err(RecordError::NoKey);
        }
        field(&mut record)?;
        let headers = varint(&mut record)?;
        if headers < 0 {
            return Err(RecordError::Malformed("a negative count of headers"));
        }
        for _ in 0..headers {
            if field(&mut record)?.is_none() {
                return Err(RecordError::Malformed("a header without a name"));
            }
            field(&mut record)?;
        }
        if !record.is_empty() {
            return Err(RecordError::Malformed("a record is longer than its fields"));
        }
    }
    if body.is_empty() {
        Ok(())
    } else {
        Err(RecordError::Malformed("more records than the header says"))
    }
}

/// Reads all records of a batch; `body` is what follows the header.
pub(crate) fn read(header: &Header, body: Bytes) -> Result<Vec<Record>, RecordError> {
    let mut body = codec::decompress(header.codec(), body)?;
    let mut records = Vec::new();
    for _ in 0..header.count {
        let mut record = next(&mut body)?;
        let (offset_delta, timestamp_delta) = start(&mut record)?;
        let key = field(&mut record)?;
        let value = field(&mut record)?;
        let mut headers = Vec::new();
        for _ in 0..varint(&mut record)? {
            let name =
                field(&mut record)?.ok_or(RecordError::Malformed("a header without a name"))?;
            headers.push((name, field(&mut record)?));
        }
        records.push(Record { offset_delta, timestamp_delta, key, value, headers });
    }
    Ok(records)
}

/// Appends a record to `out`.
pub(crate) fn write(
    out: &mut Vec<u8>,
    offset_delta: i32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[(Bytes, Option<Bytes>)],
) {
    let mut record = vec![0];
    put_varint(&mut record, timestamp_delta);
    put_varint(&mut record, i64::from(offset_delta));
    put_field(&mut record, key);
    put_field(&mut record, value);
    put_varint(&mut record, i64::try_from(headers.len()).unwrap_or(i64::MAX));
    for (name, value) in headers {
        put_field(&mut record, Some(name));
        put_field(&mut record, value.as_deref());
    }
    put_varint(out, i64::try_from(record.len()).unwrap_or(i64::MAX));
    out.extend_from_slice(&record);
}

/// Takes the next record, without its length, off the body.
fn next(body: &mut Bytes) -> Result<Bytes, RecordError> {
    let length = usize::try_from(varint(body)?)
        .map_err(|_| RecordError::Malformed("a record of a negative length"))?;
    if length > body.len() {
        return Err(SHORT);
    }
    Ok(body.split_to(length))
}

/// Reads a record's attributes, which nothing uses, its timestamp delta and its offset delta.
fn start(record: &mut Bytes) -> Result<(i32, i64), RecordError> {
    if record.is_empty() {
        return Err(SHORT);
    }
    record.advance(1);
    let timestamp_delta = varint(record)?;
    let offset_delta = i32::try_from(varint(record)?)
        .map_err(|_| RecordError::Malformed("an offset delta out of range"))?;
    Ok((offset_delta, timestamp_delta))
}

fn field(record: &mut Bytes) -> Result<Option<Bytes>, RecordError> {
    let length = varint(record)?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length)
        .map_err(|_| RecordError::Malformed("a field of a negative length"))?;
    if length > record.len() {
        return Err(SHORT);
    }
    Ok(Some(record.split_to(length)))
}

fn varint(from: &mut Bytes) -> Result<i64, RecordError> {
    let mut value = 0_u64;
    for (i, &byte) in from.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            from.advance(i + 1);
            return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    Err(SHORT)
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn put_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, i64::try_from(bytes.len()).unwrap_or(i64::MAX));
            out.extend_from_slice(bytes);
        }
    }
}
