//! Whether this machine's clock agrees with theirs. Records carry our time, and brokers refuse some
//! that differ too much from their own.
//!
//! A broker tells its time to nobody who writes nothing; a registry does, in the `Date` of each
//! answer. It is mostly of the same place, so it is a hint.

use std::time::{Duration, UNIX_EPOCH};

use chrono::DateTime;

use super::check::Check;
use crate::encoding::registry::Answer;
use crate::run::ExitCode;

const NAME: &str = "clock";
/// Clocks that keep time differ by less.
const NOTICED: f64 = 5.0;
/// How far ahead of its clock a broker takes timestamps, by default, in seconds.
const REFUSED: f64 = 3600.0;

/// Holds this machine's clock against the first that `answers` tell of.
pub fn check(answers: &[Answer]) -> Check {
    let told = answers.iter().find_map(|answer| Some((answer, ahead(answer)?)));
    let Some((answer, ahead)) = told else {
        return Check::skip(
            NAME,
            "not compared: a registry's answer would tell the time, a broker doesn't without being written to",
        );
    };
    let place =
        format!("the registry at {} (its Date; the brokers' clocks were not seen)", answer.url);
    if ahead.abs() <= NOTICED {
        return Check::ok(NAME, format!("within {NOTICED:.0} s of {place}"));
    }
    let direction = if ahead > 0.0 { "ahead of" } else { "behind" };
    let size = Duration::from_secs(ahead.abs().round() as u64);
    let seen =
        format!("this machine's clock is {} {direction} {place}", humantime::format_duration(size));
    let fix = "let NTP keep both clocks: records carry this machine's time, and brokers refuse \
               what is more than message.timestamp.after.max.ms ahead of theirs";
    if ahead > REFUSED {
        Check::fail(NAME, ExitCode::TopicUnfit, seen, fix)
    } else {
        Check::warn(NAME, seen, fix)
    }
}

/// How far our clock is ahead of an answer's, in seconds, the least that is compatible with what is
/// known: the header was made within a second of its text, and between our question and its answer.
fn ahead(answer: &Answer) -> Option<f64> {
    let theirs = DateTime::parse_from_rfc2822(answer.date.as_deref()?).ok()?.timestamp() as f64;
    let heard = answer.heard.duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    let (least, most) = (heard - answer.took.as_secs_f64() - (theirs + 1.0), heard - theirs);
    Some(if least > 0.0 {
        least
    } else if most < 0.0 {
        most
    } else {
        0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::registry::Said;

    /// An answer that says `date`, heard at this second of the epoch.
    fn answer(date: Option<&str>, heard_s: f64) -> Answer {
        Answer {
            url: "http://r".to_owned(),
            status: 200,
            said: Said::Subjects(Some(0)),
            location: None,
            date: date.map(str::to_owned),
            heard: UNIX_EPOCH + Duration::from_secs_f64(heard_s),
            took: Duration::from_millis(100),
            with_credentials: false,
        }
    }

    /// A Monday, by `date -u -d @1795392000`.
    const DATE: &str = "Mon, 23 Nov 2026 00:00:00 GMT";
    const AT: f64 = 1_795_392_000.0;

    #[test]
    fn what_a_whole_second_allows_is_no_skew() {
        for heard in [AT, AT + 0.5, AT + 1.09] {
            assert_eq!(ahead(&answer(Some(DATE), heard)), Some(0.0), "{heard}");
        }
        assert_eq!(ahead(&answer(Some(DATE), AT + 11.1)).map(f64::round), Some(10.0));
        assert_eq!(ahead(&answer(Some(DATE), AT - 10.0)).map(f64::round), Some(-10.0));
    }

    #[test]
    fn a_skew_is_told_with_its_direction_and_refused_where_brokers_would() {
        let told = |heard| check(&[answer(Some(DATE), heard)]);
        assert!(told(AT - 100.0).seen.contains("1m 40s behind"), "{:?}", told(AT - 100.0));
        assert_eq!(told(AT - 100.0).exit_code, None);
        assert_eq!(told(AT + 4000.0).exit_code, Some(ExitCode::TopicUnfit));
        assert!(check(&[answer(None, AT)]).seen.contains("not compared"));
        assert!(check(&[answer(Some("yesterday"), AT)]).seen.contains("not compared"));
    }
}
