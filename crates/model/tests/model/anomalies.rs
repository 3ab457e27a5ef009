//! Anomalies: how many readings their episodes take, how long they last, what they do to the signals, and
//! that the labels say so.
//!
//! Seeds are fixed, so that a test passes always or never; expectations and tolerances come from
//! the model, five standard errors where chance plays a part. Whether an episode begins at a
//! reading is a trial of its own whatever came before, so that counts of beginnings are within the
//! bounds of a binomial.
//!
//! What an episode does is seen by comparing the run with its twin, the run of the same seed without
//! anomalies: signals draw from streams of their own, so that the difference is the episode's alone.
//! Incidents take event slots and may be told late; a machine's are compared up to the last
//! reading at which none waited, a silent slot.

use crate::support::history::{ANOMALIES, History, Incident, Row, watch};
use crate::support::statistics::{
    SIGMAS, assert_binomial, assert_near, assert_same_rate, chi_square, mean, standard_error,
};
use crate::support::stream;

/// Anomalies alone: no jobs, and the default kinds off.
const ALONE: &str = "--topics telemetry,incidents --set jobs.arrival_probability=0 \
    --set anomalies.enable=true --set anomalies.cpu_spike_probability=0 \
    --set anomalies.memory_leak_probability=0 --set anomalies.network_saturation_probability=0";
/// The run to compare with.
const WITHOUT: &str = "--topics telemetry,incidents --set jobs.arrival_probability=0";
/// Mbps of a machine's link for each of its cores.
const LINK_PER_CORE: f64 = 50.0;
/// Half of the last digit that telemetry reports, and as much for what a difference adds.
const ROUNDING: f64 = 0.0101;

/// Episodes begun, and readings at which one could have: those at which none of the kind was open.
fn begun(machines: &[History], kind: &str, counts: impl Fn(&History, usize) -> bool) -> (u64, u64) {
    let (mut hits, mut trials) = (0, 0);
    for machine in machines {
        let mut free = 0;
        let mut incidents = machine.of(kind).peekable();
        for at in 0..machine.settled {
            let begins = incidents.next_if(|incident| incident.begin == at);
            let counted = at > 0 && at >= free && counts(machine, at);
            trials += u64::from(counted);
            if let Some(incident) = begins {
                assert!(at >= free, "two episodes of {kind} at once");
                hits += u64::from(counted);
                free = incident.end.unwrap_or(usize::MAX);
            }
        }
    }
    (hits, trials)
}

/// The readings at which an episode of the kind is open, machine by machine.
fn open(machines: &[History], kind: &str) -> Vec<Vec<bool>> {
    let of = |machine: &History| {
        let mut open = vec![false; machine.times.len()];
        for incident in machine.of(kind) {
            let end = incident.end.unwrap_or(open.len());
            open[incident.begin..end].fill(true);
        }
        open
    };
    machines.iter().map(of).collect()
}

const SHARES: [f64; 6] = [0.20, 0.17, 0.14, 0.22, 0.12, 0.18];
/// The mean length of an episode by default: 5 to 30 readings.
const MEAN_LENGTH: f64 = 17.5;

/// The probability that an episode begins at a reading at which none is open: by renewal theory an
/// episode of mean length d after a wait of mean w is open at the share d / (d + w) of readings, and
/// a geometric wait has the mean (1 - p) / p.
fn beginning(share: f64) -> f64 {
    1.0 / (1.0 + MEAN_LENGTH * (1.0 - share) / share)
}

/// The readings of each machine at which any of the kinds is open, as a part of all.
fn open_parts(machines: &[History], kinds: &[&str]) -> Vec<f64> {
    let opens: Vec<_> = kinds.iter().map(|kind| open(machines, kind)).collect();
    let of = |number: usize| {
        let settled = machines[number].settled;
        let any = (0..settled).filter(|&at| opens.iter().any(|open| open[number][at])).count();
        any as f64 / settled as f64
    };
    (0..machines.len()).map(of).collect()
}

#[test]
fn a_probability_is_the_share_of_readings_from_the_first_on() {
    for (kind, share) in ANOMALIES.iter().zip([0.03, 0.015, 0.02, 0.1, 0.3, 0.7]) {
        let (mut parts, mut at_start) = (Vec::new(), 0);
        for seed in 0..5 {
            // Runs of a few episodes, in which a start without any would show.
            let machines = watch(&format!(
                "--seed {seed} --machines 400 --readings 120 {ALONE} \
                 --set anomalies.{kind}_probability={share}"
            ));
            parts.extend(open_parts(&machines, &[kind]));
            at_start += machines.iter().filter(|m| m.of(kind).any(|i| i.begin == 0)).count();
        }
        let found = mean(&parts);
        assert_near(found, share, SIGMAS * standard_error(&parts), &format!("share of {kind}"));
        assert_binomial(at_start as u64, 2000, share, &format!("{kind} at the start"));
    }
    let always = format!("{ALONE} --set anomalies.cpu_spike_probability=1");
    for machine in watch(&format!("--seed 6 --machines 20 --readings 300 {always}")) {
        let open = &open(std::slice::from_ref(&machine), "cpu_spike")[0];
        assert!(open[..machine.settled].iter().all(|&open| open), "a share of 1 has a gap");
    }
}

#[test]
fn episodes_in_progress_at_the_start_are_as_long_and_as_old_as_any() {
    // An episode of 2 to 9 readings that is open at a reading has each length in proportion to that
    // length, and is at each of its readings alike: k readings are left with a probability in
    // proportion to how many lengths are at least k.
    let machines = watch(&format!(
        "--seed 30 --machines 5000 --readings 12 {ALONE} --set anomalies.memory_leak_probability=0.8 \
         --set anomalies.memory_leak_duration=[2,9]"
    ));
    let mut left = vec![0; 9];
    for incident in machines.iter().filter_map(|m| m.of("memory_leak").find(|i| i.begin == 0)) {
        left[incident.end.expect("at most nine readings are left") - 1] += 1;
    }
    let total = left.iter().sum::<u64>() as f64;
    let weights = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(|k| (2..=9).filter(|&l| l >= k).count() as f64);
    let sum: f64 = weights.iter().sum();
    let expected = weights.map(|weight| total * weight / sum);
    let (found, bound) = chi_square(&left, &expected);
    assert!(found < bound, "readings left: {left:?}, expected {expected:?}");
}

#[test]
fn episodes_begin_at_their_probability_whatever_else_is_open() {
    let mut options = format!("--seed 31 --machines 100 --readings 4000 {WITHOUT}");
    options += " --set anomalies.enable=true";
    for (kind, share) in ANOMALIES.iter().zip(SHARES) {
        options += &format!(" --set anomalies.{kind}_probability={share}");
    }
    let together = watch(&options);
    let opens: Vec<_> = ANOMALIES.iter().map(|kind| open(&together, kind)).collect();
    for (i, (kind, share)) in ANOMALIES.iter().zip(SHARES).enumerate() {
        let p = beginning(share);
        let all = begun(&together, kind, |_, _| true);
        assert_binomial(all.0, all.1, p, kind);
        // Kind by kind of those that may be open beside.
        for (j, other) in ANOMALIES.iter().enumerate().filter(|&(j, _)| j != i) {
            let beside = {
                let (mut hits, mut trials) = (0, 0);
                for (number, machine) in together.iter().enumerate() {
                    let one = std::slice::from_ref(machine);
                    let (h, t) = begun(one, kind, |_, at| opens[j][number][at]);
                    (hits, trials) = (hits + h, trials + t);
                }
                (hits, trials)
            };
            assert_binomial(beside.0, beside.1, p, &format!("{kind} while {other} is open"));
        }
        let alone = watch(&format!(
            "--seed 32 --machines 50 --readings 4000 {ALONE} --set anomalies.{kind}_probability={share}"
        ));
        assert!(alone.iter().all(|m| m.incidents.iter().all(|other| other.kind == *kind)));
        let single = begun(&alone, kind, |_, _| true);
        assert_same_rate(all, single, &format!("{kind} among others and alone"));
    }
}

#[test]
fn episodes_are_labelled_as_long_as_they_were_drawn() {
    for (kind, (least, most)) in
        ANOMALIES.iter().zip([(3usize, 12usize), (1, 6), (5, 30), (2, 2), (1, 1), (10, 17)])
    {
        let machines = watch(&format!(
            "--seed 33 --machines 200 --readings 2500 {ALONE} --set anomalies.{kind}_probability=0.3 \
             --set anomalies.{kind}_duration=[{least},{most}]"
        ));
        let mut counts = vec![0; most - least + 1];
        // Nothing shows where it moves what is at the end of its scale.
        let has_room = |m: &&History| {
            m.rows.iter().flatten().all(|row| row.memory < 97.0 && (3.0..97.0).contains(&row.cpu))
                || !matches!(*kind, "memory_leak" | "sensor_drift")
        };
        for machine in machines.iter().filter(has_room) {
            let label = |at: usize| machine.rows[at].expect("no machine fails").is_anomaly;
            let begins: Vec<usize> = machine.of(kind).map(|incident| incident.begin).collect();
            for (i, incident) in machine.of(kind).enumerate() {
                // Those that end in any case, so that the end of the run prefers no length.
                if incident.begin == 0 || incident.begin + most >= machine.settled {
                    continue;
                }
                let next = begins.get(i + 1).copied().unwrap_or(machine.settled);
                let labelled = (incident.begin..next).take_while(|&at| label(at)).count();
                assert!((least..=most).contains(&labelled), "{kind}: {labelled} readings");
                assert_eq!(incident.end, Some(incident.begin + labelled), "{kind}");
                counts[labelled - least] += 1;
            }
        }
        let episodes: u64 = counts.iter().sum();
        assert!(episodes > 1000, "{kind}: only {episodes} episodes");
        if counts.len() > 1 {
            let expected = vec![episodes as f64 / counts.len() as f64; counts.len()];
            let (found, bound) = chi_square(&counts, &expected);
            assert!(found < bound, "{kind}: lengths are uneven: {counts:?}");
        }
    }
}

/// Whether a reading differs from its twin by what makes an anomaly show: a point of processor, memory or
/// disk, 5 Mbps of traffic in or out, or a tenth of the 99th percentile of response times.
fn differ(row: &Row, twin: &Row) -> bool {
    let points = [(row.cpu, twin.cpu), (row.memory, twin.memory), (row.disk, twin.disk)];
    let traffic = [(row.inward, twin.inward), (row.outward, twin.outward)];
    // Values have two decimals, so that a difference is off by far less than half of one.
    let by = |least: f64| move |&(a, b): &(f64, f64)| f64::abs(a - b) >= least - 0.001;
    points.iter().any(by(1.0))
        || traffic.iter().any(by(5.0))
        || f64::abs(row.p99 - twin.p99) >= 0.1 * twin.p99
}

/// Holds a run beside its twin: what is labelled differs, what differs is labelled, and where no anomaly
/// is open nothing differs at all. Returns at how many readings an anomaly is open that doesn't show, and
/// how many of these have nothing at the end of its scale.
fn assert_labels_are_exact(options: &str) -> (usize, usize) {
    let machines = watch(options);
    let twins = watch(&format!("{options} --set anomalies.enable=false"));
    let (mut labelled, mut hidden, mut unexplained, mut plain) = (0, 0, 0, 0);
    for (machine, twin) in machines.iter().zip(&twins) {
        let readings = machine.times.len();
        assert!(machine.settled > readings * 9 / 10, "{options}: incidents come late");
        let mut open = vec![false; readings];
        let anomalies = |i: &&Incident| ANOMALIES.contains(&i.kind.as_str());
        for incident in machine.incidents.iter().filter(anomalies) {
            open[incident.begin..incident.end.unwrap_or(readings)].fill(true);
        }
        for (at, &open) in open.iter().enumerate().take(machine.settled) {
            let what = format!("{options}: {} at {at}", machine.id);
            let (Some(row), Some(usual)) = (machine.rows[at], twin.rows[at]) else {
                assert_eq!(machine.rows[at], twin.rows[at], "{what}: an anomaly moved a failure");
                assert!(!open, "{what}: an anomaly while down");
                continue;
            };
            assert!(!usual.is_anomaly);
            assert_eq!(row.is_anomaly, differ(&row, &usual), "{what}: {row:?} against {usual:?}");
            if open {
                labelled += usize::from(row.is_anomaly);
                hidden += usize::from(!row.is_anomaly);
                let is_at_end = |percent: f64| !(1.0..=99.0).contains(&percent);
                let kinds = machine.incidents.iter().filter(|i| i.is_open(at));
                let explains = |kind: &str| match kind {
                    "cpu_spike" => is_at_end(usual.cpu),
                    "memory_leak" => is_at_end(usual.memory),
                    "multi_resource" => is_at_end(usual.cpu) && is_at_end(usual.memory),
                    "sensor_drift" => {
                        [usual.cpu, usual.memory, usual.disk].into_iter().any(is_at_end)
                    }
                    _ => false,
                };
                let explained = kinds.map(|i| i.kind.as_str()).all(explains);
                unexplained += usize::from(!row.is_anomaly && !explained);
            } else {
                assert_eq!(row, usual, "{what}: an anomaly left something behind");
                plain += 1;
            }
        }
    }
    assert!(labelled > 1000 && plain > 1000, "{options}: {labelled} labelled, {plain} not");
    (hidden, unexplained)
}

#[test]
fn labels_are_exact_beside_the_twin_run_whatever_else_happens() {
    let all = "--topics telemetry,usage,status,jobs,incidents";
    let few = "--topics telemetry,incidents";
    for options in [
        format!(
            "--scenario production --seed 34 --machines 60 --readings 4000 --interval 60s {all}"
        ),
        format!("--scenario chaos --seed 35 --machines 60 --readings 3000 {few}"),
        format!("--scenario anomaly_detection --seed 36 --machines 60 --readings 3000 {all}"),
        format!("--scenario memory_bound --seed 36 --machines 60 --readings 3000 {all}"),
        format!("--scenario disk_pressure --seed 36 --machines 60 --readings 3000 {all}"),
        // Where machines are full, much of an anomaly can't show.
        format!(
            "--scenario chaos --seed 36 --machines 60 --readings 2000 {few} \
             --set base_cpu_load=0.8 --set base_memory_load=0.9 --set load_variance=0.5"
        ),
    ] {
        assert_labels_are_exact(&options);
    }
}

#[test]
fn each_kind_shows_in_every_reading_of_its_episodes() {
    for kind in ANOMALIES {
        for seed in 0..5 {
            let (hidden, unexplained) = assert_labels_are_exact(&format!(
                "--seed {seed} --machines 40 --readings 1000 --topics telemetry,incidents \
                 --set anomalies.enable=true --set anomalies.cpu_spike_probability=0 \
                 --set anomalies.memory_leak_probability=0 \
                 --set anomalies.network_saturation_probability=0 \
                 --set anomalies.{kind}_probability=0.1"
            ));
            // But for what is at the end of its scale, as a processor of 100 %.
            assert_eq!(unexplained, 0, "{kind}, seed {seed}: of {hidden} that don't show");
        }
    }
}

/// One episode and what it did: the readings of both runs from its first to a few after its last.
struct Course<'a> {
    machine: &'a History,
    incident: &'a Incident,
    length: usize,
    with: Vec<Row>,
    without: Vec<Row>,
}

/// The episodes of a kind that is alone, each more than `apart` readings from the one before.
fn courses<'a>(
    kind: &'a str,
    apart: usize,
    after: usize,
    with: &'a [History],
    without: &'a [History],
) -> Vec<Course<'a>> {
    let mut courses = Vec::new();
    for (machine, same) in with.iter().zip(without) {
        assert!(same.incidents.is_empty());
        let ends: Vec<usize> = machine.of(kind).filter_map(|i| i.end).collect();
        let begins: Vec<usize> = machine.of(kind).map(|i| i.begin).collect();
        for (i, incident) in machine.of(kind).enumerate() {
            let Some(end) = incident.end else { continue };
            let near = i > 0 && ends[i - 1] + apart > incident.begin;
            let next = begins.get(i + 1).copied().unwrap_or(machine.times.len());
            let cut = incident.begin == 0 || end + after >= machine.settled;
            if near || cut || next <= end + after {
                continue;
            }
            let of = |history: &History| {
                let rows = &history.rows[incident.begin..end + after];
                rows.iter().map(|row| row.expect("no machine fails")).collect()
            };
            courses.push(Course {
                machine,
                incident,
                length: end - incident.begin,
                with: of(machine),
                without: of(same),
            });
        }
    }
    assert!(courses.len() > 200, "{kind}: only {} episodes", courses.len());
    courses
}

/// The run of one kind alone, and the same without.
fn both(kind: &str, rest: &str) -> (Vec<History>, Vec<History>) {
    let fleet = format!("--seed 37 --machines 60 --readings 3000 {rest}");
    let with = watch(&format!("{fleet} {ALONE} --set anomalies.{kind}_probability=0.08"));
    (with, watch(&format!("{fleet} {WITHOUT}")))
}

/// Checks that errors are as many as this part of requests more than without, over these readings.
fn assert_more_errors(readings: &[(Row, Row)], part: f64, what: &str) {
    let sum = |value: fn(&(Row, Row)) -> f64| readings.iter().map(value).sum::<f64>();
    let (with, without) = (sum(|(w, _)| w.errors), sum(|(_, o)| o.errors));
    let expected = without + part * sum(|(w, _)| w.requests);
    // Both are sums of Poisson draws, whose variances are their means.
    assert_near(with, expected, SIGMAS * (expected + without).sqrt(), what);
}

#[test]
fn a_cpu_spike_is_highest_at_its_start_and_leaves_nothing_behind() {
    let (with, without) = both("cpu_spike", "");
    for course in courses("cpu_spike", 1, 1, &with, &without) {
        let magnitude = course.incident.magnitude;
        assert!((30.0..=50.0).contains(&magnitude));
        for (k, (with, without)) in course.with.iter().zip(&course.without).enumerate() {
            // The work that comes in doesn't change, nor do the draws.
            assert_eq!(with.requests, without.requests);
            assert_eq!(with.inward, without.inward);
            if k == course.length {
                assert_eq!(with, without, "a spike outlasts its end");
                continue;
            }
            assert!(with.p99 >= without.p99);
            // What is cut at either end is no measure of a spike: noise reaches 2.1 points.
            if with.cpu > 97.5 || without.cpu < 0.01 {
                continue;
            }
            // From its peak to a quarter of it, at the reading after its last.
            let left = 1.0 - 0.5 * k as f64 / course.length as f64;
            assert_near(with.cpu - without.cpu, magnitude * left * left, ROUNDING, "a spike");
        }
    }
}

#[test]
fn a_memory_leak_climbs_until_a_restart_frees_it() {
    let (with, without) = both("memory_leak", "");
    for course in courses("memory_leak", 1, 2, &with, &without) {
        let rate = course.incident.magnitude;
        let added = |k: usize| course.with[k].memory - course.without[k].memory;
        for k in (0..course.length).filter(|&k| course.with[k].memory < 100.0) {
            // A point at once, so that it shows.
            let expected = (rate * (k + 1) as f64).max(1.0);
            assert_near(added(k), expected, ROUNDING + 0.001, "a leak");
        }
        for k in course.length..course.with.len() {
            assert_eq!(course.with[k], course.without[k], "a restart leaves a leak behind");
        }
    }
}

#[test]
fn more_leaks_take_more_memory() {
    // Of one seed, so that leaks alone differ. A leak of d readings takes 0.5 d (d + 1) / 2 points in all, so that
    // a reading in one has E[d (d + 1)] / 2 E[d] x 0.5 = 5.43 points more on average for 5 to 30 readings, and
    // 5.46 with a point at once.
    let mean_memory = |seed: u64, share: f64| {
        let options = format!(
            "--seed {seed} --machines 100 --readings 600 {ALONE} \
             --set anomalies.memory_leak_probability={share}"
        );
        let rows = watch(&options).into_iter().flat_map(|m| m.rows);
        mean(&rows.map(|row| row.expect("no machine fails").memory).collect::<Vec<_>>())
    };
    let mut per_share = Vec::new();
    for seed in 0..5 {
        let memory = [0.0, 0.01, 0.03, 0.1].map(|share| mean_memory(seed, share));
        assert!(memory.is_sorted_by(|a, b| a < b), "seed {seed}: {memory:?}");
        per_share.push((memory[3] - memory[0]) / 0.1);
    }
    // Each run has 100 x 600 x 0.1 / 17.5 = 343 leaks or so. A sum of as many by chance, each of a relative standard
    // deviation of 0.75, has one of sqrt((1 + 0.75^2) / 343). Where memory is full a little is cut.
    let stray = (1.0f64 + 0.75 * 0.75).sqrt() / (5.0f64 * 343.0).sqrt();
    assert_near(mean(&per_share), 5.46, SIGMAS * stray * 5.46 + 0.05, "memory in a leak");
}

#[test]
fn a_saturated_network_is_full_and_slow_and_never_beyond_its_link() {
    let (with, without) = both("network_saturation", "");
    for machine in &with {
        let link = LINK_PER_CORE * machine.cores + 0.005;
        let beyond = machine.rows.iter().flatten().any(|r| r.inward > link || r.outward > link);
        assert!(!beyond, "{} sends more than its link of {link}", machine.id);
    }
    let mut full = Vec::new();
    for course in courses("network_saturation", 1, 1, &with, &without) {
        let middle = course.length / 2;
        let (with, without) = (course.with[middle], course.without[middle]);
        let link = LINK_PER_CORE * course.machine.cores;
        assert_near(with.inward, link, 0.0051, "traffic over a full link");
        assert_near(with.outward, link, 0.0051, "traffic over a full link");
        // Noise in latency is the same draw, so that what is left is rounding.
        let slowdown = course.incident.magnitude;
        let tolerance = 0.0051 * (1.0 + slowdown) + 1e-6 * with.p99;
        assert_near(with.p99, slowdown * without.p99, tolerance, "responses over a full link");
        assert_near(with.p50, slowdown * without.p50, tolerance, "responses over a full link");
        full.push((with, without));
        for (k, (with, without)) in course.with.iter().zip(&course.without).enumerate() {
            assert_eq!(with.requests, without.requests);
            if k < course.length {
                assert!(with.inward >= without.inward && with.p99 > without.p99);
            } else {
                assert_eq!(with, without, "a saturation outlasts its end");
            }
        }
    }
    assert_more_errors(&full, 0.05, "errors over full links");
}

#[test]
fn a_disk_fills_to_its_level_and_is_cleaned() {
    let (with, without) = both("disk_full", "--set anomalies.disk_full_level=97");
    let mut full = Vec::new();
    for course in courses("disk_full", 1, 1, &with, &without) {
        let disk: Vec<f64> = course.with.iter().map(|row| row.disk).collect();
        let (filling, after) = disk.split_at(course.length);
        // Full from 0.7 of the episode's length on.
        assert_eq!(filling[course.length - 1], 97.0, "{filling:?}");
        assert!(filling.iter().all(|&d| d <= 97.0));
        assert_eq!(after[0], course.without[course.length].disk, "what filled it is deleted");
        let last = course.length - 1;
        full.push((course.with[last], course.without[last]));
    }
    assert_more_errors(&full, 0.3, "errors on full disks");
}

#[test]
fn several_resources_run_high_together() {
    let (with, without) = both("multi_resource", "");
    for course in courses("multi_resource", 1, 1, &with, &without) {
        let magnitude = course.incident.magnitude;
        for (k, (with, without)) in course.with.iter().zip(&course.without).enumerate() {
            let cpu = with.cpu - without.cpu;
            let memory = with.memory - without.memory;
            if k == course.length {
                assert_eq!((cpu, memory, with.inward), (0.0, 0.0, without.inward));
                continue;
            }
            let is_whole = with.cpu < 97.5 && without.cpu > 0.01 && with.memory < 100.0;
            if is_whole {
                assert_near(cpu, memory, 2.0 * ROUNDING, "cpu and memory of one episode");
            }
            assert!(with.inward >= without.inward && with.p99 > without.p99);
            if k == course.length / 2 {
                let link = LINK_PER_CORE * course.machine.cores;
                assert_near(with.inward, link, 0.0051, "traffic");
                if is_whole {
                    assert_near(cpu, magnitude, ROUNDING, "cpu at the height of an episode");
                }
            }
        }
    }
}

#[test]
fn a_drifting_sensor_departs_from_what_its_machine_does() {
    // An hour's readings a minute apart, so that requests tell the load well.
    let (with, without) = both("sensor_drift", "--interval 60s");
    let columns = |row: &Row| [row.cpu, row.memory, row.disk];
    let rest = |row: &Row| (row.requests, row.errors, row.p50, row.p99, row.inward, row.outward);
    let (mut drifted, mut low, mut told) = ([0u64; 3], 0, 0);
    let all = courses("sensor_drift", 1, 1, &with, &without);
    for course in &all {
        let magnitude = course.incident.magnitude;
        assert!((15.0..=25.0).contains(&magnitude.abs()));
        low += u64::from(magnitude < 0.0);
        let mut off = [false; 3];
        for (k, (with, without)) in course.with.iter().zip(&course.without).enumerate() {
            assert_eq!(rest(with), rest(without), "a sensor moved what it measures");
            let (read, truth) = (columns(with), columns(without));
            (0..3).for_each(|i| off[i] |= read[i] != truth[i]);
            if k + 1 == course.length {
                // All of it by the last reading, as far as there is room on the scale.
                let is_off = |i: usize| {
                    let biased = (truth[i] + magnitude).clamp(0.0, 100.0);
                    (read[i] - biased).abs() <= 2.0 * ROUNDING
                };
                let at_end: Vec<usize> =
                    (0..3).filter(|&i| read[i] != truth[i] && is_off(i)).collect();
                // One that reads 0 or 100 in truth has nowhere to drift.
                let stuck = truth.contains(&0.0) || truth.contains(&100.0);
                assert!(at_end.len() == 1 || stuck, "{read:?} against {truth:?} by {magnitude}");
                at_end.iter().for_each(|&i| drifted[i] += 1);
            }
            if k == course.length {
                assert_eq!(read, truth, "a sensor drifts on");
            }
        }
        assert!(off.iter().filter(|&&off| off).count() <= 1, "one sensor drifts at a time");
        // From the one run alone: cpu against the load that requests tell, in what both stray by.
        if off[0] {
            let capacity = 20.0 * course.machine.cores * 60.0;
            let strays = |row: &Row| {
                let load = row.requests / capacity;
                let noise = (0.005f64.powi(2) + load / capacity).sqrt();
                (row.cpu / 100.0 - load) / noise
            };
            let (last, after) = (course.with[course.length - 1], course.with[course.length]);
            // Requests stray by half of one more, and demand beyond what there is tells nothing.
            if last.cpu > 0.0 && last.cpu < 100.0 && after.cpu < 95.0 {
                assert!(strays(&last).abs() > 8.0, "{last:?} could be noise");
                assert!(strays(&after).abs() < 6.0, "{after:?} is no noise");
                told += 1;
            }
        }
    }
    assert!(told > 20, "only {told} drifts of cpu could be told");
    let n = drifted.iter().sum();
    drifted.iter().for_each(|&hits| assert_binomial(hits, n, 1.0 / 3.0, "sensors that drift"));
    assert_binomial(low, all.len() as u64, 0.5, "sensors that read too low");
}

#[test]
fn nothing_that_anomalies_do_gathers_over_a_long_run() {
    const QUARTER: usize = 2500;
    let mut options = format!("--seed 38 --machines 80 --readings {}", 4 * QUARTER);
    options += " --topics telemetry --set anomalies.enable=true";
    for kind in ANOMALIES {
        options += &format!(" --set anomalies.{kind}_probability=0.01");
    }
    let mut sums = vec![[[0.0; 3]; 4]; 80];
    let mut rounds = vec![0; 80];
    stream::simulate(&options, |place, keyed| {
        if let fleetstorm_model::record::Record::Telemetry(t) = &keyed.record {
            let sum = &mut sums[place][rounds[place] / QUARTER];
            for (sum, value) in
                sum.iter_mut().zip([t.cpu_percent, t.memory_percent, t.disk_percent])
            {
                *sum += value / QUARTER as f64;
            }
            rounds[place] += 1;
        }
    });
    // Machines are independent of one another, so that the differences of their means are, however
    // their readings hang together. Student's t of 79 degrees of freedom is beyond 5.5 once in two
    // million times.
    for (column, name) in ["cpu", "memory", "disk"].iter().enumerate() {
        let drifts: Vec<f64> = sums.iter().map(|s| s[3][column] - s[1][column]).collect();
        assert_near(mean(&drifts), 0.0, 5.5 * standard_error(&drifts), name);
    }
}

#[test]
fn nothing_else_is_labelled_an_anomaly() {
    let topics = "--topics telemetry,incidents --machines 60";
    let everything_else = "--set enable_failures=true --set failure_probability=0.003 \
        --set maintenance.enable=true --set degradation.enable=true \
        --set zone_patterns.trouble_every=300 --set zone_patterns.trouble_readings=60";
    // Off, whatever their probabilities.
    let off = "--set anomalies.cpu_spike_probability=0.5 --set anomalies.disk_full_probability=0.5";
    for machine in watch(&format!("--seed 39 --readings 2000 {topics} {off}")) {
        assert!(machine.incidents.is_empty());
        assert!(machine.rows.iter().flatten().all(|row| !row.is_anomaly));
    }
    let machines = watch(&format!(
        "--seed 39 --readings 2000 --interval 60s {topics} {everything_else} {off}"
    ));
    for kind in ["failure", "cascade", "maintenance", "degradation", "zone_trouble"] {
        assert!(machines.iter().any(|machine| machine.of(kind).next().is_some()), "no {kind}");
    }
    for machine in &machines {
        assert!(machine.rows.iter().flatten().all(|row| !row.is_anomaly));
        assert!(machine.incidents.iter().all(|i| !ANOMALIES.contains(&i.kind.as_str())));
    }
}

#[test]
fn magnitudes_are_drawn_around_what_is_configured() {
    // Kind, its setting, its value, and what a magnitude is above.
    for (kind, setting, value, above) in [
        ("cpu_spike", "magnitude", 20.0, 0.0),
        ("memory_leak", "rate", 0.4, 0.0),
        ("network_saturation", "slowdown", 4.0, 1.0),
        ("multi_resource", "magnitude", 15.0, 0.0),
        ("sensor_drift", "magnitude", 10.0, 0.0),
    ] {
        for value in [value, 2.0 * value] {
            let machines = watch(&format!(
                "--seed 40 --machines 50 --readings 1500 {ALONE} \
                 --set anomalies.{kind}_probability=0.05 --set anomalies.{kind}_{setting}={value}"
            ));
            let of = |machine: &History| {
                let all = machine.of(kind).map(|incident| incident.magnitude.abs());
                all.collect::<Vec<f64>>()
            };
            let drawn: Vec<f64> =
                machines.iter().flat_map(of).map(|m| (m - above) / (value - above)).collect();
            assert!(drawn.iter().all(|m| (0.7499..=1.2501).contains(m)), "{kind}: {value}");
            // Even over a width of 0.5, whose standard deviation is 0.5 / sqrt(12).
            let stray = 0.5 / 12f64.sqrt() / (drawn.len() as f64).sqrt();
            assert_near(mean(&drawn), 1.0, SIGMAS * stray, kind);
            let mut counts = vec![0; 10];
            drawn.iter().for_each(|m| counts[(((m - 0.75) / 0.05) as usize).min(9)] += 1);
            let (found, bound) = chi_square(&counts, &[drawn.len() as f64 / 10.0; 10]);
            assert!(found < bound, "{kind}: magnitudes are uneven: {counts:?}");
        }
    }
}
