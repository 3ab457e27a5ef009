//! A record batch in Kafka's format 2, as it came, with its base offset and leader epoch stamped on.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::header::{CONTROL, HEADER, Header, LOG_APPEND_TIME, TRANSACTIONAL, i32_at};
use super::records::{self, RecordError};

/// The first byte that the checksum covers.
const CHECKED: usize = 21;
/// The bytes that the length of a batch doesn't count: the base offset and the length itself.
const UNCOUNTED: usize = 12;

/// A batch, in bytes of its own.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) header: Header,
    pub(crate) bytes: Bytes,
}

/// Reads the batch that a producer sent for a partition, and checks all that doesn't depend on the log:
/// length, size, checksum and records. Compressed records are checked only if `decompress` is set.
///
/// # Errors
/// Kafka's error code, and a message.
pub(crate) fn check(
    sent: &Bytes,
    max_bytes: usize,
    decompress: bool,
) -> Result<Header, (ResponseError, String)> {
    let invalid = |why: &str| (ResponseError::InvalidRecord, why.to_owned());
    let corrupt = |why: &str| (ResponseError::CorruptMessage, why.to_owned());
    if sent.len() > 16 && sent[16] < 2 {
        return Err((
            ResponseError::UnsupportedForMessageFormat,
            "only record batches of format 2 are supported".to_owned(),
        ));
    }
    if sent.len() < HEADER {
        return Err(corrupt("the batch is shorter than its header"));
    }
    if sent[16] != 2 {
        return Err(invalid("the batch is of an unknown format"));
    }
    let length = usize::try_from(i32_at(sent, 8)).unwrap_or(0) + UNCOUNTED;
    if length < HEADER || length > sent.len() {
        return Err(corrupt("the length of the batch is not the length of the data"));
    }
    if length < sent.len() {
        return Err(invalid("more than one batch for a partition"));
    }
    if length > max_bytes {
        return Err((
            ResponseError::MessageTooLarge,
            format!("the batch has {length} bytes, {max_bytes} are allowed"),
        ));
    }
    if crc32c::crc32c(&sent[CHECKED..]) != i32_at(sent, 17).cast_unsigned() {
        return Err(corrupt("the checksum does not match the batch"));
    }
    let header = Header::read(sent);
    if header.count <= 0 || header.last_offset_delta != header.count - 1 {
        return Err(invalid("the count of records does not match the offsets"));
    }
    if header.is_control() {
        return Err(invalid("producers may not write control batches"));
    }
    if header.has_producer() && (header.producer_epoch < 0 || header.base_sequence < 0) {
        return Err(invalid("a producer id without an epoch or a sequence"));
    }
    if header.codec() > 4 {
        return Err(invalid("an unknown codec"));
    }
    if header.codec() == 0 || decompress {
        let body = sent.slice(HEADER..);
        records::check(&header, body, decompress).map_err(|e| match e {
            RecordError::NoKey => {
                invalid("a compacted topic does not accept records without a key")
            }
            RecordError::Malformed(why) => invalid(why),
            RecordError::Codec(why) => (ResponseError::CorruptMessage, why.to_string()),
        })?;
    }
    Ok(header)
}

/// Stamps a batch with its place in the log. A copy, so that it doesn't keep the whole request in memory.
pub(crate) fn place(
    sent: &[u8],
    mut header: Header,
    base_offset: i64,
    leader_epoch: i32,
    log_append_time: Option<i64>,
) -> Batch {
    let mut bytes = sent.to_vec();
    header.base_offset = base_offset;
    header.leader_epoch = leader_epoch;
    bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
    bytes[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
    if let Some(now) = log_append_time {
        header.attributes |= LOG_APPEND_TIME;
        header.max_timestamp = now;
        bytes[21..23].copy_from_slice(&header.attributes.to_be_bytes());
        bytes[35..43].copy_from_slice(&now.to_be_bytes());
        stamp_checksum(&mut bytes);
    }
    Batch { header, bytes: Bytes::from(bytes) }
}

/// Writes a batch: a header, and uncompressed records, which are `body`.
pub(crate) fn write(header: Header, body: &[u8]) -> Batch {
    let mut header = header;
    header.attributes &= !0b111;
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(&header.base_offset.to_be_bytes());
    let length = i32::try_from(HEADER - UNCOUNTED + body.len()).unwrap_or(i32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&header.leader_epoch.to_be_bytes());
    bytes.push(2);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&header.attributes.to_be_bytes());
    bytes.extend_from_slice(&header.last_offset_delta.to_be_bytes());
    bytes.extend_from_slice(&header.base_timestamp.to_be_bytes());
    bytes.extend_from_slice(&header.max_timestamp.to_be_bytes());
    bytes.extend_from_slice(&header.producer_id.to_be_bytes());
    bytes.extend_from_slice(&header.producer_epoch.to_be_bytes());
    bytes.extend_from_slice(&header.base_sequence.to_be_bytes());
    bytes.extend_from_slice(&header.count.to_be_bytes());
    bytes.extend_from_slice(body);
    stamp_checksum(&mut bytes);
    Batch { header, bytes: Bytes::from(bytes) }
}

/// The control batch that ends a transaction in a partition.
pub(crate) fn marker(
    base_offset: i64,
    leader_epoch: i32,
    (producer_id, producer_epoch): (i64, i16),
    commit: bool,
    now: i64,
) -> Batch {
    let header = Header {
        base_offset,
        leader_epoch,
        attributes: TRANSACTIONAL | CONTROL,
        last_offset_delta: 0,
        base_timestamp: now,
        max_timestamp: now,
        producer_id,
        producer_epoch,
        base_sequence: -1,
        count: 1,
    };
    // Version 0 of the key (its type: 0 aborts, 1 commits) and of the value (the coordinator's epoch).
    let key = [0, 0, 0, u8::from(commit)];
    let value = [0; 6];
    let mut body = Vec::new();
    records::write(&mut body, 0, 0, Some(&key), Some(&value), &[]);
    write(header, &body)
}

fn stamp_checksum(bytes: &mut [u8]) {
    let crc = crc32c::crc32c(&bytes[CHECKED..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
}
