//! Which alarms are right, and which episodes they detect.

use std::ops::RangeInclusive;

use fleetstorm_model::simulation::incidents::IncidentKind;

use super::truth::Span;

/// How much an alarm counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long after an episode's end an alarm still is one of it, in milliseconds.
    pub grace_ms: i64,
    /// Alarms of a machine that are no farther apart than this, in milliseconds, are one.
    pub merge_gap_ms: i64,
}

impl Rules {
    /// From when to when alarms of a run are its own, that has its first and its last reading then.
    pub(super) fn extent(&self, (first_ms, last_ms): (i64, i64)) -> RangeInclusive<i64> {
        first_ms..=last_ms.saturating_add(self.grace_ms)
    }
}

/// An alarm on a machine of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raised {
    /// The machine's number.
    pub machine: u32,
    /// The alarm's event time.
    pub at_ms: i64,
    /// When it was written, where that is known.
    pub written_ms: Option<i64>,
}

/// What an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// An episode of an anomaly is open, or was within the grace.
    Right,
    /// Another incident is: neither right nor wrong.
    Apart,
    /// None is.
    Wrong,
}

/// What came of all alarms.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Of each span, the event time of the first alarm in it.
    pub first_ms: Vec<Option<i64>>,
    /// Of each span, when the first alarm was written.
    pub first_written_ms: Vec<Option<i64>>,
    /// Alarms in an episode or its grace.
    pub right: u64,
    /// Alarms where nothing is wrong.
    pub wrong: u64,
    /// Alarms in other incidents, by the kind of the one that began first.
    pub apart: [u64; IncidentKind::ALL.len()],
    /// Right alarms once they are merged.
    pub merged_right: u64,
    /// Wrong alarms once they are merged.
    pub merged_wrong: u64,
}

/// Judges `alarms`, which come in the order of machines and instants, by `spans`, which are in the order
/// of machines and beginnings.
pub fn judge(spans: &[Span], alarms: impl Iterator<Item = Raised>, rules: Rules) -> Tally {
    let mut tally = Tally {
        first_ms: vec![None; spans.len()],
        first_written_ms: vec![None; spans.len()],
        ..Tally::default()
    };
    let mut next = 0;
    let mut open: Vec<usize> = Vec::new();
    let mut before: Option<(Raised, Verdict)> = None;
    for alarm in alarms {
        if before.is_some_and(|(before, _)| before.machine != alarm.machine) {
            open.clear();
        }
        while let Some(span) = spans.get(next)
            && (span.machine, span.start_ms) <= (alarm.machine, alarm.at_ms)
        {
            if span.machine == alarm.machine {
                open.push(next);
            }
            next += 1;
        }
        open.retain(|&at| alarm.at_ms <= spans[at].until_ms(rules.grace_ms));
        let verdict = tally.take(spans, &open, alarm);
        // Where the truth changes, a new alarm begins: one that never ends is not right for having met an
        // episode once.
        let is_same = before.is_some_and(|(before, of)| {
            let apart_ms = alarm.at_ms.saturating_sub(before.at_ms);
            of == verdict && before.machine == alarm.machine && apart_ms <= rules.merge_gap_ms
        });
        if !is_same {
            match verdict {
                Verdict::Right => tally.merged_right += 1,
                Verdict::Wrong => tally.merged_wrong += 1,
                Verdict::Apart => {}
            }
        }
        before = Some((alarm, verdict));
    }
    tally
}

impl Tally {
    /// An alarm is raised while these spans are open.
    fn take(&mut self, spans: &[Span], open: &[usize], alarm: Raised) -> Verdict {
        let mut verdict = Verdict::Wrong;
        for &at in open.iter().filter(|&&at| spans[at].is_episode()) {
            verdict = Verdict::Right;
            self.first_ms[at].get_or_insert(alarm.at_ms);
            let written = &mut self.first_written_ms[at];
            *written = match (*written, alarm.written_ms) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        match (verdict, open.first()) {
            (Verdict::Right, _) => self.right += 1,
            (_, Some(&at)) => {
                verdict = Verdict::Apart;
                self.apart[spans[at].kind as usize] += 1;
            }
            (_, None) => self.wrong += 1,
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(machine: u32, kind: IncidentKind, start_ms: i64, end_ms: Option<i64>) -> Span {
        Span { machine, kind, start_ms, end_ms, readings: 0, machine_id: Box::default() }
    }

    fn raised(machine: u32, at_ms: i64) -> Raised {
        Raised { machine, at_ms, written_ms: Some(at_ms + 7) }
    }

    const RULES: Rules = Rules { grace_ms: 5, merge_gap_ms: 10 };

    #[test]
    fn an_episode_is_detected_from_its_begin_to_the_end_of_its_grace() {
        let spans = [
            span(0, IncidentKind::CpuSpike, 100, Some(110)),
            span(0, IncidentKind::DiskFull, 200, None),
        ];
        let first = |at| judge(&spans, [raised(0, at)].into_iter(), RULES).first_ms;
        assert_eq!(first(99), [None, None]);
        assert_eq!(first(100), [Some(100), None]);
        assert_eq!(first(115), [Some(115), None]);
        assert_eq!(first(116), [None, None]);
        assert_eq!(first(i64::MAX), [None, Some(i64::MAX)]);
        // Another machine's alarm is none of it.
        assert_eq!(judge(&spans, [raised(1, 105)].into_iter(), RULES).wrong, 1);
    }

    #[test]
    fn alarms_of_one_truth_within_the_gap_are_one() {
        use IncidentKind::{CpuSpike, Maintenance, MemoryLeak};
        let spans = [
            span(0, CpuSpike, 100, Some(140)),
            span(0, MemoryLeak, 120, Some(140)),
            span(0, Maintenance, 150, Some(160)),
            span(1, CpuSpike, 0, Some(10)),
        ];
        // One that never ends, each 5 ms from 80 to 200: wrong, right, apart, wrong.
        let always = (80..=200).step_by(5).map(|at| raised(0, at));
        let tally = judge(&spans, always, RULES);
        assert_eq!((tally.right, tally.wrong), (10, 4 + 7));
        assert_eq!(tally.apart[Maintenance as usize], 4);
        assert_eq!((tally.merged_right, tally.merged_wrong), (1, 2));
        assert_eq!(
            tally.first_ms,
            [Some(100), Some(120), Some(150), None].map(|first| first.filter(|&at| at < 150))
        );
        // Exactly the gap apart merges, more does not; machines never do.
        let merged = |a, b| judge(&[], [a, b].into_iter(), RULES).merged_wrong;
        assert_eq!(merged(raised(0, 10), raised(0, 20)), 1);
        assert_eq!(merged(raised(0, 10), raised(0, 21)), 2);
        assert_eq!(merged(raised(0, 10), raised(1, 10)), 2);
    }

    #[test]
    fn the_first_to_be_written_need_not_be_the_first_in_event_time() {
        let spans = [span(3, IncidentKind::CpuSpike, 0, Some(50))];
        let at = |at_ms, written_ms| Raised { machine: 3, at_ms, written_ms: Some(written_ms) };
        let tally = judge(&spans, [at(10, 900), at(20, 300)].into_iter(), RULES);
        assert_eq!((tally.first_ms[0], tally.first_written_ms[0]), (Some(10), Some(300)));
    }
}
