//! Apache Flink's SQL client (`tests/flink/sql-client`): jobs run in the client's JVM.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Finished, Running};

/// How long the client may take for its statements over records that are there already.
const TIMEOUT: Duration = Duration::from_secs(600);

/// What a program of `tests/flink` prints, which uses Confluent's registry client as Flink brings it.
pub fn registry_client(program: &str, arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let log = root.join("tests/flink/conf/log4j2.properties");
    let mut java = Command::new("java");
    java.args(["-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    java.arg(format!("-Dlog4j2.configurationFile={}", log.display()));
    java.arg("-cp").arg(root.join("target/flink/jars/*"));
    java.arg(root.join("tests/flink").join(program)).args(arguments);
    let done = Running::spawn(&mut java).finish(TIMEOUT);
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
        fs::write(&file, statements).expect("a file can be written");
        let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flink/sql-client");
        let client = Running::spawn(Command::new(client).arg(&file));
        Session { client, statements: statements.to_owned(), _folder: folder }
    }

    /// Waits for the end of all statements, none of which may fail.
    pub fn finish(self) -> Finished {
        let done = self.client.finish(TIMEOUT);
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
