//! What an error code says about a batch, and about a request for a producer id.
//!
//! One table for each. A code that is not in the table leaves the outcome unknown: the batch may have
//! been appended.

use crate::error_code::ErrorCode;

/// The outcome of a batch that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchOutcome {
    /// The broker appended it.
    Appended {
        /// The offset of its first record, if the broker reports it.
        base_offset: Option<i64>,
    },
    /// The broker did not append it, and never will.
    Rejected,
    /// The broker did not append it. A retry may succeed.
    NotAppended,
    /// The broker did not append it: it is larger than the topic's max.message.bytes.
    TooLarge,
    /// The broker may have appended it.
    Unknown,
    /// The broker has a later batch of the sequence, so it may have appended this one.
    DuplicateSequence,
    /// The broker did not append it: batches before it in the sequence are missing.
    OutOfOrderSequence,
}

/// The outcome of a request for a producer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProducerIdOutcome {
    /// A retry may succeed.
    Retriable,
    /// The broker will not allocate one.
    Refused,
}

/// What an error code says about a batch: whether Kafka's `ReplicaManager`, `UnifiedLog` and
/// `ProducerAppendInfo` return it before the append.
pub(crate) fn of_batch(error: ErrorCode, idempotent: bool) -> BatchOutcome {
    use ErrorCode as E;
    match error {
        E::MessageTooLarge | E::RecordListTooLarge => BatchOutcome::TooLarge,
        E::CorruptMessage
        | E::InvalidTopicException
        | E::InvalidRequiredAcks
        | E::TopicAuthorizationFailed
        | E::ClusterAuthorizationFailed
        | E::InvalidTimestamp
        | E::UnsupportedForMessageFormat
        | E::PolicyViolation
        | E::UnsupportedCompressionType
        | E::InvalidRecord => BatchOutcome::Rejected,
        // Checked before the append.
        E::NotEnoughReplicas => BatchOutcome::NotAppended,
        E::DuplicateSequenceNumber if idempotent => BatchOutcome::DuplicateSequence,
        E::DuplicateSequenceNumber => BatchOutcome::Appended { base_offset: None },
        E::OutOfOrderSequenceNumber | E::UnknownProducerId | E::InvalidProducerEpoch
            if idempotent =>
        {
            BatchOutcome::OutOfOrderSequence
        }
        _ => BatchOutcome::Unknown,
    }
}

/// What an error code says about a request for a producer id.
pub(crate) fn of_producer_id(error: ErrorCode) -> ProducerIdOutcome {
    use ErrorCode as E;
    match error {
        E::ClusterAuthorizationFailed
        | E::TransactionalIdAuthorizationFailed
        | E::InvalidRequest
        | E::InvalidTransactionTimeout
        | E::UnsupportedVersion
        | E::SaslAuthenticationFailed => ProducerIdOutcome::Refused,
        _ => ProducerIdOutcome::Retriable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_produce_has_its_outcome() {
        use BatchOutcome::{
            DuplicateSequence, NotAppended, OutOfOrderSequence, Rejected, TooLarge, Unknown,
        };
        let stored = |base_offset| BatchOutcome::Appended { base_offset };
        for (code, with_sequence, without) in [
            (-1, Unknown, Unknown),                // UNKNOWN_SERVER_ERROR
            (2, Rejected, Rejected),               // CORRUPT_MESSAGE
            (3, Unknown, Unknown),                 // UNKNOWN_TOPIC_OR_PARTITION
            (5, Unknown, Unknown),                 // LEADER_NOT_AVAILABLE
            (6, Unknown, Unknown),                 // NOT_LEADER_OR_FOLLOWER, also after the append
            (7, Unknown, Unknown),                 // REQUEST_TIMED_OUT
            (10, TooLarge, TooLarge),              // MESSAGE_TOO_LARGE
            (13, Unknown, Unknown),                // NETWORK_EXCEPTION
            (17, Rejected, Rejected),              // INVALID_TOPIC_EXCEPTION
            (18, TooLarge, TooLarge),              // RECORD_LIST_TOO_LARGE
            (19, NotAppended, NotAppended),        // NOT_ENOUGH_REPLICAS
            (20, Unknown, Unknown),                // NOT_ENOUGH_REPLICAS_AFTER_APPEND
            (21, Rejected, Rejected),              // INVALID_REQUIRED_ACKS
            (29, Rejected, Rejected),              // TOPIC_AUTHORIZATION_FAILED
            (31, Rejected, Rejected),              // CLUSTER_AUTHORIZATION_FAILED
            (32, Rejected, Rejected),              // INVALID_TIMESTAMP
            (43, Rejected, Rejected),              // UNSUPPORTED_FOR_MESSAGE_FORMAT
            (44, Rejected, Rejected),              // POLICY_VIOLATION
            (45, OutOfOrderSequence, Unknown),     // OUT_OF_ORDER_SEQUENCE_NUMBER
            (46, DuplicateSequence, stored(None)), // DUPLICATE_SEQUENCE_NUMBER
            (47, OutOfOrderSequence, Unknown),     // INVALID_PRODUCER_EPOCH
            (56, Unknown, Unknown),                // KAFKA_STORAGE_ERROR
            (59, OutOfOrderSequence, Unknown),     // UNKNOWN_PRODUCER_ID
            (74, Unknown, Unknown),                // FENCED_LEADER_EPOCH
            (75, Unknown, Unknown),                // UNKNOWN_LEADER_EPOCH
            (76, Rejected, Rejected),              // UNSUPPORTED_COMPRESSION_TYPE
            (87, Rejected, Rejected),              // INVALID_RECORD
            (89, Unknown, Unknown),                // THROTTLING_QUOTA_EXCEEDED
            (i16::MAX, Unknown, Unknown),          // one that no version has
        ] {
            let error = ErrorCode::from_code(code).unwrap();
            assert_eq!(of_batch(error, true), with_sequence, "{error}");
            assert_eq!(of_batch(error, false), without, "{error}");
        }
    }

    #[test]
    fn every_code_of_a_request_for_a_producer_id_has_its_outcome() {
        use ProducerIdOutcome::{Refused, Retriable};
        for (code, outcome) in [
            (-1, Retriable),       // UNKNOWN_SERVER_ERROR
            (7, Retriable),        // REQUEST_TIMED_OUT
            (13, Retriable),       // NETWORK_EXCEPTION
            (14, Retriable),       // COORDINATOR_LOAD_IN_PROGRESS
            (15, Retriable),       // COORDINATOR_NOT_AVAILABLE
            (16, Retriable),       // NOT_COORDINATOR
            (31, Refused),         // CLUSTER_AUTHORIZATION_FAILED
            (35, Refused),         // UNSUPPORTED_VERSION
            (42, Refused),         // INVALID_REQUEST
            (50, Refused),         // INVALID_TRANSACTION_TIMEOUT
            (51, Retriable),       // CONCURRENT_TRANSACTIONS
            (53, Refused),         // TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            (58, Refused),         // SASL_AUTHENTICATION_FAILED
            (i16::MAX, Retriable), // one that no version has
        ] {
            assert_eq!(of_producer_id(ErrorCode::from_code(code).unwrap()), outcome, "{code}");
        }
    }
}
