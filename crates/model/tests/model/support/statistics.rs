//! Estimates, and how far chance alone takes them from what they estimate.

/// How many standard errors an estimate may stand from its expectation: chance alone passes that
/// once in 1.7 million.
pub const SIGMAS: f64 = 5.0;

/// The mean.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample variance.
pub fn variance(values: &[f64]) -> f64 {
    covariance(values, values)
}

/// The sample covariance of as many pairs.
pub fn covariance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "values come in pairs");
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum();
    sum / (a.len() as f64 - 1.0)
}

/// The correlation of as many pairs.
pub fn correlation(a: &[f64], b: &[f64]) -> f64 {
    covariance(a, b) / (variance(a) * variance(b)).sqrt()
}

/// The standard error of a mean, of independent values.
pub fn standard_error(values: &[f64]) -> f64 {
    (variance(values) / values.len() as f64).sqrt()
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The probability that a standard normal draw is below `x`: Abramowitz and Stegun 26.2.17, whose
/// error is below 1e-7.
pub fn normal_below(x: f64) -> f64 {
    const B: [f64; 5] =
        [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let series = B.iter().rev().fold(0.0, |sum, b| (sum + b) * t);
    let above = series * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if x > 0.0 { 1.0 - above } else { above }
}

/// Checks that `found` is within `tolerance` of `expected`.
#[track_caller]
pub fn assert_near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found} is not within {tolerance} of {expected}"
    );
}

/// Checks that `hits` of `trials` that each succeed with probability `p`, independently of one
/// another, are as many as chance allows: five standard errors of the binomial law.
#[track_caller]
pub fn assert_binomial(hits: u64, trials: u64, p: f64, what: &str) {
    let expected = trials as f64 * p;
    let spread = expected * (1.0 - p);
    assert!(spread >= 25.0 || p == 0.0, "{what}: {trials} trials say too little");
    assert_near(hits as f64, expected, SIGMAS * spread.sqrt(), what);
}

/// Checks that two counts of events, among so many trials each, may be of the same probability.
#[track_caller]
pub fn assert_same_rate(a: (u64, u64), b: (u64, u64), what: &str) {
    let (rate_a, rate_b) = (a.0 as f64 / a.1 as f64, b.0 as f64 / b.1 as f64);
    let p = (a.0 + b.0) as f64 / (a.1 + b.1) as f64;
    let spread = p * (1.0 - p) * (1.0 / a.1 as f64 + 1.0 / b.1 as f64);
    assert_near(rate_a, rate_b, SIGMAS * spread.sqrt(), what);
}

/// Chi-square of counts against what is expected of each, and the value that chance passes about
/// once in a million (Wilson and Hilferty), with one degree of freedom fewer than there are counts.
pub fn chi_square(counts: &[u64], expected: &[f64]) -> (f64, f64) {
    assert_eq!(counts.len(), expected.len(), "counts have expectations");
    assert!(expected.iter().all(|&e| e >= 5.0), "too little is expected: {expected:?}");
    let found = counts.iter().zip(expected).map(|(&n, e)| (n as f64 - e).powi(2) / e).sum();
    let freedom = counts.len() as f64 - 1.0;
    let ninth = 2.0 / (9.0 * freedom);
    (found, freedom * (1.0 - ninth + 4.8 * ninth.sqrt()).powi(3))
}
