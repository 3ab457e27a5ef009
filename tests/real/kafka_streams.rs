//! The suite's programs of Kafka Streams, as they are printed, against `check`: they are right over runs
//! of every shape, and each that was made wrong is found out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cluster::{TestCluster, prefix};
use crate::streams_jobs::{Job, Jobs};
use crate::support::{Finished, Running, SOON, run};

/// The queries that Kafka Streams can express.
const QUERIES: [&str; 8] = [
    "zone-load",
    "hot-machines",
    "anomaly-sessions",
    "failed-by-outage",
    "load-by-memory",
    "fleet-status",
    "busiest",
    "deduplicated",
];

/// A run: its topics, and the reports of its parts.
struct Made {
    prefix: String,
    reports: Vec<PathBuf>,
}

impl Made {
    fn new(folder: &Path, parts: usize) -> Made {
        let prefix = prefix("streams");
        let report = |part| folder.join(format!("{prefix}{part}.json"));
        Made { reports: (0..parts).map(report).collect(), prefix }
    }

    /// Starts a part of the run.
    fn start(&self, cluster: &TestCluster, part: usize, options: &str) -> Running {
        let mut arguments = vec!["run", "-b", &cluster.bootstrap, "-r", &cluster.registry];
        let report = self.reports[part].to_str().expect("it is text");
        arguments.extend(["--topic-prefix", &self.prefix, "--report", report]);
        arguments.extend(["--scenario", "chaos"]);
        arguments.extend(options.split_whitespace());
        Running::start(&arguments)
    }

    fn whole(cluster: &TestCluster, folder: &Path, options: &str) -> Made {
        let made = Made::new(folder, 1);
        made.start(cluster, 0, options).finish(SOON).exits(0);
        made
    }

    /// All programs of the suite over this run.
    fn jobs(&self) -> Vec<Job> {
        QUERIES.iter().map(|query| Job::new(query, &self.prefix, query, &[])).collect()
    }

    /// The verdict of `check` on a job over this run.
    fn check(&self, cluster: &TestCluster, job: &Job, more: &[&str]) -> Finished {
        let mut arguments = vec!["check", job.query, "--semantics", "kafka-streams"];
        for report in &self.reports {
            arguments.extend(["--manifest", report.to_str().expect("it is text")]);
        }
        // Also of the join, whose key names the pair, so that a repeat is no fault.
        arguments.extend(["--mode", "upsert", "--output-topic", &job.topic, "--report", "-"]);
        arguments.extend(["-b", &cluster.bootstrap, "-r", &cluster.registry]);
        let limit = if more.contains(&"--follow") { SOON * 3 } else { SOON };
        Running::start(&[&arguments[..], more].concat()).finish(limit)
    }
}

/// One run that goes on as the jobs run, and nine that are over: of one machine and of many, in order
/// and with threads and shards that are apart, over one partition and over more.
const RUNS: [&[&str]; 10] = [
    &["--seed 1 --machines 20 --partitions 2 --rate 500 --duration 70s"],
    &[
        "--seed 2 --machines 20 --partitions 2 --rate max --start 2026-01-01T00:00:00Z --readings 400",
    ],
    &[
        "--seed 3 --machines 1 --partitions 1 --rate max --start 2026-01-01T00:00:07Z --readings 900",
    ],
    // Readings on windows' bounds, and machines that report at the instant of their announcement.
    &[
        "--seed 4 --machines 20 --partitions 3 --rate max --start 2026-01-01T00:00:00.975Z --readings 300",
    ],
    &[
        "--seed 5 --machines 600 --partitions 2 --rate max --start 2026-01-01T00:00:00Z --readings 70",
    ],
    &[
        "--seed 6 --machines 40 --partitions 1 --rate max --start -2h --readings 200 --threads 4 --max-skew 60s",
    ],
    &[
        "--seed 7 --machines 30 --partitions 2 --rate max --start 2026-02-28T23:58:00Z --readings 250 --threads 2",
    ],
    // A shard behind the other: each record of the second is late by the run's length.
    &[
        "--seed 8 --machines 20 --partitions 2 --rate max --start 2026-01-01T00:00:00Z --readings 300 --shard 0/2",
        "--seed 8 --machines 20 --partitions 2 --rate max --start 2026-01-01T00:00:00Z --readings 300 --shard 1/2",
    ],
    &[
        "--seed 9 --machines 15 --partitions 2 --rate max --start 2026-01-01T00:00:00Z --readings 300 --interval 3s",
    ],
    &[
        "--seed 10 --machines 25 --partitions 4 --rate max --start 2026-01-01T00:00:00Z --readings 300 --machines-refresh 60s",
    ],
];

/// How many runs' jobs are in one process.
const AT_ONCE: usize = 3;

#[test]
fn streams_jobs_are_right_over_runs_of_every_shape() {
    let cluster = TestCluster::from_environment();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
    for runs in RUNS.chunks(AT_ONCE) {
        let mut going = Vec::new();
        for parts in runs {
            let made = Made::new(folder.path(), parts.len());
            let live = parts[0].contains("--duration");
            let mut running = None;
            for (part, options) in parts.iter().enumerate() {
                let started = made.start(&cluster, part, options);
                if live {
                    // Topics are there once the manifest is.
                    while !made.reports[part].exists() {
                        std::thread::sleep(std::time::Duration::from_millis(20));
                    }
                    running = Some(started);
                } else {
                    started.finish(SOON).exits(0);
                }
            }
            going.push((made, running));
        }
        let jobs: Vec<Vec<Job>> = going.iter().map(|(made, _)| made.jobs()).collect();
        let all: Vec<Job> = jobs.into_iter().flatten().collect();
        let process = Jobs::start(&cluster, &all);
        for ((made, running), jobs) in going.into_iter().zip(all.chunks(QUERIES.len())).rev() {
            if let Some(running) = running {
                running.finish(SOON * 2).exits(0);
            }
            for job in jobs {
                let checked = made.check(&cluster, job, &["--follow", "--within", "170s"]);
                let report = checked.exits(0).report();
                assert_eq!(report["verdict"], "right", "{report:#}");
                let count = |kind: &str| report["counts"][kind].as_u64().expect("it is counted");
                // The grace of a day reaches the end of the run, so that all is known for sure, but
                // for a mean that is a bound itself, and for the first window of the three classes,
                // where a reading of the run's first instant may be joined before its machine.
                let bracketed = match job.query {
                    "hot-machines" => u64::MAX,
                    "load-by-memory" => 3,
                    _ => 0,
                };
                assert!(count("within_bracket") <= bracketed, "{}: {report:#}", job.topic);
                *rows.entry(job.query).or_default() += count("right");
            }
        }
        process.end();
    }
    // One machine alone may have no answers, runs of more have many.
    assert_eq!(rows.len(), QUERIES.len());
    assert!(rows.values().all(|&rows| rows > 40), "{rows:?}");
}

/// How the reading's own timestamp is taken.
const TIMESTAMP: &str = r#"((GenericRecord) record.value()).get("timestamp")"#;

/// A program made wrong: what is wrong, the query, the run, the changes to its text, and what the changed
/// program is the right one for, where that can be asked.
struct Mutation {
    what: &'static str,
    query: &'static str,
    over: Over,
    /// What `check` ends with: 33 where answers are wrong, 34 where some are only missing.
    code: i32,
    edits: &'static [(&'static str, &'static str)],
    right_for: &'static [&'static str],
}

/// What a wrong program reads.
#[derive(Clone, Copy)]
enum Over {
    /// A run in order, with readings on windows' bounds.
    Order,
    /// The same, twice in the same topics.
    Twice,
    /// Its two shards, one behind the other.
    Late,
}

const fn wrong(
    what: &'static str,
    query: &'static str,
    edits: &'static [(&'static str, &'static str)],
) -> Mutation {
    Mutation { what, query, over: Over::Order, code: 33, edits, right_for: &[] }
}

const MUTATIONS: [Mutation; 16] = [
    Mutation {
        right_for: &["--window", "tumble:11s"],
        ..wrong("longer", "zone-load", &[("ofSeconds(10)", "ofSeconds(11)")])
    },
    Mutation {
        right_for: &["--window", "hop:60s/5s"],
        ..wrong(
            "oftener",
            "hot-machines",
            &[("advanceBy(Duration.ofSeconds(10))", "advanceBy(Duration.ofSeconds(5))")],
        )
    },
    Mutation {
        right_for: &["--window", "session:29999ms"],
        ..wrong("gap", "anomaly-sessions", &[("ofSeconds(30)", "ofMillis(29_999)")])
    },
    // A reading on a bound counts in the window before.
    wrong(
        "inclusive",
        "zone-load",
        &[(TIMESTAMP, r#"((GenericRecord) record.value()).get("timestamp") - 1"#)],
    ),
    wrong(
        "zone",
        "zone-load",
        &[(TIMESTAMP, r#"((GenericRecord) record.value()).get("timestamp") + 7_200_000"#)],
    ),
    wrong(
        "filter",
        "anomaly-sessions",
        &[(r#".filter((machine, reading) -> (boolean) reading.get("is_anomaly"))"#, "")],
    ),
    wrong("having", "hot-machines", &[("<= 80 ? null", "<= 79 ? null")]),
    wrong(
        "failed",
        "failed-by-outage",
        &[(r#".filter((key, job) -> job.get("status").toString().equals("failed"))"#, "")],
    ),
    // A left join tells what has no partner once its window has closed.
    wrong(
        "left",
        "failed-by-outage",
        &[
            ("failed.join(downs", "failed.leftJoin(downs"),
            (r#"down.get("at")"#, r#"down == null ? 0L : down.get("at")"#),
            ("ofHours(24)", "ofMillis(0)"),
        ],
    ),
    Mutation {
        code: 34,
        ..wrong("near", "failed-by-outage", &[("ofMinutes(1)", "ofSeconds(50)")])
    },
    wrong("class", "load-by-memory", &[("memoryGb < 64", "memoryGb < 128")]),
    wrong("least", "busiest", &[(".reversed()", "")]),
    wrong("status", "fleet-status", &[(r#"change.get("status") +"#, r#""up" +"#)]),
    Mutation {
        over: Over::Twice,
        ..wrong(
            "once",
            "deduplicated",
            &[("if (seen.fetch(record.key(), record.timestamp()) == null)", "if (true)")],
        )
    },
    Mutation {
        over: Over::Late,
        ..wrong("grace", "zone-load", &[("Duration.ofHours(24)", "Duration.ZERO")])
    },
    Mutation {
        over: Over::Late,
        ..wrong("session-grace", "anomaly-sessions", &[("Duration.ofHours(24)", "Duration.ZERO")])
    },
];

#[test]
fn streams_jobs_that_are_wrong_are_found_out() {
    let cluster = TestCluster::from_environment();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let options = "--seed 7 --machines 20 --partitions 2 --rate max --readings 600 \
        --start 2026-01-01T00:00:00.975Z";
    let order = Made::whole(&cluster, folder.path(), options);
    let twice = Made::whole(&cluster, folder.path(), options);
    twice.start(&cluster, 0, options).finish(SOON).exits(0);
    let late = Made::new(folder.path(), 2);
    for part in 0..2 {
        let shard = format!("{options} --shard {part}/2");
        late.start(&cluster, part, &shard).finish(SOON).exits(0);
    }
    let over = |over| match over {
        Over::Order => &order,
        Over::Twice => &twice,
        Over::Late => &late,
    };
    let changed = |of: &Mutation| {
        let named = format!("wrong-{}", of.what);
        Job::new(of.query, &over(of.over).prefix, &named, of.edits)
    };
    let mut jobs: Vec<Job> = MUTATIONS.iter().map(changed).collect();
    // The same programs as they are printed, so that it is the change that is found.
    let printed = ["zone-load", "anomaly-sessions"];
    jobs.extend(printed.map(|query| Job::new(query, &late.prefix, query, &[])));
    jobs.push(Job::new("deduplicated", &twice.prefix, "deduplicated", &[]));
    // In order, without a repartition nothing is late.
    let at_once = [("Duration.ofHours(24)", "Duration.ZERO")];
    let exact = ["hot-machines", "anomaly-sessions"];
    jobs.extend(exact.map(|query| Job::new(query, &order.prefix, query, &at_once)));
    let process = Jobs::start(&cluster, &jobs);
    process.finish_reading(&cluster, &jobs);
    process.end();

    let (wrong, right) = jobs.split_at(MUTATIONS.len());
    let mut missed = Vec::new();
    for (mutation, job) in MUTATIONS.iter().zip(wrong) {
        let checked = over(mutation.over).check(&cluster, job, &[]);
        if checked.status.code() != Some(mutation.code) {
            missed.push(format!("{}: {}", mutation.what, checked.stderr));
        }
        if !mutation.right_for.is_empty() {
            over(mutation.over).check(&cluster, job, mutation.right_for).exits(0);
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let runs = [&late, &late, &twice, &order, &order];
    for (place, (job, made)) in right.iter().zip(runs).enumerate() {
        let more: &[&str] = if place < 3 { &[] } else { &["--grace", "0s"] };
        let report = made.check(&cluster, job, more).exits(0).report();
        assert!(report["counts"]["right"].as_u64() > Some(0), "{report:#}");
    }
}

#[test]
fn streams_jobs_that_cannot_be_expressed_say_so() {
    let text = run(&["queries", "show", "distinct-reporters", "--engine", "kafka-streams"]);
    assert!(text.exits(0).stdout.contains("can't express it"), "{}", text.stdout);
}
