//! The simulation's statistics: what the fleet's signals do over many readings, against what the
//! model says they should.
//!
//! Seeds are fixed, so that a test passes always or never. Expectations and tolerances are derived
//! from the model, never from what a run gave. A tolerance is five standard errors, which chance
//! alone passes once in 1.7 million; readings of one machine are no independent draws, so standard
//! errors count with their autocorrelation:
//! - the mean of n values of lag-1 autocorrelation rho has a variance of
//!   sigma^2 (1 + rho) / ((1 - rho) n);
//! - their sample variance has a relative variance of 2 (1 + rho^2) / ((1 - rho^2) n).

use std::collections::{BTreeMap, HashMap};

use fleetstorm_model::record::Record;

use crate::support::stream::{simulate, telemetry};

/// How many standard errors an estimate may stand from its expectation.
const SIGMAS: f64 = 5.0;
/// Lag-1 autocorrelation of load.
const RHO: f64 = 0.95;
/// (1 + rho) / (1 - rho): how many readings weigh as much as one independent draw, in a mean.
const READINGS_A_DRAW: f64 = (1.0 + RHO) / (1.0 - RHO);
/// The same for a variance: (1 + rho^2) / (1 - rho^2).
const READINGS_A_SQUARE: f64 = (1.0 + RHO * RHO) / (1.0 - RHO * RHO);
/// Standard deviation of an agent's error in reading the processor's use, as a fraction.
const CPU_NOISE: f64 = 0.005;
/// The farthest that a normal draw goes, in standard deviations.
const FARTHEST: f64 = 4.1;
/// Spread of the machines' own load levels about their type's: sigma of a log-normal of mean 1.
const CHARACTER: f64 = 0.15;
/// Machine types as the seed's package ships them: share of the fleet, mean cpu percent.
const TYPES: [(&str, f64, f64); 3] =
    [("core", 0.2, 35.0), ("edge", 0.5, 20.0), ("worker", 0.3, 70.0)];

const NO_JOBS: &str = "--set jobs.arrival_probability=0";

/// Type and cores of every machine.
fn machines(options: &str) -> Vec<(String, f64)> {
    let mut machines = Vec::new();
    simulate(&format!("--topics machines {options}"), |_, keyed| {
        if let Record::Machine(machine) = &keyed.record {
            machines.push((machine.machine_type.to_owned(), f64::from(machine.cores)));
        }
    });
    machines
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for value in values {
        sum += value;
        n += 1.0;
    }
    sum / n
}

fn variance(values: &[f64]) -> f64 {
    covariance(values, values)
}

fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a.iter().copied()), mean(b.iter().copied()));
    mean(a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)))
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    covariance(a, b) / (variance(a) * variance(b)).sqrt()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The cpu of a type relative to the fleet's mean.
fn relative(cpu: f64) -> f64 {
    cpu / TYPES.iter().map(|(_, share, cpu)| share * cpu).sum::<f64>()
}

/// The mean square of a machine's level over the square of the base load: the type mix's second
/// moment times that of the machines' own factor.
fn level_square() -> f64 {
    let types: f64 = TYPES.iter().map(|(_, share, cpu)| share * relative(*cpu).powi(2)).sum();
    types * (CHARACTER * CHARACTER).exp()
}

fn assert_near(value: f64, expected: f64, tolerance: f64, what: &str) {
    let off = (value - expected).abs();
    assert!(off <= tolerance, "{what}: {value} is not within {tolerance} of {expected}");
}

#[test]
fn usage_is_telemetry_at_the_same_instant() {
    let mut telemetry = HashMap::new();
    let mut usages = Vec::new();
    simulate("--seed 1 --readings 200 --set base_cpu_load=0.6", |_, keyed| match &keyed.record {
        Record::Telemetry(t) => {
            let key = (t.machine_id.to_owned(), t.timestamp);
            let values = [t.cpu_percent, t.memory_percent, t.disk_percent];
            assert!(telemetry.insert(key, values).is_none(), "two readings at one instant");
        }
        Record::Usage(u) => usages.push((
            (u.machine_id.to_owned(), u.timestamp),
            [u.cpu_percent, u.memory_percent, u.disk_percent],
        )),
        _ => {}
    });
    assert_eq!((telemetry.len(), usages.len()), (20_000, 20_000));
    for (key, values) in usages {
        assert_eq!(telemetry.remove(&key), Some(values), "{key:?}");
    }
}

#[test]
fn values_keep_their_bounds_in_every_corner_of_the_configuration() {
    let corners = [
        "",
        "--set base_cpu_load=0 --set base_memory_load=0 --set load_variance=0",
        "--set base_cpu_load=0 --set base_memory_load=0 --set load_variance=1",
        "--set base_cpu_load=1 --set base_memory_load=1 --set load_variance=0",
        "--set base_cpu_load=1 --set base_memory_load=1 --set load_variance=1",
        "--set jobs.arrival_probability=0.2 --set base_cpu_load=0.5",
        "--set cores_range=[1,1] --interval 1ms",
        "--set cores_range=[4096,4096] --interval 1h",
        "--set machine_types=[gpu]",
    ];
    let kinds = "cpu_spike memory_leak network_saturation disk_full multi_resource sensor_drift";
    let anomalies = |share: f64, length: &str, more: &str| -> String {
        let of_kind = |kind| {
            format!(
                " --set anomalies.{kind}_probability={share} --set anomalies.{kind}_duration={length}"
            )
        };
        let all: String = kinds.split(' ').map(of_kind).collect();
        format!("--set anomalies.enable=true{all} {more}")
    };
    let magnitudes = |value: u32| {
        format!(
            "--set anomalies.cpu_spike_magnitude={value} --set anomalies.memory_leak_rate={value} \
             --set anomalies.multi_resource_magnitude={value} \
             --set anomalies.sensor_drift_magnitude={value}"
        )
    };
    let with_anomalies = [
        anomalies(1.0, "[1,1]", &magnitudes(0)),
        anomalies(1.0, "[1,1000000]", &magnitudes(100)),
        anomalies(0.5, "[1,1000000]", "--set base_cpu_load=1 --set load_variance=1"),
        anomalies(0.5, "[5,30]", "--set base_cpu_load=0 --set base_memory_load=0 --interval 1ms"),
        anomalies(0.999, "[1000000,1000000]", "--set cores_range=[1,1] --set machine_types=[gpu]"),
    ];
    let corners = corners.map(str::to_owned).into_iter().chain(with_anomalies);
    for corner in corners {
        let mut readings = 0;
        simulate(&format!("--seed 2 --readings 500 --topics telemetry {corner}"), |_, keyed| {
            let Record::Telemetry(t) = &keyed.record else { return };
            readings += 1;
            for percent in [t.cpu_percent, t.memory_percent, t.disk_percent] {
                assert!((0.0..=100.0).contains(&percent), "{corner}: {t:?}");
            }
            assert!(t.network_in_mbps >= 0.0 && t.network_out_mbps >= 0.0, "{corner}: {t:?}");
            assert!(t.latency_p50 > 0.0 && t.latency_p99 >= t.latency_p50, "{corner}: {t:?}");
            assert!(0 <= t.error_count && t.error_count <= t.request_count, "{corner}: {t:?}");
            assert!(!t.is_anomaly || corner.contains("anomalies"), "{corner}: none was asked for");
            for value in [
                t.cpu_percent,
                t.memory_percent,
                t.disk_percent,
                t.network_in_mbps,
                t.network_out_mbps,
                t.latency_p50,
                t.latency_p99,
            ] {
                // The double nearest to a decimal of two places, so that it prints as one.
                let rounded = (value * 100.0).round() / 100.0;
                assert!(value.is_finite() && value == rounded, "{corner}: {value}");
            }
        });
        assert_eq!(readings, 50_000, "{corner}");
    }
}

#[test]
fn workers_are_hotter_than_cores_and_cores_than_edges() {
    let options = format!("--seed 4 --machines 3000 --readings 5 {NO_JOBS}");
    let mut cpu: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    simulate(&format!("--topics telemetry {options}"), |_, keyed| {
        if let Record::Telemetry(t) = &keyed.record {
            cpu.entry(t.machine_type.to_owned()).or_default().push(t.cpu_percent / 100.0);
        }
    });
    for (name, _, percent) in TYPES {
        let values = &cpu[name];
        let expected = 0.3 * relative(percent);
        // Five readings of a machine are all but one draw, of its level and its deviation (spread
        // 0.2): the relative variance of a product, (1 + a)(1 + b) - 1.
        let relative_variance = (CHARACTER * CHARACTER).exp() * (1.0 + 0.2f64.powi(2)) - 1.0;
        let error = expected * (relative_variance / (values.len() as f64 / 5.0)).sqrt();
        assert_near(mean(values.iter().copied()), expected, SIGMAS * error, name);
    }
}

#[test]
fn a_machines_cpu_spreads_by_the_load_variance_and_remembers_itself() {
    const N: f64 = 20_000.0;
    for spread in [0.1, 0.2] {
        let options =
            format!("--seed 5 --machines 64 --readings {N} --set load_variance={spread} {NO_JOBS}");
        let (mut spreads, mut memories) = (Vec::new(), Vec::new());
        for cpu in telemetry(&options, |t| t.cpu_percent / 100.0) {
            let level = mean(cpu.iter().copied());
            if level * (1.0 + spread * FARTHEST) > 1.0 {
                // Full use cuts the busiest machines' spread.
                continue;
            }
            let of_load = (level * spread).powi(2);
            // Noise, and rounding to a hundredth of a percent: a uniform error of 1e-4.
            let of_noise = CPU_NOISE * CPU_NOISE + 1e-8 / 12.0;
            let found = variance(&cpu);
            // The variance strays by its own error, and the level, from which its expectation is
            // taken, by spread sqrt(draws / n), which counts twice in a square.
            let stray =
                (2.0 * READINGS_A_SQUARE / N + 4.0 * spread * spread * READINGS_A_DRAW / N).sqrt();
            let expected = of_load + of_noise;
            assert_near(found / expected, 1.0, SIGMAS * stray, "variance of a machine's cpu");
            spreads.push((found / expected, stray));

            // Noise that remembers nothing lowers the autocorrelation by the part that it has of
            // the variance. A correlogram's standard error is 1 / sqrt(n) at most (Bartlett), its
            // bias (1 + 4 rho) / n.
            let lagged = covariance(&cpu[1..], &cpu[..cpu.len() - 1]) / found;
            let expected = RHO * of_load / expected;
            assert_near(lagged, expected, SIGMAS / N.sqrt() + 5.0 / N, "lag-1 autocorrelation");
            memories.push(lagged - expected);
        }
        let count = spreads.len() as f64;
        assert!(count > 40.0, "too few machines are left to say anything");
        // Together the machines say it more exactly. A sample variance is short by draws / n.
        let stray = spreads[0].1 / count.sqrt();
        let bias = READINGS_A_DRAW / N;
        let pooled = mean(spreads.into_iter().map(|(ratio, _)| ratio));
        assert_near(pooled, 1.0, SIGMAS * stray + bias, "variance over machines");
        let pooled = mean(memories);
        assert_near(pooled, 0.0, SIGMAS / (N * count).sqrt() + 5.0 / N, "memory over machines");
    }
}

#[test]
fn without_load_variance_only_measurement_noise_is_left() {
    const N: f64 = 20_000.0;
    let options = format!("--seed 6 --machines 40 --readings {N} --set load_variance=0 {NO_JOBS}");
    for cpu in telemetry(&options, |t| t.cpu_percent / 100.0) {
        let level = mean(cpu.iter().copied());
        if level + FARTHEST * CPU_NOISE > 1.0 {
            continue;
        }
        // White noise: the variance strays by sqrt(2 / n), the autocorrelation by 1 / sqrt(n).
        let ratio = variance(&cpu) / (CPU_NOISE * CPU_NOISE + 1e-8 / 12.0);
        assert_near(ratio, 1.0, SIGMAS * (2.0 / N).sqrt(), "variance of the noise");
        let lagged = covariance(&cpu[1..], &cpu[..cpu.len() - 1]) / variance(&cpu);
        assert_near(lagged, 0.0, SIGMAS / N.sqrt(), "autocorrelation of the noise");
    }
}

#[test]
fn memory_follows_load() {
    const N: f64 = 20_000.0;
    const SPREAD: f64 = 0.2;
    // Memory goes a tenth of its way towards level (1 + 0.2 (relative load - 1)) + noise of 0.01 in each
    // reading. For a load of relative standard deviation r that has autocorrelation rho and a = 1 - 0.1,
    // with c = 0.2 level:
    //   Cov(memory, load) = c level' r^2 (1 - a) / (1 - a rho), of a load of mean level'
    //   Var(memory)       = c^2 r^2 (1 - a)^2 (1 + a rho) / ((1 - a^2)(1 - a rho))
    //                       + 0.01^2 (1 - a)^2 / (1 - a^2)
    // and the agents' noise adds to Var(cpu).
    let expected = |load: f64, memory: f64| {
        let (follow, a, r) = (0.1, 0.9, SPREAD);
        let c = 0.2 * memory;
        let together = c * load * r * r * follow / (1.0 - a * RHO);
        let of_memory = c * c * r * r * follow * follow * (1.0 + a * RHO)
            / ((1.0 - a * a) * (1.0 - a * RHO))
            + 1e-4 * follow * follow / (1.0 - a * a);
        let of_cpu = (load * r).powi(2) + CPU_NOISE * CPU_NOISE;
        together / (of_memory * of_cpu).sqrt()
    };
    let options = format!("--seed 7 --machines 64 --readings {N} {NO_JOBS}");
    let mut off = Vec::new();
    for rows in telemetry(&options, |t| (t.cpu_percent / 100.0, t.memory_percent / 100.0)) {
        let (cpu, memory): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
        let level = mean(cpu.iter().copied());
        if level * (1.0 + SPREAD * FARTHEST) > 1.0 {
            continue;
        }
        let expected = expected(level, mean(memory.iter().copied()));
        let found = correlation(&cpu, &memory);
        assert!(found > 0.3, "a machine's memory doesn't follow its load: {found}");
        // A correlation of n / draws independent pairs strays by less than 1 / sqrt(their number).
        let stray = (READINGS_A_DRAW / N).sqrt();
        assert_near(found, expected, SIGMAS * stray, "cpu and memory");
        off.push(found - expected);
    }
    let stray = (READINGS_A_DRAW / (N * off.len() as f64)).sqrt();
    assert_near(mean(off), 0.0, SIGMAS * stray, "cpu and memory, over machines");
}

#[test]
fn requests_and_traffic_follow_load() {
    const N: f64 = 20_000.0;
    const SPREAD: f64 = 0.2;
    // Ten seconds a reading: in one second an edge machine serves so few requests that their own
    // chance (Poisson) drowns the load.
    let options = format!("--seed 9 --machines 64 --readings {N} --interval 10s {NO_JOBS}");
    let types = machines(&options.replace(&format!("--readings {N}"), "--readings 1"));
    let rows = telemetry(&options, |t| {
        [t.cpu_percent / 100.0, t.request_count as f64, t.network_in_mbps, t.network_out_mbps]
    });
    for (rows, (_, cores)) in rows.iter().zip(&types) {
        let column = |i: usize| rows.iter().map(|row| row[i]).collect::<Vec<f64>>();
        let cpu = column(0);
        let level = mean(cpu.iter().copied());
        if level * (1.0 + SPREAD * FARTHEST) > 1.0 {
            continue;
        }
        let s = level * SPREAD;
        let seen = s / (s * s + CPU_NOISE * CPU_NOISE).sqrt();
        let stray = SIGMAS * (READINGS_A_DRAW / N).sqrt();
        // Requests: capacity times load, with a Poisson count's variance, and capacity is 20 a
        // second and core.
        let capacity = 20.0 * cores * 10.0;
        let signal = (capacity * s).powi(2);
        let expected = seen * (signal / (signal + capacity * level)).sqrt();
        let found = correlation(&cpu, &column(1));
        assert_near(found, expected, stray, "cpu and requests");
        assert!(found > 0.8, "requests don't follow load: {found}");
        // Traffic: link times load, with a relative noise of 0.08.
        let expected = seen * s / (s * s + 0.08f64.powi(2) * (level * level + s * s)).sqrt();
        for traffic in [column(2), column(3)] {
            let found = correlation(&cpu, &traffic);
            assert!(found > 0.8, "traffic doesn't follow load: {found}");
            // Where what a machine sends fills its link, the link cuts it.
            let link = traffic.iter().copied().fold(0.0, f64::max);
            if traffic.iter().filter(|&&t| t == link).count() < 2 {
                assert_near(found, expected, stray, "cpu and traffic");
            }
        }
    }
}

#[test]
fn latency_rises_as_a_queue_does() {
    // So wide a spread that one machine goes from a third of its capacity to all of it.
    let options = format!(
        "--seed 10 --machines 150 --readings 8000 --set base_cpu_load=0.5 \
         --set load_variance=0.6 {NO_JOBS}"
    );
    let mut compared = 0;
    for rows in telemetry(&options, |t| (t.cpu_percent, t.latency_p50, t.latency_p99)) {
        let band = |low: f64, high: f64| {
            rows.iter().filter(|r| (low..high).contains(&r.0)).copied().collect::<Vec<_>>()
        };
        let (cool, hot) = (band(30.0, 40.0), band(90.0, 97.0));
        if cool.len() < 200 || hot.len() < 200 {
            continue;
        }
        compared += 1;
        // A response takes a service time, whose percentiles are 0.895 and 2.672 of its mean, and waits
        // exponentially for rho^2 / (4 (1 - rho)) service times on average. The service time, which is the
        // machine's own, cancels out.
        let wait = |cpu: f64| (cpu / 100.0).powi(2) / (4.0 * (1.0 - cpu / 100.0));
        let queue = |rows: &[(f64, f64, f64)], service: f64, in_waits: f64| {
            median(rows.iter().map(|r| service + in_waits * wait(r.0)).collect())
        };
        let p50 = |rows: &[(f64, f64, f64)]| median(rows.iter().map(|r| r.1).collect());
        let p99 = |rows: &[(f64, f64, f64)]| median(rows.iter().map(|r| r.2).collect());
        // A median of n values with relative noise e strays by sqrt(pi / 2) e / sqrt(n): latency
        // has 0.05 of its own, and 1 - rho, which is 0.03 at least, is known to 0.005. That noise
        // also bends its reciprocal, by (0.005 / 0.03)^2 at most.
        let bend = (CPU_NOISE / 0.03).powi(2);
        let noise = |e: f64, n: usize| (std::f64::consts::FRAC_PI_2 / n as f64).sqrt() * e;
        let stray = (noise(0.05f64.hypot(CPU_NOISE / 0.03), hot.len()))
            .hypot(noise(0.05f64.hypot(CPU_NOISE / 0.6), cool.len()));
        let tolerance = SIGMAS * stray + bend;
        let of_p50 = |rows: &[(f64, f64, f64)]| queue(rows, 0.895, 2f64.ln());
        let of_p99 = |rows: &[(f64, f64, f64)]| queue(rows, 2.672, 100f64.ln());
        let (slower, slowest) = (of_p50(&hot) / of_p50(&cool), of_p99(&hot) / of_p99(&cool));
        assert!(slower > 2.0, "the bands are too close to show it: {slower}");
        assert_near(p50(&hot) / p50(&cool) / slower, 1.0, tolerance, "p50 against a queue's");
        assert_near(p99(&hot) / p99(&cool) / slowest, 1.0, tolerance, "p99 against a queue's");
        let ratio = p99(&cool) / p50(&cool) / (of_p99(&cool) / of_p50(&cool));
        let stray = noise(0.05, cool.len()) * std::f64::consts::SQRT_2;
        assert_near(ratio, 1.0, SIGMAS * stray, "p99 over p50");
    }
    assert!(compared > 15, "only {compared} machines pass through both bands");
}

#[test]
fn a_saturated_machine_sheds_what_it_cannot_serve_and_recovers() {
    // A minute a reading, so that requests tell the demand well.
    let options = format!(
        "--seed 11 --machines 100 --readings 3000 --interval 60s --set base_cpu_load=0.6 \
         --set load_variance=0.4 {NO_JOBS}"
    );
    let types = machines(&options.replace("--readings 3000", "--readings 1"));
    let rows = telemetry(&options, |t| (t.request_count as f64, t.error_count as f64));
    let of_machine = |(rows, (_, cores)): (Vec<(f64, f64)>, &(String, f64))| {
        // 20 requests a second and core.
        let capacity = 20.0 * 60.0 * cores;
        rows.into_iter().map(move |(requests, errors)| (requests, errors, capacity))
    };
    let rows: Vec<_> = rows.into_iter().zip(&types).flat_map(of_machine).collect();
    // Whoever is not full fails one request in 2,000, also just after it was: a Poisson count.
    let calm = || rows.iter().filter(|(requests, _, capacity)| *requests < 0.9 * capacity);
    let expected = calm().map(|row| row.0).sum::<f64>() * 0.0005;
    let found = calm().map(|row| row.1).sum();
    assert_near(found, expected, SIGMAS * expected.sqrt(), "errors of machines with room");
    // What comes in beyond the capacity is shed. Requests are known to their own chance, sqrt(capacity) of each
    // reading; readings near the bound are taken in by that chance too, which is far below a percent of all.
    let full = || rows.iter().filter(|(requests, _, capacity)| *requests > 1.05 * capacity);
    assert!(full().count() > 1000);
    let expected: f64 = full().map(|(requests, _, full)| requests - full + 0.0005 * requests).sum();
    let noise: f64 = full().map(|(requests, ..)| requests).sum();
    let found = full().map(|row| row.1).sum();
    let tolerance = SIGMAS * noise.sqrt() + 0.01 * expected;
    assert_near(found, expected, tolerance, "errors of saturated machines");
}

#[test]
fn cpu_and_memory_are_stationary() {
    const HALF: usize = 5000;
    let machines = 200.0;
    let options = format!("--seed 12 --machines {machines} --readings {} {NO_JOBS}", 2 * HALF);
    let rows = telemetry(&options, |t| (t.cpu_percent / 100.0, t.memory_percent / 100.0));
    let half = |first: bool, value: fn(&(f64, f64)) -> f64| {
        mean(rows.iter().flat_map(|rows| {
            let (a, b) = rows.split_at(HALF);
            if first { a.iter() } else { b.iter() }.map(value)
        }))
    };
    // The means of two halves of a machine differ by sqrt(2 s^2 draws / half), with s 0.2 of its
    // level for cpu; over the fleet's machines by a sqrt(machines)-th. Memory follows a fifth of that, relative to
    // its own level of 0.5 on average, whose mean square over types and machines is 1.13 times its square.
    let square = (0.3 * 0.2f64).powi(2) * level_square();
    let stray = (2.0 * square * READINGS_A_DRAW / HALF as f64 / machines).sqrt();
    let drift = half(false, |row| row.0) - half(true, |row| row.0);
    assert_near(drift, 0.0, SIGMAS * stray, "drift of cpu");
    let drift = half(false, |row| row.1) - half(true, |row| row.1);
    let of_memory = (0.2f64 * 0.2 * 0.5).powi(2) * 1.13;
    let stray = (2.0 * of_memory * READINGS_A_DRAW / HALF as f64 / machines).sqrt();
    assert_near(drift, 0.0, SIGMAS * stray, "drift of memory");
}

#[test]
fn disks_fill_and_are_cleaned() {
    const HALF: usize = 5000;
    let machines = 200.0;
    let options = format!("--seed 13 --machines {machines} --readings {}", 2 * HALF);
    let rows = telemetry(&options, |t| t.disk_percent);
    let mut cleanings = 0;
    for disk in &rows {
        for pair in disk.windows(2) {
            if pair[1] < pair[0] {
                // Cleaned at 75 percent at the earliest, down to 60 at the most.
                assert!(pair[0] >= 74.0 && pair[1] <= 60.0, "a disk fell from {pair:?}");
                cleanings += 1;
            } else {
                // A reading writes 0.02 percent, log-normal with sigma 0.4, at full use.
                let most = 0.02 * (0.4 * FARTHEST).exp();
                assert!(pair[1] - pair[0] <= most + 0.01, "a disk jumped: {pair:?}");
            }
        }
        assert!(disk.iter().all(|&d| d > 0.0 && d < 91.0), "a disk ran over");
        assert!(disk[0] < disk[disk.len() - 1] || disk.windows(2).any(|p| p[1] < p[0]));
    }
    // At least 0.3 of 0.02 percent a reading over a way of 74 percent at most; cleanings of a
    // machine are regular, so their number strays by less than a Poisson count's.
    let expected = machines * 2.0 * HALF as f64 * 0.3 * 0.02 / 74.0;
    assert!(f64::from(cleanings) > expected - SIGMAS * expected.sqrt(), "{cleanings} cleanings");
    // A level is uniform between floor and ceiling, at most 74 apart, at the start and at any time
    // later, so that half-run means differ by 2 x 74 / sqrt(12) at most, in standard deviations.
    let half = |from: usize| mean(rows.iter().flat_map(|d| d[from..from + HALF].iter().copied()));
    let stray = 2.0 * 74.0 / 12f64.sqrt() / f64::sqrt(machines);
    assert_near(half(HALF), half(0), SIGMAS * stray, "drift of disks");
}

#[test]
fn machines_have_a_character_of_their_own() {
    const N: f64 = 2000.0;
    const SPREAD: f64 = 0.2;
    let options = format!("--seed 14 --machines 800 --readings {N} {NO_JOBS}");
    let types = machines(&options.replace(&format!("--readings {N}"), "--readings 1"));
    let rows = telemetry(&options, |t| t.cpu_percent / 100.0);
    // Of one type, so that only their own character divides them.
    let edges: Vec<f64> = rows
        .into_iter()
        .zip(&types)
        .filter(|(_, (name, _))| name == "edge")
        .map(|(cpu, _)| mean(cpu).ln())
        .collect();
    let sampling = SPREAD * SPREAD * READINGS_A_DRAW / N;
    let between = variance(&edges);
    assert!(between > 10.0 * sampling, "machines are all alike: {between}");
    // A sample variance of n normal draws strays by sqrt(2 / n).
    let expected = CHARACTER * CHARACTER + sampling;
    let stray = (2.0 / edges.len() as f64).sqrt();
    assert_near(between / expected, 1.0, SIGMAS * stray, "spread of characters");
}

#[test]
fn status_follows_load_and_heartbeats_never_fall_back() {
    let mut cpu: HashMap<(usize, i64), f64> = HashMap::new();
    let mut beats: BTreeMap<usize, Vec<(String, i64)>> = BTreeMap::new();
    simulate("--seed 22 --machines 60 --readings 1500 --set base_cpu_load=0.8", |at, keyed| {
        match &keyed.record {
            Record::Telemetry(t) => {
                cpu.insert((at, t.timestamp), t.cpu_percent);
            }
            Record::Status(s) => {
                assert_eq!(keyed.key, s.machine_id);
                assert!(s.last_heartbeat <= keyed.timestamp_ms);
                beats.entry(at).or_default().push((s.status.to_owned(), s.last_heartbeat));
            }
            _ => {}
        }
    });
    assert_eq!(beats.len(), 60);
    // A reading's cpu is the load that decides the status, but for the agent's noise.
    let noise = FARTHEST * CPU_NOISE * 100.0 + 0.01;
    let (mut degraded, mut healthy) = (0, 0);
    for (machine, beats) in &beats {
        let rising = beats.windows(2).all(|w| w[0].1 <= w[1].1);
        assert!(rising, "a heartbeat of machine {machine} fell back");
        // A machine begins in either state.
        let mut before = beats[0].0.as_str();
        for (status, last_heartbeat) in beats {
            let cpu = cpu[&(*machine, *last_heartbeat)];
            match (before, status.as_str()) {
                ("healthy", "degraded") => {
                    degraded += 1;
                    assert!(cpu >= 92.0 - noise, "degraded at {cpu}");
                }
                ("degraded", "healthy") => {
                    healthy += 1;
                    assert!(cpu < 80.0 + noise, "healthy again at {cpu}");
                }
                ("healthy", "healthy") => assert!(cpu < 92.0 + noise, "healthy at {cpu}"),
                ("degraded", "degraded") => assert!(cpu >= 80.0 - noise, "degraded at {cpu}"),
                change => panic!("no machine fails here, yet {change:?}"),
            }
            before = status;
        }
    }
    assert!(degraded > 100 && healthy > 100, "{degraded} times degraded, {healthy} times relieved");
}

#[test]
fn a_calm_fleet_beats_healthily_at_every_reading() {
    let mut beats = 0;
    simulate(
        &format!("--seed 23 --topics status --readings 300 --set base_cpu_load=0.1 {NO_JOBS}"),
        |_, keyed| {
            let Record::Status(status) = &keyed.record else { panic!("{keyed:?}") };
            assert_eq!(status.status, "healthy");
            assert_eq!(status.last_heartbeat, keyed.timestamp_ms);
            beats += 1;
        },
    );
    assert_eq!(beats, 300 * 100);
}
