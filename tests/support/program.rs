//! The program, started as a user starts it, waited for within bounds, and what it says. One that is
//! still running when its test ends is killed.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a program may take that has little to do. No test waits so long unless it fails.
pub const SOON: Duration = Duration::from_secs(60);

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

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by its name (INT, TERM).
    pub fn signal(&self, name: &str) {
        // The shell's own kill, since a small system may have no program of this name.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.id())])
            .status()
            .expect("there is a shell");
        assert!(sent.success(), "signal {name} can be sent: the program is running");
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
