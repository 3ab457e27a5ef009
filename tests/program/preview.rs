//! `fleetstorm preview` as a user runs it: what it draws, what it writes, what it refuses.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Finished, command, run};

/// A small run that is the same every time.
const FIXED: [&str; 7] = [
    "preview",
    "--seed=7",
    "--start=2026-01-05",
    "--for=12h",
    "--interval=1m",
    "--machines=40",
    "-q",
];

fn preview(more: &[&str]) -> Finished {
    run(&[&FIXED, more].concat())
}

#[test]
fn the_terminal_shows_scenario_and_incidents() {
    let ended = preview(&["--scenario", "chaos"]);
    ended.exits(0);
    let words = [
        "chaos: Anomalies",
        "40 machines",
        "2026-01-05 00:00",
        "seed 7",
        "every 1m",
        "mean cpu",
        "machines down",
        "zone-b",
        "us-west-2",
        "UTC",
        "cpu_spike",
        "memory_leak",
        "network_saturation",
        "disk_full",
        "multi_resource",
        "failure",
        "cascade",
        "zone_trouble",
        "largest cascade",
    ];
    for word in words {
        assert!(ended.stdout.contains(word), "{word:?} is in:\n{}", ended.stdout);
    }
    let widest = ended.stdout.lines().skip(2).map(|line| line.chars().count()).max();
    let widest = widest.expect("there are lines");
    assert!(!ended.stdout.contains('\x1b'), "no colour unless to a terminal");
    assert!(widest <= 180, "{widest} characters wide");
}

#[test]
fn a_calm_fleet_has_no_incidents() {
    let ended = preview(&[]);
    ended.exits(0);
    assert!(ended.stdout.contains("incidents: none"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("machines down"), "{}", ended.stdout);
}

#[test]
fn pictures_are_well_formed_and_tell_what_they_show() {
    let folder = tempfile::tempdir().unwrap();
    for (name, scenario) in [("a.svg", "production"), ("b.html", "chaos"), ("c.SVG", "baseline")] {
        let path = folder.path().join(name);
        let ended = preview(&["--scenario", scenario, "--out", path.to_str().unwrap()]);
        ended.exits(0);
        assert!(ended.stdout.is_empty(), "{}", ended.stdout);
        let text = fs::read_to_string(&path).unwrap();
        let text = text.strip_prefix("<!DOCTYPE html>\n").unwrap_or(&text);
        well_formed(text);
        for word in [scenario, "seed 7", "40 machines", "Fleet load", "machine-0000"] {
            assert!(text.contains(word), "{word:?} is in {name}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf\""), "a number is none in {name}");
    }
}

#[test]
fn names_that_would_break_a_picture_dont() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.svg");
    let zones = r#"zones=["<b>&amp;", "a\"'b\u0007\u001b[31m", "]]>"]"#;
    preview(&["--set", zones, "--out", path.to_str().unwrap()]).exits(0);
    let text = fs::read_to_string(&path).unwrap();
    well_formed(&text);
    assert!(text.contains("&lt;b&gt;&amp;amp;"), "names are kept");
    let shown = preview(&["--set", zones]);
    assert!(!shown.exits(0).stdout.contains('\x1b'));
}

#[test]
fn small_and_odd_runs_are_shown_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.svg");
    for options in [
        &["--machines=1", "--for=1s"][..],
        &["--machines=3", "--for=5s", "--interval=1s", "--scenario=chaos"],
        &["--machines=2", "--for=36525d", "--start=1970-01-01"],
        &["--machines=20", "--readings=1", "--set=enable_failures=true"],
        &["--machines=20", "--readings=7", "--interval=10ms"],
        &["--machines=5", "--for=1ms"],
        &["--scenario=chaos", "--set=failures.report_while_down=true", "--for=3h"],
    ] {
        let seeded = [&["preview", "--seed=3"], options].concat();
        run(&seeded).exits(0);
        run(&[&seeded[..], &["--out", path.to_str().unwrap()]].concat()).exits(0);
        let text = fs::read_to_string(&path).unwrap();
        well_formed(&text);
        assert!(!text.contains("NaN") && !text.contains("inf"), "a number is none: {options:?}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    preview(&["--out", "preview.png"]).fails(2, &["preview.png", ".svg", ".html"]);
    preview(&["--out", "svg"]).fails(2, &[".svg"]);
    preview(&["--scenario", "produktion"]).fails(2, &["produktion", "production"]);
    preview(&["--out", "/nonexistent/a.svg"]).fails(50, &["/nonexistent/a.svg"]);
    preview(&["--readings", "9"]).fails(2, &["--for", "--interval", "--readings"]);
    run(&["preview", "--for=1m", "--interval=1h"]).fails(2, &["--interval", "--for"]);
    run(&["preview", "--start=-36000d"]).fails(2, &["--start"]);
    preview(&["--sample", "0"]).exits(2);
    preview(&["--sample", "1", "--out", "a.svg"]).exits(2);
}

#[test]
fn a_sample_has_as_many_lines_as_asked_for_of_all_topics() {
    let ended = preview(&["--scenario", "production", "--sample", "20"]);
    ended.exits(0);
    let lines: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 20);
    let topics: BTreeSet<&str> = lines.iter().filter_map(|line| line["topic"].as_str()).collect();
    let all = ["incidents", "jobs", "machines", "status", "telemetry", "usage"];
    assert!(topics.into_iter().eq(all));
    let times = lines.iter().filter_map(|line| line["timestamp"].as_i64());
    assert!(times.is_sorted());
    for line in &lines {
        let keys = ["key", "partition", "timestamp", "topic", "value"];
        assert!(line.as_object().unwrap().keys().all(|key| keys.contains(&key.as_str())));
        assert_eq!(line["value"]["machine_id"], line["key"]);
    }
}

#[test]
fn a_sample_is_of_the_records_that_the_run_sends() {
    let of_run = run(&[
        "run",
        "--sink=stdout",
        "--seed=7",
        "--start=2026-01-05",
        "--interval=1m",
        "--machines=40",
        "--readings=720",
        "--rate=max",
        "-q",
        "--scenario=production",
        "--topics=telemetry,usage,status,jobs,machines,incidents",
    ]);
    let sent: BTreeSet<&str> = of_run.exits(0).stdout.lines().collect();
    let sample = preview(&["--scenario", "production", "--sample", "300"]);
    assert_eq!(sample.stdout.lines().count(), 300);
    assert!(sample.stdout.lines().all(|line| sent.contains(line)));
    // Whoever wants all of them gets all of them.
    let all = preview(&["--scenario", "production", "--sample", "100000000"]);
    assert_eq!(all.stdout.lines().count(), of_run.stdout.lines().count());
}

#[test]
fn seed_and_start_decide_everything() {
    for options in [&["--scenario=chaos"][..], &["--scenario=chaos", "--sample=50"]] {
        assert_eq!(preview(options).stdout, preview(options).stdout);
    }
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.svg", "b.svg"].map(|name| {
        let path = folder.path().join(name);
        preview(&["--scenario=cascade_failure", "--out", path.to_str().unwrap()]).exits(0);
        fs::read(path).unwrap()
    });
    assert!(a == b, "two pictures of one run differ");
}

#[test]
fn a_drawn_seed_is_told() {
    let drawn = run(&["preview", "--machines=2", "--for=1m", "--sample=1"]);
    assert!(drawn.exits(0).stderr.contains("seed "), "{}", drawn.stderr);
    let drawn = run(&["preview", "--machines=2", "--for=1m"]);
    assert!(drawn.exits(0).stdout.contains("seed "), "{}", drawn.stdout);
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    for options in [&["--sample=1000000"][..], &["--scenario=chaos"]] {
        let mut child = command(&[&FIXED, options].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        drop(reader);
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    }
}

/// Asserts that elements nest, attributes are quoted, and entities are known.
#[track_caller]
fn well_formed(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        characters(before);
        let end = tag.find('>').expect("a tag ends");
        let inner = &tag[1..end];
        rest = &tag[end + 1..];
        if let Some(name) = inner.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "an element ends that is not open");
            continue;
        }
        let (inner, is_empty) = inner.strip_suffix('/').map_or((inner, false), |i| (i, true));
        assert_eq!(inner.matches('"').count() % 2, 0, "quotes of <{inner}> pair up");
        let (name, attributes) = inner.split_once([' ', '\n']).unwrap_or((inner, ""));
        attributes.split('"').skip(1).step_by(2).for_each(characters);
        assert!(attributes.split('"').step_by(2).all(|a| a.trim().is_empty() || a.ends_with('=')));
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "an element is called {name:?}");
        if !is_empty {
            open.push(name);
        }
    }
    characters(rest);
    assert!(open.is_empty(), "elements are left open: {open:?}");
}

#[track_caller]
fn characters(text: &str) {
    let is_known = |entity: &str| ["amp;", "lt;", "gt;"].iter().any(|k| entity.starts_with(k));
    assert!(text.split('&').skip(1).all(is_known), "an entity is unknown in {text:?}");
    assert!(!text.contains("]]>") && text.chars().all(|c| c == '\n' || !c.is_control()));
}
