//! Patterns in time and place: days, weeks, nights of maintenance, wear, growth and zones, against
//! what the configuration says of them.
//!
//! Seeds are fixed. Where load doesn't stray (`load_variance=0`) and no job comes, a machine's cpu
//! is its own level times what the pattern makes of it, and nothing else but the agent's error is
//! left: a normal of half a percent, and rounding. So most checks here are exact up to that noise,
//! and a tolerance is five standard errors of it, which chance alone passes about once in a
//! million. Local time is computed here by `chrono_tz`, straight from the date and the hour, not by
//! the clocks of the simulation.

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

#[test]
fn load_follows_the_hour_of_each_regions_own_day() {
    // Winter; summer, with daylight saving in the north; three days over the change in America.
    for (seed, start, peak) in [
        (1, "2026-01-14", 14),
        (2, "2026-07-15", 14),
        (3, "2026-03-07", 14),
        (4, "2026-01-14", 0),
        (5, "2026-07-15", 23),
    ] {
        let night = 0.3;
        let options = format!(
            "--seed {seed} --start {start} --machines 60 --interval 5m --readings 864 {EXACT} {} \
             --set base_cpu_load=0.45 --set temporal_patterns.enable_diurnal=true \
             --set temporal_patterns.peak_hour={peak}",
            regions()
        );
        let machines = readings(&options, |t| t.cpu_percent);
        let curve = Curve { peak: peak as f64, night, weekend: 1.0 };
        let what = format!("the curve from {start} with its peak at {peak}");
        assert_eq!(assert_follows(&machines, curve, &what), 60 * 863);

        for (region, zone) in REGIONS {
            // Hours are counted from half past to half past, so that the peak is in the middle.
            let mut hours = [Sum::default(); 24];
            for machine in machines.iter().filter(|machine| machine.region == region) {
                for &(ms, cpu) in &machine.rows {
                    let hour = (local_hour(zone, ms) + 0.5) as usize % 24;
                    hours[hour].add(cpu, 1.0);
                }
            }
            let level = |hour: usize| hours[hour].value / hours[hour].count;
            let ranked = |wanted: std::cmp::Ordering| {
                let better = |a: usize, b: usize| level(b).total_cmp(&level(a)) == wanted;
                (1..24).fold(0, |best, hour| if better(best, hour) { hour } else { best })
            };
            let (top, trough) = (peak, (peak + 12) % 24);
            assert_eq!(ranked(std::cmp::Ordering::Greater), top, "{what}: peak of {region}");
            assert_eq!(ranked(std::cmp::Ordering::Less), trough, "{what}: trough of {region}");
            // The mean of a cosine over half an hour either side of its top is sin(x) / x of it,
            // for a twenty-fourth of half a turn; a machine's twelve readings may stand half a
            // step beside it, which moves that by a square, (pi / 288)^2, at most.
            let x = PI / 24.0;
            let flat = (1.0 - night) * (1.0 - x.sin() / x) / 2.0;
            let error = NOISE / hours[top].count.sqrt() / level(top);
            let tolerance = SIGMAS * error * 2f64.sqrt() + (PI / 288.0).powi(2);
            let ratio = level(trough) / level(top);
            let expected = (night + flat) / (1.0 - flat);
            assert_near(ratio, expected, tolerance, &format!("{what}: night of {region}"));
        }
    }
}

#[test]
fn load_goes_up_and_down_without_steps() {
    const MACHINES: f64 = 100.0;
    let options = format!(
        "--seed 6 --machines {MACHINES} --interval 5m --readings 600 {EXACT} \
         --set regions=[venus-1] --set base_cpu_load=0.5 \
         --set temporal_patterns.enable_diurnal=true"
    );
    let machines = readings(&options, |t| t.cpu_percent);
    let fleet: Vec<f64> =
        (0..600).map(|i| mean(&machines.iter().map(|m| m.rows[i].1).collect::<Vec<_>>())).collect();
    // The level is the mean over two whole days over the curve's, 0.65.
    let level = mean(&fleet[..576]) / 0.65;
    // From 1 to 0.3 and back the steepest slope of the cosine is 0.35 a radian; a step of five
    // minutes is 2 pi / 288. An hourly step would be up to 12 times as large.
    let steepest = 0.35 * TAU / 288.0 * level;
    let noise = SIGMAS * NOISE * (2.0 / MACHINES).sqrt();
    for pair in fleet.windows(2) {
        assert!((pair[1] - pair[0]).abs() < steepest + noise, "a step of load: {pair:?}");
    }
    // On the slope it moves in the first half of an hour as in the second, so that it doesn't wait
    // for the hour: six steps each, all within an hour of the steepest at 8 in the morning.
    let rise = |from: usize| fleet[from + 6] - fleet[from];
    let (first, second) = (rise(8 * 12), rise(8 * 12 + 6));
    assert!(first > 4.0 * steepest && second > 4.0 * steepest, "{first} and {second}");
}

#[test]
fn weekends_are_calm_by_the_local_date() {
    let options = format!(
        "--seed 7 --start 2026-03-04 --machines 60 --interval 10m --readings 2016 {EXACT} {} \
         --set base_cpu_load=0.45 --set temporal_patterns.enable_weekly=true \
         --set temporal_patterns.weekend_load_factor=0.4",
        regions()
    );
    let machines = readings(&options, |t| t.cpu_percent);
    let curve = Curve { weekend: 0.4, ..Curve::FLAT };
    assert_follows(&machines, curve, "weekends");
    let mut early = 0;
    for machine in &machines {
        let zone = zone_of(&machine.region);
        let (mut weekdays, mut weekends) = (Sum::default(), Sum::default());
        let rows = || machine.rows.iter().filter(|(ms, _)| local_hour(zone, *ms) >= 1.0);
        for &(ms, cpu) in rows() {
            if is_weekend(zone, ms) { &mut weekends } else { &mut weekdays }.add(cpu, 1.0);
        }
        let level = weekdays.value / weekdays.count;
        let ratio = weekends.value / weekends.count / level;
        let error = NOISE / level * (1.0 / weekdays.count + 1.0 / weekends.count).sqrt();
        assert_near(ratio, 0.4, SIGMAS * error, "weekend over weekday");
        // Where Saturday begins while it is Friday in Greenwich, it is calm from then on.
        for &(ms, cpu) in rows() {
            if is_weekend(zone, ms) && !is_weekend(Tz::UTC, ms) {
                early += usize::from(ms.div_euclid(DAY).rem_euclid(7) == 1);
                assert_near(cpu, 0.4 * level, (FARTHEST + 1.0) * NOISE, "a local Saturday");
            }
        }
    }
    // 1970-01-01 was a Thursday, so that Fridays leave 1. Two of them, in two regions of ten
    // machines each: 5.5 hours in India and 13 in New Zealand's summer, less the hour of easing,
    // six readings an hour.
    assert_eq!(early, 2 * 10 * (27 + 72), "readings on Saturdays that begin early");
}

#[test]
fn days_and_weeks_multiply() {
    let options = format!(
        "--seed 8 --machines 60 --interval 10m --readings 2016 {EXACT} {} --set base_cpu_load=0.45 \
         --set temporal_patterns.enable_diurnal=true --set temporal_patterns.enable_weekly=true \
         --set temporal_patterns.night_load_factor=0.5 --set temporal_patterns.peak_hour=11",
        regions()
    );
    let machines = readings(&options, |t| t.cpu_percent);
    let curve = Curve { peak: 11.0, night: 0.5, weekend: 0.5 };
    assert_follows(&machines, curve, "days and weeks");
    // At every hour of the day a weekend has half of what a weekday has at that hour.
    for quarter in 0..4 {
        let (mut weekdays, mut weekends) = (Sum::default(), Sum::default());
        for machine in &machines {
            let zone = zone_of(&machine.region);
            for &(ms, cpu) in &machine.rows {
                let hour = local_hour(zone, ms);
                if hour >= 1.0 && hour as usize / 6 == quarter {
                    if is_weekend(zone, ms) { &mut weekdays } else { &mut weekends }.add(cpu, 1.0);
                }
            }
        }
        let (calm, busy) = (weekdays.value / weekdays.count, weekends.value / weekends.count);
        // Two weeks hold every hour of every weekday twice, so that only noise is left.
        let error = NOISE / busy * (1.0 / weekdays.count + 1.0 / weekends.count).sqrt();
        assert_near(calm / busy, 0.5, SIGMAS * error, "a weekend's quarter of a day");
    }
}

#[test]
fn memory_is_lower_by_night() {
    let options = "--seed 9 --machines 100 --interval 10m --readings 1008 --set regions=[venus-1] \
                   --set jobs.arrival_probability=0 --set machine_types=[core] \
                   --set temporal_patterns.enable_diurnal=true";
    let curve = Curve { peak: 14.0, night: 0.3, weekend: 1.0 };
    // Memory goes a tenth of its way to level + 0.6 (load - level) at each reading: a low pass, which
    // leaves |h| of a wave of 144 readings and delays it by an angle.
    let (a, w) = (0.9, TAU / 144.0);
    let (real, imaginary) = (1.0 - a * f64::cos(w), a * f64::sin(w));
    let gain = 0.1 / real.hypot(imaginary);
    let delay = (imaginary / real).atan();

    let machines = readings(&format!("{options} --set load_variance=0"), |t| {
        (t.cpu_percent, t.memory_percent)
    });
    let (mut day, mut night, mut cpu) = (Sum::default(), Sum::default(), Sum::default());
    // The first day still shows where memory began.
    for (ms, row) in machines.iter().flat_map(|machine| &machine.rows[144..]) {
        let by_day = (8.0..20.0).contains(&local_hour(Tz::UTC, *ms));
        if by_day { &mut day } else { &mut night }.add(row.1, 1.0);
        cpu.add(row.0, curve.at(Tz::UTC, *ms).unwrap());
    }
    // Over half a period around its top the mean of a wave is 2 / pi of it.
    let wave = 0.6 * cpu.value / cpu.factor * 0.35 * gain;
    let expected = 2.0 * wave * 2.0 / PI * delay.cos();
    // Its own noise of a point in the target is 1 (1 - a) / sqrt(1 - a^2) in memory, with an
    // autocorrelation of a. Halves of 72 readings miss the edges by less than half a reading.
    let noise = 0.1 / (1.0 - a * a).sqrt() * ((1.0 + a) / (1.0 - a) * 4.0 / cpu.count).sqrt();
    let found = day.value / day.count - night.value / night.count;
    assert_near(found, expected, SIGMAS * noise + wave * w / 2.0, "memory by day over night");

    // The same with loads that stray, as anybody sees it who holds the fleet's mean memory against
    // the hour: the wave's delay leaves cos(delay), 0.93, of the correlation. Of 100 machines that
    // stray by 0.2 of their level, less than a tenth of the wave's standard deviation is left, which
    // takes half a percent of it.
    let machines = readings(options, |t| t.memory_percent);
    let (mut memory, mut factor) = (Vec::new(), Vec::new());
    for i in 144..1008 {
        memory.push(mean(&machines.iter().map(|m| m.rows[i].1).collect::<Vec<_>>()));
        let of = |m: &Machine<f64>| curve.at(Tz::UTC, m.rows[i].0).unwrap();
        factor.push(mean(&machines.iter().map(of).collect::<Vec<_>>()));
    }
    let found = correlation(&memory, &factor);
    assert!((0.9..=delay.cos() + 0.03).contains(&found), "memory and the curve: {found}");
}

#[test]
fn disks_fill_faster_by_day() {
    let options = format!(
        "--seed 10 --machines 60 --interval 10m --readings 4032 {EXACT} --set regions=[venus-1] \
         --set base_cpu_load=0.5 --set temporal_patterns.enable_diurnal=true"
    );
    let curve = Curve { peak: 14.0, night: 0.3, weekend: 1.0 };
    let mut compared = 0;
    for machine in readings(&options, |t| (t.cpu_percent, t.disk_percent)) {
        let rows = &machine.rows;
        let factor = |ms: i64| curve.at(Tz::UTC, ms).unwrap();
        let level = rows.iter().map(|(_, row)| row.0 / 100.0).sum::<f64>()
            / rows.iter().map(|(ms, _)| factor(*ms)).sum::<f64>();
        let (mut day, mut night) = (Sum::default(), Sum::default());
        for pair in rows.windows(2) {
            let (ms, filled) = (pair[1].0, pair[1].1.1 - pair[0].1.1);
            let part = match local_hour(Tz::UTC, ms) {
                h if (10.0..18.0).contains(&h) => &mut day,
                h if !(6.0..22.0).contains(&h) => &mut night,
                _ => continue,
            };
            // A cleaning says nothing of what was written.
            if filled >= 0.0 {
                part.add(filled, 0.3 + 0.7 * level * factor(ms));
            }
        }
        // Per reading a disk fills by 0.3 + 0.7 of load. Increments in a row add up but for the
        // rounding at their ends, two uniform errors of 0.01: 28 stretches each, fewer than ten
        // cleanings beside.
        let rounding = (38.0f64 * 2.0 / 12.0).sqrt() * 0.01;
        let error = (rounding / night.value).hypot(rounding / day.value);
        let ratio = (day.value / day.factor) / (night.value / night.factor);
        assert_near(ratio, 1.0, SIGMAS * error, "what is written by day and night");
        let faster = (day.value / day.count) / (night.value / night.count);
        assert!(faster > 1.0, "by day {faster} times as much as by night");
        compared += 1;
    }
    assert_eq!(compared, 60);
}

#[test]
fn requests_and_traffic_follow_the_same_curve() {
    // So thin a use of the links that none is ever full.
    let options = format!(
        "--seed 11 --machines 60 --interval 10m --readings 2016 {EXACT} {} --set base_cpu_load=0.4 \
         --set base_network_load=0.1 --set temporal_patterns.enable_diurnal=true \
         --set temporal_patterns.enable_weekly=true",
        regions()
    );
    let curve = Curve { peak: 14.0, night: 0.3, weekend: 0.5 };
    let machines =
        readings(&options, |t| [t.request_count as f64, t.network_in_mbps, t.network_out_mbps]);
    for (column, name) in ["requests", "traffic received", "traffic sent"].iter().enumerate() {
        for machine in &machines {
            let zone = zone_of(&machine.region);
            let (mut high, mut low) = (Sum::default(), Sum::default());
            for (ms, row) in &machine.rows {
                let Some(factor) = curve.at(zone, *ms) else { continue };
                if factor > 0.5 { &mut high } else { &mut low }.add(row[column], factor);
            }
            // Traffic has a relative noise of 0.08 in each reading; requests that of a Poisson
            // count, whose relative error is 1 / sqrt(what was counted).
            let error = |sum: &Sum| match column {
                0 => 1.0 / sum.value.sqrt(),
                _ => 0.08 * sum.square.sqrt() / sum.factor,
            };
            let ratio = (high.value / high.factor) / (low.value / low.factor);
            let tolerance = SIGMAS * error(&high).hypot(error(&low));
            assert_near(ratio, 1.0, tolerance, name);
            assert!(high.value / high.count > 1.5 * low.value / low.count, "{name} stand still");
        }
    }
}

/// The run with these options.
fn built(options: &str) -> Result<run::Run, RunError> {
    options::run_at(0, &format!("--rate max {options}"))
}

/// Place of the machine, timestamp, type, status, start and end.
type JobRow = (usize, i64, String, String, Option<i64>, Option<i64>);

/// The records of the jobs topic.
fn jobs(options: &str) -> Vec<JobRow> {
    let mut changes = Vec::new();
    simulate(options, |at, keyed| {
        if let Record::Job(job) = &keyed.record {
            let (kind, status) = (job.job_type.to_owned(), job.status.to_owned());
            changes.push((at, keyed.timestamp_ms, kind, status, job.start_time, job.end_time));
        }
    });
    changes
}

#[test]
fn jobs_arrive_by_the_curve() {
    let p = 0.02;
    let options = format!(
        "--seed 12 --topics jobs --machines 60 --interval 1m --readings 4320 \
         --set regions=[ap-south-1] --set temporal_patterns.enable_diurnal=true \
         --set jobs.arrival_probability={p}"
    );
    let mut found = [0u64; 24];
    for (_, ms, _, status, ..) in jobs(&options) {
        if status == "queued" {
            found[local_hour(Tz::Asia__Kolkata, ms) as usize] += 1;
        }
    }
    // Every reading brings a job with p times the curve: a binomial count an hour, whose variance is
    // below a Poisson count's. Seldom does an arrival wait behind other changes of its machine, a
    // minute or two, which is nothing to an hour.
    let curve = Curve { peak: 14.0, night: 0.3, weekend: 1.0 };
    let start = "2026-01-01T00:00:00Z".parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis();
    let mut expected = [0.0; 24];
    for i in 0..4320 {
        let ms = start + i * MINUTE + MINUTE / 2;
        let hour = local_hour(Tz::Asia__Kolkata, ms) as usize;
        expected[hour] += 60.0 * p * curve.at(Tz::Asia__Kolkata, ms).unwrap();
    }
    let (total, sum) = (found.iter().sum::<u64>() as f64, expected.iter().sum::<f64>());
    assert_near(total, sum, SIGMAS * sum.sqrt(), "arrivals over three days");
    let (found, most) = chi_square(&found, &expected.map(|e| e * total / sum));
    assert!(found < most, "arrivals by hour: a chi-square of {found}, where {most} is chance");
}

#[test]
fn as_many_jobs_come_as_were_asked_for_whatever_the_hour() {
    // A night in New York alone; a week everywhere; a weekend.
    for (seed, start, readings, regions) in [
        (13, "2026-01-14T03:00:00Z", 48, "[us-east-1]"),
        (14, "2026-01-14T15:00:00Z", 24, "[us-east-1]"),
        (15, "2026-01-12T00:00:00Z", 1008, "[us-east-1,ap-south-1,eu-west-1]"),
        (16, "2026-01-17T00:00:00Z", 288, "[eu-west-1]"),
    ] {
        let (machines, n_jobs) = (600, 2000);
        let options = format!(
            "--seed {seed} --start {start} --topics jobs --machines {machines} --interval 10m \
             --readings {readings} --set regions={regions} --jobs {n_jobs} \
             --set temporal_patterns.enable_diurnal=true \
             --set temporal_patterns.enable_weekly=true"
        );
        let found =
            jobs(&options).iter().filter(|(_, _, _, status, ..)| status == "queued").count();
        // A sum of rare independent trials strays by less than the root of its mean. The last round's
        // arrivals may wait for a slot: of a reading's 2000 / readings, one in ten.
        let expected = f64::from(n_jobs);
        let waiting = 0.1 * expected / f64::from(readings);
        assert_near(found as f64, expected, SIGMAS * expected.sqrt() + waiting, &options);
    }
}

#[test]
fn a_number_of_jobs_needs_a_run_that_ends() {
    for patterns in ["", "--set temporal_patterns.enable_diurnal=true"] {
        let error = built(&format!("--seed 1 --jobs 100 {patterns}")).unwrap_err();
        assert!(error.to_string().contains("n_jobs"), "{error}");
        assert!(matches!(error, RunError::JobsWithoutEnd { .. }), "{error}");
        assert!(built(&format!("--seed 1 --jobs 100 --readings 1000 {patterns}")).is_ok());
    }
}

#[test]
fn jobs_last_as_heavy_tailed_as_their_types_do() {
    const READINGS: i64 = 12_000;
    let options = format!(
        "--seed 17 --topics jobs --machines 100 --readings {READINGS} \
         --set jobs.arrival_probability=0.02"
    );
    let mut lengths: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let (mut ended, mut failed, mut cancelled) = (0, 0, 0);
    let first = manifest(&options).start.timestamp_millis();
    for (_, _, kind, status, start, end) in jobs(&options) {
        // The longest job that can be drawn, 60 e^(1.2 x 3.75) readings, has ended if it began in
        // the first half; so none is missing for its length.
        let (Some(start), Some(end)) = (start, end) else { continue };
        if start - first > READINGS / 2 * 1000 {
            continue;
        }
        ended += 1;
        failed += u64::from(status == "failed");
        cancelled += u64::from(status == "cancelled");
        if status == "succeeded" {
            lengths.entry(kind).or_default().push((end - start) as f64 / 1000.0);
        }
    }
    assert_binomial(failed, ended, 0.04, "jobs that fail");
    assert_binomial(cancelled, ended, 0.01, "jobs that are given up");
    for kind in JOB_TYPES {
        let lengths = &lengths[kind.name];
        for z in [-1.0, 0.0, 1.0, 2.0] {
            let limit = (kind.median * f64::exp(kind.sigma * z)).floor();
            // Lengths are rounded to whole readings, so that half a reading more counts as well.
            let p = normal_below(((limit + 0.5) / kind.median).ln() / kind.sigma);
            let below = lengths.iter().filter(|&&length| length <= limit).count() as f64;
            let n = lengths.len() as f64;
            // Quantiles are interpolated from a table of 1,024 steps.
            let tolerance = SIGMAS * (p * (1.0 - p) / n).sqrt() + 1.0 / 1024.0;
            let what = format!("{} of at most {limit} readings", kind.name);
            assert_near(below / n, p, tolerance, &what);
        }
        // A log-normal's mean stands exp(sigma^2 / 2) above its median: a tail, not a bell.
        let middle = median(lengths.clone());
        assert!(mean(lengths) > middle * (kind.sigma * kind.sigma / 4.0).exp(), "{}", kind.name);
    }
}

/// An incident that has ended, on the machine at a place in the round.
#[derive(Debug, Clone, PartialEq)]
struct Incident {
    at: usize,
    start: i64,
    end: i64,
    magnitude: f64,
}

/// Timestamp, cpu, requests, p50 and whether it is an anomaly, of one reading.
type Row = (i64, f64, i64, f64, bool);

/// Everything of a run that a test of incidents wants.
#[derive(Default)]
struct Run {
    /// Zone and region of each machine.
    places: Vec<(String, String)>,
    /// Every reading, by machine.
    rows: Vec<Vec<Row>>,
    /// Those of the one kind, in order of their ends.
    incidents: Vec<Incident>,
    /// Instant and status, by machine.
    beats: Vec<Vec<(i64, String)>>,
    /// Place of the machine, status, start and end of every change of a job.
    jobs: Vec<(usize, String, Option<i64>, Option<i64>)>,
}

fn run(kind: &str, options: &str) -> Run {
    let mut run = Run::default();
    let mut open: BTreeMap<String, i64> = BTreeMap::new();
    simulate(options, |at, keyed| match &keyed.record {
        Record::Telemetry(t) => {
            if run.rows.len() == at {
                run.places.push((t.zone.to_owned(), t.region.to_owned()));
                run.rows.push(Vec::new());
            }
            let row = (t.timestamp, t.cpu_percent, t.request_count, t.latency_p50, t.is_anomaly);
            run.rows[at].push(row);
        }
        Record::Incident(i) => {
            assert_eq!(i.kind, kind, "an incident that nobody asked for");
            assert_eq!(i.cause, None);
            match i.end_time {
                None => assert!(open.insert(i.incident_id.to_owned(), i.start_time).is_none()),
                Some(end) => {
                    assert_eq!(open.remove(i.incident_id), Some(i.start_time), "{i:?}");
                    let (start, magnitude) = (i.start_time, i.magnitude);
                    run.incidents.push(Incident { at, start, end, magnitude });
                }
            }
        }
        Record::Status(s) => {
            run.beats.resize_with(run.beats.len().max(at + 1), Vec::new);
            run.beats[at].push((s.last_heartbeat, s.status.to_owned()));
        }
        Record::Job(j) => run.jobs.push((at, j.status.to_owned(), j.start_time, j.end_time)),
        _ => {}
    });
    run
}

#[test]
fn zones_are_maintained_one_after_another_in_the_local_night() {
    // Six days, of which each region sees five nights from beginning to end.
    let options = format!(
        "--seed 18 --machines 54 --interval 1m --readings 8640 --topics telemetry,incidents {EXACT} \
         {} --set zones=[a,b,c] --set maintenance.enable=true --set maintenance.hours=[1,4] \
         --set maintenance.minutes=[15,45]",
        regions().replace("--set zones=[a]", "")
    );
    let run = run("maintenance", &options);
    let (first, last) = (run.rows[0][0].0, run.rows[0][8639].0);
    let mut nights: BTreeMap<(usize, i32), u32> = BTreeMap::new();
    for incident in &run.incidents {
        let (zone, region) = &run.places[incident.at];
        let clock = zone_of(region);
        // Every zone has an hour of the window. A beginning and an end are seen at the first reading
        // from then on, a minute later at most.
        let turn = 1.0 + ["a", "b", "c"].iter().position(|name| name == zone).unwrap() as f64;
        let (from, until) = (local_hour(clock, incident.start), local_hour(clock, incident.end));
        assert!(from >= turn && from < until && until < turn + 1.0 + 1.0 / 60.0, "{incident:?}");
        let minutes = (incident.end - incident.start) as f64 / MINUTE as f64;
        assert!((15.0..=45.0).contains(&incident.magnitude), "{incident:?}");
        assert_near(minutes, incident.magnitude, 1.0, "minutes of maintenance");
        let date = clock.timestamp_millis_opt(incident.start).unwrap().num_days_from_ce();
        *nights.entry((incident.at, date)).or_default() += 1;
    }
    assert!(nights.values().all(|&turns| turns == 1), "a machine has two turns in a night");
    // All machines have a turn in every night that the run holds whole.
    for (at, (_, region)) in run.places.iter().enumerate() {
        let clock = zone_of(region);
        let whole: BTreeSet<i32> = (first..last)
            .step_by(HOUR as usize)
            .filter(|ms| {
                let local = clock.timestamp_millis_opt(*ms).unwrap();
                let hours = i64::from(local.hour());
                ms - (hours + 1) * HOUR > first && ms + (24 - hours) * HOUR < last
            })
            .map(|ms| clock.timestamp_millis_opt(ms).unwrap().num_days_from_ce())
            .collect();
        assert!(whole.len() >= 4, "{region}: {whole:?}");
        assert!(whole.iter().all(|&date| nights.contains_key(&(at, date))), "{region}");
    }
    // Minutes are drawn evenly.
    let minutes: Vec<f64> = run.incidents.iter().map(|incident| incident.magnitude).collect();
    let stray = (30.0f64.powi(2) / 12.0 / minutes.len() as f64).sqrt();
    assert_near(mean(&minutes), 30.0, SIGMAS * stray, "mean minutes");

    // A drained machine is left 3 percent of its load; outside its turn it has all of it.
    let mut drained = 0;
    for (at, rows) in run.rows.iter().enumerate() {
        let own: Vec<&Incident> = run.incidents.iter().filter(|i| i.at == at).collect();
        let level = median(rows.iter().map(|row| row.1).collect());
        let last_end = own.last().unwrap().end;
        for &(ms, cpu, _, _, is_anomaly) in rows.iter().filter(|row| row.0 < last_end) {
            assert!(!is_anomaly, "maintenance is no anomaly");
            let Some(turn) = own.iter().find(|i| (i.start..i.end).contains(&ms)) else {
                assert_near(cpu, level, (FARTHEST + 0.5) * NOISE, "cpu in service");
                continue;
            };
            // It began within the minute before the first reading that saw it.
            let part = |from: i64| (ms - from) as f64 / MINUTE as f64 / turn.magnitude;
            if part(turn.start) >= 0.2 && part(turn.start - MINUTE) <= 0.9 {
                assert_near(cpu, 0.03 * level, FARTHEST * NOISE + 0.02, "cpu of a drained machine");
                drained += 1;
            }
        }
    }
    // At least 0.7 of 15 minutes less a minute either side, in four nights of 54 machines.
    assert!(drained > 4 * 54 * 8, "{drained} readings of drained machines");
}

#[test]
fn machines_in_maintenance_are_degraded_and_run_no_jobs() {
    let run = run(
        "maintenance",
        "--seed 19 --machines 60 --interval 1m --readings 4320 --set base_cpu_load=0.05 \
         --set jobs.arrival_probability=0.03 --set maintenance.enable=true \
         --set maintenance.hours=[0,6] --set maintenance.minutes=[60,120] \
         --topics telemetry,status,jobs,incidents --set regions=[UTC] \
         --set load_variance=0",
    );
    let turn = |at: usize, ms: i64| {
        run.incidents.iter().find(|i| i.at == at && (i.start..i.end).contains(&ms))
    };
    let (mut degraded, mut cancelled) = (0, 0);
    for (at, beats) in run.beats.iter().enumerate() {
        for (ms, status) in beats {
            if turn(at, *ms).is_some() {
                assert_eq!(status, "degraded", "machine {at} in maintenance");
                degraded += 1;
            }
        }
        // Outside, a machine of so little load is degraded for its jobs at most: four that take a
        // quarter of it.
        let out = |beat: &&(i64, String)| turn(at, beat.0).is_none() && beat.1 == "degraded";
        assert!(beats.iter().filter(out).count() < beats.len() / 20, "machine {at} stays degraded");
    }
    for (at, status, start, end) in &run.jobs {
        let Some(start) = start else { continue };
        assert_eq!(turn(*at, *start), None, "a job started on a machine in maintenance");
        let Some(end) = end else { continue };
        let Some(turn) = turn(*at, *end) else { continue };
        // Jobs go on for the fifth of the time in which the machine is drained, and no longer.
        let part = |from: i64| (end - from) as f64 / MINUTE as f64 / turn.magnitude;
        assert!(part(turn.start) < 0.2 + 1.0 / 60.0, "a job ran on to {}", part(turn.start));
        if part(turn.start) >= 0.2 {
            assert_eq!(status, "cancelled", "a job that was left when the machine went out");
            cancelled += 1;
        }
    }
    assert!(degraded > 1000 && cancelled > 10, "{degraded} beats, {cancelled} jobs cancelled");
}

#[test]
fn a_share_of_the_machines_is_maintained_in_a_night() {
    let options = "--seed 20 --machines 300 --interval 10m --readings 1008 --topics incidents \
                   --set maintenance.enable=true --set regions=[UTC] --set maintenance.share=";
    for (share, nights) in [(0.5, 7), (0.1, 7)] {
        let found = run("maintenance", &format!("{options}{share}")).incidents.len() as u64;
        assert_binomial(found, 300 * nights, share, "turns in seven nights");
    }
    assert!(run("maintenance", &format!("{options}0")).incidents.is_empty());
}

#[test]
fn machines_wear_out_and_recover_each_in_its_own_cycle() {
    const MACHINES: usize = 400;
    let (rate, threshold, recovery) = (0.008, 0.9, 0.2);
    let options = format!(
        "--seed 21 --machines {MACHINES} --readings 1500 --topics telemetry,incidents,status \
         {EXACT} --set base_cpu_load=0.2 --set degradation.enable=true \
         --set degradation.rate={rate} --set degradation.threshold={threshold} \
         --set degradation.recovery={recovery}"
    );
    let run = run("degradation", &options);
    let begin = run.rows[0][0].0.div_euclid(1000);
    let round = |ms: i64| ms.div_euclid(1000) - begin;
    let (mut rates, mut phases, mut starts) = (Vec::new(), Vec::new(), vec![0u64; 1500]);
    for at in 0..MACHINES {
        let own: Vec<&Incident> = run.incidents.iter().filter(|i| i.at == at).collect();
        assert!(own.len() >= 4, "machine {at} recovers {} times", own.len());
        for incident in &own {
            // From 0.9 and a reading's wear down to nothing by 0.2 a reading.
            let readings = round(incident.end) - round(incident.start);
            assert_eq!(readings, 5, "{incident:?}");
            let most = threshold + rate * f64::exp(0.3 * FARTHEST);
            assert!((threshold - 1e-6..=most).contains(&incident.magnitude), "{incident:?}");
            starts[round(incident.start) as usize] += 1;
        }
        // A machine's own rate never changes, so its cycles are alike to the rounding of sums.
        let cycles: Vec<i64> =
            own.windows(2).map(|w| round(w[1].start) - round(w[0].start)).collect();
        let (least, most) = (cycles.iter().min().unwrap(), cycles.iter().max().unwrap());
        assert!(most - least <= 1, "cycles of machine {at}: {cycles:?}");
        // Half a reading is rounded up on average.
        let cycle = (own[own.len() - 1].start - own[0].start) as f64 / 1000.0 / cycles.len() as f64;
        rates.push((threshold / (cycle - 5.5)).ln());
        phases.push((round(own[0].start) + 1) as f64 / (cycle - 5.0));

        // Responses take 1 + 2 wear^2 times as long, and wait behind more load besides: in the last
        // tenth before a recovery 1 + 2 x 0.81^2 times at least, in the first tenth after it
        // 1 + 2 x 0.09^2 times at most, but for the load of 0.15 x 0.09^2.
        let (mut worn, mut fresh) = (Vec::new(), Vec::new());
        let tenth = ((cycle - 5.0) / 10.0) as i64;
        for pair in own.windows(2) {
            for &(ms, .., p50, is_anomaly) in &run.rows[at] {
                assert!(!is_anomaly);
                let (since, until) =
                    (round(ms) - round(pair[0].end), round(pair[1].start) - round(ms));
                if (1..tenth).contains(&until) {
                    worn.push(p50);
                } else if (0..tenth).contains(&since) {
                    fresh.push(p50);
                }
            }
        }
        let error = 0.05 * (1.0 / worn.len() as f64 + 1.0 / fresh.len() as f64).sqrt();
        let least = (1.0 + 2.0 * 0.81f64.powi(2)) / (1.0 + 2.0 * 0.09f64.powi(2));
        let ratio = mean(&worn) / mean(&fresh);
        assert!(ratio > least * (1.0 - SIGMAS * error) * 0.998, "worn over fresh: {ratio}");
        // Whoever recovers is degraded meanwhile, seen or not; nothing else degrades here.
        for (ms, status) in &run.beats[at] {
            let recovers = own.iter().any(|i| (i.start..i.end).contains(ms));
            if *ms < own[own.len() - 1].end && *ms >= own[0].start {
                assert_eq!(status == "degraded", recovers, "machine {at} is {status}");
            }
        }
    }
    // Rates are log-normal with mean 0.008 and sigma 0.3; the rounding of a cycle is half a reading
    // of fifty at least.
    let n = rates.len() as f64;
    let expected = f64::ln(rate) - 0.3 * 0.3 / 2.0;
    assert_near(mean(&rates), expected, SIGMAS * 0.3 / n.sqrt() + 0.01, "rates");
    let spread = variance(&rates) / 0.09;
    assert_near(spread, 1.0, SIGMAS * (2.0 / n).sqrt() + 0.01, "spread of rates");
    // Machines begin anywhere in their cycle: in ten parts of it, as many each.
    let mut parts = [0u64; 10];
    phases.iter().for_each(|phase| parts[((phase * 10.0) as usize).min(9)] += 1);
    let (found, most) = chi_square(&parts, &[MACHINES as f64 / 10.0; 10]);
    assert!(found < most, "first recoveries are not spread over the cycle: {parts:?}");
    // So recoveries never come together: in ten readings a sum of independent trials, whose variance
    // is below its mean, the number of machines over their cycle. Its tail is a Poisson count's at
    // most, which at a mean of 35 and five deviations is skewed by a sixth of one.
    let cycle = mean(&rates.iter().map(|r| threshold / r.exp() + 5.5).collect::<Vec<_>>());
    let mean_rate =
        mean(&rates.iter().map(|r| 1.0 / (threshold / r.exp() + 5.5)).collect::<Vec<_>>());
    assert!(cycle > 100.0);
    for (i, ten) in starts[..1400].chunks(10).enumerate() {
        let (found, expected) =
            (ten.iter().sum::<u64>() as f64, 10.0 * MACHINES as f64 * mean_rate);
        let tolerance = (SIGMAS + 25.0 / 6.0 / expected.sqrt()) * expected.sqrt();
        assert_near(found, expected, tolerance, &format!("recoveries from reading {}", i * 10));
    }
}

#[test]
fn load_grows_by_the_month() {
    let growth = 0.25;
    let options = format!(
        "--seed 22 --machines 60 --interval 6h --readings 500 {EXACT} --set base_cpu_load=0.2 \
         --set growth.per_month={growth}"
    );
    let machines = readings(&options, |t| t.cpu_percent);
    let mut months = [Sum::default(); 5];
    let (mut squares, mut count) = (0.0, 0);
    for machine in &machines {
        let factor = |i: usize| 1.0 + growth * i as f64 / 120.0;
        let squared: f64 = (0..500).map(|i| factor(i).powi(2)).sum();
        let rows = || machine.rows.iter().enumerate();
        let level = rows().map(|(i, (_, cpu))| factor(i) * cpu).sum::<f64>() / squared;
        squares += rows().map(|(i, (_, cpu))| (cpu - level * factor(i)).powi(2)).sum::<f64>();
        count += 499;
        // Months of 30 days, at their first day, four readings.
        for (i, (_, cpu)) in rows().filter(|(i, _)| i % 120 < 4) {
            months[i / 120].add(*cpu, factor(i));
        }
    }
    let ratio = squares / f64::from(count) / (NOISE * NOISE);
    assert_near(ratio, 1.0, SIGMAS * (2.0 / f64::from(count)).sqrt(), "load against growth");
    for (k, month) in months.iter().enumerate() {
        // The first day's own growth, 1.5 readings of 120 on average, is in both.
        let error = NOISE / (month.value / month.count) * (2.0 / month.count).sqrt();
        let expected = (1.0 + growth * (k as f64 + 0.0125)) / (1.0 + growth * 0.0125);
        let found = month.value / months[0].value;
        assert_near(found, expected, SIGMAS * error * expected, &format!("month {k}"));
        // ... which is 1 + k x growth, to that.
        assert_near(expected, 1.0 + growth * k as f64, 0.0125 * growth * k as f64, "months");
    }
}

#[test]
fn zones_share_the_load_out_unevenly() {
    let spread = 0.4;
    for zones in ["[a,b,c,d]", "[a,b,c]", "[a]"] {
        let options = format!(
            "--seed 23 --machines 48 --readings 200 {EXACT} --set base_cpu_load=0.4 \
             --set zones={zones}"
        );
        let even = readings(&options, |t| t.cpu_percent);
        let uneven =
            readings(&format!("{options} --set zone_patterns.load_spread={spread}"), |t| {
                t.cpu_percent
            });
        let names: Vec<&str> = zones.trim_matches(['[', ']']).split(',').collect();
        for (with, without) in uneven.iter().zip(&even) {
            let place = names.iter().position(|name| *name == with.zone).unwrap();
            // From 1.4 for the first zone down to 0.6 for the last, the others evenly between.
            let expected = match names.len() {
                1 => 1.0,
                n => 1.0 + spread - 2.0 * spread * place as f64 / (n as f64 - 1.0),
            };
            let level = |machine: &Machine<f64>| {
                mean(&machine.rows.iter().map(|row| row.1).collect::<Vec<_>>())
            };
            // The agent's errors are the same draws in both runs, so that less than the error of
            // both is left.
            let error = NOISE / 200f64.sqrt() * (1.0 + expected) / level(without);
            let ratio = level(with) / level(without);
            // With one zone the spread has nobody to be shared out among, and the load stays.
            assert_near(ratio, expected, SIGMAS * error, &format!("zone {}", with.zone));
        }
    }
}

const TROUBLE: &str = "--set zones=[a,b,c,d] --set zone_patterns.trouble_every=50 \
                       --set zone_patterns.trouble_readings=20 \
                       --set zone_patterns.trouble_slowdown=3";

#[test]
fn once_in_a_while_all_of_one_zone_has_a_bad_time() {
    const ROUNDS: usize = 10_000;
    let options = format!(
        "--seed 24 --machines 20 --readings {ROUNDS} --topics telemetry,incidents {EXACT} \
         --set base_cpu_load=0.2 {TROUBLE}"
    );
    let run = run("zone_trouble", &options);
    let begin = run.rows[0][0].0.div_euclid(1000);
    let round = |ms: i64| (ms.div_euclid(1000) - begin) as u64;
    // By period: the zone and its readings, of each machine.
    let mut periods: BTreeMap<u64, BTreeMap<usize, (u64, u64)>> = BTreeMap::new();
    for incident in &run.incidents {
        assert_eq!(incident.magnitude, 3.0);
        let (from, until) = (round(incident.start), round(incident.end));
        assert_eq!(until - from, 20, "{incident:?}");
        let before = periods.entry(from / 50).or_default().insert(incident.at, (from, until));
        assert_eq!(before, None, "a second bad time in one period");
        assert!((until - 1) / 50 == from / 50, "{incident:?} reaches into the next period");
    }
    // The last may not be over, or still wait for its slot.
    assert!(periods.len() >= ROUNDS / 50 - 1, "{} of {} periods", periods.len(), ROUNDS / 50);
    let mut counts = BTreeMap::from([("a", 0), ("b", 0), ("c", 0), ("d", 0)]);
    for (period, of) in &periods {
        let zone = &run.places[*of.keys().next().unwrap()].0;
        *counts.get_mut(zone.as_str()).unwrap() += 1;
        let all = (0..20).filter(|at| run.places[*at].0 == *zone);
        assert!(of.keys().copied().eq(all), "period {period}: not all of {zone}, or others too");
        let times: BTreeSet<_> = of.values().collect();
        assert_eq!(times.len(), 1, "period {period}: machines of {zone} disagree: {times:?}");
    }
    let counts: Vec<u64> = counts.into_values().collect();
    let (found, most) = chi_square(&counts, &[periods.len() as f64 / 4.0; 4]);
    assert!(found < most, "one zone is preferred: {counts:?}");

    // Responses take three times as long, and wait behind a tenth more load.
    for (at, rows) in run.rows.iter().enumerate() {
        let bad: Vec<(u64, u64)> = periods.values().filter_map(|of| of.get(&at)).copied().collect();
        let is_bad = |ms: i64| bad.iter().any(|(from, until)| (*from..*until).contains(&round(ms)));
        let (inside, outside): (Vec<_>, Vec<_>) =
            rows.iter().filter(|row| round(row.0) < 9950).partition(|row| is_bad(row.0));
        let of = |rows: &[&(i64, f64, i64, f64, bool)],
                  value: fn(&(i64, f64, i64, f64, bool)) -> f64| {
            mean(&rows.iter().map(|row| value(row)).collect::<Vec<_>>())
        };
        let error = (1.0 / inside.len() as f64 + 1.0 / outside.len() as f64).sqrt();
        let (load, usual) = (of(&inside, |row| row.1), of(&outside, |row| row.1));
        assert_near(load - usual, 10.0, SIGMAS * NOISE * error, "load of a bad time");
        let expected = 3.0 * (100.0 - usual) / (100.0 - usual - 10.0);
        let ratio = of(&inside, |row| row.3) / of(&outside, |row| row.3) / expected;
        // The usual load is known to a hundredth of a point. Latency is rounded to a hundredth of a
        // millisecond, of one at least.
        assert_near(ratio, 1.0, SIGMAS * 0.05 * error + 1e-3, "latency of a bad time");
        assert!(rows.iter().all(|row| !row.4), "a bad time is no anomaly");
    }
}

#[test]
fn every_shard_finds_the_same_bad_times() {
    let found = |shard: Option<u32>| {
        let part = shard.map_or(String::new(), |s| format!("--shard {s}/2"));
        let options = format!(
            "--seed 25 --start 2026-01-01T00:00:00Z --machines 64 --readings 1000 \
             --topics incidents {TROUBLE} {part}"
        );
        let manifest = manifest(&options);
        let share = Share { shard: (shard.unwrap_or(0), shard.map_or(1, |_| 2)), thread: (0, 1) };
        let mut stream = Stream::new(&manifest, share).without_end();
        let mut begun = BTreeSet::new();
        let mut machines = BTreeSet::new();
        while let Some(step) = stream.next() {
            let Step::Slot(slot) = step else { continue };
            if slot.round == 1000 {
                break;
            }
            stream.fill(&slot, |keyed| {
                if let Some(Record::Incident(i)) = keyed.map(|keyed| keyed.record) {
                    begun.insert((i.machine_id.to_owned(), i.start_time, i.end_time));
                    machines.insert(i.machine_id.to_owned());
                }
            });
        }
        (begun, machines.len())
    };
    let (whole, (first, in_first), (second, in_second)) =
        (found(None).0, found(Some(0)), found(Some(1)));
    assert_eq!((in_first, in_second), (32, 32), "machines of each shard");
    assert!(first.is_disjoint(&second));
    assert_eq!(first.union(&second).cloned().collect::<BTreeSet<_>>(), whole);
    // By zone and reading, each alone finds all there is.
    let times = |begun: &BTreeSet<(String, i64, Option<i64>)>| {
        begun.iter().map(|(_, start, _)| start.div_euclid(1000)).collect::<BTreeSet<_>>()
    };
    assert_eq!(times(&first), times(&whole));
    assert_eq!(times(&second), times(&whole));
}

#[test]
fn a_setting_without_its_switch_is_noted() {
    for (setting, switch) in [
        ("anomalies.cpu_spike_probability=0.5", "anomalies.enable"),
        ("anomalies.sensor_drift_duration=[5,6]", "anomalies.enable"),
        ("temporal_patterns.peak_hour=9", "temporal_patterns.enable_diurnal"),
        ("temporal_patterns.night_load_factor=0.1", "temporal_patterns.enable_diurnal"),
        ("temporal_patterns.weekend_load_factor=0.1", "temporal_patterns.enable_weekly"),
        ("failure_probability=0.1", "enable_failures"),
        ("cascade_failure_probability=0.1", "enable_failures"),
        ("failures.repair_readings=5", "enable_failures"),
        ("maintenance.share=0.5", "maintenance.enable"),
        ("degradation.rate=0.1", "degradation.enable"),
    ] {
        let key = setting.split('=').next().unwrap();
        let notes = built(&format!("--set {setting}")).unwrap().notes;
        assert_eq!(notes.len(), 1, "{setting}: {notes:?}");
        assert!(notes[0].contains(key) && notes[0].contains(switch), "{setting}: {notes:?}");
        let notes = built(&format!("--set {setting} --set {switch}=true")).unwrap().notes;
        assert_eq!(notes, [""; 0], "{setting}");
    }
}

#[test]
fn a_region_without_a_time_zone_is_noted_where_local_time_counts() {
    let regions = "--set regions=[us-east-1,mars-1,Europe/Paris]";
    let noted = |options: &str| built(&format!("{regions} {options}")).unwrap().notes;
    for nothing in ["", "--set growth.per_month=1", "--set degradation.enable=true"] {
        assert_eq!(noted(nothing), [""; 0], "{nothing}");
    }
    for switch in [
        "temporal_patterns.enable_diurnal",
        "temporal_patterns.enable_weekly",
        "maintenance.enable",
    ] {
        let notes = noted(&format!("--set {switch}=true"));
        assert_eq!(notes.len(), 1, "{switch}: {notes:?}");
        assert!(notes[0].contains("mars-1"), "{switch}: {notes:?}");
        assert!(!notes[0].contains("us-east-1") && !notes[0].contains("Paris"), "{notes:?}");
        let named = "--set temporal_patterns.time_zones.mars-1=Asia/Tokyo";
        assert_eq!(noted(&format!("--set {switch}=true {named}")), [""; 0], "{switch}");
    }
}

/// By how many readings changes wait for their slots over the last tenth of a run of 20,000.
fn wait(options: &str) -> f64 {
    let mut waits = Vec::new();
    let mut end = 0;
    simulate(&format!("--seed 26 --machines 8 --readings 20000 {options}"), |_, keyed| {
        end = keyed.timestamp_ms;
        let at = match &keyed.record {
            Record::Incident(i) => i.end_time.unwrap_or(i.start_time),
            Record::Status(s) => s.last_heartbeat,
            _ => return,
        };
        waits.push((keyed.timestamp_ms, (keyed.timestamp_ms - at) as f64 / 1000.0));
    });
    let last = waits.iter().filter(|(ms, _)| end - ms < 2_000_000).map(|(_, wait)| *wait);
    mean(&last.collect::<Vec<_>>())
}

#[test]
fn what_comes_too_often_for_its_slots_is_refused() {
    // A beginning and an end every other reading fill every slot, and jobs come besides. Of the
    // zone's bad times one in four joins the one before, so that more jobs are needed.
    let zones = "--topics jobs,incidents --set zones=[a] --set zone_patterns.trouble_every=2 \
                 --set zone_patterns.trouble_readings=1 --set jobs.arrival_probability=0.15";
    let wear = "--topics jobs,status --set degradation.enable=true --set degradation.rate=0.2 \
                --set degradation.threshold=0.001 --set degradation.recovery=1";
    for options in [zones, wear] {
        match built(&format!("--seed 26 {options}")) {
            Err(error) => assert!(error.to_string().contains("event slots"), "{error}"),
            // Bursts aside, what isn't refused doesn't wait: (0.9 + 19) / (2 (1 - 0.9)) readings at
            // most, with 20 changes in a burst, as in scenarios.rs.
            Ok(_) => assert!(wait(options) < 100.0, "{options}: {} readings", wait(options)),
        }
    }
}
