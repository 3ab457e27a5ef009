//! Reports made here, so that every figure is known.
use fleetstorm_model::record::Topic;
use fleetstorm_model::run::Run;
use fleetstorm_model::schedule::Time;
use serde_json::json;

use super::*;
use crate::report::results::{DroppedSpan, Measured, SlotCounts, TopicHistograms};

/// The report of shard `index` of `count`: complete, nothing sent, paced at 300/s for the whole.
fn report(index: u32, count: u32) -> Report {
    let builder = Run::builder().seed(1).start("2026-01-01".parse().unwrap());
    let builder = builder.time(Time::Simulated).shard(Shard::new(index, count).unwrap());
    let manifest = builder.build_at(0).unwrap().manifest;
    let results = Results {
        ended: Ending::Complete,
        records: BTreeMap::new(),
        elapsed_s: 0.0,
        rate: RateResults { max_drift: Some(0.0), ..RateResults::default() },
        event_time: EventTimeResults::default(),
        behind: BehindResults::default(),
        dropped: Vec::new(),
        latency_ms: LatencyResults::default(),
        errors: BTreeMap::new(),
        changed_topics: Vec::new(),
        end_offsets: BTreeMap::new(),
        transport: None,
        throttled_s: 0.0,
        already_there: 0,
        already_dropped: 0,
        torn: 0,
        closing: 0,
        threads: Vec::new(),
        histograms: Histograms::default(),
    };
    Report { manifest, shards: None, results: Some(results) }
}

/// What was counted of a part that has sent so many records of ten bytes.
fn counted(from_s: f64, to_s: f64, sent: u64) -> Measured {
    let slots = SlotCounts { sent, bytes: 10 * sent, ..SlotCounts::default() };
    Measured { from_s, to_s, acknowledged_s: to_s, slots, acked: sent, acked_bytes: 10 * sent }
}

/// That report with its results changed.
fn with(index: u32, count: u32, change: impl FnOnce(&mut Results)) -> Report {
    let mut report = report(index, count);
    change(report.results.as_mut().expect("there are results"));
    report
}

fn parse(path: &str, text: &[u8]) -> Result<Part, MergeError> {
    Part::new(Path::new(path), read::text(Path::new(path), text)?)
}

fn merge_all(reports: &[Report]) -> Result<Report, MergeError> {
    let parts = reports.iter().enumerate().map(|(i, report)| {
        let text = serde_json::to_vec(report).expect("reports are JSON");
        parse(&format!("{i}.json"), &text)
    });
    merged(parts.collect::<Result<_, _>>()?)
}

fn results_of(reports: &[Report]) -> Results {
    merge_all(reports).expect("they are of one run").results.expect("there are results")
}

fn error_of(reports: &[Report]) -> String {
    merge_all(reports).expect_err("they can't be merged").to_string()
}

#[test]
fn counts_and_rates_are_added_and_the_worst_stands_for_the_rest() {
    let counts = |n| TopicResults {
        sent: n,
        acked: n - 2,
        failed: 1,
        unconfirmed: 1,
        dropped: n / 2,
        bytes: 9 * n,
    };
    let part = |index: u32, ended, n: u64| {
        with(index, 3, |results| {
            results.ended = ended;
            results.elapsed_s = n as f64;
            results.records = BTreeMap::from([("usage".to_owned(), counts(n))]);
            results.errors = BTreeMap::from([(format!("E{}", n % 2), n), ("Both".to_owned(), 1)]);
            results.rate.measured = counted(0.0, 10.0, n);
            results.rate.silent = n;
            results.rate.max_drift = Some(n as f64 / 100.0);
            let lag = Lag { longest_s: n as f64, total_s: 50.0 - n as f64, times: n };
            results.behind.handed_over = lag;
        })
    };
    let parts = [
        part(1, Ending::Interrupted, 10),
        part(0, Ending::Closed, 21),
        part(2, Ending::Complete, 8),
    ];
    let merged = results_of(&parts);
    assert_eq!(merged.ended, Ending::Interrupted);
    let sum =
        TopicResults { sent: 39, acked: 33, failed: 3, unconfirmed: 3, dropped: 19, bytes: 351 };
    assert_eq!(merged.records, BTreeMap::from([("usage".to_owned(), sum)]));
    let errors = [("Both", 3), ("E0", 18), ("E1", 21)].map(|(kind, n)| (kind.to_owned(), n));
    assert_eq!(merged.errors, BTreeMap::from(errors));
    assert_eq!((merged.elapsed_s, merged.rate.silent), (21.0, 39));
    let rate = &merged.rate;
    assert_eq!((rate.achieved, rate.bytes_per_second), (Some(3.9), Some(39.0)));
    assert_eq!((rate.measured.slots.sent, rate.measured.acked), (39, 39));
    assert_eq!(rate.max_drift, Some(0.21));
    assert_eq!(merged.behind.handed_over, Lag { longest_s: 21.0, total_s: 42.0, times: 21 });
    assert_eq!(merged.behind.acknowledged, Lag::default());
}

#[test]
fn percentiles_are_those_of_all_values_together() {
    let values = |shard: u64| (0..3000).map(move |i| (i * 7919 + shard * 13) % 9973 * (shard + 1));
    let mut all = latency::histogram();
    let parts = [0, 1, 2].map(|shard| {
        let mut own = latency::histogram();
        values(u64::from(shard)).for_each(|us| {
            own.record(us).expect("within an hour");
            all.record(us).expect("within an hour");
        });
        with(shard, 3, |results| {
            let text = histogram::encode(&own);
            results.histograms.late = text.clone();
            // Topics of one shard alone are kept as well.
            let topic = Topic::ALL[shard as usize % 2].name().to_owned();
            let texts = TopicHistograms { intended: text.clone(), enqueued: text };
            results.histograms.topics.insert(topic, texts);
        })
    });
    let merged = results_of(&parts);
    let expected = Percentiles::of(&all);
    assert!(expected.is_some());
    assert_eq!(merged.rate.late_ms, expected);
    assert_eq!((merged.latency_ms.intended, merged.latency_ms.enqueued), (expected, expected));
    assert_eq!(merged.latency_ms.topics.len(), 2);
    let late = merged.histograms.late.expect("values were late");
    assert_eq!(histogram::decode(&late).unwrap(), all);
}

#[test]
fn the_worst_second_is_that_of_the_sums_where_all_are_listed() {
    let part = |index, error, seconds: &[(u32, u32)]| {
        with(index, 2, |results| {
            results.rate.max_second_error = Some(error);
            results.rate.seconds = seconds.to_vec();
        })
    };
    // What one sends less the other sends more; the last second may be cut.
    let parts = [
        part(0, 0.2, &[(10, 8), (10, 12), (10, 10)]),
        part(1, 0.2, &[(10, 12), (10, 11), (10, 0)]),
    ];
    let merged = results_of(&parts).rate;
    assert_eq!(merged.seconds, [(20, 20), (20, 23), (20, 10)]);
    assert_eq!(merged.max_second_error, Some(0.15));
    let parts = [part(0, 0.3, &[(10, 8); LISTED_SECONDS]), part(1, 0.2, &[(10, 12)])];
    assert_eq!(results_of(&parts).rate.max_second_error, Some(0.3));
}

#[test]
fn the_transport_is_told_where_all_shards_had_the_same() {
    use crate::sink::Transport::{Direct, Librdkafka};
    for (parts, expected) in [
        ([Some(Direct), Some(Direct)], Some(Direct)),
        ([Some(Direct), Some(Librdkafka)], None),
        ([None, Some(Librdkafka)], None),
    ] {
        let part = |index| with(index, 2, |r| r.transport = parts[index as usize]);
        assert_eq!(results_of(&[part(0), part(1)]).transport, expected);
    }
}

#[test]
fn seconds_of_a_shard_that_came_late_are_added_where_they_were() {
    let part = |index, from_s, seconds: &[(u32, u32)]| {
        with(index, 2, |results| {
            results.rate.measured.from_s = from_s;
            results.rate.seconds = seconds.to_vec();
        })
    };
    let parts = [
        part(0, 3.5, &[(5, 2), (10, 13), (10, 0)]),
        part(1, 1.25, &[(7, 0), (10, 10), (10, 10), (10, 10), (10, 0)]),
    ];
    let merged = results_of(&parts).rate;
    assert_eq!(merged.measured.from_s, 1.25);
    assert_eq!(merged.seconds, [(7, 0), (10, 10), (15, 12), (20, 23), (20, 0)]);
    // The first and the last may be cut.
    assert_eq!(merged.max_second_error, Some(0.2));
}

#[test]
fn the_rate_is_that_of_all_records_over_the_whole_time() {
    let part = |index, to_s, sent| {
        with(index, 2, |results| results.rate.measured = counted(0.0, to_s, sent))
    };
    let rate = |parts: &[Report]| results_of(parts).rate;
    let target = rate(&[part(0, 10.0, 1500), part(1, 10.0, 1500)]).target.expect("it is paced");
    assert!((target - 300.0).abs() < 1e-9, "{target}");
    // Ten seconds at 150/s of a half: 75 too few of one are 75 of 3000.
    let error = |parts: &[Report]| rate(parts).error.expect("it was paced");
    assert!((error(&[part(0, 10.0, 1425), part(1, 10.0, 1500)]) - 0.025).abs() < 0.001);
    // A record at the end of each is no error.
    assert_eq!(error(&[part(0, 10.0, 1499), part(1, 10.0, 1499)]), 0.0);
    assert!(error(&[part(0, 10.0, 1498), part(1, 10.0, 1498)]) > 0.0);
    // What ended early is missed for the rest of the time.
    let short = rate(&[part(0, 10.0, 1500), part(1, 7.0, 1050)]);
    assert_eq!(short.achieved, Some(255.0));
    assert!((short.error.expect("it was paced") - 0.15).abs() < 0.001);
    // Of nothing there is no rate.
    let nothing = rate(&[part(0, 0.0, 0), part(1, 0.0, 0)]);
    assert_eq!((nothing.target, nothing.achieved, nothing.error), (None, None, None));
}

#[test]
fn past_parts_are_added() {
    let part = |index, sent, took_s| {
        with(index, 2, |results| {
            let slots = SlotCounts { sent, bytes: 10 * sent, ..SlotCounts::default() };
            results.rate.past = Past::new(slots, took_s);
        })
    };
    let past = results_of(&[part(0, 600, 2.0), part(1, 400, 1.0)]).rate.past.expect("there is one");
    assert_eq!((past.slots.sent, past.took_s, past.achieved), (1000, 2.0, 500.0));
    assert_eq!(results_of(&[part(0, 0, 0.0), report(1, 2)]).rate.past, None);
}

#[test]
fn dropped_spans_are_in_the_order_of_their_time() {
    let parts = [0, 1].map(|index: u32| {
        let mut part = report(index, 2);
        let (shard, start) = (part.manifest.shard, part.manifest.start);
        let results = part.results.as_mut().expect("there are results");
        results.dropped = [u64::from(index), u64::from(index) + 10]
            .map(|slot| DroppedSpan {
                shard,
                thread: Shard::WHOLE,
                first_slot: slot,
                last_slot: slot,
                from: start + chrono::TimeDelta::seconds(slot as i64),
                to: start,
                records: 1,
            })
            .to_vec();
        part
    });
    let spans = results_of(&parts).dropped;
    assert_eq!(spans.iter().map(|span| span.first_slot).collect::<Vec<_>>(), [0, 1, 10, 11]);
    assert_eq!(spans[1].shard, parts[1].manifest.shard);
}

#[test]
fn the_shards_held_are_named_and_those_missing_too() {
    let shards = |report: &Report| held(report).iter().map(Shard::to_string).collect::<Vec<_>>();
    let whole = merge_all(&[report(1, 2), report(0, 2)]).expect("they are of one run");
    assert_eq!(
        (shards(&whole), whole.manifest.shard),
        (vec!["0/2".into(), "1/2".into()], Shard::WHOLE)
    );
    assert_eq!(missing(&whole), None);

    let some = merge_all(&[report(3, 4), report(1, 4)]).expect("they are of one run");
    assert_eq!(some.manifest.shard.to_string(), "1/4");
    let said = missing(&some).expect("two are missing");
    assert!(said.ends_with(": 0/4, 2/4"), "{said}");
    // And merged again.
    let rest = merge_all(&[report(0, 4), report(2, 4)]).expect("they are of one run");
    let whole = merge_all(&[some.clone(), rest]).expect("they are of one run");
    assert_eq!((shards(&whole).len(), whole.manifest.shard), (4, Shard::WHOLE));
    assert_eq!(error_of(&[some, report(3, 4)]), "0.json and 1.json both hold shard 3/4");

    let said = missing(&report(7, 4_000_000_000)).expect("many are missing");
    assert!(said.ends_with("20/4000000000, 3999999979 more"), "{said}");
}

#[test]
fn a_single_report_is_given_back() {
    for mut only in [report(0, 1), report(1, 4)] {
        assert_eq!(merge_all(&[only.clone()]).expect("it is one"), only);
        only.shards = Some(vec![only.manifest.shard]);
        assert_eq!(merge_all(&[only.clone()]).expect("it is one"), only);
    }
}

#[test]
fn the_first_field_that_differs_is_named() {
    let mut other = report(1, 2);
    other.manifest.config.zones.push("zone-z".to_owned());
    other.manifest.seed = 2;
    let zones = r#"["zone-a","zone-b","zone-c"] and ["zone-a","zone-b","zone-c","zone-z"]"#;
    assert_eq!(
        error_of(&[report(0, 2), other.clone()]),
        format!("0.json and 1.json are not of one run: config.zones is {zones}")
    );
    other.manifest.config.zones.pop();
    let said = error_of(&[report(0, 2), other]);
    assert_eq!(said, "0.json and 1.json are not of one run: seed is 1 and 2");
    let said = error_of(&[report(0, 2), report(1, 4)]);
    assert_eq!(said, "0.json and 1.json are not of one run: the number of shards is 2 and 4");
    // The whole run and a shard of it would count records twice.
    assert!(error_of(&[report(0, 1), report(1, 4)]).contains("the number of shards is 1 and 4"));
}

#[test]
fn what_is_no_report_with_results_is_refused() {
    let said = |document: &Value| {
        let text = document.to_string();
        match parse("x.json", text.as_bytes()) {
            Ok(_) => panic!("it is refused: {text}"),
            Err(error) => error.to_string(),
        }
    };
    let good = serde_json::to_value(report(0, 2)).expect("reports are JSON");
    let changed = |pointer: &str, value: Value| {
        let mut document = good.clone();
        *document.pointer_mut(pointer).expect("it is there") = value;
        said(&document)
    };
    assert!(said(&json!([1])).contains("x.json is not a report"));
    assert!(said(&json!({"manifest": {}})).contains("missing field"));
    assert!(changed("/manifest/stream_version", json!(999)).contains("of stream version 999"));
    assert!(changed("/results", Value::Null).contains("no results"));
    assert!(changed("/results/rate/measured/sent", json!("fast")).contains("not a report"));
    let mut listing = good.clone();
    listing["shards"] = json!([]);
    assert!(said(&listing).contains("shards"));
    listing["shards"] = json!(["0/2", "0/4"]);
    assert!(said(&listing).contains("shards"));

    let broken = with(1, 2, |results| results.histograms.late = Some("no".to_owned()));
    assert!(error_of(&[report(0, 2), broken]).contains("1.json is not a report"));
    assert!(matches!(merge_all(&[]), Err(MergeError::Nothing)));
}
