//! The embedded broker and registry alone, for a test-suite or a demo: `fleetstorm broker`.

use std::net::SocketAddr;
use std::time::Duration;

use bytesize::ByteSize;
use fleetstorm_broker::Settings;
use fleetstorm_registry::SchemaRegistry;

use crate::exit::{ExitCode, ProgramError};
use crate::output::{Verbosity, print_status};
use crate::pacing::StopFlag;
use crate::sink::embedded::{EmbeddedBroker, exposure_warning};

/// What to start, and on which addresses.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The broker's address.
    pub listen: SocketAddr,
    /// The registry's address; without one, none is started.
    pub registry: Option<SocketAddr>,
    /// The advertised listener, if it differs from `listen`: host and port.
    pub advertise: Option<String>,
    /// The most bytes of records that all partitions keep.
    pub memory: ByteSize,
    /// The most bytes of records that a partition keeps.
    pub partition_memory: ByteSize,
}

/// Starts them and waits until the program is told to end.
///
/// # Errors
/// [`ProgramError`] if one of them can't listen.
pub fn serve(
    options: &ServeOptions,
    stop: &StopFlag,
    verbosity: Verbosity,
) -> Result<ExitCode, ProgramError> {
    if options.listen.ip().is_unspecified() && options.advertise.is_none() {
        return Err(ProgramError::Usage(format!(
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
        registry.map_err(|cause| ProgramError::EmbeddedRegistry { cause, option: "--registry" })?;
    let of_registry = registry.as_ref().and_then(|it| exposure_warning("registry", it.address()));
    for warning in [exposure_warning("broker", options.listen), of_registry].into_iter().flatten() {
        tracing::warn!("{warning}");
    }
    if verbosity == Verbosity::Normal {
        print_status(&format!(
            "Broker:    {}",
            options.advertise.clone().unwrap_or(broker.address())
        ));
        if let Some(registry) = &registry {
            print_status(&format!("Registry:  {}", registry.url()));
        }
        print_status(&format!("Note:      {}.", broker.limits_note()));
        print_status("Press Ctrl-C to end.");
    }
    while !stop.is_set() {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(ExitCode::Done)
}

/// Parses an advertised host and port.
fn advertised(text: &str) -> Result<(String, u16), ProgramError> {
    let parts = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let parsed = parts.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    parsed.ok_or_else(|| ProgramError::Usage(format!("--advertise takes HOST:PORT, not `{text}`")))
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
