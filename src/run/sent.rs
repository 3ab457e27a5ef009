//! What a worker has handed over, and how well it kept to the schedule.

use hdrhistogram::Histogram;

use crate::pacing::Behind;
use crate::record::Topic;
use crate::report::results::max_second_error;
use crate::sink::latency;

/// What a worker has handed to its sink.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Records a topic, in the order of [`Topic::ALL`].
    pub records: [u64; Topic::COUNT],
    /// Bytes of keys and values a topic.
    pub bytes: [u64; Topic::COUNT],
    /// Records a topic that were dropped while the sink was full.
    pub dropped: [u64; Topic::COUNT],
    /// Where they were dropped.
    pub spans: Vec<DroppedSlots>,
    /// Slots that carried nothing.
    pub silent: u64,
    /// Slots that were due while the run was measured, and were worked off.
    pub measured: u64,
    /// When measuring began, in nanoseconds from the schedule's zero.
    pub measured_from_ns: u64,
    /// Those that were due and those that were worked off in each second of the schedule, from that
    /// on in which measuring began; the first [`MOST_SECONDS`] are kept.
    pub seconds: Vec<Second>,
    /// From the instant at which a slot was due to when it was worked off, in microseconds.
    pub late_us: Histogram<u64>,
    /// When slots were behind the schedule.
    pub behind: Behind,
    /// The most records, as a fraction of all that were due by then, that were due and not worked
    /// off; two forgiven.
    pub max_drift: f64,
    dropping: bool,
}

/// One second of a schedule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Second {
    /// Records that were due in it.
    pub due: u32,
    /// Records that were handed over in it.
    pub sent: u32,
}

/// A span of slots of one worker, of which all that carried a record were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DroppedSlots {
    /// The number of the first over the whole fleet.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// When the first was due, in nanoseconds from the schedule's zero.
    pub from_ns: u64,
    /// When the last was due.
    pub to_ns: u64,
    /// The records dropped.
    pub records: u64,
}

/// A day.
pub const MOST_SECONDS: usize = 86_400;
/// More spans than anybody reads; beyond, the last grows, and then holds records that were sent.
const MOST_SPANS: usize = 1000;
const SECOND_NS: u64 = 1_000_000_000;

impl Default for Sent {
    fn default() -> Sent {
        Sent {
            records: [0; Topic::COUNT],
            bytes: [0; Topic::COUNT],
            dropped: [0; Topic::COUNT],
            spans: Vec::new(),
            silent: 0,
            measured: 0,
            measured_from_ns: 0,
            seconds: Vec::new(),
            late_us: latency::histogram(),
            behind: Behind::default(),
            max_drift: 0.0,
            dropping: false,
        }
    }
}

impl Sent {
    /// Adds what another worker sent.
    pub fn add(&mut self, other: &Sent) {
        for topic in Topic::ALL {
            self.records[topic.index()] += other.records[topic.index()];
            self.bytes[topic.index()] += other.bytes[topic.index()];
            self.dropped[topic.index()] += other.dropped[topic.index()];
        }
        self.silent += other.silent;
        self.measured += other.measured;
        // One instant for all workers of a run.
        self.measured_from_ns = self.measured_from_ns.max(other.measured_from_ns);
        self.behind.add(&other.behind);
        self.max_drift = self.max_drift.max(other.max_drift);
        latency::add(&mut self.late_us, &other.late_us);
        if self.seconds.len() < other.seconds.len() {
            self.seconds.resize(other.seconds.len(), Second::default());
        }
        for (sum, second) in self.seconds.iter_mut().zip(&other.seconds) {
            sum.due += second.due;
            sum.sent += second.sent;
        }
    }

    /// Counts a record that the sink has taken.
    #[inline]
    pub fn count(&mut self, topic: Topic, bytes: usize) {
        self.records[topic.index()] += 1;
        self.bytes[topic.index()] += bytes as u64;
        self.dropping = false;
    }

    /// Counts a record that was dropped: of slot `number`, due at `due_ns`.
    pub fn drop_slot(&mut self, topic: Topic, number: u64, due_ns: u64) {
        self.dropped[topic.index()] += 1;
        let grows = self.dropping || self.spans.len() >= MOST_SPANS;
        match self.spans.last_mut().filter(|_| grows) {
            Some(span) => {
                span.last = number;
                span.to_ns = due_ns;
                span.records += 1;
            }
            None => self.spans.push(DroppedSlots {
                first: number,
                last: number,
                from_ns: due_ns,
                to_ns: due_ns,
                records: 1,
            }),
        }
        self.dropping = true;
    }

    /// Notes a slot that was due at `due_ns` and worked off at `now_ns` of the measured time.
    #[inline]
    pub fn clock(&mut self, due_ns: u64, now_ns: u64) {
        self.measured += 1;
        self.behind.note(due_ns, now_ns);
        self.late_us.saturating_record(now_ns.saturating_sub(due_ns) / 1000);
        let into_second = self.measured_from_ns % SECOND_NS;
        let second = |ns: u64| (ns.saturating_add(into_second) / SECOND_NS) as usize;
        let (due, now) = (second(due_ns), second(now_ns));
        let last = due.max(now);
        if last >= self.seconds.len() {
            if last >= MOST_SECONDS {
                return;
            }
            self.seconds.resize(last + 1, Second::default());
        }
        self.seconds[due].due += 1;
        self.seconds[now].sent += 1;
    }

    /// Notes that of `due` records due so far, `overdue` were not worked off.
    #[inline]
    pub fn drift(&mut self, due: f64, overdue: f64) {
        if overdue > 2.0 {
            self.max_drift = self.max_drift.max(overdue / due);
        }
    }

    /// The largest error of a whole second: see [`max_second_error`].
    pub fn max_second_error(&self) -> Option<f64> {
        let seconds = self.seconds.iter().map(|second| (second.due, second.sent));
        max_second_error(self.measured_from_ns as f64 / 1e9, seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_compared_with_what_was_due() {
        let mut sent = Sent::default();
        for i in 0..1000u64 {
            // Ten a second; those of second 3 come a second late.
            let due = i * 100_000_000;
            let late = if due / SECOND_NS == 3 { SECOND_NS } else { 0 };
            sent.clock(due, due + late);
        }
        assert_eq!(sent.seconds[3], Second { due: 10, sent: 0 });
        assert_eq!(sent.seconds[4], Second { due: 10, sent: 20 });
        assert_eq!(sent.max_second_error(), Some(1.0));
        assert_eq!((sent.behind.longest_s(), sent.measured), (1.0, 1000));
        // Ten of the thousand are late, by a second.
        assert_eq!(sent.late_us.value_at_quantile(0.99), 0);
        assert!(sent.late_us.max() >= 1_000_000);
    }

    #[test]
    fn seconds_are_those_of_the_schedule_wherever_measuring_begins() {
        let mut sent = Sent { measured_from_ns: 7 * SECOND_NS + 600_000_000, ..Sent::default() };
        for i in 0..30u64 {
            // Ten a second; those of the cut second come in the next.
            let due = i * 100_000_000;
            sent.clock(due, due.max(500_000_000));
        }
        let counts: Vec<_> = sent.seconds.iter().map(|s| (s.due, s.sent)).collect();
        assert_eq!(counts, [(4, 0), (10, 14), (10, 10), (6, 6)]);
        assert_eq!(sent.max_second_error(), Some(0.4));
    }

    #[test]
    fn one_record_over_the_edge_of_a_second_is_no_error() {
        let mut sent = Sent::default();
        sent.clock(SECOND_NS - 1, SECOND_NS + 1);
        sent.clock(2 * SECOND_NS, 2 * SECOND_NS);
        assert_eq!(sent.max_second_error(), Some(0.0));
    }

    #[test]
    fn what_is_dropped_is_in_one_span_until_something_is_sent() {
        let mut sent = Sent::default();
        for number in 0..10 {
            if (3..6).contains(&number) || number == 8 {
                sent.drop_slot(Topic::Usage, number, number * SECOND_NS);
            } else {
                sent.count(Topic::Usage, 10);
            }
        }
        let span = |first, last, records| DroppedSlots {
            first,
            last,
            from_ns: first * SECOND_NS,
            to_ns: last * SECOND_NS,
            records,
        };
        assert_eq!(sent.spans, [span(3, 5, 3), span(8, 8, 1)]);
        assert_eq!(sent.dropped[Topic::Usage.index()], 4);
    }

    #[test]
    fn spans_and_seconds_are_bounded() {
        let mut sent = Sent::default();
        for number in 0..5000 {
            sent.drop_slot(Topic::Jobs, 2 * number, 0);
            sent.count(Topic::Jobs, 1);
        }
        assert_eq!(sent.spans.len(), MOST_SPANS);
        assert_eq!(sent.spans.iter().map(|span| span.records).sum::<u64>(), 5000);
        sent.clock(30 * 86_400 * SECOND_NS, 31 * 86_400 * SECOND_NS);
        assert!(sent.seconds.len() <= MOST_SECONDS);
    }

    #[test]
    fn drift_is_a_fraction_of_what_was_due() {
        let mut sent = Sent::default();
        sent.drift(10.0, 2.0);
        assert_eq!(sent.max_drift, 0.0);
        sent.drift(1000.0, 5.0);
        sent.drift(10_000.0, 5.0);
        assert_eq!(sent.max_drift, 0.005);
    }
}
