//! The program as a user runs it, without any broker: its help, what it prints, what it refuses and
//! in which words, its exit codes, and how it ends when it is told to.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::CommandFactory;
use fleetstorm::cli::Cli;
use serde_json::{Value, json};

use crate::support::{ALL_TOPICS, Finished, Running, SOON, TOPICS, command, run, slots, total};

/// A configuration as a JSON dump of the Python package's CrossfilterConfig, every key set.
fn crossfilter_dump() -> Value {
    json!({
        "n_machines": 7,
        "n_readings": 3,
        "output": "dict",
        "seed": null,
        "machine_types": ["core", "edge"],
        "cores_range": [8, 128],
        "zones": ["zone-a", "zone-b", "zone-c", "zone-d"],
        "regions": ["us-east-1", "ap-northeast-1"],
        "base_cpu_load": 0.4,
        "base_memory_load": 0.6,
        "load_variance": 0.25,
        "anomalies": {
            "enable": false,
            "cpu_spike_probability": 0.02,
            "memory_leak_probability": 0.01,
            "network_saturation_probability": 0.01
        },
        "temporal_patterns": {
            "enable_diurnal": false,
            "enable_weekly": false,
            "peak_hour": 14,
            "night_load_factor": 0.3,
            "weekend_load_factor": 0.5
        },
        "enable_failures": false,
        "failure_probability": 0.001,
        "cascade_failure_probability": 0.3
    })
}

/// A run that drops its records and reports on stdout.
fn run_to_null(more: &[&str]) -> Finished {
    run(&[&["run", "--sink", "null", "--report", "-"], more].concat())
}

/// A run that must be refused before it begins.
fn refused(more: &[&str]) -> Finished {
    let ended = run(&[&["run", "--sink", "stdout", "--records", "10"], more].concat());
    assert!(ended.stdout.is_empty(), "nothing is sent before the error");
    ended
}

/// A file of this text in a folder of the test's own.
fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file can be written");
    path.to_str().expect("its path is text").to_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder can be made")
}

// --- help and schemas --------------------------------------------------------------------------

#[test]
fn help_names_the_commands_and_the_exit_codes() {
    let help = run(&["--help"]);
    help.exits(0);
    for word in ["run", "schemas", "Exit codes", "130"] {
        assert!(help.stdout.contains(word), "{word:?} is in the help:\n{}", help.stdout);
    }
}

#[test]
fn help_of_run_names_every_option() {
    let help = run(&["run", "--help"]);
    help.exits(0);
    let words: BTreeSet<&str> = help
        .stdout
        .split(|c: char| c.is_whitespace() || c == ',' || c == '`')
        .filter(|word| word.starts_with('-'))
        .map(|word| word.trim_end_matches('.'))
        .collect();
    // Those that there are, so that none is forgotten here.
    let command = Cli::command();
    let run = command.find_subcommand("run").expect("there is one");
    let global = command.get_opts().filter(|option| option.is_global_set());
    let mut options = 0;
    for option in run.get_opts().chain(global) {
        let long = option.get_long().map(|name| format!("--{name}"));
        let short = option.get_short().map(|letter| format!("-{letter}"));
        for name in long.into_iter().chain(short) {
            assert!(words.contains(name.as_str()), "{name} is in the help:\n{}", help.stdout);
            options += 1;
        }
    }
    assert!(options > 50, "{options}");
}

#[test]
fn a_mistyped_option_is_a_usage_error_that_names_the_nearest() {
    let ended = run(&["run", "--recods", "5"]);
    ended.exits(2);
    assert!(ended.stderr.contains("--records"), "{}", ended.stderr);
}

#[test]
fn threads_without_machines_hold_nobody_up() {
    // Three groups of machines, of which the shard has one, for three threads.
    let options = "run --sink null --rate max --records 60000 --machines 40 --seed 1 --threads 3 \
                   --start 2026-01-01T00:00:00Z --shard 0/3 --report -";
    let ended = run(&options.split_whitespace().collect::<Vec<_>>());
    let event_time = &ended.exits(0).report()["results"]["event_time"];
    // 30,000 records of 40 machines would take longer.
    assert_eq!(event_time["max_skew_ms"], 60_000);
    assert!(
        event_time["max_backstep_ms"].as_i64().is_some_and(|most| (0..=60_000).contains(&most))
    );
    assert!(ended.stderr.contains("nothing paces these shards"), "{}", ended.stderr);
}

#[test]
fn schemas_are_listed_and_shown_as_they_are_in_their_files() {
    let list = run(&["schemas", "list"]);
    list.exits(0);
    let listed: Vec<&str> =
        list.stdout.lines().filter_map(|l| l.split_whitespace().next()).collect();
    assert_eq!(listed, ALL_TOPICS);
    for topic in ALL_TOPICS {
        let shown = run(&["schemas", "show", topic]);
        shown.exits(0);
        apache_avro::Schema::parse_str(&shown.stdout).expect("it is an Avro schema");
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let same = fs::read_dir(files)
            .expect("there are schemas")
            .map(|entry| fs::read_to_string(entry.expect("it has a path").path()).expect("text"))
            .any(|text| text == shown.stdout);
        assert!(same, "what is shown of {topic} is a file of schemas/:\n{}", shown.stdout);
    }
}

#[test]
fn a_topic_without_a_schema_is_a_usage_error_that_names_those_there_are() {
    let ended = run(&["schemas", "show", "telemtry"]);
    ended.exits(2);
    for word in ["telemtry", "telemetry", "machines"] {
        assert!(ended.stderr.contains(word), "{word} is named:\n{}", ended.stderr);
    }
}

// --- lines on stdout ---------------------------------------------------------------------------

const TWELVE: [&str; 10] =
    ["run", "--sink", "stdout", "--records", "12", "--seed", "1", "--rate", "max", "--start"];

fn twelve(start: &str, more: &[&str]) -> String {
    let ended = run(&[&TWELVE, &[start][..], more].concat());
    ended.exits(0);
    ended.stdout
}

#[test]
fn stdout_takes_one_json_object_a_record() {
    let lines = twelve("2026-01-01T00:00:00Z", &["--machines", "5"]);
    let records: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in: {line}")))
        .collect();
    let mut counts = [0; TOPICS.len()];
    for record in &records {
        let keys: Vec<&str> =
            record.as_object().expect("it is an object").keys().map(String::as_str).collect();
        let expected = BTreeSet::from(["topic", "partition", "key", "timestamp", "value"]);
        assert_eq!(keys.iter().copied().collect::<BTreeSet<_>>(), expected, "{record}");
        let topic = record["topic"].as_str().expect("a topic is a text");
        counts[TOPICS.iter().position(|t| *t == topic).expect("it is one of five")] += 1;
        assert!((0..6).contains(&record["partition"].as_i64().expect("a number")), "{record}");
        assert!(record["timestamp"].as_i64().expect("a number") > 1_700_000_000_000, "{record}");
        assert_eq!(record["key"], record["value"]["machine_id"], "{record}");
    }
    // Five announcements, then twelve slots: four each of telemetry, of usage and of events.
    let [telemetry, usage, status, jobs, machines] = counts;
    assert_eq!((machines, telemetry, usage, status + jobs), (5, 4, 4, 4));
}

#[test]
fn the_same_seed_and_start_give_the_same_lines() {
    let start = "2026-01-01T00:00:00Z";
    let lines = twelve(start, &[]);
    assert_eq!(lines, twelve(start, &[]));
    // Neither is ignored.
    assert_ne!(lines, twelve("2026-01-01T00:00:01Z", &[]));
    assert_ne!(lines, twelve(start, &["--set", "seed=1", "--machines", "99"]));
    let other_seed = run(&[
        "run",
        "--sink",
        "stdout",
        "--records",
        "12",
        "--seed",
        "2",
        "--rate",
        "max",
        "--start",
        start,
    ]);
    assert_ne!(lines, other_seed.exits(0).stdout);
}

#[test]
fn a_reader_that_has_read_enough_is_no_error() {
    for arguments in [
        &["run", "--sink", "stdout", "--rate", "max"][..],
        &["run", "--sink", "stdout", "--rate", "1000"][..],
    ] {
        let mut child = command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let mut first = String::new();
        lines.read_line(&mut first).expect("there is a first line");
        assert!(first.starts_with('{'), "{first}");
        drop(lines);
        let deadline = Instant::now() + SOON;
        while child.try_wait().expect("it can be waited for").is_none() {
            if Instant::now() > deadline {
                child.kill().expect("it can be killed");
                panic!("`{}` does not end when its reader has gone", arguments.join(" "));
            }
            thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().expect("it has ended");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(!said.contains("error:") && !said.contains("panicked"), "{said}");
    }
}

// --- the report --------------------------------------------------------------------------------

#[test]
fn a_report_on_stdout_is_one_document_of_manifest_and_results() {
    let report = run_to_null(&["--records", "300", "--seed", "7"]).exits(0).report();
    let manifest = &report["manifest"];
    assert_eq!(manifest["seed"], 7);
    assert_eq!(manifest["records"], 300);
    assert_eq!(manifest["config"]["n_machines"], 100);
    for key in ["stream_version", "start", "time", "pace", "interval", "shard", "format"] {
        assert!(!manifest[key].is_null(), "{key} is in the manifest: {manifest:#}");
    }
    let topics = manifest["topics"].as_array().expect("topics are listed");
    let names: Vec<&str> = topics.iter().filter_map(|topic| topic["name"].as_str()).collect();
    assert_eq!(names, TOPICS);
    assert_eq!(topics.len(), TOPICS.len());
    assert!(topics.iter().all(|topic| topic["partitions"] == 6));

    let results = &report["results"];
    assert_eq!(results["ended"], "complete");
    for topic in TOPICS {
        for count in ["sent", "acked", "failed", "bytes"] {
            assert!(results["records"][topic][count].is_u64(), "{topic}.{count}: {results:#}");
        }
    }
    assert_eq!(slots(&report), 300);
    assert_eq!(total(&report, "sent"), 400);
    assert!(results["elapsed_s"].as_f64().expect("a number") > 0.0);
    assert_eq!(results["rate"]["target"], 300.0);
    assert!(results["rate"]["achieved"].as_f64().expect("a number") > 0.0);
    assert!(results["rate"].get("max_second_error").is_some());
    assert_eq!(results["rate"]["measured"]["from_s"], 0.0);
    assert!(results["latency_ms"].get("intended").is_some());
    assert!(results["latency_ms"].get("enqueued").is_some());
    assert_eq!(results["errors"], json!({}));
}

#[test]
fn a_drawn_seed_is_in_the_manifest_and_makes_the_same_run_again() {
    let options = ["--records", "300", "--rate", "max", "--start", "2026-01-01T00:00:00Z"];
    let report = run_to_null(&options).exits(0).report();
    assert_eq!(report["manifest"]["config"]["seed"], Value::Null);
    let seed = report["manifest"]["seed"].to_string();
    let again = run_to_null(&[&options[..], &["--seed", &seed]].concat()).exits(0).report();
    assert_eq!(report["results"]["records"], again["results"]["records"]);
    let other = run_to_null(&options).exits(0).report();
    assert_ne!(report["manifest"]["seed"], other["manifest"]["seed"], "a seed is drawn each time");
}

#[test]
fn a_report_file_is_written() {
    let folder = folder();
    let path = folder.path().join("report.json");
    let path_text = path.to_str().expect("its path is text");
    let ended = run(&["run", "--sink", "null", "--records", "30", "--report", path_text]);
    assert_eq!(ended.exits(0).stdout, "");
    let text = fs::read_to_string(&path).expect("the report is there");
    let report: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(slots(&report), 30);
    let files = fs::read_dir(folder.path()).expect("the folder is there").count();
    assert_eq!(files, 1, "nothing else is left beside it");
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_before_anything_is_sent() {
    let folder = folder();
    let path = folder.path().join("missing").join("report.json");
    let path = path.to_str().expect("its path is text");
    refused(&["--report", path]).fails(50, &[path]);
    let taken = folder.path().to_str().expect("its path is text");
    refused(&["--report", taken]).fails(50, &[taken]);
    // Before brokers are asked, topics read back, pictures drawn.
    let nowhere = ["-b", "127.0.0.1:1"];
    for command in [
        &["run", "--format", "json", "--report"][..],
        &["run", "--format", "json", "--hdr-log"],
        &["doctor", "--report"],
        &["verify", "--manifest", "missing.json", "--report"],
    ] {
        run(&[command, &[path], &nowhere].concat()).fails(50, &[path]);
    }
    run(&["report", "merge", "missing.json", "--out", path]).fails(50, &[path]);
    let picture = path.replace("json", "svg");
    run(&["preview", "--out", &picture]).fails(50, &[&picture]);
}

#[test]
fn a_run_that_can_not_begin_leaves_nothing_behind() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let ended = run(&[
        "run",
        "-b",
        "127.0.0.1:1",
        "--format",
        "json",
        "--connect-timeout",
        "100ms",
        "--report",
        &path("report.json"),
        "--hdr-log",
        &path("latency.hlog"),
    ]);
    ended.exits(10);
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
}

#[test]
fn lines_and_report_cannot_share_stdout() {
    // One or the other could not be read by a program.
    refused(&["--report", "-"]).fails(2, &["--report", "--sink stdout"]);
}

// --- configuration -----------------------------------------------------------------------------

#[test]
fn an_unknown_key_is_named_with_its_value_and_the_nearest() {
    refused(&["--set", "n_machine=4"]).fails(2, &["`n_machine`", "4", "`n_machines`"]);
    refused(&["--set", "anomalies.enabel=true"])
        .fails(2, &["`anomalies.enabel`", "true", "`anomalies.enable`"]);
    let folder = folder();
    let path = file(&folder, "fleet.yaml", "zonez: [a, b]\n");
    refused(&["--config", &path]).fails(2, &["`zonez`", "fleet.yaml", "`zones`"]);
}

#[test]
fn a_value_out_of_bounds_is_named_with_its_bound() {
    refused(&["--set", "base_cpu_load=1.5"]).fails(2, &["`base_cpu_load`", "1.5", "0", "to 1"]);
    refused(&["--set", "failure_probability=-0.1"]).fails(2, &["`failure_probability`", "-0.1"]);
    refused(&["--machines", "0"]).fails(2, &["`n_machines`", "0", "--machines", "1 to 10000000"]);
    refused(&["--set", "cores_range=[64, 4]"]).fails(2, &["`cores_range`"]);
    refused(&["--set", "n_machines=many"]).fails(2, &["`n_machines`", "many"]);
    let folder = folder();
    let path = file(&folder, "fleet.yaml", "temporal_patterns:\n  peak_hour: 24\n");
    refused(&["--config", &path])
        .fails(2, &["`temporal_patterns.peak_hour`", "24", "fleet.yaml", "23"]);
}

#[test]
fn a_value_with_a_minus_is_named_with_its_bound() {
    for (option, value, bound) in [
        ("--rate", "-5", "from 0.000001 to 1000000000"),
        ("--seed", "-1", "from 0 to 18446744073709551615"),
        ("--machines", "-1", "from 1 to 10000000"),
        ("--duration", "-5s", "36525d"),
        ("--threads", "-2", "from 1 to 1024"),
    ] {
        let ended = refused(&[option, value]);
        for words in [option, value, bound] {
            assert!(ended.exits(2).stderr.contains(words), "{words}: {}", ended.stderr);
        }
    }
}

#[test]
fn an_unknown_scenario_is_named_with_the_nearest() {
    refused(&["--scenario", "baselin"]).fails(2, &["`baselin`", "`baseline`"]);
    refused(&["--scenario", "zzz"]).fails(2, &["`zzz`", "baseline"]);
}

#[test]
fn a_setting_without_a_value_is_an_error() {
    refused(&["--set", "seed"]).fails(2, &["--set seed", "`=`"]);
    refused(&["--set", "seed="]).fails(2, &["seed"]);
    refused(&["--set", "=4"]).fails(2, &["=4"]);
}

#[test]
fn a_file_that_is_not_there_or_not_yaml_is_named() {
    refused(&["--config", "/no/such/fleet.yaml"]).fails(2, &["/no/such/fleet.yaml"]);
    let folder = folder();
    let path = file(&folder, "fleet.yaml", "n_machines: 1\nzones: {\n");
    let ended = refused(&["--config", &path]);
    // The lines around the mistake follow the error, which is whole without them.
    let first = ended.exits(2).stderr.lines().next().unwrap_or_default();
    for word in ["error:", "fleet.yaml", "YAML", "line "] {
        assert!(first.contains(word), "{word:?} is in: {first}");
    }
    let path = file(&folder, "list.yaml", "[1, 2]\n");
    refused(&["--config", &path]).fails(2, &["list.yaml", "list"]);
}

#[test]
fn options_that_exclude_each_other_say_so() {
    let pairs: [(&[&str], &[&str]); 6] = [
        (&["--rate", "100", "--speed", "60x"], &["--rate", "--speed"]),
        (&["--rate", "max", "--time", "live"], &["--rate max", "--time live"]),
        (&["--rate", "100", "--interval", "2s"], &["--rate", "--interval"]),
        (&["--shard", "0/2", "--seed", "1"], &["--shard", "--start"]),
        (&["--shard", "0/2", "--start", "2026-01-01T00:00:00Z"], &["--shard", "--seed"]),
        (&["--rate", "100", "--start", "-1h"], &["--rate", "--start"]),
    ];
    for (options, words) in pairs {
        refused(options).fails(2, words);
    }
}

#[test]
fn a_dump_of_the_python_packages_configuration_loads_unchanged() {
    let folder = folder();
    let path = file(&folder, "dump.json", &crossfilter_dump().to_string());
    let ended = run_to_null(&["--config", &path, "--rate", "max"]);
    let report = ended.exits(0).report();
    // Seven machines, three readings each, three slots a reading.
    assert_eq!(slots(&report), 63);
    let config = &report["manifest"]["config"];
    for (key, value) in crossfilter_dump().as_object().expect("it is an object") {
        match value.as_object() {
            // Sections have keys beside the package's.
            Some(section) => section.iter().for_each(|(name, value)| {
                assert_eq!(&config[key][name], value, "{key}.{name}");
            }),
            None if key == "output" => {}
            None => assert_eq!(&config[key], value, "{key}"),
        }
    }
    assert!(report["manifest"]["seed"].is_u64(), "a seed is drawn where it is null");
    let notes: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(notes.len(), 1, "one note, on `output`:\n{}", ended.stderr);
    assert!(notes[0].contains("`output`") && notes[0].contains("ignored"), "{}", notes[0]);
}

#[test]
fn a_flag_wins_over_set_over_file_over_default() {
    let folder = folder();
    let path = file(&folder, "fleet.yaml", "n_machines: 20\nbase_cpu_load: 0.4\nzones: [a]\n");
    let file_options = ["--config", &path, "--records", "9"];
    let set = ["--set", "n_machines=30", "--set", "base_cpu_load=0.5"];
    let machines = |more: &[&str]| {
        let report = run_to_null(more).exits(0).report();
        let config = &report["manifest"]["config"];
        (config["n_machines"].clone(), config["base_cpu_load"].clone(), config["zones"].clone())
    };
    let zones = json!(["a"]);
    assert_eq!(machines(&file_options), (json!(20), json!(0.4), zones.clone()));
    let with_set = [&set[..], &file_options].concat();
    assert_eq!(machines(&with_set), (json!(30), json!(0.5), zones.clone()));
    let with_flag = [&["--machines", "40", "--scenario", "baseline"], &with_set[..]].concat();
    assert_eq!(machines(&with_flag), (json!(40), json!(0.5), zones));
}

// --- ends --------------------------------------------------------------------------------------

fn interrupted_by(signal: &str) {
    let folder = folder();
    let path = folder.path().join("report.json");
    let path_text = path.to_str().expect("its path is text");
    // By `env`, which gives a signal back that whoever started the tests ignores, as nohup does.
    let mut command = Command::new("env");
    command.args([&format!("--default-signal={signal}"), env!("CARGO_BIN_EXE_fleetstorm")]);
    command.args(["run", "--sink", "null", "--rate", "500", "--report", path_text]);
    let running = Running::spawn(&mut command);
    running.line("Simulating");
    // The manifest is there before the first record, for whoever finds a run that was killed.
    let deadline = Instant::now() + SOON;
    let manifest: Value = loop {
        match fs::read(&path) {
            Ok(text) => break serde_json::from_slice(&text).expect("it is JSON"),
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            Err(error) => panic!("the manifest is written first: {error}"),
        }
    };
    assert!(manifest["manifest"]["seed"].is_u64());
    assert!(manifest["results"].is_null());
    thread::sleep(Duration::from_millis(300));

    running.signal(signal);
    let told = Instant::now();
    let ended = running.finish(SOON);
    assert!(told.elapsed() < Duration::from_secs(2), "it took {:?}", told.elapsed());
    ended.exits(130);
    assert!(ended.stderr.contains("Interrupted"), "the summary says so:\n{}", ended.stderr);
    let report: Value =
        serde_json::from_slice(&fs::read(&path).expect("the report is there")).expect("JSON");
    assert_eq!(report["results"]["ended"], "interrupted");
    assert!(slots(&report) > 0);
    assert_eq!(total(&report, "sent"), total(&report, "acked"));
}

#[test]
fn an_interrupt_ends_a_paced_run_with_a_complete_report() {
    interrupted_by("INT");
}

#[test]
fn a_termination_ends_a_paced_run_with_a_complete_report() {
    interrupted_by("TERM");
}

#[test]
fn a_terminal_that_goes_away_ends_a_paced_run_with_a_complete_report() {
    interrupted_by("HUP");
}

/// A run that tells when it has begun; the first words are those of a shell that starts it.
fn begun(shell: &str, seconds: &str) -> Running {
    let binary = env!("CARGO_BIN_EXE_fleetstorm");
    let run = format!("run --sink null --rate 500 --report - --duration {seconds}s");
    let mut shell_command = Command::new("sh");
    shell_command.args(["-c", &format!("{shell} exec {binary} {run}")]);
    let running = Running::spawn(&mut shell_command);
    running.line("Simulating");
    // It works off its slots.
    thread::sleep(Duration::from_millis(300));
    running
}

#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_so() {
    let running = begun("trap '' HUP;", "2");
    running.signal("HUP");
    let report = running.finish(SOON).exits(0).report();
    assert_eq!(report["results"]["ended"], "complete");
    assert!((999..=1001).contains(&slots(&report)), "{} of 1000 slots", slots(&report));
}

#[test]
fn two_signals_of_a_supervisor_are_one_wish() {
    let running = begun("", "60");
    // Both are there when it goes on.
    for signal in ["STOP", "INT", "TERM", "CONT"] {
        running.signal(signal);
    }
    let ended = running.finish(SOON);
    assert_eq!(ended.exits(130).report()["results"]["ended"], "interrupted");
    assert!(ended.stderr.contains("Interrupted"), "{}", ended.stderr);
}

// --- the environment ----------------------------------------------------------------------------

/// What the program says with these variables set.
fn with_variables(arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    Running::spawn(command(arguments).envs(variables.iter().copied())).finish(SOON)
}

/// The variables that the program reads, each in the help of an option.
const VARIABLES: [&str; 8] = [
    "FLEETSTORM_BOOTSTRAP_SERVER",
    "KAFKA_BOOTSTRAP_SERVERS",
    "FLEETSTORM_SCHEMA_REGISTRY",
    "SCHEMA_REGISTRY_URL",
    "FLEETSTORM_REGISTRY_BASIC_AUTH",
    "FLEETSTORM_REGISTRY_TOKEN",
    "FLEETSTORM_LOG",
    "JOB_COMPLETION_INDEX",
];

#[test]
fn an_empty_variable_is_unset() {
    let empty = VARIABLES.map(|name| (name, ""));
    // A note, which is a warning: an empty filter would take it away.
    let run = ["run", "--sink", "null", "--records", "10", "--set", "failures.repair_readings=5"];
    let ended = with_variables(&run, &empty);
    assert!(ended.exits(0).stderr.contains("no effect"), "{}", ended.stderr);
    let register = ["schemas", "register", "--registry-timeout", "100ms"];
    with_variables(&register, &empty).fails(2, &["--schema-registry"]);
    let register = [&register[..], &["-r", "http://127.0.0.1:1"]].concat();
    with_variables(&register, &empty).exits(20);
}

#[test]
fn an_option_wins_over_any_variable() {
    let auth = [("FLEETSTORM_REGISTRY_TOKEN", "abc"), ("FLEETSTORM_REGISTRY_BASIC_AUTH", "u:p")];
    let register = ["schemas", "register", "--registry-timeout", "100ms"];
    let register = [&register[..], &["-r", "http://127.0.0.1:1"]].concat();
    for option in [["--registry-basic-auth", "u:p"], ["--registry-token", "abc"]] {
        with_variables(&[&register[..], &option].concat(), &auth).exits(20);
    }
    // Only both together say nothing.
    let [token, basic] = auth;
    with_variables(&register, &auth).fails(2, &[token.0, basic.0]);
    with_variables(&register, &[token]).exits(20);
    let run = ["run", "--sink", "null", "--records", "10", "--set", "failures.repair_readings=5"];
    let log = [("FLEETSTORM_LOG", "trace")];
    let quiet = with_variables(&[&run[..], &["-q"]].concat(), &log);
    assert_eq!(quiet.exits(0).stderr, "");
    let off = [("FLEETSTORM_LOG", "off")];
    assert!(!with_variables(&run, &off).exits(0).stderr.contains("no effect"));
    let wrong = with_variables(&run, &[("FLEETSTORM_LOG", "fleetstorm=loud")]);
    assert!(wrong.exits(0).stderr.contains("FLEETSTORM_LOG is ignored"), "{}", wrong.stderr);
}

#[test]
fn each_variable_is_in_the_help_and_in_the_readme() {
    let help = run(&["run", "--help"]);
    let readme = include_str!("../../README.md");
    for name in VARIABLES {
        assert!(help.exits(0).stdout.contains(name), "{name} is in the help:\n{}", help.stdout);
        assert!(readme.contains(&format!("| `{name}`")), "{name} is in the README's table");
    }
}

// --- the end of a run by its length -------------------------------------------------------------

#[test]
fn an_unpaced_run_ends_after_its_duration() {
    let ended = run_to_null(&["--rate", "max", "--duration", "1s"]);
    let report = ended.exits(0).report();
    assert_eq!(report["results"]["ended"], "complete");
    assert!(ended.took >= Duration::from_secs(1), "it took {:?}", ended.took);
    assert!(ended.took < Duration::from_secs(10), "it took {:?}", ended.took);
}

#[test]
fn a_paced_run_ends_after_its_duration_with_the_slots_that_were_due() {
    let ended = run_to_null(&["--rate", "300.5", "--duration", "2s"]);
    let report = ended.exits(0).report();
    assert!((600..=602).contains(&slots(&report)), "{} of 601 slots", slots(&report));
    assert!(ended.took < Duration::from_secs(10), "it took {:?}", ended.took);
}

#[test]
fn what_comes_first_ends_the_run() {
    let report = run_to_null(&["--rate", "max", "--readings", "2", "--records", "1000"]).report();
    assert_eq!(slots(&report), 600);
    let report = run_to_null(&["--rate", "max", "--readings", "20", "--records", "1000"]).report();
    assert_eq!(slots(&report), 1000);
}

#[test]
fn the_index_of_a_kubernetes_job_names_the_shard() {
    let options = "run --sink null --report - --rate max --records 300 --seed 1 --start 2026-01-01";
    let sharded = |shard: &str, index: Option<&str>| {
        let mut command =
            command(&options.split(' ').chain(["--shard", shard]).collect::<Vec<_>>());
        if let Some(index) = index {
            command.env("JOB_COMPLETION_INDEX", index);
        }
        Running::spawn(&mut command).finish(SOON)
    };
    let report = sharded("job/4", Some("2")).exits(0).report();
    assert_eq!(report["manifest"]["shard"], "2/4");
    assert_eq!(sharded("2/4", None).exits(0).report()["manifest"], report["manifest"]);
    // A shard that is named needs no index, and heeds none.
    assert_eq!(sharded("1/4", Some("2")).exits(0).report()["manifest"]["shard"], "1/4");
    for index in [None, Some(""), Some("4"), Some("-1"), Some("two")] {
        sharded("job/4", index).fails(2, &["--shard", "JOB_COMPLETION_INDEX"]);
    }
}

#[test]
fn selected_topics_alone_are_written() {
    let report =
        run_to_null(&["--rate", "max", "--records", "100", "--topics", "usage,telemetry"]).report();
    let names: Vec<&String> =
        report["results"]["records"].as_object().expect("by topic").keys().collect();
    assert_eq!(names, ["telemetry", "usage"]);
    assert_eq!(total(&report, "sent"), 100);
}

#[test]
fn quiet_says_nothing_but_errors() {
    let folder = folder();
    let path = file(&folder, "dump.json", &crossfilter_dump().to_string());
    let ended = run_to_null(&["-q", "--config", &path, "--rate", "max"]);
    assert_eq!(ended.exits(0).stderr, "");
    let ended = run_to_null(&["-q", "--set", "n_machine=4"]);
    ended.fails(2, &["n_machine"]);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

// --- waiting for a broker or a registry ---------------------------------------------------------

#[test]
fn avro_to_a_broker_needs_a_registry() {
    run(&["run", "-b", "127.0.0.1:1"]).fails(2, &["--schema-registry", "--format json"]);
}

#[test]
fn an_interrupt_ends_the_wait_for_a_broker() {
    let waiting = Running::start(&[
        "run",
        "-b",
        "127.0.0.1:1",
        "--format",
        "json",
        "--connect-timeout",
        "50s",
    ]);
    thread::sleep(Duration::from_secs(1));
    waiting.signal("INT");
    let told = Instant::now();
    let ended = waiting.finish(SOON);
    ended.exits(130);
    assert!(told.elapsed() < Duration::from_secs(10), "it took {:?}", told.elapsed());
}

#[test]
fn an_interrupt_ends_the_wait_for_a_registry() {
    let waiting = Running::start(&["schemas", "register", "-r", "http://127.0.0.1:1"]);
    waiting.line("waiting for the schema registry");
    waiting.signal("INT");
    let told = Instant::now();
    let ended = waiting.finish(SOON);
    ended.exits(130);
    assert!(told.elapsed() < Duration::from_secs(10), "it took {:?}", told.elapsed());
}

#[test]
fn a_second_interrupt_leaves_at_once() {
    let waiting = Running::start(&[
        "run",
        "-b",
        "127.0.0.1:1",
        "--format",
        "json",
        "--connect-timeout",
        "50s",
    ]);
    thread::sleep(Duration::from_secs(1));
    waiting.signal("INT");
    // It may leave at the first already, and then can't be told a second time.
    thread::sleep(Duration::from_millis(20));
    let told = Instant::now();
    waiting.signal("INT");
    waiting.finish(SOON).exits(130);
    assert!(told.elapsed() < Duration::from_secs(5), "it took {:?}", told.elapsed());
}

#[test]
fn every_scenario_is_listed_and_its_yaml_makes_the_same_run() {
    let list = run(&["scenarios", "list"]);
    list.exits(0);
    let names: Vec<&str> =
        list.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.len(), 17, "{}", list.stdout);
    let fixed = [
        "run",
        "--sink",
        "null",
        "--seed",
        "1",
        "--start",
        "2026-01-01",
        "--records",
        "30",
        "--rate",
        "max",
        "--report",
        "-",
    ];
    for name in names {
        let shown = run(&["scenarios", "show", name]);
        shown.exits(0);
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(shown.stdout.as_bytes()).expect("it can be written");
        let path = file.path().to_str().expect("a path of text");
        let by_name = run(&[&fixed[..], &["--scenario", name]].concat());
        let by_file = run(&[&fixed[..], &["--config", path]].concat());
        let config = |ended: &Finished| ended.exits(0).report()["manifest"]["config"].clone();
        assert_eq!(config(&by_name), config(&by_file), "{name}");
    }
}

#[test]
fn wrong_shapes_are_refused_by_name_bound_and_nearest_word() {
    for (setting, words) in [
        ("failure_probability=1.5", &["`failure_probability`", "1.5", "from 0 to 1"][..]),
        ("temporal_patterns.peak_hour=24", &["peak_hour", "0 to 23"]),
        ("temporal_patterns.night_load_factor=1.1", &["night_load_factor", "from 0 to 1"]),
        ("zones=[]", &["`zones`", "empty"]),
        ("cores_range=[8,4]", &["cores_range", "8 is above 4"]),
        ("maintenance.hours=[22,25]", &["maintenance.hours", "0 to 24"]),
        ("anomalies.cpu_spike_duration=[30,5]", &["cpu_spike_duration", "30 is above 5"]),
        ("anomalies.cpu_spike_probabilty=0.1", &["did you mean", "cpu_spike_probability"]),
        (
            "temporal_patterns.time_zones={mars-1: Europe/Pariss}",
            &["Europe/Pariss", "did you mean `Europe/Paris`"],
        ),
    ] {
        run(&["run", "--sink", "null", "--set", setting]).fails(2, words);
    }
    let misspelt = run(&["run", "--sink", "null", "--scenario", "produktion"]);
    misspelt.fails(2, &["produktion", "did you mean `production`"]);
    run(&["scenarios", "show", "produktion"]).fails(2, &["did you mean `production`"]);
}

#[test]
fn more_events_than_slots_are_refused() {
    let storm = [
        "run",
        "--sink",
        "null",
        "--records",
        "10",
        "--rate",
        "max",
        "--set",
        "anomalies.enable=true",
        "--set",
        "anomalies.cpu_spike_probability=1",
        "--set",
        "anomalies.cpu_spike_duration=[1,1]",
    ];
    run(&[&storm[..], &["--topics", "telemetry,usage"]].concat()).exits(0);
    let asked = run(&[&storm[..], &["--topics", "telemetry,incidents"]].concat());
    asked.fails(2, &["times a reading", "lower the probabilities"]);
}

#[test]
fn settings_without_effect_and_unknown_regions_are_told() {
    let quick = ["run", "--sink", "null", "--records", "10", "--rate", "max"];
    for (settings, words) in [
        (&["anomalies.cpu_spike_probability=0.1"][..], &["no effect", "anomalies.enable"][..]),
        (&["failures.repair_readings=5"], &["no effect", "enable_failures"]),
        (
            &["regions=[us-east-1, mars-1]", "temporal_patterns.enable_diurnal=true"],
            &["mars-1", "UTC"],
        ),
    ] {
        let mut words_of_command = quick.to_vec();
        settings.iter().for_each(|setting| words_of_command.extend(["--set", setting]));
        let ended = run(&words_of_command);
        ended.exits(0);
        for word in words {
            assert!(ended.stderr.contains(word), "{word:?} is told: {}", ended.stderr);
        }
    }
    let silent = run(&[&quick[..], &["--set", "regions=[mars-1]"]].concat());
    assert!(!silent.stderr.contains("mars-1"), "no local time counts: {}", silent.stderr);
}

// --- verify, resume, transactions ---------------------------------------------------------------

#[test]
fn what_can_not_be_verified_or_resumed_says_why() {
    let folder = folder();
    let report = file(&folder, "run.json", "{}");
    run(&["verify"]).exits(2);
    run(&["verify", "--manifest", &report]).fails(2, &["--bootstrap-server"]);
    run(&["verify", "-b", "127.0.0.1:1", "--manifest", &report]).fails(2, &["is not a report"]);
    run(&["verify", "-b", "127.0.0.1:1", "--manifest", "/no/such/file"])
        .fails(2, &["failed to read /no/such/file"]);
    run(&["run", "--resume", &report]).fails(2, &["is not a report"]);
    // What decides records is in the report.
    let done = run(&["run", "--resume", &report, "--rate", "5"]);
    assert!(done.exits(2).stderr.contains("--rate"), "{}", done.stderr);
    let nowhere = run_to_null(&["--records", "9"]);
    let report = file(&folder, "null.json", &nowhere.stdout);
    run(&["run", "--resume", &report]).fails(2, &["--bootstrap-server"]);
}

#[test]
fn transactions_that_can_not_be_are_refused() {
    let with = |more: &[&str]| run(&[&["run", "--transactional-id", "t"], more].concat());
    with(&["--acks", "1"]).fails(2, &["--acks all"]);
    with(&["--sink", "null"]).fails(2, &["--sink kafka"]);
    with(&["--threads", "2", "--producers", "3"]).fails(2, &["--threads"]);
    run(&["run", "-X", "transactional.id=t"]).fails(2, &["--transactional-id"]);
    assert!(
        run(&["run", "--transaction-records", "5"]).exits(2).stderr.contains("transactional-id")
    );
}
