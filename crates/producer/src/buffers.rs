//! Buffers of finished batches and requests, for reuse.

use bytes::BytesMut;
use parking_lot::Mutex;

use crate::batch::Buffer;

/// Buffers of finished batches.
#[derive(Debug, Default)]
pub(crate) struct BatchBuffers(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    all: Vec<Buffer>,
    bytes: usize,
}

/// Buffers of requests that were written.
#[derive(Debug, Default)]
pub(crate) struct FrameBuffers(Mutex<Vec<BytesMut>>);

/// How many bytes of buffers are kept for reuse.
const MAX_KEPT_BYTES: usize = 8 << 20;
const MAX_KEPT_FRAMES: usize = 8;

impl BatchBuffers {
    /// Keeps a finished batch's buffer.
    pub(crate) fn put(&self, buffer: Buffer) {
        let mut kept = self.0.lock();
        if kept.bytes < MAX_KEPT_BYTES {
            kept.bytes += buffer.bytes();
            kept.all.push(buffer);
        }
    }

    /// A kept buffer, if there is one.
    pub(crate) fn take(&self) -> Option<Buffer> {
        let mut kept = self.0.lock();
        let buffer = kept.all.pop()?;
        kept.bytes -= buffer.bytes();
        Some(buffer)
    }
}

impl FrameBuffers {
    /// A buffer for a request.
    pub(crate) fn take(&self) -> BytesMut {
        self.0.lock().pop().unwrap_or_default()
    }

    /// Keeps the buffer of a written request.
    pub(crate) fn put(&self, frame: BytesMut) {
        let mut frames = self.0.lock();
        if frames.len() < MAX_KEPT_FRAMES {
            frames.push(frame);
        }
    }
}
