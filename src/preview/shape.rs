//! The shape of a run: its fleet's figures over time, by zone, region and machine, and its incidents.

use fleetstorm_model::fleet::Fleet;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::{Record, Telemetry};
use fleetstorm_model::schedule::SlotKind;
use fleetstorm_model::simulation::incidents::IncidentKind;
use fleetstorm_model::stream::Step;

use crate::exit::ProgramError;
use crate::pacing::StopFlag;

use super::cascade::{self, Cascade};
use super::detail::Detail;
use super::incidents::{self, Gathered, Incident};
use super::series::{Columns, Line, Sums};
use super::walk::{is_up, walk};

/// What a run does.
#[derive(Debug)]
pub struct Shape {
    /// The columns of all lines.
    pub columns: Columns,
    /// The fleet's lines.
    pub fleet: FleetLines,
    /// Mean cpu of each zone.
    pub zones: Vec<Line>,
    /// Mean cpu of each region.
    pub regions: Vec<Line>,
    /// The machines with the most incidents.
    pub detail: Detail,
    /// All incidents, in the order of their records.
    pub incidents: Vec<Incident>,
    /// The largest cascade; `None` if there was none.
    pub cascade: Option<Cascade>,
}

/// The fleet's lines. They are means over the machines that are up, except where noted.
#[derive(Debug)]
pub struct FleetLines {
    /// Processor use.
    pub cpu: Line,
    /// Memory use.
    pub memory: Line,
    /// Disk use.
    pub disk: Line,
    /// Network traffic of a machine, in and out together.
    pub network: Line,
    /// The 99th percentile of latency.
    pub latency: Line,
    /// Jobs that the whole fleet started per hour.
    pub jobs: Line,
    /// The share of machines with an anomaly that shows.
    pub anomalies: Line,
    /// How many machines are down.
    pub down: Line,
    /// How many machines have an open incident of maintenance, of degradation and of their zone.
    pub others: [Line; 3],
}

impl Shape {
    /// The shape of the run that `manifest` describes. It is incomplete where `stop` was set.
    ///
    /// # Errors
    /// None of its own.
    pub fn of(manifest: &Manifest, stop: &StopFlag) -> Result<Shape, ProgramError> {
        let mut collector = Collector::new(manifest);
        walk(manifest, u64::MAX, stop, |step, keyed| {
            collector.take(step, keyed.map(|keyed| keyed.record));
            Ok(())
        })?;
        collector.finish(manifest, stop)
    }
}

struct Collector {
    columns: Columns,
    machines: Vec<Machine>,
    measures: [Sums; 5],
    jobs: Sums,
    anomalies: Sums,
    down: Sums,
    zones: Vec<(String, Sums)>,
    regions: Vec<(String, Sums)>,
    gathered: Gathered,
}

/// A machine's name, and the indices of its zone and region.
struct Machine {
    id: String,
    zone: usize,
    region: usize,
}

impl Collector {
    fn new(manifest: &Manifest) -> Collector {
        let start_ms = manifest.start.timestamp_millis();
        let readings = manifest.config.n_readings.unwrap_or(1);
        let columns = Columns::new(start_ms, manifest.interval.duration(), readings);
        let sums = || Sums::new(&columns);
        let by_name = |names: &[String]| names.iter().map(|n| (n.clone(), sums())).collect();
        Collector {
            machines: Vec::new(),
            measures: std::array::from_fn(|_| sums()),
            jobs: sums(),
            anomalies: sums(),
            down: sums(),
            zones: by_name(&manifest.config.zones),
            regions: by_name(&manifest.config.regions),
            gathered: Gathered::default(),
            columns,
        }
    }

    fn take(&mut self, step: &Step, record: Option<&Record<&str>>) {
        match (step, record) {
            (Step::Slot(slot), Some(record)) => self.record(slot.round, slot.at, record),
            (Step::Announcement(announced), Some(record)) => self.record(0, announced.at, record),
            (Step::Slot(slot), None) if slot.kind == SlotKind::Telemetry => {
                self.down.add(self.columns.of_round(slot.round), 1.0);
            }
            (Step::Closing(_), _) | (_, None) => {}
        }
    }

    fn record(&mut self, round: u64, machine: usize, record: &Record<&str>) {
        match record {
            Record::Machine(machine) => {
                let index = |lines: &[(String, Sums)], name: &str| {
                    lines.iter().position(|(known, _)| known == name).unwrap_or(0)
                };
                self.machines.push(Machine {
                    id: machine.machine_id.to_owned(),
                    zone: index(&self.zones, machine.zone),
                    region: index(&self.regions, machine.region),
                });
            }
            Record::Telemetry(telemetry) => self.reading(round, machine, telemetry),
            Record::Job(job) if job.status == "running" => {
                if let Some(column) = job.start_time.and_then(|ms| self.columns.of_time(ms)) {
                    self.jobs.add(column, 1.0);
                }
            }
            Record::Incident(incident) => self.gathered.take(machine, incident),
            Record::Job(_) | Record::Usage(_) | Record::Status(_) => {}
        }
    }

    fn reading(&mut self, round: u64, machine: usize, telemetry: &Telemetry<&str>) {
        let column = self.columns.of_round(round);
        if !is_up(telemetry) {
            return self.down.add(column, 1.0);
        }
        let values = [
            telemetry.cpu_percent,
            telemetry.memory_percent,
            telemetry.disk_percent,
            telemetry.network_in_mbps + telemetry.network_out_mbps,
            telemetry.latency_p99,
        ];
        for (sums, value) in self.measures.iter_mut().zip(values) {
            sums.add(column, value);
        }
        if telemetry.is_anomaly {
            self.anomalies.add(column, 1.0);
        }
        let machine = &self.machines[machine];
        self.zones[machine.zone].1.add(column, telemetry.cpu_percent);
        self.regions[machine.region].1.add(column, telemetry.cpu_percent);
    }

    fn finish(self, manifest: &Manifest, stop: &StopFlag) -> Result<Shape, ProgramError> {
        let Collector { columns, machines, measures, gathered, .. } = self;
        let fleet = Fleet::new(&manifest.config, manifest.seed);
        let incidents = gathered.finish();
        let line = |name: &str, unit, values| Line { name: name.to_owned(), unit, values };
        let [cpu, memory, disk, network, latency] = measures.map(|sums| sums.means());
        let fleet_size = f64::from(manifest.config.n_machines);
        let per_round = |column| 1.0 / columns.rounds(column) as f64;
        let open = |name, kind| line(name, "machines", incidents::open(&incidents, kind, &columns));
        let others = [
            open("in maintenance", IncidentKind::Maintenance),
            open("worn out", IncidentKind::Degradation),
            open("in zone trouble", IncidentKind::ZoneTrouble),
        ];
        let share = self.anomalies.scaled(|column| 100.0 * per_round(column) / fleet_size);
        let by_name = |lines: Vec<(String, Sums)>| -> Vec<Line> {
            lines.into_iter().map(|(name, sums)| line(&name, "%", sums.means())).collect()
        };
        let fleet_lines = FleetLines {
            cpu: line("cpu", "%", cpu),
            memory: line("memory", "%", memory),
            disk: line("disk", "%", disk),
            network: line("network", "Mbps", network),
            latency: line("response p99", "ms", latency),
            jobs: line("jobs started", "/h", self.jobs.scaled(|c| 1.0 / columns.hours(c))),
            anomalies: line("in an anomaly", "%", share),
            down: line("machines down", "machines", self.down.scaled(per_round)),
            others,
        };
        let numbers: Vec<u32> = machines.iter().map(|machine| number(&machine.id)).collect();
        let cascade = cascade::largest(&incidents, &fleet, &numbers);
        let ids: Vec<&str> = machines.iter().map(|machine| machine.id.as_str()).collect();
        let focus_ms = cascade.as_ref().map(|cascade| cascade.start_ms);
        Ok(Shape {
            detail: Detail::of(manifest, &columns, &ids, &incidents, focus_ms, stop)?,
            columns,
            fleet: fleet_lines,
            zones: by_name(self.zones),
            regions: by_name(self.regions),
            cascade,
            incidents,
        })
    }
}

/// A machine's number in the fleet. Its name ends with it.
fn number(id: &str) -> u32 {
    id.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preview::PreviewOptions;
    use crate::preview::outline::Outline;
    use fleetstorm_model::run::Run;
    use fleetstorm_model::stream::Slot;

    fn manifest() -> Manifest {
        let options = PreviewOptions {
            run: Run::builder().machines(2),
            readings: Some(2),
            interval: "1h".parse().ok(),
            start: "1970-01-01".parse().ok(),
            ..PreviewOptions::default()
        };
        Outline::new(&options, 0).unwrap().manifest
    }

    fn reading(cpu: f64, is_anomaly: bool) -> Telemetry<&'static str> {
        Telemetry {
            timestamp: 0,
            machine_id: "machine-000000",
            machine_type: "core",
            zone: "zone-a",
            region: "us-east-1",
            cpu_percent: cpu,
            memory_percent: 10.0,
            disk_percent: 20.0,
            network_in_mbps: 1.0,
            network_out_mbps: 2.0,
            request_count: 0,
            error_count: 0,
            latency_p50: 1.0,
            latency_p99: 5.0,
            is_anomaly,
        }
    }

    #[test]
    fn a_hand_made_stream_gives_its_means_and_counts() {
        let manifest = manifest();
        let mut collector = Collector::new(&manifest);
        for id in ["machine-000001", "machine-000000"] {
            collector.machines.push(Machine { id: id.to_owned(), zone: 0, region: 1 });
        }
        let step = |round, at| {
            Step::Slot(Slot {
                number: 0,
                round,
                at,
                index: 0,
                kind: SlotKind::Telemetry,
                due_ns: None,
                timestamp_ms: 0,
                reading_ms: 0,
            })
        };
        let mut take = |round, machine, telemetry| {
            collector.take(&step(round, machine), Some(&Record::Telemetry(telemetry)));
        };
        take(0, 0, reading(30.0, true));
        take(0, 1, reading(50.0, false));
        take(1, 0, reading(70.0, true));
        collector.take(&step(1, 1), None);
        let shape = collector.finish(&manifest, &StopFlag::default()).unwrap();
        let lines = &shape.fleet;
        assert_eq!(lines.cpu.values, [Some(40.0), Some(70.0)]);
        assert_eq!(lines.network.values, [Some(3.0), Some(3.0)]);
        assert_eq!(lines.anomalies.values, [Some(50.0), Some(50.0)]);
        assert_eq!(lines.down.values, [Some(0.0), Some(1.0)]);
        assert_eq!(shape.zones[0].values, [Some(40.0), Some(70.0)]);
        assert_eq!(shape.regions[0].values, [None, None]);
        assert_eq!(shape.detail.machines.len(), 2);
        assert_eq!(shape.detail.machines[0].line.name, "machine-000000");
    }
}
