//! An event of librdkafka. What it points to lives as long as it does: reports borrow it, texts are
//! copied.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};
use std::ptr::{self, NonNull};

use rdkafka::bindings as native;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::RDKafkaErrorCode;

use super::delivery_report::DeliveryReport;

/// An event of librdkafka.
pub(super) struct Event(NonNull<native::rd_kafka_event_t>);

impl Event {
    /// The event from a queue; `None` for null.
    ///
    /// # Safety
    /// `event` is null, or an event that nothing else holds.
    pub(super) unsafe fn new(event: *mut native::rd_kafka_event_t) -> Option<Event> {
        NonNull::new(event).map(Event)
    }

    /// The pointer for librdkafka's functions.
    pub(super) fn as_ptr(&self) -> *mut native::rd_kafka_event_t {
        self.0.as_ptr()
    }

    /// Its type.
    pub(super) fn kind(&self) -> i32 {
        // SAFETY: the event is alive.
        unsafe { native::rd_kafka_event_type(self.0.as_ptr()) }
    }

    /// Its delivery reports, if it has some.
    pub(super) fn reports(&self) -> impl Iterator<Item = DeliveryReport<'_>> {
        std::iter::from_fn(|| {
            // SAFETY: the event is alive; the message, if any, lives as long.
            let message = unsafe { native::rd_kafka_event_message_next(self.0.as_ptr()) };
            // SAFETY: as above.
            NonNull::new(message.cast_mut()).map(|message| unsafe { DeliveryReport::new(message) })
        })
    }

    /// Its error.
    pub(super) fn error(&self) -> (RDKafkaErrorCode, String) {
        // SAFETY: the event is alive; its text is copied.
        unsafe {
            let code = native::rd_kafka_event_error(self.0.as_ptr());
            (code.into(), text(native::rd_kafka_event_error_string(self.0.as_ptr())))
        }
    }

    /// Its statistics, as JSON.
    pub(super) fn statistics(&self) -> String {
        // SAFETY: the event is alive; its text is copied.
        unsafe { text(native::rd_kafka_event_stats(self.0.as_ptr())) }
    }

    /// Its log line, with level and facility.
    pub(super) fn log(&self) -> Option<(RDKafkaLogLevel, String, String)> {
        let (mut facility, mut message, mut level) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the event is alive; the texts are copied.
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
pub(super) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().trim().to_owned()
}
