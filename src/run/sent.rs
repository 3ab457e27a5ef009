//! What a worker has handed over, and how well it held the schedule.

use fleetstorm_model::record::Topic;
use hdrhistogram::Histogram;

use crate::pacing::Behind;
use crate::report::results::{SlotCounts, max_second_error};
use crate::sink::latency;

/// What a worker has handed to its sink.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Records by topic, in the order of [`Topic::ALL`].
    pub records: [u64; Topic::COUNT],
    /// Bytes of keys and values by topic.
    pub bytes: [u64; Topic::COUNT],
    /// Records by topic that were dropped while the sink was full.
    pub dropped: [u64; Topic::COUNT],
    /// The spans of dropped slots.
    pub spans: Vec<DroppedSlots>,
    /// Jobs, machines and incidents whose last state changes still waited when the run ended, and were
    /// never sent.
    pub torn: u64,
    /// Records of its share that it skipped, since they were in the topic before the run was resumed.
    pub already_there: u64,
    /// Records that close windows: they belong to no slot.
    pub closing: u64,
    /// The slots that were due while the run was measured; all slots if nothing is paced.
    pub measured: SlotCounts,
    /// The slots that were due before.
    pub past: SlotCounts,
    /// When the last of those was done, in nanoseconds from the schedule's zero.
    pub past_until_ns: i64,
    /// When measuring began, in nanoseconds from the schedule's zero.
    pub measured_from_ns: u64,
    /// Records due and handed over in each second of the schedule, from the second in which measuring
    /// began; the first [`MOST_SECONDS`] are kept.
    pub seconds: Vec<Second>,
    /// From when a record was due until it was handed over, in microseconds.
    pub late_us: Histogram<u64>,
    /// When records were behind the schedule.
    pub behind: Behind,
    /// The most records that were due and not done at any moment, as a fraction of all that were due by
    /// then. A backlog of up to two is ignored.
    pub max_drift: f64,
    /// The most by which another worker's record may be out of order after one of this worker, in
    /// milliseconds of timestamps.
    pub max_backstep_ms: i64,
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

/// The outcome of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotOutcome {
    /// Its record was handed over.
    Sent {
        /// The record's topic.
        topic: Topic,
        /// The bytes.
        bytes: usize,
    },
    /// It had nothing to send.
    Silent,
    /// Its record was in the topic before the run was resumed.
    AlreadyThere,
    /// Its record was dropped.
    Dropped(Topic),
    /// It was dropped, and its state change waits for a later slot.
    Deferred,
}

/// A span of slots in which one worker sent nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DroppedSlots {
    /// The number of the first slot, over the whole fleet.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// When the first was due, in nanoseconds from the schedule's zero.
    pub from_ns: u64,
    /// When the last was due.
    pub to_ns: u64,
    /// The slots that would have carried a record.
    pub records: u64,
}

/// A day.
pub const MOST_SECONDS: usize = 86_400;
/// After every this many spans, the shortest span doubles, from [`SHORT_NS`] on. So spans stay few, some
/// 10,000 a day, and exact, as is needed to regenerate the run's records.
const SPANS_OF_A_LENGTH: usize = 1000;
const SHORT_NS: u64 = 100_000_000;
const SECOND_NS: u64 = 1_000_000_000;

impl Default for Sent {
    fn default() -> Sent {
        Sent {
            records: [0; Topic::COUNT],
            bytes: [0; Topic::COUNT],
            dropped: [0; Topic::COUNT],
            spans: Vec::new(),
            torn: 0,
            already_there: 0,
            closing: 0,
            measured: SlotCounts::default(),
            past: SlotCounts::default(),
            past_until_ns: 0,
            measured_from_ns: 0,
            seconds: Vec::new(),
            late_us: latency::histogram(),
            behind: Behind::default(),
            max_drift: 0.0,
            max_backstep_ms: 0,
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
        self.torn += other.torn;
        self.already_there += other.already_there;
        self.closing += other.closing;
        self.measured = self.measured.plus(&other.measured);
        self.past = self.past.plus(&other.past);
        self.past_until_ns = self.past_until_ns.max(other.past_until_ns);
        // The same for all workers of a run.
        self.measured_from_ns = self.measured_from_ns.max(other.measured_from_ns);
        self.behind.add(&other.behind);
        self.max_drift = self.max_drift.max(other.max_drift);
        self.max_backstep_ms = self.max_backstep_ms.max(other.max_backstep_ms);
        latency::add(&mut self.late_us, &other.late_us);
        if self.seconds.len() < other.seconds.len() {
            self.seconds.resize(other.seconds.len(), Second::default());
        }
        for (sum, second) in self.seconds.iter_mut().zip(&other.seconds) {
            sum.due += second.due;
            sum.sent += second.sent;
        }
    }

    /// Records of slots so far: all but announcements.
    #[inline]
    pub fn in_slots(&self) -> u64 {
        self.measured.sent + self.past.sent
    }

    /// Records of its share so far, handed over or skipped.
    pub fn passed(&self) -> u64 {
        self.records.iter().sum::<u64>() + self.already_there
    }

    /// Slots that carried nothing.
    pub fn silent(&self) -> u64 {
        self.measured.silent + self.past.silent
    }

    /// Counts a record that the sink has accepted.
    #[inline]
    pub fn count(&mut self, topic: Topic, bytes: usize) {
        self.records[topic.index()] += 1;
        self.bytes[topic.index()] += bytes as u64;
    }

    /// Notes the outcome of slot `number`. If it is paced, it was due at `due_ns` and done at `now_ns` of
    /// the schedule.
    #[inline]
    pub fn note(&mut self, number: u64, became: SlotOutcome, times: Option<(u64, i64)>) {
        match became {
            SlotOutcome::Sent { topic, bytes } => self.count(topic, bytes),
            SlotOutcome::AlreadyThere => self.already_there += 1,
            _ => {}
        }
        let Some((due_ns, now_ns)) = times else {
            self.measured.count(became);
            return;
        };
        if due_ns < self.measured_from_ns {
            self.past.count(became);
            self.past_until_ns = now_ns;
            return;
        }
        self.measured.count(became);
        match became {
            SlotOutcome::Sent { .. } => {
                let from_ns = self.measured_from_ns;
                self.clock(due_ns - from_ns, Some((now_ns as u64).saturating_sub(from_ns)));
                self.dropping = false;
            }
            SlotOutcome::Dropped(topic) => {
                self.dropped[topic.index()] += 1;
                self.drop_slot(number, due_ns);
            }
            SlotOutcome::Deferred => self.drop_slot(number, due_ns),
            SlotOutcome::Silent | SlotOutcome::AlreadyThere => {}
        }
    }

    /// Whether a slot that is due at `due_ns` belongs to the span that is being dropped, even if there is
    /// room again.
    #[inline]
    pub fn keeps_dropping(&self, due_ns: u64) -> bool {
        let doubled = (self.spans.len() / SPANS_OF_A_LENGTH) as u32;
        self.dropping
            && doubled > 0
            && self.spans.last().is_some_and(|span| {
                due_ns.saturating_sub(span.from_ns) < SHORT_NS << (doubled - 1).min(30)
            })
    }

    fn drop_slot(&mut self, number: u64, due_ns: u64) {
        self.clock(due_ns - self.measured_from_ns, None);
        match self.spans.last_mut().filter(|_| self.dropping) {
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

    /// Notes a record that was due at `due_ns` of the measured time, and handed over at `now_ns` or not
    /// at all.
    #[inline]
    fn clock(&mut self, due_ns: u64, now_ns: Option<u64>) {
        let into_second = self.measured_from_ns % SECOND_NS;
        let second = |ns: u64| (ns.saturating_add(into_second) / SECOND_NS) as usize;
        let due = second(due_ns);
        let now = now_ns.map(|now_ns| {
            self.behind.note(due_ns, now_ns);
            self.late_us.saturating_record(now_ns.saturating_sub(due_ns) / 1000);
            second(now_ns)
        });
        let last = due.max(now.unwrap_or(0));
        if last >= self.seconds.len() {
            if last >= MOST_SECONDS {
                return;
            }
            self.seconds.resize(last + 1, Second::default());
        }
        self.seconds[due].due += 1;
        if let Some(now) = now {
            self.seconds[now].sent += 1;
        }
    }

    /// Notes that of `due` records due so far, `overdue` were not done.
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

impl SlotCounts {
    /// Counts a slot.
    #[inline]
    fn count(&mut self, became: SlotOutcome) {
        match became {
            SlotOutcome::Sent { bytes, .. } => {
                self.sent += 1;
                self.bytes += bytes as u64;
            }
            SlotOutcome::Silent => self.silent += 1,
            SlotOutcome::AlreadyThere => self.already_there += 1,
            SlotOutcome::Dropped(_) => self.dropped += 1,
            SlotOutcome::Deferred => self.deferred += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: SlotOutcome = SlotOutcome::Sent { topic: Topic::Usage, bytes: 10 };

    impl Sent {
        fn at(&mut self, due_ns: u64, now_ns: u64) {
            self.note(0, RECORD, Some((due_ns, now_ns as i64)));
        }
    }

    #[test]
    fn seconds_are_compared_with_what_was_due() {
        let mut sent = Sent::default();
        for i in 0..1000u64 {
            // Ten a second; those of second 3 come a second late.
            let due = i * 100_000_000;
            let late = if due / SECOND_NS == 3 { SECOND_NS } else { 0 };
            sent.at(due, due + late);
        }
        assert_eq!(sent.seconds[3], Second { due: 10, sent: 0 });
        assert_eq!(sent.seconds[4], Second { due: 10, sent: 20 });
        assert_eq!(sent.max_second_error(), Some(1.0));
        assert_eq!((sent.behind.longest_s(), sent.measured.sent), (1.0, 1000));
        // Ten of the thousand are late, by a second.
        assert_eq!(sent.late_us.value_at_quantile(0.99), 0);
        assert!(sent.late_us.max() >= 1_000_000);
    }

    #[test]
    fn seconds_are_those_of_the_schedule_wherever_measuring_begins() {
        let from_ns = 7 * SECOND_NS + 600_000_000;
        let mut sent = Sent { measured_from_ns: from_ns, ..Sent::default() };
        for i in 0..30u64 {
            // Ten a second; those of the cut second come in the next.
            let due = i * 100_000_000;
            sent.at(from_ns + due, from_ns + due.max(500_000_000));
        }
        let counts: Vec<_> = sent.seconds.iter().map(|s| (s.due, s.sent)).collect();
        assert_eq!(counts, [(4, 0), (10, 14), (10, 10), (6, 6)]);
        assert_eq!(sent.max_second_error(), Some(0.4));
    }

    #[test]
    fn one_record_over_the_edge_of_a_second_is_no_error() {
        let mut sent = Sent::default();
        sent.at(SECOND_NS - 1, SECOND_NS + 1);
        sent.at(SECOND_NS, SECOND_NS);
        sent.at(2 * SECOND_NS, 2 * SECOND_NS);
        assert_eq!(sent.max_second_error(), Some(0.0));
    }

    #[test]
    fn what_is_dropped_is_in_one_span_until_something_is_sent() {
        let mut sent = Sent::default();
        for number in 0..10 {
            let became = match number {
                3 | 5 | 8 => SlotOutcome::Dropped(Topic::Usage),
                4 => SlotOutcome::Deferred,
                6 => SlotOutcome::Silent,
                _ => RECORD,
            };
            let due = number * SECOND_NS;
            sent.note(number, became, Some((due, due as i64)));
        }
        let span = |first, last, records| DroppedSlots {
            first,
            last,
            from_ns: first * SECOND_NS,
            to_ns: last * SECOND_NS,
            records,
        };
        assert_eq!(sent.spans, [span(3, 5, 3), span(8, 8, 1)]);
        assert_eq!(sent.dropped[Topic::Usage.index()], 3);
        let counts = sent.measured;
        assert_eq!((counts.sent, counts.dropped, counts.deferred, counts.silent), (5, 3, 1, 1));
        // What was dropped was due and not sent; what was silent was neither.
        let seconds: Vec<_> = sent.seconds.iter().map(|s| (s.due, s.sent)).collect();
        assert_eq!(seconds[2..8], [(1, 1), (1, 0), (1, 0), (1, 0), (0, 0), (1, 1)]);
        assert_eq!(sent.late_us.len(), 5);
        assert_eq!(sent.max_second_error(), Some(0.0), "one record is forgiven");
    }

    #[test]
    fn the_past_is_counted_by_itself() {
        let mut sent = Sent { measured_from_ns: 5 * SECOND_NS, ..Sent::default() };
        for second in 0..8 {
            sent.at(second * SECOND_NS, (5 * SECOND_NS + second).max(second * SECOND_NS));
        }
        assert_eq!((sent.past.sent, sent.measured.sent, sent.late_us.len()), (5, 3, 3));
        assert_eq!(sent.past_until_ns, 5 * SECOND_NS as i64 + 4);
        assert_eq!(sent.behind, Behind::default());
        assert_eq!(sent.records[Topic::Usage.index()], 8);
    }

    #[test]
    fn spans_and_seconds_are_bounded() {
        let mut sent = Sent::default();
        // A thousand times a second, for a quarter of an hour, it could send one and must drop one.
        let mut number = 0;
        for ms in 0..900_000u64 {
            let due = ms * 1_000_000;
            let room = ms % 2 == 0 && !sent.keeps_dropping(due);
            let became = if room { RECORD } else { SlotOutcome::Dropped(Topic::Jobs) };
            sent.note(number, became, Some((due, due as i64)));
            number += 1;
        }
        // A thousand of a length: of 2 ms, 100 ms, ..., 100 ms times 2^n, in 900 s.
        assert!(sent.spans.len() <= 1000 * 5, "{} spans", sent.spans.len());
        let dropped = sent.spans.iter().map(|span| span.records).sum::<u64>();
        assert_eq!(
            (dropped, sent.measured.dropped + sent.measured.sent),
            (sent.measured.dropped, number)
        );
        assert!(sent.spans.windows(2).all(|pair| pair[0].last < pair[1].first));
        sent.at(30 * 86_400 * SECOND_NS, 31 * 86_400 * SECOND_NS);
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
