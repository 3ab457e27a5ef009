//! What a person is told, of figures made here.

use crate::report::results::{Measured, Past, RateResults, SlotCounts};

use super::*;

fn said(rate: RateResults) -> String {
    let results = Results {
        ended: Ending::Complete,
        records: Default::default(),
        elapsed_s: 10.0,
        rate,
        event_time: Default::default(),
        transport: None,
        throttled_s: 0.0,
        already_there: 0,
        already_dropped: 0,
        torn: 0,
        closing: 0,
        threads: Vec::new(),
        behind: Default::default(),
        dropped: Vec::new(),
        latency_ms: Default::default(),
        errors: Default::default(),
        changed_topics: Vec::new(),
        end_offsets: Default::default(),
        histograms: Default::default(),
    };
    let mut out = Vec::new();
    write(&results, &mut out).expect("it is written to memory");
    String::from_utf8(out).expect("it is text")
}

fn paced(target: f64, achieved: f64, acknowledged: f64) -> RateResults {
    RateResults {
        target: Some(target),
        achieved: Some(achieved),
        acknowledged: Some(acknowledged),
        bytes_per_second: Some(1000.0),
        acknowledged_bytes_per_second: Some(500.0),
        ..RateResults::default()
    }
}

#[test]
fn what_is_confirmed_is_told_where_it_differs() {
    let same = said(paced(20_000.0, 19_998.0, 19_990.0));
    assert!(
        same.contains("rate       19,998 records/s of 20,000 asked for (1.00 kB/s) handed over\n"),
        "{same}"
    );
    assert!(!same.contains("acked      "), "{same}");
    let late = said(RateResults {
        measured: Measured { to_s: 60.0, acknowledged_s: 127.0, ..Measured::default() },
        ..paced(20_000.0, 19_998.0, 9_448.0)
    });
    assert!(late.contains("acked      9,448 records/s (500 B/s), the last 67 s after"), "{late}");
}

#[test]
fn slow_rates_keep_their_digits() {
    let slow = said(paced(0.05, 0.05, 0.05));
    assert!(slow.contains("0.05 records/s of 0.05 asked for"), "{slow}");
}

#[test]
fn the_past_has_a_line_of_its_own_and_nothing_measured_has_none() {
    let slots = SlotCounts { sent: 144_000, bytes: 9_000_000, ..SlotCounts::default() };
    let told = said(RateResults {
        past: Past::new(slots, 0.12),
        achieved: None,
        ..RateResults::default()
    });
    assert!(told.contains("past       144,000 records in 0.12 s"), "{told}");
    assert!(!told.contains("asked for") && !told.contains("rate  "), "{told}");
}

#[test]
fn silent_slots_stand_beside_the_rate() {
    let told = said(RateResults { silent_share: Some(0.423), ..paced(3000.0, 1730.0, 1730.0) });
    assert!(told.contains("1,730 records/s of 3,000 asked for"), "{told}");
    assert!(told.contains("42.3 % of slots silent"), "{told}");
}
