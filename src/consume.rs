//! Reading records of a topic between two offsets of each partition.

use std::error::Error;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::pacing::StopFlag;
use crate::sink::kafka::{KafkaError, KafkaSettings, TokenSource, give_token, oauth_token};

/// Why records can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// The settings make no consumer.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A partition can't be read.
    #[error("failed to read {topic}-{partition}: {cause}")]
    Partition {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Why.
        cause: String,
    },
    /// The consumer failed.
    #[error("failed to read the topics: {0}")]
    Client(String),
    /// Nothing comes any more.
    #[error("nothing more of topic `{topic}` came for {waited:.0?}: is a broker down?")]
    Silent {
        /// The topic.
        topic: String,
        /// For how long.
        waited: Duration,
    },
    /// The program is to stop.
    #[error("interrupted")]
    Interrupted,
}

/// The offsets of a partition that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub from: i64,
    /// The offset behind the last.
    pub to: i64,
}

/// Reads topics of one cluster, committed records alone.
pub struct Reader {
    consumer: BaseConsumer<ConsumerLog>,
    /// Sees the ends that transactions still hold back.
    uncommitted: BaseConsumer<ConsumerLog>,
    timeout: Duration,
    stop: StopFlag,
}

/// How long partitions that hold open transactions are waited for, all together.
const COMMITTING: Duration = Duration::from_secs(10);
/// How long one wait for records lasts.
const TURN: Duration = Duration::from_millis(200);
/// Records between two looks at the stop flag.
const LOOK_EVERY: u64 = 10_000;
/// How long a cluster that has answered may say nothing at all.
const SILENCE: Duration = Duration::from_secs(60);

impl Reader {
    /// A reader of the cluster of `settings`.
    ///
    /// # Errors
    /// [`ConsumeError`] where the settings make no consumer.
    pub fn new(settings: &KafkaSettings, stop: &StopFlag) -> Result<Reader, ConsumeError> {
        let client = |isolation: &str| consumer(settings, &[("isolation.level", isolation)]);
        Ok(Reader {
            consumer: client("read_committed")?,
            uncommitted: client("read_uncommitted")?,
            timeout: settings.connect_timeout,
            stop: stop.clone(),
        })
    }

    /// Where partitions begin and end. Of those that hold open transactions, where these begin, once
    /// they have been waited for.
    ///
    /// # Errors
    /// [`ConsumeError::Partition`].
    pub fn ends(&self, topic: &str, partitions: u32) -> Result<Vec<OffsetRange>, ConsumeError> {
        let asked = Instant::now();
        let ends_of = |client: &BaseConsumer<ConsumerLog>, partition| {
            client
                .fetch_watermarks(topic, partition, self.timeout)
                .map_err(|error| failed(topic, partition, &error))
        };
        let of = |partition| {
            let (from, mut to) = ends_of(&self.consumer, partition)?;
            // The marks of a transaction that was committed just now may still be on their way.
            let (_, all) = ends_of(&self.uncommitted, partition)?;
            while to < all && asked.elapsed() < COMMITTING {
                self.interrupted()?;
                thread::sleep(Duration::from_millis(100));
                to = ends_of(&self.consumer, partition)?.1;
            }
            Ok(OffsetRange { partition, from, to })
        };
        (0..partitions as i32).map(of).collect()
    }

    /// Hands every record of these ranges of `topic` to `each`; the records of a partition come in
    /// their order.
    ///
    /// # Errors
    /// [`ConsumeError`] where the cluster stops answering, or the program is to stop.
    pub fn read(
        &self,
        topic: &str,
        ranges: &[OffsetRange],
        mut each: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<(), ConsumeError> {
        // Where each partition that is still read is to end.
        let mut ends: Vec<Option<i64>> = Vec::new();
        let mut list = TopicPartitionList::new();
        for range in ranges.iter().filter(|range| range.from < range.to) {
            let at = range.partition as usize;
            ends.resize(ends.len().max(at + 1), None);
            ends[at] = Some(range.to);
            list.add_partition_offset(topic, range.partition, Offset::Offset(range.from))
                .map_err(|error| failed(topic, range.partition, &error))?;
        }
        let mut left = list.count();
        if left == 0 {
            return Ok(());
        }
        self.consumer.assign(&list).map_err(|error| ConsumeError::Client(error.to_string()))?;
        let (mut silence, mut count) = (Silence::since(Instant::now()), 0u64);
        while left > 0 {
            count += 1;
            if count.is_multiple_of(LOOK_EVERY) {
                self.interrupted()?;
            }
            let message = match self.consumer.poll(TURN) {
                Some(Ok(message)) => {
                    silence.heard();
                    message
                }
                Some(Err(ClientError::PartitionEOF(partition))) => {
                    silence.heard();
                    // Behind the last record there may be marks of transactions, or gaps.
                    if ends.get_mut(partition as usize).and_then(Option::take).is_some() {
                        left -= 1;
                    }
                    continue;
                }
                Some(Err(error)) if is_final(&error) => {
                    return Err(ConsumeError::Client(error.to_string()));
                }
                Some(Err(_)) | None => {
                    self.interrupted()?;
                    let waited = silence.lasts(Instant::now());
                    if waited > self.timeout.max(SILENCE) {
                        return Err(ConsumeError::Silent { topic: topic.to_owned(), waited });
                    }
                    continue;
                }
            };
            let (partition, offset) = (message.partition(), message.offset());
            let Some(Some(end)) = ends.get(partition as usize).copied() else { continue };
            if offset >= end - 1 {
                ends[partition as usize] = None;
                left -= 1;
            }
            if offset < end {
                each(&message);
            }
        }
        Ok(())
    }

    /// An error where the program is to stop.
    ///
    /// # Errors
    /// [`ConsumeError::Interrupted`].
    pub fn interrupted(&self) -> Result<(), ConsumeError> {
        if self.stop.is_set() { Err(ConsumeError::Interrupted) } else { Ok(()) }
    }
}

/// A consumer of the cluster of `settings`, with these properties.
///
/// # Errors
/// [`ConsumeError`] where they make none.
pub fn consumer(
    settings: &KafkaSettings,
    properties: &[(&str, &str)],
) -> Result<BaseConsumer<ConsumerLog>, ConsumeError> {
    let mut config = settings.consumer_config()?;
    for (key, value) in properties {
        config.set(*key, *value);
    }
    let consumer: BaseConsumer<ConsumerLog> =
        BaseConsumer::from_config_and_context(&config, ConsumerLog(settings.tokens.clone()))
            .map_err(|error| ConsumeError::Client(error.to_string()))?;
    // Before anybody polls it, which would ask for one.
    if let Some(tokens) = &settings.tokens {
        give_token(consumer.client(), tokens);
    }
    Ok(consumer)
}

/// Takes what a consumer says to the log, and gives it tokens.
pub struct ConsumerLog(Option<Arc<TokenSource>>);

impl ClientContext for ConsumerLog {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        oauth_token(self.0.as_deref())
    }

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "{message}");
    }

    fn error(&self, error: ClientError, reason: &str) {
        tracing::debug!(%error, "{reason}");
    }
}

impl ConsumerContext for ConsumerLog {}

/// For how long nothing has come. The clock is read only where a wait for records was in vain, so that
/// records cost nothing of it.
#[derive(Debug, Clone, Copy)]
struct Silence {
    since: Instant,
    heard: bool,
}

impl Silence {
    fn since(now: Instant) -> Silence {
        Silence { since: now, heard: false }
    }

    /// Something came: the next wait in vain begins the silence anew.
    #[inline]
    fn heard(&mut self) {
        self.heard = true;
    }

    /// How long it lasts at `now`, when a wait was in vain.
    fn lasts(&mut self, now: Instant) -> Duration {
        if std::mem::take(&mut self.heard) {
            self.since = now;
        }
        now.saturating_duration_since(self.since)
    }
}

/// Whether an error of a consumer will not mend itself.
fn is_final(error: &ClientError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::Fatal
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
        )
    )
}

fn failed(topic: &str, partition: i32, error: &ClientError) -> ConsumeError {
    ConsumeError::Partition { topic: topic.to_owned(), partition, cause: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_begins_anew_with_whatever_comes_however_slowly() {
        let began = Instant::now();
        let at = |s: u64| began + Duration::from_secs(s);
        let mut silence = Silence::since(began);
        assert_eq!(silence.lasts(at(50)), Duration::from_secs(50));
        // A record in twelve seconds, looked for in between: ten minutes of it are no silence.
        for s in 0..600 {
            if s % 12 == 0 {
                silence.heard();
            }
            assert!(silence.lasts(at(60 + s)) < Duration::from_secs(12));
        }
        assert_eq!(silence.lasts(at(720)), Duration::from_secs(72), "since the last look after it");
    }
}
