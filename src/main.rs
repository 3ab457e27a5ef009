//! The program: parses the command line, listens for signals, and exits with a code that says what
//! happened.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use clap::FromArgMatches;
use fleetstorm::cli::answers::{CheckArgs, ExpectArgs, QueriesCommand};
use fleetstorm::cli::score::ScoreArgs;
use fleetstorm::cli::{
    self, Cli, Command, DoctorArgs, ReportCommand, ScenariosCommand, SchemasCommand, VerifyArgs,
    secrets,
};
use fleetstorm::cluster::{ClusterOptions, Connection};
use fleetstorm::exit::{ExitCode, ProgramError};
use fleetstorm::output::Verbosity;
use fleetstorm::pacing::StopFlag;
use fleetstorm::registry::{Registry, RegistryOptions};
use fleetstorm::report::file::{self, ReportFile};
use fleetstorm::report::{merge, summary};
use fleetstorm::run;
use fleetstorm::sink::kafka::KafkaSettings;
use fleetstorm::sink::stdout;
use fleetstorm::verify::verdict::Verdict;
use fleetstorm::{check, doctor, expect, output, preview, score, serve};
use fleetstorm_answers::AnswerError;
use fleetstorm_answers::suite::{self, Language};
use fleetstorm_model::config::scenarios::{self, Scenario};
use fleetstorm_model::{encoding, record};
use signal_hook::consts::{SIGHUP, TERM_SIGNALS};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use tracing_subscriber::EnvFilter;

fn main() {
    let matches = cli::matches(env::args_os()).unwrap_or_else(|error| error.exit());
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    log_to_stderr(&cli);
    if let Some(warning) = secrets::warning(&matches) {
        tracing::warn!("{warning}");
    }
    let stop = StopFlag::default();
    if let Err(error) = listen_for_signals(&stop) {
        tracing::warn!("signals will end the program without a report: {error}");
    }
    let code = match execute(&cli, &stop) {
        Ok(code) => code,
        Err(error) => {
            print_error(&error.to_string());
            error.exit_code()
        }
    };
    process::exit(code as i32);
}

/// Prints an error.
fn print_error(what: &str) {
    output::print_status(&format!("error: {what}"));
}

fn execute(cli: &Cli, stop: &StopFlag) -> Result<ExitCode, ProgramError> {
    let verbosity = if cli.quiet { Verbosity::Quiet } else { Verbosity::Normal };
    match &cli.command {
        Command::Run(args) => {
            let (source, options) = (args.source()?, args.options());
            let report = run::run(source, &options, stop, verbosity)?;
            if let Some(loss) = run::loss(&report) {
                print_error(&loss);
            }
            if let Some(error) = run::rate_error(&report, &options) {
                print_error(&error);
            }
            Ok(run::exit_code(&report, &options))
        }
        Command::Preview(args) => preview::preview(&args.options(), stop, verbosity),
        Command::Verify(args) => verify(args, stop, cli.quiet),
        Command::Expect(args) => expect(args, stop, verbosity),
        Command::Check(args) => check(args, stop, cli.quiet),
        Command::Score(args) => score(args, stop, cli.quiet),
        Command::Queries(command) => queries(command),
        Command::Doctor(args) => doctor(args, stop, cli.quiet),
        Command::Broker(args) => serve::serve(&args.options(), stop, verbosity),
        Command::Report(command) => report(command, cli.quiet),
        Command::Scenarios(command) => scenarios(command),
        Command::Schemas(command) => schemas(command, stop),
    }
}

fn verify(args: &VerifyArgs, stop: &StopFlag, quiet: bool) -> Result<ExitCode, ProgramError> {
    let (cluster, registry_options) = (args.broker.options(), args.registry.options());
    let connection = Connection::read(&cluster)?;
    let bootstrap = connection.brokers(&cluster)?.ok_or_else(|| {
        ProgramError::Usage("give the run's brokers by --bootstrap-server".to_owned())
    })?;
    let url = connection.registry_url(&registry_options);
    let registry = url.map(|url| connection.registry(&registry_options, &url, stop)).transpose()?;
    let settings = connection.kafka(&cluster, bootstrap, None)?;
    let report = args.report.as_deref().map(run::report_file).transpose()?;
    let verdict = fleetstorm::verify::verify(&args.options(), settings, registry.as_ref(), stop)?;
    if let (Some(report), Some(path)) = (report, &args.report) {
        let failed = |source| ProgramError::Report { path: path.clone(), source };
        file::text(&verdict).and_then(|text| report.write_text(&text)).map_err(failed)?;
    }
    if !quiet {
        output::write_status(|out| verdict.write(out));
    }
    Ok(match verdict {
        Verdict { matches: true, .. } => ExitCode::Done,
        Verdict { total, .. } if total.lost > 0 => ExitCode::Lost,
        _ => ExitCode::Differs,
    })
}

fn expect(
    args: &ExpectArgs,
    stop: &StopFlag,
    verbosity: Verbosity,
) -> Result<ExitCode, ProgramError> {
    let query = args.query.options()?;
    let Some(topic) = &args.to_topic else {
        return expect::expect(&query, args.format, verbosity);
    };
    let (cluster, registry) = (args.broker.options(), args.registry.options());
    let connection = Connection::read(&cluster)?;
    let missing = |what: &str| ProgramError::Usage(format!("--to-topic needs {what}"));
    let brokers = connection.brokers(&cluster)?;
    let brokers = brokers.ok_or_else(|| missing("brokers: give them by --bootstrap-server"))?;
    let url = connection.registry_url(&registry);
    let url = url.ok_or_else(|| missing("a registry: give it by --schema-registry"))?;
    let registry = connection.registry(&registry, &url, stop)?;
    let settings = connection.kafka(&cluster, brokers, None)?;
    expect::publish(&query, topic, settings, &registry, stop, verbosity)
}

fn check(args: &CheckArgs, stop: &StopFlag, quiet: bool) -> Result<ExitCode, ProgramError> {
    let options = args.options()?;
    let (settings, registry) = reach(&options.cluster, &options.registry, stop)?;
    let inputs = options.query.reports.iter().map(PathBuf::as_path);
    keep_apart(("--report", options.report.as_deref()), inputs.chain(options.output.from.file()))?;
    let file = options.report.as_deref().map(run::report_file).transpose()?;
    let verdict = check::check(&options, settings, registry.as_ref(), stop)?;
    if let (Some(file), Some(path)) = (file, &options.report) {
        let failed = |source| ProgramError::Report { path: path.clone(), source };
        file::text(&verdict).and_then(|text| file.write_text(&text)).map_err(failed)?;
    }
    if !quiet {
        output::write_status(|out| verdict.write(out));
    }
    Ok(check::exit_code(&verdict))
}

fn score(args: &ScoreArgs, stop: &StopFlag, quiet: bool) -> Result<ExitCode, ProgramError> {
    let options = args.options();
    let (settings, registry) = reach(&options.cluster, &options.registry, stop)?;
    let inputs = || options.reports.iter().map(PathBuf::as_path).chain(options.output.from.file());
    keep_apart(
        ("--report", options.report.as_deref()),
        inputs().chain(options.picture.as_deref()),
    )?;
    keep_apart(("--picture", options.picture.as_deref()), inputs())?;
    let file = options.report.as_deref().map(run::report_file).transpose()?;
    let picture = options.picture.as_deref().map(score::picture_file).transpose()?;
    let scored = score::score(&options, settings, registry.as_ref(), stop)?;
    if let (Some(file), Some(path)) = (file, &options.report) {
        let failed = |source| ProgramError::Report { path: path.clone(), source };
        file::text(&scored).and_then(|text| file.write_text(&text)).map_err(failed)?;
    }
    if let (Some(file), Some(path)) = (picture, &options.picture) {
        let failed = |source| ProgramError::Picture { path: path.clone(), source };
        file.write_text(&scored.picture()).map_err(failed)?;
    }
    if !quiet {
        output::write_status(|out| scored.write(out));
    }
    Ok(ExitCode::Done)
}

/// What reaches a job's output, as far as it is given.
fn reach(
    cluster: &ClusterOptions,
    registry: &RegistryOptions,
    stop: &StopFlag,
) -> Result<(Option<KafkaSettings>, Option<Registry>), ProgramError> {
    let connection = Connection::read(cluster)?;
    let brokers = connection.brokers(cluster)?;
    let settings = brokers.map(|brokers| connection.kafka(cluster, brokers, None)).transpose()?;
    let url = connection.registry_url(registry);
    let client = url.map(|url| connection.registry(registry, &url, stop)).transpose()?;
    Ok((settings, client))
}

/// Refuses to write a file over one that is read, or is written besides.
fn keep_apart<'a>(
    (option, written): (&str, Option<&Path>),
    mut others: impl Iterator<Item = &'a Path>,
) -> Result<(), ProgramError> {
    let is_same = |other: &&Path| {
        written.is_some_and(|file| match (fs::canonicalize(file), fs::canonicalize(other)) {
            (Ok(file), Ok(other)) => file == other,
            _ => file == *other,
        })
    };
    match others.find(is_same) {
        Some(file) => Err(ProgramError::Usage(format!(
            "{} would be written over: give {option} another file",
            file.display()
        ))),
        None => Ok(()),
    }
}

fn doctor(args: &DoctorArgs, stop: &StopFlag, quiet: bool) -> Result<ExitCode, ProgramError> {
    let report = args.report.as_deref().map(run::report_file).transpose()?;
    let whole = doctor::examine(&args.options(), stop, |check| {
        // A report on stdout has it to itself.
        match &report {
            _ if quiet => {}
            Some(ReportFile::Stdout) => output::write_status(|out| check.write(out)),
            _ => {
                let mut text = Vec::new();
                // Nothing depends on these lines: the reader may close the pipe.
                let _unheard =
                    check.write(&mut text).and_then(|()| output::Stdout.write_all(&text));
            }
        }
    })?;
    if let (Some(report), Some(path)) = (report, &args.report) {
        let failed = |source| ProgramError::Report { path: path.clone(), source };
        file::text(&whole).and_then(|text| report.write_text(&text)).map_err(failed)?;
    }
    Ok(whole.exit_code)
}

fn report(command: &ReportCommand, quiet: bool) -> Result<ExitCode, ProgramError> {
    let ReportCommand::Merge { files, out } = command;
    let path = out.as_deref().unwrap_or(Path::new("-"));
    let out = run::report_file(path)?;
    let merged = merge::merge(files)?;
    if let Some(missing) = merge::missing(&merged) {
        tracing::warn!("{missing}");
    }
    let failed = |source| ProgramError::Report { path: path.to_owned(), source };
    match out {
        // A reader that closes the pipe early is not an error.
        ReportFile::Stdout => stdout::print(&file::text(&merged).map_err(failed)?)?,
        file => file.write(&merged).map_err(failed)?,
    }
    if let Some(results) = merged.results.as_ref().filter(|_| !quiet) {
        output::write_status(|out| summary::write(results, out));
    }
    Ok(ExitCode::Done)
}

fn queries(command: &QueriesCommand) -> Result<ExitCode, ProgramError> {
    match command {
        QueriesCommand::List => {
            print(&suite::all().iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        QueriesCommand::Show { name, engine } => {
            let query = suite::find(name).map_err(AnswerError::from)?;
            let text = match engine {
                Some(language) => query.text(*language).map_err(AnswerError::from)?,
                None => {
                    let asked = query.text(Language::Model).map_err(AnswerError::from)?;
                    format!("{}\n{asked}\n{}", query.definition, query.schema)
                }
            };
            print(&[text.trim_end().to_owned()])
        }
    }
}

fn scenarios(command: &ScenariosCommand) -> Result<ExitCode, ProgramError> {
    match command {
        ScenariosCommand::List => {
            let line = |s: &Scenario| format!("{:<19} {}", s.name, s.description);
            print(&scenarios::all().iter().map(line).collect::<Vec<_>>())
        }
        ScenariosCommand::Show { name } => {
            let yaml = scenarios::find(name)?.to_yaml()?;
            print(&[yaml.trim_end().to_owned()])
        }
    }
}

fn schemas(command: &SchemasCommand, stop: &StopFlag) -> Result<ExitCode, ProgramError> {
    let mut lines = Vec::new();
    match command {
        SchemasCommand::List => {
            for schema in encoding::schema::SCHEMAS {
                lines.push(format!("{:<10} {}", schema.topic.name(), schema.full_name));
            }
        }
        SchemasCommand::Show { topic } => lines.push(topic.schema().text.trim_end().to_owned()),
        SchemasCommand::Register { registry, topic_prefix } => {
            let (connection, registry) = (Connection::default(), registry.options());
            let url = connection.registry_url(&registry).ok_or_else(|| {
                ProgramError::Usage("give the registry's URL by --schema-registry".to_owned())
            })?;
            let client = connection.registry(&registry, &url, stop)?;
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

/// Prints lines. A reader that closes the pipe early is not an error.
fn print(lines: &[String]) -> Result<ExitCode, ProgramError> {
    let mut text = lines.join("\n");
    text.push('\n');
    stdout::print(&text)?;
    Ok(ExitCode::Done)
}

/// A signal of another kind within this time counts as the same one: some supervisors send SIGINT and
/// SIGTERM.
const SAME_WISH: Duration = Duration::from_secs(1);

/// The first signal ends the run in good order, a second one exits at once. SIGHUP counts too, unless it
/// was ignored when the program started, as under nohup.
fn listen_for_signals(stop: &StopFlag) -> io::Result<()> {
    let mut kinds = TERM_SIGNALS.to_vec();
    if !is_ignored(SIGHUP) {
        kinds.push(SIGHUP);
    }
    let mut signals = Signals::new(kinds)?;
    let stop = stop.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut first: Option<(i32, Instant)> = None;
        for signal in signals.forever() {
            match first {
                None => {
                    first = Some((signal, Instant::now()));
                    stop.stop();
                }
                Some((before, at)) if before != signal && at.elapsed() < SAME_WISH => {}
                // Whatever the program waits for.
                Some(_) => low_level::exit(ExitCode::Interrupted as i32),
            }
        }
    })?;
    Ok(())
}

/// Whether a signal is ignored, as Linux reports it; false elsewhere.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}

/// Logs to stderr: warnings always, more with `-v` or on a terminal.
fn log_to_stderr(cli: &Cli) {
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => "error",
        (false, 0) if io::stderr().is_terminal() => "info",
        (false, 0) => "warn",
        (false, 1) => "fleetstorm=debug,info",
        (false, _) => "fleetstorm=trace,debug",
    };
    // Options win over the environment. An empty variable counts as unset.
    let asked = env::var("FLEETSTORM_LOG").ok().filter(|asked| !asked.trim().is_empty());
    let asked = asked.filter(|_| !cli.quiet && cli.verbose == 0);
    let filter = asked.as_deref().map(EnvFilter::try_new);
    let (filter, wrong) = match filter {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(level), Some(error)),
        None => (EnvFilter::new(level), None),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| output::Stderr)
        .with_ansi(output::coloured(io::stderr().is_terminal()))
        .with_target(false)
        .compact()
        .init();
    if let Some(error) = wrong {
        tracing::warn!("FLEETSTORM_LOG is ignored, since it is not a valid filter: {error}");
    }
}
