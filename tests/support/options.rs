//! Runs as a user asks for them, by the options of `fleetstorm run`.

use fleetstorm::cli::{Cli, Command};
use fleetstorm::exit::ProgramError;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::run::Run;

/// The run with these options, separated by white space, as seen at `now_ms`.
pub fn run_at(now_ms: i64, options: &str) -> Result<Run, ProgramError> {
    let words = ["fleetstorm", "run"].into_iter().chain(options.split_whitespace());
    let cli = Cli::read(words).unwrap_or_else(|error| panic!("{options}: {error}"));
    let Command::Run(run) = cli.command else { panic!("`run` was asked for") };
    Ok(run.builder()?.build_at(now_ms)?)
}

/// The manifest of a run that there must be.
pub fn manifest_at(now_ms: i64, options: &str) -> Manifest {
    run_at(now_ms, options).unwrap_or_else(|error| panic!("{options}: {error}")).manifest
}
