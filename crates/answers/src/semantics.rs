//! What a query means in an engine: when a window closes, what is late, where a session ends.
//!
//! Out of order is not late. Late is what comes behind the watermark, or behind stream time less the
//! grace, so that its window has closed.
//!
//! | Engine | A window closes when | A session ends |
//! |---|---|---|
//! | Flink SQL | highest timestamp - bound >= end - 1 ms | at the last event + gap, exclusive |
//! | Flink DataStream | highest timestamp - bound >= end (watermarks are 1 ms lower) | the same |
//! | Kafka Streams | stream time - grace >= end | at the last event, inclusive |
//! | ksqlDB | the same; grace of 24 h less the size where none is said | the same |

use crate::engine::Engine;
use crate::error::AnswerError;
use crate::query::{Question, Window};

/// What may be said beside the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Flink: how far the watermark stays behind the highest timestamp, in milliseconds; 1 s
    /// unless given.
    pub watermark_ms: Option<i64>,
    /// Kafka Streams, ksqlDB: how long a window takes records after its end, in milliseconds; 24 h
    /// unless given, in ksqlDB less the window's size. Flink DataStream: the allowed lateness, none
    /// unless given.
    pub grace_ms: Option<i64>,
    /// Flink: the session's time zone, in milliseconds ahead of UTC; 0 unless given.
    pub zone_offset_ms: Option<i64>,
    /// Whether the job ends with its input, so that all windows close.
    pub bounded: bool,
}

/// What a query means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Semantics {
    /// The engine.
    pub engine: Engine,
    /// How far windows' closing stays behind the highest timestamp, in milliseconds: a watermark's
    /// bound, or the grace.
    pub delay_ms: i64,
    /// How long after that late records still count, in milliseconds: Flink DataStream's allowed
    /// lateness.
    pub lateness_ms: i64,
    /// By how much windows are moved, in milliseconds.
    pub zone_offset_ms: i64,
    /// Whether all windows close with the input.
    pub bounded: bool,
}

/// The bound of the watermarks in the suite's texts.
pub const WATERMARK_MS: i64 = 1000;
/// The grace of the suite's texts, and of ksqlDB less the window's size.
pub const GRACE_MS: i64 = 86_400_000;

impl Semantics {
    /// What `question` means in `engine`.
    ///
    /// # Errors
    /// [`AnswerError`] where the engine has no such option or window.
    pub fn new(
        engine: Engine,
        options: &Options,
        question: &Question,
    ) -> Result<Semantics, AnswerError> {
        let window = question.window();
        let refused = |option, instead| Err(AnswerError::Option { engine, option, instead });
        match (engine, options) {
            (Engine::FlinkSql, Options { grace_ms: Some(_), .. }) => {
                return refused(
                    "--grace",
                    "late records are dropped, give the bound by --watermark",
                );
            }
            (Engine::KafkaStreams | Engine::KsqlDb, Options { watermark_ms: Some(_), .. }) => {
                return refused("--watermark", "give the time after a window's end by --grace");
            }
            (Engine::KafkaStreams | Engine::KsqlDb, Options { zone_offset_ms: Some(_), .. }) => {
                return refused("--zone-offset", "its windows are counted in UTC, leave it out");
            }
            (Engine::KafkaStreams | Engine::KsqlDb, Options { bounded: true, .. }) => {
                return refused("--bounded", "its jobs have no end, leave it out");
            }
            _ => {}
        }
        if let Window::Cumulate { .. } = window
            && engine != Engine::FlinkSql
        {
            let instead = "ask with --semantics flink-sql, or for a hopping window".to_owned();
            return Err(AnswerError::NoSuchWindow { engine, window: "cumulating window", instead });
        }
        if let Window::Hop { size_ms, slide_ms } = window
            && size_ms % slide_ms != 0
            && engine == Engine::FlinkSql
        {
            let instead = "make the size a multiple of the slide".to_owned();
            let window = "hopping window whose size is no multiple of its slide";
            return Err(AnswerError::NoSuchWindow { engine, window, instead });
        }
        let size_ms = match window {
            Window::Session { gap_ms } => gap_ms,
            _ => window.size_ms().unwrap_or(0),
        };
        let delay_ms = match engine {
            Engine::FlinkSql | Engine::FlinkDataStream => {
                options.watermark_ms.unwrap_or(WATERMARK_MS)
            }
            Engine::KafkaStreams => options.grace_ms.unwrap_or(GRACE_MS),
            Engine::KsqlDb => options.grace_ms.unwrap_or((GRACE_MS - size_ms).max(0)),
        };
        let lateness_ms = match engine {
            Engine::FlinkDataStream => options.grace_ms.unwrap_or(0),
            _ => 0,
        };
        Ok(Semantics {
            engine,
            delay_ms,
            lateness_ms,
            zone_offset_ms: options.zone_offset_ms.unwrap_or(0),
            bounded: options.bounded,
        })
    }

    /// Whether a window that ends at `end_ms` closes once the highest timestamp is `highest_ms`, so
    /// that an engine with watermarks emits it.
    #[inline]
    pub fn closes(&self, end_ms: i64, highest_ms: i64) -> bool {
        let reached = highest_ms.saturating_sub(self.delay_ms);
        match self.engine {
            Engine::FlinkSql => reached >= end_ms - 1,
            _ => reached >= end_ms,
        }
    }

    /// Whether a record is late for a window that ends at `end_ms`, where the highest timestamp
    /// before it (in Kafka Streams its own included) is `highest_ms`.
    #[inline]
    pub fn is_late(&self, end_ms: i64, highest_ms: i64) -> bool {
        self.closes(end_ms, highest_ms.saturating_sub(self.lateness_ms))
    }

    /// The end of a session, as the engine reports it.
    #[inline]
    pub fn session_end(&self, last_ms: i64, gap_ms: i64) -> i64 {
        if self.engine.is_flink() { last_ms + gap_ms } else { last_ms }
    }

    /// Whether a session of this last event closes once the highest timestamp is `highest_ms`.
    #[inline]
    pub fn closes_session(&self, last_ms: i64, gap_ms: i64, highest_ms: i64) -> bool {
        if self.engine.is_flink() {
            self.closes(last_ms + gap_ms, highest_ms)
        } else {
            // The gap counts as well as the grace, and a session that ends at the close is still open.
            last_ms < highest_ms.saturating_sub(self.delay_ms).saturating_sub(gap_ms)
        }
    }

    /// Whether the engine may have dropped a session before a record of this instant extends it, once the
    /// highest timestamp is `highest_ms`. The old session's row then stays beside the new one.
    #[inline]
    pub fn forgets_session(&self, event_ms: i64, highest_ms: i64) -> bool {
        // Kafka Streams keeps sessions for the gap and the grace from stream time on, and takes records
        // behind it as well.
        !self.engine.is_flink() && event_ms < highest_ms.saturating_sub(self.delay_ms)
    }
}

/// Reads an offset from UTC, as `+02:00`, in milliseconds.
///
/// # Errors
/// [`AnswerError::ZoneOffset`].
pub fn zone_offset(text: &str) -> Result<i64, AnswerError> {
    let wrong = || AnswerError::ZoneOffset(text.to_owned());
    if text == "Z" || text == "UTC" {
        return Ok(0);
    }
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(wrong()),
    };
    let (hours, minutes) = rest.split_once(':').ok_or_else(wrong)?;
    let part = |digits: &str, most: i64| {
        let all = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|&number: &i64| all && number <= most).ok_or_else(wrong)
    };
    let minutes = part(hours, 18)? * 60 + part(minutes, 59)?;
    if minutes > 18 * 60 { Err(wrong()) } else { Ok(sign * minutes * 60_000) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Aggregation;

    fn semantics(engine: Engine, delay_ms: i64) -> Semantics {
        Semantics { engine, delay_ms, lateness_ms: 0, zone_offset_ms: 0, bounded: false }
    }

    #[test]
    fn engines_close_a_window_a_millisecond_apart() {
        // A window up to 10,000 with a delay of 1,000.
        let first = |engine| {
            let semantics = semantics(engine, 1000);
            (0..).find(|&highest| semantics.closes(10_000, highest)).unwrap()
        };
        assert_eq!(first(Engine::FlinkSql), 10_999);
        assert_eq!(first(Engine::FlinkDataStream), 11_000);
        assert_eq!(first(Engine::KafkaStreams), 11_000);
        assert_eq!(first(Engine::KsqlDb), 11_000);
    }

    #[test]
    fn sessions_end_with_the_gap_in_flink_and_with_the_last_event_in_streams() {
        let flink = semantics(Engine::FlinkSql, 0);
        assert_eq!(flink.session_end(5000, 3000), 8000);
        assert!(!flink.closes_session(5000, 3000, 7998) && flink.closes_session(5000, 3000, 7999));
        let streams = semantics(Engine::KafkaStreams, 100);
        assert_eq!(streams.session_end(5000, 3000), 5000);
        assert!(!streams.closes_session(5000, 3000, 8100));
        assert!(streams.closes_session(5000, 3000, 8101));
    }

    #[test]
    fn options_of_another_engine_are_refused() {
        let question = |window| {
            Question::Aggregate(Aggregation::parse("usage", window, "", "count", &[]).unwrap())
        };
        let tumble = question("tumble:10s");
        let with_grace = Options { grace_ms: Some(0), ..Options::default() };
        assert!(Semantics::new(Engine::FlinkSql, &with_grace, &tumble).is_err());
        let streams = Semantics::new(Engine::KafkaStreams, &with_grace, &tumble).unwrap();
        assert_eq!(streams.delay_ms, 0);
        let ksqldb = Semantics::new(Engine::KsqlDb, &Options::default(), &tumble).unwrap();
        assert_eq!(ksqldb.delay_ms, 86_390_000);
        let cumulate = question("cumulate:1h/10m");
        let error = Semantics::new(Engine::KsqlDb, &Options::default(), &cumulate).unwrap_err();
        assert!(error.to_string().contains("--semantics flink-sql"), "{error}");
        let uneven = question("hop:25s/10s");
        assert!(Semantics::new(Engine::FlinkSql, &Options::default(), &uneven).is_err());
        assert!(Semantics::new(Engine::KafkaStreams, &Options::default(), &uneven).is_ok());
    }

    #[test]
    fn zone_offsets_are_hours_and_minutes() {
        assert_eq!(zone_offset("+02:00"), Ok(7_200_000));
        assert_eq!(zone_offset("-05:30"), Ok(-19_800_000));
        for text in ["", "2", "+2:00", "+19:00", "+18:01", "+02:60", "ü2:00", "+-1:00"] {
            assert!(zone_offset(text).is_err(), "{text}");
        }
    }
}
