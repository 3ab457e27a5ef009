//! What an error code of a broker says about a batch, and about a producer id that was asked for.
//!
//! One table for each. A code that isn't in the table leaves the outcome unknown: the batch may have
//! been stored.

use kafka_protocol::error::ResponseError;

/// What became of a batch that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The broker stored it.
    Stored {
        /// The offset of its first record, where the broker tells it.
        base_offset: Option<i64>,
    },
    /// The broker has not stored it, and will not.
    Refused,
    /// The broker has not stored it, and may take it later.
    Deferred,
    /// The broker has not stored it, since it is larger than the topic takes.
    TooLarge,
    /// The broker may have stored it.
    Unknown,
    /// The broker has a later batch of the sequence, so it may have stored this one.
    Duplicate,
    /// The broker has not stored it, since it lacks what comes before it in the sequence.
    OutOfSequence,
}

/// What became of a request for a producer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProducerIdOutcome {
    /// The broker may give one later.
    Deferred,
    /// The broker will not give one.
    Refused,
}

/// What an error code says about a batch, by Kafka's `ReplicaManager`, `UnifiedLog` and
/// `ProducerAppendInfo`: whether they answer with it before the batch is appended.
pub(super) fn of_batch(code: i16, base_offset: i64, idempotent: bool) -> Outcome {
    use ResponseError as E;
    let Some(error) = ResponseError::try_from_code(code) else {
        return Outcome::Stored { base_offset: (base_offset >= 0).then_some(base_offset) };
    };
    match error {
        E::MessageTooLarge | E::RecordListTooLarge => Outcome::TooLarge,
        E::CorruptMessage
        | E::InvalidTopicException
        | E::InvalidRequiredAcks
        | E::TopicAuthorizationFailed
        | E::ClusterAuthorizationFailed
        | E::InvalidTimestamp
        | E::UnsupportedForMessageFormat
        | E::PolicyViolation
        | E::UnsupportedCompressionType
        | E::InvalidRecord => Outcome::Refused,
        // Asked before anything is appended.
        E::NotEnoughReplicas => Outcome::Deferred,
        E::DuplicateSequenceNumber if idempotent => Outcome::Duplicate,
        E::DuplicateSequenceNumber => Outcome::Stored { base_offset: None },
        E::OutOfOrderSequenceNumber | E::UnknownProducerId | E::InvalidProducerEpoch
            if idempotent =>
        {
            Outcome::OutOfSequence
        }
        _ => Outcome::Unknown,
    }
}

/// What an error code says about a request for a producer id.
pub(super) fn of_producer_id(code: i16) -> ProducerIdOutcome {
    use ResponseError as E;
    match ResponseError::try_from_code(code) {
        Some(
            E::ClusterAuthorizationFailed
            | E::TransactionalIdAuthorizationFailed
            | E::InvalidRequest
            | E::InvalidTransactionTimeout
            | E::UnsupportedVersion
            | E::SaslAuthenticationFailed,
        ) => ProducerIdOutcome::Refused,
        _ => ProducerIdOutcome::Deferred,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_produce_has_its_outcome() {
        use Outcome::{Deferred, Duplicate, OutOfSequence, Refused, TooLarge, Unknown};
        let stored = |base_offset| Outcome::Stored { base_offset };
        for (code, with_sequence, without) in [
            (0, stored(Some(7)), stored(Some(7))),
            (-1, Unknown, Unknown),        // UNKNOWN_SERVER_ERROR
            (2, Refused, Refused),         // CORRUPT_MESSAGE
            (3, Unknown, Unknown),         // UNKNOWN_TOPIC_OR_PARTITION
            (5, Unknown, Unknown),         // LEADER_NOT_AVAILABLE
            (6, Unknown, Unknown),         // NOT_LEADER_OR_FOLLOWER, also after the append
            (7, Unknown, Unknown),         // REQUEST_TIMED_OUT
            (10, TooLarge, TooLarge),      // MESSAGE_TOO_LARGE
            (13, Unknown, Unknown),        // NETWORK_EXCEPTION
            (17, Refused, Refused),        // INVALID_TOPIC_EXCEPTION
            (18, TooLarge, TooLarge),      // RECORD_LIST_TOO_LARGE
            (19, Deferred, Deferred),      // NOT_ENOUGH_REPLICAS
            (20, Unknown, Unknown),        // NOT_ENOUGH_REPLICAS_AFTER_APPEND
            (21, Refused, Refused),        // INVALID_REQUIRED_ACKS
            (29, Refused, Refused),        // TOPIC_AUTHORIZATION_FAILED
            (31, Refused, Refused),        // CLUSTER_AUTHORIZATION_FAILED
            (32, Refused, Refused),        // INVALID_TIMESTAMP
            (43, Refused, Refused),        // UNSUPPORTED_FOR_MESSAGE_FORMAT
            (44, Refused, Refused),        // POLICY_VIOLATION
            (45, OutOfSequence, Unknown),  // OUT_OF_ORDER_SEQUENCE_NUMBER
            (46, Duplicate, stored(None)), // DUPLICATE_SEQUENCE_NUMBER
            (47, OutOfSequence, Unknown),  // INVALID_PRODUCER_EPOCH
            (56, Unknown, Unknown),        // KAFKA_STORAGE_ERROR
            (59, OutOfSequence, Unknown),  // UNKNOWN_PRODUCER_ID
            (74, Unknown, Unknown),        // FENCED_LEADER_EPOCH
            (75, Unknown, Unknown),        // UNKNOWN_LEADER_EPOCH
            (76, Refused, Refused),        // UNSUPPORTED_COMPRESSION_TYPE
            (87, Refused, Refused),        // INVALID_RECORD
            (89, Unknown, Unknown),        // THROTTLING_QUOTA_EXCEEDED
            (i16::MAX, Unknown, Unknown),  // one that no version has
        ] {
            assert_eq!(of_batch(code, 7, true), with_sequence, "{code}");
            assert_eq!(of_batch(code, 7, false), without, "{code}");
        }
        assert_eq!(of_batch(0, -1, true), stored(None));
    }

    #[test]
    fn every_code_of_a_request_for_a_producer_id_has_its_outcome() {
        use ProducerIdOutcome::{Deferred, Refused};
        for (code, outcome) in [
            (-1, Deferred),       // UNKNOWN_SERVER_ERROR
            (7, Deferred),        // REQUEST_TIMED_OUT
            (13, Deferred),       // NETWORK_EXCEPTION
            (14, Deferred),       // COORDINATOR_LOAD_IN_PROGRESS
            (15, Deferred),       // COORDINATOR_NOT_AVAILABLE
            (16, Deferred),       // NOT_COORDINATOR
            (31, Refused),        // CLUSTER_AUTHORIZATION_FAILED
            (35, Refused),        // UNSUPPORTED_VERSION
            (42, Refused),        // INVALID_REQUEST
            (50, Refused),        // INVALID_TRANSACTION_TIMEOUT
            (51, Deferred),       // CONCURRENT_TRANSACTIONS
            (53, Refused),        // TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            (58, Refused),        // SASL_AUTHENTICATION_FAILED
            (i16::MAX, Deferred), // one that no version has
        ] {
            assert_eq!(of_producer_id(code), outcome, "{code}");
        }
    }
}
