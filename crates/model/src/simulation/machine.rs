//! One machine: who it is, and the state that its readings are taken of.

use crate::config::Config;
use crate::fleet::{Fleet, Machine};
use crate::random::{Purpose, RandomStream};

use super::disk::Disk;
use super::effects::Effects;
use super::events::{Event, EventQueue, Events};
use super::jobs::{JobArena, Jobs};
use super::journal::{Journal, Reported};
use super::load::Load;
use super::memory::Memory;
use super::network::Network;
use super::service::Service;
use super::signals::{Signals, percent, two_decimals};
use super::status::Health;
use super::surroundings::{Climate, Surroundings};
use super::timing::Timing;

/// One machine: who it is, and its state.
#[derive(Debug)]
pub struct Simulated {
    /// Its number in the fleet.
    pub index: u32,
    /// Its position in each round.
    pub position: u32,
    /// Index into [`Fleet::types`].
    pub type_index: u8,
    /// Index into [`Fleet::zones`].
    pub zone_index: u8,
    /// Index into [`Fleet::regions`].
    pub region_index: u8,
    /// How many incidents it has had.
    incidents: u32,
    queue: EventQueue,
    state: State,
}

/// The state of one machine.
#[derive(Debug)]
pub(super) struct State {
    pub(super) health: Health,
    stream: RandomStream,
    load: Load,
    memory: Memory,
    disk: Disk,
    network: Network,
    service: Service,
    pub(super) jobs: Jobs,
}

/// Readings after which memory has forgotten where it began: less than a thousandth of it is left.
const FORGOTTEN: u32 = 64;
/// The standard deviation of an agent's error in reading the processor's use: half a percent.
const CPU_NOISE: f64 = 0.005;

impl Simulated {
    /// Its health after its last reading.
    #[inline]
    pub fn health(&self) -> Health {
        self.state.health
    }

    /// Takes the oldest state change that waits, if any.
    #[inline]
    pub(super) fn next_event(&mut self, events: &mut Events) -> Option<Event> {
        if self.queue.is_empty() { None } else { events.pop(&mut self.queue) }
    }

    /// Puts a state change back that was taken last.
    pub(super) fn put_back(&mut self, event: Event, events: &mut Events) {
        events.put_back(&mut self.queue, event);
    }

    /// The state changes that wait, the oldest first.
    pub(super) fn waiting<'a>(&self, events: &'a Events) -> impl Iterator<Item = &'a Event> {
        events.waiting(&self.queue)
    }

    /// The machine, and the journal of one of its readings.
    #[inline(always)]
    pub(super) fn open<'a>(
        &'a mut self,
        timestamp: i64,
        reported: Reported,
        events: &'a mut Events,
    ) -> (&'a mut State, Journal<'a>) {
        let Simulated { state, queue, incidents, .. } = self;
        (state, Journal { timestamp, reported, events, queue, incidents })
    }

    /// `machine`, before its first reading, in the state that it is in at any time.
    pub(super) fn new(
        fleet: &Fleet,
        config: &Config,
        machine: &Machine,
        position: u32,
        timing: &Timing,
        surroundings: &mut Surroundings,
        arena: &mut JobArena,
    ) -> Simulated {
        let (region, zone) = (machine.region_index, machine.zone_index);
        let climate = surroundings.at(region, zone, 0, timing.start_ms);
        let before = |readings: u64| {
            let timestamp = timing.before(readings);
            (timestamp, surroundings.curve(region, timestamp))
        };
        let stream = |purpose| RandomStream::new(fleet.seed(), u64::from(machine.index), purpose);
        let profile = &fleet.types()[usize::from(machine.type_index)];
        let mut signals = stream(Purpose::Signals);
        let arrival = config.jobs.arrival_probability;
        let mut simulated = Simulated {
            index: machine.index,
            position,
            type_index: machine.type_index,
            zone_index: machine.zone_index,
            region_index: machine.region_index,
            incidents: 0,
            queue: EventQueue::default(),
            state: State {
                health: Health::Healthy,
                load: Load::new(config, profile, &mut signals),
                memory: Memory::new(config, profile, &mut signals),
                disk: Disk::new(profile, &mut signals),
                network: Network::new(config, profile, &mut signals),
                service: Service::new(machine.cores, timing.interval_s, &mut signals),
                jobs: Jobs::under_way(arrival, before, stream(Purpose::Jobs), arena),
                stream: signals,
            },
        };
        simulated.state.settle(climate);
        simulated
    }
}

impl State {
    /// Lets memory and health follow load until nothing is left of where they began.
    fn settle(&mut self, climate: Climate) {
        let State { stream, load, memory, health, jobs, .. } = self;
        for _ in 0..FORGOTTEN {
            let (n0, n1) = stream.normals();
            let demand = load.step(n0) * climate.load;
            memory.step(demand - load.level(), 0.0, n1);
            *health = health.under((demand + jobs.cpu()).min(1.0));
        }
    }

    /// What the machine measures at a reading under these conditions, and how busy it is, from 0
    /// to 1.
    #[inline(always)]
    pub(super) fn measure(&mut self, climate: Climate, effects: &Effects) -> (Signals, f64) {
        let State { stream, load, memory, disk, network, service, jobs, .. } = self;
        let (n0, n1) = stream.normals();
        let offered = load.step(n0) * climate.load * effects.demand;
        let demand = offered * (1.0 - effects.lost);
        let besides = jobs.cpu() + effects.cpu;
        let (queued, busy) = ((offered + besides).min(1.0), (demand + besides).min(1.0));
        if effects.restarted {
            memory.restart();
        }
        let used = memory.step(demand - load.level(), jobs.memory() + effects.memory, n1);
        let (inward, outward) = network.step(demand.min(1.0), effects.network, stream.normals());
        let (n2, n3) = stream.normals();
        let (n4, noise) = stream.normals();
        let served = service.step([demand, queued, busy], effects, [n2, n3, n4], stream);
        if effects.cleaned {
            disk.clean(climate.growth);
        }
        let stored = disk.step(busy, climate.growth);
        let filled = stored + (effects.disk_level - stored).max(0.0) * effects.disk;
        let signals = Signals {
            cpu_percent: percent(busy + CPU_NOISE * noise),
            memory_percent: percent(used),
            disk_percent: two_decimals(filled),
            network_in_mbps: two_decimals(inward),
            network_out_mbps: two_decimals(outward),
            request_count: served.requests,
            error_count: served.errors,
            latency_p50: two_decimals(served.p50_ms),
            latency_p99: two_decimals(served.p99_ms),
            is_anomaly: effects.is_anomaly,
        };
        (signals, busy)
    }

    /// Turns to this health, where it isn't of it already; the machine was last heard of at
    /// `last_heartbeat`.
    #[inline]
    pub(super) fn turn(&mut self, health: Health, last_heartbeat: i64, journal: &mut Journal<'_>) {
        if health != self.health {
            self.health = health;
            journal.status(health, last_heartbeat);
        }
    }
}
