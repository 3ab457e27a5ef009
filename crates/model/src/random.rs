//! Named random streams: xoshiro256++ seeded from (seed, subject, purpose), and the few draws
//! made from them.
//!
//! The draws are not taken from `rand_distr`, for two reasons. A run's bytes must be the same on every
//! machine, but `rand_distr` may call the C library's `exp` and `ln`, which differ between machines. And
//! a run's bytes must not change when a dependency does.

use std::sync::LazyLock;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// What a stream is for. Each part of the simulation has its own: switching one part on or off leaves
/// the draws of the others unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// The machine's fixed attributes: cores, memory, age.
    Attributes = 1,
    /// The seeded permutation that gives each machine its phase.
    Phase = 2,
    /// Which machines of a dependency group depend on which.
    Dependencies = 3,
    /// Load, memory, network, service and disk signals.
    Signals = 4,
    /// Arrival, length and outcome of jobs.
    Jobs = 5,
    /// Start, length and magnitude of anomalies.
    Anomalies = 6,
    /// Failures, repairs and cascades.
    Failures = 7,
    /// A machine's maintenance in one night.
    Maintenance = 8,
    /// Rate and initial wear of degradation.
    Degradation = 9,
    /// Zone troubles.
    ZoneTrouble = 10,
    /// The fleet's machine types: which machine has which.
    Types = 11,
    /// A detector that raises alarms at random, which no run contains.
    Detector = 64,
}

/// One deterministic stream of random draws.
#[derive(Debug, Clone)]
pub struct RandomStream(Xoshiro256PlusPlus);

impl RandomStream {
    /// The stream of `subject` (a machine or group index) for `purpose`, under the run's `seed`.
    pub fn new(seed: u64, subject: u64, purpose: Purpose) -> RandomStream {
        let key = mix(mix(mix(seed) ^ subject) ^ purpose as u64);
        RandomStream(Xoshiro256PlusPlus::seed_from_u64(key))
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform draw in [0, 1), of 53 bits.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        unit(self.bits())
    }

    /// A uniform draw in [`low`, `high`).
    #[inline]
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// True with probability `p`; never for 0, always for 1.
    #[inline]
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// A uniform index below `n`, which must not be 0, by Lemire's multiply-shift. Its bias is at most
    /// n / 2^64, too little for any run to show.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A pair of independent standard normal draws from one draw of 64 bits.
    #[inline]
    pub fn normals(&mut self) -> (f64, f64) {
        let bits = self.bits();
        let quantiles: &Quantiles = &QUANTILES;
        (quantiles.at((bits >> 32) as u32), quantiles.at(bits as u32))
    }

    /// A geometric draw, by inversion: how many trials fail before the first success, which has
    /// probability `p`. `u64::MAX` for a `p` of 0.
    pub fn geometric(&mut self, p: f64) -> u64 {
        if p <= 0.0 {
            return u64::MAX;
        }
        if p >= 1.0 {
            return 0;
        }
        (libm::log(1.0 - self.uniform()) / libm::log1p(-p)) as u64
    }

    /// A log-normal draw with the given median and sigma (the standard deviation of its logarithm).
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * libm::exp(sigma * self.normals().0)
    }

    /// A [`poisson`] draw with mean `mean`.
    #[inline(always)]
    pub fn poisson(&mut self, mean: f64) -> u64 {
        poisson(mean, self.bits())
    }
}

/// A Poisson draw with mean `mean` from 64 random bits: exact (by inversion) up to a mean of 30. Beyond, a
/// rounded normal, which hardly differs there.
#[inline(always)]
pub fn poisson(mean: f64, bits: u64) -> u64 {
    if mean <= 30.0 {
        let draw = unit(bits);
        // 1 - mean <= exp(-mean), so most draws of a small mean need no exponential.
        if draw < 1.0 - mean { 0 } else { poisson_by_inversion(mean, draw) }
    } else {
        let quantiles: &Quantiles = &QUANTILES;
        let draw = mean + mean.sqrt() * quantiles.at((bits >> 32) as u32) + 0.5;
        if draw > 0.0 { draw as u64 } else { 0 }
    }
}

/// A number in [0, 1) of the upper 53 of 64 bits.
#[inline(always)]
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// The count at which the distribution function of a Poisson with mean `mean` exceeds `draw`.
#[inline(never)]
fn poisson_by_inversion(mean: f64, draw: f64) -> u64 {
    let mut term = libm::exp(-mean);
    let mut sum = term;
    let mut count = 0u64;
    // Rounding may keep the sum below a draw very close to 1: the bound ends the loop.
    while draw >= sum && count < 200 {
        count += 1;
        term *= mean / count as f64;
        sum += term;
    }
    count
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): any change of its input affects all 64
/// bits.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Quantiles of the standard normal at 2^10 equal steps of probability, with linear interpolation. A
/// normal draw costs two loads, a multiplication and an addition, from a table of 8 KiB that stays in
/// the L1 cache. The tails end at 3.7 standard deviations; the variance is 1. For each step the table
/// has its start, and the increment for each unit of the bits within it.
struct Quantiles([(f32, f32); Quantiles::STEPS]);

static QUANTILES: LazyLock<Quantiles> = LazyLock::new(Quantiles::tabulate);

impl Quantiles {
    const BITS: u32 = 10;
    const STEPS: usize = 1 << Self::BITS;
    const BITS_WITHIN: u32 = 32 - Self::BITS;

    fn tabulate() -> Quantiles {
        let mut edges = [0.0; Self::STEPS + 1];
        for (i, edge) in edges.iter_mut().enumerate() {
            // The outermost edges lie inside their tails, not at infinity.
            let p = (i as f64).clamp(0.1, Self::STEPS as f64 - 0.1) / Self::STEPS as f64;
            *edge = normal_quantile(p);
        }
        // Between edges a and b a draw is uniform, with the second moment (a^2 + ab + b^2) / 3.
        let moment: f64 = edges.windows(2).map(|w| w[0] * w[0] + w[0] * w[1] + w[1] * w[1]).sum();
        let deviation = libm::sqrt(moment / 3.0 / Self::STEPS as f64);
        let edges = edges.map(|edge| (edge / deviation) as f32);
        // A division by a power of two, which is exact.
        let unit = 1.0 / (1u32 << Self::BITS_WITHIN) as f32;
        Quantiles(std::array::from_fn(|i| (edges[i], (edges[i + 1] - edges[i]) * unit)))
    }

    #[inline]
    fn at(&self, bits: u32) -> f64 {
        let (low, rise) = self.0[(bits >> Self::BITS_WITHIN) as usize];
        let within = bits & ((1 << Self::BITS_WITHIN) - 1);
        f64::from(low + rise * within as f32)
    }
}

/// The standard normal's quantile function, by bisection of its distribution function (`libm::erfc`):
/// slow, exact to double precision, the same on every machine.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-6.0f64, 6.0f64);
    for _ in 0..56 {
        let middle = 0.5 * (low + high);
        if 0.5 * libm::erfc(-middle / std::f64::consts::SQRT_2) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far a mean of `n` draws of standard deviation `sd` may lie from its expectation: five
    /// standard errors, which chance exceeds once in 1.7 million.
    fn five_standard_errors(sd: f64, n: usize) -> f64 {
        5.0 * sd / (n as f64).sqrt()
    }

    #[test]
    fn normals_have_mean_zero_variance_one_and_are_uncorrelated() {
        let n = 1_000_000;
        let mut stream = RandomStream::new(1, 2, Purpose::Signals);
        let (mut sum, mut squares, mut product, mut fourth) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..n {
            let (a, b) = stream.normals();
            sum += a;
            squares += a * a;
            product += a * b;
            fourth += a * a * a * a;
        }
        let n_f = n as f64;
        assert!((sum / n_f).abs() < five_standard_errors(1.0, n));
        // Var(z^2) = 2 and Var(z^4) = 96. Ending the tails at 3.7 takes at most 0.05 off the fourth
        // moment: twice the integral of z^4 beyond, less what the outermost steps hold instead.
        assert!((squares / n_f - 1.0).abs() < five_standard_errors(2f64.sqrt(), n));
        assert!((fourth / n_f - 3.0).abs() < five_standard_errors(96f64.sqrt(), n) + 0.05);
        assert!((product / n_f).abs() < five_standard_errors(1.0, n));
    }

    #[test]
    fn poisson_has_its_mean_and_variance_on_both_sides_of_the_switch() {
        let n = 400_000;
        for mean in [0.01, 0.7, 5.0, 29.9, 30.1, 400.0] {
            let mut stream = RandomStream::new(3, 0, Purpose::Signals);
            let draws: Vec<f64> = (0..n).map(|_| stream.poisson(mean) as f64).collect();
            let average = draws.iter().sum::<f64>() / n as f64;
            let variance =
                draws.iter().map(|d| (d - average).powi(2)).sum::<f64>() / (n - 1) as f64;
            assert!((average - mean).abs() < five_standard_errors(mean.sqrt(), n), "{mean}");
            // The sample variance of a Poisson has variance (mean + 2 mean^2) / n. Rounding a normal to
            // integers adds 1/12.
            let sd = (mean + 2.0 * mean * mean).sqrt();
            assert!(
                (variance - mean).abs() < five_standard_errors(sd, n) + 1.0 / 12.0,
                "{mean}: {variance}"
            );
        }
    }

    #[test]
    fn streams_of_neighbouring_subjects_and_purposes_do_not_overlap() {
        let mut seen = std::collections::HashSet::new();
        for seed in 0..3 {
            for subject in 0..200 {
                for purpose in [Purpose::Attributes, Purpose::Signals, Purpose::Jobs] {
                    let mut stream = RandomStream::new(seed, subject, purpose);
                    for _ in 0..20 {
                        assert!(seen.insert(stream.bits()), "a draw was seen twice");
                    }
                }
            }
        }
    }

    #[test]
    fn quantiles_match_known_values() {
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-12);
        assert!(normal_quantile(0.5).abs() < 1e-12);
    }

    #[test]
    fn certain_and_impossible_chances() {
        let mut stream = RandomStream::new(5, 0, Purpose::Jobs);
        assert!((0..10_000).all(|_| stream.chance(1.0) && !stream.chance(0.0)));
    }
}
