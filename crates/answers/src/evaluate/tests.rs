//! Hand-made records at the boundaries of every kind of window, under each semantics.

use fleetstorm_model::Run;
use fleetstorm_model::record::{Record, Telemetry};
use fleetstorm_model::stream::KeyedRecord;
use proptest::prelude::*;

use super::arrival::{Arrival, Slack};
use super::grouped::Grouped;
use super::*;
use crate::answer::{Certainty, Value, Why};
use crate::query::Window;
use crate::semantics::Options;
use crate::suite;

/// How far behind records may come in these tests.
const FAR_MS: i64 = 1_000_000;

/// A reading: partition, instant, machine, cpu.
type Reading = (i32, i64, &'static str, f64);

fn question(window: &str, by: &str, select: &str) -> Aggregation {
    Aggregation::parse("telemetry", window, by, select, &[]).unwrap()
}

fn semantics(engine: Engine, delay_ms: i64) -> Semantics {
    Semantics { engine, delay_ms, lateness_ms: 0, zone_offset_ms: 0, bounded: false }
}

fn answered(
    asked: &Aggregation,
    semantics: &Semantics,
    slack: Slack,
    readings: &[Reading],
) -> Vec<Row> {
    let mut grouped = Grouped::new(asked, semantics, Arrival::new(2, slack), FAR_MS);
    for &(partition, at_ms, machine_id, cpu_percent) in readings {
        let record = Record::Telemetry(Telemetry {
            timestamp: at_ms,
            machine_id,
            machine_type: "core",
            zone: "zone-a",
            region: "us-east-1",
            cpu_percent,
            memory_percent: 10.0,
            disk_percent: 20.0,
            network_in_mbps: 1.0,
            network_out_mbps: 2.0,
            request_count: cpu_percent as i64,
            error_count: 0,
            latency_p50: 1.0,
            latency_p99: 5.0,
            is_anomaly: false,
        });
        let place = usize::from(machine_id.as_bytes()[0] - b'a');
        grouped.take(
            place,
            &KeyedRecord {
                record: &record,
                key: machine_id,
                by_machine: true,
                partition,
                timestamp_ms: at_ms,
            },
        );
    }
    grouped.finish().0
}

/// Windows, counts and certainty of an answer that counts.
fn counts(rows: &[Row]) -> Vec<(i64, i64, i64, &'static str)> {
    let one = |row: &Row| {
        let window = row.window.unwrap();
        let count = row.values[0].number().unwrap() as i64;
        (window.start_ms, window.end_ms, count, row.certainty.as_str())
    };
    rows.iter().map(one).collect()
}

const EXACT: Slack = Slack::Within(0);

#[test]
fn a_tumbling_window_closes_with_the_engine_s_watermark() {
    let asked = question("tumble:10s", "", "count");
    let last = |engine, delay_ms, last_ms| {
        let readings = [(0, 0, "a", 1.0), (0, 9_999, "a", 1.0), (0, last_ms, "a", 1.0)];
        let rows = answered(&asked, &semantics(engine, delay_ms), EXACT, &readings);
        counts(&rows)[0]
    };
    assert_eq!(last(Engine::FlinkSql, 1000, 10_999), (0, 10_000, 2, "exact"));
    assert_eq!(last(Engine::FlinkSql, 1000, 10_998), (0, 10_000, 2, "pending"));
    assert_eq!(last(Engine::FlinkDataStream, 1000, 11_000), (0, 10_000, 2, "exact"));
    assert_eq!(last(Engine::FlinkDataStream, 1000, 10_999), (0, 10_000, 2, "pending"));
    // Engines that tell each update have told all by the end.
    assert_eq!(last(Engine::KafkaStreams, 1000, 10_000), (0, 10_000, 2, "exact"));
    assert_eq!(last(Engine::KsqlDb, 0, 10_000), (0, 10_000, 2, "exact"));
}

#[test]
fn a_job_that_ends_with_its_input_closes_all() {
    let asked = question("tumble:10s", "", "count");
    let bounded = Semantics { bounded: true, ..semantics(Engine::FlinkSql, 1000) };
    let rows = answered(&asked, &bounded, EXACT, &[(0, 5, "a", 1.0)]);
    assert_eq!(counts(&rows), [(0, 10_000, 1, "exact")]);
}

#[test]
fn the_slowest_partition_holds_the_watermark_back() {
    let asked = question("tumble:10s", "", "count");
    let readings = [(0, 0, "a", 1.0), (1, 5_000, "b", 1.0), (0, 30_000, "a", 1.0)];
    let rows = answered(&asked, &semantics(Engine::FlinkSql, 0), EXACT, &readings);
    let certainties: Vec<&str> = rows.iter().map(|row| row.certainty.as_str()).collect();
    assert_eq!(certainties, ["pending", "pending"]);
}

#[test]
fn a_late_record_is_bracketed_in_flink_and_dropped_in_streams() {
    let asked =
        question("tumble:10s", "", "count,sum(cpu_percent),min(cpu_percent),avg(cpu_percent)");
    // The record of 9,999 comes behind one of `t`, with a delay of 1 s.
    let behind = |engine, t| {
        let readings =
            [(0, 1_000, "a", 4.0), (0, t, "a", 4.0), (0, 9_999, "b", 2.0), (0, 60_000, "a", 1.0)];
        answered(&asked, &semantics(engine, 1000), EXACT, &readings).remove(0)
    };
    assert_eq!(behind(Engine::FlinkSql, 10_998).certainty, Certainty::Exact);
    let row = behind(Engine::FlinkSql, 10_999);
    let Certainty::Bracketed(bracket) = row.certainty else { panic!("{row:?}") };
    assert_eq!(bracket.why, Why::MaybeLate(1));
    let double = Value::Double;
    assert_eq!(bracket.least, [Value::Long(1), double(4.0), double(2.0), double(3.0)]);
    assert_eq!(bracket.most, [Value::Long(2), double(6.0), double(4.0), double(4.0)]);
    assert!(!bracket.may_be_missing);
    let row = behind(Engine::KafkaStreams, 11_000);
    assert_eq!((row.values[0].clone(), row.certainty), (Value::Long(1), Certainty::Exact));
    let row = behind(Engine::KafkaStreams, 10_999);
    assert_eq!((row.values[0].clone(), row.certainty), (Value::Long(2), Certainty::Exact));
}

#[test]
fn allowed_lateness_takes_what_comes_behind_the_watermark() {
    let asked = question("tumble:10s", "", "count");
    let readings = [(0, 1_000, "a", 1.0), (0, 11_000, "a", 1.0), (0, 9_999, "b", 1.0)];
    let certainty = |lateness_ms| {
        let semantics = Semantics { lateness_ms, ..semantics(Engine::FlinkDataStream, 1000) };
        answered(&asked, &semantics, EXACT, &readings).remove(0).certainty.as_str()
    };
    assert_eq!(certainty(0), "bracketed");
    assert_eq!(certainty(1), "exact");
}

#[test]
fn after_a_repartition_a_window_is_exact_where_the_grace_reaches_the_end() {
    let asked = question("tumble:10s", "zone", "count,max(cpu_percent)");
    let readings = [(0, 0, "a", 1.0), (0, 15_000, "a", 1.0), (0, 20_000, "a", 1.0)];
    let of = |grace_ms| {
        let semantics = semantics(Engine::KafkaStreams, grace_ms);
        answered(&asked, &semantics, Slack::Unbounded, &readings)
    };
    assert!(counts(&of(10_001)).iter().all(|row| row.3 == "exact"));
    let rows = of(10_000);
    assert_eq!(
        counts(&rows).iter().map(|row| row.3).collect::<Vec<_>>(),
        ["bracketed", "exact", "exact"]
    );
    let Certainty::Bracketed(bracket) = &rows[0].certainty else { panic!("{rows:?}") };
    assert_eq!(bracket.least, [Value::Long(0), Value::Null]);
    assert!(bracket.may_be_missing);
}

#[test]
fn hopping_windows_count_a_record_in_each() {
    let asked = question("hop:20s/10s", "", "count");
    let readings = [(0, 9_999, "a", 1.0), (0, 10_000, "a", 1.0), (0, 40_000, "a", 1.0)];
    let rows = answered(&asked, &semantics(Engine::FlinkSql, 0), EXACT, &readings);
    assert_eq!(
        counts(&rows),
        [
            (-10_000, 10_000, 1, "exact"),
            (0, 20_000, 2, "exact"),
            (10_000, 30_000, 1, "exact"),
            (30_000, 50_000, 1, "pending"),
            (40_000, 60_000, 1, "pending"),
        ]
    );
}

#[test]
fn cumulating_windows_go_on_without_new_records() {
    let asked = question("cumulate:30s/10s", "", "count");
    let readings = [(0, 9_999, "a", 1.0), (0, 20_000, "a", 1.0), (0, 29_999, "b", 1.0)];
    let rows = answered(&asked, &semantics(Engine::FlinkSql, 0), EXACT, &readings);
    let expected = [(0, 10_000, 1, "exact"), (0, 20_000, 1, "exact"), (0, 30_000, 3, "exact")];
    assert_eq!(counts(&rows), expected);
}

#[test]
fn sessions_merge_exactly_a_gap_apart() {
    let asked = question("session:3s", "machine_id", "count");
    let rows = |engine, second_ms| {
        let readings = [(0, 1_000, "a", 1.0), (0, second_ms, "a", 1.0), (0, 90_000, "b", 1.0)];
        let rows = answered(&asked, &semantics(engine, 0), EXACT, &readings);
        counts(&rows)
            .into_iter()
            .map(|(start, end, count, _)| (start, end, count))
            .collect::<Vec<_>>()
    };
    for engine in [Engine::FlinkSql, Engine::FlinkDataStream] {
        assert_eq!(rows(engine, 4_000)[0], (1_000, 7_000, 2));
        assert_eq!(rows(engine, 4_001)[..2], [(1_000, 4_000, 1), (4_001, 7_001, 1)]);
    }
    for engine in [Engine::KafkaStreams, Engine::KsqlDb] {
        let grace = rows(engine, 4_000);
        assert_eq!(grace[0], (1_000, 4_000, 2));
        assert_eq!(rows(engine, 4_001)[..2], [(1_000, 1_000, 1), (4_001, 4_001, 1)]);
    }
}

#[test]
fn a_record_out_of_order_joins_two_sessions() {
    let asked = question("session:3s", "machine_id", "count");
    let readings = [(0, 1_000, "a", 1.0), (0, 6_000, "a", 1.0), (0, 3_500, "a", 1.0)];
    let rows = answered(&asked, &semantics(Engine::FlinkSql, 5_000), EXACT, &readings);
    assert_eq!(counts(&rows), [(1_000, 9_000, 3, "pending")]);
    let streams = |grace_ms| {
        let rows = answered(&asked, &semantics(Engine::KafkaStreams, grace_ms), EXACT, &readings);
        counts(&rows)
    };
    assert_eq!(streams(2_500), [(1_000, 6_000, 3, "exact")]);
    // Behind the grace it still counts, and Streams may have forgotten the first session.
    assert_eq!(streams(2_499), [(1_000, 6_000, 3, "bracketed")]);
}

#[test]
fn a_session_of_streams_is_late_behind_the_gap_and_the_grace() {
    let asked = question("session:3s", "machine_id", "count");
    let of = |late_ms| {
        let readings = [(0, 14_000, "a", 1.0), (0, late_ms, "b", 1.0)];
        answered(&asked, &semantics(Engine::KafkaStreams, 1_000), EXACT, &readings).len()
    };
    assert_eq!((of(10_000), of(9_999)), (2, 1));
}

#[test]
fn stream_time_is_behind_the_filter() {
    let filter = ["cpu_percent>=50".to_owned()];
    let asked = Aggregation::parse("telemetry", "tumble:10s", "machine_id", "count", &filter);
    let asked = asked.unwrap();
    let of = |cpu| {
        let readings = [(0, 1_000, "a", 60.0), (0, 11_000, "a", cpu), (0, 9_999, "b", 60.0)];
        let rows = answered(&asked, &semantics(Engine::KafkaStreams, 1_000), EXACT, &readings);
        rows.iter().filter(|row| row.window.is_some_and(|window| window.start_ms == 0)).count()
    };
    // The reading of 11,000 closes the first window only where it passes the filter.
    assert_eq!((of(10.0), of(60.0)), (2, 1));
}

#[test]
fn groups_above_a_bound_and_the_first_of_a_ranking() {
    let mut asked = question("tumble:10s", "machine_id", "avg(cpu_percent) as cpu");
    asked.having = suite::find("hot-machines")
        .map(|_| crate::query::Having { aggregate: 0, op: crate::query::Op::Gt, bound: 80.0 })
        .ok();
    let readings = [(0, 0, "a", 81.0), (0, 1, "b", 79.0), (0, 2, "c", 80.0), (0, 60_000, "d", 1.0)];
    let rows = answered(&asked, &semantics(Engine::FlinkSql, 0), EXACT, &readings);
    let told: Vec<(Value, &str)> =
        rows.iter().map(|row| (row.keys[0].clone(), row.certainty.as_str())).collect();
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(told, [(text("a"), "exact"), (text("c"), "bracketed")]);

    let Question::Aggregate(busiest) = suite::find("busiest").unwrap().question().unwrap() else {
        panic!("it is an aggregation");
    };
    let readings = [(0, 0, "d", 5.0), (0, 1, "b", 7.0), (0, 2, "c", 5.0), (0, 3, "a", 5.0)];
    let rows = answered(&busiest, &semantics(Engine::KsqlDb, 0), EXACT, &readings);
    let told: Vec<Vec<Value>> =
        rows.into_iter().map(|row| [row.keys, row.values].concat()).collect();
    let row = |rank, machine, requests| {
        vec![text("zone-a"), Value::Long(rank), text(machine), Value::Long(requests)]
    };
    assert_eq!(told, [row(1, "b", 7), row(2, "a", 5), row(3, "c", 5)]);
}

#[test]
fn repeats_count_once() {
    let mut asked = question("tumble:10s", "zone", "count");
    asked.once = true;
    let readings =
        [(0, 5, "a", 1.0), (0, 5, "b", 1.0), (0, 6, "a", 1.0), (0, 5, "a", 1.0), (0, 6, "a", 1.0)];
    let rows = answered(&asked, &semantics(Engine::KafkaStreams, FAR_MS), EXACT, &readings);
    assert_eq!(counts(&rows), [(0, 10_000, 3, "exact")]);
}

#[test]
fn a_mean_of_whole_numbers_is_one_in_flink_sql_alone() {
    let asked = question("none", "", "avg(request_count)");
    let readings = [(0, 0, "a", 1.0), (0, 1, "a", 2.0)];
    let mean =
        |engine| answered(&asked, &semantics(engine, 0), EXACT, &readings)[0].values[0].clone();
    assert_eq!(mean(Engine::FlinkSql), Value::Long(1));
    assert_eq!(mean(Engine::KsqlDb), Value::Double(1.5));
}

fn run(machines: u64, readings: u64, seed: u64) -> Run {
    Run::builder()
        .scenario("chaos")
        .machines(machines)
        .readings(readings)
        .seed(seed)
        .start("2026-01-01T00:00:00Z".parse().unwrap())
        .build()
        .unwrap()
}

fn ask(run: &Run, question: &Question) -> Answer {
    let semantics = Semantics::new(Engine::FlinkSql, &Options::default(), question).unwrap();
    evaluate(&Input::of(&run.manifest), question, &semantics).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn tumbling_counts_add_up_to_the_readings(
        machines in 1_u64..40,
        readings in 20_u64..80,
        seed in 0_u64..1000,
        size in 1_i64..20_000,
    ) {
        let run = run(machines, readings, seed);
        let mut asked = question("tumble:1s", "zone,machine_type", "count");
        asked.window = Window::Tumble { size_ms: size };
        let answer = ask(&run, &Question::Aggregate(asked));
        let sum: i64 = answer.rows.iter().map(|row| row.values[0].number().unwrap() as i64).sum();
        prop_assert_eq!(sum as usize, run.telemetry().count());
        prop_assert_eq!(answer.records as i64, sum);
    }
}

#[test]
fn a_reading_of_the_instant_of_its_machine_may_be_joined_before_it_in_streams() {
    let run = run(600, 30, 5);
    let start: chrono::DateTime<chrono::Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let is_at_start = |reading: &Telemetry<String>| reading.timestamp == start.timestamp_millis();
    let at_start = run.telemetry().filter(is_at_start).count();
    assert_eq!(at_start, 1, "one machine of this seed reports at the start");
    let question = suite::find("load-by-memory").unwrap().question().unwrap();
    let rows = |engine| {
        let semantics = Semantics::new(engine, &Options::default(), &question).unwrap();
        evaluate(&Input::of(&run.manifest), &question, &semantics).unwrap().rows
    };
    let is_bracketed = |row: &&Row| matches!(row.certainty, Certainty::Bracketed(_));
    assert_eq!(rows(Engine::FlinkSql).iter().filter(is_bracketed).count(), 0);
    for engine in [Engine::KafkaStreams, Engine::KsqlDb] {
        let rows = rows(engine);
        let bracketed: Vec<&Row> = rows.iter().filter(is_bracketed).collect();
        let [row] = bracketed[..] else { panic!("{bracketed:?}") };
        let Certainty::Bracketed(bracket) = &row.certainty else { panic!("{row:?}") };
        assert_eq!(bracket.why, Why::MaybeUnmatched(1));
        let readings = |values: &[Value]| values[0].number().unwrap();
        assert_eq!(readings(&bracket.most) - readings(&bracket.least), 1.0);
    }
}

#[test]
fn shards_and_threads_answer_as_the_whole() {
    let run = run(40, 100, 5);
    let parts = |shards: u32, threads: u32| {
        let share = |shard, thread| fleetstorm_model::fleet::Share {
            shard: (shard, shards),
            thread: (thread, threads),
        };
        let part =
            |share| Part { manifest: &run.manifest, share, dropped: Vec::new(), records: None };
        let all = (0..shards).flat_map(|s| (0..threads).map(move |t| (s, t)));
        all.map(|(shard, thread)| part(share(shard, thread))).collect::<Vec<_>>()
    };
    for query in suite::all().iter().filter(|query| query.name != "distinct-reporters") {
        let question = query.question().unwrap();
        let semantics = Semantics::new(Engine::FlinkSql, &Options::default(), &question).unwrap();
        let whole = ask(&run, &question);
        for (shards, threads) in [(3, 1), (1, 4), (2, 2)] {
            let input =
                Input { parts: parts(shards, threads), skew_ms: 0, repartition_within_skew: false };
            let answer = evaluate(&input, &question, &semantics).unwrap();
            assert_eq!(answer.rows.len(), whole.rows.len(), "{}", query.name);
            for (row, other) in answer.rows.iter().zip(&whole.rows) {
                assert_eq!((&row.keys, &row.certainty), (&other.keys, &other.certainty));
                for (a, b) in row.values.iter().zip(&other.values) {
                    match (a, b) {
                        (Value::Double(a), Value::Double(b)) => {
                            assert!((a - b).abs() <= crate::answer::TOLERANCE * b.abs());
                        }
                        _ => assert_eq!(a, b, "{}", query.name),
                    }
                }
            }
        }
    }
}

#[test]
fn an_interrupted_part_counts_its_first_records() {
    let run = run(10, 100, 5);
    let mut asked = question("none", "", "count");
    asked.from = fleetstorm_model::record::Topic::Telemetry;
    let question = Question::Aggregate(asked);
    let semantics = Semantics::new(Engine::FlinkSql, &Options::default(), &question).unwrap();
    let sent = 500;
    let mut input = Input::of(&run.manifest);
    input.parts[0].records = Some(sent);
    let answer = evaluate(&input, &question, &semantics).unwrap();
    let first = run.records().take(sent as usize);
    let telemetry = first.filter(|record| record.topic.name() == "telemetry").count();
    assert_eq!(answer.records as usize, telemetry);
}

#[test]
fn what_has_no_answer_says_what_to_do() {
    let asked = |window| Question::Aggregate(question(window, "", "count"));
    let error = |run: &Run, question: &Question| {
        let semantics = Semantics::new(Engine::FlinkSql, &Options::default(), question).unwrap();
        evaluate(&Input::of(&run.manifest), question, &semantics).unwrap_err().to_string()
    };
    let short = run(5, 30, 1);
    let text = error(&short, &asked("tumble:1m"));
    assert!(text.contains("a window of 1m is larger than the run, which spans 30s"), "{text}");
    let endless = Run::builder().machines(5).seed(1).build().unwrap();
    assert!(error(&endless, &asked("tumble:1s")).contains("no end"));
    let usage = Run::builder().machines(5).readings(9).topics(["usage".parse().unwrap()]);
    let text = error(&usage.build().unwrap(), &asked("tumble:1s"));
    assert!(text.contains("does not write topic `telemetry`") && text.contains("usage"), "{text}");
}
