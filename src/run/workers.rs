//! The threads of a run: they announce the machines and work the schedule off. The main thread looks
//! after them.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use fleetstorm_model::fleet::{Groups, Share};
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;
use fleetstorm_model::schedule::Time;

use super::TOO_LARGE;
use super::destination::Destination;
use super::options::{OnBacklog, RunOptions};
use super::results::Counts;
use super::sent::Sent;
use super::skew::Front;
use super::worker::{Ended, OnFull, Progress, Worker};
use crate::exit::ProgramError;
use crate::output::Verbosity;
use crate::pacing::pacer::wake_on_time;
use crate::pacing::{Pacer, StopFlag, now_ms};
use crate::report::hdr_log::HdrLog;
use crate::report::latency::LatencyRecorder;
use crate::report::live::{LiveFigures, LiveLine, P99};
use crate::report::results::{Ending, Results};
use crate::sink::tally::{Deliveries, Tally};
use crate::sink::throttled::Throttled;
use crate::sink::{Sink, SinkError};
use crate::verify::position::Position;

/// How far apart threads may be in event time by default: as far as this many records of the fleet take,
/// so that batches keep their size, within these numbers of intervals.
const SKEW_RECORDS: u64 = 30_000;
const SKEW_READINGS: (u64, u64) = (10, 60);
/// How often the live line is drawn and the producer checked.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The threads of a run and what they share.
pub struct Workers<'a> {
    /// The run.
    pub manifest: &'a Manifest,
    /// Its options, which decide no record.
    pub options: &'a RunOptions,
    /// Where the records go.
    pub destination: &'a Destination,
    /// Of a resumed run: the records that are there already.
    pub position: Option<Arc<Position>>,
    /// Ends the run early.
    pub stop: &'a StopFlag,
    /// Whether a live line is shown.
    pub verbosity: Verbosity,
    /// In live time: when the run is to be ready, in nanoseconds from the schedule's zero, if its start
    /// lay in the past when it began. Else 0, since the whole run can be on time.
    pub ready_ns: i64,
}

/// The results of a run, and why it could not go on, if it could not.
pub struct Outcome {
    /// The figures.
    pub results: Results,
    /// The failure that ended it.
    pub failure: Option<ProgramError>,
}

impl Workers<'_> {
    /// Makes the run, with the sink that `sink` gives each thread, and adds up the results. Latencies go
    /// to `log` as well.
    ///
    /// # Errors
    /// [`ProgramError`] if the machines could not be announced. Nothing else was sent then.
    pub fn work<S: Sink>(
        &self,
        sink: impl Fn(u32) -> S,
        log: Option<HdrLog>,
    ) -> Result<Outcome, ProgramError> {
        let mut workers = self.workers(sink)?;
        if self.manifest.topic_set().contains(Topic::Machines) {
            self.announce(&mut workers)?;
        }
        let resumes_ns = self.skip_arrived(&mut workers)?;
        // Live time counts from the start in the manifest. Simulated time counts from now: from its first
        // slot, or in a resumed run from the first that is missing.
        let elapsed_ns = match self.manifest.time {
            Time::Live => {
                (now_ms() - self.manifest.start.timestamp_millis()).saturating_mul(1_000_000)
            }
            Time::Simulated => resumes_ns,
        };
        let rates = self.manifest.schedule().rates();
        let busiest = rates.map_or(0.0, |(_, highest)| highest / workers.len() as f64);
        let pacer = Pacer::new(elapsed_ns, self.stop.clone()).at_most(busiest);
        let paced = rates.is_some();
        self.destination.tallies().for_each(|tally| tally.begin(elapsed_ns, paced));
        let mut latency = LatencyRecorder::new(log);
        let began_ns = elapsed_ns;
        // What could not be on time, however fast the run got ready, is not measured. What is late
        // because it was slow, is.
        let from_ns = match self.manifest.time {
            Time::Live => self.ready_ns,
            Time::Simulated => resumes_ns,
        };
        let (mut ended, mut failure) = self.run(&mut workers, &pacer, from_ns, &mut latency);
        let worked_ns = pacer.now_ns();
        let left =
            self.flush(if ended == Ending::Complete { self.give_up() } else { self.shutdown() });
        let flushed_ns = pacer.now_ns();
        latency.take(self.destination.tallies());
        let rated = self.destination.deliveries();
        if ended == Ending::Complete && self.manifest.close_windows.is_some() {
            if left == 0 {
                (ended, failure) = self.close(&mut workers);
            } else {
                // They would make late what may still arrive.
                tracing::warn!(
                    "the run closes no windows, since {left} records are unconfirmed: complete it by --resume"
                );
            }
        }
        let done_ns = pacer.now_ns();
        let (latencies, log_failed) = latency.finish();
        let duration_ns =
            self.manifest.end_ns().map_or(0, |ns| i64::try_from(ns).unwrap_or(i64::MAX));
        let to_ns = match ended {
            // If the run has a duration, the time after its last slot belongs to it.
            Ending::Complete => worked_ns.max(duration_ns.min(flushed_ns)),
            _ => worked_ns,
        };
        // The time until a future start is waiting, not work.
        let zero_ns = began_ns.max(0);
        let sent: Vec<&Sent> = workers.iter().map(Worker::sent).collect();
        let deliveries = self.destination.deliveries();
        let counts = Counts {
            manifest: self.manifest,
            ended,
            sent: &sent,
            deliveries: deliveries.as_ref(),
            rated: rated.as_ref(),
            end_offsets: &self.destination.end_offsets(self.manifest),
            changed_topics: &self.destination.changed_topics(),
            transport: self.destination.transport(),
            throttled: self.destination.throttled(),
            already_there: self.position.as_ref().map_or(0, |position| position.records),
            latencies: &latencies,
            max_skew_ms: (workers.len() > 1).then(|| self.max_skew_ms()),
            began_s: seconds(began_ns),
            from_s: seconds(from_ns),
            to_s: seconds(to_ns.max(from_ns)),
            elapsed_s: seconds(done_ns - zero_ns),
            dropped_before: self.position.as_ref().map_or(&[], |position| position.dropped()),
        };
        let failure = failure.or_else(|| {
            let path = self.options.hdr_log.clone().unwrap_or_default();
            log_failed.map(|source| ProgramError::HdrLog { path, source })
        });
        Ok(Outcome { results: counts.results(), failure })
    }

    /// Waits for the last records. Returns how many are neither acknowledged nor failed.
    fn flush(&self, timeout: Duration) -> usize {
        self.destination.flush(timeout, self.shutdown(), self.stop)
    }

    /// How long a complete run waits without an acknowledgement: at least as long as its producers wait
    /// for a record themselves, so that they decide its outcome.
    fn give_up(&self) -> Duration {
        let timeout = self.options.give_up_after;
        let delivery_timeout = match self.destination {
            Destination::Kafka(kafka) => kafka.cluster.settings().options.delivery_timeout,
            Destination::Stdout(_) | Destination::Null => None,
        };
        delivery_timeout.map_or(timeout, |delivery| timeout.max(delivery + DECIDING))
    }

    /// How long a stopped run may take to deliver what it has sent.
    fn shutdown(&self) -> Duration {
        self.options.shutdown_timeout
    }

    fn workers<S: Sink>(&self, sink: impl Fn(u32) -> S) -> Result<Vec<Worker<S>>, ProgramError> {
        let threads = self.threads();
        let shard = (self.manifest.shard.index(), self.manifest.shard.count());
        let shares = (0..threads).map(|t| Share { shard, thread: (t, threads) });
        let manifest = self.manifest;
        let on_full = match self.options.on_backlog {
            OnBacklog::Wait => OnFull::Wait,
            OnBacklog::Drop => OnFull::Drop,
        };
        // Built in parallel, since a large fleet takes a moment.
        thread::scope(|scope| {
            let building: Vec<ScopedJoinHandle<'_, Worker<S>>> = shares
                .map(|share| {
                    let sink = sink(share.thread.0);
                    let position = self.position.as_ref();
                    scope.spawn(move || {
                        Worker::new(manifest, share, sink).on_full(on_full).resume_from(position)
                    })
                })
                .collect();
            let built: Vec<Worker<S>> = building.into_iter().map(join).collect::<Result<_, _>>()?;
            Ok(built
                .into_iter()
                .zip(self.fronts(threads))
                .map(|(w, f)| w.keep_together_with(f))
                .collect())
        })
    }

    /// The fronts of this many threads.
    fn fronts(&self, threads: u32) -> Vec<Front> {
        let start_ms = self.manifest.start.timestamp_millis();
        let machines = f64::from(self.manifest.config.n_machines);
        // The slots of a reading share the time until the next machine's.
        let reading_ms = (self.manifest.schedule().spacing_ms() / machines).ceil() as i64 + 1;
        Front::all(threads as usize, start_ms, self.max_skew_ms(), reading_ms)
    }

    /// How far apart threads may be in event time, in milliseconds.
    fn max_skew_ms(&self) -> i64 {
        let skew = match self.options.max_skew {
            Some(skew) => skew,
            None => {
                let (least, most) = SKEW_READINGS;
                let round = self.manifest.schedule().slots_in(1).max(1);
                let readings = (SKEW_RECORDS / round).clamp(least, most);
                self.manifest.interval.duration().saturating_mul(readings as u32)
            }
        };
        i64::try_from(skew.as_millis()).unwrap_or(i64::MAX)
    }

    fn threads(&self) -> u32 {
        let groups = Groups::new(self.manifest.config.n_machines).len();
        // Each transactional producer belongs to a thread.
        let producers = self.manifest.transactions.as_ref().map(|t| t.producers);
        let before = self.position.as_ref().and_then(|position| position.threads());
        let wanted = before.or(producers).or(self.options.threads).unwrap_or_else(|| {
            match self.destination {
                // One thread makes records several times as fast as a producer takes them, and keeps the
                // lines of a seed in the same order.
                Destination::Kafka(_) | Destination::Stdout(_) => 1,
                Destination::Null => thread::available_parallelism().map_or(1, |n| n.get() as u32),
            }
        });
        wanted.clamp(1, groups.max(1))
    }

    /// Announces the machines, and waits until all these records are acknowledged.
    fn announce<S: Sink>(&self, workers: &mut [Worker<S>]) -> Result<(), ProgramError> {
        let stop = self.stop;
        let announced = thread::scope(|scope| {
            let handles: Vec<_> =
                workers.iter_mut().map(|w| scope.spawn(move || w.announce(stop))).collect();
            handles.into_iter().try_for_each(|handle| match join(handle)? {
                // A reader that has gone is noticed again, and reported, when the run goes on.
                Ok(_) | Err(SinkError::Stopped | SinkError::Closed) => Ok(()),
                Err(error) => Err(ProgramError::Sink(error)),
            })
        });
        // Whatever happened, the records that were taken are delivered before the producer goes.
        let left =
            self.flush(if announced.is_ok() { self.give_up() } else { self.shutdown() }) as u64;
        announced?;
        let seen = self.destination.deliveries().unwrap_or_default();
        let failed = seen.topics[Topic::Machines.index()].failed;
        if (left > 0 && !stop.is_set()) || failed > 0 {
            let total = workers.iter().map(|w| w.sent().records[Topic::Machines.index()]).sum();
            let topics = self.manifest.topics.iter();
            let topic = topics.filter(|t| t.topic == Topic::Machines).map(|t| &t.name).next();
            return Err(ProgramError::Announcement {
                topic: topic.cloned().unwrap_or_default(),
                undelivered: failed + left,
                total,
                reasons: reasons(&seen),
                too_large: left == 0 && seen.errors.keys().all(|kind| kind == TOO_LARGE),
            });
        }
        Ok(())
    }

    /// Of a resumed run: lets the workers skip what is there, and returns when the first slot whose
    /// record is missing is due, in nanoseconds from the schedule's zero; 0 for any other run.
    fn skip_arrived<S: Sink>(&self, workers: &mut [Worker<S>]) -> Result<i64, ProgramError> {
        if self.position.is_none() {
            return Ok(0);
        }
        let stop = self.stop;
        let passed: Vec<Option<u64>> = thread::scope(|scope| {
            let handles: Vec<_> =
                workers.iter_mut().map(|w| scope.spawn(move || w.skip_arrived(stop))).collect();
            let passed = handles.into_iter().map(|handle| match join(handle)? {
                Ok(due) => Ok(due),
                Err(SinkError::Stopped | SinkError::Closed) => Ok(None),
                Err(error) => Err(ProgramError::Sink(error)),
            });
            passed.collect::<Result<_, _>>()
        })?;
        // If everything is there, there is nothing to wait for.
        let due_ns = passed.into_iter().flatten().min().or_else(|| self.manifest.end_ns());
        Ok(due_ns.map_or(0, |ns| i64::try_from(ns).unwrap_or(i64::MAX)))
    }

    /// Runs the workers. This thread looks after them.
    fn run<S: Sink>(
        &self,
        workers: &mut [Worker<S>],
        pacer: &Pacer,
        from_ns: i64,
        latency: &mut LatencyRecorder,
    ) -> (Ending, Option<ProgramError>) {
        let measured_ns = u64::try_from(from_ns).unwrap_or(0);
        let progress: Vec<Progress> = workers.iter().map(|_| Progress::default()).collect();
        // It would disturb lines on the same terminal.
        let hidden = self.verbosity == Verbosity::Quiet
            || matches!(self.destination, Destination::Stdout(_));
        let mut line = LiveLine::new(hidden);
        let mut ended = Ending::Complete;
        let mut failure = None;
        thread::scope(|scope| {
            // Each thread holds an end of the channel, and nothing is sent through it. It closes when the
            // last of them has ended.
            let (working, all_ended) = mpsc::channel::<Infallible>();
            let handles: Vec<_> = workers
                .iter_mut()
                .zip(&progress)
                .map(|(worker, progress)| {
                    let working = working.clone();
                    scope.spawn(move || {
                        let _until_the_end = working;
                        wake_on_time();
                        worker.run(pacer, measured_ns, progress)
                    })
                })
                .collect();
            drop(working);
            while all_ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                latency.look(self.destination.tallies());
                line.show(&self.figures(&progress, latency.p99()));
                if let Some(reason) = self.destination.fatal_error() {
                    failure = Some(ProgramError::Sink(SinkError::Fatal(reason)));
                    self.stop.stop();
                }
            }
            for handle in handles {
                match join(handle) {
                    Ok(Ok(Ended::Finished)) => {}
                    Ok(Ok(Ended::Stopped)) => ended = Ending::Interrupted,
                    Ok(Err(SinkError::Closed)) => ended = Ending::Closed,
                    Ok(Err(error)) => failure = failure.take().or(Some(ProgramError::Sink(error))),
                    Err(error) => failure = failure.take().or(Some(error)),
                }
            }
        });
        line.finish();
        if failure.is_some() { (Ending::Failed, failure) } else { (ended, None) }
    }

    /// Lets the workers close the windows of a run that has come to its end, and waits until that is
    /// acknowledged.
    fn close<S: Sink>(&self, workers: &mut [Worker<S>]) -> (Ending, Option<ProgramError>) {
        if self.stop.is_set() {
            return (Ending::Interrupted, None);
        }
        self.destination.tallies().for_each(Tally::end);
        let closed: Vec<_> = thread::scope(|scope| {
            let closing: Vec<_> =
                workers.iter_mut().map(|worker| scope.spawn(move || worker.close())).collect();
            closing.into_iter().map(join).collect()
        });
        self.flush(self.give_up());
        let (mut ended, mut failure) = (Ending::Complete, None);
        for closed in closed {
            match closed {
                Ok(Ok(Ended::Finished)) => {}
                Ok(Ok(Ended::Stopped) | Err(SinkError::Stopped)) => ended = Ending::Interrupted,
                Ok(Err(SinkError::Closed)) => ended = Ending::Closed,
                Ok(Err(error)) => failure = failure.or(Some(ProgramError::Sink(error))),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if failure.is_some() { (Ending::Failed, failure) } else { (ended, None) }
    }

    fn figures(&self, progress: &[Progress], p99: Option<P99>) -> LiveFigures {
        let sent = progress.iter().map(Progress::sent).sum();
        match self.destination {
            Destination::Kafka(kafka) => {
                let mut figures = LiveFigures { sent, p99, ..LiveFigures::default() };
                for tally in kafka.producers.tallies() {
                    let (acked, failed) = tally.progress();
                    figures.acked += acked;
                    figures.failed += failed;
                }
                figures.in_flight = kafka.producers.in_flight() as u64;
                figures.throttled = kafka.producers.throttled().any(Throttled::is_on);
                figures
            }
            Destination::Stdout(_) | Destination::Null => {
                LiveFigures { sent, acked: sent, ..LiveFigures::default() }
            }
        }
    }
}

/// How much longer than its own timeout a producer may take to fail a record.
const DECIDING: Duration = Duration::from_secs(5);

fn seconds(ns: i64) -> f64 {
    ns.max(0) as f64 / 1e9
}

/// Kinds of errors and their counts, on one line.
fn reasons(seen: &Deliveries) -> String {
    let listed: Vec<String> =
        seen.errors.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    if listed.is_empty() { "no answer in time".to_owned() } else { listed.join(", ") }
}

fn join<T>(handle: ScopedJoinHandle<'_, T>) -> Result<T, ProgramError> {
    handle
        .join()
        .map_err(|_| ProgramError::Internal("a thread of the simulation panicked".to_owned()))
}
