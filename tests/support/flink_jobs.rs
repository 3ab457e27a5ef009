//! The suite's queries as jobs of Flink SQL: their texts as `queries show` prints them, with the test's
//! addresses and topics.

use crate::cluster::TestCluster;
use crate::flink_client::Session;
use crate::support::run;

/// The most jobs that run at once.
const TOGETHER: usize = 30;

/// A query's text, which reads the topics of a prefix and writes into one.
pub struct Job {
    /// The query's name.
    pub query: String,
    /// The topic that it writes into.
    pub output: String,
    text: String,
}

impl Job {
    /// The text as it is printed, over the topics with `prefix`; the output is named by the query.
    pub fn printed(cluster: &TestCluster, prefix: &str, query: &str) -> Job {
        let shown = run(&["queries", "show", query, "--engine", "flink-sql"]);
        shown.exits(0);
        let mut job = Job { query: query.into(), output: query.into(), text: shown.stdout };
        job.replace("http://localhost:8081", &cluster.registry);
        job.replace("localhost:9092", &cluster.bootstrap);
        job.replace("'topic'='", &format!("'topic'='{prefix}"));
        job.output = format!("{prefix}{query}");
        job
    }

    /// The job that ends with what its topics hold when it starts.
    pub fn bounded(mut self) -> Job {
        let tables: Vec<&str> = self.text.split("CREATE TABLE ").collect();
        let bounded = tables.iter().enumerate().map(|(nth, table)| {
            let reads = nth > 0 && !table.starts_with("answers ");
            let end = ") WITH (\n  'scan.bounded.mode'='latest-offset',";
            if reads { table.replacen(") WITH (", end, 1) } else { (*table).to_owned() }
        });
        self.text = bounded.collect::<Vec<_>>().join("CREATE TABLE ");
        self
    }

    /// The job with other words, each of which must be there, and an output with `name` behind its own.
    pub fn edited(mut self, name: &str, edits: &[(&str, &str)]) -> Job {
        for (from, to) in edits {
            self.replace(from, to);
        }
        let output = format!("{}-{name}", self.output);
        self.replace(&format!("'topic'='{}'", self.output), &format!("'topic'='{output}'"));
        self.output = output;
        self
    }

    /// Starts the job alone, by the very text.
    pub fn start(&self, cluster: &TestCluster) -> Session {
        self.create_output(cluster);
        Session::start(&self.text)
    }

    fn replace(&mut self, from: &str, to: &str) {
        assert!(self.text.contains(from), "{from:?} is in the text:\n{}", self.text);
        self.text = self.text.replace(from, to);
    }

    fn create_output(&self, cluster: &TestCluster) {
        let upserts = self.text.contains(&format!("'upsert-kafka', 'topic'='{}'", self.output));
        let policy = if upserts { "compact" } else { "delete" };
        cluster.create(&self.output, 3, &[("cleanup.policy", policy)]);
    }

    /// What is before the first table: settings of the session.
    fn settings(&self) -> &str {
        self.text.split_once("CREATE ").map_or("", |(settings, _)| settings)
    }

    /// The text as definitions: what is inserted becomes a view.
    fn definitions(&self) -> String {
        let rest = &self.text[self.settings().len()..];
        assert_eq!(rest.matches("INSERT INTO answers\n").count(), 1, "{rest}");
        rest.replace("INSERT INTO answers\n", "CREATE VIEW `written` AS\n")
    }
}

/// Starts jobs in one process, which takes as long to start as several jobs.
/// Each is in a database of its own, and those with the same settings are run at once.
pub fn start_all(cluster: &TestCluster, jobs: &[Job]) -> Session {
    let mut statements = String::new();
    let alike = jobs.chunk_by(|one, next| one.settings() == next.settings());
    for (nth, set) in alike.flat_map(|alike| alike.chunks(TOGETHER)).enumerate() {
        statements.push_str(set[0].settings());
        let mut inserts = String::new();
        for (i, job) in set.iter().enumerate() {
            job.create_output(cluster);
            let database = format!("jobs_{nth}_{i}");
            let definitions = job.definitions();
            statements.push_str(&format!(
                "CREATE DATABASE {database};\nUSE {database};\n{definitions}\n"
            ));
            inserts.push_str(&format!(
                "INSERT INTO {database}.answers SELECT * FROM {database}.`written`;\n"
            ));
        }
        statements.push_str(&format!("BEGIN STATEMENT SET;\n{inserts}END;\n"));
    }
    Session::start(&statements)
}
