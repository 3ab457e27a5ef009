//! The causal simulation: one state a machine, moved on reading by reading, of which every topic
//! is a view.
//!
//! A machine's state depends on the seed, the configuration and its own readings alone, so any
//! division of the fleet among threads and processes gives the same records.

pub mod anomalies;
pub mod dependants;
pub mod disk;
pub mod effects;
pub mod events;
pub mod failures;
pub mod incidents;
pub mod jobs;
pub mod journal;
pub mod load;
pub mod local_time;
pub mod maintenance;
pub mod memory;
pub mod network;
pub mod service;
pub mod signals;
pub mod status;
pub mod surroundings;
pub mod temporal;
pub mod trouble;
pub mod wear;
pub mod zones;

use crate::config::Config;
use crate::fleet::{Fleet, Groups, Machine, MachineId, Phases, Share};
use crate::random::{Purpose, Stream};

use dependants::Dependants;
use disk::Disk;
use effects::Effects;
use events::{Event, EventQueue, Events};
use failures::{Stage, Turn};
use incidents::IncidentRef;
use jobs::{Arrivals, JobArena, JobStatus, Jobs};
use journal::Journal;
use load::Load;
use maintenance::Service as Availability;
use memory::Memory;
use network::Network;
use service::Service;
use signals::{Signals, percent, two_decimals};
use status::Health;
use surroundings::{Climate, Surroundings};
use trouble::{Hazards, Trouble};

/// The simulated machines of one share of the fleet, in the order in which they read in a round.
#[derive(Debug)]
pub struct Simulation {
    machines: Vec<Simulated>,
    arena: JobArena,
    events: Events,
    arrival: f64,
    reported: Reported,
    surroundings: Surroundings,
    hazards: Option<Hazards>,
    /// Beside each machine, where anything can befall it.
    troubles: Vec<Trouble>,
    /// Where machines fail.
    dependants: Option<Dependants>,
}

/// Which state changes anybody asked for. Others happen all the same, unreported.
#[derive(Debug, Clone, Copy)]
pub struct Reported {
    /// Changes of a machine's status.
    pub status: bool,
    /// Changes of a job's state.
    pub jobs: bool,
    /// Beginnings and ends of incidents.
    pub incidents: bool,
}

/// One machine: who it is, and its state.
#[derive(Debug)]
pub struct Simulated {
    /// Its name.
    pub id: MachineId,
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
struct State {
    health: Health,
    stream: Stream,
    load: Load,
    memory: Memory,
    disk: Disk,
    network: Network,
    service: Service,
    jobs: Jobs,
}

impl Simulation {
    /// The machines of `share`, before their first reading. `interval_s` is the fleet time between
    /// two readings of a machine, in seconds.
    pub fn new(
        fleet: &Fleet,
        config: &Config,
        phases: &Phases,
        share: Share,
        interval_s: f64,
        reported: Reported,
    ) -> Simulation {
        let arrival = config.jobs.arrival_probability;
        let mut indices: Vec<u32> = Groups::new(fleet.len()).machines(share).collect();
        indices.sort_unstable_by_key(|&index| phases.position(index));
        let hazards = Hazards::new(config, fleet);
        let fails = hazards.as_ref().is_some_and(|hazards| hazards.failures.is_some());
        let dependants = fails.then(|| Dependants::new(fleet, share, &indices));
        let troubles = match &hazards {
            None => Vec::new(),
            Some(hazards) => indices
                .iter()
                .enumerate()
                .map(|(at, &index)| {
                    let on = dependants.as_ref().map_or(0, |graph| graph.dependencies(at));
                    Trouble::new(hazards, fleet.seed(), index, on)
                })
                .collect(),
        };
        let machines = indices
            .into_iter()
            .map(|index| {
                let machine = fleet.machine(index);
                Simulated::new(fleet, config, &machine, phases.position(index), interval_s)
            })
            .collect();
        Simulation {
            machines,
            arena: JobArena::default(),
            events: Events::default(),
            arrival,
            reported,
            surroundings: Surroundings::new(config, fleet, interval_s),
            hazards,
            troubles,
            dependants,
        }
    }

    /// How many machines the share has.
    pub fn len(&self) -> usize {
        self.machines.len()
    }

    /// Whether the share has no machine.
    pub fn is_empty(&self) -> bool {
        self.machines.is_empty()
    }

    /// Machine `at` of the share, counted in the order of reading, below [`Simulation::len`].
    #[inline]
    pub fn machine(&self, at: usize) -> &Simulated {
        &self.machines[at]
    }

    /// Takes reading number `reading` of machine `at`, at the instant `timestamp` (milliseconds
    /// since the epoch). State changes that it brings are queued for [`Simulation::event`].
    #[inline]
    pub fn step(&mut self, at: usize, reading: u64, timestamp: i64) -> Signals {
        let Simulation { machines, arena, events, arrival, reported, surroundings, .. } = self;
        let machine = &mut machines[at];
        let climate = surroundings.at(machine.region_index, machine.zone_index, reading, timestamp);
        if self.hazards.is_some() {
            return self.step_through_troubles(at, reading, timestamp, climate);
        }
        let arrivals = Arrivals { probability: *arrival, curve: climate.curve, start: true };
        let (simulated, mut journal) = machine.open(timestamp, *reported, events);
        simulated.jobs.step(reading, timestamp, arrivals, arena, |change| journal.job(change));
        let (signals, busy) = simulated.measure(climate, &Effects::NONE);
        let after = simulated.health.under(busy);
        simulated.turn(after, timestamp, &mut journal);
        signals
    }

    /// [`Simulation::step`] where something can befall a machine.
    fn step_through_troubles(
        &mut self,
        at: usize,
        reading: u64,
        timestamp: i64,
        climate: Climate,
    ) -> Signals {
        let Simulation { machines, arena, events, arrival, reported, troubles, .. } = self;
        let Some(hazards) = &mut self.hazards else { return Signals::default() };
        let machine = &mut machines[at];
        let place = (machine.index, machine.zone_index, machine.region_index);
        let (simulated, mut journal) = machine.open(timestamp, *reported, events);
        let condition = troubles[at].step(hazards, place, reading, &mut journal);
        let (down, turn) = (condition.stage == Stage::Down, condition.turn);
        if down {
            simulated.turn(Health::Down, condition.last_beat, &mut journal);
        }
        let ends = if down { Some(JobStatus::Failed) } else { None };
        let out = condition.service == Availability::Out;
        if let Some(outcome) = ends.or(out.then_some(JobStatus::Cancelled)) {
            simulated.jobs.end_running(outcome, timestamp, arena, |change| journal.job(change));
        }
        let start = !down && condition.service == Availability::In;
        let arrivals = Arrivals { probability: *arrival, curve: climate.curve, start };
        simulated.jobs.step(reading, timestamp, arrivals, arena, |change| journal.job(change));
        let signals = if down {
            if turn.is_some() {
                troubles[at].end_with_machine(hazards, reading, &mut journal);
            }
            Signals::default()
        } else {
            let (mut signals, busy) = simulated.measure(climate, &condition.effects);
            condition.effects.distort(&mut signals);
            let by_load = simulated.health.under(busy);
            let after = if condition.degraded { Health::Degraded } else { by_load };
            simulated.turn(after, timestamp, &mut journal);
            signals
        };
        if let Some(turn) = turn {
            self.pass_on(at, reading, turn);
        }
        signals
    }

    /// Tells the machines that depend on machine `at` of its turn.
    #[cold]
    fn pass_on(&mut self, at: usize, reading: u64, turn: Turn) {
        let Simulation { machines, troubles, hazards, dependants, .. } = self;
        let rules = hazards.as_ref().and_then(|hazards| hazards.failures.as_ref());
        let (Some(rules), Some(graph)) = (rules, dependants) else { return };
        let Some(mut stream) = troubles[at].failures().map(|failures| failures.stream().clone())
        else {
            return;
        };
        for &other in graph.of(at) {
            let Some(dependant) = troubles[other as usize].failures() else { continue };
            match turn {
                Turn::WentDown(number) => {
                    let cause = IncidentRef { machine: machines[at].index, number };
                    // A dependant that reads later in the round hears of it in the same round.
                    dependant.hear_of_loss(rules, reading, cause, &mut stream);
                }
                Turn::CameUp => dependant.hear_of_return(),
            }
        }
        if let Some(failures) = troubles[at].failures() {
            *failures.stream() = stream;
        }
    }

    /// Takes the oldest state change that waits on machine `at`, if any.
    #[inline]
    pub fn event(&mut self, at: usize) -> Option<Event> {
        let queue = &mut self.machines[at].queue;
        if queue.is_empty() { None } else { self.events.pop(queue) }
    }
}

/// The standard deviation of an agent's error in reading the processor's use: half a percent.
const CPU_NOISE: f64 = 0.005;

impl Simulated {
    /// Its health after its last reading.
    #[inline]
    pub fn health(&self) -> Health {
        self.state.health
    }

    /// The machine, and the journal of one of its readings.
    #[inline(always)]
    fn open<'a>(
        &'a mut self,
        timestamp: i64,
        reported: Reported,
        events: &'a mut Events,
    ) -> (&'a mut State, Journal<'a>) {
        let Simulated { state, queue, incidents, .. } = self;
        (state, Journal { timestamp, reported, events, queue, incidents })
    }

    fn new(
        fleet: &Fleet,
        config: &Config,
        machine: &Machine,
        position: u32,
        interval_s: f64,
    ) -> Simulated {
        let stream = |purpose| Stream::new(fleet.seed(), u64::from(machine.index), purpose);
        let profile = &fleet.types()[usize::from(machine.type_index)];
        let mut signals = stream(Purpose::Signals);
        Simulated {
            id: machine.id,
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
                service: Service::new(machine.cores, interval_s, &mut signals),
                jobs: Jobs::new(config.jobs.arrival_probability, stream(Purpose::Jobs)),
                stream: signals,
            },
        }
    }
}

impl State {
    /// What the machine measures at a reading under these conditions, and how busy it is, from 0
    /// to 1.
    #[inline(always)]
    fn measure(&mut self, climate: Climate, effects: &Effects) -> (Signals, f64) {
        let State { stream, load, memory, disk, network, service, jobs, .. } = self;
        let (n0, n1) = stream.normals();
        let demand = load.step(n0) * climate.load * effects.demand;
        let busy = (demand + jobs.cpu() + effects.cpu).min(1.0);
        if effects.restarted {
            memory.restart();
        }
        let used = memory.step(demand - load.level(), jobs.memory() + effects.memory, n1);
        let (inward, outward) = network.step(demand.min(1.0), effects.network, stream.normals());
        let (n2, n3) = stream.normals();
        let (n4, noise) = stream.normals();
        let served = service.step(demand, busy, effects, [n2, n3, n4], stream);
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
            request_count: served.requests as i64,
            error_count: served.errors as i64,
            latency_p50: two_decimals(served.p50_ms),
            latency_p99: two_decimals(served.p99_ms),
            is_anomaly: effects.is_anomaly,
        };
        (signals, busy)
    }

    /// Turns to this health, where it isn't of it already; the machine was last heard of at
    /// `last_heartbeat`.
    #[inline]
    fn turn(&mut self, health: Health, last_heartbeat: i64, journal: &mut Journal<'_>) {
        if health != self.health {
            self.health = health;
            journal.status(health, last_heartbeat);
        }
    }
}
