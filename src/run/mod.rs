//! A run: options to plan, plan to manifest, then threads that work it off, and a report.

pub mod error;
pub mod outlet;
pub mod plan;
pub mod worker;

use std::io::{self, Write};
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::cli::RunOptions;
use crate::fleet::{Groups, Share};
use crate::manifest::Manifest;
use crate::pacing::{Pacer, StopFlag};
use crate::record::Topic;
use crate::report::file::ReportFile;
use crate::report::live::{Glance, LiveLine};
use crate::report::results::{
    Ending, LatencyResults, Percentiles, RateResults, Results, TopicResults,
};
use crate::report::{Report, summary};
use crate::sink::tally::{Deliveries, Tally};
use crate::sink::{Sink, SinkError};

pub use error::{ExitCode, RunError};

use outlet::Outlet;
use plan::Plan;
use worker::{Ended, Progress, Sent, Worker};

/// How a run talks while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// Addresses, notes, a live line and a summary, on stderr.
    Stderr,
    /// Nothing.
    Silent,
}

/// How often the live line is drawn and the producer looked after.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Makes the run that `options` describe; a set `stop` ends it early, with all that was sent
/// delivered and reported.
///
/// # Errors
/// [`RunError`] where the run can't begin, or can't go on. Records that were not delivered are no
/// error but figures: see [`exit_code`].
pub fn run(options: &RunOptions, stop: &StopFlag, talk: Talk) -> Result<Report, RunError> {
    let mut plan = Plan::new(options, now_ms())?;
    for note in &plan.notes {
        tracing::warn!("{note}");
    }
    let tally = Arc::new(Tally::new());
    let outlet = Outlet::open(options, &mut plan, &tally, stop)?;
    if talk == Talk::Stderr {
        outlet.introduce(&plan.manifest);
    }
    let announcing = outlet.announcing_time(&plan.manifest);
    let manifest = plan.begin(now_ms(), announcing).clone();
    let file = options.keep.report.as_deref().map(ReportFile::new);
    let mut report = Report { manifest, results: None };
    keep(file.as_ref(), &report)?;

    let results = match &outlet {
        Outlet::Kafka(kafka) => {
            let sinks = || kafka.producer.sink(stop.clone());
            Crew { manifest: &report.manifest, options, outlet: &outlet, tally: &tally, stop, talk }
                .work(sinks)?
        }
        Outlet::Stdout(lines) => {
            Crew { manifest: &report.manifest, options, outlet: &outlet, tally: &tally, stop, talk }
                .work(|| lines.sink())?
        }
        Outlet::Null => {
            Crew { manifest: &report.manifest, options, outlet: &outlet, tally: &tally, stop, talk }
                .work(|| crate::sink::null::NullSink)?
        }
    };
    report.results = Some(results);
    keep(file.as_ref(), &report)?;
    if let (Talk::Stderr, Some(results)) = (talk, &report.results) {
        // Nothing depends on it; stderr may be closed.
        let _unheard = summary::write(results, &mut io::stderr().lock());
    }
    outlet.hold_open(stop, talk);
    Ok(report)
}

/// The exit code of a run that was made.
pub fn exit_code(report: &Report) -> ExitCode {
    let Some(results) = &report.results else {
        return ExitCode::Done;
    };
    if results.failed() > 0 || results.unconfirmed() > 0 {
        let too_large = results.errors.get("MessageSizeTooLarge").copied().unwrap_or(0);
        if too_large == results.failed() && results.unconfirmed() == 0 {
            return ExitCode::TooLarge;
        }
        return ExitCode::Lost;
    }
    match results.ended {
        Ending::Interrupted => ExitCode::Interrupted,
        Ending::Complete | Ending::Closed => ExitCode::Done,
    }
}

fn keep(file: Option<&ReportFile>, report: &Report) -> Result<(), RunError> {
    let Some(file) = file else { return Ok(()) };
    file.write(report).map_err(|source| RunError::Report {
        path: match file {
            ReportFile::Path(path) => path.clone(),
            ReportFile::Stdout => "stdout".into(),
        },
        source,
    })
}

/// Milliseconds since the epoch, by this machine's clock.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The threads of a run and what they share.
struct Crew<'a> {
    manifest: &'a Manifest,
    options: &'a RunOptions,
    outlet: &'a Outlet,
    tally: &'a Arc<Tally>,
    stop: &'a StopFlag,
    talk: Talk,
}

impl Crew<'_> {
    /// Works the run off, with a sink a thread, and adds up what became of it.
    fn work<S: Sink>(&self, sink: impl Fn() -> S) -> Result<Results, RunError> {
        let mut workers = self.workers(sink)?;
        if self.manifest.topic_set().contains(Topic::Machines) {
            self.announce(&mut workers)?;
        }
        // Live time counts from the start that the manifest names, simulated time from now.
        let elapsed_ns = match self.manifest.time {
            crate::pacing::Time::Live => {
                (now_ms() - self.manifest.start.timestamp_millis()).saturating_mul(1_000_000)
            }
            crate::pacing::Time::Simulated => 0,
        };
        let pacer = Pacer::new(elapsed_ns, self.stop.clone());
        self.tally.begin(elapsed_ns);
        let began_ns = pacer.now_ns();
        let ended = self.run(&mut workers, &pacer, began_ns)?;
        let worked_ns = pacer.now_ns();

        let interrupted = ended == Ending::Interrupted;
        let patience =
            if interrupted { self.options.destination.shutdown_timeout.duration() } else { FLUSH };
        self.outlet.flush(patience, self.stop);
        let done_ns = pacer.now_ns();
        let mut sent = Sent::default();
        for worker in &workers {
            sent.add(worker.sent());
        }
        // A future start is waited for, not worked.
        let zero_ns = began_ns.max(0);
        let duration_ns = self.manifest.duration.map_or(0, |d| d.duration().as_nanos() as i64);
        let working_s = match ended {
            // The time after the last slot belongs to a run that was given a duration.
            Ending::Complete => seconds(worked_ns.max(duration_ns.min(done_ns)) - zero_ns),
            _ => seconds(worked_ns - zero_ns),
        };
        Ok(self.results(ended, &sent, working_s, seconds(done_ns - zero_ns)))
    }

    fn workers<S: Sink>(&self, sink: impl Fn() -> S) -> Result<Vec<Worker<S>>, RunError> {
        let threads = self.threads();
        let shard = (self.manifest.shard.index(), self.manifest.shard.count());
        let shares = (0..threads).map(|t| Share { shard, thread: (t, threads) });
        let manifest = self.manifest;
        // Built side by side, since a large fleet takes a moment.
        thread::scope(|scope| {
            let building: Vec<ScopedJoinHandle<'_, Worker<S>>> = shares
                .map(|share| {
                    let sink = sink();
                    scope.spawn(move || Worker::new(manifest, share, sink))
                })
                .collect();
            building.into_iter().map(join).collect()
        })
    }

    fn threads(&self) -> u32 {
        let groups = Groups::new(self.manifest.config.n_machines).len();
        let wanted = self.options.pace.threads.unwrap_or_else(|| match self.outlet {
            // One thread makes records several times as fast as a producer takes them, and keeps
            // the lines of a seed in one order.
            Outlet::Kafka(_) | Outlet::Stdout(_) => 1,
            Outlet::Null => thread::available_parallelism().map_or(1, |n| n.get() as u32),
        });
        wanted.clamp(1, groups.max(1))
    }

    /// Announces the machines and waits until every record of it is acknowledged.
    fn announce<S: Sink>(&self, workers: &mut [Worker<S>]) -> Result<(), RunError> {
        let stop = self.stop;
        thread::scope(|scope| {
            let handles: Vec<_> =
                workers.iter_mut().map(|w| scope.spawn(move || w.announce(stop))).collect();
            handles.into_iter().try_for_each(|handle| match join(handle)? {
                Ok(_) | Err(SinkError::Stopped) => Ok(()),
                Err(error) => Err(RunError::Sink(error)),
            })
        })?;
        let left = self.outlet.flush(FLUSH, stop) as u64;
        let seen = self.tally.snapshot();
        let failed = seen.topics[Topic::Machines.index()].failed;
        if (left > 0 && !stop.is_set()) || failed > 0 {
            let total = workers.iter().map(|w| w.sent().records[Topic::Machines.index()]).sum();
            return Err(RunError::Announcement {
                undelivered: failed + left,
                total,
                reasons: reasons(&seen),
                too_large: seen.errors.keys().all(|kind| kind == "MessageSizeTooLarge")
                    && left == 0,
            });
        }
        Ok(())
    }

    /// Lets the workers work while this thread looks after them.
    fn run<S: Sink>(
        &self,
        workers: &mut [Worker<S>],
        pacer: &Pacer,
        began_ns: i64,
    ) -> Result<Ending, RunError> {
        let measured_ns = u64::try_from(began_ns).unwrap_or(0);
        let progress: Vec<Progress> = workers.iter().map(|_| Progress::default()).collect();
        let mut line = LiveLine::new(self.talk == Talk::Silent);
        let ended = thread::scope(|scope| {
            let handles: Vec<_> = workers
                .iter_mut()
                .zip(&progress)
                .map(|(worker, progress)| {
                    scope.spawn(move || worker.run(pacer, measured_ns, progress))
                })
                .collect();
            let mut failed = None;
            while !handles.iter().all(ScopedJoinHandle::is_finished) {
                wait_for(&handles, LOOK_EVERY);
                line.show(&self.glance(&progress));
                if let Some(reason) = self.outlet.fatal() {
                    failed = Some(RunError::Sink(SinkError::Fatal(reason)));
                    self.stop.stop();
                }
            }
            let mut ended = Ending::Complete;
            for handle in handles {
                match join(handle)? {
                    Ok(Ended::Finished) => {}
                    Ok(Ended::Stopped) if ended == Ending::Complete => ended = Ending::Interrupted,
                    Ok(Ended::Stopped) => {}
                    Err(SinkError::Closed) => ended = Ending::Closed,
                    Err(error) => {
                        failed.get_or_insert(RunError::Sink(error));
                    }
                }
            }
            match failed {
                Some(error) => Err(error),
                None => Ok(ended),
            }
        });
        line.finish();
        ended
    }

    fn glance(&self, progress: &[Progress]) -> Glance {
        let sent = progress.iter().map(Progress::sent).sum();
        let (acked, failed, p99) = self.tally.progress();
        match self.outlet {
            Outlet::Kafka(kafka) => {
                Glance { sent, acked, in_flight: kafka.producer.in_flight() as u64, failed, p99 }
            }
            Outlet::Stdout(_) | Outlet::Null => Glance { sent, acked: sent, ..Glance::default() },
        }
    }

    fn results(&self, ended: Ending, sent: &Sent, working_s: f64, elapsed_s: f64) -> Results {
        let seen = self.tally.snapshot();
        let confirms = matches!(self.outlet, Outlet::Kafka(_));
        let records = self
            .manifest
            .topic_set()
            .iter()
            .map(|topic| {
                let (i, counts) = (topic.index(), seen.topics[topic.index()]);
                let acked = if confirms { counts.acked } else { sent.records[i] };
                let bytes = if confirms { counts.bytes } else { sent.bytes[i] };
                let results =
                    TopicResults { sent: sent.records[i], acked, failed: counts.failed, bytes };
                (topic.name().to_owned(), results)
            })
            .collect();
        let machines = sent.records[Topic::Machines.index()];
        let slots = match sent.measured() {
            0 => sent.records.iter().sum::<u64>() - machines + sent.silent,
            measured => measured,
        };
        Results {
            ended,
            records,
            elapsed_s,
            rate: RateResults {
                target: self.share_of_target(),
                achieved: if working_s > 0.0 { slots as f64 / working_s } else { 0.0 },
                silent: sent.silent,
                max_second_error: sent.max_second_error(),
            },
            latency_ms: LatencyResults {
                intended: Percentiles::of(&seen.intended_us),
                enqueued: Percentiles::of(&seen.enqueued_us),
            },
            errors: seen.errors,
        }
    }

    /// The part of the run's rate that falls to this shard.
    fn share_of_target(&self) -> Option<f64> {
        let target = self.manifest.schedule().target_rate()?;
        let shard = (self.manifest.shard.index(), self.manifest.shard.count());
        let groups = Groups::new(self.manifest.config.n_machines);
        let ours = groups.machines(Share { shard, thread: (0, 1) }).count();
        Some(target * ours as f64 / f64::from(self.manifest.config.n_machines))
    }
}

/// How long a run that came to its end waits for its last records: beyond the time after which
/// the producer itself gives a record up, so that nothing is left undecided.
const FLUSH: Duration = Duration::from_secs(180);

fn seconds(ns: i64) -> f64 {
    ns.max(0) as f64 / 1e9
}

/// Kinds of errors and their counts, on one line.
fn reasons(seen: &Deliveries) -> String {
    let listed: Vec<String> =
        seen.errors.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    if listed.is_empty() { "no answer in time".to_owned() } else { listed.join(", ") }
}

/// Waits a moment, less where every thread ends sooner.
fn wait_for<T>(handles: &[ScopedJoinHandle<'_, T>], moment: Duration) {
    let until = Instant::now() + moment;
    while Instant::now() < until && !handles.iter().all(ScopedJoinHandle::is_finished) {
        thread::sleep(Duration::from_millis(5));
    }
}

fn join<T>(handle: ScopedJoinHandle<'_, T>) -> Result<T, RunError> {
    handle.join().map_err(|_| RunError::Internal("a thread of the simulation panicked".to_owned()))
}

/// Tells something to the person at the terminal. Nothing depends on it; stderr may be closed.
fn tell(text: &str) {
    let _unheard = writeln!(io::stderr().lock(), "{text}");
}
