//! The cluster that the real tests run against, as the environment names it, and what they ask of its
//! brokers.

use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;

use crate::support::consumer::{ANSWER, Reader};
use crate::support::{Finished, Running, SOON, TOPICS, now_ms, sent};

/// How many records a topic holds: the sum of its partitions' offsets, so without compaction.
pub fn record_count(bootstrap: &str, topic: &str) -> u64 {
    let reader = Reader::open(bootstrap, topic);
    let deadline = Instant::now() + ANSWER;
    let count = |partition| loop {
        match reader.consumer.fetch_watermarks(topic, partition, ANSWER) {
            Ok((low, high)) => break (high - low) as u64,
            // A topic that was made this moment.
            Err(error)
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NotLeaderForPartition)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) => panic!("the broker tells its offsets: {error}"),
        }
    };
    (0..reader.partitions).map(count).sum()
}

/// Deletes a topic.
pub fn delete_topic(bootstrap: &str, topic: &str) {
    let (admin, runtime) = admin(bootstrap);
    let gone = runtime
        .block_on(admin.delete_topics(&[topic], &AdminOptions::new()))
        .expect("the broker answers");
    assert_eq!(gone, [Ok(topic.to_owned())]);
}

/// The real cluster, as the environment names it.
pub struct TestCluster {
    pub bootstrap: String,
    pub registry: String,
}

/// A variable that the real tests need.
pub fn required(variable: &str) -> String {
    env::var(variable).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| {
        panic!(
            "{variable} is not set, and this test needs a real cluster: run `tests/run`, or start \
             one by `tests/cluster/cluster up --acl` and take the variables from its `env` file"
        )
    })
}

impl TestCluster {
    pub fn from_environment() -> TestCluster {
        TestCluster {
            bootstrap: required("FLEETSTORM_TEST_BOOTSTRAP"),
            registry: required("FLEETSTORM_TEST_REGISTRY"),
        }
    }

    /// The arguments of a run against the cluster that reports on stdout, and `more`.
    pub fn arguments(&self, prefix: &str, more: &[&str]) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["run", "-b", &self.bootstrap, "-r", &self.registry, "--topic-prefix", prefix]
                .into_iter()
                .chain(["--report", "-"])
                .chain(more.iter().copied())
                .map(str::to_owned)
                .collect();
        arguments.retain(|argument| !argument.is_empty());
        arguments
    }

    /// Starts a run against the cluster.
    pub fn start(&self, prefix: &str, more: &[&str]) -> Running {
        Running::start(&self.arguments(prefix, more))
    }

    /// Makes a run against the cluster.
    pub fn run(&self, prefix: &str, more: &[&str]) -> Finished {
        self.start(prefix, more).finish(SOON)
    }

    /// Reads topics back by tests/readers/read_topics.py, which checks every record by clients that
    /// share no code with the program; returns its count of records by topic, without prefix.
    pub fn read_back(&self, prefix: &str, more: &[&str]) -> Vec<(String, u64)> {
        let python = required("FLEETSTORM_TEST_PYTHON");
        let reader = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers/read_topics.py");
        let mut command = Command::new(python);
        command.args([reader, &self.bootstrap, &self.registry, "--topic-prefix", prefix]);
        let read = Running::spawn(command.args(more)).finish(Duration::from_secs(150));
        assert!(read.status.success(), "every record is right, but:\n{}", read.stderr);
        let summary = read.report();
        let counts = summary.as_object().expect("counts are by topic").iter();
        counts
            .map(|(name, counts)| {
                let topic = name.strip_prefix(prefix).expect("names have the prefix");
                (topic.to_owned(), counts["records"].as_u64().expect("records are counted"))
            })
            .collect()
    }

    /// Asserts that what can be read back is what a run reports to have sent, in every topic that is
    /// asked for or, where none is, of the run.
    #[track_caller]
    pub fn assert_read_back(&self, prefix: &str, report: &Value, more: &[&str]) {
        let asked = more.iter().position(|word| *word == "--topics").map(|at| more[at + 1]);
        let mut expected: Vec<&str> = match asked {
            Some(topics) => topics.split(',').collect(),
            None => TOPICS.to_vec(),
        };
        let read = self.read_back(prefix, more);
        for (topic, count) in &read {
            assert_eq!(*count, sent(report, topic), "records read back from {topic}");
        }
        let mut topics: Vec<&str> = read.iter().map(|(topic, _)| topic.as_str()).collect();
        topics.sort_unstable();
        expected.sort_unstable();
        assert_eq!(topics, expected, "topics read back");
        assert!(read.iter().map(|(_, count)| count).sum::<u64>() > 0, "nothing was read back");
    }

    /// Creates a topic with a configuration. Unless that says otherwise, it keeps all records: brokers look at
    /// their retention every five minutes, and many runs lie in the past.
    pub fn create(&self, topic: &str, partitions: i32, config: &[(&str, &str)]) {
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        if config.iter().all(|&(key, _)| key != "retention.ms") {
            new = new.set("retention.ms", "-1");
        }
        for (key, value) in config {
            new = new.set(key, value);
        }
        let (admin, runtime) = self.admin();
        let made = runtime
            .block_on(admin.create_topics([&new], &AdminOptions::new()))
            .expect("the broker answers");
        assert_eq!(made, [Ok(topic.to_owned())]);
    }

    /// Creates all five topics with one configuration.
    pub fn create_all(&self, prefix: &str, config: &[(&str, &str)]) {
        for topic in TOPICS {
            self.create(&format!("{prefix}{topic}"), 6, config);
        }
    }

    /// A value of a topic's configuration.
    pub fn topic_config(&self, topic: &str, key: &str) -> String {
        let (admin, runtime) = self.admin();
        let wanted = [ResourceSpecifier::Topic(topic)];
        let answer = runtime
            .block_on(admin.describe_configs(&wanted, &AdminOptions::new()))
            .expect("the broker answers");
        let resource = answer[0].as_ref().expect("the topic can be described");
        let entry = resource.get(key).expect("the broker knows the key");
        entry.value.clone().unwrap_or_default()
    }

    /// Sets a value of a topic's configuration.
    pub fn set_topic_config(&self, topic: &str, key: &str, value: &str) {
        let (admin, runtime) = self.admin();
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(key, value);
        let done = runtime
            .block_on(admin.alter_configs([&change], &AdminOptions::new()))
            .expect("the broker answers");
        assert!(done.iter().all(Result::is_ok), "{done:?}");
    }

    /// Deletes the first records of each partition of a topic, so many at most; returns how many.
    pub fn delete_records(&self, topic: &str, most: i64) -> u64 {
        let reader = Reader::open(&self.bootstrap, topic);
        let mut before = TopicPartitionList::new();
        let mut gone = 0;
        for partition in 0..reader.partitions {
            let (low, high) = reader
                .consumer
                .fetch_watermarks(topic, partition, ANSWER)
                .expect("the broker tells its offsets");
            let at = high.min(low + most);
            gone += (at - low) as u64;
            before.add_partition_offset(topic, partition, Offset::Offset(at)).expect("it is one");
        }
        let (admin, runtime) = self.admin();
        runtime
            .block_on(admin.delete_records(&before, &AdminOptions::new()))
            .expect("the broker answers");
        gone
    }

    /// Asserts that no topic has a name that begins so.
    #[track_caller]
    pub fn assert_no_topics(&self, prefix: &str) {
        let reader = Reader::open(&self.bootstrap, "__consumer_offsets");
        let metadata = reader.consumer.fetch_metadata(None, ANSWER).expect("the broker answers");
        assert!(!metadata.topics().is_empty(), "there are topics");
        let made = metadata.topics().iter().map(|topic| topic.name());
        let made: Vec<&str> = made.filter(|name| name.starts_with(prefix)).collect();
        assert!(made.is_empty(), "{made:?}");
    }

    /// How many partitions a topic has, and how many replicas its first one.
    pub fn shape(&self, topic: &str) -> (usize, usize) {
        let reader = Reader::open(&self.bootstrap, topic);
        let metadata =
            reader.consumer.fetch_metadata(Some(topic), ANSWER).expect("the broker answers");
        let partitions = metadata.topics()[0].partitions();
        (partitions.len(), partitions[0].replicas().len())
    }

    fn admin(&self) -> (AdminClient<DefaultClientContext>, tokio::runtime::Runtime) {
        admin(&self.bootstrap)
    }
}

/// An admin client, and what its answers are waited for with.
fn admin(bootstrap: &str) -> (AdminClient<DefaultClientContext>, tokio::runtime::Runtime) {
    let admin = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
        .expect("an admin client can be made");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    (admin, runtime)
}

/// A prefix of topics that no other test and no other run has, ending in a dash.
pub fn prefix(name: &str) -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let nth = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{}-{nth}-", std::process::id(), now_ms())
}

/// The options of the user `limited`, who may do nothing.
pub fn limited(password: &str) -> Vec<String> {
    let properties = [
        "security.protocol=SASL_PLAINTEXT",
        "sasl.mechanism=PLAIN",
        "sasl.username=limited",
        &format!("sasl.password={password}"),
    ];
    properties.iter().flat_map(|property| ["-X".to_owned(), (*property).to_owned()]).collect()
}
