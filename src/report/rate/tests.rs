//! Runs whose counts are made here, so that every figure is known.

use fleetstorm_model::run::{Run, RunBuilder};
use fleetstorm_model::schedule::{Pace, Profile, Time};

use super::*;

fn natural() -> RunBuilder {
    Run::builder().seed(1).start("2026-01-01".parse().unwrap())
}

fn at(rate: &str) -> RunBuilder {
    natural().pace(Pace::Rate(Profile::Constant(rate.parse().unwrap())))
}

fn lasting(time: &str, builder: RunBuilder) -> Manifest {
    manifest(builder.duration(time.parse().unwrap()))
}

fn manifest(builder: RunBuilder) -> Manifest {
    builder.build_at(1_767_225_600_000).unwrap().manifest
}

fn measured(from_s: f64, to_s: f64, sent: u64, silent: u64) -> Measured {
    let slots = SlotCounts { sent, silent, bytes: 100 * sent, ..SlotCounts::default() };
    Measured { from_s, to_s, acknowledged_s: to_s, slots, acked: sent, acked_bytes: 100 * sent }
}

fn whole(measured: Measured) -> [Part; 1] {
    [Part { fraction: 1.0, shards: 1, measured }]
}

#[test]
fn records_are_judged_against_what_was_due_without_silent_slots() {
    let manifest = lasting("6s", at("3000"));
    let rate = of(&manifest, &whole(measured(0.0, 6.0, 10_381, 7_617)));
    assert_eq!((rate.target, rate.error), (Some(3000.0), Some(0.0)));
    assert_eq!(rate.achieved, Some(10_381.0 / 6.0));
    assert_eq!(rate.silent_share, Some(7_617.0 / 17_998.0));
    // A tenth of the records due is missing.
    let rate = of(&manifest, &whole(measured(0.0, 6.0, 9_000, 7_998)));
    let off = rate.error.expect("it was paced");
    assert!((off - 1_000.5 / 10_000.5).abs() < 1e-9, "{off}");
}

#[test]
fn nothing_is_judged_that_was_not_paced_or_not_due_or_too_short() {
    let past_run = lasting("1h", natural());
    let past = of(&past_run, &whole(measured(3600.6, 3600.7, 0, 0)));
    assert_eq!((past.target, past.error), (None, None));
    let early = of(&past_run, &whole(measured(0.0, 0.0, 0, 0)));
    assert_eq!((early.target, early.achieved, early.error), (None, None, None));
    let short = of(&manifest(at("50000").records(20)), &whole(measured(0.0, 0.0004, 20, 0)));
    assert_eq!((short.target, short.error), (Some(50_000.0), None));
    let none = of(&manifest(at("100").records(0)), &whole(measured(0.0, 0.0002, 0, 0)));
    assert_eq!(none.error, None);
    let slow = of(&lasting("5s", at("0.05")), &whole(measured(0.0, 5.0, 0, 0)));
    assert_eq!((slow.target, slow.error), (Some(0.05), None));
    let unpaced = of(
        &manifest(natural().time(Time::Simulated).pace(Pace::Max).records(9000)),
        &whole(measured(0.0, 2.0, 9000, 0)),
    );
    assert_eq!((unpaced.target, unpaced.error, unpaced.achieved), (None, None, Some(4500.0)));
    // Where everything was due, and nothing was sent, that is judged.
    let all_lost = of(&lasting("5s", at("100")), &whole(measured(0.0, 5.0, 0, 0)));
    assert_eq!(all_lost.error, Some(1.0));
}

#[test]
fn a_run_that_took_longer_than_its_schedule_was_slower_than_it() {
    for run in [lasting("4s", at("1000")), manifest(at("1000").records(4000))] {
        let rate = of(&run, &whole(measured(0.0, 8.0, 4000, 0)));
        assert_eq!((rate.target, rate.achieved), (Some(1000.0), Some(500.0)));
        assert!((rate.error.expect("it was paced") - 0.5).abs() < 0.001, "{rate:?}");
    }
    let steps = manifest(natural().pace(Pace::Rate("steps:500@2s,1500@2s".parse().unwrap())));
    let rate = of(&steps, &whole(measured(0.0, 8.0, 4000, 0)));
    assert_eq!((rate.target, rate.achieved), (Some(1000.0), Some(500.0)));
    assert!((rate.error.expect("it was paced") - 0.5).abs() < 0.001, "{rate:?}");
}

#[test]
fn what_was_confirmed_later_is_a_rate_of_its_own() {
    let counted = Measured { acknowledged_s: 127.0, ..measured(0.0, 60.0, 1_200_000, 0) };
    let rate = of(&lasting("60s", at("20000")), &whole(counted));
    assert_eq!(rate.achieved, Some(20_000.0));
    assert_eq!(rate.acknowledged, Some(1_200_000.0 / 127.0));
    assert_eq!(rate.acknowledged_bytes_per_second, Some(120_000_000.0 / 127.0));
}

#[test]
fn shards_are_judged_over_the_whole_time() {
    let manifest = lasting("4s", at("3000").machines(300));
    let third = |measured| Part { fraction: 1.0 / 3.0, shards: 1, measured };
    let even = [third(measured(0.0, 4.0, 4000, 0)); 3];
    let rate = of(&manifest, &even);
    assert!((rate.target.expect("it was paced") - 3000.0).abs() < 1e-9);
    assert_eq!((rate.achieved, rate.error), (Some(3000.0), Some(0.0)));
    // One ended after 2.9 s.
    let one_short = [even[0], even[1], third(measured(0.0, 2.9, 2900, 0))];
    let rate = of(&manifest, &one_short);
    assert_eq!(rate.achieved, Some(2725.0));
    assert!((rate.error.expect("it was paced") - 1100.0 / 12_000.0).abs() < 0.001, "{rate:?}");
    // One came a second late: that second was its past.
    let one_late = [even[0], even[1], third(measured(1.0, 4.0, 3000, 0))];
    let rate = of(&manifest, &one_late);
    assert_eq!((rate.achieved, rate.error), (Some(2750.0), Some(0.0)));
    assert!((rate.target.expect("it was paced") - 2750.0).abs() < 1e-9);
}

#[test]
fn a_rate_of_bytes_is_judged_by_bytes() {
    let manifest = lasting("10s", natural().byte_rate("1MB".parse().unwrap()));
    let bytes = |bytes: u64| {
        let mut counted = measured(0.0, 10.0, 70_000, 0);
        counted.slots.bytes = bytes;
        of(&manifest, &whole(counted))
    };
    let rate = bytes(10_000_000);
    assert_eq!((rate.target_bytes_per_second, rate.error), (Some(1e6), Some(0.0)));
    assert!((bytes(9_000_000).error.expect("it was paced") - 0.1).abs() < 1e-9);
}
