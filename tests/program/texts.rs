//! What the program says, word for word: the help of every command, the errors of options, and summaries.
//! Other tests hold what these texts must tell; here a change of them is seen before users see it. After
//! one that is meant, `INSTA_UPDATE=always cargo test --release --test program texts::` writes those of
//! `snapshots/` anew.

use std::fmt::Write;

use clap::CommandFactory;
use fleetstorm::cli::Cli;
use insta::{Settings, assert_snapshot};

use crate::support::{Finished, Running, SOON, command, run};

/// Compares a text with that of its name.
fn assert_text(name: &str, text: &str) {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| assert_snapshot!(name, text));
}

/// A text without the figures that no two runs share: numbers before these units.
fn timeless(text: &str) -> String {
    let units = [" s.", " records/s", " B/s", " kB/s", " MB/s", " GB/s"];
    let mut kept = text.to_owned();
    for unit in units {
        let parts: Vec<&str> = kept.split(unit).collect();
        let (last, before) = parts.split_last().expect("there is one");
        let is_figure = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
        let without = before.iter().map(|part| match part.trim_end_matches(is_figure) {
            cut if cut.len() < part.len() => format!("{cut}#{unit}"),
            whole => format!("{whole}{unit}"),
        });
        kept = without.collect::<String>() + last;
    }
    ["kB/s", "MB/s", "GB/s"].iter().fold(kept, |kept, unit| kept.replace(unit, "B/s"))
}

/// The help of a command and of those below it, each by its words.
fn helps(above: &[&str], of: &clap::Command, found: &mut Vec<Vec<String>>) {
    let words: Vec<&str> = above.to_vec();
    found.push(words.iter().map(|word| (*word).to_owned()).collect());
    for below in of.get_subcommands().filter(|below| below.get_name() != "help") {
        helps(&[above, &[below.get_name()]].concat(), below, found);
    }
}

#[test]
fn help() {
    let mut commands = Vec::new();
    helps(&[], &Cli::command(), &mut commands);
    assert!(commands.len() > 10, "{commands:?}");
    for words in commands {
        let mut asked = command(&words);
        // Wide as where no terminal says more.
        let shown = Running::spawn(asked.arg("--help").env("COLUMNS", "100")).finish(SOON);
        let name = [&["help".to_owned()], &words[..]].concat().join("-");
        assert_text(&name, &shown.exits(0).stdout);
    }
}

/// Command lines that are refused, one of each kind.
const REFUSED: [&str; 36] = [
    "run --recods 5",
    "schemas show telemtry",
    "scenarios show produktion",
    "run --scenario zzz",
    "run --set n_machine=4",
    "run --set anomalies.enabel=true",
    "run --set base_cpu_load=1.5",
    "run --set failure_probability=-0.1",
    "run --set cores_range=[64,4]",
    "run --set zones=[]",
    "run --set temporal_patterns.peak_hour=24",
    "run --set temporal_patterns.time_zones={mars-1:Europe/Pariss}",
    "run --set n_machines=many",
    "run --set seed",
    "run --machines 0",
    "run --rate -5",
    "run --duration -5s",
    "run --threads -2",
    "run --config /no/such/fleet.yaml",
    "run --sink stdout --report -",
    "run --sink stdout --format avro",
    "run --rate 100 --speed 60x",
    "run --rate max --time live",
    "run --rate 100 --interval 2s",
    "run --rate 100 --start -1h",
    "run --rate max --on-backlog drop",
    "run --shard 0/2 --seed 1",
    "run --shard 0/2 --start 2026-01-01T00:00:00Z",
    "run --shard job/4 --seed 1 --start 2026-01-01",
    "run --jobs 100 --rate max --sink null",
    "run -b 127.0.0.1:1",
    "run --transactional-id t --acks 1",
    "run --transactional-id t --sink null",
    "run -X transactional.id=t",
    "verify -b 127.0.0.1:1 --manifest /no/such/file",
    "verify --manifest /no/such/file",
];

#[test]
fn errors() {
    let mut all = String::new();
    for line in REFUSED {
        let ended = run(&line.split_whitespace().collect::<Vec<_>>());
        ended.exits(2);
        assert_eq!(ended.stdout, "", "{line}");
        writeln!(all, "$ fleetstorm {line}\n{}\n", ended.stderr.trim_end()).expect("it is text");
    }
    assert_text("errors", &all);
}

/// A run that is the same each time.
fn fixed(more: &str) -> Finished {
    let words = format!(
        "run --sink null --rate max --readings 40 --machines 50 --seed 1 --start 2026-01-01 {more}"
    );
    run(&words.split_whitespace().collect::<Vec<_>>())
}

#[test]
fn summary_of_a_run() {
    assert_text("summary-run", &timeless(&fixed("--scenario chaos").exits(0).stderr));
}

#[test]
fn summary_of_merged_shards() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = |shard: u32| folder.path().join(format!("{shard}.json")).display().to_string();
    for shard in 0..2 {
        fixed(&format!("--shard {shard}/2 --report {}", path(shard))).exits(0);
    }
    let merged = folder.path().join("merged.json").display().to_string();
    let told = run(&["report", "merge", &path(0), &path(1), "--out", &merged]);
    assert_text("summary-merged", &timeless(&told.exits(0).stderr));
}

#[test]
fn summary_of_a_preview() {
    let words = "preview --scenario chaos --machines 40 --seed 7 --start 2026-01-01 --for 6h";
    let shown = run(&words.split_whitespace().collect::<Vec<_>>());
    assert_text("summary-preview", &shown.exits(0).stdout);
}

#[test]
fn scenarios() {
    assert_text("scenarios", &run(&["scenarios", "list"]).exits(0).stdout);
}

#[test]
fn the_readme_has_every_scenario_with_its_line_and_its_share_of_anomalies() {
    let readme = include_str!("../../README.md");
    for scenario in fleetstorm_model::config::scenarios::all() {
        let run = fleetstorm_model::Run::builder().scenario(scenario.name).readings(1).build();
        let share = run.expect("a scenario is a run").manifest.config.anomalies.expected_share();
        let share = match 100.0 * share {
            0.0 => String::new(),
            percent => format!("{:.1}", percent).trim_end_matches(".0").to_owned() + " %",
        };
        let row = format!("| `{}` | {} | {share} |", scenario.name, scenario.description);
        assert!(readme.contains(&row), "README.md has no {row}");
    }
}
