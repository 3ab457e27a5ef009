//! Topics that change under a run: looked for now and then, and told once each.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chrono::Utc;

use crate::report::results::ChangedTopic;
use crate::sink::kafka::Cluster;
use crate::sink::kafka::topic_state::{self, TopicChange, TopicState};

/// How often the topics are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long the cluster may take to tell.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks at a run's topics, on a thread of its own, until it is finished or dropped.
pub struct TopicWatch {
    /// Dropped, it ends the thread.
    go_on: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    seen: Arc<Mutex<Seen>>,
    cluster: Arc<Cluster>,
}

/// What is known of the topics.
struct Seen {
    /// By name: what each was like when it was last looked at; none where it was gone.
    states: BTreeMap<String, Option<TopicState>>,
    changes: Vec<ChangedTopic>,
}

impl TopicWatch {
    /// Watches topics that were like `states` when the run began.
    pub fn start(cluster: Arc<Cluster>, states: BTreeMap<String, TopicState>) -> TopicWatch {
        let states = states.into_iter().map(|(name, state)| (name, Some(state))).collect();
        let seen = Arc::new(Mutex::new(Seen { states, changes: Vec::new() }));
        let (go_on, ended) = mpsc::channel();
        let (of_thread, asked) = (Arc::clone(&seen), Arc::clone(&cluster));
        let watch = move || {
            while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                look(&asked, &of_thread);
            }
        };
        // Without the thread there is the look at the end.
        let thread = thread::Builder::new().name("topics".to_owned()).spawn(watch).ok();
        TopicWatch { go_on: Some(go_on), thread, seen, cluster }
    }

    /// Looks a last time, and returns all that has changed since the start.
    pub fn finish(&mut self) -> Vec<ChangedTopic> {
        self.end();
        look(&self.cluster, &self.seen);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).changes.clone()
    }

    fn end(&mut self) {
        self.go_on = None;
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, and then has nothing more to say.
            let _ended = thread.join();
        }
    }
}

impl Drop for TopicWatch {
    fn drop(&mut self) {
        self.end();
    }
}

/// Looks at the topics and tells what has changed.
fn look(cluster: &Cluster, seen: &Mutex<Seen>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let names: Vec<String> = seen.states.keys().cloned().collect();
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut now = match topic_state::states(cluster, &asked, PATIENCE) {
        Ok(now) => now,
        Err(error) => return tracing::debug!("the topics were not looked at: {error}"),
    };
    let Seen { states, changes } = &mut *seen;
    for (name, state) in states {
        let now = now.remove(name);
        let found = match state {
            Some(before) => before.changes(now.as_ref()),
            // Its end was told, so that its return is a change as well.
            None if now.is_some() => vec![TopicChange::MadeAnew],
            None => Vec::new(),
        };
        for change in found {
            tracing::warn!("{}", words(name, &change));
            changes.push(ChangedTopic { topic: name.clone(), noticed: Utc::now(), change });
        }
        *state = now;
    }
}

/// What a change means to the run.
fn words(topic: &str, change: &TopicChange) -> String {
    match change {
        TopicChange::MadeAnew => {
            format!("topic `{topic}` was made anew: what the run wrote to it before is gone")
        }
        TopicChange::Deleted => {
            format!("topic `{topic}` was deleted: what the run wrote to it is gone")
        }
        TopicChange::Partitions { before, now } => format!(
            "topic `{topic}` has {now} partitions, and had {before} when the run began: the run goes \
             on by the partitions that it began with, and other producers' keys go elsewhere"
        ),
        TopicChange::CleanupPolicy { before, now } => format!(
            "topic `{topic}` has cleanup.policy={now}, and had {before} when the run began: records \
             may go that the run was to keep, or stay that it was not"
        ),
    }
}
