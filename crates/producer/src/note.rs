//! What a delivery report needs of a record.

/// What is kept of a record until its outcome is final.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordNote {
    /// When it was enqueued, on the producer's clock.
    pub(crate) enqueued_ns: u64,
    /// The caller's number, or [`NO_OPAQUE`].
    pub(crate) opaque: u64,
    /// The bytes of its key and value.
    pub(crate) bytes: u32,
}

/// The opaque of a record without one.
pub(crate) const NO_OPAQUE: u64 = u64::MAX;
