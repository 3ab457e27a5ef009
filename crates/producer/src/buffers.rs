//! Buffers that batches and requests have left, for others.

use bytes::BytesMut;
use parking_lot::Mutex;

use crate::batch::Buffer;

/// Buffers of batches whose outcome is final.
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

/// How many bytes of buffers are kept for batches to come.
const MAX_KEPT_BYTES: usize = 8 << 20;
const MAX_KEPT_FRAMES: usize = 8;

impl BatchBuffers {
    /// Keeps a batch's buffer for another.
    pub(crate) fn put(&self, buffer: Buffer) {
        let mut kept = self.0.lock();
        if kept.bytes < MAX_KEPT_BYTES {
            kept.bytes += buffer.bytes();
            kept.all.push(buffer);
        }
    }

    /// A buffer that a batch has left, if there is one.
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

    /// Keeps the buffer of a request that was written.
    pub(crate) fn put(&self, frame: BytesMut) {
        let mut frames = self.0.lock();
        if frames.len() < MAX_KEPT_FRAMES {
            frames.push(frame);
        }
    }
}
