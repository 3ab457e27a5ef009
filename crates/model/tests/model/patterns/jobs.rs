//! Jobs: when they arrive, how many, and how long they last.

use super::*;

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
