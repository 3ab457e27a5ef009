//! Hands records to librdkafka, and gives it tokens. rust-rdkafka's own `send` looks the topic up by name
//! for every record. Its `poll` allocates for every report, reads the clock for each and spins for the
//! last millisecond of its timeout. It only sets tokens of polled clients, and without extensions.
//!
//! Invariants, on which every block below rests:
//! 1. A [`TopicHandle`] and an [`EventQueue`] hold a clone of the producer, so that the native client
//!    outlives them.
//! 2. librdkafka's topic, produce, queue and token functions may be called from any thread.
//! 3. The opaque is an integer carried as a pointer. It is never dereferenced.
//! 4. `RD_KAFKA_MSG_F_COPY` makes librdkafka copy key and value before the call returns.

#![allow(unsafe_code)]

use std::ffi::{CString, NulError, c_char, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use secrecy::ExposeSecret;

use super::delivery::Delivery;
use super::event::{self, Event};
use super::token::{Token, TokenError, TokenSource};

/// The producer of a run. It must be polled for its delivery reports.
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
    /// The librdkafka error if the name is invalid.
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

    /// Hands a record to the producer, which copies it. `opaque` comes back in its delivery report. Never
    /// blocks.
    ///
    /// # Errors
    /// `QueueFull` if the producer has no room now. Any other code is final for the record.
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

/// The queue of a producer's events: delivery reports, errors, logs and statistics.
pub struct EventQueue {
    producer: KafkaProducer,
    queue: NonNull<native::rd_kafka_queue_t>,
}

// SAFETY: invariant 2; the queue has locks of its own.
unsafe impl Send for EventQueue {}
// SAFETY: as above.
unsafe impl Sync for EventQueue {}

impl EventQueue {
    /// The queue of `producer`; `None` if librdkafka has none, which doesn't happen to producers.
    pub fn of(producer: &KafkaProducer) -> Option<EventQueue> {
        // SAFETY: the client is alive; the queue that it gives is a reference of our own.
        let queue = unsafe { native::rd_kafka_queue_get_main(producer.client().native_ptr()) };
        NonNull::new(queue).map(|queue| EventQueue { producer: Arc::clone(producer), queue })
    }

    /// Takes the next event, waits up to `timeout` (whole milliseconds) for it, and passes it to the
    /// producer's [`Delivery`]. Returns whether there was one.
    pub fn serve(&self, timeout: Duration) -> bool {
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive until it is dropped; the event, if any, is ours.
        let event = unsafe { native::rd_kafka_queue_poll(self.queue.as_ptr(), timeout_ms) };
        // SAFETY: as above.
        let Some(event) = (unsafe { Event::new(event) }) else { return false };
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

/// Gives a client a token, or the reason why there is none, which it reports as an error of its
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
        _ => Err(TokenError::NotTaken(unsafe { event::text(error.as_ptr()) })),
    }
}
