//! Checks that this machine's clock agrees with the cluster's. Records carry this machine's time, and
//! brokers reject those that differ too much from their own.
//!
//! A broker reports its time only to clients that write. The active controller does report it, and so
//! does a registry, in the `Date` of each answer. Both usually keep the same time as the brokers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use fleetstorm_producer::ClusterTime;

use super::check::Check;
use crate::exit::ExitCode;
use crate::registry::Answer;

const NAME: &str = "clock";
/// Synchronised clocks differ by less, in seconds.
const NOTICED: f64 = 5.0;
/// How far ahead of its clock a broker accepts timestamps by default, in seconds.
const REFUSED: f64 = 3600.0;

/// Compares this machine's clock with the cluster's, else with that of the first registry in `answers`.
pub fn check(cluster: Option<&ClusterTime>, answers: &[Answer]) -> Check {
    let of_cluster = cluster.and_then(|time| {
        let place = format!("controller {} of the cluster", time.controller);
        Some((place, of_cluster(time)?))
    });
    let told = of_cluster.or_else(|| {
        let (url, ahead) = answers.iter().find_map(|a| Some((&a.url, of_registry(a)?)))?;
        Some((
            format!("the registry at {url} (its Date; the brokers' clocks were not seen)"),
            ahead,
        ))
    });
    let Some((place, ahead)) = told else {
        return Check::skip(
            NAME,
            "not compared: a registry's answer would tell the time, and Kafka's controller where \
             neither SASL nor an ACL is in the way; a broker doesn't without being written to",
        );
    };
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

/// How far our clock is ahead of the cluster's, in seconds.
fn of_cluster(time: &ClusterTime) -> Option<f64> {
    let theirs = time.time_ms as f64 / 1000.0;
    ahead((theirs, theirs + 0.001), time.received, time.round_trip)
}

/// How far our clock is ahead of a registry's, which reports whole seconds.
fn of_registry(answer: &Answer) -> Option<f64> {
    let theirs = DateTime::parse_from_rfc2822(answer.date.as_deref()?).ok()?.timestamp() as f64;
    ahead((theirs, theirs + 1.0), answer.heard, answer.took)
}

/// How far our clock is at least ahead of theirs, in seconds: their time was read at some moment between
/// request and response.
fn ahead(theirs: (f64, f64), heard: SystemTime, took: Duration) -> Option<f64> {
    let heard = heard.duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    let (least, most) = (heard - took.as_secs_f64() - theirs.1, heard - theirs.0);
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
    use crate::registry::AnswerBody;

    /// An answer that says `date`, heard at this second of the epoch.
    fn answer(date: Option<&str>, heard_s: f64) -> Answer {
        Answer {
            url: "http://r".to_owned(),
            status: 200,
            said: AnswerBody::Subjects(Some(0)),
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
            assert_eq!(of_registry(&answer(Some(DATE), heard)), Some(0.0), "{heard}");
        }
        assert_eq!(of_registry(&answer(Some(DATE), AT + 11.1)).map(f64::round), Some(10.0));
        assert_eq!(of_registry(&answer(Some(DATE), AT - 10.0)).map(f64::round), Some(-10.0));
    }

    #[test]
    fn the_clusters_clock_is_taken_before_the_registrys() {
        let cluster = |ahead_ms: i64| ClusterTime {
            controller: 7,
            time_ms: AT as i64 * 1000 - ahead_ms,
            received: UNIX_EPOCH + Duration::from_secs_f64(AT),
            round_trip: Duration::from_millis(20),
        };
        let registry = [answer(Some(DATE), AT + 100.0)];
        let near = check(Some(&cluster(4_900)), &registry);
        assert_eq!(near.exit_code, None);
        assert_eq!(near.seen, "within 5 s of controller 7 of the cluster");
        let far = check(Some(&cluster(7_200_000)), &registry);
        assert_eq!(far.exit_code, Some(ExitCode::TopicUnfit));
        assert!(far.seen.contains("2h ahead of controller 7"), "{}", far.seen);
        let behind = check(Some(&cluster(-60_000)), &[]);
        assert!(behind.seen.contains("1m behind controller 7"), "{}", behind.seen);
    }

    #[test]
    fn a_skew_is_told_with_its_direction_and_refused_where_brokers_would() {
        let told = |heard| check(None, &[answer(Some(DATE), heard)]);
        assert!(told(AT - 100.0).seen.contains("1m 40s behind"), "{:?}", told(AT - 100.0));
        assert_eq!(told(AT - 100.0).exit_code, None);
        assert_eq!(told(AT + 4000.0).exit_code, Some(ExitCode::TopicUnfit));
        assert!(check(None, &[answer(None, AT)]).seen.contains("not compared"));
        assert!(check(None, &[answer(Some("yesterday"), AT)]).seen.contains("not compared"));
    }
}
