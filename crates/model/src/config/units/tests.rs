use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::time::Duration;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::*;

fn refused<T: FromStr<Err = UnitError> + Debug>(text: &str) -> String {
    text.parse::<T>().expect_err(&format!("{text:?} was taken")).to_string()
}

/// By text and by JSON text.
fn round_trip<T>(value: T)
where
    T: FromStr<Err = UnitError> + Display + Debug + PartialEq + Serialize + DeserializeOwned,
{
    let text = value.to_string();
    assert_eq!(text.parse::<T>().as_ref(), Ok(&value), "{text}");
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&json).ok().as_ref(), Some(&value), "{json}");
}

#[test]
fn rates() {
    for (text, rate) in [
        ("5000", 5000.0),
        ("0.2", 0.2),
        (".5", 0.5),
        ("5k", 5000.0),
        ("5K/s", 5000.0),
        ("1.5M", 1.5e6),
        ("50_000", 50_000.0),
        (" 10 /s ", 10.0),
        ("1e3", 1000.0),
        ("1000M", 1e9),
    ] {
        assert_eq!(text.parse::<Rate>().map(Rate::per_second), Ok(rate), "{text}");
    }
    for text in [
        "", "k", "/s", "fast", "max", "nan", "inf", "infinity", "1e400", "0", "-1", "5m", "5 5",
        "5kk", "5.", "1001M", "1e-7", "é", "5é", "_5", "５",
    ] {
        let error = refused::<Rate>(text);
        assert!(error.ends_with("; write records per second, as 5000, 0.2, 5k or 1.5M"), "{error}");
    }
    assert_eq!(
        refused::<Rate>("0"),
        "must be from 0.000001 to 1000000000; write records per second, as 5000, 0.2, 5k or 1.5M"
    );
}

#[test]
fn rate_limits() {
    assert_eq!("max".parse(), Ok(RateLimit::Max));
    assert_eq!("5k".parse(), Ok(RateLimit::At("5000".parse().unwrap())));
    assert!(refused::<RateLimit>("maximum").ends_with("or 1.5M, or max"));
    assert_eq!(json!(RateLimit::Max), json!("max"));
    assert_eq!(json!(RateLimit::At(Rate::new(0.2).unwrap())), json!(0.2));
    assert_eq!(
        serde_json::from_str::<RateLimit>("5000").unwrap(),
        RateLimit::At(Rate::new(5000.0).unwrap())
    );
    assert!(serde_json::from_str::<RateLimit>("0").is_err());
    assert!(serde_json::from_str::<Rate>("-1").is_err());
}

#[test]
fn speeds() {
    for (text, speed) in [("60x", 60.0), ("1.5x", 1.5), ("60", 60.0)] {
        assert_eq!(text.parse::<Speed>().map(Speed::factor), Ok(speed));
    }
    for text in ["", "x", "0x", "-1x", "infx", "nan", "fast", "2xx"] {
        let error = refused::<Speed>(text);
        assert!(error.ends_with("as 60x or 1.5x"), "{error}");
    }
}

#[test]
fn byte_rates() {
    for (text, bytes) in [
        ("10MB", 10_000_000),
        ("10MB/s", 10_000_000),
        ("512KiB/s", 524_288),
        ("1.5 GB", 1_500_000_000),
        ("10mb", 10_000_000),
        ("1000", 1000),
        ("1B", 1),
        ("1TB/s", 1_000_000_000_000),
    ] {
        assert_eq!(text.parse::<ByteRate>().map(ByteRate::per_second), Ok(bytes), "{text}");
    }
    for text in ["", "MB", "0", "0.1B", "-1MB", "fast", "2TB", "99999999999999999999EB", "1é"] {
        let error = refused::<ByteRate>(text);
        assert!(error.ends_with("; write bytes per second, as 10MB/s or 512KiB/s"), "{error}");
    }
    assert!(refused::<ByteRate>("10Mb").starts_with("those are bits"));
    assert_eq!(ByteRate::new(10_000_000).unwrap().to_string(), "10MB/s");
    assert_eq!(ByteRate::new(524_288).unwrap().to_string(), "512KiB/s");
    assert_eq!(json!(ByteRate::new(7).unwrap()), json!(7));
}

#[test]
fn spans() {
    for (text, duration) in [
        ("60s", Duration::from_secs(60)),
        ("1m 30s", Duration::from_secs(90)),
        ("1m30s", Duration::from_secs(90)),
        ("2h", Duration::from_secs(7200)),
        ("7d", Duration::from_secs(604_800)),
        ("250ms", Duration::from_millis(250)),
        ("1.5s", Duration::from_millis(1500)),
    ] {
        assert_eq!(text.parse::<Span>().map(Span::duration), Ok(duration), "{text}");
    }
    let examples = "; write a time with its unit, as 60s, 1m 30s, 2h, 7d or 250ms";
    for text in [
        "",
        " ",
        "s",
        "60",
        "0",
        "0s",
        "-1s",
        "1 parsec",
        "200years",
        "18446744073709551615s 1000000000ns",
        "1844674407 3709551615s 1000000000ns",
        "é",
    ] {
        let error = refused::<Span>(text);
        assert!(error.ends_with(examples), "{error}");
    }
    assert_eq!(refused::<Span>("60"), format!("a time needs a unit (60s, say){examples}"));
    assert_eq!(json!("90s".parse::<Span>().unwrap()), json!("1m 30s"));
    assert_eq!(json!("1s".parse::<Span>().unwrap()), json!("1s"));
    assert_eq!(json!("60d".parse::<Span>().unwrap()), json!("60d"));
    let error = serde_json::from_str::<Span>("\"60\"").unwrap_err();
    assert!(error.to_string().starts_with("`60`: a time needs a unit"), "{error}");
}

#[test]
fn start_times() {
    const NEW_YEAR: i64 = 1_767_225_600_000;
    for (text, start) in [
        ("now", StartTime::Now),
        ("2026-01-01", StartTime::Absolute(NEW_YEAR)),
        ("2026-01-01T00:00:00", StartTime::Absolute(NEW_YEAR)),
        ("2026-01-01 00:00:00", StartTime::Absolute(NEW_YEAR)),
        ("2026-01-01T00:00", StartTime::Absolute(NEW_YEAR)),
        ("2026-01-01T00:00:00Z", StartTime::Absolute(NEW_YEAR)),
        ("2026-01-01T02:00:00+02:00", StartTime::Absolute(NEW_YEAR)),
        ("2025-12-31T19:00:00.250-05:00", StartTime::Absolute(NEW_YEAR + 250)),
        ("1767225600000", StartTime::Absolute(NEW_YEAR)),
        ("1970-01-01", StartTime::Absolute(0)),
        ("-7d", StartTime::Relative(-604_800_000)),
        ("+10s", StartTime::Relative(10_000)),
        ("-1h 30m", StartTime::Relative(-5_400_000)),
    ] {
        assert_eq!(text.parse(), Ok(start), "{text}");
    }
    for (text, reason) in [
        ("", "not a time"),
        ("tomorrow", "not a time"),
        ("2026-13-01", "not a time"),
        ("2026-02-30", "not a time"),
        ("7d", "it needs a sign: -7d is before now"),
        ("-7", "a time needs a unit"),
        ("-", "it is empty"),
        ("--7d", ""),
        ("+100us", "less than a millisecond"),
        ("1767225600", "too few digits for epoch milliseconds"),
        ("2026", "too few digits"),
        ("9999999999999999", "must be between the years"),
        ("99999999999999999999999", "too many digits"),
        ("1969-12-31T23:59:59", "must be between the years 1970 and 9999"),
        ("+12026-01-01", ""),
        ("é", "not a time"),
    ] {
        let error = refused::<StartTime>(text);
        assert!(error.starts_with(reason), "{error}");
        assert!(
            error.ends_with("2026-01-01T00:00:00Z or epoch milliseconds as 1767225600000"),
            "{error}"
        );
    }
    assert_eq!(json!(StartTime::Relative(-604_800_000)), json!("-7d"));
    assert_eq!(json!(StartTime::Absolute(NEW_YEAR)), json!("2026-01-01T00:00:00Z"));
    assert_eq!(StartTime::Now.resolve(NEW_YEAR), Ok(NEW_YEAR));
    assert_eq!(StartTime::Absolute(5).resolve(NEW_YEAR), Ok(5));
    assert_eq!(StartTime::Relative(-1000).resolve(NEW_YEAR), Ok(NEW_YEAR - 1000));
    assert!(StartTime::Relative(i64::MIN).resolve(-1).is_err());
    assert!("-99y".parse::<StartTime>().unwrap().resolve(NEW_YEAR).is_err());
}

#[test]
fn shards() {
    let shard: Shard = "1/4".parse().unwrap();
    assert_eq!((shard.index(), shard.count()), (1, 4));
    assert_eq!("0/1".parse(), Ok(Shard::WHOLE));
    assert_eq!(Shard::default(), Shard::WHOLE);
    for (text, reason) in [
        ("4/4", "the index must be from 0 to 3"),
        ("0/0", "the count must be at least 1"),
        ("", "not an index"),
        ("1", "not an index"),
        ("/4", "not an index"),
        ("1/", "not an index"),
        ("-1/4", "not an index"),
        ("+1/4", "not an index"),
        ("1/2/3", "not an index"),
        ("1/99999999999", "not an index"),
    ] {
        let error = refused::<Shard>(text);
        assert!(error.starts_with(reason), "{error}");
        assert!(error.contains("as 0/4 to 3/4"), "{error}");
    }
    assert_eq!(json!(shard), json!("1/4"));
    assert!(serde_json::from_str::<Shard>("\"4/4\"").is_err());
}

proptest! {
    #[test]
    fn every_value_reads_back_as_it_was_written(
        number in prop_oneof![1e-6..1.0f64, 1.0..1e9f64],
        bytes in prop_oneof![1u64..=1_000_000_000_000, (1u64..=900_000_000).prop_map(|n| n * 1024)],
        nanos in 1u64..=3_000_000_000_000_000_000,
        instant in 0i64..=253_402_300_799_999,
        offset in prop_oneof![-3_000_000_000_000i64..=-1, 1..=3_000_000_000_000i64],
        (index, count) in (1u32..).prop_flat_map(|count| (0..count, Just(count))),
    ) {
        round_trip(Rate::new(number).unwrap());
        round_trip(RateLimit::At(Rate::new(number).unwrap()));
        round_trip(RateLimit::Max);
        round_trip(Speed::new(number).unwrap());
        round_trip(ByteRate::new(bytes).unwrap());
        round_trip(Span::new(Duration::from_nanos(nanos)).unwrap());
        round_trip(StartTime::Now);
        round_trip(StartTime::Absolute(instant));
        round_trip(StartTime::Relative(offset));
        round_trip(Shard::new(index, count).unwrap());
    }

    #[test]
    fn no_text_makes_a_unit_panic(
        text in prop_oneof![
            "\\PC{0,20}",
            "[-+]?[0-9_ ]{0,25}(\\.[0-9]{0,12})?[ ]?[a-zA-Zµ/]{0,4}",
            "([0-9]{1,20} ?(ns|us|ms|s|m|h|d|w|M|y) ?){1,8}",
            "[0-9T:.Z+-]{0,30}",
        ],
    ) {
        let _ = text.parse::<Rate>();
        let _ = text.parse::<RateLimit>();
        let _ = text.parse::<Speed>();
        let _ = text.parse::<ByteRate>();
        let _ = text.parse::<Span>();
        let _ = text.parse::<Shard>();
        if let Ok(start) = text.parse::<StartTime>() {
            let _ = start.to_string();
        }
    }
}

#[test]
fn levels_are_rates_or_nothing() {
    assert_eq!("0".parse::<Level>().unwrap().per_second(), 0.0);
    assert_eq!("1.5k".parse::<Level>().unwrap().per_second(), 1500.0);
    for wrong in ["-1", "1e-9", "2G", "nan", ""] {
        assert!(wrong.parse::<Level>().is_err(), "{wrong}");
    }
}

#[test]
fn percentages_have_bounds() {
    assert_eq!("0.1%".parse::<Percent>().unwrap().fraction(), 0.001);
    assert_eq!("5".parse::<Percent>().unwrap().fraction(), 0.05);
    for wrong in ["-1%", "101", "nan%", "much", ""] {
        assert!(wrong.parse::<Percent>().is_err(), "{wrong}");
    }
}

#[test]
fn a_shard_can_be_that_of_a_job() {
    let choice: ShardChoice = "job/4".parse().unwrap();
    assert_eq!(choice.resolve(Some("3")).unwrap().to_string(), "3/4");
    assert_eq!("1/2".parse::<ShardChoice>().unwrap().resolve(None).unwrap().to_string(), "1/2");
    for wrong in [None, Some("4"), Some("-1"), Some("x"), Some("")] {
        assert!(choice.resolve(wrong).is_err(), "{wrong:?}");
    }
    for wrong in ["job/0", "job/", "job", "job/x"] {
        assert!(wrong.parse::<ShardChoice>().is_err(), "{wrong}");
    }
}
