//! The causal simulation: one state per machine, advanced one reading at a time. Every topic is a view
//! of it.
//!
//! The seed, the configuration, the readings of a machine's own dependency group, time and place decide
//! its state. So the records are the same however the fleet is divided among threads and processes.

pub mod anomalies;
pub mod degradation;
pub mod dependency_graph;
pub mod disk;
pub mod effects;
pub mod event_writer;
pub mod events;
pub mod failures;
pub mod incidents;
pub mod jobs;
pub mod levels;
pub mod load;
pub mod load_patterns;
pub mod local_time;
pub mod machine_incidents;
pub mod maintenance;
pub mod memory;
pub mod network;
pub mod placement;
pub mod service;
pub mod signals;
pub mod simulated_machine;
pub mod status;
pub mod temporal_curve;
pub mod timing;
pub mod zone_trouble;

use crate::config::Config;
use crate::fleet::{Fleet, Groups, Phases, Share};

use dependency_graph::DependencyGraph;
use effects::Effects;
use events::{Event, EventArena};
use failures::{Stage, Transition};
use incidents::IncidentRef;
use jobs::{Arrivals, JobArena, JobStatus};
use levels::Levels;
use load_patterns::{LoadFactors, LoadPatterns};
use machine_incidents::{IncidentRules, MachineIncidents};
use maintenance::Availability;
use signals::Signals;
use simulated_machine::Setup;
use status::Health;
use timing::Timing;

pub use event_writer::EventFilter;
pub use simulated_machine::SimulatedMachine;

/// The simulated machines of one share of the fleet, in the order in which they read in a round.
#[derive(Debug)]
pub struct Simulation {
    machines: Vec<SimulatedMachine>,
    job_arena: JobArena,
    event_arena: EventArena,
    job_arrival: f64,
    event_filter: EventFilter,
    load_patterns: LoadPatterns,
    /// None where no incident is switched on.
    incident_rules: Option<IncidentRules>,
    /// Parallel to `machines`; empty where no incident is switched on.
    machine_incidents: Vec<MachineIncidents>,
    /// None where machines don't fail.
    dependency_graph: Option<DependencyGraph>,
}

impl Simulation {
    /// The machines of `share` before their first reading, in steady state.
    pub fn new(
        fleet: &Fleet,
        config: &Config,
        phases: &Phases,
        share: Share,
        timing: &Timing,
        event_filter: EventFilter,
    ) -> Simulation {
        let job_arrival = config.jobs.arrival_probability;
        let mut indices: Vec<u32> = Groups::new(fleet.len()).machines(share).collect();
        indices.sort_unstable_by_key(|&index| phases.position(index));
        let incident_rules = IncidentRules::new(config, fleet, timing.spacing_ms);
        let fails = incident_rules.as_ref().is_some_and(|rules| rules.failures.is_some());
        let dependency_graph = fails.then(|| DependencyGraph::new(fleet, share, &indices));
        let machine_incidents = match &incident_rules {
            None => Vec::new(),
            Some(rules) => indices
                .iter()
                .enumerate()
                .map(|(at, &index)| {
                    let dependencies =
                        dependency_graph.as_ref().map_or(0, |graph| graph.dependency_count(at));
                    MachineIncidents::new(rules, fleet.seed(), index, dependencies)
                })
                .collect(),
        };
        let mut job_arena = JobArena::default();
        let mut load_patterns = LoadPatterns::new(config, fleet, timing.interval_s);
        let levels = Levels::new(config, fleet, &load_patterns);
        let setup = Setup { fleet, config, levels: &levels, timing };
        let machines = indices
            .into_iter()
            .map(|index| {
                let (machine, position) = (fleet.machine(index), phases.position(index));
                let (patterns, arena) = (&mut load_patterns, &mut job_arena);
                SimulatedMachine::new(&setup, &machine, position, patterns, arena)
            })
            .collect();
        Simulation {
            machines,
            job_arena,
            event_arena: EventArena::default(),
            job_arrival,
            event_filter,
            load_patterns,
            incident_rules,
            machine_incidents,
            dependency_graph,
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

    /// Machine `at` of the share, in the order of reading; `at` is below [`Simulation::len`].
    #[inline]
    pub fn machine(&self, at: usize) -> &SimulatedMachine {
        &self.machines[at]
    }

    /// Takes reading number `reading` of machine `at`, at the instant `timestamp` (milliseconds
    /// since the epoch). It queues its state changes for [`Simulation::next_event`].
    #[inline(always)]
    pub fn step(&mut self, at: usize, reading: u64, timestamp: i64) -> Signals {
        let Simulation {
            machines,
            job_arena,
            event_arena,
            job_arrival,
            event_filter,
            load_patterns,
            ..
        } = self;
        let machine = &mut machines[at];
        let (region, zone) = (machine.region_index, machine.zone_index);
        let factors = load_patterns.factors(region, zone, reading, timestamp);
        if self.incident_rules.is_some() {
            return self.step_with_incidents(at, reading, timestamp, factors);
        }
        let arrivals =
            Arrivals { probability: *job_arrival, curve: factors.curve, may_start: true };
        let (state, mut writer) = machine.open(timestamp, *event_filter, event_arena);
        let changed = |change| writer.job_changed(change);
        state.jobs.step(reading, timestamp, arrivals, job_arena, changed);
        let (signals, busy) = state.measure(factors, &Effects::NONE, None);
        let health = state.health.at_load(busy);
        state.set_health(health, timestamp, &mut writer);
        signals
    }

    /// [`Simulation::step`] where incidents are switched on. A function of its own, so that the compiler
    /// folds [`Effects::NONE`] away on the other path.
    #[inline(never)]
    fn step_with_incidents(
        &mut self,
        at: usize,
        reading: u64,
        timestamp: i64,
        factors: LoadFactors,
    ) -> Signals {
        let Simulation {
            machines,
            job_arena,
            event_arena,
            job_arrival,
            event_filter,
            machine_incidents,
            ..
        } = self;
        let Some(rules) = &mut self.incident_rules else { return Signals::default() };
        let machine = &mut machines[at];
        let placement = machine.placement();
        let (state, mut writer) = machine.open(timestamp, *event_filter, event_arena);
        let condition = machine_incidents[at].step(rules, placement, reading, &mut writer);
        let (down, transition) = (condition.stage == Stage::Down, condition.transition);
        if down {
            state.set_health(Health::Down, condition.last_heartbeat, &mut writer);
        }
        let ends = if down { Some(JobStatus::Failed) } else { None };
        let out = condition.availability == Availability::OutOfService;
        if let Some(outcome) = ends.or(out.then_some(JobStatus::Cancelled)) {
            let changed = |change| writer.job_changed(change);
            state.jobs.end_running(outcome, timestamp, job_arena, changed);
        }
        let may_start = !down && condition.availability == Availability::InService;
        let arrivals = Arrivals { probability: *job_arrival, curve: factors.curve, may_start };
        let changed = |change| writer.job_changed(change);
        state.jobs.step(reading, timestamp, arrivals, job_arena, changed);
        let signals = if down {
            if transition.is_some() {
                machine_incidents[at].end_episodes(rules, reading, &mut writer);
            }
            Signals::default()
        } else {
            let anomalous = condition.anomalous.as_ref();
            let (signals, busy) = state.measure(factors, &condition.effects, anomalous);
            let by_load = state.health.at_load(busy);
            let health = if condition.degraded { Health::Degraded } else { by_load };
            state.set_health(health, timestamp, &mut writer);
            signals
        };
        if let Some(transition) = transition {
            self.notify_dependents(at, reading, transition);
        }
        signals
    }

    /// Notifies the machines that depend on machine `at` that it went down or came up.
    #[cold]
    fn notify_dependents(&mut self, at: usize, reading: u64, transition: Transition) {
        let Simulation { machines, machine_incidents, incident_rules, dependency_graph, .. } = self;
        let rules = incident_rules.as_ref().and_then(|rules| rules.failures.as_ref());
        let (Some(rules), Some(graph)) = (rules, dependency_graph) else { return };
        let failures = machine_incidents[at].failures();
        let Some(mut stream) = failures.map(|failures| failures.stream().clone()) else {
            return;
        };
        for &other in graph.dependents(at) {
            let Some(dependent) = machine_incidents[other as usize].failures() else { continue };
            match transition {
                Transition::WentDown(number) => {
                    let cause = IncidentRef { machine: machines[at].index, number };
                    // A dependent that reads later in the round is affected in the same round.
                    dependent.dependency_went_down(rules, reading, cause, &mut stream);
                }
                Transition::CameUp => dependent.dependency_came_up(),
            }
        }
        if let Some(failures) = machine_incidents[at].failures() {
            *failures.stream() = stream;
        }
    }

    /// The last heartbeat of machine `at`, which is down, in milliseconds since the epoch; none where no
    /// incident is switched on.
    pub fn last_heartbeat(&self, at: usize) -> Option<i64> {
        self.machine_incidents.get(at).map(MachineIncidents::last_heartbeat)
    }

    /// Takes the oldest state change that machine `at` has queued, if any.
    #[inline]
    pub fn next_event(&mut self, at: usize) -> Option<Event> {
        self.machines[at].next_event(&mut self.event_arena)
    }

    /// Puts back the state change that [`Simulation::next_event`] gave last: it stays queued.
    pub fn put_back(&mut self, at: usize, event: Event) {
        self.machines[at].put_back(event, &mut self.event_arena);
    }

    /// The state changes that machine `at` has queued, the oldest first.
    pub fn queued_events(&self, at: usize) -> impl Iterator<Item = &Event> {
        self.machines[at].queued_events(&self.event_arena)
    }
}
