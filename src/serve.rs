//! The embedded broker and registry alone, for a test-suite or a demo: `fleetstorm broker`.

use std::time::Duration;

use fleetstorm_broker::Settings;
use fleetstorm_registry::SchemaRegistry;

use crate::cli::ServeOptions;
use crate::pacing::StopFlag;
use crate::run::{ExitCode, RunError, Verbosity, print_status};
use crate::sink::embedded::{EmbeddedBroker, caution};

/// Starts them and waits until the program is told to end.
///
/// # Errors
/// [`RunError`] where one of them can't listen.
pub fn serve(
    options: &ServeOptions,
    stop: &StopFlag,
    verbosity: Verbosity,
) -> Result<ExitCode, RunError> {
    if options.listen.ip().is_unspecified() && options.advertise.is_none() {
        return Err(RunError::Usage(format!(
            "--listen {} needs --advertise HOST:PORT: the address by which clients reach it",
            options.listen
        )));
    }
    let mut settings = Settings::new();
    settings.listen = options.listen;
    settings.advertise = options.advertise.as_deref().map(advertised).transpose()?;
    settings.total_bytes = size(options.memory.as_u64());
    settings.partition_bytes = size(options.partition_memory.as_u64());
    let broker = EmbeddedBroker::with(settings)?;
    let registry = options.registry.map(SchemaRegistry::start).transpose();
    let registry =
        registry.map_err(|cause| RunError::EmbeddedRegistry { cause, option: "--registry" })?;
    let of_registry = registry.as_ref().and_then(|it| caution("registry", it.address()));
    for caution in [caution("broker", options.listen), of_registry].into_iter().flatten() {
        tracing::warn!("{caution}");
    }
    if verbosity == Verbosity::Normal {
        print_status(&format!(
            "Broker:    {}",
            options.advertise.clone().unwrap_or(broker.address())
        ));
        if let Some(registry) = &registry {
            print_status(&format!("Registry:  {}", registry.url()));
        }
        print_status(&format!("Note:      {}.", broker.caveat()));
        print_status("Press Ctrl-C to end.");
    }
    while !stop.is_set() {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(ExitCode::Done)
}

/// A host and a port, as clients are told them.
fn advertised(text: &str) -> Result<(String, u16), RunError> {
    let parts = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let parsed = parts.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    parsed.ok_or_else(|| RunError::Usage(format!("--advertise takes HOST:PORT, not `{text}`")))
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
