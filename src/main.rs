//! The program: parses the command line, listens for signals, exits with a code that says what
//! happened.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process;

use clap::{CommandFactory, FromArgMatches};
use fleetstorm::cli::{
    Cli, Command, DoctorOptions, ReportCommand, ScenariosCommand, SchemasCommand, VerifyOptions,
    exposed, minus,
};
use fleetstorm::config::scenario::{self, Scenario};
use fleetstorm::pacing::StopFlag;
use fleetstorm::report::file::{self, ReportFile};
use fleetstorm::report::{merge, summary};
use fleetstorm::run::connection::Connection;
use fleetstorm::run::{self, ExitCode, RunError, Talk};
use fleetstorm::sink::stdout;
use fleetstorm::verify::verdict::Verdict;
use fleetstorm::{doctor, encoding, output, preview, record, serve};
use signal_hook::consts::TERM_SIGNALS;
use signal_hook::flag;
use tracing_subscriber::EnvFilter;

fn main() {
    let words = minus::joined(&Cli::command(), std::env::args_os());
    let matches = Cli::command().get_matches_from(words);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    log_to_stderr(&cli);
    if let Some(warning) = exposed::warning(&matches) {
        tracing::warn!("{warning}");
    }
    let stop = StopFlag::default();
    if let Err(error) = listen_for_signals(&stop) {
        tracing::warn!("signals will end the program without a report: {error}");
    }
    let code = match execute(&cli, &stop) {
        Ok(code) => code,
        Err(error) => {
            complain(&error.to_string());
            error.exit_code()
        }
    };
    process::exit(code as i32);
}

/// Tells what went wrong.
fn complain(what: &str) {
    output::tell(&format!("error: {what}"));
}

fn execute(cli: &Cli, stop: &StopFlag) -> Result<ExitCode, RunError> {
    match &cli.command {
        Command::Run(options) => {
            let talk = if cli.quiet { Talk::Silent } else { Talk::Stderr };
            let report = run::run(options, stop, talk)?;
            if let Some(loss) = run::loss(&report) {
                complain(&loss);
            }
            if let Some(error) = run::rate_error(&report, options) {
                complain(&error);
            }
            Ok(run::exit_code(&report, options))
        }
        Command::Preview(options) => {
            let talk = if cli.quiet { Talk::Silent } else { Talk::Stderr };
            preview::preview(options, stop, talk)
        }
        Command::Verify(options) => verify(options, stop, cli.quiet),
        Command::Doctor(options) => doctor(options, stop, cli.quiet),
        Command::Broker(options) => {
            let talk = if cli.quiet { Talk::Silent } else { Talk::Stderr };
            serve::serve(options, stop, talk)
        }
        Command::Report(command) => report(command, cli.quiet),
        Command::Scenarios(command) => scenarios(command),
        Command::Schemas(command) => schemas(command, stop),
    }
}

fn verify(options: &VerifyOptions, stop: &StopFlag, quiet: bool) -> Result<ExitCode, RunError> {
    let connection = Connection::read(&options.broker)?;
    let bootstrap = connection.brokers(&options.broker)?.ok_or_else(|| {
        RunError::Usage("give the run's brokers by --bootstrap-server".to_owned())
    })?;
    let url = connection.registry_url(&options.registry);
    let registry = url.map(|url| connection.registry(&options.registry, &url, stop)).transpose()?;
    let settings = connection.kafka(&options.broker, bootstrap, None)?;
    let verdict = fleetstorm::verify::verify(options, settings, registry.as_ref(), stop)?;
    if let Some(path) = &options.report {
        let failed = |source| RunError::Report { path: path.clone(), source };
        let text = serde_json::to_string_pretty(&verdict).map_err(|e| failed(e.into()))? + "\n";
        ReportFile::new(path).put(&text).map_err(failed)?;
    }
    if !quiet {
        output::tell_all(|out| verdict.write(out));
    }
    Ok(match verdict {
        Verdict { matches: true, .. } => ExitCode::Done,
        Verdict { total, .. } if total.lost > 0 => ExitCode::Lost,
        _ => ExitCode::Differs,
    })
}

fn doctor(options: &DoctorOptions, stop: &StopFlag, quiet: bool) -> Result<ExitCode, RunError> {
    let report = options.report.as_deref().map(ReportFile::new);
    let whole = doctor::examine(options, stop, |check| {
        // A report keeps stdout to itself.
        match &report {
            _ if quiet => {}
            Some(ReportFile::Stdout) => output::tell_all(|out| check.write(out)),
            _ => {
                let mut text = Vec::new();
                // Nothing depends on these lines; who has read enough may go.
                let _unheard =
                    check.write(&mut text).and_then(|()| output::Stdout.write_all(&text));
            }
        }
    })?;
    if let (Some(file), Some(path)) = (report, &options.report) {
        let failed = |source| RunError::Report { path: path.clone(), source };
        let text = serde_json::to_string_pretty(&whole).map_err(|e| failed(e.into()))? + "\n";
        file.put(&text).map_err(failed)?;
    }
    Ok(whole.exit_code)
}

fn report(command: &ReportCommand, quiet: bool) -> Result<ExitCode, RunError> {
    let ReportCommand::Merge { files, out } = command;
    let merged = merge::merge(files)?;
    if let Some(missing) = merge::missing(&merged) {
        tracing::warn!("{missing}");
    }
    let path = out.as_deref().unwrap_or(Path::new("-"));
    let failed = |source| RunError::Report { path: path.to_owned(), source };
    match ReportFile::new(path) {
        // A reader that has read enough is no error.
        ReportFile::Stdout => stdout::print(&file::text(&merged).map_err(failed)?)?,
        file => file.write(&merged).map_err(failed)?,
    }
    if let Some(results) = merged.results.as_ref().filter(|_| !quiet) {
        output::tell_all(|out| summary::write(results, out));
    }
    Ok(ExitCode::Done)
}

fn scenarios(command: &ScenariosCommand) -> Result<ExitCode, RunError> {
    match command {
        ScenariosCommand::List => {
            let line = |s: &Scenario| format!("{:<19} {}", s.name, s.description);
            print(&scenario::all().iter().map(line).collect::<Vec<_>>())
        }
        ScenariosCommand::Show { name } => {
            let yaml = scenario::find(name)?.to_yaml()?;
            print(&[yaml.trim_end().to_owned()])
        }
    }
}

fn schemas(command: &SchemasCommand, stop: &StopFlag) -> Result<ExitCode, RunError> {
    let mut lines = Vec::new();
    match command {
        SchemasCommand::List => {
            for schema in encoding::schema::SCHEMAS {
                lines.push(format!("{:<10} {}", schema.topic.name(), schema.full_name));
            }
        }
        SchemasCommand::Show { topic } => lines.push(topic.schema().text.trim_end().to_owned()),
        SchemasCommand::Register { registry, topic_prefix } => {
            let connection = Connection::default();
            let url = connection.registry_url(registry).ok_or_else(|| {
                RunError::Usage("give the registry's URL by --schema-registry".to_owned())
            })?;
            let client = connection.registry(registry, &url, stop)?;
            for topic in record::Topic::ALL {
                let schema = topic.schema();
                let name = format!("{topic_prefix}{topic}");
                let subject = registry.subject_strategy.subject(&name, schema.full_name);
                let id = client.register(&subject, schema.text)?;
                lines.push(format!("{id:>6}  {subject}"));
            }
        }
    }
    print(&lines)
}

/// Prints lines; a reader that has read enough is no error.
fn print(lines: &[String]) -> Result<ExitCode, RunError> {
    let mut text = lines.join("\n");
    text.push('\n');
    stdout::print(&text)?;
    Ok(ExitCode::Done)
}

/// The first signal ends the run in good order, a second one leaves at once.
fn listen_for_signals(stop: &StopFlag) -> io::Result<()> {
    for &signal in TERM_SIGNALS {
        flag::register_conditional_shutdown(signal, ExitCode::Interrupted as i32, stop.atomic())?;
        flag::register(signal, stop.atomic())?;
    }
    Ok(())
}

/// Logs to stderr: warnings always, more where asked for or where somebody watches.
fn log_to_stderr(cli: &Cli) {
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => "error",
        (false, 0) if io::stderr().is_terminal() => "info",
        (false, 0) => "warn",
        (false, 1) => "fleetstorm=debug,info",
        (false, _) => "fleetstorm=trace,debug",
    };
    let filter =
        EnvFilter::try_from_env("FLEETSTORM_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| output::Stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .compact()
        .init();
}
