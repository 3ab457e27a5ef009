//! What brokers answer, as it is for a batch.

use kafka_protocol::error::ResponseError;

/// What became of a batch that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The broker has it.
    Stored,
    /// The broker doesn't have it, but may take it later; or nobody knows whether it has it.
    Again,
    /// The broker lacks what comes before it in the sequence.
    Gap,
    /// The broker will never take it.
    Never,
}

/// What an error code means for a batch.
pub(super) fn meaning(code: i16, idempotent: bool) -> Answer {
    match ResponseError::try_from_code(code) {
        // Stored before, by a request whose answer was lost.
        None | Some(ResponseError::DuplicateSequenceNumber) => Answer::Stored,
        Some(
            ResponseError::OutOfOrderSequenceNumber
            | ResponseError::UnknownProducerId
            | ResponseError::InvalidProducerEpoch,
        ) if idempotent => Answer::Gap,
        Some(error) if error.is_retriable() => Answer::Again,
        Some(_) => Answer::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_retried_begun_anew_or_final() {
        for (code, with_sequence, without) in [
            (0, Answer::Stored, Answer::Stored),
            (ResponseError::DuplicateSequenceNumber.code(), Answer::Stored, Answer::Stored),
            (ResponseError::NotLeaderOrFollower.code(), Answer::Again, Answer::Again),
            (ResponseError::NotEnoughReplicas.code(), Answer::Again, Answer::Again),
            (ResponseError::OutOfOrderSequenceNumber.code(), Answer::Gap, Answer::Never),
            (ResponseError::MessageTooLarge.code(), Answer::Never, Answer::Never),
            (ResponseError::TopicAuthorizationFailed.code(), Answer::Never, Answer::Never),
        ] {
            assert_eq!((meaning(code, true), meaning(code, false)), (with_sequence, without));
        }
    }
}
