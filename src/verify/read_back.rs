//! Reading a run's topics back: every record between two offsets of each partition.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleetstorm_model::manifest::TopicEntry;
use fleetstorm_model::record::Topic;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{Message, Timestamp};
use rdkafka::{Offset, TopicPartitionList};
use secrecy::ExposeSecret;

use super::VerifyError;
use super::ledger::Content;
use crate::pacing::StopFlag;
use crate::sink::kafka::{Cluster, KafkaSettings, TokenSource, give_token};

/// The records of one partition that are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The topic.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// The offset of the first.
    pub from: i64,
    /// The offset behind the last.
    pub to: i64,
    /// How many offsets before `from` were the run's and are gone: aged out, or deleted.
    pub removed: u64,
}

/// A record that arrived.
#[derive(Debug, Clone, Copy)]
pub struct ConsumedRecord<'a> {
    /// Its topic.
    pub topic: Topic,
    /// Its offset.
    pub offset: i64,
    /// Its key; empty where it has none.
    pub key: &'a [u8],
    /// The rest of it.
    pub content: Content<'a>,
    /// Whether its timestamp is the broker's.
    pub restamped: bool,
}

/// The topics of a run on its cluster.
pub struct Topics<'a> {
    consumer: BaseConsumer<Quiet>,
    entries: &'a [TopicEntry],
    spans: Vec<Span>,
    patience: Duration,
    stop: StopFlag,
}

/// How long partitions that hold open transactions are waited for, all together.
const COMMITTING: Duration = Duration::from_secs(10);
/// How long one wait for records lasts.
const TURN: Duration = Duration::from_millis(200);
/// Records between two looks at the stop flag.
const LOOK_EVERY: u64 = 10_000;

impl<'a> Topics<'a> {
    /// The topics of `entries` from their start offsets up to where they end now, or where the run
    /// ended by `ends` (of a topic, its partitions' offsets).
    ///
    /// # Errors
    /// [`VerifyError`] where a topic is missing, or has other partitions than it had.
    pub fn open(
        cluster: &Cluster,
        entries: &'a [TopicEntry],
        ends: impl Fn(Topic) -> Option<Vec<i64>>,
        stop: &StopFlag,
    ) -> Result<Topics<'a>, VerifyError> {
        let settings = cluster.settings();
        let client = |isolation: &str| consumer(settings, &[("isolation.level", isolation)]);
        let (consumer, uncommitted) = (client("read_committed")?, client("read_uncommitted")?);
        let asked = Instant::now();
        let mut spans = Vec::new();
        for entry in entries {
            if cluster.partitions(&entry.name)?.is_none_or(|found| found < entry.partitions) {
                return Err(VerifyError::Topic {
                    topic: entry.name.clone(),
                    partitions: entry.partitions,
                });
            }
            let ends = ends(entry.topic);
            for partition in 0..entry.partitions as i32 {
                let at =
                    |offsets: &Option<Vec<i64>>| offsets.as_ref()?.get(partition as usize).copied();
                let ends_of = |client: &BaseConsumer<Quiet>| {
                    client
                        .fetch_watermarks(&entry.name, partition, settings.patience)
                        .map_err(|error| failed(&entry.name, partition, &error))
                };
                let (low, mut high) = ends_of(&consumer)?;
                // The marks of a transaction that was committed just now may still be on their way.
                let (_, all) = ends_of(&uncommitted)?;
                while high < all && asked.elapsed() < COMMITTING {
                    std::thread::sleep(Duration::from_millis(100));
                    high = ends_of(&consumer)?.1;
                }
                let start = at(&entry.start_offsets).unwrap_or(0);
                let to = at(&ends).map_or(high, |end| end.min(high));
                spans.push(Span {
                    topic: entry.topic,
                    partition,
                    from: start.max(low),
                    to,
                    removed: u64::try_from(low.min(to) - start).unwrap_or(0),
                });
            }
        }
        Ok(Topics { consumer, entries, spans, patience: settings.patience, stop: stop.clone() })
    }

    /// What there is to read.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Hands every record of the partitions that `wanted` names to `each`; the records of a partition
    /// come in their order.
    ///
    /// # Errors
    /// [`VerifyError`] where the cluster stops answering, or the program is to stop.
    pub fn read(
        &self,
        wanted: impl Fn(&Span) -> bool,
        mut each: impl FnMut(&ConsumedRecord<'_>),
    ) -> Result<(), VerifyError> {
        // A topic at a time: the end of a partition is told by its number alone.
        for entry in self.entries {
            let of_topic = |span: &&Span| span.topic == entry.topic && span.from < span.to;
            let spans: Vec<Span> =
                self.spans.iter().filter(of_topic).filter(|span| wanted(span)).copied().collect();
            if !spans.is_empty() {
                self.read_topic(&entry.name, &spans, &mut each)?;
            }
        }
        Ok(())
    }

    fn read_topic(
        &self,
        name: &str,
        spans: &[Span],
        each: &mut impl FnMut(&ConsumedRecord<'_>),
    ) -> Result<(), VerifyError> {
        // Where each partition that is still read is to end.
        let mut ends: Vec<Option<i64>> = Vec::new();
        let mut list = TopicPartitionList::new();
        for span in spans {
            let at = span.partition as usize;
            ends.resize(ends.len().max(at + 1), None);
            ends[at] = Some(span.to);
            list.add_partition_offset(name, span.partition, Offset::Offset(span.from))
                .map_err(|error| failed(name, span.partition, &error))?;
        }
        let topic = spans[0].topic;
        let mut left = spans.len();
        self.consumer.assign(&list).map_err(|error| VerifyError::Client(error.to_string()))?;
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
                    return Err(VerifyError::Client(error.to_string()));
                }
                Some(Err(_)) | None => {
                    self.interrupted()?;
                    let waited = silence.lasts(Instant::now());
                    if waited > self.patience.max(SILENCE) {
                        return Err(VerifyError::Silent { topic: name.to_owned(), waited });
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
            if offset >= end {
                continue;
            }
            let (timestamp_ms, restamped) = match message.timestamp() {
                Timestamp::CreateTime(ms) => (ms, false),
                Timestamp::LogAppendTime(ms) => (ms, true),
                Timestamp::NotAvailable => (-1, true),
            };
            let value = message.payload().unwrap_or_default();
            each(&ConsumedRecord {
                topic,
                offset,
                key: message.key().unwrap_or_default(),
                content: Content { partition, timestamp_ms, value },
                restamped,
            });
        }
        Ok(())
    }

    fn interrupted(&self) -> Result<(), VerifyError> {
        if self.stop.is_set() { Err(VerifyError::Interrupted) } else { Ok(()) }
    }
}

/// How long a cluster that has answered may say nothing at all.
const SILENCE: Duration = Duration::from_secs(60);

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

fn failed(topic: &str, partition: i32, error: &ClientError) -> VerifyError {
    VerifyError::Partition { topic: topic.to_owned(), partition, cause: error.to_string() }
}

/// A consumer of the cluster of `settings`, with these properties.
pub(super) fn consumer(
    settings: &KafkaSettings,
    properties: &[(&str, &str)],
) -> Result<BaseConsumer<Quiet>, VerifyError> {
    let mut config = settings.consumer_config()?;
    for (key, value) in properties {
        config.set(*key, *value);
    }
    let consumer: BaseConsumer<Quiet> =
        BaseConsumer::from_config_and_context(&config, Quiet(settings.tokens.clone()))
            .map_err(|error| VerifyError::Client(error.to_string()))?;
    // Before anybody polls it, which would ask for one.
    if let Some(tokens) = &settings.tokens {
        give_token(consumer.client(), tokens);
    }
    Ok(consumer)
}

/// Takes what the client says to the log, and gives it tokens.
pub(super) struct Quiet(Option<Arc<TokenSource>>);

impl ClientContext for Quiet {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let tokens = self.0.as_ref().ok_or("there is nowhere to get one from")?;
        let token = tokens.token()?;
        Ok(OAuthToken {
            token: token.text.expose_secret().to_owned(),
            principal_name: token.principal,
            lifetime_ms: token.ends_ms,
        })
    }

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "{message}");
    }

    fn error(&self, error: ClientError, reason: &str) {
        tracing::debug!(%error, "{reason}");
    }
}

impl ConsumerContext for Quiet {}

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
