//! Faults on request: what happens to which requests, as a test says beforehand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, RequestKind};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is answered with the code and nothing is done.
    Fail(ResponseError),
    /// All that it asks is done, and it is answered with the code.
    ApplyThenFail(ResponseError),
    /// The connection is dropped and nothing is done.
    Disconnect,
    /// All that it asks is done, and the connection is dropped without an answer.
    ApplyThenDisconnect,
    /// Nothing is done before so long, then all.
    DelayRequest(Duration),
    /// All is done at once and answered so much later.
    DelayResponse(Duration),
    /// It is done and never answered; the connection stays and answers nothing more.
    NeverRespond,
    /// It is done and answered; the answer tells to wait so long, and the connection is not read in
    /// that time, as Kafka's quotas do it.
    Throttle(Duration),
}

/// Which requests, and what befalls them. It is in force from [`Broker::fault`](crate::Broker::fault) on.
#[derive(Debug, Clone)]
pub struct Fault {
    api: ApiKey,
    action: Action,
    node: Option<i32>,
    partition: Option<(String, i32)>,
    skip: u64,
    times: u64,
}

impl Fault {
    /// Befalls the next request of a kind to any node.
    #[must_use]
    pub fn on(api: ApiKey, action: Action) -> Fault {
        Fault { api, action, node: None, partition: None, skip: 0, times: 1 }
    }

    /// Only requests to this node.
    #[must_use]
    pub fn node(mut self, node: i32) -> Fault {
        self.node = Some(node);
        self
    }

    /// Only Produce and Fetch requests that have this partition. A code then is that of this
    /// partition alone: all others of the request are done and answered as ever.
    #[must_use]
    pub fn partition(mut self, topic: &str, index: i32) -> Fault {
        self.partition = Some((topic.to_owned(), index));
        self
    }

    /// Lets so many pass before.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Fault {
        self.skip = count;
        self
    }

    /// So many in a row: 1 unless said.
    #[must_use]
    pub fn times(mut self, count: u64) -> Fault {
        self.times = count;
        self
    }

    /// All that come.
    #[must_use]
    pub fn always(self) -> Fault {
        self.times(u64::MAX)
    }
}

/// A fault in force: it counts, and is over when told.
#[derive(Debug, Clone)]
pub struct ActiveFault {
    hits: Arc<AtomicU64>,
    left: Arc<AtomicU64>,
}

impl ActiveFault {
    /// How many requests it has befallen.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Lets all requests pass from here on.
    pub fn end(&self) {
        self.left.store(0, Ordering::Relaxed);
    }
}

/// What befalls a request, and which of its partitions.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) action: Action,
    pub(crate) partition: Option<(String, i32)>,
}

/// All faults in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    passed: u64,
    state: ActiveFault,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> ActiveFault {
        let state =
            ActiveFault { hits: Arc::default(), left: Arc::new(AtomicU64::new(fault.times)) };
        self.rules.push(Rule { fault, passed: 0, state: state.clone() });
        state
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// What befalls a request, by the first rule that fits it. `name_of` knows topics by their ids.
    pub(crate) fn take(
        &mut self,
        node: i32,
        api: ApiKey,
        has_partition: impl Fn(&str, i32) -> bool,
    ) -> Option<Hit> {
        self.rules.retain(|r| r.state.left.load(Ordering::Relaxed) > 0);
        for rule in &mut self.rules {
            let fault = &rule.fault;
            if fault.api as i16 != api as i16
                || fault.node.is_some_and(|n| n != node)
                || fault.partition.as_ref().is_some_and(|(t, p)| !has_partition(t, *p))
            {
                continue;
            }
            if rule.passed < fault.skip {
                rule.passed += 1;
                continue;
            }
            rule.state.hits.fetch_add(1, Ordering::Relaxed);
            if fault.times != u64::MAX {
                rule.state.left.fetch_sub(1, Ordering::Relaxed);
            }
            return Some(Hit { action: fault.action, partition: fault.partition.clone() });
        }
        None
    }

    pub(crate) fn any(&self) -> bool {
        !self.rules.is_empty()
    }
}

/// Whether a request has a partition; `name_of` knows topics by their ids.
pub(crate) fn has_partition(
    request: &RequestKind,
    name_of: impl Fn(uuid::Uuid) -> Option<String>,
    topic: &str,
    index: i32,
) -> bool {
    let named = |name: &str, id: uuid::Uuid| {
        if name.is_empty() { name_of(id).is_some_and(|n| n == topic) } else { name == topic }
    };
    match request {
        RequestKind::Produce(r) => r.topic_data.iter().any(|t| {
            named(&t.name, t.topic_id) && t.partition_data.iter().any(|p| p.index == index)
        }),
        RequestKind::Fetch(r) => r.topics.iter().any(|t| {
            named(&t.topic, t.topic_id) && t.partitions.iter().any(|p| p.partition == index)
        }),
        _ => false,
    }
}
