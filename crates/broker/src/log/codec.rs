//! Decompresses batches. The broker never compresses: batches are kept as they came.

use std::io::{self, Read};

use bytes::Bytes;

/// The most bytes that a batch may decompress to: a small one that expands to gigabytes is rejected.
const MOST: u64 = 128 << 20;

/// The magic bytes of the Java library's framing of snappy, which Java clients and librdkafka write.
const XERIAL: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];

/// Why a batch can't be decompressed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    #[error("codec {0} is unknown")]
    Unknown(i16),
    #[error("{codec}: {cause}")]
    Damaged { codec: &'static str, cause: String },
    #[error("{codec}: the records come to more than {MOST} bytes")]
    TooLarge { codec: &'static str },
}

/// Decompresses the records of a batch with the codec of its attributes.
///
/// # Errors
/// If they can't be decompressed.
pub(crate) fn decompress(codec: i16, body: Bytes) -> Result<Bytes, CodecError> {
    let opened = match codec {
        0 => return Ok(body),
        1 => all("gzip", flate2::read::MultiGzDecoder::new(&body[..])),
        2 => snappy(&body),
        3 => all("lz4", lz4_flex::frame::FrameDecoder::new(&body[..])),
        4 => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(&body[..])
                .map_err(|e| CodecError::Damaged { codec: "zstd", cause: e.to_string() })?;
            all("zstd", decoder)
        }
        unknown => Err(CodecError::Unknown(unknown)),
    }?;
    Ok(Bytes::from(opened))
}

fn all(codec: &'static str, from: impl Read) -> Result<Vec<u8>, CodecError> {
    let mut opened = Vec::new();
    let read = from.take(MOST + 1).read_to_end(&mut opened);
    match read {
        Ok(_) if opened.len() as u64 <= MOST => Ok(opened),
        Ok(_) => Err(CodecError::TooLarge { codec }),
        Err(e) => Err(CodecError::Damaged { codec, cause: e.to_string() }),
    }
}

/// Snappy in the framing of the Java library (blocks with their lengths), or bare.
fn snappy(body: &[u8]) -> Result<Vec<u8>, CodecError> {
    let codec = "snappy";
    let fail = |e: &dyn std::fmt::Display| CodecError::Damaged { codec, cause: e.to_string() };
    let Some(framed) = body.strip_prefix(&XERIAL) else {
        let length = snap::raw::decompress_len(body).map_err(|e| fail(&e))?;
        if length as u64 > MOST {
            return Err(CodecError::TooLarge { codec });
        }
        return snap::raw::Decoder::new().decompress_vec(body).map_err(|e| fail(&e));
    };
    // Two version numbers of four bytes each. Readers ignore them.
    let mut rest = framed.get(8..).ok_or_else(|| fail(&io::ErrorKind::UnexpectedEof))?;
    let mut opened = Vec::new();
    while !rest.is_empty() {
        let (length, after) =
            rest.split_first_chunk::<4>().ok_or_else(|| fail(&io::ErrorKind::UnexpectedEof))?;
        let length = u32::from_be_bytes(*length) as usize;
        let block = after.get(..length).ok_or_else(|| fail(&io::ErrorKind::UnexpectedEof))?;
        let comes_to = snap::raw::decompress_len(block).map_err(|e| fail(&e))?;
        if (opened.len() + comes_to) as u64 > MOST {
            return Err(CodecError::TooLarge { codec });
        }
        opened.extend(snap::raw::Decoder::new().decompress_vec(block).map_err(|e| fail(&e))?);
        rest = &after[length..];
    }
    Ok(opened)
}
