//! Apache Flink's SQL client, as `tests/flink/fetch` has fetched it: a job runs in the client's JVM.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Finished, Running};

/// How long the client may take for its statements over records that are there already.
const PATIENCE: Duration = Duration::from_secs(600);

/// What Java's modules must open for Flink's own serializers.
const OPENED: [&str; 8] = [
    "java.base/java.lang",
    "java.base/java.lang.reflect",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.text",
    "java.base/java.time",
    "java.base/java.util",
    "java.base/java.util.concurrent",
];

/// A Java program among Flink's jars.
fn java(options: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let log = root.join("tests/flink/conf/log4j2.properties");
    let mut java = Command::new("java");
    java.args(["-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args(options)
        .arg(format!("-Dlog4j2.configurationFile={}", log.display()))
        .arg("-cp")
        .arg(root.join("target/flink/jars/*"))
        .env("FLINK_CONF_DIR", root.join("tests/flink/conf"));
    java
}

/// What a program of `tests/flink` prints, which uses Confluent's registry client as Flink brings it.
pub fn registry_client(program: &str, arguments: &[&str]) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flink").join(program);
    let done = Running::spawn(java(&[]).arg(source).args(arguments)).finish(PATIENCE);
    assert!(done.status.success(), "{}\n{}", done.stdout, done.stderr);
    done.stdout
}

/// A session of the client that runs; dropped, it ends, and its jobs with it.
pub struct Session {
    client: Running,
    statements: String,
    _folder: TempDir,
}

impl Session {
    /// Starts a session that runs statements one after the other, jobs to their ends.
    pub fn start(statements: &str) -> Session {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = folder.path().join("statements.sql");
        let settings = "SET 'sql-client.execution.result-mode'='tableau';\n\
            SET 'table.local-time-zone'='UTC';\nSET 'parallelism.default'='1';\n\
            SET 'table.dml-sync'='true';\n";
        fs::write(&file, format!("{settings}{statements}")).expect("a file can be written");
        let opened = OPENED.map(|opened| format!("--add-opens={opened}=ALL-UNNAMED"));
        let mut client = java(&opened.each_ref().map(String::as_str));
        client.args(["org.apache.flink.table.client.SqlClient", "-hist"]);
        client.arg(folder.path().join("history")).arg("-f").arg(&file);
        let client = Running::spawn(&mut client);
        Session { client, statements: statements.to_owned(), _folder: folder }
    }

    /// Waits for the end of all statements, none of which may fail.
    pub fn finish(self) -> Finished {
        let done = self.client.finish(PATIENCE);
        let failed = !done.status.success() || done.stdout.contains("[ERROR]");
        assert!(!failed, "{}\n{}\n{}", self.statements, done.stdout, done.stderr);
        done
    }
}

/// Runs statements to their end, and returns the rows of the tables that they printed, cells trimmed.
pub fn sql(statements: &str) -> Vec<Vec<String>> {
    rows(&Session::start(statements).finish().stdout)
}

/// The rows of tables drawn with `|`, without their heads, which stand between lines of `+---+`.
fn rows(printed: &str) -> Vec<Vec<String>> {
    let mut lines = printed.lines().peekable();
    let mut rows = Vec::new();
    let mut ruled = 0;
    for line in lines.by_ref() {
        if line.contains("+--") {
            ruled += 1;
        } else if ruled % 3 == 2 && line.starts_with('|') {
            let cells = line.trim_matches('|').split('|');
            rows.push(cells.map(|cell| cell.trim().to_owned()).collect());
        }
    }
    rows
}
