//! The incidents of each machine over a run, from its records, counted in readings.

use std::collections::HashMap;

use fleetstorm_model::fleet::{Fleet, Groups};
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::{Record, Topic};
use fleetstorm_model::schedule::SlotKind;

use super::stream::{manifest, slots};

/// The kinds of incident that are anomalies.
pub const ANOMALIES: [&str; 6] = [
    "cpu_spike",
    "memory_leak",
    "network_saturation",
    "disk_full",
    "multi_resource",
    "sensor_drift",
];

/// What a telemetry record says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    pub cpu: f64,
    pub memory: f64,
    pub disk: f64,
    pub inward: f64,
    pub outward: f64,
    pub requests: f64,
    pub errors: f64,
    pub p50: f64,
    pub p99: f64,
    pub is_anomaly: bool,
}

/// What the records of one incident say.
#[derive(Debug, Clone)]
pub struct Incident {
    pub id: String,
    pub kind: String,
    pub cause: Option<String>,
    /// The readings at which it began and ended. What was open before the first reading begins with it.
    pub begin: usize,
    pub end: Option<usize>,
    pub magnitude: f64,
}

/// A status record, sent in the slot of reading `at`.
#[derive(Debug, Clone, PartialEq)]
pub struct Beat {
    pub at: usize,
    pub status: String,
    pub last: i64,
}

/// A record of the jobs topic.
#[derive(Debug, Clone)]
pub struct Job {
    pub id: String,
    pub status: String,
    pub start: Option<i64>,
    pub end: Option<i64>,
    pub seconds: Option<f64>,
}

/// One machine's run.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub id: String,
    /// Its place in each round.
    pub place: usize,
    pub cores: f64,
    /// The instant of every reading, and its telemetry, none where it is silent.
    pub times: Vec<i64>,
    pub rows: Vec<Option<Row>>,
    /// Whether each reading has a usage record, where the topic is selected.
    pub used: Vec<bool>,
    pub beats: Vec<Beat>,
    pub jobs: Vec<Job>,
    pub incidents: Vec<Incident>,
    /// What happened at readings before this one has been reported: state changes wait for their
    /// slots in order, and here none waited any more.
    pub settled: usize,
}

/// The histories of the fleet's machines, in the order of their numbers.
pub fn watch(options: &str) -> Vec<History> {
    watch_run(&manifest(options))
}

pub fn watch_run(manifest: &Manifest) -> Vec<History> {
    let fleet = Fleet::new(&manifest.config, manifest.seed);
    let mut places: Vec<Option<usize>> = vec![None; fleet.len() as usize];
    let mut histories: Vec<History> = (0..fleet.len())
        .map(|index| History {
            id: fleet.machine_id(index).as_str().to_owned(),
            cores: f64::from(fleet.machine(index).cores),
            ..History::default()
        })
        .collect();
    let numbers: HashMap<String, usize> =
        histories.iter().enumerate().map(|(number, h)| (h.id.clone(), number)).collect();
    let phases = fleetstorm_model::fleet::Phases::new(manifest.seed, fleet.len());
    for index in 0..fleet.len() {
        let place = phases.position(index) as usize;
        histories[index as usize].place = place;
        places[place] = Some(index as usize);
    }
    let beats = manifest.topic_set().contains(Topic::Status);
    let mut open: HashMap<String, usize> = HashMap::new();
    slots(manifest, |slot, keyed| {
        let round = slot.round as usize;
        let history = &mut histories[places[slot.at].expect("places are taken")];
        if history.times.len() == round {
            history.times.push(slot.reading_ms);
        }
        match (slot.kind, keyed.map(|keyed| &keyed.record)) {
            (SlotKind::Telemetry, record) => history.rows.push(record.map(|record| {
                let Record::Telemetry(t) = record else { panic!("{record:?}") };
                assert_eq!(t.timestamp, slot.reading_ms);
                assert_eq!(numbers[t.machine_id], numbers[&history.id]);
                Row {
                    cpu: t.cpu_percent,
                    memory: t.memory_percent,
                    disk: t.disk_percent,
                    inward: t.network_in_mbps,
                    outward: t.network_out_mbps,
                    requests: t.request_count as f64,
                    errors: t.error_count as f64,
                    p50: t.latency_p50,
                    p99: t.latency_p99,
                    is_anomaly: t.is_anomaly,
                }
            })),
            (SlotKind::Usage, record) => history.used.push(record.is_some()),
            (SlotKind::Event, None) => {
                history.settled = round + 1;
            }
            (SlotKind::Event, Some(Record::Status(s))) => {
                assert!(beats);
                // A heartbeat, or the first change of this very reading: all before is told.
                if s.last_heartbeat == slot.reading_ms {
                    history.settled = round;
                }
                history.beats.push(Beat {
                    at: round,
                    status: s.status.to_owned(),
                    last: s.last_heartbeat,
                });
            }
            (SlotKind::Event, Some(Record::Job(job))) => history.jobs.push(Job {
                id: job.job_id.to_owned(),
                status: job.status.to_owned(),
                start: job.start_time,
                end: job.end_time,
                seconds: job.duration_seconds,
            }),
            (SlotKind::Event, Some(Record::Incident(i))) => {
                let begin = history.at(i.start_time);
                match i.end_time {
                    None => {
                        let before = open.insert(i.incident_id.to_owned(), history.incidents.len());
                        assert_eq!(before, None, "{} begins twice", i.incident_id);
                        history.incidents.push(Incident {
                            id: i.incident_id.to_owned(),
                            kind: i.kind.to_owned(),
                            cause: i.cause.map(str::to_owned),
                            begin,
                            end: None,
                            magnitude: i.magnitude,
                        });
                    }
                    Some(end) => {
                        let number = open[i.incident_id];
                        let end = history.at(end);
                        let incident = &mut history.incidents[number];
                        assert_eq!(incident.end, None, "{} ends twice", i.incident_id);
                        assert_eq!((incident.kind.as_str(), incident.begin), (i.kind, begin));
                        assert_eq!(incident.cause.as_deref(), i.cause);
                        assert_eq!(incident.magnitude, i.magnitude);
                        incident.end = Some(end);
                    }
                }
            }
            (SlotKind::Event, Some(record)) => panic!("{record:?} in an event slot"),
        }
    });
    histories
}

impl History {
    /// The reading of this very instant.
    #[track_caller]
    pub fn at(&self, time: i64) -> usize {
        self.times.binary_search(&time).expect("instants are those of readings")
    }

    /// The incidents of a kind.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Incident> {
        self.incidents.iter().filter(move |incident| incident.kind == kind)
    }

    /// The incidents by which the machine fails.
    pub fn failures(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(|i| i.kind == "failure" || i.kind == "cascade")
    }

    /// The stretches of readings without telemetry: first, and first after; none where the run
    /// ends before.
    pub fn downs(&self) -> Vec<(usize, Option<usize>)> {
        let mut downs: Vec<(usize, Option<usize>)> = Vec::new();
        for (at, row) in self.rows.iter().enumerate() {
            match (downs.last_mut(), row) {
                (Some(down), Some(_)) if down.1.is_none() => down.1 = Some(at),
                (Some(down), None) if down.1.is_none() => {}
                (_, None) => downs.push((at, None)),
                _ => {}
            }
        }
        downs
    }
}

impl Incident {
    /// Whether it is open at reading `at`.
    pub fn is_open(&self, at: usize) -> bool {
        self.begin <= at && self.end.is_none_or(|end| at < end)
    }
}

/// For every machine of the fleet, the numbers of those that it depends on.
pub fn dependencies(manifest: &Manifest) -> Vec<Vec<usize>> {
    let groups = Groups::new(manifest.config.n_machines);
    let mut on = vec![Vec::new(); manifest.config.n_machines as usize];
    for group in 0..groups.len() {
        let first = groups.members(group).start as usize;
        for (member, others) in groups.dependencies(manifest.seed, group).iter().enumerate() {
            on[first + member] =
                others.iter().flatten().map(|&other| first + usize::from(other)).collect();
        }
    }
    on
}
