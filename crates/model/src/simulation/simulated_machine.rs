//! One machine: its identity, and the state that its readings measure.

use crate::config::Config;
use crate::fleet::{Fleet, Machine};
use crate::random::{Purpose, RandomStream};

use super::disk::Disk;
use super::effects::Effects;
use super::event_writer::{EventFilter, EventWriter};
use super::events::{Event, EventArena, EventQueue};
use super::jobs::{JobArena, Jobs};
use super::levels::Levels;
use super::load::Load;
use super::load_patterns::{LoadFactors, LoadPatterns};
use super::memory::Memory;
use super::network::Network;
use super::placement::Placement;
use super::service::{Draws, Loads, Service};
use super::signals::{Signals, percent, two_decimals};
use super::status::Health;
use super::timing::Timing;

/// One machine: its identity and its state.
#[derive(Debug)]
pub struct SimulatedMachine {
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
    incident_count: u32,
    queue: EventQueue,
    state: MachineState,
}

/// The state of one machine.
#[derive(Debug)]
pub(super) struct MachineState {
    pub(super) health: Health,
    stream: RandomStream,
    load: Load,
    memory: Memory,
    disk: Disk,
    network: Network,
    service: Service,
    pub(super) jobs: Jobs,
}

/// What the machines of a simulation are made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) config: &'a Config,
    pub(super) levels: &'a Levels,
    pub(super) timing: &'a Timing,
}

/// The inner state of a machine at one reading, without its anomalies, and the random draws of the reading.
#[derive(Debug, Clone, Copy)]
struct Inner {
    /// The load of the requests that are sent to it.
    offered: f64,
    /// The fraction of memory that its system and services hold.
    resident: f64,
    /// What is on its disk, in percent.
    stored: f64,
    service: Draws,
    /// Of the traffic received and sent: standard normal.
    traffic: (f64, f64),
    /// Of the processor's sensor: standard normal.
    sensor: f64,
}

/// Readings after which less than a thousandth of memory's initial deviation is left.
const WARM_UP_READINGS: u32 = 64;
/// The standard deviation of an agent's error in reading processor use: half a percent.
const CPU_NOISE: f64 = 0.005;

impl SimulatedMachine {
    /// Its health after its last reading.
    #[inline]
    pub fn health(&self) -> Health {
        self.state.health
    }

    /// Its number, zone and region.
    #[inline]
    pub(super) fn placement(&self) -> Placement {
        Placement { machine: self.index, zone: self.zone_index, region: self.region_index }
    }

    /// Takes the oldest queued state change, if any.
    #[inline]
    pub(super) fn next_event(&mut self, arena: &mut EventArena) -> Option<Event> {
        if self.queue.is_empty() { None } else { arena.pop(&mut self.queue) }
    }

    /// Puts back the state change that was taken last.
    pub(super) fn put_back(&mut self, event: Event, arena: &mut EventArena) {
        arena.put_back(&mut self.queue, event);
    }

    /// The queued state changes, the oldest first.
    pub(super) fn queued_events<'a>(
        &self,
        arena: &'a EventArena,
    ) -> impl Iterator<Item = &'a Event> {
        arena.queued(&self.queue)
    }

    /// The machine's state, and the writer of its state changes at one reading.
    #[inline(always)]
    pub(super) fn open<'a>(
        &'a mut self,
        timestamp: i64,
        filter: EventFilter,
        arena: &'a mut EventArena,
    ) -> (&'a mut MachineState, EventWriter<'a>) {
        let SimulatedMachine { state, queue, incident_count, .. } = self;
        (state, EventWriter { timestamp, filter, arena, queue, incident_count })
    }

    /// `machine` before its first reading, in steady state.
    pub(super) fn new(
        setup: &Setup<'_>,
        machine: &Machine,
        position: u32,
        load_patterns: &mut LoadPatterns,
        arena: &mut JobArena,
    ) -> SimulatedMachine {
        let Setup { fleet, config, levels, timing } = *setup;
        let (region, zone) = (machine.region_index, machine.zone_index);
        let factors = load_patterns.factors(region, zone, 0, timing.start_ms);
        let before = |readings: u64| {
            let timestamp = timing.before_start_ms(readings);
            (timestamp, load_patterns.curve(region, timestamp))
        };
        let stream = |purpose| RandomStream::new(fleet.seed(), u64::from(machine.index), purpose);
        let profile = &fleet.types()[usize::from(machine.type_index)];
        let mut signals = stream(Purpose::Signals);
        let arrival = config.jobs.arrival_probability;
        let mut simulated = SimulatedMachine {
            index: machine.index,
            position,
            type_index: machine.type_index,
            zone_index: machine.zone_index,
            region_index: machine.region_index,
            incident_count: 0,
            queue: EventQueue::default(),
            state: MachineState {
                health: Health::Healthy,
                load: Load::new(config, levels, profile, &mut signals),
                memory: Memory::new(levels, profile, &mut signals),
                disk: Disk::new(profile, &mut signals),
                network: Network::new(config, profile, machine.cores, &mut signals),
                service: Service::new(machine.cores, timing.interval_s, &mut signals),
                jobs: Jobs::in_steady_state(arrival, before, stream(Purpose::Jobs), arena),
                stream: signals,
            },
        };
        simulated.state.warm_up(factors);
        simulated
    }
}

impl MachineState {
    /// Lets memory and health follow load until their initial values no longer matter.
    fn warm_up(&mut self, factors: LoadFactors) {
        let MachineState { stream, load, memory, health, jobs, .. } = self;
        for _ in 0..WARM_UP_READINGS {
            let (n0, n1) = stream.normals();
            let relative = load.step(n0) * factors.load;
            memory.step(relative, factors.mean_curve, n1);
            *health = health.at_load((load.level() * relative + jobs.cpu()).min(1.0));
        }
    }

    /// What the machine measures at a reading, and how busy it is, from 0 to 1. `effects` act on it;
    /// `anomalous` are the same with those of its open anomalies, if any is open. These leave nothing behind
    /// in what the next readings measure, so that what they change is known.
    #[inline(always)]
    pub(super) fn measure(
        &mut self,
        factors: LoadFactors,
        effects: &Effects,
        anomalous: Option<&Effects>,
    ) -> (Signals, f64) {
        let MachineState { stream, load, memory, disk, jobs, .. } = self;
        let (n0, n1) = stream.normals();
        let traffic = stream.normals();
        let (n2, n3) = stream.normals();
        let (n4, sensor) = stream.normals();
        let service = Draws { normals: [n2, n3, n4], bits: stream.bits() };
        let relative = load.step(n0) * factors.load * effects.demand;
        let offered = load.level() * relative;
        let served = offered * (1.0 - effects.lost_requests);
        if effects.restarted {
            memory.restart();
        }
        let resident = memory.step(relative, factors.mean_curve, n1);
        let stored = disk.step((served + jobs.cpu() + effects.added_cpu).min(1.0), factors.growth);
        let reading = Inner { offered, resident, stored, service, traffic, sensor };
        let (usual, busy) = self.signals(&reading, effects);
        let Some(anomalous) = anomalous else { return (usual, busy) };
        let (mut signals, busy) = self.signals(&reading, anomalous);
        signals.is_anomaly = signals.differ_from(&usual);
        (signals, busy)
    }

    /// The signals that show the machine's inner state at a reading under `effects`, and how busy it is.
    #[inline(always)]
    fn signals(&self, inner: &Inner, effects: &Effects) -> (Signals, f64) {
        let Inner { offered, resident, stored, service, traffic, sensor } = inner;
        let MachineState { network, jobs, .. } = self;
        let demand = offered * (1.0 - effects.lost_requests);
        let added = jobs.cpu() + effects.added_cpu;
        let busy = (demand + added).min(1.0);
        let used = resident + jobs.memory() + effects.added_memory;
        let loads = Loads {
            demand,
            // Jobs yield to requests.
            excess: demand + effects.added_cpu - 1.0,
            queued: (offered + added).min(1.0),
            swapped: (used - 1.0).max(0.0),
        };
        let served = self.service.step(loads, effects, service);
        let (received, sent) = network.step(demand, effects.link_fill, *traffic);
        let left = (effects.disk_level - stored).max(0.0);
        let filled = stored + (left * effects.disk_fill).max(effects.disk_added.min(left));
        let signals = Signals {
            cpu_percent: effects.sensed(0, percent(busy + CPU_NOISE * sensor)),
            memory_percent: effects.sensed(1, percent(used)),
            disk_percent: effects.sensed(2, two_decimals(filled)),
            network_in_mbps: two_decimals(received),
            network_out_mbps: two_decimals(sent),
            request_count: served.requests,
            error_count: served.errors,
            latency_p50: two_decimals(served.p50_ms),
            latency_p99: two_decimals(served.p99_ms),
            is_anomaly: false,
        };
        (signals, busy)
    }

    /// Sets the health. If that changes it, writes an event with the machine's last heartbeat.
    #[inline]
    pub(super) fn set_health(
        &mut self,
        health: Health,
        last_heartbeat: i64,
        writer: &mut EventWriter<'_>,
    ) {
        if health != self.health {
            self.health = health;
            writer.status_changed(health, last_heartbeat);
        }
    }
}
