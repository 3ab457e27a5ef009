//! What threads and processes write together, and what is written into: lines stay whole, and whatever
//! an output or a file is, all of it arrives.

use std::collections::BTreeMap;
use std::fs;
use std::io::{PipeReader, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::fcntl_setpipe_size;
use serde_json::Value;

use crate::support::{Running, SOON, command, run};

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

// --- what reports are written into --------------------------------------------------------------

/// A run of ten records that reports to `path`.
fn report_to(path: &Path) {
    let path = path.to_str().expect("its path is text");
    run(&["run", "--sink", "null", "--records", "10", "--report", path]).exits(0);
}

/// The finished report in a file.
#[track_caller]
fn assert_report(text: &[u8]) {
    let report: Value = serde_json::from_slice(text).expect("it is one document");
    assert_eq!(report["results"]["ended"], "complete");
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it is there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("it has a name").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn what_a_link_points_to_is_written() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("there")).expect("a folder can be made");
    fs::write(path("there/old.json"), "old").expect("a file can be written");
    fs::set_permissions(path("there/old.json"), fs::Permissions::from_mode(0o640))
        .expect("so be it");
    for (link, target) in [("a.json", "there/old.json"), ("b.json", "there/new.json")] {
        symlink(target, path(link)).expect("a link can be made");
        report_to(&path(link));
        assert_eq!(fs::read_link(path(link)).expect("it is a link still"), Path::new(target));
        assert_report(&fs::read(path(target)).expect("it is written"));
    }
    let mode = fs::metadata(path("there/old.json")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(names(&path("there")), ["new.json", "old.json"]);
    assert_eq!(names(folder.path()), ["a.json", "b.json", "there"]);
}

#[test]
fn a_pipe_with_a_name_gets_one_document() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().expect("there is mkfifo").success());
    let reader = thread::spawn({
        let path = path.clone();
        move || fs::read(path).expect("it can be read")
    });
    report_to(&path);
    assert_report(&reader.join().expect("it is read"));
    assert_eq!(names(folder.path()), ["pipe"]);
}

/// Runs a script with `$report`, a report's file in a folder of its own, and `$run`, in a name space in
/// which it may mount; gives what the file holds then, and its folder's names.
fn in_mount_space(script: &str) -> (Vec<u8>, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let report = folder.path().join("run.json");
    fs::write(&report, "old").expect("a file can be written");
    let mut unshare = Command::new("unshare");
    unshare.args(["-rm", "sh", "-ec", script]).env("report", &report);
    let binary = env!("CARGO_BIN_EXE_fleetstorm");
    unshare.env("run", format!("{binary} run --sink null --records 10 --report"));
    Running::spawn(&mut unshare).finish(SOON).exits(0);
    (fs::read(&report).expect("it is there"), names(folder.path()))
}

#[test]
fn a_file_that_is_a_mount_is_written_in_its_place() {
    let (text, names) = in_mount_space("mount --bind $report $report; $run $report");
    assert_report(&text);
    assert_eq!(names, ["run.json"]);
}

#[test]
fn a_file_in_a_folder_that_may_not_be_written_is_written_in_its_place() {
    let script = "folder=$(dirname $report); mount --bind $folder $folder;
        mount --bind $report $report; mount -o remount,bind,ro $folder; $run $report";
    let (text, names) = in_mount_space(script);
    assert_report(&text);
    assert_eq!(names, ["run.json"]);
}

#[test]
fn a_report_has_no_negative_zero() {
    let ended = run(&["run", "--sink", "null", "--records", "10", "--report", "-"]);
    assert_eq!(ended.exits(0).report()["results"]["behind"]["handed_over"]["times"], 0);
    assert!(!ended.stdout.contains("-0.0"), "{}", ended.stdout);
}

// --- colours ------------------------------------------------------------------------------------

/// What a run says on a terminal, or into a pipe, with these variables.
fn said(terminal: bool, variables: &[(&str, &str)]) -> String {
    let binary = env!("CARGO_BIN_EXE_fleetstorm");
    let line =
        format!("{binary} run -v --sink null --records 10 --set failures.repair_readings=5 2>&1");
    let line = format!("{line}; {binary} preview --machines 3 --for 10m");
    let mut shell = match terminal {
        true => {
            let mut script = Command::new("script");
            script.args(["-qec", &line, "/dev/null"]);
            script
        }
        false => {
            let mut sh = Command::new("sh");
            sh.args(["-c", &line]);
            sh
        }
    };
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FLEETSTORM_LOG"] {
        shell.env_remove(name);
    }
    shell.env("TERM", "xterm").envs(variables.iter().copied()).stdin(Stdio::null());
    let ended = Running::spawn(&mut shell).finish(SOON);
    ended.exits(0);
    assert!(ended.stdout.contains("no effect") && ended.stdout.contains("mean cpu"), "{ended:?}");
    ended.stdout
}

/// Escapes that colour.
fn colours(text: &str) -> usize {
    text.split("\x1b[")
        .skip(1)
        .filter(|rest| {
            rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m')
        })
        .count()
}

#[test]
fn colours_are_as_the_environment_asks() {
    for (terminal, variables, coloured) in [
        (true, &[][..], true),
        (true, &[("NO_COLOR", "")][..], true),
        (true, &[("NO_COLOR", "1")], false),
        (true, &[("TERM", "dumb")], false),
        (true, &[("CLICOLOR", "0")], false),
        (false, &[], false),
        (false, &[("CLICOLOR_FORCE", "1")], true),
        (false, &[("CLICOLOR_FORCE", "0")], false),
        (true, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
    ] {
        let text = said(terminal, variables);
        assert_eq!(colours(&text) > 0, coloured, "{terminal} {variables:?}: {text:?}");
        // A terminal that can do nothing gets nothing but text.
        if variables.contains(&("TERM", "dumb")) {
            assert!(!text.contains('\x1b'), "{text:?}");
        }
    }
}
