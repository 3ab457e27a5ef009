//! How sure a proportion is.

/// The quantile of the standard normal that leaves 2.5 % above it.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of a proportion of which `hits` of `trials` independent ones came true, after Wilson
/// (1927); none of no trials.
pub fn wilson(hits: u64, trials: u64) -> Option<(f64, f64)> {
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let p = hits as f64 / n;
    let middle = p + Z * Z / (2.0 * n);
    let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    // At the edges the interval ends there, whatever rounding says.
    let low = if hits == 0 { 0.0 } else { (middle - reach) / whole };
    let high = if hits >= trials { 1.0 } else { (middle + reach) / whole };
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_literature() {
        // Newcombe (1998), Statistics in Medicine 17, table I: method 3, Wilson's score, to 4 digits.
        for (hits, trials, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (l, h) = wilson(hits, trials).unwrap();
            assert!((l - low).abs() < 5.1e-5 && (h - high).abs() < 5.1e-5, "{hits}: {l} {h}");
        }
        // n of n is the mirror image of 0 of n.
        let (low, high) = wilson(20, 20).unwrap();
        assert!((low - (1.0 - 0.1611)).abs() < 5.1e-5 && high == 1.0);
        assert_eq!(wilson(0, 0), None);
    }
}
