use super::*;
use crate::answer::{Bracket, ColumnInfo, Why};
use crate::query::{Bounds, Kind};

const TUMBLE: Window = Window::Tumble { size_ms: 1000 };

fn row(end_ms: i64, zone: &str, count: i64, mean: f64, certainty: Certainty) -> Row {
    Row {
        window: Some(Bounds { end_ms, start_ms: end_ms - 1000 }),
        keys: vec![Value::Text(zone.into())],
        values: vec![Value::Long(count), Value::Double(mean)],
        certainty,
    }
}

/// Windows up to 1,000 and 2,000 ms of two zones are exact, the next bracketed, the last pending.
fn answer() -> Answer {
    let column =
        |name: &str, kind, approximate| ColumnInfo { name: name.into(), kind, approximate };
    let bracket = Bracket {
        least: vec![Value::Long(4), Value::Double(1.0)],
        most: vec![Value::Long(6), Value::Double(3.0)],
        may_be_missing: false,
        pending: false,
        why: Why::MaybeLate(2),
    };
    Answer {
        columns: vec![
            column("zone", Kind::Text, false),
            column("count", Kind::Long, false),
            column("mean", Kind::Double, true),
        ],
        keys: 1,
        windowed: true,
        zone_offset_ms: 0,
        rows: vec![
            row(1000, "a", 1, 0.1, Certainty::Exact),
            row(1000, "b", 2, 0.2, Certainty::Exact),
            row(2000, "a", 3, 0.3, Certainty::Exact),
            row(3000, "a", 6, 3.0, Certainty::Bracketed(Box::new(bracket))),
            row(4000, "a", 7, 0.7, Certainty::Pending),
        ],
        records: 19,
        notes: Vec::new(),
    }
}

fn found(end_ms: i64, zone: &str, count: i64, mean: f64) -> OutputRow {
    let Row { window, keys, values, .. } = row(end_ms, zone, count, mean, Certainty::Exact);
    let place = Place::Record { partition: 0, offset: end_ms };
    OutputRow { window, keys, values, written_ms: Some(end_ms + 5), place }
}

/// What a right job writes.
fn right() -> Vec<OutputRow> {
    vec![
        found(1000, "a", 1, 0.1),
        found(1000, "b", 2, 0.2),
        found(2000, "a", 3, 0.3 * (1.0 + 1e-12)),
        found(3000, "a", 5, 2.0),
    ]
}

fn appended(rows: Vec<OutputRow>) -> Verdict {
    let mut output = Output::new(Changelog::Append);
    rows.into_iter().for_each(|row| output.add(None, Some(row)));
    compare(&answer(), TUMBLE, &output)
}

fn fault(verdict: &Verdict) -> (FindingKind, Option<Place>) {
    assert_eq!(verdict.findings.len(), 1, "{verdict:?}");
    (verdict.findings[0].kind, verdict.findings[0].place)
}

#[test]
fn right_rows_are_right_and_those_open_are_pending() {
    let verdict = appended(right());
    assert_eq!(verdict.outcome, Outcome::Right);
    let counts = Counts { right: 3, within_bracket: 1, pending: 1, ..Counts::default() };
    assert_eq!(verdict.counts, counts);
    let all = Lateness { rows: 4, p50_ms: 5, p99_ms: 5, max_ms: 5 };
    assert_eq!(verdict.lateness, Some(all));
    // A pending row that is told already is held against what it will be.
    let mut early = right();
    early.push(found(4000, "a", 7, 0.7));
    assert_eq!(appended(early.clone()).counts.right, 4);
    early[4].values[0] = Value::Long(6);
    assert_eq!(appended(early).counts.wrong, 1);
}

#[test]
fn each_fault_is_named() {
    let mut rows = right();
    rows[1].values[0] = Value::Long(3);
    let verdict = appended(rows);
    assert_eq!(verdict.outcome, Outcome::Wrong);
    let place = Place::Record { partition: 0, offset: 1000 };
    assert_eq!(fault(&verdict), (FindingKind::Wrong, Some(place)));
    let field = &verdict.findings[0].fields[0];
    assert_eq!((field.name.as_str(), &field.found), ("count", &Value::Long(3)));
    assert_eq!(field.expected, Allowed::Value(Value::Long(2)));

    let mut rows = right();
    rows.remove(0);
    let verdict = appended(rows);
    assert_eq!((verdict.outcome, fault(&verdict).0), (Outcome::Incomplete, FindingKind::Missing));

    let mut rows = right();
    rows.push(found(2000, "c", 1, 0.1));
    assert_eq!(fault(&appended(rows)).0, FindingKind::Extra);

    let mut rows = right();
    rows.push(rows[2].clone());
    let verdict = appended(rows);
    assert_eq!((verdict.outcome, fault(&verdict).0), (Outcome::Wrong, FindingKind::Duplicated));
    assert_eq!(verdict.counts.right, 2);

    let mut rows = right();
    rows[3].values[0] = Value::Long(7);
    let verdict = appended(rows);
    let between = Allowed::Between(Value::Long(4), Value::Long(6));
    assert_eq!(verdict.findings[0].fields[0].expected, between);
}

#[test]
fn means_are_compared_within_the_tolerance_and_counts_exactly() {
    let mut rows = right();
    rows[0].values[1] = Value::Double(0.1 * (1.0 + 1e-8));
    assert_eq!(appended(rows.clone()).counts.wrong, 1);
    rows[0].values[1] = Value::Double(0.1);
    rows[0].values[0] = Value::Double(1.0);
    assert_eq!(appended(rows.clone()).outcome, Outcome::Right, "a whole number as JSON has it");
    rows[0].values[0] = Value::Double(1.0 + 1e-12);
    assert_eq!(appended(rows).counts.wrong, 1);
}

#[test]
fn no_number_is_no_mean() {
    for number in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        let mut rows = right();
        rows[0].values[1] = Value::Double(number);
        rows[3].values[1] = Value::Double(number);
        assert_eq!(appended(rows).counts.wrong, 2, "{number}");
    }
}

#[test]
fn an_output_without_rows_shows_nothing_where_all_may_be_missing() {
    let mut answer = answer();
    answer.rows = answer.rows.split_off(3);
    if let Certainty::Bracketed(bracket) = &mut answer.rows[0].certainty {
        bracket.may_be_missing = true;
    }
    let verdict = compare(&answer, TUMBLE, &Output::new(Changelog::Append));
    let counts = Counts { may_be_missing: 1, pending: 1, ..Counts::default() };
    assert_eq!((verdict.outcome, verdict.counts), (Outcome::Incomplete, counts));
}

#[test]
fn repeats_are_no_fault_of_a_job_that_delivers_at_least_once() {
    let mut output = Output::new(Changelog::Append).at_least_once();
    right().into_iter().chain(right()).for_each(|row| output.add(None, Some(row)));
    let verdict = compare(&answer(), TUMBLE, &output);
    assert_eq!((verdict.outcome, verdict.counts.duplicated), (Outcome::Right, 4));
    assert!(verdict.findings.is_empty(), "{verdict:?}");
}

#[test]
fn upserts_by_another_key_than_the_row_s_are_said_to_be_so() {
    let mut output = Output::new(Changelog::Upsert);
    for row in right() {
        let zone = format!("{:?}", row.keys);
        output.add(Some(zone.as_bytes()), Some(row));
    }
    let verdict = compare(&answer(), TUMBLE, &output);
    assert_eq!(verdict.outcome, Outcome::Incomplete);
    assert!(verdict.notes.iter().any(|note| note.contains("--mode append")), "{verdict:?}");
}

#[test]
fn of_upserts_the_last_of_a_key_counts_and_a_null_deletes() {
    let mut output = Output::new(Changelog::Upsert);
    let key = |at: usize| vec![at as u8];
    output.add(Some(&key(0)), Some(found(1000, "a", 9, 0.9)));
    output.add(Some(&key(9)), Some(found(2000, "z", 9, 0.9)));
    for (at, row) in right().into_iter().enumerate() {
        output.add(Some(&key(at)), Some(row));
    }
    assert_eq!(compare(&answer(), TUMBLE, &output).counts.extra, 1);
    output.add(Some(&key(9)), None);
    let verdict = compare(&answer(), TUMBLE, &output);
    assert_eq!((verdict.outcome, verdict.deleted, verdict.records), (Outcome::Right, 1, 7));
    // The same window and key under two keys of Kafka.
    output.add(Some(&key(8)), Some(found(1000, "a", 1, 0.1)));
    assert_eq!(compare(&answer(), TUMBLE, &output).counts.duplicated, 1);
}

#[test]
fn output_that_shows_nothing_is_not_right() {
    let verdict = appended(Vec::new());
    assert_eq!((verdict.outcome, verdict.counts.missing), (Outcome::Incomplete, 4));
    let pending = Answer { rows: answer().rows.split_off(4), ..answer() };
    let nothing = Output::new(Changelog::Append);
    assert_eq!(compare(&pending, TUMBLE, &nothing).outcome, Outcome::Incomplete);
    let mut output = Output::new(Changelog::Append);
    right().into_iter().for_each(|row| output.add(None, Some(row)));
    output.add_undecodable(Place::Line { line: 5 }, || "no JSON".to_owned());
    let verdict = compare(&answer(), TUMBLE, &output);
    assert_eq!((verdict.outcome, verdict.counts.undecodable), (Outcome::Wrong, 1));
}

#[test]
fn what_is_behind_faults_is_said() {
    let longer = right().into_iter().map(|mut row| {
        row.window = row.window.map(|window| Bounds { end_ms: window.end_ms + 1000, ..window });
        row
    });
    let notes = appended(longer.collect()).notes;
    assert_eq!(notes, ["windows of 2s are there, and the query's are of 1s"]);
    let elsewhere = right().into_iter().map(|mut row| {
        let moved = |ms| ms + 7_200_000;
        row.window = row.window.map(|window| Bounds {
            start_ms: moved(window.start_ms),
            end_ms: moved(window.end_ms),
        });
        row
    });
    let notes = appended(elsewhere.collect()).notes;
    assert!(notes[0].starts_with("windows are +02:00 from where they should be"), "{notes:?}");
}

#[test]
fn sessions_in_parts_are_said_to_be_so() {
    let session = |start_ms, end_ms| Some(Bounds { start_ms, end_ms });
    let mut whole = Answer { rows: vec![answer().rows[0].clone()], ..answer() };
    whole.rows[0].window = session(0, 5000);
    let mut output = Output::new(Changelog::Append);
    for window in [session(0, 2000), session(3000, 5000)] {
        output.add(None, Some(OutputRow { window, ..right()[0].clone() }));
    }
    let verdict = compare(&whole, Window::Session { gap_ms: 1500 }, &output);
    assert_eq!((verdict.counts.missing, verdict.counts.extra), (1, 2));
    assert!(verdict.notes[0].starts_with("sessions are there in parts"), "{:?}", verdict.notes);
}

#[test]
fn a_part_of_a_session_that_a_late_record_may_have_joined_is_no_fault() {
    let session = Window::Session { gap_ms: 100 };
    let part = |start_ms, end_ms| OutputRow {
        window: Some(Bounds { start_ms, end_ms }),
        ..found(3000, "a", 5, 2.0)
    };
    let with = |window, row| {
        let mut output = Output::new(Changelog::Append);
        for row in right().into_iter().chain([row]) {
            output.add(None, Some(row));
        }
        compare(&answer(), window, &output).counts.extra
    };
    // The session from 2,000 to 3,000 is bracketed, that from 1,000 to 2,000 is not.
    assert_eq!((with(session, part(2000, 2500)), with(TUMBLE, part(2000, 2500))), (0, 1));
    assert_eq!((with(session, part(1999, 2500)), with(session, part(1000, 1500))), (1, 1));
}
