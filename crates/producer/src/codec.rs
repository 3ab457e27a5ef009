//! Compression of a batch's records, by Kafka's codecs.

use std::fmt;
use std::io::{self, Read, Write};

/// How a batch is compressed. The numbers are those in a batch's attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// Not at all.
    #[default]
    None = 0,
    /// By gzip.
    Gzip = 1,
    /// By LZ4.
    Lz4 = 3,
    /// By Zstandard.
    Zstd = 4,
}

impl Codec {
    /// The codec of this name, as in Kafka's `compression.type`; `None` if it is not supported.
    #[must_use]
    pub fn named(name: &str) -> Option<Codec> {
        match name {
            "none" => Some(Codec::None),
            "gzip" => Some(Codec::Gzip),
            "lz4" => Some(Codec::Lz4),
            "zstd" => Some(Codec::Zstd),
            _ => None,
        }
    }

    /// The codec in a batch's attributes: their lowest bits.
    pub(crate) fn of_attributes(attributes: u8) -> Option<Codec> {
        let all = [Codec::None, Codec::Gzip, Codec::Lz4, Codec::Zstd];
        all.into_iter().find(|codec| *codec as u8 == attributes & 7)
    }
}

/// Decompresses the records of a batch.
///
/// # Errors
/// Those of the codec.
pub(crate) fn decompress(codec: Codec, records: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    match codec {
        Codec::None => plain.extend_from_slice(records),
        Codec::Gzip => {
            flate2::read::GzDecoder::new(records).read_to_end(&mut plain)?;
        }
        Codec::Lz4 => {
            lz4_flex::frame::FrameDecoder::new(records).read_to_end(&mut plain)?;
        }
        Codec::Zstd => plain = zstd::stream::decode_all(records)?,
    }
    Ok(plain)
}

/// A codec with the state that it keeps from one batch to the next.
pub(crate) struct Compressor {
    codec: Codec,
    level: Option<i32>,
    zstd: Option<zstd::bulk::Compressor<'static>>,
    /// The last batch, compressed.
    made: Vec<u8>,
}

impl Compressor {
    /// A compressor at this level, or at the codec's default.
    pub(crate) fn new(codec: Codec, level: Option<i32>) -> Compressor {
        Compressor { codec, level, zstd: None, made: Vec::new() }
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    /// Compresses `records`.
    ///
    /// # Errors
    /// Those of the codec.
    pub(crate) fn compress(&mut self, records: &[u8]) -> io::Result<&[u8]> {
        let to = &mut self.made;
        to.clear();
        match self.codec {
            Codec::None => to.extend_from_slice(records),
            Codec::Gzip => {
                let level = self.level.map_or(flate2::Compression::default(), |level| {
                    flate2::Compression::new(level.unsigned_abs().min(9))
                });
                let mut encoder = flate2::write::GzEncoder::new(to, level);
                encoder.write_all(records)?;
                encoder.finish()?;
            }
            Codec::Lz4 => {
                let info = lz4_flex::frame::FrameInfo::new()
                    .block_size(lz4_flex::frame::BlockSize::Max64KB)
                    .block_mode(lz4_flex::frame::BlockMode::Independent);
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, to);
                encoder.write_all(records)?;
                encoder.finish().map_err(io::Error::other)?;
            }
            Codec::Zstd => {
                let zstd = match &mut self.zstd {
                    Some(zstd) => zstd,
                    none => {
                        let level = self.level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
                        none.insert(zstd::bulk::Compressor::new(level)?)
                    }
                };
                to.reserve(zstd::zstd_safe::compress_bound(records.len()));
                zstd.compress_to_buffer(records, to)?;
            }
        }
        Ok(&self.made)
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.codec.fmt(f)
    }
}
