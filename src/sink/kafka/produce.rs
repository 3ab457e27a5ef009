//! The only `unsafe` code of the crate: handing a record to librdkafka by topic handle, with its
//! partition and timestamp, which rust-rdkafka's own `send` does at twice the cost because it
//! looks the topic up by name for every record.
//!
//! Invariants, on which every block below rests:
//! 1. A [`TopicHandle`] holds a clone of the producer, so that the native client outlives it.
//! 2. librdkafka's topic and produce functions may be called from any thread.
//! 3. The opaque is an integer carried as a pointer: nobody follows it.
//! 4. `RD_KAFKA_MSG_F_COPY` makes librdkafka copy key and value before the call returns.

#![allow(unsafe_code)]

use std::ffi::{CString, NulError, c_void};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;
use std::sync::Arc;

use rdkafka::producer::{BaseProducer, Producer};

use super::delivery::Delivery;

/// The producer of a run. Somebody has to poll it for its delivery reports.
pub type KafkaProducer = Arc<BaseProducer<Delivery>>;

/// A topic of a producer, looked up once.
pub struct TopicHandle {
    producer: KafkaProducer,
    topic: *mut native::rd_kafka_topic_t,
}

// SAFETY: invariant 2; the handle has no interior of its own.
unsafe impl Send for TopicHandle {}
// SAFETY: as above.
unsafe impl Sync for TopicHandle {}

impl TopicHandle {
    /// The handle of topic `name`.
    ///
    /// # Errors
    /// The librdkafka error where the name can't be a topic's.
    pub fn new(producer: &KafkaProducer, name: &str) -> Result<TopicHandle, RDKafkaErrorCode> {
        let name = CString::new(name).map_err(|_: NulError| RDKafkaErrorCode::InvalidArgument)?;
        let client = producer.client().native_ptr();
        // SAFETY: `client` is alive (invariant 1), `name` ends in a zero byte and is copied; a
        // null configuration means the client's own.
        let topic = unsafe { native::rd_kafka_topic_new(client, name.as_ptr(), ptr::null_mut()) };
        if topic.is_null() {
            // SAFETY: reads this thread's last error, which the call above has set.
            return Err(unsafe { native::rd_kafka_last_error() }.into());
        }
        Ok(TopicHandle { producer: Arc::clone(producer), topic })
    }

    /// Hands a record to the producer, which copies it. `opaque` comes back with its delivery
    /// report. Never waits.
    ///
    /// # Errors
    /// `QueueFull` where the producer has no room now; any other code is final for the record.
    #[inline]
    pub fn produce(
        &self,
        partition: i32,
        key: &[u8],
        value: &[u8],
        timestamp_ms: i64,
        opaque: usize,
    ) -> Result<(), RDKafkaErrorCode> {
        use native::rd_kafka_vtype_t as tag;
        // SAFETY: the client and the topic are alive (invariant 1), key and value are valid for
        // their lengths during the call and copied (invariant 4), the opaque is never followed
        // (invariant 3), and the arguments follow librdkafka's grammar: each tag with values of
        // the C types that its documentation names (int32_t, int, int64_t, pointers and size_t),
        // closed by RD_KAFKA_VTYPE_END.
        let code = unsafe {
            native::rd_kafka_producev(
                self.producer.client().native_ptr(),
                tag::RD_KAFKA_VTYPE_RKT,
                self.topic,
                tag::RD_KAFKA_VTYPE_PARTITION,
                partition,
                tag::RD_KAFKA_VTYPE_MSGFLAGS,
                native::RD_KAFKA_MSG_F_COPY,
                tag::RD_KAFKA_VTYPE_VALUE,
                value.as_ptr().cast::<c_void>(),
                value.len(),
                tag::RD_KAFKA_VTYPE_KEY,
                key.as_ptr().cast::<c_void>(),
                key.len(),
                tag::RD_KAFKA_VTYPE_TIMESTAMP,
                timestamp_ms,
                tag::RD_KAFKA_VTYPE_OPAQUE,
                opaque as *mut c_void,
                tag::RD_KAFKA_VTYPE_END,
            )
        };
        match code {
            native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => Err(code.into()),
        }
    }
}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: the handle came from `rd_kafka_topic_new` and is given back once; records that
        // are still queued hold references of their own.
        unsafe { native::rd_kafka_topic_destroy(self.topic) };
    }
}

impl std::fmt::Debug for TopicHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicHandle").finish_non_exhaustive()
    }
}

/// How long ago the record of a delivery report was handed to the producer.
#[inline]
pub fn since_enqueued(report: &BorrowedMessage<'_>) -> Duration {
    // SAFETY: the message of a delivery report is valid as long as its borrow.
    let micros = unsafe { native::rd_kafka_message_latency(report.ptr()) };
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
