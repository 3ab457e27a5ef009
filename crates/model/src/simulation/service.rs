//! Requests, errors and latency: the machine as a queue that serves requests, and sheds those that it can't
//! serve.

use crate::random::{RandomStream, poisson};

use super::effects::Effects;

/// Requests a second that one core serves when it is fully busy.
const REQUESTS_PER_CORE: f64 = 20.0;
/// Above this utilization waits no longer grow: requests are shed instead.
const SATURATION: f64 = 0.98;
/// The requests that a machine serves at once.
const WORKERS: f64 = 4.0;
/// How much longer responses take for each machine's worth of demand beyond what the machine can serve.
const OVERLOAD_SLOWDOWN: f64 = 2.0;
/// How much longer responses take for each machine's worth of memory that is swapped out.
const SWAP_SLOWDOWN: f64 = 10.0;
/// The relative noise of each percentile in a reading.
const LATENCY_NOISE: f64 = 0.05;
/// The fraction of requests that fails on a healthy machine.
const MIN_ERROR_RATE: f64 = 0.0005;

/// The median and the 99th percentile of service times, in units of their mean: those of a log-normal whose
/// sigma is 0.47.
const SERVICE_P50: f64 = 0.895;
const SERVICE_P99: f64 = 2.672;
/// ln 2 and ln 100: where 50 % and 99 % of exponential waits lie, in units of their mean.
const WAIT_P50: f64 = std::f64::consts::LN_2;
const WAIT_P99: f64 = 4.605_170_185_988_092;

/// The request service of one machine.
#[derive(Debug, Clone)]
pub struct Service {
    /// Requests served in one reading at full load.
    capacity: f32,
    service_ms: f32,
}

/// The loads of a machine at one reading, as fractions of its capacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loads {
    /// That of the service's own requests, those that get lost not included: above 1 where more come than it
    /// can serve.
    pub demand: f64,
    /// By how much the requests that come and what else must run at once exceed the machine.
    pub excess: f64,
    /// What requests queue behind: the whole machine's, with jobs and lost requests, at most 1.
    pub queued: f64,
    /// The memory that is needed beyond what the machine has, as a fraction of that.
    pub swapped: f64,
}

/// The random draws of one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draws {
    /// Standard normal: of the requests, and of the two percentiles.
    pub normals: [f64; 3],
    /// 64 random bits: of the errors.
    pub bits: u64,
}

/// What the service did in one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Served {
    /// Requests received.
    pub requests: i64,
    /// Requests failed, at most `requests`.
    pub errors: i64,
    /// Median response time, in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of the response time, in milliseconds.
    pub p99_ms: f64,
}

impl Service {
    /// The service of a machine of `cores`, whose readings are `interval_s` seconds apart.
    pub fn new(cores: u32, interval_s: f64, stream: &mut RandomStream) -> Service {
        Service {
            capacity: (REQUESTS_PER_CORE * f64::from(cores) * interval_s) as f32,
            service_ms: stream.log_normal(5.0, 0.25) as f32,
        }
    }

    /// Serves one reading's requests. Incidents slow responses and fail requests by `effects`.
    ///
    /// A response takes a service time, and a wait of mean s rho^2 / (c (1 - rho)) for a mean service time s,
    /// c workers and a utilization rho: Sakasegawa's approximation of the M/M/c queue (Annals of the Institute
    /// of Statistical Mathematics 29, 1977), with its exponent sqrt(2 (c + 1)) - 1, which is 2.2 for c = 4,
    /// rounded to 2. Waits are exponential. So p99 is three times p50 on an idle machine, and up to
    /// ln 100 / ln 2 times in a long queue. What exceeds the machine is shed.
    #[inline(always)]
    pub fn step(&self, loads: Loads, effects: &Effects, draws: &Draws) -> Served {
        let Loads { demand, excess, queued, swapped } = loads;
        let mean = f64::from(self.capacity) * demand;
        // A normal instead of a Poisson: the counts are large, and a normal draw is at hand.
        let requests = (mean + mean.sqrt() * draws.normals[0] + 0.5).max(0.0) as i64;
        let shed = if excess > 0.0 { (excess / demand).min(1.0) } else { 0.0 };
        let failing = (MIN_ERROR_RATE + shed + effects.error_rate).min(1.0);
        let errors = (poisson(requests as f64 * failing, draws.bits) as i64).min(requests);
        let utilization = queued.min(SATURATION);
        let wait = utilization * utilization / (WORKERS * (1.0 - utilization));
        let service_ms = effects.slowdown
            * f64::from(self.service_ms)
            * (1.0 + OVERLOAD_SLOWDOWN * excess.max(0.0) + SWAP_SLOWDOWN * swapped);
        let percentile = |service: f64, in_waits: f64, normal: f64| {
            service_ms * (service + in_waits * wait) * (1.0 + LATENCY_NOISE * normal)
        };
        let p50_ms = percentile(SERVICE_P50, WAIT_P50, draws.normals[1]);
        let p99_ms = percentile(SERVICE_P99, WAIT_P99, draws.normals[2]);
        Served { requests, errors, p50_ms, p99_ms: p99_ms.max(p50_ms) }
    }
}
