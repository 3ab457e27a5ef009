//! The only `unsafe` code of the crate: handing records to librdkafka, taking their delivery
//! reports, and giving it tokens. rust-rdkafka's own `send` looks the topic up by name for every record, and its `poll`
//! allocates for every report, reads the clock for each and spins for the last millisecond of its
//! timeout; tokens it takes from polled clients alone, and without extensions. At the end, a question
//! that it has no words for: what we may do with topics.
//!
//! Invariants, on which every block below rests:
//! 1. A [`TopicHandle`] and an [`EventQueue`] hold a clone of the producer, so that the native client
//!    outlives them.
//! 2. librdkafka's topic, produce, queue and token functions may be called from any thread.
//! 3. The opaque is an integer carried as a pointer: nobody follows it.
//! 4. `RD_KAFKA_MSG_F_COPY` makes librdkafka copy key and value before the call returns.
//! 5. What an event points to lives as long as the event, which [`Event`] owns; a [`DeliveryReport`]
//!    borrows it, and of a topic's description all is copied.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, NulError, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, Producer};
use secrecy::ExposeSecret;

use super::delivery::Delivery;
use super::token::{Token, TokenError, TokenSource};

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

/// Where a producer's delivery reports and its words about its connections come out.
pub struct EventQueue {
    producer: KafkaProducer,
    queue: NonNull<native::rd_kafka_queue_t>,
}

// SAFETY: invariant 2; the queue has locks of its own.
unsafe impl Send for EventQueue {}
// SAFETY: as above.
unsafe impl Sync for EventQueue {}

impl EventQueue {
    /// The queue of `producer`; none where librdkafka has none, which it doesn't do to producers.
    pub fn of(producer: &KafkaProducer) -> Option<EventQueue> {
        // SAFETY: the client is alive; the queue that it gives is a reference of our own.
        let queue = unsafe { native::rd_kafka_queue_get_main(producer.client().native_ptr()) };
        NonNull::new(queue).map(|queue| EventQueue { producer: Arc::clone(producer), queue })
    }

    /// Takes the next event, waiting up to `patience` (whole milliseconds) for it, and tells the
    /// producer's [`Delivery`] of it. Returns whether there was one.
    pub fn serve(&self, patience: Duration) -> bool {
        let patience = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive until it is dropped; the event, if any, is ours.
        let event = unsafe { native::rd_kafka_queue_poll(self.queue.as_ptr(), patience) };
        let Some(event) = NonNull::new(event).map(Event) else { return false };
        let delivery = self.producer.client().context();
        match event.kind() {
            native::RD_KAFKA_EVENT_DR => delivery.take(event.reports()),
            native::RD_KAFKA_EVENT_ERROR => {
                let (code, reason) = event.error();
                delivery.error(KafkaError::Global(code), &reason);
            }
            native::RD_KAFKA_EVENT_LOG => {
                if let Some((level, facility, message)) = event.log() {
                    delivery.log(level, &facility, &message);
                }
            }
            native::RD_KAFKA_EVENT_STATS => delivery.take_statistics(&event.statistics()),
            native::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH => {
                if let Some(tokens) = delivery.tokens() {
                    give_token(self.producer.client(), tokens);
                }
            }
            _ => {}
        }
        true
    }
}

impl Drop for EventQueue {
    fn drop(&mut self) {
        // SAFETY: gives back once the reference that `rd_kafka_queue_get_main` gave.
        unsafe { native::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// An event of librdkafka's.
struct Event(NonNull<native::rd_kafka_event_t>);

impl Event {
    fn kind(&self) -> i32 {
        // SAFETY: the event is alive.
        unsafe { native::rd_kafka_event_type(self.0.as_ptr()) }
    }

    /// The delivery reports of an event that has some.
    fn reports(&self) -> impl Iterator<Item = DeliveryReport<'_>> {
        std::iter::from_fn(|| {
            // SAFETY: the event is alive; the message, if any, lives as long (invariant 5).
            let message = unsafe { native::rd_kafka_event_message_next(self.0.as_ptr()) };
            NonNull::new(message.cast_mut())
                .map(|message| DeliveryReport { message, event: PhantomData })
        })
    }

    /// The error that an event is about.
    fn error(&self) -> (RDKafkaErrorCode, String) {
        // SAFETY: the event is alive; its text is copied (invariant 5).
        unsafe {
            let code = native::rd_kafka_event_error(self.0.as_ptr());
            (code.into(), text(native::rd_kafka_event_error_string(self.0.as_ptr())))
        }
    }

    /// The statistics that an event carries, as JSON.
    fn statistics(&self) -> String {
        // SAFETY: the event is alive; its text is copied (invariant 5).
        unsafe { text(native::rd_kafka_event_stats(self.0.as_ptr())) }
    }

    /// The line of the log that an event is, with its level and facility.
    fn log(&self) -> Option<(RDKafkaLogLevel, String, String)> {
        let (mut facility, mut message, mut level) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the event is alive; the texts are copied (invariant 5).
        unsafe {
            let event = self.0.as_ptr();
            if native::rd_kafka_event_log(event, &mut facility, &mut message, &mut level) != 0 {
                return None;
            }
            Some((log_level(level), text(facility), text(message)))
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is ours and destroyed once.
        unsafe { native::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

/// A level of syslog's.
fn log_level(level: i32) -> RDKafkaLogLevel {
    match level {
        ..=0 => RDKafkaLogLevel::Emerg,
        1 => RDKafkaLogLevel::Alert,
        2 => RDKafkaLogLevel::Critical,
        3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        7.. => RDKafkaLogLevel::Debug,
    }
}

/// A copy of a text of librdkafka's.
///
/// # Safety
/// `text` is null or a C string that is alive.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().trim().to_owned()
}

/// What became of one record.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryReport<'a> {
    message: NonNull<native::rd_kafka_message_t>,
    event: PhantomData<&'a Event>,
}

impl DeliveryReport<'_> {
    /// The error that the record was given up for, if it was.
    #[inline]
    pub fn error(&self) -> Option<RDKafkaErrorCode> {
        // SAFETY: invariant 5.
        let code = unsafe { self.message.as_ref() }.err;
        (code != native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
    }

    /// The bytes of its key and value.
    #[inline]
    pub fn bytes(&self) -> usize {
        // SAFETY: invariant 5.
        let message = unsafe { self.message.as_ref() };
        message.key_len + message.len
    }

    /// The opaque that it was handed over with.
    #[inline]
    pub fn opaque(&self) -> usize {
        // SAFETY: invariant 5; the pointer is an integer (invariant 3).
        unsafe { self.message.as_ref() }._private as usize
    }

    /// How long ago it was handed over.
    #[inline]
    pub fn since_enqueued(&self) -> Duration {
        // SAFETY: invariant 5.
        unsafe { latency(self.message.as_ptr()) }
    }
}

/// Gives a client a token, or tells it why there is none, which it passes on as a trouble of its
/// connection.
pub fn give_token<C: ClientContext>(client: &Client<C>, tokens: &TokenSource) {
    let given = tokens.token().and_then(|token| set_token(client, &token, tokens.extensions()));
    let Err(problem) = given else { return };
    let problem = CString::new(problem.to_string().replace('\0', " ")).unwrap_or_default();
    // SAFETY: the client is alive, the text ends in a zero byte and is copied.
    let _no_such_mechanism = unsafe {
        native::rd_kafka_oauthbearer_set_token_failure(client.native_ptr(), problem.as_ptr())
    };
}

fn set_token<C: ClientContext>(
    client: &Client<C>,
    token: &Token,
    extensions: &[(String, String)],
) -> Result<(), TokenError> {
    let text = |text: &str| {
        let zero = |_: NulError| TokenError::NotTaken("the token holds a zero byte".to_owned());
        CString::new(text).map_err(zero)
    };
    let (value, principal) = (text(token.text.expose_secret())?, text(&token.principal)?);
    let mut pairs = Vec::new();
    for (name, value) in extensions {
        pairs.extend([text(name)?, text(value)?]);
    }
    let mut pointers: Vec<*const c_char> = pairs.iter().map(|text| text.as_ptr()).collect();
    let mut error = [0; 256];
    // SAFETY: the client is alive; all texts end in a zero byte, outlive the call and are copied;
    // lengths are those of the buffers.
    let code = unsafe {
        native::rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            value.as_ptr(),
            token.ends_ms,
            principal.as_ptr(),
            pointers.as_mut_ptr(),
            pointers.len(),
            error.as_mut_ptr(),
            error.len(),
        )
    };
    match code {
        native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        // SAFETY: on failure librdkafka has written a text that ends in a zero byte, as the buffer
        // did before.
        _ => Err(TokenError::NotTaken(unsafe { self::text(error.as_ptr()) })),
    }
}

/// How long ago the record of a delivery report was handed to the producer.
#[inline]
pub fn since_enqueued(report: &BorrowedMessage<'_>) -> Duration {
    // SAFETY: the message of a delivery report is valid as long as its borrow.
    unsafe { latency(report.ptr()) }
}

/// How long ago `message` was handed to the producer.
///
/// # Safety
/// `message` is the alive one of a delivery report.
#[inline]
unsafe fn latency(message: *const native::rd_kafka_message_t) -> Duration {
    // SAFETY: the caller's promise.
    let micros = unsafe { native::rd_kafka_message_latency(message) };
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// A topic as the cluster describes it to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Why it isn't described, where it isn't.
    pub error: Option<RDKafkaErrorCode>,
    /// Whether we may write to it; none where the cluster doesn't say what we may do.
    pub writable: Option<bool>,
}

/// Room for the words by which a time is refused.
const LONGEST_REASON: usize = 256;

/// Asks the cluster of `producer` what we may do with topics, and waits for it up to `patience`.
///
/// # Errors
/// The code and the words of the request's failure.
pub fn describe_topics(
    producer: &KafkaProducer,
    names: &[&str],
    patience: Duration,
) -> Result<Vec<Described>, (RDKafkaErrorCode, String)> {
    let wrong = |_: NulError| (RDKafkaErrorCode::InvalidTopic, "a zero byte".to_owned());
    let names: Vec<CString> =
        names.iter().map(|name| CString::new(*name)).collect::<Result<_, _>>().map_err(wrong)?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let timeout = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX).max(1);
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
        // A time that it refuses leaves its own of a minute; the wait below is bounded anyway.
        native::rd_kafka_AdminOptions_set_request_timeout(
            options,
            timeout,
            reason.as_mut_ptr(),
            LONGEST_REASON,
        );
        let refused = native::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
        if !refused.is_null() {
            // Not asked for, the operations are unknown.
            native::rd_kafka_error_destroy(refused);
        }
        let queue = native::rd_kafka_queue_new(client);
        native::rd_kafka_DescribeTopics(client, topics, options, queue);
        native::rd_kafka_AdminOptions_destroy(options);
        native::rd_kafka_TopicCollection_destroy(topics);
        let event = native::rd_kafka_queue_poll(queue, timeout);
        native::rd_kafka_queue_destroy(queue);
        event
    };
    let timed_out = (RDKafkaErrorCode::OperationTimedOut, "it did not answer in time".to_owned());
    let event = NonNull::new(event).map(Event).ok_or(timed_out)?;
    let (code, reason) = event.error();
    if code != RDKafkaErrorCode::NoError {
        return Err((code, reason));
    }
    Ok(event.descriptions())
}

impl Event {
    /// The topics that an event describes; none where it is about something else.
    fn descriptions(&self) -> Vec<Described> {
        // SAFETY: the event is alive; librdkafka checks its type and gives null for another. The
        // array has as many topics as it says, and every operation list too; all of it lives as long
        // as the event and is copied (invariant 5).
        unsafe {
            let result = native::rd_kafka_event_DescribeTopics_result(self.0.as_ptr());
            if result.is_null() {
                return Vec::new();
            }
            let mut count = 0;
            let topics = native::rd_kafka_DescribeTopics_result_topics(result, &mut count);
            (0..count)
                .map(|at| {
                    let topic = *topics.add(at);
                    let error = native::rd_kafka_TopicDescription_error(topic);
                    let code: RDKafkaErrorCode = if error.is_null() {
                        RDKafkaErrorCode::NoError
                    } else {
                        native::rd_kafka_error_code(error).into()
                    };
                    let mut allowed = 0;
                    let operations = native::rd_kafka_TopicDescription_authorized_operations(
                        topic,
                        &mut allowed,
                    );
                    let write = native::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_WRITE;
                    Described {
                        name: text(native::rd_kafka_TopicDescription_name(topic)),
                        error: (code != RDKafkaErrorCode::NoError).then_some(code),
                        writable: (!operations.is_null())
                            .then(|| (0..allowed).any(|i| *operations.add(i) == write)),
                    }
                })
                .collect()
        }
    }
}
