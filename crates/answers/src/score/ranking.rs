//! How well scores rank anomalous readings above healthy ones.

/// The average precision: the area under the curve of precision over recall, in steps. `scored` are
/// the scores of readings and whether each is anomalous; the others of `anomalous` and `healthy` readings
/// have none, and stand together below the lowest. Readings of one score come together, in no order.
/// None where no reading is anomalous.
pub fn average_precision(scored: &mut [(f64, bool)], anomalous: u64, healthy: u64) -> Option<f64> {
    if anomalous == 0 {
        return None;
    }
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let (mut hits, mut all, mut sum) = (0, 0, 0.0);
    for same in scored.chunk_by(|(a, _), (b, _)| a == b) {
        let new = same.iter().filter(|(_, anomalous)| *anomalous).count() as u64;
        hits += new;
        all += same.len() as u64;
        sum += new as f64 * hits as f64 / all as f64;
    }
    let rest = anomalous.saturating_sub(hits);
    if rest > 0 {
        sum += rest as f64 * anomalous as f64 / (anomalous + healthy) as f64;
    }
    Some(sum / anomalous as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_precision_by_hand() {
        // The example in scikit-learn's documentation of average_precision_score.
        let mut four = [(0.1, false), (0.4, false), (0.35, true), (0.8, true)];
        assert!((average_precision(&mut four, 2, 2).unwrap() - 5.0 / 6.0).abs() < 1e-12);
        // One score for all ranks nothing: what is left is the prevalence.
        let mut same = [(1.0, true), (1.0, false), (1.0, false), (1.0, false)];
        assert_eq!(average_precision(&mut same, 1, 3), Some(0.25));
        assert_eq!(average_precision(&mut [], 1, 3), Some(0.25));
        // One of two found first, the other among the rest: (1 * 1/1 + 1 * 2/10) / 2.
        assert_eq!(average_precision(&mut [(9.0, true)], 2, 8), Some(0.6));
        // The worst: healthy ones first.
        let mut worst = [(2.0, false), (2.0, false), (1.0, true)];
        assert!((average_precision(&mut worst, 1, 2).unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(average_precision(&mut [(1.0, false)], 0, 1), None);
    }
}
