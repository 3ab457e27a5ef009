//! The course of a rate over time as one function, its integral, and the inverse of that: what all
//! profiles are turned into and the schedule works with.

/// A rate that is made of straight pieces, so that its integral is made of parabolas and both the
/// integral and its inverse are closed forms (only the four operations and the square root, which
/// are the same on every machine).
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// Pieces in the order of time; the first begins at 0, each ends where the next begins.
    pieces: Vec<Piece>,
    /// How long the pieces last, in seconds.
    length: f64,
    /// The records of all pieces.
    records: f64,
    after: After,
}

/// What follows the last piece of a course.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum After {
    /// Nothing: no more records are due.
    End,
    /// This rate forever, in records a second.
    Hold(f64),
    /// The course from its start, again and again.
    Repeat,
}

/// A straight piece of a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    /// When it begins, in seconds.
    start: f64,
    /// The records due before it.
    before: f64,
    /// The rate at its beginning, in records a second.
    rate: f64,
    /// How fast the rate grows, in records a second a second.
    slope: f64,
}

/// A part of a course as it is drawn: how long it takes in seconds, and the rates in records a
/// second at its beginning and its end.
pub type Line = (f64, f64, f64);

impl Course {
    /// One rate forever, in records a second.
    pub fn constant(rate: f64) -> Course {
        Course { pieces: Vec::new(), length: 0.0, records: 0.0, after: After::Hold(rate) }
    }

    /// The course of `lines` one after another, and of what follows them. Lines that take no time
    /// are left out.
    pub fn new(lines: impl IntoIterator<Item = Line>, after: After) -> Course {
        let mut course = Course { pieces: Vec::new(), length: 0.0, records: 0.0, after };
        for (length, from, to) in lines.into_iter().filter(|(length, ..)| *length > 0.0) {
            course.pieces.push(Piece {
                start: course.length,
                before: course.records,
                rate: from,
                slope: (to - from) / length,
            });
            course.length += length;
            course.records += length * (from + to) / 2.0;
        }
        // What never sends anything has no round to repeat.
        if course.after == After::Repeat && course.records == 0.0 {
            course.after = After::End;
        }
        course
    }

    /// The records due in the first `seconds`: the integral of the rate.
    pub fn integral(&self, seconds: f64) -> f64 {
        if seconds >= self.length {
            let beyond = seconds - self.length;
            return match self.after {
                After::End => self.records,
                After::Hold(rate) => self.records + rate * beyond,
                After::Repeat => {
                    let rounds = (seconds / self.length).floor();
                    rounds * self.records + self.within(seconds - rounds * self.length)
                }
            };
        }
        self.within(seconds)
    }

    /// The instant at which the integral reaches `records` and goes on from there, in seconds;
    /// infinite where it never does. Never falls as `records` grow.
    #[inline]
    pub fn instant(&self, records: f64) -> f64 {
        if records >= self.records {
            return match self.after {
                After::End => f64::INFINITY,
                After::Hold(rate) if self.pieces.is_empty() => records / rate,
                After::Hold(0.0) => f64::INFINITY,
                After::Hold(rate) => self.length + (records - self.records) / rate,
                After::Repeat => {
                    let rounds = (records / self.records).floor();
                    rounds * self.length + self.reached(records - rounds * self.records)
                }
            };
        }
        self.reached(records)
    }

    /// The highest rate that it reaches, in records a second.
    pub fn peak(&self) -> f64 {
        let held = match self.after {
            After::Hold(rate) => rate,
            After::End | After::Repeat => 0.0,
        };
        self.rates().fold(held, f64::max)
    }

    /// The lowest rate that it falls to, in records a second.
    pub fn trough(&self) -> f64 {
        let held = match self.after {
            After::Hold(rate) => rate,
            After::End | After::Repeat => f64::INFINITY,
        };
        // A steep fall to nothing may be rounded to less.
        self.rates().fold(held, f64::min).max(0.0)
    }

    /// How long it lasts, in seconds; `None` if it has no end.
    pub fn end(&self) -> Option<f64> {
        (self.after == After::End).then_some(self.length)
    }

    /// The rates at the beginning and the end of each piece.
    fn rates(&self) -> impl Iterator<Item = f64> {
        let ends = self.pieces.iter().skip(1).map(|next| next.start).chain([self.length]);
        self.pieces
            .iter()
            .zip(ends)
            .flat_map(|(piece, end)| [piece.rate, piece.rate + piece.slope * (end - piece.start)])
    }

    /// The records of the pieces in their first `seconds`.
    fn within(&self, seconds: f64) -> f64 {
        let next = self.pieces.partition_point(|piece| piece.start <= seconds);
        let Some(piece) = next.checked_sub(1).map(|at| &self.pieces[at]) else { return 0.0 };
        let t = seconds - piece.start;
        piece.before + t * (piece.rate + piece.slope * t / 2.0)
    }

    /// The instant at which the pieces have brought `records`, fewer than all.
    #[inline]
    fn reached(&self, records: f64) -> f64 {
        // Of pieces that begin at the same count the last: those before it bring nothing.
        let next = self.pieces.partition_point(|piece| piece.before <= records);
        let Some(piece) = next.checked_sub(1).map(|at| &self.pieces[at]) else { return 0.0 };
        let more = records - piece.before;
        // The root of rate t + slope t^2 / 2 = more, written so that nothing cancels.
        let root = (piece.rate * piece.rate + 2.0 * piece.slope * more).max(0.0).sqrt();
        let t = if more > 0.0 { 2.0 * more / (piece.rate + root) } else { 0.0 };
        let end = self.pieces.get(next).map_or(self.length, |next| next.start);
        (piece.start + t).min(end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines() -> impl Strategy<Value = Vec<Line>> {
        let rate = prop_oneof![Just(0.0), 0.01..1e6f64];
        prop::collection::vec((0.001..1000.0f64, rate.clone(), rate), 1..20)
    }

    fn after() -> impl Strategy<Value = After> {
        prop_oneof![Just(After::End), Just(After::Repeat), (0.1..1e6f64).prop_map(After::Hold)]
    }

    proptest! {
        #[test]
        fn the_instant_undoes_the_integral(lines in lines(), after in after(), at in 0.0..5000.0f64) {
            let course = Course::new(lines, after);
            let records = course.integral(at);
            let instant = course.instant(records);
            prop_assume!(instant.is_finite());
            // Where the rate is 0 the instant is another, at which the integral is the same.
            let scale = records.max(1.0) + course.peak();
            prop_assert!((course.integral(instant) - records).abs() <= 1e-9 * scale);
        }

        #[test]
        fn instants_never_fall(lines in lines(), after in after(), records in 0.0..1e7f64, more in 0.0..10.0f64) {
            let course = Course::new(lines, after);
            let (one, next) = (course.instant(records), course.instant(records + more));
            // Rounds are added up in two ways at their seam.
            prop_assert!(next >= one - 1e-9 * one.max(1.0) || !one.is_finite());
        }

        #[test]
        fn the_integral_is_the_sum_of_narrow_strips(lines in lines(), part in 0.0..1.0f64) {
            let course = Course::new(lines.clone(), After::End);
            let until = course.length * part;
            let (mut start, mut sum) = (0.0, 0.0);
            for (length, from, to) in lines {
                let strips = 2000;
                let width = length / f64::from(strips);
                for strip in 0..strips {
                    let middle = (f64::from(strip) + 0.5) * width;
                    if start + middle < until {
                        sum += width * (from + (to - from) * middle / length);
                    }
                }
                start += length;
            }
            // A strip may be cut.
            prop_assert!((course.integral(until) - sum).abs() <= course.peak() * 1000.0 / 2000.0);
        }
    }

    #[test]
    fn what_is_due_at_the_end_of_a_pause_is_due_when_records_come_again() {
        let course = Course::new([(10.0, 1.0, 1.0), (5.0, 0.0, 0.0), (10.0, 2.0, 2.0)], After::End);
        assert_eq!(course.instant(10.0), 15.0);
        assert_eq!(course.instant(12.0), 16.0);
        assert_eq!(course.instant(30.0), f64::INFINITY);
        assert_eq!(course.end(), Some(25.0));
        assert_eq!((course.peak(), course.trough()), (2.0, 0.0));
    }

    #[test]
    fn a_rate_that_rises_from_nothing_has_its_first_record_at_the_root() {
        let course = Course::new([(100.0, 0.0, 200.0)], After::Hold(200.0));
        assert_eq!(course.instant(1.0), 1.0);
        assert_eq!(course.instant(100.0), 10.0);
        assert_eq!(course.instant(10_200.0), 101.0);
    }

    #[test]
    fn rounds_follow_one_another() {
        let course = Course::new([(1.0, 10.0, 10.0), (1.0, 0.0, 0.0)], After::Repeat);
        assert_eq!(course.integral(20.5), 105.0);
        assert_eq!(course.instant(105.0), 20.5);
        assert_eq!(course.instant(10.0), 2.0);
        let silent = Course::new([(1.0, 0.0, 0.0)], After::Repeat);
        assert_eq!(silent.instant(0.0), f64::INFINITY);
    }
}
