//! What a producer remembers of a record that it has written into a batch.

/// What is remembered of a record until its outcome is final.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordNote {
    /// When it was handed over, on the producer's clock.
    pub(crate) enqueued_ns: u64,
    /// The caller's number, or [`NO_OPAQUE`].
    pub(crate) opaque: u64,
    /// The bytes of its key and value.
    pub(crate) bytes: u32,
}

/// The opaque of a record that was given none.
pub(crate) const NO_OPAQUE: u64 = u64::MAX;
