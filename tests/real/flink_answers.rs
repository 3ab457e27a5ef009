//! The suite's queries as jobs of Flink SQL, and what `check` says of them: that right ones are right,
//! and what is wrong with wrong ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::{TestCluster, prefix};
use crate::flink_jobs::{Job, start_all};
use crate::support::{Finished, Running, SOON};

/// The queries of the suite.
const QUERIES: [&str; 9] = [
    "zone-load",
    "hot-machines",
    "anomaly-sessions",
    "failed-by-outage",
    "load-by-memory",
    "fleet-status",
    "busiest",
    "distinct-reporters",
    "deduplicated",
];

/// How long a job may take to start and to write its rows: the texts leave silent partitions and topics out
/// after 30 s.
const FOLLOWED: Duration = Duration::from_secs(180);

/// A run whose records are in topics with a prefix.
struct Load {
    cluster: TestCluster,
    prefix: String,
    folder: TempDir,
}

impl Load {
    fn new() -> Load {
        let folder = tempfile::tempdir().expect("a folder can be made");
        Load { cluster: TestCluster::from_environment(), prefix: prefix("flinkql"), folder }
    }

    /// The records of 20 machines that see much trouble, as of the past.
    fn backfilled(more: &[&str]) -> Load {
        let load = Load::new();
        load.start(&[&["--rate", "max", "--readings", "700"], more].concat()).finish(SOON).exits(0);
        load
    }

    fn start(&self, more: &[&str]) -> Running {
        let report = self.report();
        let (b, r) = (&self.cluster.bootstrap, &self.cluster.registry);
        let to = ["run", "-b", b, "-r", r, "--topic-prefix", &self.prefix];
        let what = ["--scenario", "chaos", "--machines", "20"];
        let kept = ["--report", report.to_str().expect("its path is text")];
        Running::start(&[&to[..], &what, &kept, more].concat())
    }

    fn report(&self) -> PathBuf {
        self.folder.path().join("run.json")
    }

    fn job(&self, query: &str) -> Job {
        Job::printed(&self.cluster, &self.prefix, query)
    }

    /// What `check` says of a job.
    fn check(&self, job: &Job, more: &[&str]) -> Checked {
        let (manifest, report) = (self.report(), self.folder.path().join("check.json"));
        let text = |path: &Path| path.to_str().expect("its path is text").to_owned();
        let (manifest, report) = (text(&manifest), text(&report));
        let (b, r) = (&self.cluster.bootstrap, &self.cluster.registry);
        let from = ["--output-topic", &job.output, "-b", b, "-r", r, "--report", &report];
        let asked = ["check", &job.query, "--manifest", &manifest, "--semantics", "flink-sql"];
        let ended = Running::start(&[&asked[..], &from, more].concat()).finish(SOON + FOLLOWED);
        let verdict = fs::read_to_string(&report)
            .unwrap_or_else(|error| panic!("check has reported: {error}\n{}", ended.stderr));
        Checked { verdict: serde_json::from_str(&verdict).expect("the report is JSON"), ended }
    }
}

/// What `check` has said.
struct Checked {
    ended: Finished,
    verdict: Value,
}

impl Checked {
    /// Windows and keys that were found to be so.
    fn count(&self, kind: &str) -> u64 {
        self.verdict["counts"][kind].as_u64().expect("windows and keys are counted")
    }

    /// Asserts that the job is right, by so many rows at least.
    #[track_caller]
    fn is_right(&self, least: u64) -> &Checked {
        self.ended.exits(0);
        assert_eq!(self.verdict["verdict"], "right", "{:#}", self.verdict);
        let right = self.count("right") + self.count("within_bracket");
        assert!(right >= least, "{right} of {least} rows: {:#}", self.verdict);
        self
    }
}

#[test]
fn a_job_is_right_while_it_runs_and_all_are_when_they_have_ended() {
    let load = Load::new();
    // So loaded that machines are hot.
    let busy = ["--set", "base_cpu_load=0.6"];
    let what = ["--seed", "1", "--rate", "500", "--duration", "40s"];
    let sending = load.start(&[&what[..], &busy].concat());
    sending.line("Producer:");
    let running = load.job("zone-load").edited("live", &[]);
    let session = running.start(&load.cluster);
    let within = format!("{}s", FOLLOWED.as_secs());
    let live = load.check(&running, &["--follow", "--within", &within]);
    // Three zones, and of four or five windows all but the last.
    live.is_right(9);
    drop(session);
    sending.finish(SOON).exits(0);

    // The windows of three queries are as long as the run, or longer.
    let short = [
        (
            "hot-machines",
            "hop:20s/5s",
            &[("'60' SECOND", "'20' SECOND"), ("'10' SECOND", "'5' SECOND")],
        ),
        (
            "distinct-reporters",
            "cumulate:20s/5s",
            &[("'10' MINUTE", "'20' SECOND"), ("'1' MINUTE", "'5' SECOND")],
        ),
    ];
    let jobs = QUERIES.map(|query| {
        let edits = short.iter().find(|(of, ..)| *of == query);
        load.job(query).bounded().edited("ended", edits.map_or(&[], |(.., edits)| *edits))
    });
    start_all(&load.cluster, &jobs).finish();
    for job in &jobs {
        let window = short.iter().find(|(of, ..)| *of == job.query).map(|(_, window, _)| *window);
        let asked = window.map_or(vec![], |window| vec!["--window", window]);
        load.check(job, &[&asked[..], &["--bounded"]].concat()).is_right(1);
    }
}

#[test]
fn right_jobs_over_ten_runs_are_never_called_wrong() {
    let seeds: Vec<String> = (1..=10).map(|seed| seed.to_string()).collect();
    let start = ["--start", "2026-01-01T00:00:00Z"];
    let loads: Vec<Load> = seeds
        .iter()
        .map(|seed| Load::backfilled(&[&start[..], &["--seed", seed]].concat()))
        .collect();
    let jobs = loads.iter().flat_map(|load| QUERIES.map(|query| load.job(query).bounded()));
    let jobs: Vec<Job> = jobs.collect();
    start_all(&loads[0].cluster, &jobs).finish();
    for (load, jobs) in loads.iter().zip(jobs.chunks(QUERIES.len())) {
        for job in jobs {
            load.check(job, &["--bounded"]).is_right(1);
        }
    }
}

/// A wrong job.
struct Wrong {
    name: &'static str,
    query: &'static str,
    /// What is written where the right text has something else.
    edits: &'static [(&'static str, &'static str)],
    /// The windows that are asked for, where they aren't the query's own.
    window: Option<&'static str>,
    /// What is found of its rows, among others.
    found: &'static [&'static str],
    /// A part of what `check` says may be behind it.
    says: &'static str,
}

/// So that a session with a shorter gap has the same end, and only what is a gap apart tells it.
const LATER_END: (&str, &str) = (
    "SELECT window_start, window_end,",
    "SELECT window_start, window_end + INTERVAL '0.001' SECOND,",
);

const WRONG: [Wrong; 18] = [
    Wrong {
        name: "window-of-11s",
        query: "zone-load",
        edits: &[("INTERVAL '10' SECOND", "INTERVAL '11' SECOND")],
        window: None,
        found: &["missing", "extra"],
        says: "windows of 11s",
    },
    Wrong {
        name: "inclusive-end",
        query: "zone-load",
        edits: &[
            (
                "WATERMARK FOR `timestamp` AS `timestamp`",
                "before AS `timestamp` - INTERVAL '0.001' SECOND, WATERMARK FOR before AS before",
            ),
            ("DESCRIPTOR(`timestamp`)", "DESCRIPTOR(before)"),
        ],
        window: None,
        found: &["wrong"],
        says: "",
    },
    Wrong {
        name: "float",
        query: "zone-load",
        edits: &[("AVG(cpu_percent)", "AVG(CAST(cpu_percent AS FLOAT))")],
        window: None,
        found: &["wrong"],
        says: "",
    },
    Wrong {
        name: "no-having",
        query: "hot-machines",
        edits: &[("\nHAVING AVG(cpu_percent) > 80", "")],
        window: None,
        found: &["extra"],
        says: "",
    },
    Wrong {
        name: "slide",
        query: "hot-machines",
        edits: &[("INTERVAL '10' SECOND", "INTERVAL '20' SECOND")],
        window: None,
        found: &["missing"],
        says: "",
    },
    Wrong {
        name: "gap-1ms-short",
        query: "anomaly-sessions",
        edits: &[("INTERVAL '30' SECOND", "INTERVAL '29.999' SECOND"), LATER_END],
        window: None,
        found: &["missing", "extra"],
        says: "",
    },
    Wrong {
        name: "gap-1ms-short-of-the-interval",
        query: "anomaly-sessions",
        edits: &[("INTERVAL '30' SECOND", "INTERVAL '0.999' SECOND"), LATER_END],
        window: Some("session:1s"),
        found: &["missing", "extra"],
        says: "gap is shorter",
    },
    Wrong {
        name: "no-filter",
        query: "anomaly-sessions",
        edits: &[(" WHERE is_anomaly", "")],
        window: None,
        found: &["missing", "extra"],
        says: "",
    },
    Wrong {
        name: "outer-join",
        query: "failed-by-outage",
        edits: &[
            ("FROM jobs j JOIN", "FROM jobs j LEFT JOIN"),
            ("WHERE j.status = 'failed' AND s.status", "AND s.status"),
            ("+ INTERVAL '1' MINUTE;", "+ INTERVAL '1' MINUTE\nWHERE j.status = 'failed';"),
        ],
        window: None,
        found: &["extra"],
        says: "",
    },
    Wrong {
        name: "half-a-minute",
        query: "failed-by-outage",
        edits: &[("s.ts + INTERVAL '1' MINUTE", "s.ts + INTERVAL '30' SECOND")],
        window: None,
        found: &["missing"],
        says: "",
    },
    Wrong {
        name: "not-distinct",
        query: "distinct-reporters",
        edits: &[("COUNT(DISTINCT machine_id)", "COUNT(machine_id)")],
        window: None,
        found: &["wrong"],
        says: "",
    },
    Wrong {
        name: "least-busy",
        query: "busiest",
        edits: &[("requests DESC", "requests ASC")],
        window: None,
        found: &["wrong"],
        says: "",
    },
    Wrong {
        name: "top-two",
        query: "busiest",
        edits: &[("place <= 3", "place <= 2")],
        window: None,
        found: &["missing"],
        says: "",
    },
    Wrong {
        name: "from-the-end",
        query: "deduplicated",
        edits: &[("'earliest-offset'", "'latest-offset'")],
        window: None,
        found: &["missing"],
        says: "",
    },
    Wrong {
        name: "all-twice",
        query: "deduplicated",
        edits: &[(
            "FROM once GROUP BY window_start, window_end, zone;",
            "FROM once GROUP BY window_start, window_end, zone UNION ALL\n\
             SELECT window_start, window_end, zone, COUNT(*)\n\
             FROM once GROUP BY window_start, window_end, zone;",
        )],
        window: None,
        found: &["duplicated"],
        says: "",
    },
    Wrong {
        name: "other-classes",
        query: "load-by-memory",
        edits: &[("< 64", "< 32")],
        window: None,
        found: &["wrong"],
        says: "",
    },
    Wrong {
        name: "but-healthy",
        query: "fleet-status",
        edits: &[("\nGROUP BY", "\nWHERE s.status <> 'healthy'\nGROUP BY")],
        window: None,
        found: &["missing"],
        says: "",
    },
    // Of the session, and so not run with the others.
    Wrong {
        name: "zone-of-the-session",
        query: "failed-by-outage",
        edits: &[("UTC", "Asia/Kathmandu")],
        window: None,
        found: &["missing", "extra"],
        says: "",
    },
];

/// Windows of local time: by Kafka's timestamps, which are instants.
fn in_zone(zone: &str) -> [(&str, &str); 3] {
    [
        ("UTC", zone),
        (
            "WATERMARK FOR `timestamp` AS `timestamp`",
            "sent TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, WATERMARK FOR sent AS sent",
        ),
        ("DESCRIPTOR(`timestamp`)", "DESCRIPTOR(sent)"),
    ]
}

/// Twenty machines report 25, 75, ... ms after the start, so that one reads at each full second.
const ON_BOUNDS: &str = "2026-01-01T00:00:00.025Z";

#[test]
fn wrong_jobs_are_caught_and_named() {
    let load = Load::backfilled(&["--seed", "1", "--start", ON_BOUNDS]);
    let mut jobs = Vec::from(
        WRONG.map(|wrong| load.job(wrong.query).bounded().edited(wrong.name, wrong.edits)),
    );
    // Half an hour moves no window of 10 minutes by itself, a quarter of an hour does.
    let zones = [("Asia/Kolkata", "+05:30"), ("Asia/Kathmandu", "+05:45")];
    for (zone, _) in zones {
        let job = load.job("distinct-reporters").bounded();
        jobs.push(job.edited(&zone.replace('/', "-"), &in_zone(zone)));
    }
    // By the windows that one of them is asked for, the right job is right.
    let interval = [("INTERVAL '30' SECOND", "INTERVAL '1' SECOND")];
    jobs.insert(0, load.job("anomaly-sessions").bounded().edited("right", &interval));
    start_all(&load.cluster, &jobs).finish();

    load.check(&jobs[0], &["--bounded", "--window", "session:1s"]).is_right(5);
    for (job, wrong) in jobs[1..].iter().zip(&WRONG) {
        let window = wrong.window.map_or(vec![], |window| vec!["--window", window]);
        let checked = load.check(job, &[&["--bounded"], &window[..]].concat());
        let (code, verdict) = match wrong.found {
            ["missing"] => (34, "incomplete"),
            _ => (33, "wrong"),
        };
        let said = format!("{}:\n{}\n{:#}", wrong.name, checked.ended.stderr, checked.verdict);
        assert_eq!(checked.ended.status.code(), Some(code), "{said}");
        assert_eq!(checked.verdict["verdict"], verdict, "{said}");
        for kind in ["wrong", "missing", "extra", "duplicated", "undecodable"] {
            let found = checked.count(kind) > 0;
            assert_eq!(found, wrong.found.contains(&kind), "{kind}, {said}");
        }
        let all = format!("{}{}{}", checked.ended.stdout, checked.ended.stderr, checked.verdict);
        assert!(all.contains(wrong.says), "{said}");
    }
    for (job, (_, offset)) in jobs[1 + WRONG.len()..].iter().zip(zones) {
        let in_utc = load.check(job, &["--bounded"]);
        in_utc.ended.exits(33);
        assert!(in_utc.count("missing") > 0 && in_utc.count("extra") > 0, "{:#}", in_utc.verdict);
        if offset == "+05:30" {
            assert!(in_utc.verdict.to_string().contains("windows are +05:30"));
        }
        load.check(job, &["--bounded", "--zone-offset", offset]).is_right(5);
    }
}

/// Where records are out of order by more than the watermark's bound, some are late or not as they arrive.
#[test]
fn a_watermark_without_a_bound_is_caught_and_one_within_it_is_not() {
    let skewed = ["--threads", "2", "--max-skew", "10s", "--seed", "1"];
    let load = Load::backfilled(&[&skewed[..], &["--start", ON_BOUNDS]].concat());
    // So that the watermark doesn't depend on when the clock ticks.
    let event = (
        "'scan.bounded.mode'",
        "'scan.watermark.emit.strategy'='on-event',\n  'scan.bounded.mode'",
    );
    let bound = |name: &str, seconds: &str| {
        let to = format!("`timestamp` - INTERVAL '{seconds}' SECOND");
        let edits = [event, ("`timestamp` - INTERVAL '1' SECOND", to.as_str())];
        load.job("zone-load").bounded().edited(name, &edits)
    };
    let jobs = [bound("none", "0"), bound("printed", "1"), bound("wide", "10")];
    start_all(&load.cluster, &jobs).finish();
    let [none, printed, wide] = &jobs;
    let caught = load.check(none, &["--bounded", "--watermark", "10s"]);
    caught.ended.exits(33);
    assert!(caught.count("wrong") > 0, "{:#}", caught.verdict);
    load.check(wide, &["--bounded", "--watermark", "10s"]).is_right(100);
    let bracketed = load.check(printed, &["--bounded"]);
    bracketed.is_right(100);
    assert!(bracketed.count("within_bracket") > 0, "{:#}", bracketed.verdict);
}
