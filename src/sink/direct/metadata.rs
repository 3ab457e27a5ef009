//! Where the partitions are, as the cluster tells it now and then.

use std::collections::BTreeMap;
use std::time::Duration;

use fleetstorm_model::record::Topic;
use tokio::sync::mpsc::UnboundedSender;

use super::sender::Event;
use crate::sink::kafka::{MetadataClient, Placement};

/// A partition as its records name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) topic: Topic,
    pub(super) name: String,
    pub(super) index: i32,
}

/// The partitions, by their numbers, and who leads them.
pub(super) struct Metadata {
    metadata_client: MetadataClient,
    places: Vec<Place>,
    numbers: BTreeMap<String, BTreeMap<i32, usize>>,
    /// The broker that leads each partition, where one does.
    leaders: Vec<Option<i32>>,
    /// Since when a partition's topic is gone.
    missing_since_ns: Vec<Option<u64>>,
    refreshing: bool,
    refresh_at_ns: u64,
    events: UnboundedSender<Event>,
}

/// How long a look may take, and how long after it the next may follow.
const REFRESH: Duration = Duration::from_secs(5);
const REFRESH_PAUSE: Duration = Duration::from_millis(200);
/// How long a topic may be gone before its records are given up, as librdkafka's
/// topic.metadata.propagation.max.ms.
const GONE: Duration = Duration::from_secs(30);

impl Metadata {
    /// Of the partitions `places`, whose answers go to `events`.
    pub(super) fn new(
        metadata_client: MetadataClient,
        places: Vec<Place>,
        events: UnboundedSender<Event>,
    ) -> Metadata {
        let mut numbers: BTreeMap<String, BTreeMap<i32, usize>> = BTreeMap::new();
        for (number, place) in places.iter().enumerate() {
            numbers.entry(place.name.clone()).or_default().insert(place.index, number);
        }
        let count = places.len();
        Metadata {
            metadata_client,
            places,
            numbers,
            leaders: vec![None; count],
            missing_since_ns: vec![None; count],
            refreshing: false,
            refresh_at_ns: 0,
            events,
        }
    }

    /// The partition of a number.
    pub(super) fn at(&self, number: usize) -> &Place {
        &self.places[number]
    }

    /// The number of a partition.
    pub(super) fn number(&self, name: &str, index: i32) -> Option<usize> {
        self.numbers.get(name)?.get(&index).copied()
    }

    /// The broker that leads a partition, where one does.
    pub(super) fn leader(&self, number: usize) -> Option<i32> {
        self.leaders[number]
    }

    /// Whether a broker leads any.
    pub(super) fn leads(&self, broker: i32) -> bool {
        self.leaders.contains(&Some(broker))
    }

    /// Whether the topic of a partition has been gone for long.
    pub(super) fn is_gone(&self, number: usize, now_ns: u64) -> bool {
        let gone_ns = now_ns.saturating_sub(GONE.as_nanos() as u64);
        self.missing_since_ns[number].is_some_and(|since_ns| since_ns < gone_ns)
    }

    /// Asks where the partitions are, on a thread of its own: the answer is an event.
    pub(super) fn refresh(&mut self, now_ns: u64) {
        if self.refreshing || now_ns < self.refresh_at_ns {
            return;
        }
        self.refreshing = true;
        let (metadata_client, events) = (self.metadata_client.clone(), self.events.clone());
        let refreshing = std::thread::Builder::new().name("metadata".to_owned()).spawn(move || {
            let _nobody_listens = events.send(Event::Placed(metadata_client.placement(REFRESH)));
        });
        if let Err(error) = refreshing {
            self.take(Err(&error.to_string()), now_ns);
        }
    }

    /// Takes the answer, or why there is none.
    pub(super) fn take(&mut self, placed: Result<&Placement, &String>, now_ns: u64) {
        self.refreshing = false;
        self.refresh_at_ns = now_ns + REFRESH_PAUSE.as_nanos() as u64;
        let placement = match placed {
            Ok(placement) => placement,
            Err(cause) => {
                tracing::debug!("where the partitions are is unknown: {cause}");
                return;
            }
        };
        for (number, place) in self.places.iter().enumerate() {
            let leaders = placement.leaders.get(&place.name);
            let leader = leaders.and_then(|leaders| leaders.get(place.index as usize).copied());
            self.leaders[number] = leader.filter(|id| *id >= 0);
            let since_ns = &mut self.missing_since_ns[number];
            *since_ns = if leader.is_some() { None } else { since_ns.or(Some(now_ns)) };
        }
    }
}
