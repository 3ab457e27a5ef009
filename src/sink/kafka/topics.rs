//! The topics of a run: created if missing, checked if they exist.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fleetstorm_model::record::Topic;
use fleetstorm_model::record::topic::UnknownTopic;
use rdkafka::admin::{ConfigResource, OwnedResourceSpecifier};

use super::access::{self, TopicAccess};
use super::admin::Admin;
use super::connect::{Cluster, TopicMetadata};
use super::error::KafkaError;
use crate::sink::property::Property;

/// How missing topics are created.
#[derive(Debug, Clone)]
pub struct TopicPolicy {
    /// The prefix of topic names.
    pub prefix: String,
    /// Partitions of each topic; at least one.
    pub partitions: u32,
    /// Replicas of each partition; `None` for the broker's default.
    pub replication_factor: Option<u16>,
    /// Topic configuration, for all topics or for one.
    pub configs: Vec<TopicConfig>,
    /// Whether missing topics are created. If not, they are an error.
    pub create: bool,
}

/// A topic configuration, as `--topic-config [TOPIC:]key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicConfig {
    /// The topic that it is for; `None` for all.
    pub topic: Option<Topic>,
    /// Name and value.
    pub property: Property,
}

/// The timestamps of a run's records, as far as they are known beforehand, in milliseconds since the
/// epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampRange {
    /// Now, by this machine's clock.
    pub now: i64,
    /// The first.
    pub earliest: i64,
    /// The last; `None` if they may run ahead of the clock without limit.
    pub latest: Option<i64>,
}

/// The topics, ready for the run.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// The partitions of each topic that was requested.
    pub partitions: BTreeMap<Topic, u32>,
    /// The names of topics that were created.
    pub created: Vec<String>,
    /// Warnings about the topics that existed.
    pub warnings: Vec<String>,
    /// The largest batch, in bytes, that every topic accepts, if that is known.
    pub largest_batch: Option<u64>,
    /// How old records may be before a broker forgets the producer that wrote them.
    pub producer_expiration: Duration,
}

/// Why a text is not a topic configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicConfigError {
    /// It names an unknown topic.
    #[error(transparent)]
    Topic(#[from] UnknownTopic),
    /// It sets no property.
    #[error("write it as KEY=VALUE or TOPIC:KEY=VALUE, as in telemetry:retention.ms=3600000")]
    Form,
}

impl std::str::FromStr for TopicConfig {
    type Err = TopicConfigError;

    fn from_str(text: &str) -> Result<TopicConfig, TopicConfigError> {
        let (topic, rest) = match text.split_once(':') {
            Some((topic, rest)) if !topic.contains('=') => (Some(topic.parse()?), rest),
            _ => (None, text),
        };
        let property = rest.parse().map_err(|_| TopicConfigError::Form)?;
        Ok(TopicConfig { topic, property })
    }
}

impl TopicPolicy {
    /// The full name of `topic`.
    pub fn name(&self, topic: Topic) -> String {
        format!("{}{}", self.prefix, topic.name())
    }

    /// The configuration to create `topic` with. The user's own comes last, and wins.
    fn config(&self, topic: Topic, stamps: &TimestampRange) -> BTreeMap<String, String> {
        let mut config = BTreeMap::new();
        let cleanup = if topic.is_compacted() { "compact" } else { "delete" };
        config.insert("cleanup.policy".to_owned(), cleanup.to_owned());
        if stamps.ahead_of_clock() > AFTER_MAX_DEFAULT {
            config.insert(AFTER_MAX.to_owned(), i64::MAX.to_string());
        }
        if !topic.is_compacted() && stamps.age() > RETENTION_MARGIN {
            // So long that the oldest records stay a week beyond the run.
            let retention = stamps.age().saturating_add(RETENTION_DEFAULT);
            config.insert(RETENTION.to_owned(), retention.to_string());
        }
        for wanted in &self.configs {
            if wanted.topic.is_none_or(|t| t == topic) {
                config.insert(wanted.property.key.clone(), wanted.property.value.clone());
            }
        }
        config
    }
}

/// After how long brokers forget producers, and Kafka's default: a day.
const EXPIRATION: &str = "producer.id.expiration.ms";
const EXPIRATION_DEFAULT: Duration = Duration::from_secs(86_400);
/// How far ahead of its clock a broker accepts timestamps, and Kafka 4's default: an hour.
const AFTER_MAX: &str = "message.timestamp.after.max.ms";
const AFTER_MAX_DEFAULT: i64 = 3_600_000;
/// How far behind its clock a broker accepts timestamps.
const BEFORE_MAX: &str = "message.timestamp.before.max.ms";
const RETENTION: &str = "retention.ms";
const RETENTION_DEFAULT: i64 = 7 * 86_400_000;
const RETENTION_MARGIN: i64 = 6 * 86_400_000;
/// What a batch header may add to its records, of what max.message.bytes allows.
const BATCH_OVERHEAD: u64 = 512;
/// The timeout for the access check.
const ACCESS_TIMEOUT: Duration = Duration::from_secs(5);

impl TimestampRange {
    /// The timestamps of the records of `topic`. Announcements carry the start, and are sent before it if
    /// it lies ahead.
    fn of(self, topic: Topic) -> TimestampRange {
        match topic {
            Topic::Machines => TimestampRange {
                latest: self.latest.map(|latest| latest.max(self.earliest)),
                ..self
            },
            _ => self,
        }
    }

    /// How far the last timestamp may lie ahead of the clock, in milliseconds.
    fn ahead_of_clock(&self) -> i64 {
        self.latest.map_or(i64::MAX, |latest| latest.saturating_sub(self.now))
    }

    /// How old the first timestamp is, in milliseconds.
    pub fn age(&self) -> i64 {
        self.now.saturating_sub(self.earliest)
    }
}

/// Makes sure that `topics` exist and suit the run.
///
/// # Errors
/// [`KafkaError`] if a topic can't be created, may not be written, or would reject the run's timestamps.
pub fn prepare(
    cluster: &Cluster,
    topics: &[Topic],
    policy: &TopicPolicy,
    stamps: &TimestampRange,
) -> Result<Prepared, KafkaError> {
    let admin = Admin::new(cluster)?;
    let existing = cluster.metadata()?;
    let (present, missing): (Vec<Topic>, Vec<Topic>) =
        topics.iter().partition(|&&topic| existing.contains_key(&policy.name(topic)));

    let mut prepared = Prepared::default();
    if !present.is_empty() {
        check_all(&admin, &present, policy, stamps, &mut prepared)?;
    }
    if let Some(&first) = missing.first() {
        let topic = policy.name(first);
        if !policy.create {
            return Err(KafkaError::Missing { topic });
        }
        let wanted = missing.iter().map(|&topic| {
            let config = policy.config(topic, &stamps.of(topic));
            (policy.name(topic), config)
        });
        let wanted: Vec<_> = wanted.collect();
        admin.create(&wanted, policy.partitions, policy.replication_factor)?;
        prepared.created = wanted.into_iter().map(|(name, _)| name).collect();
    }
    prepared.partitions = settle(cluster, topics, policy, existing)?;
    check_writable(cluster, topics, policy)?;
    for topic in missing {
        let count = prepared.partitions.get(&topic).copied().unwrap_or_default();
        await_leaders(cluster, &policy.name(topic), count)?;
    }
    warn_of_uneven_partitions(policy, &mut prepared);
    prepared.producer_expiration = producer_expiration(cluster, &admin);
    Ok(prepared)
}

/// After how long brokers forget producers, by the first broker that reports it.
fn producer_expiration(cluster: &Cluster, admin: &Admin) -> Duration {
    let broker = cluster.nodes().first();
    let configured = broker.and_then(|broker| admin.broker_config(broker.id, EXPIRATION));
    configured.and_then(|ms| ms.parse().ok()).map_or(EXPIRATION_DEFAULT, Duration::from_millis)
}

/// The `cleanup.policy` of each of these topics, without those that don't report it.
pub fn cleanup_policies(cluster: &Cluster, names: &[&str]) -> BTreeMap<String, String> {
    let admin = match Admin::new(cluster) {
        Ok(admin) => admin,
        Err(error) => {
            tracing::debug!("the topics' configurations are unknown: {error}");
            return BTreeMap::new();
        }
    };
    let policies = admin.configs(names).into_iter().filter_map(|config| {
        let OwnedResourceSpecifier::Topic(name) = &config.specifier else { return None };
        let policy = config.get("cleanup.policy")?.value.clone()?;
        Some((name.clone(), policy))
    });
    policies.collect()
}

/// An error for the first topic that exists and may not be written. Otherwise every record would fail, or
/// the producer as a whole.
fn check_writable(
    cluster: &Cluster,
    topics: &[Topic],
    policy: &TopicPolicy,
) -> Result<(), KafkaError> {
    let names: Vec<String> = topics.iter().map(|&topic| policy.name(topic)).collect();
    let timeout = cluster.settings().connect_timeout.min(ACCESS_TIMEOUT);
    match access::access(cluster, &names, timeout) {
        Ok(access) => {
            let unwritable = access.iter().position(|access| *access == TopicAccess::NotWritable);
            match unwritable.and_then(|at| names.into_iter().nth(at)) {
                Some(topic) => Err(KafkaError::Unauthorised { action: "write to", topic }),
                None => Ok(()),
            }
        }
        Err(error) => {
            // Older brokers don't report it. Then the first record finds out.
            tracing::debug!("whether the topics may be written is unknown: {error}");
            Ok(())
        }
    }
}

/// Waits until every partition of every topic has a leader. Returns the numbers of partitions.
fn settle(
    cluster: &Cluster,
    topics: &[Topic],
    policy: &TopicPolicy,
    mut existing: BTreeMap<String, TopicMetadata>,
) -> Result<BTreeMap<Topic, u32>, KafkaError> {
    let started = Instant::now();
    let timeout = cluster.settings().connect_timeout;
    loop {
        let mut counts = BTreeMap::new();
        let mut waiting = None;
        for &topic in topics {
            let name = policy.name(topic);
            match existing.get(&name) {
                Some(found) if found.ready => {
                    counts.insert(topic, found.partitions);
                }
                _ => waiting = Some(name),
            }
        }
        let Some(topic) = waiting else {
            return Ok(counts);
        };
        cluster.interrupted()?;
        if started.elapsed() >= timeout {
            return Err(KafkaError::NotReady { topic, waited: timeout });
        }
        std::thread::sleep(Duration::from_millis(50));
        existing = cluster.metadata()?;
    }
}

/// Waits until the leader of every partition of a new topic acts as the leader. Metadata may name it
/// before, and until then it rejects batches. If it becomes leader between a producer's first batch and
/// the second, it accepts the second, whatever its sequence number. It then takes the first one, retried,
/// for a duplicate: acknowledged, and never appended.
fn await_leaders(cluster: &Cluster, topic: &str, partitions: u32) -> Result<(), KafkaError> {
    let started = Instant::now();
    let timeout = cluster.settings().connect_timeout;
    while cluster.end_offsets(topic, partitions, timeout).is_none() {
        cluster.interrupted()?;
        if started.elapsed() >= timeout {
            return Err(KafkaError::NotReady { topic: topic.to_owned(), waited: timeout });
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn warn_of_uneven_partitions(policy: &TopicPolicy, prepared: &mut Prepared) {
    let counts: Vec<u32> = prepared.partitions.values().copied().collect();
    if counts.iter().min() == counts.iter().max() {
        return;
    }
    let listed: Vec<String> = prepared
        .partitions
        .iter()
        .map(|(&topic, count)| format!("{} has {count}", policy.name(topic)))
        .collect();
    prepared.warnings.push(format!(
        "the topics differ in their partitions ({}), so a machine's records are not in the same \
         partition everywhere and joins between these topics are not co-partitioned",
        listed.join(", ")
    ));
}

/// Checks the configurations of existing topics.
fn check_all(
    admin: &Admin,
    topics: &[Topic],
    policy: &TopicPolicy,
    stamps: &TimestampRange,
    prepared: &mut Prepared,
) -> Result<(), KafkaError> {
    let names: Vec<String> = topics.iter().map(|&topic| policy.name(topic)).collect();
    for config in admin.configs(&names.iter().map(String::as_str).collect::<Vec<_>>()) {
        let OwnedResourceSpecifier::Topic(name) = &config.specifier else { continue };
        if let Some(at) = names.iter().position(|n| n == name) {
            check(topics[at], name, &config, &stamps.of(topics[at]), prepared)?;
        }
    }
    Ok(())
}

/// Checks an existing topic's configuration.
fn check(
    topic: Topic,
    name: &str,
    config: &ConfigResource,
    stamps: &TimestampRange,
    prepared: &mut Prepared,
) -> Result<(), KafkaError> {
    let text = |key: &str| config.get(key).and_then(|entry| entry.value.as_deref());
    let number = |key: &str| text(key).and_then(|value| value.parse::<i64>().ok());

    if text("message.timestamp.type") != Some("LogAppendTime") {
        check_limits(name, number(AFTER_MAX), number(BEFORE_MAX), stamps)?;
    }

    let compacted = text("cleanup.policy").is_some_and(|policy| policy.contains("compact"));
    if compacted && !topic.is_compacted() {
        prepared.warnings.push(format!(
            "topic `{name}` is compacted: of each machine's records only the last will stay"
        ));
    } else if !compacted && topic.is_compacted() && text("cleanup.policy").is_some() {
        prepared.warnings.push(format!(
            "topic `{name}` is not compacted, so it will forget machines that say nothing new \
             within its retention"
        ));
    }
    let deletes = text("cleanup.policy").is_some_and(|policy| policy.contains("delete"));
    if let Some(retention) = number(RETENTION)
        && deletes
        && retention >= 0
        && stamps.age() > retention
    {
        prepared.warnings.push(format!(
            "topic `{name}` keeps records for {}, and this run's records begin {} ago: the broker may \
             delete them at once; raise its retention.ms or choose a later --start",
            span(retention),
            span(stamps.age())
        ));
    }
    if let Some(most) = number("max.message.bytes").and_then(|most| u64::try_from(most).ok()) {
        let batch = most.saturating_sub(BATCH_OVERHEAD).max(1);
        prepared.largest_batch = Some(prepared.largest_batch.map_or(batch, |b| b.min(batch)));
    }
    Ok(())
}

fn check_limits(
    name: &str,
    after: Option<i64>,
    before: Option<i64>,
    stamps: &TimestampRange,
) -> Result<(), KafkaError> {
    if let Some(after) = after
        && stamps.ahead_of_clock() > after
    {
        let records = match stamps.latest {
            Some(latest) => format!("reach {} ahead", span(latest - stamps.now)),
            None => "run ahead without a bound".to_owned(),
        };
        return Err(KafkaError::RefusesTimestamps {
            topic: name.to_owned(),
            limit: format!("more than {} ahead of its clock", span(after)),
            records,
            mend: format!("raise its {AFTER_MAX}, or choose an earlier --start"),
        });
    }
    if let Some(before) = before
        && stamps.age() > before
    {
        return Err(KafkaError::RefusesTimestamps {
            topic: name.to_owned(),
            limit: format!("more than {} behind its clock", span(before)),
            records: format!("begin {} behind", span(stamps.age())),
            mend: format!("raise its {BEFORE_MAX}, or choose a later --start"),
        });
    }
    Ok(())
}

/// Milliseconds as a person writes them, to the second.
fn span(ms: i64) -> String {
    let whole = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    let text =
        if whole < Duration::from_secs(1) { whole } else { Duration::from_secs(whole.as_secs()) };
    humantime::format_duration(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn stamps(earliest: i64, latest: Option<i64>) -> TimestampRange {
        TimestampRange {
            now: 100 * 24 * HOUR,
            earliest: 100 * 24 * HOUR + earliest,
            latest: latest.map(|l| 100 * 24 * HOUR + l),
        }
    }

    fn policy(configs: &[&str]) -> TopicPolicy {
        TopicPolicy {
            prefix: "x-".to_owned(),
            partitions: 6,
            replication_factor: None,
            configs: configs.iter().map(|c| c.parse().unwrap()).collect(),
            create: true,
        }
    }

    #[test]
    fn limits_are_raised_only_for_runs_that_pass_them() {
        let live = policy(&[]).config(Topic::Telemetry, &stamps(0, Some(0)));
        assert_eq!(live.keys().collect::<Vec<_>>(), ["cleanup.policy"]);
        let ahead = policy(&[]).config(Topic::Telemetry, &stamps(0, None));
        assert_eq!(ahead[AFTER_MAX], i64::MAX.to_string());
        let old = policy(&[]).config(Topic::Telemetry, &stamps(-30 * 24 * HOUR, Some(0)));
        assert_eq!(old[RETENTION], (37 * 24 * HOUR).to_string());
        let compacted = policy(&[]).config(Topic::Status, &stamps(-30 * 24 * HOUR, Some(0)));
        assert_eq!(compacted["cleanup.policy"], "compact");
        assert!(!compacted.contains_key(RETENTION));
    }

    #[test]
    fn the_users_topic_configuration_wins_for_its_topic() {
        let policy = policy(&["telemetry:cleanup.policy=compact", "retention.ms=5"]);
        let telemetry = policy.config(Topic::Telemetry, &stamps(0, Some(0)));
        assert_eq!((&*telemetry["cleanup.policy"], &*telemetry["retention.ms"]), ("compact", "5"));
        assert_eq!(policy.config(Topic::Usage, &stamps(0, Some(0)))["cleanup.policy"], "delete");
        assert!("nosuch:a=b".parse::<TopicConfig>().is_err());
        assert!("retention.ms".parse::<TopicConfig>().is_err());
        // A colon in a value doesn't make what stands before it a topic.
        assert!("follower.throttled.replicas=0:1".parse::<TopicConfig>().is_ok());
    }

    #[test]
    fn a_topic_that_refuses_the_timestamps_is_named_with_its_limit() {
        let error = check_limits("t", Some(HOUR), None, &stamps(0, Some(2 * HOUR))).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`t`") && text.contains("1h") && text.contains("2h"), "{text}");
        assert!(check_limits("t", Some(HOUR), None, &stamps(0, Some(HOUR))).is_ok());
        assert!(check_limits("t", Some(HOUR), None, &stamps(0, None)).is_err());
        assert!(check_limits("t", None, Some(HOUR), &stamps(-2 * HOUR, Some(0))).is_err());
    }
}
