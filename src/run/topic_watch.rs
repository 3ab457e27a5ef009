//! Watches a run's topics for changes, and reports each once.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chrono::Utc;

use crate::report::results::ChangedTopic;
use crate::sink::kafka::Cluster;
use crate::sink::kafka::topic_state::{self, TopicChange, TopicState};

/// How often the topics are checked.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The timeout of the cluster.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How many checks in a row must miss a topic before it counts as deleted: a broker that has just started
/// doesn't know all topics yet.
const LOOKS_UNTIL_DELETED: u32 = 2;
/// The time between the last checks.
const LAST_LOOKS: Duration = Duration::from_secs(1);

/// Checks a run's topics, on a thread of its own, until it is finished or dropped.
pub struct TopicWatch {
    /// Dropping it ends the thread.
    go_on: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    seen: Arc<Mutex<Seen>>,
    cluster: Arc<Cluster>,
}

/// What is known of the topics.
#[derive(Debug, Default)]
struct Seen {
    topics: BTreeMap<String, SeenTopic>,
    changes: Vec<ChangedTopic>,
}

/// What is known of a topic.
#[derive(Debug)]
struct SeenTopic {
    /// Its state when it last existed.
    last: TopicState,
    /// How many checks in a row have missed it.
    missing: u32,
}

impl Seen {
    /// Topics in these states.
    fn new(states: BTreeMap<String, TopicState>) -> Seen {
        let seen = |(name, last)| (name, SeenTopic { last, missing: 0 });
        Seen { topics: states.into_iter().map(seen).collect(), changes: Vec::new() }
    }

    /// What has changed, by the current state.
    fn changed(&mut self, mut now: BTreeMap<String, TopicState>) -> Vec<(String, TopicChange)> {
        let mut changed = Vec::new();
        for (name, topic) in &mut self.topics {
            let found = match now.remove(name) {
                Some(now) => topic.found(now),
                None => topic.not_found().into_iter().collect(),
            };
            changed.extend(found.into_iter().map(|change| (name.clone(), change)));
        }
        changed
    }

    /// Whether a topic was missed, and doesn't count as deleted yet.
    fn in_doubt(&self) -> bool {
        self.topics.values().any(|topic| (1..LOOKS_UNTIL_DELETED).contains(&topic.missing))
    }
}

impl SeenTopic {
    fn found(&mut self, mut now: TopicState) -> Vec<TopicChange> {
        let was_deleted = self.missing >= LOOKS_UNTIL_DELETED;
        self.missing = 0;
        let mut changes = self.last.changes(&now);
        // Without topic ids only its absence tells.
        if was_deleted && now.id.is_none() {
            changes = vec![TopicChange::Recreated];
        }
        if !changes.contains(&TopicChange::Recreated) {
            // What wasn't reported this time is as it was.
            now.id = now.id.or(self.last.id.take());
            now.cleanup_policy = now.cleanup_policy.or(self.last.cleanup_policy.take());
        }
        self.last = now;
        changes
    }

    fn not_found(&mut self) -> Option<TopicChange> {
        self.missing = self.missing.saturating_add(1);
        (self.missing == LOOKS_UNTIL_DELETED).then_some(TopicChange::Deleted)
    }
}

impl TopicWatch {
    /// Watches topics that were in `states` when the run began.
    pub fn start(cluster: Arc<Cluster>, states: BTreeMap<String, TopicState>) -> TopicWatch {
        let seen = Arc::new(Mutex::new(Seen::new(states)));
        let (go_on, ended) = mpsc::channel();
        let (of_thread, asked) = (Arc::clone(&seen), Arc::clone(&cluster));
        let watch = move || {
            while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                look(&asked, &of_thread);
            }
        };
        // Without the thread there is still the check at the end.
        let thread = thread::Builder::new().name("topics".to_owned()).spawn(watch).ok();
        TopicWatch { go_on: Some(go_on), thread, seen, cluster }
    }

    /// Checks a last time, and returns all changes since the start.
    pub fn finish(&mut self) -> Vec<ChangedTopic> {
        self.end();
        look(&self.cluster, &self.seen);
        let in_doubt = self.seen.lock().unwrap_or_else(PoisonError::into_inner).in_doubt();
        if in_doubt {
            thread::sleep(LAST_LOOKS);
            look(&self.cluster, &self.seen);
        }
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).changes.clone()
    }

    fn end(&mut self) {
        self.go_on = None;
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, and has nothing more to say.
            let _ended = thread.join();
        }
    }
}

impl Drop for TopicWatch {
    fn drop(&mut self) {
        self.end();
    }
}

/// Checks the topics, and reports what has changed.
fn look(cluster: &Cluster, seen: &Mutex<Seen>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let names: Vec<String> = seen.topics.keys().cloned().collect();
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let now = match topic_state::states(cluster, &asked, TIMEOUT) {
        Ok(now) => now,
        Err(error) => return tracing::debug!("the topics could not be checked: {error}"),
    };
    for (topic, change) in seen.changed(now) {
        tracing::warn!("{}", words(&topic, &change));
        seen.changes.push(ChangedTopic { topic, noticed: Utc::now(), change });
    }
}

/// What a change means to the run.
fn words(topic: &str, change: &TopicChange) -> String {
    match change {
        TopicChange::Recreated => {
            format!(
                "topic `{topic}` was deleted and recreated: what the run wrote to it before is gone"
            )
        }
        TopicChange::Deleted => {
            format!("topic `{topic}` was deleted: what the run wrote to it is gone")
        }
        TopicChange::Partitions { before, now } => format!(
            "topic `{topic}` has {now} partitions, and had {before} before: the run goes \
             on by the partitions that it began with, and other producers' keys go elsewhere"
        ),
        TopicChange::CleanupPolicy { before, now } => format!(
            "topic `{topic}` has cleanup.policy={now}, and had {before} before: records \
             may be deleted that the run was to keep, or kept that it was not"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(id: Option<&str>, policy: Option<&str>) -> BTreeMap<String, TopicState> {
        let (id, cleanup_policy) = (id.map(str::to_owned), policy.map(str::to_owned));
        BTreeMap::from([("t".to_owned(), TopicState { id, partitions: 3, cleanup_policy })])
    }

    fn changes(seen: &mut Seen, now: BTreeMap<String, TopicState>) -> Vec<TopicChange> {
        seen.changed(now).into_iter().map(|(_, change)| change).collect()
    }

    #[test]
    fn a_broker_that_does_not_know_a_topic_yet_is_no_change() {
        let mut seen = Seen::new(state(Some("a"), Some("delete")));
        assert_eq!(changes(&mut seen, BTreeMap::new()), []);
        assert!(seen.in_doubt());
        assert_eq!(changes(&mut seen, state(Some("a"), Some("delete"))), []);
        assert!(!seen.in_doubt());
        // However long it was gone: its id says that it is the same.
        assert_eq!(changes(&mut seen, BTreeMap::new()), []);
        assert_eq!(changes(&mut seen, BTreeMap::new()), [TopicChange::Deleted]);
        assert_eq!(changes(&mut seen, BTreeMap::new()), []);
        assert_eq!(changes(&mut seen, state(Some("a"), Some("delete"))), []);
    }

    #[test]
    fn another_topic_of_the_name_is_told_by_its_id_or_by_its_absence() {
        let mut seen = Seen::new(state(Some("a"), None));
        assert_eq!(changes(&mut seen, state(Some("b"), None)), [TopicChange::Recreated]);
        assert_eq!(changes(&mut seen, state(Some("b"), None)), []);
        let mut seen = Seen::new(state(None, None));
        changes(&mut seen, BTreeMap::new());
        assert_eq!(changes(&mut seen, BTreeMap::new()), [TopicChange::Deleted]);
        assert_eq!(changes(&mut seen, state(None, None)), [TopicChange::Recreated]);
    }

    #[test]
    fn what_is_not_told_for_once_is_not_forgotten() {
        let mut seen = Seen::new(state(Some("a"), Some("delete")));
        assert_eq!(changes(&mut seen, state(None, None)), []);
        let (before, now) = ("delete".to_owned(), "compact".to_owned());
        let expected = [TopicChange::CleanupPolicy { before, now }];
        assert_eq!(changes(&mut seen, state(Some("a"), Some("compact"))), expected);
        assert_eq!(changes(&mut seen, state(Some("b"), None)), [TopicChange::Recreated]);
    }
}
