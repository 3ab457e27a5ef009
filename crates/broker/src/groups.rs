//! Consumer groups of the classic protocol: members, assignments and committed offsets.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ids;

/// All groups, by their ids.
pub(crate) type Groups = BTreeMap<String, Group>;

/// Topic and partition.
pub(crate) type TopicPartition = (String, i32);

/// The state of a group, by Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// It has no members.
    #[default]
    Empty,
    /// It waits for its members to rejoin.
    Preparing,
    /// It waits for the leader's assignment.
    Completing,
    Stable,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Empty => "Empty",
            Phase::Preparing => "PreparingRebalance",
            Phase::Completing => "CompletingRebalance",
            Phase::Stable => "Stable",
        }
    }
}

/// One group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) phase: Phase,
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    /// The protocol that all members support, once they have joined.
    pub(crate) protocol: Option<String>,
    pub(crate) leader: Option<String>,
    pub(crate) members: BTreeMap<String, Member>,
    /// Member ids that were handed out, and until when their members may join with them.
    pending: HashMap<String, Instant>,
    /// When members that have not rejoined are removed.
    rebalance_deadline: Option<Instant>,
    pub(crate) offsets: BTreeMap<TopicPartition, Committed>,
    /// Offsets of open transactions, by producer id.
    pub(crate) pending_offsets: HashMap<i64, BTreeMap<TopicPartition, Committed>>,
}

/// An offset that a group has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

/// A member of a group.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) instance: Option<String>,
    pub(crate) client_id: String,
    pub(crate) host: String,
    session: Duration,
    rebalance: Duration,
    pub(crate) protocols: Vec<(String, Bytes)>,
    pub(crate) assignment: Bytes,
    seen: Instant,
    joining: Option<oneshot::Sender<Joined>>,
    syncing: Option<oneshot::Sender<Synced>>,
}

/// A JoinGroup request.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    pub(crate) member: String,
    pub(crate) instance: Option<String>,
    pub(crate) client_id: String,
    pub(crate) host: String,
    pub(crate) session: Duration,
    pub(crate) rebalance: Duration,
    pub(crate) protocol_type: String,
    pub(crate) protocols: Vec<(String, Bytes)>,
    /// Whether a member without an id must rejoin with the id that it gets.
    pub(crate) id_first: bool,
    /// How long an empty group waits for more members.
    pub(crate) initial_delay: Duration,
}

/// The response to a JoinGroup request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Joined {
    pub(crate) error: Option<ResponseError>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: Option<String>,
    pub(crate) leader: String,
    pub(crate) member: String,
    /// For the leader: id, instance id and metadata of every member.
    pub(crate) members: Vec<(String, Option<String>, Bytes)>,
}

/// The response to a SyncGroup request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Synced {
    pub(crate) error: Option<ResponseError>,
    pub(crate) protocol_type: String,
    pub(crate) protocol: Option<String>,
    pub(crate) assignment: Bytes,
}

impl Joined {
    fn refused(member: &str, error: ResponseError) -> Joined {
        Joined {
            error: Some(error),
            generation: -1,
            member: member.to_owned(),
            ..Joined::default()
        }
    }
}

impl Synced {
    pub(crate) fn refused(error: ResponseError) -> Synced {
        Synced { error: Some(error), ..Synced::default() }
    }
}

/// A response that is ready, or will be.
pub(crate) enum Reply<T> {
    Now(T),
    Later(oneshot::Receiver<T>),
}

impl Group {
    /// Adds a member, or lets it rejoin.
    pub(crate) fn join(&mut self, mut wish: Join) -> Reply<Joined> {
        let refused = |error| Reply::Now(Joined::refused(&wish.member, error));
        if !self.fits(&wish) {
            return refused(ResponseError::InconsistentGroupProtocol);
        }
        let twin = wish.instance.as_ref().and_then(|i| self.with_instance(i));
        if wish.member.is_empty() {
            wish.member = new_id(wish.instance.as_deref().unwrap_or(&wish.client_id));
            if let Some(twin) = twin {
                return self.replace(&twin, wish);
            }
            if wish.instance.is_none() && wish.id_first {
                self.pending.insert(wish.member.clone(), Instant::now() + wish.session);
                let id = wish.member;
                return Reply::Now(Joined::refused(&id, ResponseError::MemberIdRequired));
            }
            return self.add(wish);
        }
        if twin.is_some_and(|t| t != wish.member) {
            return refused(ResponseError::FencedInstanceId);
        }
        if self.pending.remove(&wish.member).is_some() {
            return self.add(wish);
        }
        let Some(member) = self.members.get_mut(&wish.member) else {
            return refused(ResponseError::UnknownMemberId);
        };
        member.seen = Instant::now();
        let same = member.protocols == wish.protocols;
        let leads = self.leader.as_ref() == Some(&wish.member);
        match self.phase {
            // The response to its last request was lost.
            Phase::Completing if same => Reply::Now(self.joined(&wish.member)),
            Phase::Stable if same && !leads => Reply::Now(self.joined(&wish.member)),
            _ => self.rejoin(wish),
        }
    }

    /// Whether a member's protocols are consistent with those of the others.
    fn fits(&self, wish: &Join) -> bool {
        if wish.protocols.is_empty() || wish.protocol_type.is_empty() {
            return false;
        }
        let others = || self.members.iter().filter(|(id, _)| **id != wish.member);
        if others().next().is_none() {
            return true;
        }
        let common = |name: &str| others().all(|(_, m)| m.protocols.iter().any(|(n, _)| n == name));
        self.protocol_type == wish.protocol_type && wish.protocols.iter().any(|(n, _)| common(n))
    }

    fn with_instance(&self, instance: &str) -> Option<String> {
        let has = |m: &Member| m.instance.as_deref() == Some(instance);
        self.members.iter().find(|(_, m)| has(m)).map(|(id, _)| id.clone())
    }

    fn add(&mut self, wish: Join) -> Reply<Joined> {
        self.protocol_type.clone_from(&wish.protocol_type);
        let (sender, receiver) = oneshot::channel();
        let delay = if self.phase == Phase::Empty { wish.initial_delay } else { Duration::ZERO };
        let member = Member::new(wish.clone(), Some(sender));
        self.members.insert(wish.member.clone(), member);
        if self.leader.is_none() {
            self.leader = Some(wish.member);
        }
        self.prepare(delay);
        Reply::Later(receiver)
    }

    fn rejoin(&mut self, wish: Join) -> Reply<Joined> {
        let (sender, receiver) = oneshot::channel();
        if let Some(member) = self.members.get_mut(&wish.member) {
            let assignment = std::mem::take(&mut member.assignment);
            *member = Member::new(wish, Some(sender));
            member.assignment = assignment;
        }
        self.prepare(Duration::ZERO);
        Reply::Later(receiver)
    }

    /// A static member that rejoins without its id replaces the member that it was.
    fn replace(&mut self, old: &str, wish: Join) -> Reply<Joined> {
        let Some(mut was) = self.members.remove(old) else { return self.add(wish) };
        if let Some(waits) = was.joining.take() {
            let _ = waits.send(Joined::refused(old, ResponseError::FencedInstanceId));
        }
        if let Some(waits) = was.syncing.take() {
            let _ = waits.send(Synced::refused(ResponseError::FencedInstanceId));
        }
        let led = self.leader.as_deref() == Some(old);
        if led {
            self.leader = Some(wish.member.clone());
        }
        let same = was.protocols == wish.protocols;
        let id = wish.member.clone();
        let mut member = Member::new(wish.clone(), None);
        member.assignment = was.assignment;
        self.members.insert(id.clone(), member);
        if self.phase == Phase::Stable && same && !led {
            return Reply::Now(self.joined(&id));
        }
        self.rejoin(wish)
    }

    /// Begins or continues a rebalance, and completes it once everyone has joined.
    fn prepare(&mut self, delay: Duration) {
        if self.phase == Phase::Completing {
            for member in self.members.values_mut() {
                if let Some(waits) = member.syncing.take() {
                    let _ = waits.send(Synced::refused(ResponseError::RebalanceInProgress));
                }
            }
        }
        if self.phase != Phase::Preparing {
            let first = self.phase == Phase::Empty;
            self.phase = Phase::Preparing;
            let longest = self.members.values().map(|m| m.rebalance).max().unwrap_or_default();
            let wait = if first && !delay.is_zero() { delay.min(longest) } else { longest };
            self.rebalance_deadline = Some(Instant::now() + wait);
            if first && !delay.is_zero() {
                return;
            }
        }
        self.complete_if_all_joined();
    }

    fn complete_if_all_joined(&mut self) {
        let all = self.members.values().all(|m| m.joining.is_some());
        if self.phase == Phase::Preparing && all && self.pending.is_empty() {
            self.complete();
        }
    }

    /// Completes the join phase: everyone who has joined is in the next generation.
    fn complete(&mut self) {
        self.rebalance_deadline = None;
        // A static member stays until its session times out.
        self.members.retain(|_, m| m.joining.is_some() || m.instance.is_some());
        self.generation += 1;
        if self.members.is_empty() {
            self.become_empty();
            return;
        }
        if self
            .leader
            .as_ref()
            .is_none_or(|l| self.members.get(l).is_none_or(|m| m.joining.is_none()))
        {
            let joined = self.members.iter().find(|(_, m)| m.joining.is_some());
            self.leader = joined.map(|(id, _)| id.clone());
        }
        self.protocol = self.vote();
        self.phase = Phase::Completing;
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let answer = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.seen = Instant::now();
                if let Some(waits) = member.joining.take() {
                    let _ = waits.send(answer);
                }
            }
        }
    }

    /// The protocol that most members prefer, of those that all support.
    fn vote(&self) -> Option<String> {
        let understood =
            |name: &str| self.members.values().all(|m| m.protocols.iter().any(|(n, _)| n == name));
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(n, _)| understood(n)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|&(_, count)| count).map(|(name, _)| name.to_owned())
    }

    fn joined(&self, id: &str) -> Joined {
        let leader = self.leader.clone().unwrap_or_default();
        let metadata = |m: &Member| {
            let of = m.protocols.iter().find(|(n, _)| Some(n) == self.protocol.as_ref());
            of.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
        };
        let members = if leader == id {
            let all = self.members.iter();
            all.map(|(id, m)| (id.clone(), m.instance.clone(), metadata(m))).collect()
        } else {
            Vec::new()
        };
        Joined {
            error: None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader,
            member: id.to_owned(),
            members,
        }
    }

    /// Takes the leader's assignments, or answers a member with its own.
    pub(crate) fn sync(
        &mut self,
        id: &str,
        instance: Option<&str>,
        generation: i32,
        assignments: Vec<(String, Bytes)>,
    ) -> Reply<Synced> {
        if let Err(error) = self.check(id, instance, generation) {
            return Reply::Now(Synced::refused(error));
        }
        self.renew_session(id);
        match self.phase {
            Phase::Empty => Reply::Now(Synced::refused(ResponseError::UnknownMemberId)),
            Phase::Preparing => Reply::Now(Synced::refused(ResponseError::RebalanceInProgress)),
            Phase::Stable => Reply::Now(self.synced(id)),
            Phase::Completing => {
                let (sender, receiver) = oneshot::channel();
                if let Some(member) = self.members.get_mut(id) {
                    member.syncing = Some(sender);
                }
                if self.leader.as_deref() == Some(id) {
                    for member in self.members.values_mut() {
                        member.assignment = Bytes::new();
                    }
                    for (id, assignment) in assignments {
                        if let Some(member) = self.members.get_mut(&id) {
                            // A copy, since it would keep the whole request in memory.
                            member.assignment = Bytes::copy_from_slice(&assignment);
                        }
                    }
                    self.phase = Phase::Stable;
                    let ids: Vec<String> = self.members.keys().cloned().collect();
                    for id in ids {
                        let answer = self.synced(&id);
                        let member = self.members.get_mut(&id);
                        if let Some(waits) = member.and_then(|m| m.syncing.take()) {
                            let _ = waits.send(answer);
                        }
                    }
                }
                Reply::Later(receiver)
            }
        }
    }

    fn synced(&self, id: &str) -> Synced {
        Synced {
            error: None,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self.members.get(id).map(|m| m.assignment.clone()).unwrap_or_default(),
        }
    }

    pub(crate) fn heartbeat(
        &mut self,
        id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        self.check(id, instance, generation)?;
        self.renew_session(id);
        match self.phase {
            Phase::Preparing => Err(ResponseError::RebalanceInProgress),
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            Phase::Completing | Phase::Stable => Ok(()),
        }
    }

    /// Removes a member, by its id or instance id.
    pub(crate) fn leave(&mut self, id: &str, instance: Option<&str>) -> Result<(), ResponseError> {
        if self.pending.remove(id).is_some() {
            self.complete_if_all_joined();
            return Ok(());
        }
        let id = match instance.map(|i| self.with_instance(i)) {
            Some(None) => return Err(ResponseError::UnknownMemberId),
            Some(Some(known)) if !id.is_empty() && known != id => {
                return Err(ResponseError::FencedInstanceId);
            }
            Some(Some(known)) => known,
            None => id.to_owned(),
        };
        if !self.members.contains_key(&id) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.remove(&id);
        Ok(())
    }

    fn remove(&mut self, id: &str) {
        if let Some(mut member) = self.members.remove(id) {
            if let Some(waits) = member.joining.take() {
                let _ = waits.send(Joined::refused(id, ResponseError::UnknownMemberId));
            }
            if let Some(waits) = member.syncing.take() {
                let _ = waits.send(Synced::refused(ResponseError::UnknownMemberId));
            }
        }
        if self.leader.as_deref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
        match self.phase {
            Phase::Stable | Phase::Completing if self.members.is_empty() => {
                self.generation += 1;
                self.become_empty();
            }
            Phase::Stable | Phase::Completing => self.prepare(Duration::ZERO),
            Phase::Preparing => self.complete_if_all_joined(),
            Phase::Empty => {}
        }
    }

    fn become_empty(&mut self) {
        self.phase = Phase::Empty;
        self.leader = None;
        self.protocol = None;
        self.rebalance_deadline = None;
    }

    /// Checks a member's ids and generation.
    fn check(
        &self,
        id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        if let Some(known) = instance.map(|i| self.with_instance(i)) {
            match known {
                None => return Err(ResponseError::UnknownMemberId),
                Some(known) if known != id => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if !self.members.contains_key(id) {
            return Err(ResponseError::UnknownMemberId);
        }
        if generation == self.generation { Ok(()) } else { Err(ResponseError::IllegalGeneration) }
    }

    fn renew_session(&mut self, id: &str) {
        if let Some(member) = self.members.get_mut(id) {
            member.seen = Instant::now();
        }
    }

    /// Checks whether a client may commit: a member of this generation, or anyone if the group is empty.
    pub(crate) fn check_commit(
        &mut self,
        id: &str,
        instance: Option<&str>,
        generation: i32,
        transactional: bool,
    ) -> Result<(), ResponseError> {
        let anonymous = generation < 0 && id.is_empty() && instance.is_none();
        if anonymous && (transactional || self.phase == Phase::Empty) {
            return Ok(());
        }
        if generation < 0 && !transactional && self.phase != Phase::Empty {
            return Err(ResponseError::UnknownMemberId);
        }
        self.check(id, instance, generation)?;
        self.renew_session(id);
        if self.phase == Phase::Completing && !transactional {
            return Err(ResponseError::RebalanceInProgress);
        }
        Ok(())
    }

    /// Commits or drops the offsets of a transaction.
    pub(crate) fn end_transaction(&mut self, producer_id: i64, commit: bool) {
        if let Some(offsets) = self.pending_offsets.remove(&producer_id)
            && commit
        {
            self.offsets.extend(offsets);
        }
    }

    /// Expires members without heartbeats, and completes a rebalance whose time is up.
    pub(crate) fn expire(&mut self, now: Instant) {
        let waiting = self.pending.len();
        self.pending.retain(|_, until| *until > now);
        if self.pending.len() < waiting {
            self.complete_if_all_joined();
        }
        let silent = |m: &Member| m.joining.is_none() && m.seen + m.session <= now;
        let gone: Vec<String> =
            self.members.iter().filter(|(_, m)| silent(m)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.remove(&id);
        }
        if self.phase == Phase::Preparing && self.rebalance_deadline.is_some_and(|d| d <= now) {
            self.complete();
        }
    }

    /// Whether it can be deleted without losing anything.
    pub(crate) fn is_unused(&self) -> bool {
        self.phase == Phase::Empty
            && self.offsets.is_empty()
            && self.pending_offsets.is_empty()
            && self.pending.is_empty()
    }
}

impl Member {
    fn new(wish: Join, joining: Option<oneshot::Sender<Joined>>) -> Member {
        let copied = |(name, metadata): (String, Bytes)| (name, Bytes::copy_from_slice(&metadata));
        Member {
            instance: wish.instance,
            client_id: wish.client_id,
            host: wish.host,
            session: wish.session,
            rebalance: wish.rebalance,
            protocols: wish.protocols.into_iter().map(copied).collect(),
            assignment: Bytes::new(),
            seen: Instant::now(),
            joining,
            syncing: None,
        }
    }
}

/// The broker doesn't decode members' subscriptions, so a group with members counts as subscribed to all
/// topics.
pub(crate) fn subscribed(group: &Group) -> bool {
    group.phase != Phase::Empty
}

fn new_id(stem: &str) -> String {
    format!("{stem}-{}", ids::random())
}
