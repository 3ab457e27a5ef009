//! What one reading of a machine measures. Each value comes from the `step` of a file in this folder, such as
//! `memory.rs` or `service.rs`; `simulated_machine.rs` calls them.

/// The measured values of one reading, rounded as agents report them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Signals {
    /// Processor use, 0 to 100 percent.
    pub cpu_percent: f64,
    /// Memory use, 0 to 100 percent.
    pub memory_percent: f64,
    /// Disk use, 0 to 100 percent.
    pub disk_percent: f64,
    /// Traffic received, in Mbps.
    pub network_in_mbps: f64,
    /// Traffic sent, in Mbps.
    pub network_out_mbps: f64,
    /// Requests received in one interval.
    pub request_count: i64,
    /// How many of them failed; never more than `request_count`.
    pub error_count: i64,
    /// Median response time, in milliseconds.
    pub latency_p50: f64,
    /// 99th percentile of the response time, in milliseconds; never below `latency_p50`.
    pub latency_p99: f64,
    /// Whether an anomaly shows in them.
    pub is_anomaly: bool,
}

/// The least differences by which an anomaly shows: of processor, memory and disk use, in points.
pub const LEAST_POINTS: f64 = 1.0;
/// Of the traffic received or sent, in Mbps.
pub const LEAST_MBPS: f64 = 5.0;
/// Of the 99th percentile of the response time, as a fraction of it.
pub const LEAST_LATENCY: f64 = 0.1;

impl Signals {
    /// Whether these differ from what the same machine would have measured without its anomalies, `usual`,
    /// by the least by which an anomaly shows.
    pub fn differ_from(&self, usual: &Signals) -> bool {
        // Differences of two decimals, as whole hundredths.
        let differ = |of: fn(&Signals) -> f64, least: f64| {
            ((of(self) - of(usual)) * 100.0).abs().round() >= least * 100.0
        };
        differ(|s| s.cpu_percent, LEAST_POINTS)
            || differ(|s| s.memory_percent, LEAST_POINTS)
            || differ(|s| s.disk_percent, LEAST_POINTS)
            || differ(|s| s.network_in_mbps, LEAST_MBPS)
            || differ(|s| s.network_out_mbps, LEAST_MBPS)
            || (self.latency_p99 - usual.latency_p99).abs() >= LEAST_LATENCY * usual.latency_p99
    }
}

/// A non-negative value rounded to two decimals: the double nearest to the decimal number.
#[inline]
pub fn two_decimals(value: f64) -> f64 {
    // A conversion to an integer is one instruction, but f64::round may be a library call.
    (value * 100.0 + 0.5) as i64 as f64 / 100.0
}

/// A load as a percentage with two decimals, clamped to 0 to 100.
#[inline]
pub fn percent(load: f64) -> f64 {
    two_decimals((load * 100.0).clamp(0.0, 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_gives_the_double_that_the_decimal_text_reads_as() {
        for n in 0..=10_000 {
            let text = format!("{}.{:02}", n / 100, n % 100);
            assert_eq!(two_decimals(f64::from(n) / 100.0 + 0.003), text.parse::<f64>().unwrap());
        }
        assert_eq!(percent(1.7), 100.0);
        assert_eq!(percent(-0.2), 0.0);
    }
}
