//! The causal simulation: one state a machine, moved on reading by reading, of which every topic
//! is a view.
//!
//! A machine's state depends on the seed, the configuration, the readings of its own dependency
//! group, and time and place alone, so any division of the fleet among threads and processes gives
//! the same records.

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
pub mod machine;
pub mod maintenance;
pub mod memory;
pub mod network;
pub mod service;
pub mod signals;
pub mod status;
pub mod surroundings;
pub mod temporal;
pub mod timing;
pub mod trouble;
pub mod wear;
pub mod zones;

use crate::config::Config;
use crate::fleet::{Fleet, Groups, Phases, Share};

use dependants::Dependants;
use effects::Effects;
use events::{Event, Events};
use failures::{Stage, Turn};
use incidents::IncidentRef;
use jobs::{Arrivals, JobArena, JobStatus};
use maintenance::Availability;
use signals::Signals;
use status::Health;
use surroundings::{Climate, Surroundings};
use timing::Timing;
use trouble::{Hazards, Trouble};

pub use journal::Reported;
pub use machine::Simulated;

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

impl Simulation {
    /// The machines of `share`, before their first reading, each in the state that it is in at any
    /// time.
    pub fn new(
        fleet: &Fleet,
        config: &Config,
        phases: &Phases,
        share: Share,
        timing: &Timing,
        reported: Reported,
    ) -> Simulation {
        let arrival = config.jobs.arrival_probability;
        let mut indices: Vec<u32> = Groups::new(fleet.len()).machines(share).collect();
        indices.sort_unstable_by_key(|&index| phases.position(index));
        let hazards = Hazards::new(config, fleet, timing.spacing_ms);
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
        let mut arena = JobArena::default();
        let mut surroundings = Surroundings::new(config, fleet, timing.interval_s);
        let machines = indices
            .into_iter()
            .map(|index| {
                let (machine, position) = (fleet.machine(index), phases.position(index));
                let around = &mut surroundings;
                Simulated::new(fleet, config, &machine, position, timing, around, &mut arena)
            })
            .collect();
        Simulation {
            machines,
            arena,
            events: Events::default(),
            arrival,
            reported,
            surroundings,
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
    #[inline(always)]
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

    /// [`Simulation::step`] where something can befall a machine: apart, so that the other path has
    /// the effects of nothing folded away.
    #[inline(never)]
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
        let out = condition.availability == Availability::Out;
        if let Some(outcome) = ends.or(out.then_some(JobStatus::Cancelled)) {
            simulated.jobs.end_running(outcome, timestamp, arena, |change| journal.job(change));
        }
        let start = !down && condition.availability == Availability::In;
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

    /// When machine `at`, which is down, was last heard of, in milliseconds since the epoch; none where
    /// machines don't fail.
    pub fn last_beat(&self, at: usize) -> Option<i64> {
        self.troubles.get(at).map(Trouble::last_beat)
    }

    /// Takes the oldest state change that waits on machine `at`, if any.
    #[inline]
    pub fn event(&mut self, at: usize) -> Option<Event> {
        self.machines[at].next_event(&mut self.events)
    }

    /// Puts the state change back that [`Simulation::event`] gave last: it waits on.
    pub fn put_back(&mut self, at: usize, event: Event) {
        self.machines[at].put_back(event, &mut self.events);
    }

    /// The state changes that wait on machine `at`, the oldest first.
    pub fn waiting(&self, at: usize) -> impl Iterator<Item = &Event> {
        self.machines[at].waiting(&self.events)
    }
}
