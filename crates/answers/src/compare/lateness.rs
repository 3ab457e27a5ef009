//! How long after a window's end its answer was written.

use serde::Serialize;

/// Times from windows' ends to when their right rows were written, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lateness {
    /// How many rows.
    pub rows: u64,
    /// The median.
    pub p50_ms: i64,
    /// Of 99 in 100, the most.
    pub p99_ms: i64,
    /// The most.
    pub max_ms: i64,
}

impl Lateness {
    /// That of these times; none of no times.
    pub fn of(mut times_ms: Vec<i64>) -> Option<Lateness> {
        times_ms.sort_unstable();
        let max_ms = *times_ms.last()?;
        // The nearest rank: the least time that so many in 100 don't exceed.
        let rank = |percent: usize| times_ms[(times_ms.len() * percent).div_ceil(100) - 1];
        Some(Lateness { rows: times_ms.len() as u64, p50_ms: rank(50), p99_ms: rank(99), max_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        assert_eq!(Lateness::of(Vec::new()), None);
        let of = |times: std::ops::RangeInclusive<i64>| Lateness::of(times.rev().collect());
        let one = Lateness { rows: 1, p50_ms: 1, p99_ms: 1, max_ms: 1 };
        assert_eq!(of(1..=1), Some(one));
        let two_hundred = Lateness { rows: 200, p50_ms: 100, p99_ms: 198, max_ms: 200 };
        assert_eq!(of(1..=200), Some(two_hundred));
    }
}
