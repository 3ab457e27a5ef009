//! Decodes requests of untrusted clients. The protocol's decoder allocates as many elements as an array
//! claims before it reads the first, so a claim of two billion would kill the process. So each request is
//! first decoded over a reader that caps every length at the bytes that are left, and the result is
//! dropped. Only then is it decoded for use.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::buf::ByteBuf;

/// Bytes that are not a valid request.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidRequest(String);

impl InvalidRequest {
    pub(crate) fn of(error: impl std::fmt::Display) -> InvalidRequest {
        InvalidRequest(error.to_string())
    }

    /// A request of an API that is not supported.
    pub(crate) fn unsupported(api: ApiKey) -> InvalidRequest {
        InvalidRequest(format!("{api:?} is not supported"))
    }
}

/// Decodes a message and drops it.
pub(crate) fn decode_and_drop<T: Decodable>(
    reader: &mut BoundedReader,
    version: i16,
) -> Result<(), InvalidRequest> {
    T::decode(reader, version).map(drop).map_err(InvalidRequest::of)
}

/// Bytes in which no length exceeds what is left. Four bytes may be a length or any other number: one
/// that is too large is capped, and fails soon if it is a length. A varint is always a length or a tag:
/// one that is too large ends the input. Single bytes may be mistaken for the start of a varint, which
/// only makes that larger.
pub(crate) struct BoundedReader {
    rest: Bytes,
    varint: u64,
    shift: u32,
}

impl BoundedReader {
    pub(crate) fn new(bytes: Bytes) -> BoundedReader {
        BoundedReader { rest: bytes, varint: 0, shift: 0 }
    }
}

impl Buf for BoundedReader {
    fn remaining(&self) -> usize {
        self.rest.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.rest
    }

    fn advance(&mut self, count: usize) {
        self.rest.advance(count);
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let byte = self.rest.try_get_u8()?;
        let low = u64::from(byte & 0x7f);
        self.varint |= if self.shift < 57 { low << self.shift } else { low };
        self.shift += 7;
        if self.varint > self.rest.len() as u64 + 1 && self.shift > 7 {
            self.rest.clear();
            return Err(TryGetError { requested: 1, available: 0 });
        }
        if byte < 0x80 {
            self.varint = 0;
            self.shift = 0;
        }
        Ok(byte)
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let value = self.rest.try_get_i32()?;
        let most = i32::try_from(self.rest.len() + 1).unwrap_or(i32::MAX);
        Ok(value.min(most))
    }
}

impl ByteBuf for BoundedReader {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.rest.slice(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.rest.split_to(size)
    }
}
