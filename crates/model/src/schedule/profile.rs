//! Rate profiles: the courses that a rate can be asked to take.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::course::{After, Course, Line};
use crate::config::units::{Level, Rate, Span};

/// The course of a rate over time. Read from text as `ramp:0..5k/60s`; a trace is read from a file
/// first (see [`super::trace`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// One rate throughout.
    Constant(Rate),
    /// From one rate to another over some time, then on at the other.
    Ramp {
        /// The rate at the start.
        from: Level,
        /// The rate after `over`.
        to: Level,
        /// How long the way takes.
        over: Span,
    },
    /// One rate after another; the end of the last ends the run.
    Steps(Vec<Step>),
    /// A wave that begins at its trough.
    Sine {
        /// The lowest rate.
        min: Level,
        /// The highest, half a period later.
        max: Level,
        /// From trough to trough.
        period: Span,
    },
    /// A steady rate with a burst on top at the end of each period.
    Burst {
        /// The rate between bursts.
        base: Level,
        /// What a burst adds.
        peak: Rate,
        /// From the start of one burst to that of the next.
        every: Span,
        /// How long a burst lasts.
        length: Span,
    },
    /// Rates at instants, with straight lines between them; the last instant ends the run.
    Trace(Vec<Point>),
    /// Another profile from its start, again and again.
    Repeat(Box<Profile>),
}

/// A part of a profile of steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its rate.
    pub rate: Level,
    /// How long it lasts.
    pub length: Span,
}

/// A point of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Its instant, in seconds from the start; at least 0.
    pub at_s: f64,
    /// The rate there.
    pub rate: Level,
}

/// Why a text is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; write ramp:FROM..TO/TIME, steps:RATE@TIME,..., sine:MIN..MAX/PERIOD, burst:BASE+PEAK/EVERY/LENGTH or csv:FILE"
)]
pub struct ProfileError(String);

/// Straight lines that make a period of a sine. Between their ends they are off by at most
/// (2 pi / 720)^2 / 8, a hundred-thousandth, of its amplitude.
const LINES_OF_SINE: u32 = 720;
/// More steps than anybody writes, so that a text has a bound.
const MOST_STEPS: usize = 10_000;
/// The most points of a trace: a day of seconds.
pub const MOST_POINTS: usize = 100_000;
/// The last instant of a trace, in seconds: as far as a [`Span`] reaches.
const LATEST_S: f64 = 36_525.0 * 86_400.0;

impl Profile {
    /// The profile from its start, again and again. What has no end is as it was.
    pub fn repeated(self) -> Profile {
        match self {
            Profile::Ramp { .. } | Profile::Steps(_) | Profile::Trace(_) => {
                Profile::Repeat(Box::new(self))
            }
            Profile::Constant(_)
            | Profile::Sine { .. }
            | Profile::Burst { .. }
            | Profile::Repeat(_) => self,
        }
    }

    /// The course that it asks for.
    pub fn course(&self) -> Course {
        match self {
            Profile::Constant(rate) => Course::constant(rate.per_second()),
            Profile::Ramp { to, .. } => Course::new(self.lines(), After::Hold(to.per_second())),
            Profile::Steps(_) | Profile::Trace(_) => Course::new(self.lines(), After::End),
            Profile::Sine { .. } | Profile::Burst { .. } => {
                Course::new(self.lines(), After::Repeat)
            }
            Profile::Repeat(profile) => Course::new(profile.lines(), After::Repeat),
        }
    }

    fn lines(&self) -> Vec<Line> {
        let seconds = |span: &Span| span.duration().as_secs_f64();
        match self {
            Profile::Constant(rate) => vec![(1.0, rate.per_second(), rate.per_second())],
            Profile::Ramp { from, to, over } => {
                vec![(seconds(over), from.per_second(), to.per_second())]
            }
            Profile::Steps(steps) => {
                let line =
                    |s: &Step| (seconds(&s.length), s.rate.per_second(), s.rate.per_second());
                steps.iter().map(line).collect()
            }
            Profile::Sine { min, max, period } => {
                let (min, max) = (min.per_second(), max.per_second());
                let rate = |i: u32| {
                    let turn = f64::from(i) / f64::from(LINES_OF_SINE);
                    min + (max - min) * (1.0 - libm::cos(turn * std::f64::consts::TAU)) / 2.0
                };
                let length = seconds(period) / f64::from(LINES_OF_SINE);
                (0..LINES_OF_SINE).map(|i| (length, rate(i), rate(i + 1))).collect()
            }
            Profile::Burst { base, peak, every, length } => {
                let (base, burst) = (base.per_second(), seconds(length));
                let top = base + peak.per_second();
                vec![(seconds(every) - burst, base, base), (burst, top, top)]
            }
            Profile::Trace(points) => {
                let line = |pair: &[Point]| {
                    let length = pair[1].at_s - pair[0].at_s;
                    (length, pair[0].rate.per_second(), pair[1].rate.per_second())
                };
                // Before its first instant nothing is due.
                let wait = points.first().map(|first| (first.at_s, 0.0, 0.0));
                wait.into_iter().chain(points.windows(2).map(line)).collect()
            }
            Profile::Repeat(profile) => profile.lines(),
        }
    }

    /// Refuses a profile that makes no sense, or by which no record would ever be due. One that was
    /// read by serde has met the bounds of its rates and times alone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), ProfileError> {
        match self {
            Profile::Constant(_) | Profile::Ramp { .. } => {}
            Profile::Sine { min, max, .. } if min > max => {
                return Err(wrong(format!("{min} is more than {max}")));
            }
            Profile::Burst { every, length, .. } if length > every => {
                return Err(wrong(format!("a burst of {length} doesn't fit into {every}")));
            }
            Profile::Sine { .. } | Profile::Burst { .. } => {}
            Profile::Steps(steps) if steps.len() > MOST_STEPS => {
                return Err(wrong(format!("more than {MOST_STEPS} steps")));
            }
            Profile::Steps(_) => {}
            Profile::Trace(points) => check_points(points)?,
            Profile::Repeat(profile) => match **profile {
                Profile::Ramp { .. } | Profile::Steps(_) | Profile::Trace(_) => profile.check()?,
                _ => return Err(wrong("what has no end can't be repeated")),
            },
        }
        if self.course().peak() > 0.0 { Ok(()) } else { Err(wrong("its rate is always 0")) }
    }

    fn checked(self) -> Result<Profile, ProfileError> {
        self.check().map(|()| self)
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Profile, ProfileError> {
        let (kind, rest) =
            text.trim().split_once(':').ok_or_else(|| wrong("it has no kind before a colon"))?;
        let profile = match kind {
            "ramp" => {
                let ((from, to), over) = range_and_time(rest)?;
                Profile::Ramp { from, to, over }
            }
            "sine" => {
                let ((min, max), period) = range_and_time(rest)?;
                Profile::Sine { min, max, period }
            }
            "steps" => {
                if rest.split(',').count() > MOST_STEPS {
                    return Err(wrong(format!("more than {MOST_STEPS} steps")));
                }
                Profile::Steps(rest.split(',').map(step).collect::<Result<_, _>>()?)
            }
            "burst" => burst(rest)?,
            other => return Err(wrong(format!("no kind of profile is called {other:?}"))),
        };
        profile.checked()
    }
}

impl fmt::Display for Profile {
    /// As it is written; a trace by its size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Profile::Constant(rate) => write!(f, "{rate}"),
            Profile::Ramp { from, to, over } => write!(f, "ramp:{from}..{to}/{over}"),
            Profile::Steps(steps) => {
                f.write_str("steps:")?;
                for (i, Step { rate, length }) in steps.iter().enumerate() {
                    write!(f, "{}{rate}@{length}", if i == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Profile::Sine { min, max, period } => write!(f, "sine:{min}..{max}/{period}"),
            Profile::Burst { base, peak, every, length } => {
                write!(f, "burst:{base}+{peak}/{every}/{length}")
            }
            Profile::Trace(points) => write!(f, "a trace of {} points", points.len()),
            Profile::Repeat(profile) => write!(f, "{profile}, repeated"),
        }
    }
}

/// A profile of points in the order of time.
///
/// # Errors
/// If there are fewer than two, they aren't in order, or no record would ever be due.
pub fn trace(points: Vec<Point>) -> Result<Profile, ProfileError> {
    Profile::Trace(points).checked()
}

fn check_points(points: &[Point]) -> Result<(), ProfileError> {
    let [first, .., last] = points else {
        return Err(wrong("a trace needs at least two instants"));
    };
    if points.len() > MOST_POINTS {
        return Err(wrong(format!("more than {MOST_POINTS} instants")));
    }
    if points.iter().any(|point| !point.at_s.is_finite()) {
        return Err(wrong("an instant is not a number"));
    }
    if first.at_s < 0.0 {
        return Err(wrong("its first instant is before 0"));
    }
    if let Some(pair) = points.windows(2).find(|pair| pair[1].at_s < pair[0].at_s) {
        return Err(wrong(format!("{} s comes after {} s", pair[1].at_s, pair[0].at_s)));
    }
    if last.at_s > LATEST_S {
        return Err(wrong(format!("{} s is more than 36525 days", last.at_s)));
    }
    Ok(())
}

fn wrong(reason: impl Into<String>) -> ProfileError {
    ProfileError(reason.into())
}

/// `A..B/TIME`.
fn range_and_time(text: &str) -> Result<((Level, Level), Span), ProfileError> {
    let (range, time) = split(text, "/")?;
    let (from, to) = split(range, "..")?;
    Ok(((unit(from)?, unit(to)?), unit(time)?))
}

/// `RATE@TIME`.
fn step(text: &str) -> Result<Step, ProfileError> {
    let (rate, length) = split(text, "@")?;
    Ok(Step { rate: unit(rate)?, length: unit(length)? })
}

/// `BASE+PEAK/EVERY/LENGTH`.
fn burst(text: &str) -> Result<Profile, ProfileError> {
    let (rates, times) = split(text, "/")?;
    let (base, peak) = split(rates, "+")?;
    let (every, length) = split(times, "/")?;
    let (every, length): (Span, Span) = (unit(every)?, unit(length)?);
    Ok(Profile::Burst { base: unit(base)?, peak: unit(peak)?, every, length })
}

fn split<'a>(text: &'a str, at: &str) -> Result<(&'a str, &'a str), ProfileError> {
    text.split_once(at).ok_or_else(|| wrong(format!("no {at:?} in {text:?}")))
}

fn unit<U: FromStr<Err: fmt::Display>>(text: &str) -> Result<U, ProfileError> {
    text.parse().map_err(|error| wrong(format!("{text:?}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(text: &str) -> Profile {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_kind_is_read_written_and_kept() {
        for text in [
            "ramp:0..5000/1m",
            "steps:1000@30s,0@5s,5000@30s",
            "sine:100..900/1h",
            "burst:1000+50000/1m/5s",
        ] {
            assert_eq!(profile(text).to_string(), text);
            let kept = serde_json::to_string(&profile(text).repeated()).unwrap();
            assert_eq!(serde_json::from_str::<Profile>(&kept).unwrap(), profile(text).repeated());
        }
        assert_eq!(profile("ramp:1k..1.5M/60s"), profile("ramp:1000..1500000/1m"));
    }

    #[test]
    fn integrals_are_those_of_the_shapes() {
        let due = |text: &str, seconds| profile(text).course().integral(seconds);
        assert_eq!(due("ramp:0..100/10s", 5.0), 125.0);
        assert_eq!(due("ramp:0..100/10s", 20.0), 1500.0);
        assert_eq!(due("steps:1k@30s,5k@30s", 45.0), 105_000.0);
        assert_eq!(due("steps:1k@30s,5k@30s", 1e6), 180_000.0);
        assert_eq!(due("burst:10+100/60s/5s", 55.0), 550.0);
        assert_eq!(due("burst:10+100/60s/5s", 120.0), 2.0 * 1100.0);
        // min t + (max - min) (t - P sin(2 pi t / P) / 2 pi) / 2
        for t in [0.1, 7.0, 15.0, 30.0, 44.0, 60.0, 200.0f64] {
            let wave = t - 60.0 * (t / 60.0 * std::f64::consts::TAU).sin() / std::f64::consts::TAU;
            let exact = 100.0 * t + 800.0 * wave / 2.0;
            assert!((due("sine:100..900/60s", t) - exact).abs() < 0.1, "{t}");
        }
    }

    #[test]
    fn a_repeated_profile_begins_again() {
        let repeated = profile("ramp:0..100/10s").repeated().course();
        assert_eq!(repeated.integral(25.0), 500.0 + 500.0 + 125.0);
        let repeated = profile("steps:10@1s,20@1s").repeated().course();
        assert_eq!(repeated.integral(7.5), 3.0 * 30.0 + 10.0 + 10.0);
        assert_eq!(profile("sine:1..2/1s").repeated(), profile("sine:1..2/1s"));
    }

    #[test]
    fn a_trace_waits_for_its_first_instant_and_ends_with_its_last() {
        let point = |at_s, rate| Point { at_s, rate: Level::new(rate).unwrap() };
        let course =
            trace(vec![point(1.0, 0.0), point(3.0, 100.0), point(3.0, 10.0), point(5.0, 10.0)])
                .unwrap()
                .course();
        assert_eq!(course.integral(1.0), 0.0);
        assert_eq!(course.integral(3.0), 100.0);
        assert_eq!(course.integral(9.0), 120.0);
        assert_eq!(course.end(), Some(5.0));
        assert!(trace(vec![point(1.0, 5.0)]).is_err());
        assert!(trace(vec![point(1.0, 5.0), point(0.5, 5.0)]).is_err());
        assert!(trace(vec![point(0.0, 0.0), point(9.0, 0.0)]).is_err());
        assert!(trace(vec![point(f64::NAN, 5.0), point(9.0, 5.0)]).is_err());
    }

    #[test]
    fn what_is_no_profile_says_why() {
        for (text, why) in [
            ("5000", "no kind"),
            ("stairs:1@1s", "stairs"),
            ("ramp:1..2", "\"/\""),
            ("ramp:1-2/5s", "\"..\""),
            ("ramp:-1..2/5s", "-1"),
            ("ramp:1..2/5", "unit"),
            ("ramp:0..0/5s", "always 0"),
            ("sine:9..1/5s", "more than"),
            ("steps:5", "\"@\""),
            ("steps:", "\"@\""),
            ("burst:1+5/5s/6s", "fit"),
            ("burst:1+0/5s/1s", "\"0\""),
            ("burst:1+5/5s", "\"/\""),
        ] {
            let error = text.parse::<Profile>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
