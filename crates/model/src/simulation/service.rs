//! Requests, errors and latency: the machine as a queue that serves requests.

use crate::random::RandomStream;

use super::effects::Effects;

/// Requests a second that one core serves when it is fully busy.
const REQUESTS_PER_CORE: f64 = 20.0;
/// Above this utilization latency no longer grows: requests are refused instead.
const SATURATION: f64 = 0.98;
/// The relative noise of each percentile in a reading.
const LATENCY_NOISE: f64 = 0.05;
/// The fraction of requests that fails on a healthy machine.
const MIN_ERROR_RATE: f64 = 0.0005;
/// Above this utilization, requests fail by overload: up to half of them at full utilization.
const OVERLOAD: f64 = 0.85;
const MAX_OVERLOAD_ERRORS: f64 = 0.5;

/// ln 2 and ln 100: where 50 % and 99 % of an exponential response time lie, in units of its mean.
const P50: f64 = std::f64::consts::LN_2;
const P99: f64 = 4.605_170_185_988_092;

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
    /// That of the service's own requests, those that get lost not included.
    pub demand: f64,
    /// What requests queue behind: the whole machine's, with jobs and lost requests, at most 1.
    pub queued: f64,
    /// The whole machine's, without lost requests, at most 1.
    pub busy: f64,
}

/// What the service did in one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Served {
    /// Requests served.
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
    /// Response times are those of the M/M/1 queue: exponential with mean s / (1 - rho) for a service
    /// time s and a utilization rho (Kleinrock, Queueing Systems I, 1975, section 3.2). So latency rises
    /// steeply near saturation, and p99 is ln 100 / ln 2 times p50.
    #[inline(always)]
    pub fn step(
        &self,
        Loads { demand, queued, busy }: Loads,
        effects: &Effects,
        normals: [f64; 3],
        stream: &mut RandomStream,
    ) -> Served {
        let mean = f64::from(self.capacity) * demand.min(1.0);
        // A normal instead of a Poisson: the counts are large, and a normal draw is at hand.
        let requests = (mean + mean.sqrt() * normals[0] + 0.5).max(0.0) as i64;
        let failing = (load_error_rate(busy) + effects.error_rate).min(1.0);
        let errors = (stream.poisson(requests as f64 * failing) as i64).min(requests);
        let response_ms =
            effects.slowdown * f64::from(self.service_ms) / (1.0 - queued.min(SATURATION));
        let p50_ms = response_ms * P50 * (1.0 + LATENCY_NOISE * normals[1]);
        let p99_ms = response_ms * P99 * (1.0 + LATENCY_NOISE * normals[2]);
        Served { requests, errors, p50_ms, p99_ms: p99_ms.max(p50_ms) }
    }
}

/// The error rate that the load alone causes.
#[inline]
fn load_error_rate(load: f64) -> f64 {
    let over = ((load - OVERLOAD) / (1.0 - OVERLOAD)).clamp(0.0, 1.0);
    MIN_ERROR_RATE + MAX_OVERLOAD_ERRORS * over * over
}
