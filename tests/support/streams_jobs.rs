//! Jobs of Kafka Streams: programs of the suite as they are printed, in one process of Java, as
//! `tests/streams/fetch` has fetched what they need. Only the names of topics and groups are changed, so
//! that many jobs can be side by side.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tempfile::TempDir;

use crate::cluster::TestCluster;
use crate::support::consumer::ANSWER;
use crate::support::{Running, SOON, run};

/// How long jobs may take for a few thousand records each that are there already.
const TIMEOUT: Duration = Duration::from_secs(240);

/// A program of the suite.
pub struct Job {
    /// The query.
    pub query: &'static str,
    /// What it writes to; its group's name, too.
    pub topic: String,
    text: String,
}

impl Job {
    /// The query's program over the topics of a run, `named` as it writes, with changes to its text.
    pub fn new(query: &'static str, prefix: &str, named: &str, edits: &[(&str, &str)]) -> Job {
        let printed = run(&["queries", "show", query, "--engine", "kafka-streams"]);
        let mut text = printed.exits(0).stdout.clone();
        for (from, to) in edits {
            assert!(text.contains(from), "the program of {query} has {from}:\n{text}");
            text = text.replace(from, to);
        }
        let topic = format!("{prefix}{named}");
        for call in ["builder.stream(\"", "builder.table(\""] {
            text = text.replace(call, &format!("{call}{prefix}"));
        }
        for call in [".to(", "APPLICATION_ID_CONFIG, "] {
            let printed = format!("{call}\"{query}\"");
            assert_eq!(text.matches(&printed).count(), 1, "{printed} in:\n{text}");
            text = text.replace(&printed, &format!("{call}\"{topic}\""));
        }
        Job { query, topic, text }
    }

    /// The topics that it reads.
    fn sources(&self) -> Vec<String> {
        let calls = ["builder.stream(\"", "builder.table(\""];
        let names = calls.iter().flat_map(|call| self.text.split(call).skip(1));
        names.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
    }

    /// How many records it has still to read: of its sources, then of the topics by which it
    /// repartitions, which have all that comes of what its group has committed.
    fn lag(&self, bootstrap: &str) -> i64 {
        let group: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", &self.topic)
            .create()
            .expect("a consumer can be made");
        let all = group.fetch_metadata(None, ANSWER).expect("the broker answers");
        let own = format!("{}-", self.topic);
        let internal = all.topics().iter().map(|topic| topic.name().to_owned());
        let internal =
            internal.filter(|name| name.starts_with(&own) && name.ends_with("-repartition"));
        let mut lag = 0;
        for name in self.sources().into_iter().chain(internal) {
            let topic = all.topics().iter().find(|topic| topic.name() == name);
            let partitions = topic.map_or(0, |topic| topic.partitions().len() as i32);
            let mut wanted = TopicPartitionList::new();
            wanted.add_partition_range(&name, 0, partitions - 1);
            let committed = group.committed_offsets(wanted, ANSWER).expect("the group answers");
            for element in committed.elements() {
                let ends = group.fetch_watermarks(&name, element.partition(), ANSWER);
                let (low, high) = ends.expect("the broker tells its offsets");
                let at = match element.offset() {
                    Offset::Offset(at) => at.max(low),
                    _ => low,
                };
                lag += high - at;
            }
        }
        lag
    }
}

/// Jobs that run.
pub struct Jobs {
    running: Running,
    _folder: TempDir,
}

impl Jobs {
    /// Starts jobs, and makes the topics that they write to.
    pub fn start(cluster: &TestCluster, jobs: &[Job]) -> Jobs {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let jars =
            ["kafka", "confluent"].map(|jars| root.join("target/streams").join(jars).join("*"));
        let mut java = Command::new("java");
        java.args(["-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
            // Where Kafka Streams keeps its state, unless it is told otherwise.
            .arg(format!("-Djava.io.tmpdir={}", folder.path().display()))
            .arg("-cp")
            .arg(jars.map(|jars| jars.display().to_string()).join(":"))
            .arg(root.join("tests/streams/Jobs.java"))
            .arg(folder.path())
            .env("KAFKA_BOOTSTRAP_SERVERS", &cluster.bootstrap)
            .env("SCHEMA_REGISTRY_URL", &cluster.registry);
        for (number, job) in jobs.iter().enumerate() {
            let file = folder.path().join(format!("{number}.java"));
            fs::write(&file, &job.text).expect("a file can be written");
            java.arg(file);
            // The last of each key is the answer, however old its event time is.
            cluster.create(&job.topic, 2, &[("cleanup.policy", "compact")]);
        }
        let running = Running::spawn(&mut java);
        for number in 1..=jobs.len() {
            running.line(&format!("Jobs: {number} started"));
        }
        Jobs { running, _folder: folder }
    }

    /// Waits until these jobs have read all that there is. What comes of it is written by then.
    pub fn finish_reading(&self, cluster: &TestCluster, jobs: &[Job]) {
        let deadline = Instant::now() + TIMEOUT;
        for job in jobs {
            while job.lag(&cluster.bootstrap) > 0 {
                assert!(Instant::now() < deadline, "{} has read all in time", job.topic);
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }

    /// Ends the jobs. None may have given up: Kafka Streams logs that in these classes. Its clients log
    /// errors that they try again as well, such as a changelog topic that a broker doesn't know yet.
    pub fn end(self) {
        self.running.signal("TERM");
        let ended = self.running.finish(SOON);
        for class in ["KafkaStreams", "processor.internals.StreamThread"] {
            let gave_up = format!("ERROR org.apache.kafka.streams.{class} ");
            assert!(!ended.stderr.contains(&gave_up), "{}", ended.stderr);
        }
    }
}
