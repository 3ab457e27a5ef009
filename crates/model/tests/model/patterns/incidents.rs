//! Maintenance, wear and zones' trouble, as incidents tell of them.

use super::*;

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

    // Responses take three times as long, and wait behind a tenth more load: as on four workers.
    let waits = |rho: f64| rho * rho / (4.0 * (1.0 - rho));
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
        let p50 = |cpu: f64| 0.895 + 2f64.ln() * waits(cpu / 100.0);
        let expected = 3.0 * p50(usual + 10.0) / p50(usual);
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
