//! The causal simulation: one state a machine, moved on reading by reading, of which every topic
//! is a view.
//!
//! A machine's state depends on the seed, the configuration and its own readings alone, so any
//! division of the fleet among threads and processes gives the same records.

pub mod disk;
pub mod events;
pub mod jobs;
pub mod load;
pub mod memory;
pub mod network;
pub mod service;
pub mod signals;
pub mod status;

use crate::config::Config;
use crate::fleet::{Fleet, Groups, Machine, MachineId, Phases, Share};
use crate::random::{Purpose, Stream};

use disk::Disk;
use events::{Event, EventQueue, Events};
use jobs::{JobArena, Jobs};
use load::Load;
use memory::Memory;
use network::Network;
use service::Service;
use signals::{Signals, percent, two_decimals};
use status::Health;

/// The simulated machines of one share of the fleet, in the order in which they read in a round.
#[derive(Debug)]
pub struct Simulation {
    machines: Vec<Simulated>,
    arena: JobArena,
    events: Events,
    arrival: f64,
    reported: Reported,
}

/// Which state changes anybody asked for. Others happen all the same, unreported.
#[derive(Debug, Clone, Copy)]
pub struct Reported {
    /// Changes of a machine's status.
    pub status: bool,
    /// Changes of a job's state.
    pub jobs: bool,
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
    /// Its health after its last reading.
    pub health: Health,
    queue: EventQueue,
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
        let Simulation { machines, arena, events, arrival, reported } = self;
        let Simulated { queue, stream, load, memory, disk, network, service, jobs, health, .. } =
            &mut machines[at];
        jobs.step(reading, timestamp, *arrival, arena, |change| {
            if reported.jobs {
                events.push(queue, Event::Job(change));
            }
        });

        let (n0, n1) = stream.normals();
        let demand = load.step(n0);
        let busy = (demand + jobs.cpu()).min(1.0);
        let used = memory.step(demand - load.level(), jobs.memory(), n1);
        let (inward, outward) = network.step(demand.min(1.0), stream.normals());
        let (n2, n3) = stream.normals();
        let (n4, noise) = stream.normals();
        let served = service.step(demand, busy, [n2, n3, n4], stream);

        let after = health.under(busy);
        if after != *health {
            *health = after;
            if reported.status {
                events.push(queue, Event::Status { health: after, last_heartbeat: timestamp });
            }
        }
        Signals {
            cpu_percent: percent(busy + CPU_NOISE * noise),
            memory_percent: percent(used),
            disk_percent: two_decimals(disk.step(busy)),
            network_in_mbps: two_decimals(inward),
            network_out_mbps: two_decimals(outward),
            request_count: served.requests as i64,
            error_count: served.errors as i64,
            latency_p50: two_decimals(served.p50_ms),
            latency_p99: two_decimals(served.p99_ms),
            is_anomaly: false,
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
            health: Health::Healthy,
            queue: EventQueue::default(),
            load: Load::new(config, profile, &mut signals),
            memory: Memory::new(config, profile, &mut signals),
            disk: Disk::new(profile, &mut signals),
            network: Network::new(profile, &mut signals),
            service: Service::new(machine.cores, interval_s, &mut signals),
            jobs: Jobs::new(config.jobs.arrival_probability, stream(Purpose::Jobs)),
            stream: signals,
        }
    }
}
