//! Fault injection: a test says beforehand what happens to which requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, RequestKind};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The request is not processed, and the response has this code.
    Fail(ResponseError),
    /// The request is processed, and the response has this code all the same.
    ApplyThenFail(ResponseError),
    /// The request is not processed, and the connection is dropped.
    Disconnect,
    /// The request is processed, and the connection is dropped without a response.
    ApplyThenDisconnect,
    /// The request is processed after this delay.
    DelayRequest(Duration),
    /// The request is processed at once, and the response is sent after this delay.
    DelayResponse(Duration),
    /// The request is processed, and no response is ever sent. The connection stays open and answers
    /// nothing more.
    NeverRespond,
    /// The request is processed and answered with this throttle time. The connection is not read
    /// meanwhile, as under Kafka's quotas.
    Throttle(Duration),
}

/// Which requests a fault hits, and what happens to them. Active from
/// [`Broker::fault`](crate::Broker::fault) on.
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
    /// A fault for the next request of an API to any node.
    #[must_use]
    pub fn on(api: ApiKey, action: Action) -> Fault {
        Fault { api, action, node: None, partition: None, skip: 0, times: 1 }
    }

    /// Only for requests to this node.
    #[must_use]
    pub fn node(mut self, node: i32) -> Fault {
        self.node = Some(node);
        self
    }

    /// Only for Produce and Fetch requests with this partition. An error code is then for this partition
    /// alone: the others are processed as usual.
    #[must_use]
    pub fn partition(mut self, topic: &str, index: i32) -> Fault {
        self.partition = Some((topic.to_owned(), index));
        self
    }

    /// Skips this many requests first.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Fault {
        self.skip = count;
        self
    }

    /// Hits this many requests in a row. Default 1.
    #[must_use]
    pub fn times(mut self, count: u64) -> Fault {
        self.times = count;
        self
    }

    /// Hits all requests.
    #[must_use]
    pub fn always(self) -> Fault {
        self.times(u64::MAX)
    }
}

/// An active fault. It counts its hits, and can be ended.
#[derive(Debug, Clone)]
pub struct ActiveFault {
    hits: Arc<AtomicU64>,
    left: Arc<AtomicU64>,
}

impl ActiveFault {
    /// How many requests it has hit.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Ends the fault.
    pub fn end(&self) {
        self.left.store(0, Ordering::Relaxed);
    }
}

/// What happens to a request, and to which of its partitions.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) action: Action,
    pub(crate) partition: Option<(String, i32)>,
}

/// All active faults.
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

    /// What happens to a request, by the first rule that matches. `name_of` maps topic ids to names.
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

/// Whether a request has a partition. `name_of` maps topic ids to names.
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
