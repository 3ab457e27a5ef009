//! A fleet in memory for a unit test: the code under test counts readings by zone.
//!
//! `cargo run -p fleetstorm-model --example unit_test`

use std::collections::BTreeMap;
use std::error::Error;

use fleetstorm_model::Run;
use fleetstorm_model::record::Telemetry;

/// The code under test.
fn hot_readings_by_zone(
    readings: impl Iterator<Item = Telemetry<String>>,
) -> BTreeMap<String, u64> {
    let mut hot = BTreeMap::new();
    for reading in readings {
        *hot.entry(reading.zone).or_insert(0) += u64::from(reading.cpu_percent > 60.0);
    }
    hot
}

fn main() -> Result<(), Box<dyn Error>> {
    // The same seed and start give the same records, on every machine and for ever.
    let run = Run::builder()
        .scenario("production")
        .machines(30)
        .readings(100)
        .seed(7)
        .start("2026-01-01T12:00:00Z".parse()?)
        .build()?;
    let hot = hot_readings_by_zone(run.telemetry());
    assert_eq!(hot.len(), 3);
    assert_eq!(hot, hot_readings_by_zone(run.telemetry()));
    println!("{hot:?}");
    Ok(())
}

#[test]
fn it_runs() {
    main().expect("the example runs");
}
