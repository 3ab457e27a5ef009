//! Load over days, weeks and months, and over zones.

use super::*;

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
    // Memory goes a tenth of its way to level (1 + 0.2 (relative load - its mean)) at each reading: a low
    // pass, which leaves |h| of a wave of 144 readings and delays it by an angle.
    let (a, w) = (0.9, TAU / 144.0);
    let (real, imaginary) = (1.0 - a * f64::cos(w), a * f64::sin(w));
    let gain = 0.1 / real.hypot(imaginary);
    let delay = (imaginary / real).atan();

    let machines = readings(&format!("{options} --set load_variance=0"), |t| t.memory_percent);
    let (mut day, mut night) = (Sum::default(), Sum::default());
    // The first day still shows where memory began.
    for (ms, memory) in machines.iter().flat_map(|machine| &machine.rows[144..]) {
        let by_day = (8.0..20.0).contains(&local_hour(Tz::UTC, *ms));
        if by_day { &mut day } else { &mut night }.add(*memory, 1.0);
    }
    // A fleet of one type, whose levels have the mean that is asked for: 50 %. Over half a period around its
    // top the mean of a wave is 2 / pi of it.
    let wave = 0.2 * 50.0 * 0.35 * gain;
    let expected = 2.0 * wave * 2.0 / PI * delay.cos();
    // Its own noise of a point in the target is 1 (1 - a) / sqrt(1 - a^2) in memory, with an
    // autocorrelation of a. Halves of 72 readings miss the edges by less than half a reading. The levels of
    // 100 machines have a relative deviation of 0.08.
    let count = day.count + night.count;
    let noise = 0.1 / (1.0 - a * a).sqrt() * ((1.0 + a) / (1.0 - a) * 4.0 / count).sqrt();
    let tolerance = SIGMAS * noise + wave * w / 2.0 + SIGMAS * expected * 0.08 / 10.0;
    let found = day.value / day.count - night.value / night.count;
    assert_near(found, expected, tolerance, "memory by day over night");

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
