//! How far a run falls behind its schedule, and for how long.

/// The spans of time in which records were overdue. A record that is late by [`Behind::LATE`] or more
/// adds the span from when it was due until it came; spans that overlap become one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Behind {
    /// In order, without overlap; at most [`MOST_SPANS`].
    spans: Vec<(u64, u64)>,
    longest_ns: u64,
}

/// Nobody reads more spans than this. Beyond it the last one grows.
const MOST_SPANS: usize = 1000;

impl Behind {
    /// From when a record counts as late, in nanoseconds: a fifth of a second, more than a healthy
    /// cluster takes.
    pub const LATE: u64 = 200_000_000;

    /// Notes a record that was due at `due_ns` and came at `came_ns`. Records are noted in the order
    /// in which they come.
    #[inline]
    pub fn note(&mut self, due_ns: u64, came_ns: u64) {
        if came_ns.saturating_sub(due_ns) >= Behind::LATE {
            self.add_span(due_ns, came_ns);
        }
    }

    /// Adds the spans of another thread.
    pub fn add(&mut self, other: &Behind) {
        let longest_ns = self.longest_ns.max(other.longest_ns);
        let mut spans = std::mem::take(&mut self.spans);
        spans.extend(&other.spans);
        spans.sort_unstable();
        for (from, to) in spans {
            self.add_span(from, to);
        }
        self.longest_ns = longest_ns;
    }

    /// The longest that a record was late, in seconds; 0 where none was.
    pub fn longest_s(&self) -> f64 {
        self.longest_ns as f64 / 1e9
    }

    /// How long some record was overdue, in seconds.
    pub fn total_s(&self) -> f64 {
        self.spans.iter().map(|(from, to)| (to - from) as f64).fold(0.0, |sum, span| sum + span)
            / 1e9
    }

    /// How many separate spans there are.
    pub fn times(&self) -> usize {
        self.spans.len()
    }

    fn add_span(&mut self, mut from: u64, mut to: u64) {
        self.longest_ns = self.longest_ns.max(to - from);
        while let Some(&(last_from, last_to)) = self.spans.last() {
            if last_to < from && self.spans.len() < MOST_SPANS {
                break;
            }
            from = from.min(last_from);
            to = to.max(last_to);
            self.spans.pop();
        }
        self.spans.push((from, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_stall_is_one_span_from_the_first_record_due_to_the_last_late_one() {
        let mut behind = Behind::default();
        // Ten records a second; from 3 s to 5 s nothing comes, then all at once.
        for i in 0..100u64 {
            let due = i * SECOND / 10;
            let came = if (3 * SECOND..5 * SECOND).contains(&due) { 5 * SECOND } else { due };
            behind.note(due, came);
        }
        assert_eq!(behind.times(), 1);
        assert_eq!((behind.longest_s(), behind.total_s()), (2.0, 2.0));
    }

    #[test]
    fn threads_that_stall_together_stall_once() {
        let (mut one, mut other) = (Behind::default(), Behind::default());
        one.note(SECOND, 3 * SECOND);
        one.note(9 * SECOND, 10 * SECOND);
        other.note(2 * SECOND, 4 * SECOND);
        one.add(&other);
        assert_eq!((one.times(), one.total_s(), one.longest_s()), (2, 4.0, 2.0));
    }

    #[test]
    fn what_is_nearly_on_time_is_on_time_and_spans_are_bounded() {
        let mut behind = Behind::default();
        behind.note(SECOND, SECOND + Behind::LATE - 1);
        assert_eq!(behind, Behind::default());
        for i in 0..5000 {
            behind.note(i * SECOND, i * SECOND + SECOND / 2);
        }
        assert_eq!(behind.times(), MOST_SPANS);
    }
}
