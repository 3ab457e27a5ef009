//! The thread that talks to the brokers: batches in, requests out, answers in, counts out. It alone
//! knows what is in flight, so nothing of it is locked.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::timeout;

use super::answer::{Answer, meaning};
use super::batch::{Batch, ProducerId, UNPACED};
use super::link::{self, Link, LinkId};
use super::partition::{Partition, Settled};
use super::places::{Place, Places};
use super::settings::Settings;
use super::shared::Shared;
use super::wire;
use crate::sink::kafka::{Member, Placement, Scout, error_kind};

/// What the thread is told.
pub(super) enum Event {
    /// Batches to send, in their order.
    Batches(Vec<Batch>),
    /// A connection was opened.
    Connected(LinkId, Link),
    /// A connection broke, or could not be opened: why.
    Closed(LinkId, String),
    /// A broker answered.
    Answer(LinkId, Bytes),
    /// A request that isn't answered was written.
    Written(LinkId),
    /// Where the partitions are, or why that isn't known.
    Placed(Result<Placement, String>),
    /// Nobody will send any more, nor ask what became of what was sent.
    Stop,
}

/// The thread's state.
pub(super) struct Pump {
    settings: Rc<Settings>,
    shared: Arc<Shared>,
    places: Places,
    partitions: Vec<Partition>,
    brokers: BTreeMap<i32, Broker>,
    producer: Option<ProducerId>,
    /// Told once, when the producer can send.
    ready: Option<std::sync::mpsc::Sender<Result<(), String>>>,
    /// Not before this a producer's number is asked for, on the producer's clock.
    ask_at_ns: u64,
    /// When what is late was last looked for.
    expired_ns: u64,
    events: UnboundedSender<Event>,
}

/// A broker and the connection to it.
#[derive(Default)]
struct Broker {
    host: String,
    port: u16,
    link: Option<Link>,
    nth: u64,
    dialing: bool,
    failures: u32,
    dial_at_ns: u64,
    correlation: i32,
    requests: VecDeque<Request>,
    /// The partition that its next request begins with, so that none waits for ever.
    turn: usize,
}

/// A request that was sent.
struct Request {
    correlation: i32,
    sent_ns: u64,
    content: Content,
}

enum Content {
    /// Batches, by partition and number.
    Batches(Vec<(usize, u64)>),
    Producer,
}

/// The most bytes of batches in a request, beyond its first; brokers take a hundred times as much.
const REQUEST_BYTES: usize = 1 << 20;
/// How often what is late is looked for.
const TICK: Duration = Duration::from_millis(500);

const UNKNOWN_TOPIC: i16 = 3;
const TIMED_OUT: &str = "MessageTimedOut";

impl Pump {
    pub(super) fn new(
        settings: Settings,
        shared: Arc<Shared>,
        scout: Scout,
        places: Vec<Place>,
        events: UnboundedSender<Event>,
        ready: std::sync::mpsc::Sender<Result<(), String>>,
    ) -> Pump {
        Pump {
            settings: Rc::new(settings),
            shared,
            partitions: places.iter().map(|_| Partition::default()).collect(),
            places: Places::new(scout, places, events.clone()),
            brokers: BTreeMap::new(),
            producer: None,
            ready: Some(ready),
            ask_at_ns: 0,
            expired_ns: 0,
            events,
        }
    }

    /// Works until it is stopped.
    pub(super) async fn run(mut self, mut events: UnboundedReceiver<Event>) {
        self.places.look(self.shared.now_ns());
        loop {
            let first = timeout(self.patience(), events.recv()).await;
            let mut next = first.unwrap_or_default();
            while let Some(event) = next {
                if matches!(event, Event::Stop) {
                    return;
                }
                self.take(event);
                next = events.try_recv().ok();
            }
            self.expire();
            self.dial();
            self.dispatch();
            self.tell_ready();
        }
    }

    /// How long nothing need be done unless something happens.
    fn patience(&self) -> Duration {
        let now_ns = self.shared.now_ns();
        let retries = self.partitions.iter().filter_map(Partition::waits_until);
        let dials = self.brokers.values().filter(|b| b.link.is_none() && !b.dialing);
        let dials = dials.map(|broker| broker.dial_at_ns);
        let soonest = retries.chain(dials).chain([self.ask_at_ns]).filter(|at| *at > now_ns).min();
        soonest.map_or(TICK, |at| Duration::from_nanos(at - now_ns).min(TICK))
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Batches(batches) => {
                for batch in batches {
                    self.partitions[batch.partition].push(batch);
                }
            }
            Event::Connected(id, link) => {
                let Some(broker) = self.brokers.get_mut(&id.broker) else { return };
                if broker.nth == id.nth {
                    (broker.dialing, broker.failures) = (false, 0);
                    broker.link = Some(link);
                }
            }
            Event::Closed(id, cause) => self.close(id, &cause),
            Event::Answer(id, answer) => {
                if let Err(cause) = self.answered(id, answer) {
                    self.close(id, &cause);
                }
            }
            Event::Written(id) => {
                let broker = self.brokers.get_mut(&id.broker).filter(|b| b.nth == id.nth);
                if let Some(request) = broker.and_then(|b| b.requests.pop_front())
                    && let Content::Batches(batches) = request.content
                {
                    self.settle_all(&batches, Answer::Stored);
                }
            }
            Event::Placed(placed) => {
                self.places.looked(placed.as_ref(), self.shared.now_ns());
                self.meet(placed.map(|placement| placement.members).unwrap_or_default());
            }
            Event::Stop => {}
        }
    }

    // --- connections -----------------------------------------------------------------------

    /// Takes the brokers' addresses.
    fn meet(&mut self, members: Vec<Member>) {
        for member in members {
            let broker = self.brokers.entry(member.id).or_default();
            if (&broker.host, broker.port) != (&member.host, member.port) {
                (broker.host, broker.port) = (member.host, member.port);
                broker.dial_at_ns = 0;
            }
        }
    }

    /// Connects to brokers that are needed.
    fn dial(&mut self) {
        let now_ns = self.shared.now_ns();
        let mut homeless = false;
        for (number, partition) in self.partitions.iter().enumerate() {
            homeless |= !partition.is_empty() && self.places.leader(number).is_none();
        }
        if homeless {
            self.places.look(self.shared.now_ns());
        }
        let in_need = self.settings.idempotent && self.producer.is_none();
        for (&id, broker) in &mut self.brokers {
            let leads = self.places.leads(id);
            let idle = broker.link.is_none() && !broker.dialing;
            if !(leads || in_need) || !idle || now_ns < broker.dial_at_ns {
                continue;
            }
            broker.dialing = true;
            broker.nth += 1;
            let link = LinkId { broker: id, nth: broker.nth };
            tokio::task::spawn_local(link::dial(
                link,
                broker.host.clone(),
                broker.port,
                Rc::clone(&self.settings),
                Arc::clone(&self.shared),
                self.events.clone(),
            ));
        }
    }

    /// A connection has ended: what was in flight there is sent again.
    fn close(&mut self, id: LinkId, cause: &str) {
        let now_ns = self.shared.now_ns();
        let Some(broker) = self.brokers.get_mut(&id.broker).filter(|b| b.nth == id.nth) else {
            return;
        };
        if broker.link.is_none() && !broker.dialing {
            return;
        }
        let trouble = format!("the connection to {}:{} ended: {cause}", broker.host, broker.port);
        tracing::debug!("{trouble}");
        if self.ready.is_some() {
            *self.shared.trouble.lock() = Some(trouble);
        }
        (broker.link, broker.dialing) = (None, false);
        let pause = self.settings.reconnect_backoff * (1 << broker.failures.min(10));
        broker.failures += 1;
        broker.dial_at_ns = now_ns + pause.min(self.settings.longest_backoff).as_nanos() as u64;
        let requests = std::mem::take(&mut broker.requests);
        for request in requests {
            if let Content::Batches(batches) = request.content {
                self.settle_all(&batches, Answer::Again);
            }
        }
        self.places.look(self.shared.now_ns());
    }

    // --- requests --------------------------------------------------------------------------

    /// Sends what may be sent.
    fn dispatch(&mut self) {
        let now_ns = self.shared.now_ns();
        if self.settings.idempotent && !self.begin_sequences() {
            self.ask_producer(now_ns);
        }
        let mut brokers = std::mem::take(&mut self.brokers);
        for (&id, broker) in &mut brokers {
            while broker.link.is_some()
                && broker.requests.len() < self.settings.in_flight
                && self.produce(id, broker, now_ns)
            {}
        }
        self.brokers = brokers;
        for (partition, waiting) in self.partitions.iter().zip(&self.shared.waiting) {
            waiting.store(partition.waiting(), Ordering::Relaxed);
        }
    }

    /// Lets the partitions that need it begin a sequence of the producer; returns whether all could.
    fn begin_sequences(&mut self) -> bool {
        let Some(producer) = self.producer else { return false };
        let mut all = true;
        for partition in self.partitions.iter_mut().filter(|p| p.lacks_producer()) {
            all &= partition.begin(producer);
        }
        all
    }

    /// Asks a broker for a producer's number, unless one is being asked.
    fn ask_producer(&mut self, now_ns: u64) {
        let asks = |request: &Request| matches!(request.content, Content::Producer);
        let is_asking = self.brokers.values().any(|broker| broker.requests.iter().any(asks));
        if is_asking || now_ns < self.ask_at_ns {
            return;
        }
        let Some(broker) = self.brokers.values_mut().find(|broker| broker.link.is_some()) else {
            return;
        };
        let client_id = &self.settings.client_id;
        let mut frame = self.shared.frames.take();
        let correlation = broker.next_correlation();
        if let Some(link) = &broker.link
            && link.versions.ask_producer(&mut frame, correlation, client_id).is_ok()
        {
            link.send(frame);
            broker.requests.push_back(Request {
                correlation,
                sent_ns: now_ns,
                content: Content::Producer,
            });
        }
    }

    /// Sends a request of the batches that are next for `broker`; returns whether there were any.
    fn produce(&mut self, id: i32, broker: &mut Broker, now_ns: u64) -> bool {
        let Some(link) = &broker.link else { return false };
        let late_ns = now_ns.saturating_sub(self.settings.delivery_timeout.as_nanos() as u64);
        let count = self.partitions.len();
        let mut bytes = 0;
        let mut batches = Vec::new();
        let mut topics: Vec<(String, Vec<(i32, Bytes)>)> = Vec::new();
        for number in (broker.turn..count).chain(0..broker.turn) {
            let partition = &mut self.partitions[number];
            if self.places.leader(number) != Some(id)
                || !partition.is_ready(id, now_ns, late_ns, self.settings.in_flight)
                || (self.settings.idempotent && !partition.has_producer())
            {
                continue;
            }
            if !batches.is_empty() && bytes + partition.next_len() > REQUEST_BYTES {
                broker.turn = number;
                break;
            }
            let Some(sent) = partition.send(id) else { continue };
            bytes += sent.bytes.len();
            batches.push((number, sent.number));
            let place = self.places.at(number);
            match topics.last_mut() {
                Some((name, partitions)) if *name == place.name => {
                    partitions.push((place.index, sent.bytes));
                }
                _ => topics.push((place.name.clone(), vec![(place.index, sent.bytes)])),
            }
        }
        if batches.is_empty() {
            return false;
        }
        broker.correlation = broker.correlation.wrapping_add(1) & i32::MAX;
        let correlation = broker.correlation;
        let mut frame = self.shared.frames.take();
        let timeout_ms = self.settings.ack_timeout.as_millis().min(i32::MAX as u128) as i32;
        let acks = self.settings.acks();
        let formed = link.versions.produce(
            &mut frame,
            correlation,
            &self.settings.client_id,
            acks,
            timeout_ms,
            merged(topics),
        );
        if let Err(problem) = formed {
            tracing::error!("a request could not be formed: {problem}");
        }
        link.send(frame);
        let content = Content::Batches(batches);
        broker.requests.push_back(Request { correlation, sent_ns: now_ns, content });
        true
    }

    // --- answers ---------------------------------------------------------------------------

    /// Takes an answer.
    ///
    /// # Errors
    /// Why the connection is of no more use.
    fn answered(&mut self, id: LinkId, answer: Bytes) -> Result<(), String> {
        let broker = self.brokers.get_mut(&id.broker).filter(|b| b.nth == id.nth);
        let Some((broker, versions)) = broker.and_then(|b| {
            let versions = b.link.as_ref()?.versions;
            Some((b, versions))
        }) else {
            return Ok(());
        };
        let expected = broker.requests.front().map(|request| request.correlation);
        if expected.is_none() || wire::correlation(&answer) != expected {
            return Err("it answered what it was not asked".to_owned());
        }
        let Some(request) = broker.requests.pop_front() else { return Ok(()) };
        match request.content {
            Content::Producer => match versions.producer(answer)? {
                Ok(producer) => self.producer = Some(producer),
                Err(code) => self.refused_producer(code),
            },
            Content::Batches(batches) => match versions.stored(answer) {
                Ok(said) => self.stored(&batches, &said),
                Err(problem) => {
                    self.settle_all(&batches, Answer::Again);
                    return Err(problem);
                }
            },
        }
        Ok(())
    }

    fn refused_producer(&mut self, code: i16) {
        tracing::debug!("no producer's number: {}", error_kind(code));
        self.ask_at_ns = self.shared.now_ns() + self.settings.retry_backoff.as_nanos() as u64;
        let retriable = ResponseError::try_from_code(code).is_none_or(|error| error.is_retriable());
        if !retriable && let Some(ready) = self.ready.take() {
            let _nobody_waits = ready.send(Err(error_kind(code)));
        }
    }

    /// Takes what a broker says of the batches of one request.
    fn stored(&mut self, batches: &[(usize, u64)], said: &[(String, i32, wire::BatchAnswer)]) {
        let mut codes: BTreeMap<usize, i16> = BTreeMap::new();
        for (name, index, answer) in said {
            // Looked up a batch, not a record.
            if let Some(number) = self.places.number(name, *index) {
                codes.insert(number, answer.code);
            }
        }
        let mut look = false;
        for &(partition, number) in batches {
            let code = codes.get(&partition).copied();
            let answer = code.map_or(Answer::Again, |code| meaning(code, self.settings.idempotent));
            look |= answer == Answer::Again;
            if let Some(code) = code
                && code != 0
            {
                let place = self.places.at(partition);
                let kind = error_kind(code);
                tracing::debug!("{}-{}: {kind}: {answer:?}", place.name, place.index);
            }
            self.settle(partition, number, answer, code.unwrap_or(0));
        }
        if look {
            self.places.look(self.shared.now_ns());
        }
    }

    fn settle_all(&mut self, batches: &[(usize, u64)], answer: Answer) {
        for &(partition, number) in batches {
            self.settle(partition, number, answer, 0);
        }
    }

    fn settle(&mut self, partition: usize, number: u64, answer: Answer, code: i16) {
        let retry_ns = self.shared.now_ns() + self.settings.retry_backoff.as_nanos() as u64;
        match self.partitions[partition].settle(number, answer, retry_ns) {
            Some(Settled::Stored(batch)) => self.count(batch, None),
            Some(Settled::GivenUp(batch)) => self.count(batch, Some(&error_kind(code))),
            None => {}
        }
    }

    /// Counts the records of a batch as acknowledged, or as given up for an error of a kind.
    fn count(&mut self, batch: Batch, error: Option<&str>) {
        let topic = self.places.at(batch.partition).topic;
        let now_ns = self.shared.now_ns();
        let mut tally = self.shared.tally.counting();
        match error {
            None => {
                for note in &batch.notes {
                    let enqueued = Duration::from_nanos(now_ns.saturating_sub(note.enqueued_ns));
                    let intended = (note.intended_ns != UNPACED).then_some(note.intended_ns);
                    tally.acknowledge(topic, note.bytes as usize, enqueued, intended);
                }
            }
            Some(kind) => batch.notes.iter().for_each(|_| tally.fail(topic, kind)),
        }
        drop(tally);
        self.shared.give_back(batch);
    }

    // --- time ------------------------------------------------------------------------------

    /// Gives up what is too late.
    fn expire(&mut self) {
        let now_ns = self.shared.now_ns();
        if now_ns < self.expired_ns + TICK.as_nanos() as u64 {
            return;
        }
        self.expired_ns = now_ns;
        let before = |patience: Duration| now_ns.saturating_sub(patience.as_nanos() as u64);
        let (late, slow) =
            (before(self.settings.delivery_timeout), before(self.settings.request_timeout));
        let overdue: Vec<LinkId> = self
            .brokers
            .iter()
            .filter(|(_, b)| b.requests.front().is_some_and(|request| request.sent_ns < slow))
            .map(|(&broker, b)| LinkId { broker, nth: b.nth })
            .collect();
        for id in overdue {
            self.close(id, "it did not answer a request in time");
        }
        for number in 0..self.partitions.len() {
            if self.partitions[number].is_empty() {
                continue;
            }
            let is_gone = self.places.is_gone(number, now_ns);
            let (given_up, kind) = if is_gone {
                (self.partitions[number].abandon(), error_kind(UNKNOWN_TOPIC))
            } else {
                (self.partitions[number].expire(late), TIMED_OUT.to_owned())
            };
            for batch in given_up {
                self.count(batch, Some(&kind));
            }
        }
    }

    /// Tells once that records can be sent: all leaders are connected, and there is a producer where
    /// one is needed.
    fn tell_ready(&mut self) {
        if self.ready.is_none() || (self.settings.idempotent && self.producer.is_none()) {
            return;
        }
        let connected = |id: i32| self.brokers.get(&id).is_some_and(|b| b.link.is_some());
        let mut leaders = (0..self.partitions.len()).map(|number| self.places.leader(number));
        let placed = leaders.all(|leader| leader.is_some_and(connected));
        if placed && let Some(ready) = self.ready.take() {
            let _nobody_waits = ready.send(Ok(()));
        }
    }
}

impl Broker {
    fn next_correlation(&mut self) -> i32 {
        self.correlation = self.correlation.wrapping_add(1) & i32::MAX;
        self.correlation
    }
}

/// Each topic once.
fn merged(topics: Vec<(String, Vec<(i32, Bytes)>)>) -> Vec<(String, Vec<(i32, Bytes)>)> {
    let mut merged: Vec<(String, Vec<(i32, Bytes)>)> = Vec::with_capacity(topics.len());
    for (name, partitions) in topics {
        match merged.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => known.extend(partitions),
            None => merged.push((name, partitions)),
        }
    }
    merged
}
