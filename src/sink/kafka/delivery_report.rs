//! A delivery report of one record, read in place: rust-rdkafka allocates for each report and reads the
//! clock for each.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;

/// The delivery report of one record.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryReport<'a> {
    message: NonNull<native::rd_kafka_message_t>,
    event: PhantomData<&'a ()>,
}

impl<'a> DeliveryReport<'a> {
    /// The report in `message`.
    ///
    /// # Safety
    /// `message` is one of a delivery event's, and that event lives for `'a`.
    pub(super) unsafe fn new(message: NonNull<native::rd_kafka_message_t>) -> DeliveryReport<'a> {
        DeliveryReport { message, event: PhantomData }
    }

    /// The error for which the record failed, if it did.
    #[inline]
    pub fn error(&self) -> Option<RDKafkaErrorCode> {
        // SAFETY: what `new` was promised.
        let code = unsafe { self.message.as_ref() }.err;
        (code != native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
    }

    /// The bytes of its key and value.
    #[inline]
    pub fn bytes(&self) -> usize {
        // SAFETY: what `new` was promised.
        let message = unsafe { self.message.as_ref() };
        message.key_len + message.len
    }

    /// The record's opaque.
    #[inline]
    pub fn opaque(&self) -> usize {
        // SAFETY: what `new` was promised; the pointer is an integer that is never dereferenced.
        unsafe { self.message.as_ref() }._private as usize
    }

    /// How long ago it was enqueued.
    #[inline]
    pub fn since_enqueued(&self) -> Duration {
        // SAFETY: what `new` was promised.
        unsafe { latency(self.message.as_ptr()) }
    }
}

/// How long ago the record of a delivery report was enqueued.
#[inline]
pub fn since_enqueued(report: &BorrowedMessage<'_>) -> Duration {
    // SAFETY: the message of a delivery report is valid as long as its borrow.
    unsafe { latency(report.ptr()) }
}

/// How long ago `message` was enqueued.
///
/// # Safety
/// `message` belongs to a delivery report that is alive.
#[inline]
unsafe fn latency(message: *const native::rd_kafka_message_t) -> Duration {
    // SAFETY: the caller's promise.
    let micros = unsafe { native::rd_kafka_message_latency(message) };
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
