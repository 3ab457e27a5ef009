//! The destination of a run: opened before it, flushed after it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fleetstorm_model::encoding::Format;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;
use fleetstorm_model::schedule::{Pace, Profile};
use fleetstorm_registry::SchemaRegistry;
use humantime::format_duration;

use super::options::{KafkaOptions, SinkOptions};
use super::plan::{Plan, unchanged};
use super::producers::Producers;
use super::topic_watch::TopicWatch;
use super::{key_coverage, schemas};
use crate::cluster::Connection;
use crate::exit::ProgramError;
use crate::output::{Stdout, Verbosity, print_status};
use crate::pacing::{StopFlag, now_ms};
use crate::report::number_format::{anomalies, asked};
use crate::report::results::ChangedTopic;
use crate::sink::Transport;
use crate::sink::embedded::{self, EmbeddedBroker};
use crate::sink::kafka::topic_state;
use crate::sink::kafka::topics::{self, TopicPolicy};
use crate::sink::kafka::{Cluster, Needs, Polling};
use crate::sink::options::Acks;
use crate::sink::stdout::LineSink;
use crate::sink::tally::{Deliveries, Tally};
use crate::sink::throttled::Throttled;
use crate::verify::fleet;

/// At the end of a run: after this long without an acknowledgement a warning is logged, and again each time
/// the wait has doubled.
const WARN_AFTER: Duration = Duration::from_secs(10);

/// Where the records of a run go.
pub enum Destination {
    /// To producers.
    Kafka(Box<KafkaDestination>),
    /// To standard output.
    Stdout(Lines),
    /// Nowhere.
    Null,
}

/// Producers, and what was started for them.
pub struct KafkaDestination {
    /// The producers.
    pub producers: Producers,
    /// The cluster that they write to.
    pub cluster: Arc<Cluster>,
    watch: Mutex<TopicWatch>,
    bootstrap: String,
    registry: Option<String>,
    keep: bool,
    created: Vec<String>,
    // Dropped after the producers, which still verbosity to it.
    embedded: Embedded,
}

/// What this program has started to publish to. Dropping it stops it.
#[derive(Default)]
struct Embedded {
    broker: Option<EmbeddedBroker>,
    registry: Option<SchemaRegistry>,
}

/// How lines are printed.
pub struct Lines {
    names: [String; Topic::COUNT],
    line_by_line: bool,
}

impl Destination {
    /// Opens the destination of `options`. Fills in the partitions and schema ids of the plan's manifest.
    ///
    /// # Errors
    /// [`ProgramError`] if broker, topics or registry can't be used.
    pub fn open(
        options: &SinkOptions,
        plan: &mut Plan,
        stop: &StopFlag,
    ) -> Result<Destination, ProgramError> {
        match options {
            SinkOptions::Null => Ok(Destination::Null),
            SinkOptions::Stdout { topic_prefix } => Ok(Destination::Stdout(Lines {
                names: Topic::ALL.map(|t| format!("{topic_prefix}{t}")),
                line_by_line: plan.run.manifest.pace != Pace::Max,
            })),
            SinkOptions::Kafka(options) => {
                KafkaDestination::open(options, plan, stop).map(|k| Destination::Kafka(Box::new(k)))
            }
        }
    }

    /// Prints where the records can be read.
    pub fn print_addresses(&self, manifest: &Manifest) {
        let machines = manifest.config.n_machines;
        let rate = pace(manifest);
        match self {
            Destination::Kafka(kafka) => kafka.print_addresses(manifest),
            Destination::Stdout(_) | Destination::Null => {}
        }
        let anomalies = anomalies(manifest.config.anomalies.expected_share());
        print_status(&format!(
            "Simulating {machines} machines, {rate}, seed {}{anomalies}.",
            manifest.seed
        ));
    }

    /// How long it may take to make and announce the machines. A live start is put off by this.
    pub fn startup_time(&self, manifest: &Manifest) -> Duration {
        let machines = manifest.config.n_machines;
        match self {
            // A broker that has just created topics is busy for a moment.
            Destination::Kafka(_) => Duration::from_millis(500) + ANNOUNCING * machines,
            _ => Duration::from_millis(50) + MAKING * machines,
        }
    }

    /// Waits until every record is acknowledged or has failed, while there is an acknowledgement at least
    /// every `timeout`. If the run is stopped meanwhile, waits at most `shutdown` longer. Returns how
    /// many are still neither.
    pub fn flush(&self, timeout: Duration, shutdown: Duration, stop: &StopFlag) -> usize {
        let Destination::Kafka(kafka) = self else { return 0 };
        let (mut taken, mut warn_after) = (Instant::now(), WARN_AFTER);
        let mut deadline = taken + timeout;
        let (mut running, mut least) = (!stop.is_set(), usize::MAX);
        loop {
            let turn = Duration::from_millis(200);
            let left = kafka.producers.flush(turn);
            if running && left < least {
                (least, taken, warn_after) = (left, Instant::now(), WARN_AFTER);
                deadline = taken + timeout;
            }
            if running && left > 0 && taken.elapsed() >= warn_after {
                let (since, end) = (format_duration(warn_after), format_duration(timeout));
                tracing::warn!(
                    "no broker has acknowledged anything for {since}: {left} records wait for it, and \
                     are given up after {end} without any (--give-up-after)"
                );
                warn_after *= 2;
            }
            if running && stop.is_set() {
                running = false;
                deadline = deadline.min(Instant::now() + shutdown);
            }
            if left == 0 || Instant::now() >= deadline {
                return left;
            }
        }
    }

    /// The fatal error that ended the producer, if there was one.
    pub fn fatal_error(&self) -> Option<String> {
        match self {
            Destination::Kafka(kafka) => kafka.producers.fatal_error(),
            Destination::Stdout(_) | Destination::Null => None,
        }
    }

    /// The transport; `None` without producers.
    pub fn transport(&self) -> Option<Transport> {
        match self {
            Destination::Kafka(kafka) => Some(kafka.producers.transport()),
            Destination::Stdout(_) | Destination::Null => None,
        }
    }

    /// For how long brokers have throttled the producers, the longest of any.
    pub fn throttled(&self) -> Duration {
        let Destination::Kafka(kafka) = self else { return Duration::ZERO };
        kafka.producers.throttled().map(Throttled::total).max().unwrap_or_default()
    }

    /// The tallies of the producers.
    pub fn tallies(&self) -> impl Iterator<Item = &Tally> {
        let producers = match self {
            Destination::Kafka(kafka) => Some(&kafka.producers),
            Destination::Stdout(_) | Destination::Null => None,
        };
        producers.into_iter().flat_map(Producers::tallies)
    }

    /// The outcomes of the records so far; `None` if the sink doesn't acknowledge any.
    pub fn deliveries(&self) -> Option<Deliveries> {
        let Destination::Kafka(_) = self else { return None };
        let mut sum = Deliveries::default();
        for tally in self.tallies() {
            sum.add(&tally.deliveries());
        }
        Some(sum)
    }

    /// Ends the watch of the topics, and returns what has changed since the run began.
    pub fn changed_topics(&self) -> Vec<ChangedTopic> {
        match self {
            Destination::Kafka(kafka) => {
                kafka.watch.lock().unwrap_or_else(PoisonError::into_inner).finish()
            }
            Destination::Stdout(_) | Destination::Null => Vec::new(),
        }
    }

    /// The current end offsets of the run's topics, by topic name without prefix. Topics that don't
    /// report them are left out.
    pub fn end_offsets(&self, manifest: &Manifest) -> BTreeMap<String, Vec<i64>> {
        let Destination::Kafka(kafka) = self else { return BTreeMap::new() };
        // Records that were just committed, or aren't acknowledged at all, may not be there yet.
        if manifest.transactions.is_some() || kafka.cluster.settings().options.acks == Acks::None {
            return BTreeMap::new();
        }
        let ends = manifest.topics.iter().filter_map(|entry| {
            let offsets = kafka.cluster.end_offsets(&entry.name, entry.partitions, END_PATIENCE)?;
            Some((entry.topic.name().to_owned(), offsets))
        });
        ends.collect()
    }

    /// Keeps the embedded broker and registry open until the run is stopped, with --keep.
    pub fn hold_open(&self, stop: &StopFlag, verbosity: Verbosity) {
        let Destination::Kafka(kafka) = self else { return };
        if !kafka.keep || kafka.embedded.broker.is_none() || stop.is_set() {
            return;
        }
        if verbosity == Verbosity::Normal {
            print_status("The embedded broker and registry stay open. Press Ctrl-C to end.");
        }
        while !stop.is_set() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// From this rate on, in records per second, a thread comes by often enough to poll for delivery reports
/// between its records.
const NEVER_IDLE: f64 = 100_000.0;
/// The timeout of a partition for its end offset after a run.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// How long it takes to make a machine.
const MAKING: Duration = Duration::from_micros(1);
/// How long it takes to make and announce a machine.
const ANNOUNCING: Duration = Duration::from_micros(4);

impl Lines {
    /// The sink of one thread.
    pub fn sink(&self) -> LineSink<Stdout> {
        LineSink::stdout(self.names.clone(), self.line_by_line)
    }
}

impl KafkaDestination {
    fn open(
        options: &KafkaOptions,
        plan: &mut Plan,
        stop: &StopFlag,
    ) -> Result<KafkaDestination, ProgramError> {
        let mut embedded = Embedded::default();
        let connection = Connection::read(&options.cluster)?;
        let bootstrap = match connection.brokers(&options.cluster)? {
            Some(bootstrap) => bootstrap,
            None if plan.resumed => {
                return Err(ProgramError::Usage(
                    "--resume needs the run's brokers: give them by --bootstrap-server".to_owned(),
                ));
            }
            None => {
                let broker = EmbeddedBroker::start()?;
                let address = broker.address();
                embedded.broker = Some(broker);
                address
            }
        };
        let registry = registry_url(options, &connection, plan.run.manifest.format, &mut embedded)?;
        if options.keep && embedded.broker.is_none() {
            tracing::warn!("--keep holds only an embedded broker open; there is none");
        }

        let settings = connection.kafka(&options.cluster, bootstrap.clone(), options.acks)?;
        if plan.run.manifest.transactions.is_some() && !settings.options.idempotence {
            return Err(ProgramError::Usage(
                "--transactional-id needs acks=all and enable.idempotence=true: transactions need \
                 idempotence"
                    .to_owned(),
            ));
        }
        let transport = Producers::choose(options.transport, &settings, &plan.run.manifest)?;
        if let Some(warning) = settings.options.acks_warning() {
            tracing::warn!("{warning}");
        }
        let cluster = Arc::new(Cluster::connect(settings, stop.clone())?);
        // Before the topics, so that a failure leaves none behind.
        let client = registry
            .as_ref()
            .map(|url| connection.registry(&options.registry, url, stop))
            .transpose()?;
        if let Some(client) = &client {
            schemas::take(client, options, plan)?;
        }
        let policy = TopicPolicy {
            prefix: prefix(&plan.run.manifest),
            partitions: options.topics.partitions,
            replication_factor: options.topics.replication_factor,
            configs: options.topics.configs.clone(),
            // An embedded broker has no topics yet.
            create: embedded.broker.is_some() || (options.topics.create && !plan.resumed),
        };
        let selected: Vec<Topic> = plan.run.manifest.topic_set().iter().collect();
        let timestamps = plan.timestamps(now_ms());
        let prepared = topics::prepare(&cluster, &selected, &policy, &timestamps)?;
        let expires = i64::try_from(prepared.producer_expiration.as_millis()).unwrap_or(i64::MAX);
        if transport == Transport::Librdkafka
            && cluster.settings().options.is_idempotent()
            && plan.run.manifest.transactions.is_none()
            && timestamps.age() >= expires
        {
            tracing::warn!("{}", forgotten(prepared.producer_expiration));
        }
        for warning in &prepared.warnings {
            tracing::warn!("{warning}");
        }
        let names =
            plan.run.manifest.topics.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>();
        let states = topic_state::states(&cluster, &names, cluster.settings().connect_timeout)
            .inspect_err(|error| {
                tracing::debug!("changes of the topics won't be reported: {error}")
            })
            .unwrap_or_default();
        for entry in &mut plan.run.manifest.topics {
            let id = states.get(&entry.name).and_then(|state| state.id.clone());
            if plan.resumed && entry.id.is_some() && id.is_some() {
                unchanged("an id", &entry.name, entry.id.take(), id.clone())?;
            }
            entry.id = id;
            let count = prepared.partitions.get(&entry.topic).copied();
            if plan.resumed {
                unchanged("partitions", &entry.name, Some(entry.partitions), count)?;
            } else {
                entry.partitions = count.unwrap_or(entry.partitions);
            }
            entry.start_offsets = if plan.resumed {
                entry.start_offsets.take()
            } else if prepared.created.contains(&entry.name) {
                Some(vec![0; entry.partitions as usize])
            } else {
                cluster.end_offsets(
                    &entry.name,
                    entry.partitions,
                    cluster.settings().connect_timeout,
                )
            };
        }
        for warning in key_coverage::warnings(&plan.run.manifest) {
            tracing::warn!("{warning}");
        }
        if !plan.resumed
            && let Some(another) = fleet::another(&cluster, &plan.run.manifest)
        {
            tracing::warn!("{another}");
        }
        let transactions = plan.run.manifest.transactions.as_ref();
        let polling = match plan.run.manifest.schedule().rates() {
            _ if transactions.is_some() => Polling::Thread,
            Some((lowest, _)) if lowest < NEVER_IDLE => Polling::Thread,
            Some(_) | None => Polling::Sinks,
        };
        let needs = Needs {
            largest_batch: prepared.largest_batch,
            polling,
            paced: plan.run.manifest.pace != Pace::Max,
            producers: transactions.map(|t| t.producers).or(options.producers).unwrap_or(1),
        };
        let producers = Producers::start(transport, &cluster, &plan.run.manifest, needs)?;
        Ok(KafkaDestination {
            producers,
            watch: Mutex::new(TopicWatch::start(Arc::clone(&cluster), states)),
            bootstrap,
            registry: client.map(|client| client.to_string()),
            keep: options.keep,
            created: prepared.created,
            cluster,
            embedded,
        })
    }

    fn print_addresses(&self, manifest: &Manifest) {
        let embedded = &self.embedded.broker;
        let kind = |embedded: bool| if embedded { "embedded, " } else { "" };
        print_status(&format!(
            "Broker:    {} ({}{})",
            self.bootstrap,
            kind(embedded.is_some()),
            plural(manifest.topics.len(), "topic")
        ));
        print_status(&format!("Producer:  {}", self.producers.transport().name()));
        if let Some(registry) = &self.registry {
            let kind = if self.embedded.registry.is_some() { " (embedded)" } else { "" };
            print_status(&format!("Registry:  {registry}{kind}"));
        }
        if !self.created.is_empty() && embedded.is_none() {
            print_status(&format!("Created:   {}", self.created.join(", ")));
        }
        if let Some(broker) = embedded {
            let topic = manifest.topics.first().map_or("telemetry", |entry| &entry.name);
            print_status(&format!("Read it:   kcat -b {} -t {topic} -C", self.bootstrap));
            print_status(&format!("Note:      {}.", broker.limits_note()));
        }
    }
}

/// The warning for a run by librdkafka whose records are older than brokers remember producers.
fn forgotten(expiration: Duration) -> String {
    format!(
        "the run's records are older than {} (producer.id.expiration.ms): brokers forget the producer, \
         and batches that librdkafka sends again after a lost answer may stand twice. \
         --transport direct looks into the log first",
        humantime::format_duration(expiration)
    )
}

/// Describes the pace of a run.
fn pace(manifest: &Manifest) -> String {
    match &manifest.pace {
        Pace::Natural(_) | Pace::Rate(Profile::Constant(_)) => {
            let rate = manifest.schedule().rates().map_or(0.0, |(_, highest)| highest);
            format!("{} records/s", asked(rate))
        }
        Pace::Rate(profile) => format!("{profile}"),
        Pace::Load(peak) => format!("{} records/s at the curve's peak", asked(peak.per_second())),
        Pace::Max => "as fast as possible".to_owned(),
    }
}

/// The prefix of the topics' names.
fn prefix(manifest: &Manifest) -> String {
    let entry = manifest.topics.first();
    entry
        .and_then(|entry| entry.name.strip_suffix(entry.topic.name()))
        .unwrap_or_default()
        .to_owned()
}

/// A number with its noun.
fn plural(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// The registry of a run: none for JSON, an embedded one beside an embedded broker.
fn registry_url(
    options: &KafkaOptions,
    connection: &Connection,
    format: Format,
    embedded: &mut Embedded,
) -> Result<Option<String>, ProgramError> {
    if format == Format::Json {
        return Ok(None);
    }
    if let Some(url) = connection.registry_url(&options.registry) {
        return Ok(Some(url));
    }
    if embedded.broker.is_none() {
        return Err(ProgramError::Usage(
            "Avro needs a schema registry beside the broker: give its URL by --schema-registry, or use --format json".to_owned(),
        ));
    }
    let registry = SchemaRegistry::start(options.embedded_registry)
        .map_err(|cause| ProgramError::EmbeddedRegistry { cause, option: "--embedded-registry" })?;
    let url = registry.url();
    if let Some(warning) = embedded::exposure_warning("embedded registry", registry.address()) {
        tracing::warn!("{warning}");
    }
    embedded.registry = Some(registry);
    Ok(Some(url))
}
