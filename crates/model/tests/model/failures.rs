//! Failures: how often machines fail, what is heard of them while they are down, how long repairs
//! take, and how failures run along dependencies.
//!
//! Seeds are fixed, so that a test passes always or never; expectations and tolerances come from
//! the model, five standard errors where chance plays a part. Whether a working machine fails at a
//! reading is a trial of its own whatever came before, so that counts of failures are within the
//! bounds of a binomial. Cascades are compared with percolation on the same graph: a model of the
//! test's own, in which every dependency passes a failure on with the cascade's probability.

use std::collections::HashMap;

use fleetstorm_model::record::Record;

use crate::support::history::{History, Incident, dependencies, watch};
use crate::support::statistics::{
    self, SIGMAS, assert_binomial, assert_near, chi_square, mean, normal_below, standard_error,
};
use crate::support::stream;

/// Failures alone: no jobs, and no cascades but where they are switched on again.
const FAILING: &str = "--set enable_failures=true --set jobs.arrival_probability=0 \
    --set cascade_failure_probability=0";

/// The readings at which a machine that works may fail, and whether it does: all but those of a
/// failure from its second reading to its end, at which the machine is counted whole again.
fn trials(machine: &History) -> Vec<(usize, bool)> {
    let mut trials = Vec::new();
    let mut at = 0;
    for incident in machine.failures().filter(|incident| incident.begin < machine.settled) {
        assert!(incident.begin >= at, "a failure within a failure");
        trials.extend((at..incident.begin).map(|at| (at, false)));
        trials.push((incident.begin, true));
        at = incident.end.map_or(usize::MAX, |end| end + 1);
    }
    if at != usize::MAX {
        trials.extend((at..machine.settled).map(|at| (at, false)));
    }
    trials
}

fn assert_fails_at(machines: &[History], p: f64, what: &str) {
    let all: Vec<(usize, bool)> = machines.iter().flat_map(trials).collect();
    let hits = all.iter().filter(|(_, fails)| *fails).count();
    assert_binomial(hits as u64, all.len() as u64, p, what);
}

/// The most of `n` that succeed with probability `p`, but with probability `tail`.
fn most_of(n: u64, p: f64, tail: f64) -> u64 {
    let mut term = (n as f64 * (1.0 - p).ln()).exp();
    let (mut above, mut k) = (1.0 - term, 0);
    while above > tail {
        k += 1;
        term *= (n - k + 1) as f64 / k as f64 * p / (1.0 - p);
        above -= term;
    }
    k
}

#[test]
fn machines_fail_at_their_probability_each_for_itself() {
    let (p, rounds) = (0.002, 4000);
    let machines = watch(&format!(
        "--seed 51 --machines 200 --readings {rounds} --topics telemetry,incidents {FAILING} \
         --set failure_probability={p}"
    ));
    assert!(machines.iter().all(|m| m.incidents.iter().all(|i| i.kind == "failure")));
    assert_fails_at(&machines, p, "failures");
    // Round by round over the fleet: as many as independent machines give, and no more at once.
    let settled = machines.iter().map(|machine| machine.settled).min().unwrap();
    let (mut n, mut failed) = (vec![0u64; settled], vec![0u64; settled]);
    for (at, fails) in machines.iter().flat_map(trials).filter(|&(at, _)| at < settled) {
        n[at] += 1;
        failed[at] += u64::from(fails);
    }
    // One in a million for all rounds together.
    let tail = 1e-6 / rounds as f64;
    for (&n, &failed) in n.iter().zip(&failed) {
        assert!(failed <= most_of(n, p, tail), "{failed} of {n} machines fail in one round");
    }
    // A round's squared deviation is its variance v on average; its own variance is below
    // v + 2 v^2.
    let (mut squares, mut variances, mut stray) = (0.0, 0.0, 0.0);
    for (&n, &failed) in n.iter().zip(&failed) {
        let v = n as f64 * p * (1.0 - p);
        squares += (failed as f64 - n as f64 * p).powi(2);
        variances += v;
        stray += v + 2.0 * v * v;
    }
    let tolerance = SIGMAS * stray.sqrt() / variances;
    assert_near(squares / variances, 1.0, tolerance, "failures are synchronised");
}

#[test]
fn hot_machines_fail_no_more_often_and_come_back() {
    let p = 0.003;
    let machines = watch(&format!(
        "--seed 52 --machines 100 --readings 3000 --topics telemetry,incidents {FAILING} \
         --set failure_probability={p} --set base_cpu_load=0.9"
    ));
    assert_fails_at(&machines, p, "failures of hot machines");
    for machine in &machines {
        for (from, to) in machine.downs() {
            // 20 readings, log-normal with sigma 0.6: at most 20 exp(0.6 x 4.1) = 234.
            let ends = to.map_or(machine.rows.len() - from <= 235, |to| to - from <= 235);
            assert!(ends, "{} is down from {from} to {to:?}", machine.id);
        }
    }
}

#[test]
fn status_walks_down_and_up_and_nothing_is_heard_in_between() {
    let topics = "--topics telemetry,usage,status";
    let options = format!(
        "--seed 53 --machines 100 --readings 2000 {topics} {FAILING} \
         --set failure_probability=0.003 --set base_cpu_load=0.1"
    );
    let machines = watch(&options);
    let on = dependencies(&stream::manifest(&options));
    let (mut downs, mut healthy) = (0, 0);
    for (number, machine) in machines.iter().enumerate() {
        // No other topic shares the event slot, and a reading changes health once at most.
        let mut beats = machine.beats.iter().peekable();
        let mut before = "healthy";
        for (at, row) in machine.rows.iter().enumerate() {
            assert_eq!(machine.used[at], row.is_some());
            let beat = beats.next_if(|beat| beat.at == at);
            if row.is_none() && before == "down" {
                assert!(beat.is_none(), "{} beats while it is down", machine.id);
                continue;
            }
            let beat = beat.expect("a machine that is up beats");
            let is_step = matches!(
                (before, beat.status.as_str()),
                ("healthy", "healthy" | "degraded")
                    | ("degraded", "degraded" | "healthy" | "down")
                    | ("down", "degraded")
            );
            assert!(is_step, "{} turns from {before} to {}", machine.id, beat.status);
            assert_eq!(row.is_none(), beat.status == "down");
            let heard = if row.is_none() { at - 1 } else { at };
            assert_eq!(beat.last, machine.times[heard], "{}'s last heartbeat", machine.id);
            assert!(machine.rows[heard].is_some());
            before = &beat.status;
        }
        for (_, to) in machine.downs() {
            downs += 1;
            // Recovery takes up to 8 readings, and what it depends on leaves it degraded while that
            // is down and for 7 more, after which 0.7^7 < 0.1 of the impact is left.
            let Some(to) = to else { continue };
            let works = |at: usize| {
                let mut rows =
                    on[number].iter().flat_map(|&other| &machines[other].rows[at - 8..=at]);
                rows.all(Option::is_some)
            };
            let Some(latest) = (to + 9..machine.rows.len()).find(|&at| works(at)) else { continue };
            let mut after = machine.beats.iter().filter(|beat| beat.at >= to);
            let recovered = after.find(|beat| beat.status != "degraded").expect("it beats");
            assert!(recovered.at <= latest, "{} stays degraded", machine.id);
            // One that still waits for others may fail again first.
            let waits = on[number].iter().any(|&other| {
                machines[other].rows[to.saturating_sub(8)..=recovered.at].contains(&None)
            });
            assert!(recovered.status == "healthy" || waits, "{} fails again", machine.id);
            healthy += u32::from(recovered.status == "healthy");
        }
    }
    assert!(healthy > 200, "{healthy} of {downs} machines were healthy again");
    assert!(downs > 200, "only {downs} machines went down");
}

#[test]
fn a_machine_that_is_down_may_report_zeros() {
    let options = format!(
        "--seed 54 --machines 60 --readings 1500 --topics telemetry,usage,status {FAILING} \
         --set failure_probability=0.003 --set anomalies.enable=true"
    );
    let silent = watch(&options);
    let talking = watch(&format!("{options} --set failures.report_while_down=true"));
    let mut zeros = 0;
    for (silent, talking) in silent.iter().zip(&talking) {
        assert_eq!(silent.beats, talking.beats, "{} beats while it is down", silent.id);
        assert_eq!((talking.used.len(), talking.rows.len()), (1500, 1500));
        assert!(talking.used.iter().all(|&used| used));
        for (row, other) in silent.rows.iter().zip(&talking.rows) {
            let other = other.expect("every reading is reported");
            match row {
                Some(row) => assert_eq!(*row, other),
                None => {
                    let all = [other.cpu, other.memory, other.disk, other.inward, other.outward];
                    let service = [other.requests, other.errors, other.p50, other.p99];
                    assert!(all.iter().chain(&service).all(|&value| value == 0.0), "{other:?}");
                    assert!(!other.is_anomaly);
                    zeros += 1;
                }
            }
        }
    }
    assert!(zeros > 1000);
}

#[test]
fn repairs_take_as_long_as_their_law_says() {
    const SIGMA: f64 = 0.6;
    for (median, edges) in
        [(20.0, &[5, 8, 11, 14, 17, 20, 24, 29, 36, 48][..]), (3.0, &[1, 2, 3, 4, 5, 7][..])]
    {
        let machines = watch(&format!(
            "--seed 55 --machines 150 --readings 3000 --topics telemetry,incidents {FAILING} \
             --set failure_probability=0.004 --set failures.repair_readings={median}"
        ));
        // No draw goes beyond 4.1 sigma, so that all of these end in the run.
        let longest = (median * (SIGMA * 4.1).exp()) as usize + 1;
        let mut lengths = Vec::new();
        for machine in &machines {
            for (from, to) in machine.downs() {
                if from + longest + 10 >= machine.settled {
                    continue;
                }
                let length = to.expect("a repair ends") - from;
                let by = machine.failures().find(|incident| incident.is_open(from));
                let by = by.expect("a machine that is down has failed");
                assert_eq!(by.magnitude, length as f64, "readings until repaired");
                assert!((by.begin + 1..=by.begin + 3).contains(&from), "{by:?} down at {from}");
                let back = by.end.expect("told by now") - from - length;
                assert!((3..=8).contains(&back), "{by:?} took {back} readings to recover");
                lengths.push(length);
            }
        }
        // Rounded to whole readings, at least one.
        let until = |k: usize| normal_below(((k as f64 + 0.5) / median).ln() / SIGMA);
        let n = lengths.len() as f64;
        let mut counts = vec![0; edges.len() + 1];
        lengths.iter().for_each(|&l| counts[edges.partition_point(|&edge| edge < l)] += 1);
        let mut below: Vec<f64> = edges.iter().map(|&edge| until(edge)).collect();
        below.push(1.0);
        let expected: Vec<f64> = (0..below.len())
            .map(|i| n * (below[i] - if i > 0 { below[i - 1] } else { 0.0 }))
            .collect();
        let (found, bound) = chi_square(&counts, &expected);
        assert!(found < bound, "repairs of {median}: {counts:?} against {expected:?}");
        if median > 10.0 {
            let logs: Vec<f64> = lengths.iter().map(|&l| (l as f64).ln()).collect();
            assert_near(mean(&logs), median.ln(), SIGMAS * SIGMA / n.sqrt(), "log of repairs");
            let spread = statistics::variance(&logs).sqrt() / SIGMA;
            // Rounding adds a variance of 1/12 / length^2, a thousandth of sigma^2.
            assert_near(spread, 1.0, SIGMAS / (2.0 * n).sqrt() + 0.001, "sigma of repairs");
        }
    }
}

/// All failures of a fleet by their names: machine and incident.
fn by_name(machines: &[History]) -> HashMap<&str, (usize, &Incident)> {
    let mut names = HashMap::new();
    for (number, machine) in machines.iter().enumerate() {
        names.extend(machine.failures().map(|i| (i.id.as_str(), (number, i))));
    }
    names
}

/// The reading at which the machine went down by this failure.
fn down_at(machine: &History, incident: &Incident) -> Option<usize> {
    (incident.begin..machine.rows.len()).find(|&at| machine.rows[at].is_none())
}

#[test]
fn cascades_have_a_cause_that_their_machine_depends_on() {
    let options = "--seed 56 --machines 200 --readings 3000 --topics telemetry,incidents \
        --set enable_failures=true --set jobs.arrival_probability=0 --set failure_probability=0.001 \
        --set failures.cascade_delay=[2,5] --set cascade_failure_probability=0.4";
    let machines = watch(options);
    let on = dependencies(&stream::manifest(options));
    let names = by_name(&machines);
    let mut delays = [0u64; 4];
    for (number, machine) in machines.iter().enumerate() {
        for incident in machine.failures() {
            if incident.kind == "failure" {
                assert_eq!(incident.cause, None);
                continue;
            }
            let cause = incident.cause.as_deref().expect("a cascade has a cause");
            let (other, by) = names[cause];
            assert!(on[number].contains(&other), "{} doesn't depend on its cause", machine.id);
            let delay = incident.begin - down_at(&machines[other], by).expect("it went down");
            assert!((2..=5).contains(&delay), "a cascade after {delay} readings");
            delays[delay - 2] += 1;
        }
    }
    let n: u64 = delays.iter().sum();
    assert!(n > 100, "only {n} cascades");
    let (found, bound) = chi_square(&delays, &[n as f64 / 4.0; 4]);
    assert!(found < bound, "delays are uneven: {delays:?}");

    let off = watch(&options.replace("probability=0.4", "probability=0"));
    assert!(off.iter().all(|machine| machine.of("cascade").next().is_none()));
    let failures = |of: &[History]| of.iter().map(|m| m.failures().count()).sum::<usize>();
    assert!(failures(&machines) > failures(&off));
}

#[test]
fn each_dependency_passes_a_failure_on_with_its_probability() {
    let p = 0.001;
    for c in [0.3, 0.7, 1.0] {
        let options = format!(
            "--seed 57 --machines 400 --readings 3000 --topics telemetry,incidents \
             --set enable_failures=true --set jobs.arrival_probability=0 \
             --set failure_probability={p} --set cascade_failure_probability={c}"
        );
        let machines = watch(&options);
        let on = dependencies(&stream::manifest(&options));
        let (mut hits, mut trials) = (0, 0);
        for (number, machine) in machines.iter().enumerate() {
            // Where there is one dependency, no other failure can be on its way.
            let [other] = on[number].as_slice() else { continue };
            for by in machines[*other].failures() {
                let Some(down) = down_at(&machines[*other], by) else { continue };
                if down + 10 >= machine.settled.min(machines[*other].settled) {
                    continue;
                }
                // It hears at its own reading of that round, or after it.
                let heard = down - usize::from(machine.place > machines[*other].place);
                // At the last reading of a failure the machine works again.
                let works = |i: &Incident| !i.is_open(heard);
                if !machine.failures().all(works) {
                    continue;
                }
                // Its own failure came first.
                let own =
                    |i: &Incident| i.kind == "failure" && (down..=down + 3).contains(&i.begin);
                if machine.failures().any(own) {
                    continue;
                }
                trials += 1;
                hits += u64::from(machine.failures().any(|i| i.cause.as_deref() == Some(&by.id)));
            }
        }
        assert!(trials > 500, "only {trials} machines could be struck");
        if c == 1.0 {
            assert_eq!(hits, trials, "a dependent that works stays up");
        } else {
            // Leaving out those that fail by themselves within four readings prefers others by as
            // much at most.
            let stray = (c * (1.0 - c) / trials as f64).sqrt();
            let tolerance = SIGMAS * stray + 4.0 * p;
            assert_near(hits as f64 / trials as f64, c, tolerance, "failures passed on");
        }
    }
}

/// The sizes that a cascade from `root` has by percolation, one a draw: how many machines of a
/// group fail where each dependency passes a failure on with probability `c`.
fn percolation(of: &[Vec<usize>], root: usize, c: f64, draws: usize, state: &mut u64) -> Vec<f64> {
    let mut uniform = || {
        // SplitMix64.
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..draws)
        .map(|_| {
            let (mut failed, mut next) = (vec![root], 0);
            while let Some(&machine) = failed.get(next) {
                for &other in &of[machine] {
                    if uniform() < c && !failed.contains(&other) {
                        failed.push(other);
                    }
                }
                next += 1;
            }
            failed.len() as f64
        })
        .collect()
}

/// Who depends on each machine.
fn dependents(on: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut of = vec![Vec::new(); on.len()];
    for (machine, on) in on.iter().enumerate() {
        on.iter().for_each(|&other| of[other].push(machine));
    }
    of
}

#[test]
fn cascades_are_as_large_as_percolation_makes_them() {
    // Only the first failure of each group counts, which finds all its machines up. Repairs take
    // longer than cascades, so that nobody fails twice in one.
    const GROUP: usize = 16;
    /// Readings in which a cascade is over: four levels at a mean of 4 readings, with room.
    const OVER: usize = 60;
    let (p, c, machines, readings) = (0.0001, 0.5, 8192, 600);
    let options = format!(
        "--seed 58 --machines {machines} --readings {readings} --topics incidents \
         --set enable_failures=true --set jobs.arrival_probability=0 --set failure_probability={p} \
         --set cascade_failure_probability={c} --set failures.repair_readings=1000"
    );
    let manifest = stream::manifest(&options);
    let of = dependents(&dependencies(&manifest));
    let fleet = fleetstorm_model::fleet::Fleet::new(&manifest.config, manifest.seed);
    let numbers: HashMap<String, usize> = (0..fleet.len())
        .map(|index| (fleet.machine_id(index).as_str().to_owned(), index as usize))
        .collect();
    struct Failure {
        machine: usize,
        id: String,
        cause: Option<String>,
        start: i64,
    }
    let mut groups: Vec<Vec<Failure>> = (0..machines / GROUP).map(|_| Vec::new()).collect();
    stream::simulate(&options, |_, keyed| {
        let Record::Incident(i) = &keyed.record else { panic!("{keyed:?}") };
        if i.end_time.is_none() {
            let machine = numbers[i.machine_id];
            groups[machine / GROUP].push(Failure {
                machine,
                id: i.incident_id.to_owned(),
                cause: i.cause.map(str::to_owned),
                start: i.start_time,
            });
        }
    });
    let start = manifest.start.timestamp_millis();
    let (mut found, mut expected, mut variance) = (0.0, 0.0, 0.0);
    let (mut counts, mut chances, mut state) = ([0u64; 4], [0.0; 4], 1);
    let bin = |size: f64| [1.0, 2.0, 4.0].iter().take_while(|&&most| size > most).count();
    let mut cascades = 0;
    for failures in &mut groups {
        failures.sort_by_key(|failure| failure.start);
        let Some(root) = failures.first() else { continue };
        assert_eq!(root.cause, None, "the first failure has no cause");
        let until = root.start + OVER as i64 * 1000;
        let alone = failures.iter().filter(|f| f.cause.is_none() && f.start <= until).count() == 1;
        if !alone || until > start + (readings as i64 - 10) * 1000 {
            continue;
        }
        let mut tree = vec![root.id.as_str()];
        for failure in failures.iter() {
            if failure.cause.as_deref().is_some_and(|cause| tree.contains(&cause)) {
                tree.push(&failure.id);
            }
        }
        let size = tree.len() as f64;
        let model = percolation(&of, root.machine, c, 1000, &mut state);
        cascades += 1;
        found += size;
        expected += mean(&model);
        variance += statistics::variance(&model);
        counts[bin(size)] += 1;
        model.iter().for_each(|&size| chances[bin(size)] += 1e-3);
    }
    assert!(cascades > 150, "only {cascades} cascades");
    // A large cascade leaves fewer machines to fail by themselves, and so is seldomer left out: by
    // p a reading and machine, which moves the sum by that times its variance.
    let preferred = p * OVER as f64 * variance;
    let tolerance = SIGMAS * variance.sqrt() + preferred;
    assert_near(found, expected, tolerance, "machines that fail in cascades");
    let (chi, bound) = chi_square(&counts, &chances);
    assert!(chi < bound, "sizes of cascades: {counts:?} against {chances:?}");
}

#[test]
fn cascades_end_even_where_every_failure_is_passed_on() {
    const QUARTER: usize = 1000;
    let machines = watch(&format!(
        "--seed 59 --machines 320 --readings {} --topics telemetry --set enable_failures=true \
         --set jobs.arrival_probability=0 --set cascade_failure_probability=1",
        4 * QUARTER
    ));
    // Groups of 13 or 14 in a row depend on one another, and not on others.
    let groups = fleetstorm_model::fleet::Groups::new(320);
    let drifts: Vec<f64> = (0..groups.len())
        .map(|group| {
            let members = groups.members(group);
            let down = |quarter: usize| {
                let rows = members.clone().flat_map(|machine| {
                    &machines[machine as usize].rows[quarter * QUARTER..][..QUARTER]
                });
                rows.filter(|row| row.is_none()).count() as f64 / members.len() as f64
            };
            down(3) - down(1)
        })
        .collect();
    // Student's t of 23 degrees of freedom is beyond 7 once in two million times.
    let tolerance = 7.0 * standard_error(&drifts);
    assert_near(mean(&drifts), 0.0, tolerance, "readings down, by quarters");
    for machine in &machines {
        for (from, to) in machine.downs() {
            // The longest of all repairs: see above.
            assert!(to.unwrap_or(machine.rows.len()) - from <= 235, "{} stays down", machine.id);
        }
    }
}

#[test]
fn most_of_the_fleet_is_up_at_all_times_at_the_defaults() {
    let rounds = 3000;
    let options = format!(
        "--seed 60 --machines 640 --readings {rounds} --topics telemetry --set enable_failures=true"
    );
    let mut down = vec![0usize; rounds];
    let manifest = stream::manifest(&options);
    stream::slots(&manifest, |slot, keyed| {
        down[slot.round as usize] += usize::from(keyed.is_none())
    });
    // A machine is down for its repairs, of 20 exp(0.6^2 / 2) readings on average, of its own
    // failures and those passed on to it: as many, over the fleet, as cascades are large.
    let of = dependents(&dependencies(&manifest));
    let mut state = 2;
    let sizes: Vec<f64> =
        (0..640).flat_map(|root| percolation(&of, root, 0.3, 100, &mut state)).collect();
    let expected = 0.001 * mean(&sizes) * (20.0 * 0.18f64.exp() + 0.5);
    // Groups are independent: by Hoeffding, with one in a million for all rounds together.
    let groups = f64::from(fleetstorm_model::fleet::Groups::new(640).len());
    let most = expected + ((1e6 * rounds as f64).ln() / (2.0 * groups)).sqrt();
    let worst = down.iter().max().map_or(0.0, |&n| n as f64 / 640.0);
    assert!(most < 0.6 && worst < most, "{worst} of the fleet was down, at most {most} may be");
    // About 1,900 failures with their cascades, whose weights stray by 1.4 of their mean, if that:
    // sqrt(3 / 1900) = 4 %, in which failures in the same place at once only make less.
    let share = down.iter().sum::<usize>() as f64 / (640 * rounds) as f64;
    assert!(share < expected * 1.2 && share > 0.001 * 20.0 / 2.0, "{share} against {expected}");
}

#[test]
fn jobs_fail_with_their_machine_and_none_starts_while_it_is_down() {
    let machines = watch(
        "--seed 61 --machines 80 --readings 3000 --topics telemetry,jobs,incidents \
         --set enable_failures=true --set failure_probability=0.002 \
         --set jobs.arrival_probability=0.03",
    );
    let (mut lost, mut ended) = (0, 0);
    for machine in &machines {
        let mut runs: HashMap<&str, (usize, Option<usize>)> = HashMap::new();
        let mut over: HashMap<&str, u32> = HashMap::new();
        let downs = machine.downs();
        for job in &machine.jobs {
            let both = job.start.zip(job.end);
            assert_eq!(job.seconds, both.map(|(start, end)| (end - start) as f64 / 1000.0));
            if let Some(end) = job.end {
                *over.entry(&job.id).or_default() += 1;
                ended += 1;
                let end = machine.at(end);
                if job.start.is_some() && downs.iter().any(|&(from, _)| from == end) {
                    assert_eq!(job.status, "failed", "{job:?} of a machine that went down");
                    lost += 1;
                }
            }
            if let Some(start) = job.start {
                // Those that were under way at the start run from its first reading on.
                let first = if start < machine.times[0] { 0 } else { machine.at(start) };
                let run = (first, job.end.map(|end| machine.at(end)));
                runs.insert(&job.id, run);
            }
        }
        assert!(over.values().all(|&times| times == 1), "a job ends twice");
        for (id, &(start, end)) in &runs {
            assert!(machine.rows[start].is_some(), "{id} starts while its machine is down");
            let end = end.unwrap_or(machine.settled);
            let through = (start..end).any(|at| machine.rows[at].is_none());
            assert!(!through, "{id} runs on from {start} to {end} on a machine that is down");
        }
    }
    assert!(lost > 100 && ended > 1000, "{lost} of {ended} jobs were lost");
}

#[test]
fn dependents_suffer_while_what_they_depend_on_is_down_and_recover() {
    // Signals draw from streams of their own, so that a machine which hasn't failed yet is as it
    // would be without failures, but for what it depends on. Readings are a minute apart, so that
    // none is without a request: that would spare the draw of its errors.
    let fleet =
        "--seed 62 --machines 200 --readings 2500 --interval 60s --topics telemetry,incidents";
    let options = format!("{fleet} {FAILING} --set failure_probability=0.0005");
    let with = watch(&options);
    let without = watch(&format!("{fleet} --set jobs.arrival_probability=0"));
    let on = dependencies(&stream::manifest(&options));
    let (mut requests, mut usual, mut errors, mut failing) = (0.0, 0.0, 0.0, 0.0);
    let (mut hit, mut well, mut slowed) = (0.0, 0u32, 0u32);
    for (number, machine) in with.iter().enumerate() {
        let [other] = on[number].as_slice() else { continue };
        let upstream = &with[*other];
        let first = machine.failures().next().map_or(machine.settled, |i| i.begin);
        let mut since = usize::MAX;
        for at in 0..first {
            let row = machine.rows[at].expect("it hasn't failed");
            let same = without[number].rows[at].expect("nothing fails");
            if upstream.rows[at].is_none() {
                // Every dependent has heard of it at the reading after.
                if at > 0 && upstream.rows[at - 1].is_none() {
                    requests += row.requests;
                    usual += same.requests;
                    errors += row.errors;
                    // Errors of a machine at half of its work are those of one that isn't full.
                    failing += row.requests * (0.25 + 0.0005);
                    hit += 1.0;
                    // Three times as long, however busy: the noise is the same draw.
                    let slower = |row: f64, same: f64| (row - 3.0 * same).abs() < 0.03;
                    assert!(
                        slower(row.p99, same.p99) && slower(row.p50, same.p50),
                        "{row:?}, {same:?}"
                    );
                    slowed += 1;
                }
                since = 0;
            } else if since != usize::MAX {
                since += 1;
                // 0.7^13 < 0.01: an impact is forgotten then.
                if since > 15 {
                    // Disk and memory remember what load there was.
                    assert_eq!(row.requests, same.requests, "{} doesn't recover", machine.id);
                    assert_eq!((row.p50, row.p99), (same.p50, same.p99));
                    assert_eq!((row.cpu, row.errors), (same.cpu, same.errors));
                    well += 1;
                }
            }
        }
    }
    assert!(hit > 500.0 && well > 1000 && slowed > 300, "{hit}, {well}, {slowed}");
    // Counts of mean m are m + sqrt(m) n, with the same n for both: (sqrt(0.5) - 0.5) sqrt(m) n is
    // left. Demand beyond what a machine can do is no demand: as 0.5 of it is less than that, the
    // expectation is low by the part that lies above, which is under a hundredth.
    let tolerance = SIGMAS * 0.208 * usual.sqrt() + 0.5 * hit + 0.005 * usual;
    assert_near(requests, 0.5 * usual, tolerance, "requests without what they need");
    assert_near(errors, failing, SIGMAS * failing.sqrt(), "errors without what they need");
}
