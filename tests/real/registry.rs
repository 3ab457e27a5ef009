//! Confluent's and Apicurio's Java serializers read what the other writes and what the program writes, on
//! the real registry as on the program's own. `tests/registry/fetch` has fetched them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::cluster::{TestCluster, prefix};
use crate::support::{Running, TOPICS, command, run, sent};

/// How long a program of Java may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What each client is answered, whichever registry it asks.
const ANSWERED: &str = r#"Confluent reads Confluent: {"a": 5} of n.R
Apicurio reads Confluent: {"a": 5} of n.R
Apicurio registers the same: true
Apicurio finds it by its text: true
Apicurio finds its version: true
another schema: true
Apicurio reads Apicurio: {"a": 5, "b": 6} of n.R
Confluent reads Apicurio: {"a": 5, "b": 6} of n.R
Confluent reads the earlier: {"a": 5} of n.R
Confluent finds it by its text: true
Confluent finds the latest: true
the same elsewhere: true
Confluent finds it elsewhere: true
by global id: {"a": 5, "b": 6} of n.R
Apicurio reads types within: {"a": 5, "in": {"e": "X"}, "ins": [{"e": "X"}, {"e": "X"}], "e": "X"} of n.R
Confluent reads types within: {"a": 5, "in": {"e": "X"}, "ins": [{"e": "X"}, {"e": "X"}], "e": "X"} of n.R
Apicurio reads types within: {"a": 5, "in": {"e": "X"}, "ins": [{"e": "X"}, {"e": "X"}], "e": "X"} of n.R
Confluent reads types within: {"a": 5, "in": {"e": "X"}, "ins": [{"e": "X"}, {"e": "X"}], "e": "X"} of n.R
Apicurio finds none: 404
Confluent finds none: 40403
Apicurio reads none: 404
Confluent reads none: 40403
"#;

/// What version 3 of Apicurio's API is asked besides.
const LATEST: &str = "Apicurio finds the latest: true\n";

/// A registry that serves Confluent's API and a version of Apicurio's.
struct Registry {
    confluent: String,
    apicurio: String,
}

impl Registry {
    /// The versions of Apicurio's API that are served beside Confluent's; none by a registry that isn't
    /// Apicurio's.
    fn beside(confluent: &str) -> Vec<Registry> {
        let base = confluent.strip_suffix("/apis/ccompat/v7").unwrap_or(confluent);
        let apis = ["v2", "v3"].map(|version| format!("{base}/apis/registry/{version}"));
        apis.into_iter()
            .filter(|apicurio| {
                let answer = reqwest::blocking::get(format!("{apicurio}/system/info"));
                answer.expect("the registry answers").status().is_success()
            })
            .map(|apicurio| Registry { confluent: confluent.to_owned(), apicurio })
            .collect()
    }

    /// What `SerDes.java` tells of it.
    fn answers(&self) -> String {
        java("SerDes.java", &[&self.confluent, &self.apicurio, &prefix("serdes")])
    }

    fn expected(&self) -> String {
        let latest = if self.apicurio.ends_with("v3") { LATEST } else { "" };
        format!("{ANSWERED}{latest}")
    }
}

/// What a program of `tests/registry` prints.
fn java(program: &str, arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Both bring Kafka's client and Avro. The first are taken, which are the newer.
    let classes = ["apicurio", "confluent"]
        .map(|folder| root.join("target/registry").join(folder).join("*").display().to_string());
    let mut java = Command::new("java");
    java.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(classes.join(":"))
        .arg(root.join("tests/registry").join(program))
        .args(arguments);
    let done = Running::spawn(&mut java).finish(TIMEOUT);
    assert!(done.status.success(), "{}\n{}", done.stdout, done.stderr);
    done.stdout
}

/// The program's own broker and registry.
fn own() -> Running {
    let arguments = ["broker", "--listen", "127.0.0.1:0", "--registry", "127.0.0.1:0"];
    Running::spawn(&mut command(&arguments))
}

#[test]
fn serdes_read_each_other_on_the_programs_own_registry() {
    let own = own();
    let url = own.told("Registry:");
    let mut served = Registry::beside(&url);
    assert_eq!(served.len(), 2, "both versions are served");
    // Confluent's API is at the root and where Apicurio has it.
    served[0].confluent += "/apis/ccompat/v7";
    for registry in served {
        assert_eq!(registry.answers(), registry.expected(), "{}", registry.apicurio);
    }
}

#[test]
fn serdes_read_each_other_on_the_real_registry() {
    let cluster = TestCluster::from_environment();
    for registry in Registry::beside(&cluster.registry) {
        assert_eq!(registry.answers(), registry.expected(), "{}", registry.apicurio);
    }
}

#[test]
fn serdes_read_what_was_sent() {
    let cluster = TestCluster::from_environment();
    let own = own();
    let here = (own.told("Broker:"), own.told("Registry:"));
    for (bootstrap, confluent) in [here, (cluster.bootstrap, cluster.registry)] {
        let prefix = prefix("serdes");
        let to = ["run", "-b", &bootstrap, "-r", &confluent, "--topic-prefix", &prefix];
        let load = ["--machines", "30", "--rate", "max", "--records", "5000", "--report", "-"];
        let done = run(&[&to[..], &load].concat());
        let report = done.exits(0).report();
        let topics = TOPICS.map(|topic| format!("{prefix}{topic}"));
        let sent: String = TOPICS
            .iter()
            .zip(&topics)
            .map(|(topic, name)| format!("{name} {}\n", sent(&report, topic)))
            .collect();
        for registry in Registry::beside(&confluent) {
            let mut arguments = vec![&*bootstrap, &*registry.confluent, &*registry.apicurio];
            arguments.extend(topics.iter().map(String::as_str));
            assert_eq!(java("ReadTopics.java", &arguments), sent, "{}", registry.apicurio);
        }
    }
}
