//! Options on a run's pace, time and length.

use clap::{Args, ValueEnum};
use fleetstorm_model::config::units::{
    ByteRate, Percent, Rate, RateLimit, ShardChoice, Span, Speed, StartTime,
};
use fleetstorm_model::schedule::Time;
use fleetstorm_model::schedule::trace;

use super::count::whole;

/// Options on pace, time and length.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How fast, which time, how long")]
pub struct PaceArgs {
    /// Records a second over all topics (fractions allowed), or `max`.
    #[arg(long, value_name = "N|max")]
    pub rate: Option<RateLimit>,
    /// Bytes a second of keys and values, as 10MB: made a rate of records by their mean size.
    #[arg(long, value_name = "BYTES", conflicts_with = "rate")]
    pub byte_rate: Option<ByteRate>,
    /// Course of the rate: ramp:FROM..TO/TIME, steps:RATE@TIME,..., sine:MIN..MAX/PERIOD,
    /// burst:BASE+PEAK/EVERY/LENGTH (bursts end the periods), or csv:FILE with lines of time,rate.
    /// A ramp goes on at its last rate; steps and traces end the run.
    #[arg(long, value_name = "PROFILE", conflicts_with_all = ["rate", "byte_rate"])]
    pub rate_profile: Option<trace::Source>,
    /// Begin the profile again where it ends.
    #[arg(long, requires = "rate_profile")]
    pub repeat: bool,
    /// Records a second at the peak of the fleet's temporal curve (temporal_patterns), which the
    /// rate follows.
    #[arg(long, value_name = "N", conflicts_with_all = ["rate", "byte_rate", "rate_profile"])]
    pub peak_rate: Option<Rate>,
    /// Where the producer's queue is full: `wait` and catch up, or `drop` slots until it is half
    /// empty, counted and listed in the report; state changes wait for a later slot.
    #[arg(long, value_enum, default_value = "wait")]
    pub on_backlog: BacklogArg,
    /// End with code 40 where the records handed over are off by more, as 1%, from those that were
    /// due; slots with nothing to say are left out.
    #[arg(long, value_name = "PERCENT")]
    pub max_rate_error: Option<Percent>,
    /// Fleet time between two readings of a machine.
    #[arg(
        long,
        value_name = "TIME",
        help = "Fleet time between two readings of a machine [default: 1s]"
    )]
    pub interval: Option<Span>,
    /// Run the fleet's clock faster (60x) or slower (0.5x).
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<Speed>,
    /// Time of the records: `live` is when they are due, `simulated` advances by the interval.
    #[arg(long, value_enum)]
    pub time: Option<Time>,
    /// When the run starts: now, -7d, +10s, 2026-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub start: Option<StartTime>,
    /// End after this many slots of the schedule.
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0, u64::MAX))]
    pub records: Option<u64>,
    /// End this long after the start.
    #[arg(long, value_name = "TIME")]
    pub duration: Option<Span>,
    /// Close all windows: after the end of the run send one more record to every partition, its event
    /// time this long after the run's last. Needs a run that ends, and no --shard. A partition that
    /// no machine's name goes to gets none: there a job needs an idle timeout.
    #[arg(long, value_name = "TIME", conflicts_with = "shard")]
    pub close_windows: Option<Span>,
    /// Announce all machines again this often.
    #[arg(long, value_name = "TIME")]
    pub machines_refresh: Option<Span>,
    /// Threads that simulate [default: 1; for --sink null one a core].
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, 1024))]
    pub threads: Option<u32>,
    /// How far threads may be apart in event time where nothing paces them: within a partition no
    /// timestamp lies further than this behind an earlier record's. The shorter, the smaller the
    /// batches [default: 10 intervals, or as many as 30,000 records take, up to 60].
    #[arg(long, value_name = "SPAN")]
    pub max_skew: Option<Span>,
    /// Producers that the threads share [default: 1].
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, 64))]
    pub producers: Option<u32>,
    /// Simulate part I of N of the fleet, I from 0, or `job` for JOB_COMPLETION_INDEX, as a
    /// Kubernetes Indexed Job sets it; needs --seed and an absolute --start.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<ShardChoice>,
}

/// What happens to slots that are due while the producer's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BacklogArg {
    /// They wait, and are sent late.
    Wait,
    /// They are dropped; state changes wait for a later slot.
    Drop,
}
