//! DescribeTopics with authorized operations, which rust-rdkafka doesn't support.

#![allow(unsafe_code)]

use std::ffi::{CString, NulError, c_char};
use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer;

use super::event::{Event, text};
use super::produce::KafkaProducer;

/// The description of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Why there is no description, if there is none.
    pub error: Option<RDKafkaErrorCode>,
    /// Its topic id, as Kafka writes it; `None` on a cluster without topic ids.
    pub id: Option<String>,
    /// How many partitions it has.
    pub partitions: u32,
    /// Whether the user may write to it; `None` if the cluster doesn't report authorized operations.
    pub writable: Option<bool>,
}

/// The buffer for the reason why a timeout_ms is rejected.
const LONGEST_REASON: usize = 256;

/// Describes topics, with the client of `producer`. Waits up to `timeout`.
///
/// # Errors
/// The code and the text of the failure.
pub fn topics(
    producer: &KafkaProducer,
    names: &[&str],
    timeout: Duration,
) -> Result<Vec<TopicDescription>, (RDKafkaErrorCode, String)> {
    let wrong = |_: NulError| (RDKafkaErrorCode::InvalidTopic, "a zero byte".to_owned());
    let names: Vec<CString> =
        names.iter().map(|name| CString::new(*name)).collect::<Result<_, _>>().map_err(wrong)?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX).max(1);
    let client = producer.client().native_ptr();
    // SAFETY: the client is alive throughout, as the caller's reference to it. The collection copies
    // the names, which live until the end; the request copies collection and options, so that all
    // three and the queue are given back once, right after their last use. An event that comes too
    // late for the wait is destroyed with its queue.
    let event = unsafe {
        let topics =
            native::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let options = native::rd_kafka_AdminOptions_new(
            client,
            native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        let mut reason: [c_char; LONGEST_REASON] = [0; LONGEST_REASON];
        // If it rejects the timeout_ms, its own of a minute holds. The wait below is bounded anyway.
        native::rd_kafka_AdminOptions_set_request_timeout(
            options,
            timeout_ms,
            reason.as_mut_ptr(),
            LONGEST_REASON,
        );
        let refused = native::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
        if !refused.is_null() {
            // Without this, the operations are unknown.
            native::rd_kafka_error_destroy(refused);
        }
        let queue = native::rd_kafka_queue_new(client);
        native::rd_kafka_DescribeTopics(client, topics, options, queue);
        native::rd_kafka_AdminOptions_destroy(options);
        native::rd_kafka_TopicCollection_destroy(topics);
        let event = native::rd_kafka_queue_poll(queue, timeout_ms);
        native::rd_kafka_queue_destroy(queue);
        event
    };
    let timed_out = (RDKafkaErrorCode::OperationTimedOut, "it did not answer in time".to_owned());
    // SAFETY: the queue gave it to us, or null.
    let event = unsafe { Event::new(event) }.ok_or(timed_out)?;
    let (code, reason) = event.error();
    if code != RDKafkaErrorCode::NoError {
        return Err((code, reason));
    }
    Ok(descriptions(&event))
}

/// The topics that an event describes; empty if it is another event.
fn descriptions(event: &Event) -> Vec<TopicDescription> {
    // SAFETY: the event is alive; librdkafka checks its type and gives null for another. The array has
    // as many topics as it says; all of it lives as long as the event.
    unsafe {
        let result = native::rd_kafka_event_DescribeTopics_result(event.as_ptr());
        if result.is_null() {
            return Vec::new();
        }
        let mut count = 0;
        let topics = native::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        (0..count).map(|at| description(*topics.add(at))).collect()
    }
}

/// A copy of a description.
///
/// # Safety
/// The event that `topic` is of is alive.
unsafe fn description(topic: *const native::rd_kafka_TopicDescription_t) -> TopicDescription {
    // SAFETY: the caller's promise; every operation list has as many as it says.
    unsafe {
        let error = native::rd_kafka_TopicDescription_error(topic);
        let code: RDKafkaErrorCode = if error.is_null() {
            RDKafkaErrorCode::NoError
        } else {
            native::rd_kafka_error_code(error).into()
        };
        let (mut allowed, mut partitions) = (0, 0);
        let operations =
            native::rd_kafka_TopicDescription_authorized_operations(topic, &mut allowed);
        native::rd_kafka_TopicDescription_partitions(topic, &mut partitions);
        let write = native::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_WRITE;
        TopicDescription {
            name: text(native::rd_kafka_TopicDescription_name(topic)),
            error: (code != RDKafkaErrorCode::NoError).then_some(code),
            id: id(native::rd_kafka_TopicDescription_topic_id(topic)),
            partitions: u32::try_from(partitions).unwrap_or(u32::MAX),
            writable: (!operations.is_null())
                .then(|| (0..allowed).any(|i| *operations.add(i) == write)),
        }
    }
}

/// An id as Kafka writes it; `None` if it is null or zero.
///
/// # Safety
/// `id` is null or alive.
unsafe fn id(id: *const native::rd_kafka_Uuid_t) -> Option<String> {
    // SAFETY: the caller's promise; librdkafka writes the text into the id itself.
    unsafe {
        let is_zero = id.is_null()
            || (native::rd_kafka_Uuid_most_significant_bits(id) == 0
                && native::rd_kafka_Uuid_least_significant_bits(id) == 0);
        (!is_zero).then(|| text(native::rd_kafka_Uuid_base64str(id)))
    }
}
