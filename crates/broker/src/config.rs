//! The settings of topics and of the broker itself that Kafka's admin API reads and writes, by
//! Kafka's names.

use std::collections::BTreeMap;

/// The type of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Int,
    Long,
    Double,
    /// One of a few words, or a comma-separated list of them if the flag is set.
    Word(&'static [&'static str], bool),
    Text,
}

/// A setting, its default and its type.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) kind: Kind,
}

const fn setting(name: &'static str, default: &'static str, kind: Kind) -> Setting {
    Setting { name, default, kind }
}

const POLICIES: &[&str] = &["delete", "compact"];
const TIMES: &[&str] = &["CreateTime", "LogAppendTime"];
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

/// The topic settings. Those about files are kept and described, and do nothing.
pub(crate) const TOPIC: &[Setting] = &[
    setting("cleanup.policy", "delete", Kind::Word(POLICIES, true)),
    setting("compression.gzip.level", "-1", Kind::Int),
    setting("compression.lz4.level", "9", Kind::Int),
    setting("compression.type", "producer", Kind::Word(CODECS, false)),
    setting("compression.zstd.level", "3", Kind::Int),
    setting("delete.retention.ms", "86400000", Kind::Long),
    setting("file.delete.delay.ms", "60000", Kind::Long),
    setting("flush.messages", "9223372036854775807", Kind::Long),
    setting("flush.ms", "9223372036854775807", Kind::Long),
    setting("follower.replication.throttled.replicas", "", Kind::Text),
    setting("index.interval.bytes", "4096", Kind::Int),
    setting("leader.replication.throttled.replicas", "", Kind::Text),
    setting("local.retention.bytes", "-2", Kind::Long),
    setting("local.retention.ms", "-2", Kind::Long),
    setting("max.compaction.lag.ms", "9223372036854775807", Kind::Long),
    setting("max.message.bytes", "1048588", Kind::Int),
    setting("message.timestamp.after.max.ms", "3600000", Kind::Long),
    setting("message.timestamp.before.max.ms", "9223372036854775807", Kind::Long),
    setting("message.timestamp.type", "CreateTime", Kind::Word(TIMES, false)),
    setting("min.cleanable.dirty.ratio", "0.5", Kind::Double),
    setting("min.compaction.lag.ms", "0", Kind::Long),
    setting("min.insync.replicas", "1", Kind::Int),
    setting("preallocate", "false", Kind::Boolean),
    setting("remote.storage.enable", "false", Kind::Boolean),
    setting("retention.bytes", "-1", Kind::Long),
    setting("retention.ms", "-1", Kind::Long),
    setting("segment.bytes", "1073741824", Kind::Int),
    setting("segment.index.bytes", "10485760", Kind::Int),
    setting("segment.jitter.ms", "0", Kind::Long),
    setting("segment.ms", "604800000", Kind::Long),
    setting("unclean.leader.election.enable", "false", Kind::Boolean),
];

/// The broker settings.
pub(crate) const BROKER: &[Setting] = &[
    setting("auto.create.topics.enable", "true", Kind::Boolean),
    setting("compression.type", "producer", Kind::Word(CODECS, false)),
    setting("default.replication.factor", "1", Kind::Int),
    setting("delete.topic.enable", "true", Kind::Boolean),
    setting("group.initial.rebalance.delay.ms", "0", Kind::Int),
    setting("group.max.session.timeout.ms", "1800000", Kind::Int),
    setting("group.min.session.timeout.ms", "6000", Kind::Int),
    setting("log.cleanup.policy", "delete", Kind::Word(POLICIES, true)),
    setting("log.message.timestamp.type", "CreateTime", Kind::Word(TIMES, false)),
    setting("log.retention.bytes", "-1", Kind::Long),
    setting("log.retention.ms", "-1", Kind::Long),
    setting("message.max.bytes", "1048588", Kind::Int),
    setting("min.insync.replicas", "1", Kind::Int),
    setting("num.partitions", "1", Kind::Int),
    setting("producer.id.expiration.check.interval.ms", "600000", Kind::Int),
    setting("producer.id.expiration.ms", "86400000", Kind::Int),
    setting("transaction.max.timeout.ms", "900000", Kind::Int),
];

/// The broker setting that a topic setting defaults to.
pub(crate) fn inherited(topic_setting: &str) -> Option<&'static str> {
    Some(match topic_setting {
        "cleanup.policy" => "log.cleanup.policy",
        "compression.type" => "compression.type",
        "max.message.bytes" => "message.max.bytes",
        "message.timestamp.type" => "log.message.timestamp.type",
        "min.insync.replicas" => "min.insync.replicas",
        "retention.bytes" => "log.retention.bytes",
        "retention.ms" => "log.retention.ms",
        _ => return None,
    })
}

/// The setting of that name.
pub(crate) fn find<'a>(among: &'a [Setting], name: &str) -> Option<&'a Setting> {
    among.iter().find(|s| s.name == name)
}

/// An invalid value, in Kafka's words.
#[derive(Debug, thiserror::Error)]
#[error("Invalid value {value} for configuration {name}")]
pub(crate) struct InvalidValue {
    name: &'static str,
    value: String,
}

impl Setting {
    /// Checks a value of the setting.
    ///
    /// # Errors
    /// The reason, as a sentence.
    pub(crate) fn check(&self, value: &str) -> Result<(), InvalidValue> {
        let right = match self.kind {
            Kind::Boolean => matches!(value.to_ascii_lowercase().as_str(), "true" | "false"),
            Kind::Int => value.trim().parse::<i32>().is_ok(),
            Kind::Long => value.trim().parse::<i64>().is_ok(),
            Kind::Double => value.trim().parse::<f64>().is_ok(),
            Kind::Word(words, several) => {
                let mut parts = value.split(',').map(str::trim).filter(|p| !p.is_empty());
                if several {
                    parts.all(|p| words.contains(&p))
                } else {
                    words.contains(&value.trim())
                }
            }
            Kind::Text => true,
        };
        if right { Ok(()) } else { Err(InvalidValue { name: self.name, value: value.to_owned() }) }
    }

    /// Kafka's number for the type, as in DescribeConfigs.
    pub(crate) fn type_code(&self) -> i8 {
        match self.kind {
            Kind::Boolean => 1,
            Kind::Int => 3,
            Kind::Long => 5,
            Kind::Double => 6,
            Kind::Word(_, true) => 7,
            Kind::Word(_, false) | Kind::Text => 2,
        }
    }
}

/// The values that were set, by name. Others have their defaults.
pub(crate) type Values = BTreeMap<String, String>;

/// The broker's value of a setting.
pub(crate) fn broker_value<'a>(values: &'a Values, name: &str) -> &'a str {
    match values.get(name) {
        Some(value) => value,
        None => find(BROKER, name).map_or("", |s| s.default),
    }
}

/// A topic's value of a setting: its own, the broker's, or the default.
pub(crate) fn topic_value<'a>(topic: &'a Values, broker: &'a Values, name: &str) -> &'a str {
    if let Some(value) = topic.get(name) {
        return value;
    }
    match inherited(name) {
        Some(of_broker) => broker_value(broker, of_broker),
        None => find(TOPIC, name).map_or("", |s| s.default),
    }
}

/// A broker's setting as a number.
pub(crate) fn broker_number(values: &Values, name: &str) -> i64 {
    broker_value(values, name).trim().parse().unwrap_or(0)
}

/// A topic's setting as a number.
pub(crate) fn topic_number(topic: &Values, broker: &Values, name: &str) -> i64 {
    topic_value(topic, broker, name).trim().parse().unwrap_or(0)
}
