//! Finds out beforehand what would keep a run from working. Each usual failure of brokers, registry,
//! credentials and topics gets a name and a remedy.
//!
//! Nothing is written anywhere. Every request has a timeout. What can't have one (the system's name
//! lookup, librdkafka) runs on threads that end with the program.

mod address;
mod authentication;
pub mod check;
mod clock;
mod listeners;
mod protocol;
mod quota;
mod registry;
mod topics;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use fleetstorm_model::record::Topic;
use fleetstorm_producer::{ClusterTime, Quota};

use crate::cluster::ClusterOptions;
use crate::cluster::Connection;
use crate::exit::ProgramError;
use crate::pacing::StopFlag;
use crate::registry::RegistryOptions;
use crate::sink::direct;
use crate::sink::kafka::{Cluster, KafkaError, KafkaSettings, Tuning, access};

use address::{Address, LEAST};
use check::{Check, Examination};
use protocol::SecurityProtocol;

/// The topics that a run writes by default.
const TOPICS: &[Topic] = Topic::ALL.split_at(5).0;
/// How late a client's own timeout may be.
const GRACE: Duration = Duration::from_secs(2);

/// What to examine.
#[derive(Debug, Clone)]
pub struct DoctorOptions {
    /// The brokers.
    pub cluster: ClusterOptions,
    /// The registry.
    pub registry: RegistryOptions,
    /// The prefix of the topics that a run would write.
    pub topic_prefix: String,
}

/// Makes the checks that `options` allow, and passes each to `tell`.
///
/// # Errors
/// [`ProgramError`] if the options make no sense. What is wrong with brokers and registry is in the
/// checks.
pub fn examine(
    options: &DoctorOptions,
    stop: &StopFlag,
    mut tell: impl FnMut(&Check),
) -> Result<Examination, ProgramError> {
    let connection = Connection::read(&options.cluster)?;
    let url = connection.registry_url(&options.registry);
    // A registry alone can be examined too.
    let bootstrap = connection.brokers(&options.cluster).or_else(|error| match &url {
        Some(_) => Ok(None),
        None => Err(error),
    })?;
    if bootstrap.is_none() && url.is_none() {
        return Err(ProgramError::Usage(
            "nothing to examine: give brokers by --bootstrap-server, a registry by --schema-registry, or both".to_owned(),
        ));
    }
    let client = url.map(|url| connection.registry(&options.registry, &url, stop)).transpose()?;
    let mut checks = Vec::new();
    let mut note = |check: Check| {
        tell(&check);
        checks.push(check);
    };
    let mut time = None;
    if let Some(bootstrap) = bootstrap {
        let settings = connection.kafka(&options.cluster, bootstrap, None)?;
        time = brokers(settings, &options.topic_prefix, stop, &mut note)?;
    }
    let mut answers = Vec::new();
    if let Some(client) = client {
        let timeout = options.registry.timeout;
        let (check, answered) = registry::check(&client, timeout);
        answers = answered;
        note(check);
    }
    note(clock::check(time.as_ref(), &answers));
    Ok(Examination::of(checks))
}

/// The checks of the brokers, and the cluster's time if it reports it. Each check needs those before it,
/// so after a failure the rest is skipped.
fn brokers(
    settings: KafkaSettings,
    prefix: &str,
    stop: &StopFlag,
    note: &mut impl FnMut(Check),
) -> Result<Option<ClusterTime>, ProgramError> {
    let config = settings.client_config(Tuning::default())?;
    let wanted = SecurityProtocol::of(config.get("security.protocol"));
    let addresses = Address::list(&settings.bootstrap)
        .map_err(|why| ProgramError::Usage(format!("bad --bootstrap-server: {why}")))?;
    if addresses.is_empty() {
        return Err(ProgramError::Usage("--bootstrap-server names no broker".to_owned()));
    }
    let until = Instant::now() + settings.connect_timeout;
    let left = move || until.saturating_duration_since(Instant::now()).max(LEAST);

    let (check, open) = address::check(&addresses, until);
    note(check);
    let mut rest = ["protocol", authentication::NAME, listeners::NAME, topics::NAME].into_iter();
    let skip_from = |rest: &mut dyn Iterator<Item = &'static str>, note: &mut dyn FnMut(Check)| {
        rest.for_each(|name| note(Check::skip(name, "skipped: it needs what failed above")));
    };
    if open.is_empty() {
        skip_from(&mut rest, note);
        return Ok(None);
    }
    rest.next();
    let check = protocol::check(&open, wanted, until);
    let failed = check.exit_code.is_some();
    note(check);
    if failed {
        skip_from(&mut rest, note);
        return Ok(None);
    }

    rest.next();
    let bounded = KafkaSettings { connect_timeout: left(), ..settings };
    let stopped = stop.clone();
    let connected = within(left() + GRACE, move || Cluster::connect(bounded, stopped));
    let cluster = match connected {
        Some(Ok(cluster)) => Arc::new(cluster),
        Some(Err(error @ KafkaError::Interrupted { .. })) => return Err(error.into()),
        other => {
            note(
                other
                    .and_then(Result::err)
                    .map_or_else(authentication::timed_out, |e| authentication::failed(e, wanted)),
            );
            skip_from(&mut rest, note);
            return Ok(None);
        }
    };
    note(authentication::passed(wanted));

    rest.next();
    let check = listeners::check(cluster.nodes(), &addresses, until);
    let failed = check.exit_code.is_some();
    note(check);
    let mut time = None;
    if failed {
        skip_from(&mut rest, note);
    } else {
        let names: Vec<String> = TOPICS.iter().map(|topic| format!("{prefix}{topic}")).collect();
        let (asked, of, timeout) = (Arc::clone(&cluster), names.clone(), left());
        note(match within(2 * timeout + GRACE, move || access::access(&asked, &of, timeout)) {
            Some(Ok(access)) => topics::check(&names, &access),
            Some(Err(error)) => topics::failed(error),
            None => authentication::timed_out(),
        });
        let (asked, timeout) = (Arc::clone(&cluster), left());
        if let Some(told) = within(timeout + GRACE, move || quotas(&asked, timeout)).flatten() {
            note(quota::check(told));
        }
        let (asked, timeout) = (Arc::clone(&cluster), left());
        time = within(timeout + GRACE, move || cluster_time(&asked, timeout)).flatten();
    }
    // Dropping a client waits for its current operation, which may be a connection that hangs.
    let _still_busy = within(GRACE, move || drop(cluster));
    Ok(time)
}

/// The time, by the first broker that reports it.
fn cluster_time(cluster: &Cluster, timeout: Duration) -> Option<ClusterTime> {
    let until = Instant::now() + timeout;
    cluster.nodes().iter().find_map(|broker| {
        let left = until.checked_duration_since(Instant::now())?;
        let told = direct::cluster_time(cluster.settings(), broker, left);
        told.inspect_err(|why| tracing::debug!("broker {}'s time is not known: {why}", broker.id))
            .ok()
    })
}

/// The quotas, by the first broker; `None` if there is no broker.
fn quotas(
    cluster: &Cluster,
    timeout: Duration,
) -> Option<Result<Vec<Quota>, direct::AdminRequestError>> {
    let broker = cluster.nodes().first()?;
    Some(direct::quotas(cluster.settings(), broker, timeout))
}

/// The result of `work` within `timeout`. `None` if it takes longer; it then goes on in the background.
fn within<T: Send + 'static>(
    timeout: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, outcome) = mpsc::sync_channel(1);
    let spawned = thread::Builder::new().name("doctor".to_owned()).spawn(move || {
        // The receiver may be gone.
        let _unheard = done.send(work());
    });
    spawned.ok()?;
    outcome.recv_timeout(timeout).ok()
}
