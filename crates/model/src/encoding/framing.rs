//! The Confluent wire format: a zero byte and the schema's id before each datum.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A schema's id in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SchemaId(pub u32);

/// The five bytes before a datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireHeader([u8; 5]);

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl WireHeader {
    /// The header of data of schema `id`: magic byte 0, then the id as a big-endian integer.
    pub fn new(id: SchemaId) -> WireHeader {
        let [a, b, c, d] = id.0.to_be_bytes();
        WireHeader([0, a, b, c, d])
    }

    /// The header's bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8; 5] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_magic_byte_and_big_endian_id() {
        assert_eq!(WireHeader::new(SchemaId(0x0102_0304)).as_bytes(), &[0, 1, 2, 3, 4]);
    }
}
