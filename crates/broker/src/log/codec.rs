//! Opening what a batch compresses. The broker compresses nothing itself: batches are kept as they came.

use std::io::{self, Read};

use bytes::Bytes;

/// The most that a batch may come to: a small one that opens into gigabytes is refused.
const MOST: u64 = 128 << 20;

/// What snappy's Java framing begins with, which Java clients and librdkafka write.
const XERIAL: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];

/// The records of a batch, opened by the codec of its attributes.
///
/// # Errors
/// Why they can't be.
pub(crate) fn open(codec: i16, body: Bytes) -> Result<Bytes, String> {
    let opened = match codec {
        0 => return Ok(body),
        1 => all("gzip", flate2::read::MultiGzDecoder::new(&body[..])),
        2 => snappy(&body),
        3 => all("lz4", lz4_flex::frame::FrameDecoder::new(&body[..])),
        4 => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(&body[..])
                .map_err(|e| format!("zstd: {e}"))?;
            all("zstd", decoder)
        }
        unknown => Err(format!("codec {unknown} is unknown")),
    }?;
    Ok(Bytes::from(opened))
}

fn all(name: &str, from: impl Read) -> Result<Vec<u8>, String> {
    let mut opened = Vec::new();
    let read = from.take(MOST + 1).read_to_end(&mut opened);
    match read {
        Ok(_) if opened.len() as u64 <= MOST => Ok(opened),
        Ok(_) => Err(format!("{name}: the records come to more than {MOST} bytes")),
        Err(e) => Err(format!("{name}: {e}")),
    }
}

/// Snappy in the framing of Java's library (blocks behind their lengths), or bare.
fn snappy(body: &[u8]) -> Result<Vec<u8>, String> {
    let fail = |e: &dyn std::fmt::Display| format!("snappy: {e}");
    let Some(framed) = body.strip_prefix(&XERIAL) else {
        let length = snap::raw::decompress_len(body).map_err(|e| fail(&e))?;
        if length as u64 > MOST {
            return Err(format!("snappy: the records come to more than {MOST} bytes"));
        }
        return snap::raw::Decoder::new().decompress_vec(body).map_err(|e| fail(&e));
    };
    // Two versions of four bytes, which nobody looks at.
    let mut rest = framed.get(8..).ok_or_else(|| fail(&io::ErrorKind::UnexpectedEof))?;
    let mut opened = Vec::new();
    while !rest.is_empty() {
        let (length, after) =
            rest.split_first_chunk::<4>().ok_or_else(|| fail(&io::ErrorKind::UnexpectedEof))?;
        let length = u32::from_be_bytes(*length) as usize;
        let block = after.get(..length).ok_or_else(|| fail(&io::ErrorKind::UnexpectedEof))?;
        let comes_to = snap::raw::decompress_len(block).map_err(|e| fail(&e))?;
        if (opened.len() + comes_to) as u64 > MOST {
            return Err(format!("snappy: the records come to more than {MOST} bytes"));
        }
        opened.extend(snap::raw::Decoder::new().decompress_vec(block).map_err(|e| fail(&e))?);
        rest = &after[length..];
    }
    Ok(opened)
}
