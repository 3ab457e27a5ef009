//! How records arrive: how far each partition is in event time, and whether a record counts or is
//! late.

use crate::semantics::Semantics;

/// How far the order in which records arrive is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slack {
    /// A record is at most this many milliseconds behind an earlier one of its partition, on top of the
    /// disorder within its own thread.
    Within(i64),
    /// Records pass a repartition, whose tasks may be apart as far as the run is long.
    Unbounded,
}

/// Whether a record counts in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Inclusion {
    /// It counts.
    Counts,
    /// It counts or is late, as records arrive.
    MaybeLate,
    /// It counts or has no partner yet, as the join reads its topics.
    MaybeUnmatched,
    /// It is late.
    Late,
}

/// Where partitions are in event time.
#[derive(Debug, Clone)]
pub struct Arrival {
    slack: Slack,
    /// The highest timestamp of each partition; `i64::MIN` before its first.
    reached: Vec<i64>,
    /// The highest timestamp of all.
    highest: i64,
    /// The highest that may have come before the record that came last, and the highest that has.
    before: (i64, i64),
}

impl Arrival {
    /// Partitions that nothing has arrived in.
    pub fn new(partitions: u32, slack: Slack) -> Arrival {
        let reached = vec![i64::MIN; partitions as usize];
        Arrival { slack, reached, highest: i64::MIN, before: (i64::MIN, i64::MIN) }
    }

    /// A record of this event time arrives.
    #[inline]
    pub fn arrive(&mut self, semantics: &Semantics, partition: i32, event_ms: i64) {
        let Some(reached) = self.reached.get_mut(partition as usize) else { return };
        let with_it = event_ms.max(*reached);
        // Stream time has the record itself in it, a watermark hasn't.
        let flink = semantics.engine.is_flink();
        self.before = match self.slack {
            Slack::Within(0) if flink => (*reached, i64::MIN),
            Slack::Within(0) => (with_it, with_it),
            Slack::Within(skew) => (with_it.saturating_add(skew), event_ms),
            Slack::Unbounded => (i64::MIN, i64::MIN),
        };
        // The watermark is the least over partitions and ticks by the wall clock, so that it may lie
        // anywhere below: nothing is late in Flink for sure.
        if flink {
            self.before.1 = i64::MIN;
        }
        *reached = with_it;
        self.highest = self.highest.max(with_it);
    }

    /// What becomes of the record that came last, where `is_late` says whether it is late once a
    /// timestamp is the highest.
    #[inline]
    pub fn judge(&self, is_late: impl Fn(i64) -> bool) -> Inclusion {
        if !is_late(self.before.0) {
            Inclusion::Counts
        } else if is_late(self.before.1) {
            Inclusion::Late
        } else {
            Inclusion::MaybeLate
        }
    }

    /// The highest timestamp so far.
    #[inline]
    pub fn highest(&self) -> i64 {
        self.highest
    }

    /// How far the slowest partition is that has any record.
    pub fn slowest(&self) -> i64 {
        self.reached.iter().copied().filter(|&ms| ms > i64::MIN).min().unwrap_or(i64::MIN)
    }

    /// The partitions that have no record.
    pub fn empty(&self) -> usize {
        self.reached.iter().filter(|&&ms| ms == i64::MIN).count()
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> usize {
        self.reached.len()
    }

    /// How far the order in which records arrive is known.
    pub fn slack(&self) -> Slack {
        self.slack
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;

    fn verdict(
        engine: Engine,
        slack: Slack,
        delay_ms: i64,
        events: &[i64],
        end_ms: i64,
    ) -> Inclusion {
        let zone_offset_ms = 0;
        let semantics =
            Semantics { engine, delay_ms, lateness_ms: 0, zone_offset_ms, bounded: false };
        let mut arrival = Arrival::new(1, slack);
        for &event_ms in events {
            arrival.arrive(&semantics, 0, event_ms);
        }
        arrival.judge(|highest| semantics.is_late(end_ms, highest))
    }

    #[test]
    fn a_record_late_by_exactly_the_bound() {
        use Engine::{FlinkDataStream, FlinkSql, KafkaStreams};
        let exact = Slack::Within(0);
        // A window up to 10,000, bound or grace 1,000; the record at 9,999 comes behind one at `t`.
        let behind = |engine, t| verdict(engine, exact, 1000, &[t, 9_999], 10_000);
        assert_eq!(behind(FlinkSql, 10_998), Inclusion::Counts);
        assert_eq!(behind(FlinkSql, 10_999), Inclusion::MaybeLate);
        assert_eq!(behind(FlinkDataStream, 10_999), Inclusion::Counts);
        assert_eq!(behind(FlinkDataStream, 11_000), Inclusion::MaybeLate);
        assert_eq!(behind(KafkaStreams, 10_999), Inclusion::Counts);
        assert_eq!(behind(KafkaStreams, 11_000), Inclusion::Late);
    }

    #[test]
    fn out_of_order_is_not_late() {
        let exact = Slack::Within(0);
        assert_eq!(verdict(Engine::FlinkSql, exact, 0, &[9_998, 9_000], 10_000), Inclusion::Counts);
        assert_eq!(
            verdict(Engine::KafkaStreams, exact, 0, &[9_999, 9_000], 10_000),
            Inclusion::Counts
        );
    }

    #[test]
    fn threads_apart_by_no_more_than_the_bound_lose_nothing() {
        for engine in [Engine::FlinkDataStream, Engine::KafkaStreams] {
            let at = |skew| verdict(engine, Slack::Within(skew), 1000, &[9_999], 10_000);
            assert_eq!(at(1000), Inclusion::Counts);
            assert_eq!(at(1001), Inclusion::MaybeLate);
        }
    }
}
