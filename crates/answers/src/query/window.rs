//! The windows of event time that records are grouped by.

use std::fmt;
use std::str::FromStr;

use fleetstorm_model::config::units::Span;

use crate::error::QueryError;

/// A kind of window with its lengths, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// None: groups last from the first record to the last.
    None,
    /// Windows that follow one another.
    Tumble {
        /// The length.
        size_ms: i64,
    },
    /// Windows that overlap.
    Hop {
        /// The length.
        size_ms: i64,
        /// From the start of one to that of the next.
        slide_ms: i64,
    },
    /// Windows that last until a gap without records.
    Session {
        /// The gap.
        gap_ms: i64,
    },
    /// Windows that begin together and end a step after another, until the longest ends.
    Cumulate {
        /// The length of the longest.
        size_ms: i64,
        /// From the end of one to that of the next.
        step_ms: i64,
    },
}

/// A window's bounds, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bounds {
    /// The end: of a session as its engine tells it, else exclusive.
    pub end_ms: i64,
    /// The start, inclusive.
    pub start_ms: i64,
}

/// The most windows that a record may be in.
const MOST_WINDOWS: i64 = 1000;

impl Window {
    /// Its kind, in words.
    pub fn words(&self) -> &'static str {
        match self {
            Window::None => "no window",
            Window::Tumble { .. } => "a tumbling window",
            Window::Hop { .. } => "a hopping window",
            Window::Session { .. } => "a session window",
            Window::Cumulate { .. } => "a cumulating window",
        }
    }

    /// Whether `other` is of the same kind.
    pub fn is_like(&self, other: &Window) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// The longest time between two records of one window, where that has a bound.
    pub fn size_ms(&self) -> Option<i64> {
        match *self {
            Window::Tumble { size_ms }
            | Window::Hop { size_ms, .. }
            | Window::Cumulate { size_ms, .. } => Some(size_ms),
            Window::None | Window::Session { .. } => None,
        }
    }

    /// The windows that an instant is in, the first to end first. Starts are multiples of the slide
    /// (or the size) from the epoch, moved by `offset_ms`. None of sessions, and without windows.
    #[inline]
    pub fn of(&self, at_ms: i64, offset_ms: i64) -> impl Iterator<Item = Bounds> {
        let (first, step, count) = match *self {
            Window::Tumble { size_ms } => {
                let start_ms = floor(at_ms, size_ms, offset_ms);
                (Bounds { start_ms, end_ms: start_ms + size_ms }, (0, 0), 1)
            }
            Window::Hop { size_ms, slide_ms } => {
                let last = floor(at_ms, slide_ms, offset_ms);
                // The windows that began after `at_ms - size_ms`.
                let count = (last - (at_ms - size_ms) - 1).div_euclid(slide_ms) + 1;
                let start_ms = last - (count - 1) * slide_ms;
                (Bounds { start_ms, end_ms: start_ms + size_ms }, (slide_ms, slide_ms), count)
            }
            Window::Cumulate { size_ms, step_ms } => {
                let start_ms = floor(at_ms, size_ms, offset_ms);
                let past = (at_ms - start_ms) / step_ms;
                let end_ms = start_ms + (past + 1) * step_ms;
                (Bounds { start_ms, end_ms }, (0, step_ms), size_ms / step_ms - past)
            }
            Window::None | Window::Session { .. } => (Bounds { start_ms: 0, end_ms: 0 }, (0, 0), 0),
        };
        (0..count).map(move |n| Bounds {
            start_ms: first.start_ms + n * step.0,
            end_ms: first.end_ms + n * step.1,
        })
    }
}

/// The last multiple of `unit` up to an instant, counted from the epoch less an offset.
#[inline]
fn floor(at_ms: i64, unit_ms: i64, offset_ms: i64) -> i64 {
    at_ms - (at_ms + offset_ms).rem_euclid(unit_ms)
}

impl FromStr for Window {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Window, QueryError> {
        let wrong =
            |reason: &str| QueryError::Window { text: text.to_owned(), reason: reason.to_owned() };
        let length = |part: &str| {
            let span: Span = part.trim().parse().map_err(
                |error: fleetstorm_model::config::units::UnitError| wrong(&error.reason),
            )?;
            let whole = span.duration().subsec_nanos().is_multiple_of(1_000_000);
            let ms = i64::try_from(span.duration().as_millis()).unwrap_or(i64::MAX);
            if whole { Ok(ms) } else { Err(wrong("windows are of whole milliseconds")) }
        };
        if text == "none" {
            return Ok(Window::None);
        }
        let (kind, lengths) = text.split_once(':').ok_or_else(|| wrong("it has no length"))?;
        let two = || {
            let pair = lengths.split_once('/').ok_or_else(|| wrong("it needs two lengths"))?;
            let (size, part) = (length(pair.0)?, length(pair.1)?);
            if part > size {
                return Err(wrong("its second length is larger than its first"));
            }
            if (size + part - 1) / part > MOST_WINDOWS {
                return Err(wrong("each record would be in more than 1000 windows"));
            }
            Ok((size, part))
        };
        match kind {
            "tumble" => Ok(Window::Tumble { size_ms: length(lengths)? }),
            "session" => Ok(Window::Session { gap_ms: length(lengths)? }),
            "hop" => two().map(|(size_ms, slide_ms)| Window::Hop { size_ms, slide_ms }),
            "cumulate" => {
                let (size_ms, step_ms) = two()?;
                if size_ms % step_ms != 0 {
                    return Err(wrong("its first length is no multiple of its second"));
                }
                Ok(Window::Cumulate { size_ms, step_ms })
            }
            _ => Err(wrong("there is no such kind")),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Window::None => f.write_str("none"),
            Window::Tumble { size_ms } => write!(f, "tumble:{}", Length(size_ms)),
            Window::Hop { size_ms, slide_ms } => {
                write!(f, "hop:{}/{}", Length(size_ms), Length(slide_ms))
            }
            Window::Session { gap_ms } => write!(f, "session:{}", Length(gap_ms)),
            Window::Cumulate { size_ms, step_ms } => {
                write!(f, "cumulate:{}/{}", Length(size_ms), Length(step_ms))
            }
        }
    }
}

/// A length of time in milliseconds, written in its largest whole unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length(
    /// The milliseconds.
    pub i64,
);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
        match units.iter().find(|(unit, _)| self.0 != 0 && self.0 % unit == 0) {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(text: &str, at_ms: i64, offset_ms: i64) -> Vec<(i64, i64)> {
        let window: Window = text.parse().unwrap();
        window.of(at_ms, offset_ms).map(|w| (w.start_ms, w.end_ms)).collect()
    }

    #[test]
    fn a_record_at_the_end_is_in_the_next_window() {
        assert_eq!(windows("tumble:10s", 9_999, 0), [(0, 10_000)]);
        assert_eq!(windows("tumble:10s", 10_000, 0), [(10_000, 20_000)]);
        assert_eq!(windows("tumble:10s", -1, 0), [(-10_000, 0)]);
    }

    #[test]
    fn hopping_windows_hold_a_record_as_often_as_they_overlap() {
        let hops = windows("hop:30s/10s", 20_000, 0);
        assert_eq!(hops, [(0, 30_000), (10_000, 40_000), (20_000, 50_000)]);
        assert_eq!(windows("hop:30s/10s", 29_999, 0), hops);
        assert_eq!(windows("hop:30s/10s", 30_000, 0)[0], (10_000, 40_000));
        // Where the slide doesn't divide the size, windows take turns.
        assert_eq!(windows("hop:25s/10s", 24_999, 0).len(), 3);
        assert_eq!(windows("hop:25s/10s", 25_000, 0).len(), 2);
    }

    #[test]
    fn cumulating_windows_share_their_start() {
        let at = |ms| windows("cumulate:30s/10s", ms, 0);
        assert_eq!(at(9_999), [(0, 10_000), (0, 20_000), (0, 30_000)]);
        assert_eq!(at(10_000), [(0, 20_000), (0, 30_000)]);
        assert_eq!(at(29_999), [(0, 30_000)]);
        assert_eq!(at(30_000), [(30_000, 40_000), (30_000, 50_000), (30_000, 60_000)]);
    }

    #[test]
    fn an_offset_moves_days_to_local_midnight() {
        let two_hours = 7_200_000;
        assert_eq!(windows("tumble:1d", 0, two_hours), [(-7_200_000, 79_200_000)]);
        assert_eq!(windows("tumble:1h", 0, two_hours), [(0, 3_600_000)]);
    }

    #[test]
    fn texts_are_read_and_written_alike_and_errors_say_what_to_write() {
        for text in ["none", "tumble:10s", "hop:1m/10s", "session:500ms", "cumulate:1h/10m"] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
        for text in ["", "tumble", "tumble:", "hop:10s", "hop:10s/20s", "cumulate:1h/7m", "x:1s"] {
            let error = text.parse::<Window>().unwrap_err().to_string();
            assert!(error.contains("write tumble:10s"), "{error}");
        }
        assert!("hop:1d/1ms".parse::<Window>().is_err());
        assert!("tumble:100us".parse::<Window>().is_err());
    }
}
