//! What threads and processes write together, and what is written into: lines stay whole, and whatever
//! an output is, all of it arrives.

mod support;

use std::collections::BTreeMap;
use std::io::{PipeReader, Read};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::fcntl_setpipe_size;
use serde_json::Value;
use support::{command, run};

/// A run of 300 machines with everything switched on: 36,300 lines or so.
const MANY: [&str; 15] = [
    "run",
    "-q",
    "--sink",
    "stdout",
    "--rate",
    "max",
    "--machines",
    "300",
    "--readings",
    "40",
    "--seed",
    "7",
    "--scenario",
    "production",
    "--start=2026-01-01",
];

/// The lines of each key of each topic in their order; each is whole.
#[track_caller]
fn by_key(text: &str) -> BTreeMap<(String, String), Vec<&str>> {
    let mut keys: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("a line is torn: {error} in {line}"));
        let part = |name: &str| record[name].as_str().expect("it is text").to_owned();
        keys.entry((part("topic"), part("key"))).or_default().push(line);
    }
    keys
}

#[test]
fn lines_of_several_threads_are_whole_and_in_order_by_key() {
    let alone = run(&MANY);
    let expected = by_key(&alone.exits(0).stdout);
    assert!(alone.stdout.lines().count() > 36_000);
    for threads in ["2", "8"] {
        let together = run(&[&MANY[..], &["--threads", threads]].concat());
        assert!(by_key(&together.exits(0).stdout) == expected, "{threads} threads");
    }
}

/// Reads a pipe to its end, slowly at first so that writers meet a full one.
fn read(mut from: PipeReader) -> String {
    thread::sleep(Duration::from_millis(300));
    let mut text = String::new();
    from.read_to_string(&mut text).expect("it is text");
    text
}

#[test]
fn lines_of_several_shards_in_one_pipe_are_whole() {
    let alone = run(&MANY);
    let expected = by_key(&alone.exits(0).stdout);
    let (from, to) = std::io::pipe().expect("there are pipes");
    let shards: Vec<Child> = ["0/3", "1/3", "2/3"]
        .into_iter()
        .map(|shard| {
            let mut command = command(&MANY);
            command.args(["--threads", "2", "--shard", shard]);
            command.stdout(to.try_clone().expect("it has another end"));
            command.spawn().expect("the program starts")
        })
        .collect();
    drop(to);
    assert!(by_key(&read(from)) == expected);
    for mut shard in shards {
        assert_eq!(shard.wait().expect("it ends").code(), Some(0));
    }
}

// --- outputs that don't wait by themselves ------------------------------------------------------

/// A stream that its writer may not wait for, as node and some CI systems give it to what they start.
/// It holds 4 KiB.
fn non_blocking() -> (PipeReader, Stdio) {
    let (from, to) = std::io::pipe().expect("there are pipes");
    let flags = fcntl_getfl(&to).expect("it has flags");
    fcntl_setfl(&to, flags | OFlags::NONBLOCK).expect("it can be non-blocking");
    fcntl_setpipe_size(&to, 4096).expect("it can be small");
    (from, to.into())
}

/// What a command writes on a non-blocking stdout whose reader is slow.
fn slowly_read(arguments: &[&str]) -> String {
    let (mut from, to) = non_blocking();
    let mut child = command(arguments).stdout(to).spawn().expect("the program starts");
    thread::sleep(Duration::from_millis(500));
    let mut text = String::new();
    from.read_to_string(&mut text).expect("it is text");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{arguments:?}");
    text
}

#[test]
fn a_non_blocking_stdout_is_waited_for() {
    let lines = slowly_read(&[&MANY[..], &["--threads", "2"]].concat());
    assert!(lines == run(&MANY).stdout || by_key(&lines) == by_key(&run(&MANY).stdout));
    let sample = ["preview", "-q", "--sample", "5000", "--scenario", "production"];
    assert_eq!(by_key(&slowly_read(&sample)).values().map(Vec::len).sum::<usize>(), 5000);
    // A trace of many segments makes a long report.
    let folder = tempfile::tempdir().expect("a folder can be made");
    let trace = folder.path().join("trace.csv");
    let segments: String =
        (0..20_000).map(|at| format!("{at},{}\n", at % 7 * 1000 + 1000)).collect();
    std::fs::write(&trace, segments).expect("a file can be written");
    let trace = format!("csv:{}", trace.display());
    let report = ["run", "-q", "--sink", "null", "--report", "-", "--records", "10"];
    let report = slowly_read(&[&report[..], &["--rate-profile", &trace]].concat());
    serde_json::from_str::<Value>(&report).expect("it is whole");
}

#[test]
fn a_non_blocking_stderr_is_waited_for() {
    // Regions of which nobody knows the time zone are named: far more than the pipe holds.
    let regions: Vec<String> = (0..255).map(|at| format!("{}-{at}", "x".repeat(99))).collect();
    let config = serde_json::json!({
        "regions": regions, "temporal_patterns": { "enable_diurnal": true }
    });
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("regions.json");
    std::fs::write(&path, config.to_string()).expect("a file can be written");
    let (mut from, to) = non_blocking();
    let mut command = command(&["run", "--sink", "null", "--rate", "max", "--records", "10"]);
    let mut child = command.arg("--config").arg(path).stderr(to).spawn().expect("it starts");
    // It holds an end of the stream.
    drop(command);
    thread::sleep(Duration::from_millis(500));
    let mut text = String::new();
    from.read_to_string(&mut text).expect("it is text");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(regions.iter().all(|region| text.contains(region)), "{} bytes", text.len());
}
