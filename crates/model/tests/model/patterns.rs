//! Patterns in time and place: days, weeks, nights of maintenance, wear, growth and zones, against
//! what the configuration says of them.
//!
//! Seeds are fixed. Where load doesn't stray (`load_variance=0`) and no job comes, a machine's cpu
//! is its own level times what the pattern makes of it, and nothing else but the agent's error is
//! left: a normal of half a percent, and rounding. So most checks here are exact up to that noise,
//! and a tolerance is five standard errors of it, which chance alone passes about once in a
//! million. Local time is computed here by `chrono_tz`, straight from the date and the hour, not by
//! the clocks of the simulation.

mod incidents;
mod jobs;
mod load;

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::{PI, TAU};

use chrono::{DateTime, Datelike, TimeZone, Timelike};
use chrono_tz::Tz;
use fleetstorm_model::fleet::Share;
use fleetstorm_model::record::{Record, Telemetry};
use fleetstorm_model::run::{self, RunError};
use fleetstorm_model::simulation::jobs::JOB_TYPES;
use fleetstorm_model::stream::{Step, Stream};

use crate::support::options;
use crate::support::statistics::{
    SIGMAS, assert_binomial, assert_near, chi_square, correlation, mean, median, normal_below,
    variance,
};
use crate::support::stream::{manifest, simulate};

/// Standard deviation of an agent's error in reading the processor's use, in percent, rounding to a
/// hundredth (a uniform error) included.
const NOISE: f64 = 0.500_01;
/// The farthest that a normal draw goes, in standard deviations: see `random.rs`.
const FARTHEST: f64 = 3.8;
/// Load that doesn't stray, on machines of one type, of which none is so busy that it is cut.
const EXACT: &str = "--set load_variance=0 --set machine_types=[core] --set \
                     jobs.arrival_probability=0";

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What the patterns of a test say.
#[derive(Debug, Clone, Copy)]
struct Curve {
    peak: f64,
    night: f64,
    weekend: f64,
}

impl Curve {
    const FLAT: Curve = Curve { peak: 0.0, night: 1.0, weekend: 1.0 };

    /// The factor on load at an instant; none within the hour in which a weekend eases in or out.
    fn at(self, zone: Tz, ms: i64) -> Option<f64> {
        let local = zone.timestamp_millis_opt(ms).unwrap();
        let hour = f64::from(local.num_seconds_from_midnight()) / 3600.0
            + f64::from(local.timestamp_subsec_millis()) / 3.6e6;
        let weekend = |day: DateTime<Tz>| day.weekday().number_from_monday() >= 6;
        let before = zone.timestamp_millis_opt(ms - DAY).unwrap();
        if self.weekend != 1.0 && hour < 1.0 && weekend(local) != weekend(before) {
            return None;
        }
        let wave = ((hour - self.peak) * TAU / 24.0).cos();
        let of_day = self.night + (1.0 - self.night) * (1.0 + wave) / 2.0;
        Some(of_day * if weekend(local) { self.weekend } else { 1.0 })
    }
}

/// The hour of the local day at an instant, with its fraction.
fn local_hour(zone: Tz, ms: i64) -> f64 {
    f64::from(zone.timestamp_millis_opt(ms).unwrap().num_seconds_from_midnight()) / 3600.0
}

fn is_weekend(zone: Tz, ms: i64) -> bool {
    zone.timestamp_millis_opt(ms).unwrap().weekday().number_from_monday() >= 6
}

/// The readings of one machine.
struct Machine<T> {
    zone: String,
    region: String,
    rows: Vec<(i64, T)>,
}

/// The instant and a value of every reading, by machine.
fn readings<T>(options: &str, value: impl Fn(&Telemetry<&str>) -> T) -> Vec<Machine<T>> {
    let mut machines: Vec<Machine<T>> = Vec::new();
    simulate(&format!("--topics telemetry {options}"), |at, keyed| {
        let Record::Telemetry(t) = &keyed.record else { return };
        if machines.len() == at {
            let (zone, region) = (t.zone.to_owned(), t.region.to_owned());
            machines.push(Machine { zone, region, rows: Vec::new() });
        }
        machines[at].rows.push((t.timestamp, value(t)));
    });
    machines
}

/// Six regions: two that change their clocks in March, one in October at another hour, one with a
/// half hour, one whose time zone the test names, and one of which nobody knows it.
const REGIONS: [(&str, Tz); 6] = [
    ("us-east-1", Tz::America__New_York),
    ("us-west-2", Tz::America__Los_Angeles),
    ("eu-west-1", Tz::Europe__Dublin),
    ("ap-south-1", Tz::Asia__Kolkata),
    ("mars-1", Tz::Pacific__Auckland),
    ("venus-1", Tz::UTC),
];

/// The settings that go with [`REGIONS`].
fn regions() -> String {
    let names = REGIONS.map(|(name, _)| name).join(",");
    format!(
        "--set regions=[{names}] --set zones=[a] \
         --set temporal_patterns.time_zones.mars-1=Pacific/Auckland"
    )
}

fn zone_of(region: &str) -> Tz {
    REGIONS.iter().find(|(name, _)| *name == region).expect("a region of the test").1
}

/// Checks that every machine's cpu is a level of its own times the curve, reading by reading, and
/// returns how many readings were compared. A level is fitted by least squares.
fn assert_follows(machines: &[Machine<f64>], curve: Curve, what: &str) -> usize {
    let (mut squares, mut count) = (0.0, 0);
    for machine in machines {
        let zone = zone_of(&machine.region);
        let pairs: Vec<(f64, f64)> =
            machine.rows.iter().filter_map(|&(ms, cpu)| Some((curve.at(zone, ms)?, cpu))).collect();
        let level = pairs.iter().map(|(f, cpu)| f * cpu).sum::<f64>()
            / pairs.iter().map(|(f, _)| f * f).sum::<f64>();
        for (f, cpu) in &pairs {
            let off = cpu - level * f;
            // A table a minute apart, interpolated, is off by (2 pi / 1440)^2 / 8 at most.
            let most = FARTHEST * NOISE + 0.02;
            assert!(off.abs() < most, "{what}, {}: {cpu} is not {level} x {f}", machine.region);
            squares += off * off;
        }
        count += pairs.len() - 1;
    }
    // The squares of n normal errors stray by sqrt(2 / n).
    let ratio = squares / count as f64 / (NOISE * NOISE);
    assert_near(ratio, 1.0, SIGMAS * (2.0 / count as f64).sqrt(), what);
    count
}

/// Sums over parts of a day or a week: of values, of their factors, and of these factors' squares.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    value: f64,
    factor: f64,
    square: f64,
    count: f64,
}

impl Sum {
    fn add(&mut self, value: f64, factor: f64) {
        self.value += value;
        self.factor += factor;
        self.square += factor * factor;
        self.count += 1.0;
    }
}

/// The run with these options.
fn built(options: &str) -> Result<run::Run, RunError> {
    options::run_at(0, &format!("--rate max {options}"))
}
