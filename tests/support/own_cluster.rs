//! A cluster of a test's own, whose brokers it may hold still, kill and start again.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::support::Running;

/// A cluster; dropped, it ends.
pub struct OwnCluster {
    dir: PathBuf,
    pub bootstrap: String,
    pub registry: Option<String>,
    /// Where users come by certificate, on a cluster started with --secure.
    pub tls: Option<Tls>,
}

/// A listener that asks for certificates, and the folder that holds some.
pub struct Tls {
    pub bootstrap: String,
    dir: PathBuf,
}

impl OwnCluster {
    /// Starts the cluster of this name with more options of `cluster up`.
    pub fn start(name: &str, options: &[&str]) -> OwnCluster {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/cluster").join(name);
        let mut cluster = OwnCluster { dir, bootstrap: String::new(), registry: None, tls: None };
        // What a run that was killed may have left.
        cluster.call(&["down"]);
        cluster.call(&[&["up"], options].concat());
        let env = std::fs::read_to_string(cluster.dir.join("env")).expect("`up` keeps addresses");
        let value = |name: &str| {
            let mut values = env.lines().filter_map(|line| line.strip_prefix(name));
            values.next().map(str::to_owned)
        };
        cluster.bootstrap = value("FLEETSTORM_TEST_BOOTSTRAP=").expect("the broker has an address");
        cluster.registry = value("FLEETSTORM_TEST_REGISTRY=");
        cluster.tls = value("FLEETSTORM_TEST_SSL_BOOTSTRAP=")
            .zip(value("FLEETSTORM_TEST_SECURE_DIR="))
            .map(|(bootstrap, dir)| Tls { bootstrap, dir: dir.into() });
        cluster
    }

    /// Calls the script that the cluster was started by.
    pub fn call(&self, arguments: &[&str]) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/cluster");
        let mut command = Command::new(script);
        command.args(arguments).arg("--dir").arg(&self.dir);
        let done = Running::spawn(&mut command).finish(Duration::from_secs(180));
        assert!(done.status.success(), "{arguments:?}: {}{}", done.stdout, done.stderr);
    }

    /// The port of broker `number` itself.
    pub fn port(&self, number: u32) -> u16 {
        let path = self.dir.join(format!("broker-{number}.port"));
        let text = std::fs::read_to_string(path).expect("`up` keeps ports");
        text.trim().parse().expect("it is a port")
    }

    /// Ends the registry at once.
    pub fn kill_registry(&self) {
        let pid = std::fs::read_to_string(self.dir.join("registry.pid")).expect("there is one");
        let killed =
            Command::new("sh").args(["-c", &format!("kill -KILL {}", pid.trim())]).status();
        assert!(killed.expect("there is a shell").success());
    }
}

impl Tls {
    /// The path of a file of certificates.
    pub fn file(&self, name: &str) -> String {
        self.dir.join(name).to_str().expect("its path is text").to_owned()
    }
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/cluster");
        let _gone = Command::new(script).arg("down").arg("--dir").arg(&self.dir).output();
    }
}
