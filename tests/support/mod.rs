//! What the tests of the whole program share: starting it as a user does, waiting for it within
//! bounds, and reading what it says. A program that is still running when its test ends is killed.

// Each test crate uses a part of it.
#![allow(dead_code)]

pub mod kafka;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// How long a program may take that has little to do. No test waits so long unless it fails.
pub const SOON: Duration = Duration::from_secs(60);

/// The program's topics, in its order.
pub const TOPICS: [&str; 5] = ["telemetry", "usage", "status", "jobs", "machines"];

/// All topics: those and the ground truth.
pub const ALL_TOPICS: [&str; 6] = ["telemetry", "usage", "status", "jobs", "machines", "incidents"];

/// A command line of the program, in an environment that chooses neither broker nor registry.
pub fn command<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetstorm"));
    command.args(arguments).stdin(Stdio::null());
    for variable in [
        "FLEETSTORM_BOOTSTRAP_SERVER",
        "KAFKA_BOOTSTRAP_SERVERS",
        "FLEETSTORM_SCHEMA_REGISTRY",
        "SCHEMA_REGISTRY_URL",
        "FLEETSTORM_REGISTRY_BASIC_AUTH",
        "FLEETSTORM_REGISTRY_TOKEN",
        "JOB_COMPLETION_INDEX",
        "FLEETSTORM_LOG",
        "RUST_LOG",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Runs the program to its end.
pub fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Finished {
    Running::start(arguments).finish(SOON)
}

/// A program that runs; dropped, it is killed.
pub struct Running {
    child: Child,
    started: Instant,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<()>>,
    lines: Arc<(Mutex<Lines>, Condvar)>,
}

#[derive(Default)]
struct Lines {
    read: Vec<String>,
    ended: bool,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Running {
    pub fn start<S: AsRef<OsStr>>(arguments: &[S]) -> Running {
        Running::spawn(&mut command(arguments))
    }

    /// Starts a command, and reads its output so that it never waits for a reader.
    pub fn spawn(command: &mut Command) -> Running {
        let started = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} starts: {error}"));
        let mut out = child.stdout.take().expect("stdout is a pipe");
        let stdout = thread::spawn(move || {
            let mut bytes = Vec::new();
            let _cut_short = out.read_to_end(&mut bytes);
            bytes
        });
        let err = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let lines = Arc::new((Mutex::new(Lines::default()), Condvar::new()));
        let shared = Arc::clone(&lines);
        let stderr = thread::spawn(move || {
            for line in err.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                shared.0.lock().unwrap().read.push(line);
                shared.1.notify_all();
            }
            shared.0.lock().unwrap().ended = true;
            shared.1.notify_all();
        });
        Running { child, started, stdout: Some(stdout), stderr: Some(stderr), lines }
    }

    /// The first line on stderr that contains `text`, waited for.
    pub fn line(&self, text: &str) -> String {
        let (lines, said) = &*self.lines;
        let (lines, _) = said
            .wait_timeout_while(lines.lock().unwrap(), SOON, |lines| {
                !lines.ended && !lines.read.iter().any(|line| line.contains(text))
            })
            .unwrap();
        lines.read.iter().find(|line| line.contains(text)).cloned().unwrap_or_else(|| {
            panic!("no line with {text:?} on stderr, which says:\n{}", lines.read.join("\n"))
        })
    }

    /// What follows `label` on the first line of stderr with it, up to a space: an address, say.
    pub fn told(&self, label: &str) -> String {
        let line = self.line(label);
        let rest = line.split_once(label).map_or("", |(_, rest)| rest);
        rest.split_whitespace().next().unwrap_or_default().to_owned()
    }

    /// Sends a signal, by its name (INT, TERM).
    pub fn signal(&self, name: &str) {
        // The shell's own kill, since a small system may have no program of this name.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status()
            .expect("there is a shell");
        assert!(sent.success(), "signal {name} can be sent: the program is running");
    }

    /// The most memory that the program has held so far, in KiB.
    pub fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the program runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let words = line.expect("the system tells").split_whitespace().next();
        words.and_then(|word| word.parse().ok()).expect("it is a number")
    }

    /// Waits for the end; fails where it doesn't come within `limit`.
    pub fn finish(mut self, limit: Duration) -> Finished {
        let waiting = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the program can be waited for") {
                break status;
            }
            if waiting.elapsed() > limit {
                let said = self.lines.0.lock().unwrap().read.join("\n");
                panic!("the program has not ended within {limit:?}; its stderr says:\n{said}");
            }
            thread::sleep(Duration::from_millis(5));
        };
        let took = self.started.elapsed();
        let stdout = self.stdout.take().map(|reader| reader.join().unwrap()).unwrap_or_default();
        if let Some(reader) = self.stderr.take() {
            reader.join().unwrap();
        }
        let stderr = self.lines.0.lock().unwrap().read.join("\n");
        let stdout = String::from_utf8(stdout).expect("output is text");
        Finished { status, stdout, stderr, took }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Finished {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Finished {
        assert_eq!(self.status.code(), Some(code), "exit code; stderr says:\n{}", self.stderr);
        self
    }

    /// The error that the program ended with: one line, and the last, so that it is seen.
    #[track_caller]
    pub fn error(&self) -> &str {
        let errors = self.stderr.lines().filter(|line| line.starts_with("error:")).count();
        let last = self.stderr.lines().last().unwrap_or_default();
        assert!(
            errors == 1 && last.starts_with("error:"),
            "stderr ends in one line that starts with `error:`, but says:\n{}",
            self.stderr
        );
        last
    }

    /// Asserts the exit code, and that the error names all of `words`.
    #[track_caller]
    pub fn fails(&self, code: i32, words: &[&str]) -> &Finished {
        let error = self.exits(code).error();
        for word in words {
            assert!(error.contains(word), "{word:?} is in the error: {error}");
        }
        self
    }

    /// The report that `--report -` put on standard output.
    #[track_caller]
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is one JSON document: {error}\n{}", self.stdout))
    }
}

/// The check `name` of a doctor's report.
#[track_caller]
pub fn check(ended: &Finished, name: &str) -> Value {
    let report = ended.report();
    let checks = report["checks"].as_array().expect("there are checks");
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("there is a check {name}: {report}")).clone()
}

/// What `fleetstorm report merge` makes of the reports that runs have put on standard output.
#[track_caller]
pub fn merge(shards: &[Finished]) -> Value {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut arguments = vec!["report".to_owned(), "merge".to_owned()];
    for (i, shard) in shards.iter().enumerate() {
        let path = folder.path().join(format!("{i}.json"));
        std::fs::write(&path, &shard.stdout).expect("a file can be written");
        arguments.push(path.to_str().expect("its path is text").to_owned());
    }
    run(&arguments).exits(0).report()
}

/// A count of a report's `results.records`, over all topics.
#[track_caller]
pub fn total(report: &Value, count: &str) -> u64 {
    let topics = report["results"]["records"].as_object().expect("records are counted by topic");
    topics.values().map(|topic| topic[count].as_u64().expect("counts are numbers")).sum()
}

/// Records sent to one topic.
#[track_caller]
pub fn sent(report: &Value, topic: &str) -> u64 {
    report["results"]["records"][topic]["sent"].as_u64().expect("the topic's records are counted")
}

/// The slots that a run has worked off: every record but the announcements, and what was silent.
#[track_caller]
pub fn slots(report: &Value) -> u64 {
    let silent = report["results"]["rate"]["silent"].as_u64().expect("silent slots are counted");
    total(report, "sent") - sent(report, "machines") + silent
}

/// Asserts that every record was acknowledged, of which there are some.
#[track_caller]
pub fn assert_all_acked(report: &Value) {
    assert!(total(report, "sent") > 0, "something was sent: {report:#}");
    assert_eq!(total(report, "acked"), total(report, "sent"), "{:#}", report["results"]);
    assert_eq!(total(report, "failed"), 0, "{:#}", report["results"]);
    assert_eq!(report["results"]["errors"], serde_json::json!({}));
}

/// Now, in milliseconds since the epoch.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set").as_millis() as i64
}

/// A prefix of topics that no other test and no other run has, ending in a dash.
pub fn prefix(name: &str) -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let nth = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{}-{nth}-", std::process::id(), now_ms())
}
