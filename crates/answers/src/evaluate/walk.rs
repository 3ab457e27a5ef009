//! The records of the parts of a run, made again: each part's in its own order, the parts side by side
//! by the numbers of their slots.

use fleetstorm_model::fleet::Share;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::{Topic, TopicSet};
use fleetstorm_model::schedule::SlotKind;
use fleetstorm_model::stream::{KeyedRecord, Step, Stream};

use super::keys::MachineIndex;

/// A part of a run: what one thread of one shard sent.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// The run.
    pub manifest: &'a Manifest,
    /// Which of its machines they are.
    pub share: Share,
    /// Spans of slots that were dropped, first and last by their numbers, in order.
    pub dropped: Vec<(u64, u64)>,
    /// How many records it sent before it was interrupted, announcements included; none where it came
    /// to its end.
    pub records: Option<u64>,
}

impl<'a> Part<'a> {
    /// The whole run that a manifest describes, whatever its shard.
    pub fn whole(manifest: &'a Manifest) -> Part<'a> {
        Part { manifest, share: Share::WHOLE, dropped: Vec::new(), records: None }
    }

    /// The first slot that it did not send; `None` if it was not interrupted.
    pub(crate) fn end_slot(&self) -> Option<u64> {
        self.records?;
        let mut source = Source::new(self, TopicSet::from_iter([]), 0);
        let mut end_slot = 0;
        while let Some((step, after)) = source.step() {
            end_slot = after;
            source.record(&step, &mut |_, _| {});
        }
        Some(end_slot)
    }

    /// Whether a slot was dropped.
    #[inline]
    pub(crate) fn has_dropped(&self, slot: u64) -> bool {
        is_dropped(&self.dropped, slot)
    }

    fn is_whole(&self) -> bool {
        self.dropped.is_empty() && self.records.is_none() && self.share.thread.1 == 1
    }
}

/// Hands the records of `wanted` topics to `each`, with the place of their machine.
pub fn walk(
    parts: &[Part<'_>],
    wanted: TopicSet,
    mut each: impl FnMut(MachineIndex, &KeyedRecord<'_>),
) {
    if let Some(whole) = whole(parts) {
        let mut only = Source::new(&whole, wanted, 0);
        while let Some((step, _)) = only.step() {
            only.record(&step, &mut each);
        }
        return;
    }
    let mut first = 0;
    let mut sources = Vec::with_capacity(parts.len());
    for part in parts {
        let source = Source::new(part, wanted, first);
        first += source.stream.machines();
        sources.push(source);
    }
    let mut next: Vec<Option<(Step, u64)>> = sources.iter_mut().map(Source::step).collect();
    loop {
        let due = next.iter().enumerate().filter_map(|(at, step)| Some((step.as_ref()?.1, at)));
        let Some((_, at)) = due.min() else { return };
        if let Some((step, _)) = next[at] {
            sources[at].record(&step, &mut each);
        }
        next[at] = sources[at].step();
    }
}

/// The parts as one, where they are all shards of a run that came to its end.
fn whole<'a>(parts: &[Part<'a>]) -> Option<Part<'a>> {
    let first = parts.first()?;
    let mut shards: Vec<u32> = parts.iter().map(|part| part.share.shard.0).collect();
    shards.sort_unstable();
    let all = shards.iter().copied().eq(0..first.share.shard.1);
    (all && parts.iter().all(Part::is_whole)).then(|| Part::whole(first.manifest))
}

/// The records of one part.
struct Source {
    stream: Stream,
    wanted: TopicSet,
    events: bool,
    /// The place of its first machine.
    first: MachineIndex,
    dropped: Vec<(u64, u64)>,
    /// How many records are left, where they are counted.
    left: Option<u64>,
    /// The number of the slot that came last.
    number: u64,
}

impl Source {
    fn new(part: &Part<'_>, wanted: TopicSet, first: MachineIndex) -> Source {
        let events = [Topic::Status, Topic::Jobs, Topic::Incidents];
        let stream = match part.records {
            // Records of other topics count as well.
            Some(_) => Stream::new(part.manifest, part.share),
            None => Stream::of_topics(part.manifest, part.share, wanted),
        };
        Source {
            stream,
            events: events.into_iter().any(|topic| wanted.contains(topic)),
            wanted,
            first,
            dropped: part.dropped.clone(),
            left: part.records,
            number: 0,
        }
    }

    /// What is due next, and where among other parts it comes.
    #[inline]
    fn step(&mut self) -> Option<(Step, u64)> {
        if self.left == Some(0) {
            return None;
        }
        let step = self.stream.next()?;
        match &step {
            Step::Slot(slot) => self.number = slot.number + 1,
            // When all parts have ended.
            Step::Closing(_) => self.number = u64::MAX,
            Step::Announcement(_) => {}
        }
        Some((step, self.number))
    }

    /// Makes the record of a step, where it is wanted.
    #[inline]
    fn record(&mut self, step: &Step, each: &mut impl FnMut(MachineIndex, &KeyedRecord<'_>)) {
        let Source { stream, wanted, events, first, dropped, left, .. } = self;
        let at = match step {
            Step::Announcement(announcement) => {
                if left.is_none() && !wanted.contains(Topic::Machines) {
                    return;
                }
                announcement.at
            }
            Step::Slot(slot) => {
                let is_wanted = match slot.kind {
                    SlotKind::Telemetry => wanted.contains(Topic::Telemetry),
                    SlotKind::Usage => wanted.contains(Topic::Usage),
                    SlotKind::Event => *events,
                };
                // A state change whose slot was dropped waits for the next.
                if (!is_wanted && left.is_none()) || is_dropped(dropped, slot.number) {
                    return;
                }
                slot.at
            }
            Step::Closing(closing) => {
                if left.is_none() && !wanted.contains(closing.topic) {
                    return;
                }
                closing.at
            }
        };
        stream.record(step, |keyed| {
            let Some(keyed) = keyed else { return };
            if let Some(left) = left {
                *left -= 1;
            }
            if wanted.contains(keyed.record.topic()) {
                each(*first + at, &keyed);
            }
        });
    }
}

#[inline]
fn is_dropped(spans: &[(u64, u64)], slot: u64) -> bool {
    !spans.is_empty() && {
        let next = spans.partition_point(|&(_, last)| last < slot);
        spans.get(next).is_some_and(|&(first, _)| first <= slot)
    }
}
