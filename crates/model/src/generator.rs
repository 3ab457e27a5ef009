//! Makes the records of a share of the fleet from fleet, simulation and schedule: a pure function of the
//! manifest. The stream asks for them in order.

use std::collections::HashMap;

use crate::fleet::{Fleet, MachineIds, Phases, Share};
use crate::manifest::{JobKey, Manifest};
use crate::record::{
    IncidentRecord, JobRecord, KeyHash, MachineRecord, Record, SerialId, StatusRecord, Telemetry,
    Topic, TopicSet, Usage,
};
use crate::schedule::{Schedule, SlotKind, SlotTime, Slots};
use crate::simulation::events::Event;
use crate::simulation::incidents::{IncidentChange, IncidentKind};
use crate::simulation::jobs::{JOB_TYPES, JobChange, JobStatus};
use crate::simulation::signals::Signals;
use crate::simulation::status::Health;
use crate::simulation::timing::Timing;
use crate::simulation::{EventFilter, SimulatedMachine, Simulation};
use crate::window_closing::{self, Carries, Closer, Closing};

/// The records of one share of a run's fleet.
#[derive(Debug)]
pub struct Generator {
    fleet: Fleet,
    topics: TopicSet,
    slots: Slots,
    schedule: Schedule,
    job_key: JobKey,
    start_ms: i64,
    /// The interval at which machines are announced again, in milliseconds of timestamps.
    refresh_ms: Option<i64>,
    /// Whether machines that are down still send readings, all zeros.
    report_while_down: bool,
    partitions: [u32; Topic::COUNT],
    simulation: Simulation,
    /// The name of each simulated machine.
    ids: MachineIds,
    /// Of each simulated machine.
    places: Vec<Place>,
}

/// Where a machine's records go in time and among partitions.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// How far into a round it reads.
    phase_ns: u64,
    /// The hash of its name.
    key_hash: KeyHash,
}

/// One reading of one machine, whose slots are to be filled.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    at: usize,
    round: u64,
    timestamp_ms: i64,
    signals: Signals,
}

impl Reading {
    /// Its instant, in milliseconds since the epoch: the timestamp of its first slot.
    #[inline]
    pub fn timestamp_ms(&self) -> i64 {
        self.timestamp_ms
    }

    /// Its round.
    #[inline]
    pub fn round(&self) -> u64 {
        self.round
    }

    /// The place of its machine in the share.
    #[inline]
    pub fn at(&self) -> usize {
        self.at
    }
}

/// A record with what a sink needs in addition to its value.
#[derive(Debug, Clone, Copy)]
pub struct KeyedRecord<'a> {
    /// The record.
    pub record: &'a Record<&'a str>,
    /// Its key.
    pub key: &'a str,
    /// Whether the key is the machine's name.
    pub by_machine: bool,
    /// The partition of its key.
    pub partition: i32,
    /// The Kafka record's timestamp, in milliseconds since the epoch.
    pub timestamp_ms: i64,
}

impl Generator {
    /// The records of `share` of the run that `manifest` describes.
    pub fn new(manifest: &Manifest, share: Share) -> Generator {
        let topics = manifest.topic_set();
        let filter = EventFilter {
            status: topics.contains(Topic::Status),
            jobs: topics.contains(Topic::Jobs),
            incidents: topics.contains(Topic::Incidents),
        };
        Generator::with_filter(filter, manifest, share)
    }

    /// The same share for a reader of the `wanted` topics only. If none of them has state changes, no
    /// state change is queued, since nobody fills event slots. The simulation is the same.
    pub fn of_topics(manifest: &Manifest, share: Share, wanted: TopicSet) -> Generator {
        let of_changes = [Topic::Status, Topic::Jobs, Topic::Incidents];
        if of_changes.into_iter().any(|topic| wanted.contains(topic)) {
            return Generator::new(manifest, share);
        }
        let filter = EventFilter { status: false, jobs: false, incidents: false };
        Generator::with_filter(filter, manifest, share)
    }

    /// The same share, with incidents as the only state changes that are queued, whether their topic is
    /// selected or not. The simulation is the same.
    pub fn of_incidents(manifest: &Manifest, share: Share) -> Generator {
        let filter = EventFilter { status: false, jobs: false, incidents: true };
        Generator::with_filter(filter, manifest, share)
    }

    fn with_filter(filter: EventFilter, manifest: &Manifest, share: Share) -> Generator {
        let fleet = Fleet::new(&manifest.config, manifest.seed);
        let topics = manifest.topic_set();
        let schedule = manifest.schedule();
        let simulation = Simulation::new(
            &fleet,
            &manifest.config,
            &Phases::new(manifest.seed, fleet.len()),
            share,
            &Timing {
                start_ms: manifest.start.timestamp_millis(),
                spacing_ms: schedule.spacing_ms(),
                interval_s: manifest.interval.duration().as_secs_f64(),
            },
            filter,
        );
        let ids = MachineIds::new(
            (0..simulation.len()).map(|at| fleet.machine_id(simulation.machine(at).index)),
        );
        let places = (0..simulation.len())
            .map(|at| {
                let phase_ns = schedule.phase_ns(simulation.machine(at).position);
                Place { phase_ns, key_hash: KeyHash::of(ids.get(at).as_bytes()) }
            })
            .collect();
        Generator {
            slots: Slots::new(topics),
            job_key: manifest.job_key,
            start_ms: manifest.start.timestamp_millis(),
            refresh_ms: manifest
                .machines_refresh
                .filter(|_| topics.contains(Topic::Machines))
                .map(|span| i64::try_from(span.duration().as_millis()).unwrap_or(i64::MAX).max(1)),
            report_while_down: manifest.config.failures.report_while_down,
            partitions: manifest.partitions(),
            fleet,
            topics,
            schedule,
            simulation,
            ids,
            places,
        }
    }

    /// How many machines the share has.
    pub fn machines(&self) -> usize {
        self.simulation.len()
    }

    /// The name of machine `at` in the order of reading.
    pub fn machine_id(&self, at: usize) -> &str {
        self.ids.get(at)
    }

    /// The slots of each reading.
    #[inline]
    pub fn slots(&self) -> Slots {
        self.slots
    }

    /// When the run starts, in milliseconds since the epoch.
    pub fn start_ms(&self) -> i64 {
        self.start_ms
    }

    /// The run's schedule.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Takes the reading of machine `at` (in the order of reading, below [`Generator::machines`]) in
    /// `round`. Rounds must be taken in order, and in each round machines in order.
    #[inline]
    pub fn read(&mut self, round: u64, at: usize) -> Reading {
        let timestamp_ms = self.timestamp(round, at);
        let signals = self.simulation.step(at, round, timestamp_ms);
        Reading { at, round, timestamp_ms, signals }
    }

    /// The number of slot `slot` of a reading, counted over the whole fleet.
    #[inline]
    pub fn slot_number(&self, reading: &Reading, slot: usize) -> u64 {
        let position = self.simulation.machine(reading.at).position;
        self.schedule.slot_number(reading.round, position, slot)
    }

    /// The instant and timestamp of slot `slot` of a reading.
    #[inline(always)]
    pub fn time(&self, reading: &Reading, slot: usize) -> SlotTime {
        self.slot_time(reading.round, reading.at, slot)
    }

    /// Fills a slot of `reading`, of this kind and timestamp, and passes its record to `take`: none if
    /// the slot is silent.
    #[inline]
    pub fn fill<T>(
        &mut self,
        reading: &Reading,
        kind: SlotKind,
        timestamp_ms: i64,
        take: impl FnOnce(Option<KeyedRecord<'_>>) -> T,
    ) -> T {
        if kind == SlotKind::Event
            && let Some(event) = self.simulation.next_event(reading.at)
        {
            return self.change(reading.at, &event, timestamp_ms, |keyed| take(Some(keyed)));
        }
        self.fill_from_state(reading, kind, timestamp_ms, take)
    }

    /// [`Generator::fill`], but `take` returns whether it took the record. A state change that it did
    /// not take waits for the machine's next event slot.
    #[inline]
    pub fn offer<E>(
        &mut self,
        reading: &Reading,
        kind: SlotKind,
        timestamp_ms: i64,
        take: impl FnOnce(Option<KeyedRecord<'_>>) -> Result<bool, E>,
    ) -> Result<bool, E> {
        if kind == SlotKind::Event
            && let Some(event) = self.simulation.next_event(reading.at)
        {
            let taken = self.change(reading.at, &event, timestamp_ms, |keyed| take(Some(keyed)));
            if !matches!(taken, Ok(true)) {
                self.simulation.put_back(reading.at, event);
            }
            return taken;
        }
        self.fill_from_state(reading, kind, timestamp_ms, take)
    }

    /// The state changes that machine `at` has queued, the oldest first.
    pub fn queued_events(&self, at: usize) -> impl Iterator<Item = &Event> {
        self.simulation.queued_events(at)
    }

    /// Fills a slot from the machine's state, where no state change is queued for it.
    #[inline]
    fn fill_from_state<T>(
        &self,
        reading: &Reading,
        kind: SlotKind,
        timestamp_ms: i64,
        take: impl FnOnce(Option<KeyedRecord<'_>>) -> T,
    ) -> T {
        let machine = self.simulation.machine(reading.at);
        let health = machine.health();
        let reports = match kind {
            SlotKind::Telemetry | SlotKind::Usage => {
                health != Health::Down || self.report_while_down
            }
            SlotKind::Event => health != Health::Down && self.topics.contains(Topic::Status),
        };
        if !reports {
            return take(None);
        }
        let machine_id = self.ids.get(reading.at);
        let record = match kind {
            SlotKind::Telemetry => Record::Telemetry(self.telemetry(machine, machine_id, reading)),
            SlotKind::Usage => Record::Usage(usage(machine_id, reading)),
            SlotKind::Event => Record::Status(status(machine_id, health, reading.timestamp_ms)),
        };
        let hash = self.places[reading.at].key_hash;
        take(Some(self.keyed(&record, machine_id, hash, timestamp_ms)))
    }

    /// Makes the record of a state change of machine `at`, and passes it to `take`.
    fn change<T>(
        &self,
        at: usize,
        event: &Event,
        timestamp_ms: i64,
        take: impl FnOnce(KeyedRecord<'_>) -> T,
    ) -> T {
        let machine = self.fleet.machine_id(self.simulation.machine(at).index);
        let machine_id = self.ids.get(at);
        let hash = self.places[at].key_hash;
        match event {
            Event::Status { health, last_heartbeat } => {
                let record = Record::Status(status(machine_id, *health, *last_heartbeat));
                take(self.keyed(&record, machine_id, hash, timestamp_ms))
            }
            Event::Job(change) => {
                let job_id = SerialId::job(self.fleet.seed(), &machine, change.number);
                let record = Record::Job(job(job_id.as_str(), machine_id, change));
                let (key, hash) = match self.job_key {
                    JobKey::MachineId => (machine_id, hash),
                    JobKey::JobId => (job_id.as_str(), KeyHash::of(job_id.as_str().as_bytes())),
                };
                take(self.keyed(&record, key, hash, timestamp_ms))
            }
            Event::Incident(change) => self.incident(at, change, |record| {
                take(self.keyed(&Record::Incident(*record), machine_id, hash, timestamp_ms))
            }),
        }
    }

    /// Makes the record of an incident's change on machine `at`, and passes it to `take`.
    fn incident<T>(
        &self,
        at: usize,
        change: &IncidentChange,
        take: impl FnOnce(&IncidentRecord<&str>) -> T,
    ) -> T {
        let machine = self.fleet.machine_id(self.simulation.machine(at).index);
        let id = SerialId::incident(self.fleet.seed(), &machine, change.number);
        let cause = change.cause.map(|cause| {
            let machine = self.fleet.machine_id(cause.machine);
            SerialId::incident(self.fleet.seed(), &machine, cause.number)
        });
        take(&IncidentRecord {
            incident_id: id.as_str(),
            machine_id: self.ids.get(at),
            kind: change.kind.as_str(),
            cause: cause.as_ref().map(SerialId::as_str),
            start_time: change.start_time,
            end_time: change.end_time,
            magnitude: f64::from(change.magnitude),
        })
    }

    /// Takes the oldest change of an incident that machine `at` has queued, and passes it to `take` with
    /// its kind; `None` if none is queued. Drops the state changes before it.
    pub fn next_incident<T>(
        &mut self,
        at: usize,
        take: impl FnOnce(IncidentKind, &IncidentRecord<&str>) -> T,
    ) -> Option<T> {
        loop {
            if let Event::Incident(change) = self.simulation.next_event(at)? {
                return Some(self.incident(at, &change, |record| take(change.kind, record)));
            }
        }
    }

    /// The timestamp of the announcement after the reading of machine `at` in `round`, if the machine is
    /// due to be announced again since its previous reading.
    #[inline]
    pub fn reannounced_at(&self, round: u64, at: usize) -> Option<i64> {
        let every = self.refresh_ms?;
        let (before, now) = (self.timestamp(round.checked_sub(1)?, at), self.timestamp(round, at));
        let count = |timestamp: i64| (timestamp - self.start_ms) / every;
        (count(now) > count(before)).then_some(now)
    }

    /// Makes the `machines` record of machine `at`, with the timestamp `timestamp_ms`, and passes it to
    /// `take`.
    pub fn announce<T>(
        &self,
        at: usize,
        timestamp_ms: i64,
        take: impl FnOnce(KeyedRecord<'_>) -> T,
    ) -> T {
        let machine = self.fleet.machine(self.simulation.machine(at).index);
        let record = Record::Machine(MachineRecord {
            machine_id: machine.id.as_str(),
            machine_type: &self.fleet.types()[usize::from(machine.type_index)].name,
            cores: machine.cores as i32,
            memory_gb: machine.memory_gb as i32,
            zone: &self.fleet.zones()[usize::from(machine.zone_index)],
            region: &self.fleet.regions()[usize::from(machine.region_index)],
            created_at: self.start_ms - machine.age_ms,
        });
        take(self.keyed(&record, machine.id.as_str(), self.places[at].key_hash, timestamp_ms))
    }

    /// The keys of the share that close the run's windows, each with the place of its machine.
    pub fn closers(&self, manifest: &Manifest) -> Vec<(usize, Closer)> {
        let mut closers: HashMap<u32, Vec<Closer>> = HashMap::new();
        for closer in window_closing::closers(manifest, &self.fleet) {
            closers.entry(closer.machine).or_default().push(closer);
        }
        (0..self.machines())
            .filter_map(|at| Some((at, closers.get(&self.simulation.machine(at).index)?)))
            .flat_map(|(at, of_machine)| of_machine.iter().map(move |&closer| (at, closer)))
            .collect()
    }

    /// The record that closes windows with this key, at the run's end; `round` is that of its machine's
    /// next reading.
    pub fn closing(&self, at: usize, closer: &Closer, round: u64, timestamp_ms: i64) -> Closing {
        let carries = match closer.topic {
            Topic::Telemetry | Topic::Usage => Carries::Reading { round },
            Topic::Status => self.health_at_the_end(at, timestamp_ms),
            Topic::Jobs => Carries::Job { number: closer.job },
            Topic::Machines | Topic::Incidents => Carries::Machine,
        };
        Closing { at, topic: closer.topic, timestamp_ms, carries }
    }

    /// The status of machine `at` in a closing record: a machine that is down sends no heartbeat.
    fn health_at_the_end(&self, at: usize, timestamp_ms: i64) -> Carries {
        let health = self.simulation.machine(at).health();
        let before = self.simulation.last_heartbeat(at).filter(|_| health == Health::Down);
        Carries::Status { health, last_heartbeat: before.unwrap_or(timestamp_ms) }
    }

    /// Takes the next reading of machine `at`, in `round`, at an instant after the run's end. Machines
    /// must be taken in the order in which they would read next.
    pub fn read_after_end(&mut self, round: u64, at: usize, timestamp_ms: i64) -> Reading {
        let signals = self.simulation.step(at, round, timestamp_ms);
        Reading { at, round, timestamp_ms, signals }
    }

    /// Makes a record that closes windows, and passes it to `take`: none if it carries a reading but
    /// `reading` is none.
    pub fn close<T>(
        &self,
        closing: &Closing,
        reading: Option<&Reading>,
        take: impl FnOnce(Option<KeyedRecord<'_>>) -> T,
    ) -> T {
        let Closing { at, topic, timestamp_ms, carries } = *closing;
        let (machine_id, hash) = (self.ids.get(at), self.places[at].key_hash);
        let machine = self.simulation.machine(at);
        let record = match carries {
            Carries::Machine => {
                return self.announce(at, timestamp_ms, |keyed| take(Some(keyed)));
            }
            Carries::Job { number } => {
                let change = JobChange {
                    number,
                    job_type: 0,
                    status: JobStatus::Cancelled,
                    start_time: None,
                    end_time: Some(timestamp_ms),
                };
                return self
                    .change(at, &Event::Job(change), timestamp_ms, |keyed| take(Some(keyed)));
            }
            Carries::Status { health, last_heartbeat } => {
                Record::Status(status(machine_id, health, last_heartbeat))
            }
            Carries::Reading { .. } => {
                let Some(reading) = reading else { return take(None) };
                match topic {
                    Topic::Usage => Record::Usage(usage(machine_id, reading)),
                    _ => Record::Telemetry(self.telemetry(machine, machine_id, reading)),
                }
            }
        };
        take(Some(self.keyed(&record, machine_id, hash, timestamp_ms)))
    }

    #[inline]
    fn keyed<'a>(
        &self,
        record: &'a Record<&'a str>,
        key: &'a str,
        hash: KeyHash,
        timestamp_ms: i64,
    ) -> KeyedRecord<'a> {
        let partition = hash.partition(self.partitions[record.topic().index()]);
        let by_machine = self.job_key == JobKey::MachineId || record.topic() != Topic::Jobs;
        KeyedRecord { record, key, by_machine, partition, timestamp_ms }
    }

    #[inline(always)]
    fn telemetry<'a>(
        &'a self,
        machine: &'a SimulatedMachine,
        machine_id: &'a str,
        reading: &Reading,
    ) -> Telemetry<&'a str> {
        let signals = &reading.signals;
        Telemetry {
            timestamp: reading.timestamp_ms,
            machine_id,
            machine_type: &self.fleet.types()[usize::from(machine.type_index)].name,
            zone: &self.fleet.zones()[usize::from(machine.zone_index)],
            region: &self.fleet.regions()[usize::from(machine.region_index)],
            cpu_percent: signals.cpu_percent,
            memory_percent: signals.memory_percent,
            disk_percent: signals.disk_percent,
            network_in_mbps: signals.network_in_mbps,
            network_out_mbps: signals.network_out_mbps,
            request_count: signals.request_count,
            error_count: signals.error_count,
            latency_p50: signals.latency_p50,
            latency_p99: signals.latency_p99,
            is_anomaly: signals.is_anomaly,
        }
    }

    /// The instant of the reading of machine `at` in `round`, in milliseconds since the epoch.
    #[inline]
    pub fn timestamp(&self, round: u64, at: usize) -> i64 {
        self.slot_time(round, at, 0).timestamp_ms
    }

    /// The number of the first slot of the reading of machine `at` in `round`.
    pub fn first_slot(&self, round: u64, at: usize) -> u64 {
        self.schedule.slot_number(round, self.simulation.machine(at).position, 0)
    }

    /// The instant and timestamp of slot `slot` of the reading of machine `at` in `round`.
    #[inline(always)]
    pub fn slot_time(&self, round: u64, at: usize, slot: usize) -> SlotTime {
        let position = self.simulation.machine(at).position;
        self.schedule.slot_time(round, position, self.places[at].phase_ns, slot)
    }
}

#[inline]
fn usage<'a>(machine_id: &'a str, reading: &Reading) -> Usage<&'a str> {
    Usage {
        timestamp: reading.timestamp_ms,
        machine_id,
        cpu_percent: reading.signals.cpu_percent,
        memory_percent: reading.signals.memory_percent,
        disk_percent: reading.signals.disk_percent,
    }
}

#[inline]
fn status(machine_id: &str, health: Health, last_heartbeat: i64) -> StatusRecord<&str> {
    StatusRecord { machine_id, status: health.as_str(), last_heartbeat }
}

fn job<'a>(job_id: &'a str, machine_id: &'a str, change: &JobChange) -> JobRecord<&'a str> {
    JobRecord {
        job_id,
        machine_id,
        job_type: JOB_TYPES[usize::from(change.job_type)].name,
        status: change.status.as_str(),
        start_time: change.start_time,
        end_time: change.end_time,
        duration_seconds: change.duration_seconds(),
    }
}
