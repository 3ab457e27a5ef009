//! Security as real brokers practise it: SASL and TLS with the right credentials, and each wrong one
//! distinguished, in one line and in time; and secrets, which nothing that a run writes may hold.
//!
//! `tests/cluster/cluster up --secure` starts what is needed and names it by FLEETSTORM_TEST_*;
//! `tests/run` does so. Every test is named `secure_`, so that it can be left out.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::x509::X509;

use crate::cluster::{TestCluster, prefix, record_count, required};
use crate::support::{Finished, assert_all_acked, now_ms, run, sent};

/// How long a refusal may take.
const BOUND: Duration = Duration::from_secs(15);

const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
const OAUTH: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";

/// A folder with a Java client's properties.
struct Client {
    folder: tempfile::TempDir,
    prefix: String,
}

impl Client {
    /// A client with these properties, whose topics have a prefix of their own.
    fn new(properties: &[&str]) -> Client {
        let client = Client {
            folder: tempfile::tempdir().expect("a folder can be made"),
            prefix: format!("secure-{}", prefix("test")),
        };
        client.file("client.properties", (properties.join("\n") + "\n").as_bytes());
        client
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).expect("a file can be written");
        path
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("its path is text").to_owned()
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let file = self.path("client.properties");
        let own =
            ["run", "--command-config", &file, "--report", "-", "--topic-prefix", &self.prefix];
        let short = ["--rate", "max", "--records", "60"];
        let pace = if more.contains(&"--rate") { &[][..] } else { &short[..] };
        let all = own.iter().chain(pace).chain(more);
        all.map(|&argument| argument.to_owned()).collect()
    }

    fn run(&self, more: &[&str]) -> Finished {
        run(&self.arguments(&[&["--format", "json"], more].concat()))
    }

    /// Asserts that a run writes its records, by the broker's own count.
    #[track_caller]
    fn assert_writes(&self, more: &[&str]) -> Finished {
        let ended = self.run(more);
        let report = ended.exits(0).report();
        assert_all_acked(&report);
        let bootstrap = required("FLEETSTORM_TEST_BOOTSTRAP");
        let written = record_count(&bootstrap, &format!("{}telemetry", self.prefix));
        assert_eq!(written, sent(&report, "telemetry"));
        ended
    }

    /// Asserts that a run is refused in time, in words of its own.
    #[track_caller]
    fn assert_refused(&self, more: &[&str], words: &[&str]) {
        let ended = self.run(more);
        ended.fails(11, words);
        assert!(ended.took < BOUND, "it took {:?}", ended.took);
        assert_eq!(ended.stdout, "", "there is no report of a run that did not begin");
    }
}

fn secure(name: &str) -> String {
    format!("{}/{name}", required("FLEETSTORM_TEST_SECURE_DIR"))
}

/// Properties of a user by SASL, under TLS.
fn sasl(mechanism: &str, module: &str, user: &str, password: &str) -> Vec<String> {
    vec![
        format!("bootstrap.servers={}", required("FLEETSTORM_TEST_SASL_SSL_BOOTSTRAP")),
        "security.protocol=SASL_SSL".to_owned(),
        "ssl.truststore.type=PEM".to_owned(),
        format!("ssl.truststore.location={}", secure("ca.pem")),
        format!("sasl.mechanism={mechanism}"),
        format!("sasl.jaas.config={module} required username=\"{user}\" password=\"{password}\";"),
    ]
}

/// Properties of a client by its certificate, which stands beside its key in a file.
fn mutual(file: &str) -> Vec<String> {
    vec![
        format!("bootstrap.servers={}", required("FLEETSTORM_TEST_SSL_BOOTSTRAP")),
        "security.protocol=SSL".to_owned(),
        "ssl.truststore.type=PEM".to_owned(),
        format!("ssl.truststore.location={}", secure("ca.pem")),
        "ssl.keystore.type=PEM".to_owned(),
        format!("ssl.keystore.location={}", secure(file)),
    ]
}

fn client(properties: Vec<String>) -> Client {
    Client::new(&properties.iter().map(String::as_str).collect::<Vec<_>>())
}

// --- the right credentials ---------------------------------------------------------------------

#[test]
fn secure_plain_works_with_and_without_tls() {
    let client = client(sasl("PLAIN", PLAIN, "writer", "plain-secret"));
    client.assert_writes(&[]);
    let bootstrap = required("FLEETSTORM_TEST_SASL_BOOTSTRAP");
    let without = ["-b", &bootstrap, "-X", "security.protocol=SASL_PLAINTEXT"];
    client.run(&without).exits(0);
}

#[test]
fn secure_scram_works() {
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        client(sasl(mechanism, SCRAM, "writer", "scram-secret")).assert_writes(&[]);
    }
}

#[test]
fn secure_mutual_tls_works_by_every_kind_of_store() {
    for client in clients_by_certificate() {
        let ended = client.assert_writes(&["--rate", "max", "--records", "30000"]);
        assert!(ended.stderr.contains("Producer:  direct"), "{}", ended.stderr);
    }
    for client in clients_by_certificate() {
        client.assert_writes(&["--transport", "librdkafka"]);
    }
}

#[test]
fn secure_sasl_is_left_to_librdkafka() {
    let client = client(sasl("PLAIN", PLAIN, "writer", "plain-secret"));
    let ended = client.run(&[]);
    ended.exits(0);
    assert!(ended.stderr.contains("Producer:  librdkafka"), "{}", ended.stderr);
    client.run(&["--transport", "direct"]).fails(2, &["direct", "SASL", "librdkafka"]);
}

/// Clients with the same certificate, each by another kind of store.
fn clients_by_certificate() -> [Client; 3] {
    let by_file = client(mutual("writer.pem"));

    let pem = fs::read(secure("writer.pem")).expect("the certificate is there");
    let key = PKey::private_key_from_pem(&pem).expect("the key stands beside it");
    let certificate = X509::from_pem(&pem).expect("it is a certificate");
    let store = Pkcs12::builder()
        .pkey(&key)
        .cert(&certificate)
        .build2("store-secret")
        .and_then(|store| store.to_der())
        .expect("a PKCS #12 file can be made");
    let by_store = client(mutual("writer.pem")[..4].to_vec());
    let path = by_store.file("writer.p12", &store);
    let mut properties = mutual("writer.pem")[..4].to_vec();
    properties.push(format!("ssl.keystore.location={}", path.display()));
    properties.push("ssl.keystore.password=store-secret".to_owned());
    by_store.file("client.properties", properties.join("\n").as_bytes());

    // In the file itself, on one line.
    let line = |pem: Vec<u8>| String::from_utf8(pem).expect("PEM is text").replace('\n', "");
    let ca = fs::read(secure("ca.pem")).expect("the authority is there");
    let mut properties = mutual("writer.pem")[..3].to_vec();
    properties.extend([
        format!("ssl.truststore.certificates={}", line(ca)),
        "ssl.keystore.type=PEM".to_owned(),
        format!(
            "ssl.keystore.certificate.chain={}",
            line(certificate.to_pem().expect("it can be written"))
        ),
        format!(
            "ssl.keystore.key={}",
            line(key.private_key_to_pem_pkcs8().expect("it can be written"))
        ),
    ]);
    [by_file, by_store, client(properties)]
}

#[test]
fn secure_tokens_work_for_runs_and_their_verification() {
    let url = authorisation_server();
    let client = client(oauth(&url, "client-secret"));
    let report = client.assert_writes(&[]).stdout;
    let manifest = client.file("run.json", report.as_bytes());
    let arguments =
        ["verify", "--manifest", manifest.to_str().expect("its path is text"), "--command-config"];
    let file = client.path("client.properties");
    let ended = run(&[&arguments[..], &[&file]].concat());
    ended.exits(0);
}

#[test]
fn secure_a_run_outlasts_its_tokens() {
    // The broker ends a connection with the token that it was opened with.
    let url = authorisation_server();
    let client = client(oauth(&format!("{url}?lasts=3"), "client-secret"));
    client.assert_writes(&["--rate", "100", "--records", "1200"]);
}

// --- the wrong ones ----------------------------------------------------------------------------

#[test]
fn secure_a_wrong_password_is_told_so() {
    let words = ["refuses the user and password", "sasl.password"];
    client(sasl("PLAIN", PLAIN, "writer", "wrong-secret")).assert_refused(&[], &words);
    client(sasl("SCRAM-SHA-256", SCRAM, "writer", "wrong-secret")).assert_refused(&[], &words);
    client(sasl("SCRAM-SHA-512", SCRAM, "nobody", "scram-secret")).assert_refused(&[], &words);
}

#[test]
fn secure_a_mechanism_that_the_broker_lacks_is_told_so() {
    client(sasl("SCRAM-SHA-1", SCRAM, "writer", "scram-secret")).assert_refused(
        &[],
        &["doesn't support the SASL mechanism", "SCRAM-SHA-512", "sasl.mechanism"],
    );
}

#[test]
fn secure_a_user_who_may_see_topics_and_not_write_them_is_told_so() {
    let cluster = TestCluster::from_environment();
    let mut client = client(sasl("PLAIN", PLAIN, "limited", "plain-secret"));
    client.prefix = format!("described-{}", prefix("test"));
    cluster.create_all(&client.prefix, &[]);
    client.assert_refused(&[], &["not authorised to write to", &client.prefix, "WRITE"]);
}

#[test]
fn secure_a_user_without_rights_is_told_so() {
    let limited = client(sasl("PLAIN", PLAIN, "limited", "plain-secret"));
    let topic = format!("`{}telemetry`", limited.prefix);
    limited.assert_refused(&[], &["not authorised", &topic, "ACL"]);
    let limited = client(mutual("limited.pem"));
    let topic = format!("`{}telemetry`", limited.prefix);
    limited.assert_refused(&[], &["not authorised", &topic, "ACL"]);
}

#[test]
fn secure_a_certificate_that_is_not_trusted_is_told_so() {
    let ca = format!("ssl.ca.location={}", secure("other-ca.pem"));
    client(sasl("PLAIN", PLAIN, "writer", "plain-secret"))
        .assert_refused(&["-X", &ca], &["certificate that isn't trusted here", "ssl.ca.location"]);
}

#[test]
fn secure_a_certificate_for_another_host_is_told_so() {
    let localhost = required("FLEETSTORM_TEST_SASL_SSL_BOOTSTRAP");
    let by_number = localhost.replace("localhost", "127.0.0.1");
    let client = client(sasl("PLAIN", PLAIN, "writer", "plain-secret"));
    client.assert_refused(
        &["-b", &by_number],
        &["certificate for another host name", "ssl.endpoint.identification.algorithm"],
    );
    // An empty algorithm is how Java clients do without the check.
    let mut unchecked = sasl("PLAIN", PLAIN, "writer", "plain-secret");
    unchecked.push("ssl.endpoint.identification.algorithm=".to_owned());
    self::client(unchecked).assert_writes(&["-b", &by_number]);
}

#[test]
fn secure_a_certificate_that_has_expired_is_told_so() {
    let bootstrap = required("FLEETSTORM_TEST_EXPIRED_BOOTSTRAP");
    client(mutual("writer.pem"))
        .assert_refused(&["-b", &bootstrap], &["certificate that has expired", "renew"]);
}

#[test]
fn secure_a_client_certificate_that_is_missing_or_unknown_is_told_so() {
    client(mutual("writer.pem")[..4].to_vec())
        .assert_refused(&[], &["requires a client certificate", "ssl.keystore.location"]);
    client(mutual("stranger.pem")).assert_refused(&[], &["refuses the client certificate"]);
}

#[test]
fn secure_a_port_without_tls_is_told_so() {
    let bootstrap = required("FLEETSTORM_TEST_BOOTSTRAP");
    client(mutual("writer.pem"))
        .assert_refused(&["-b", &bootstrap], &["doesn't speak TLS", "security.protocol"]);
}

#[test]
fn secure_a_token_that_cannot_be_had_is_told_so() {
    let url = authorisation_server();
    client(oauth(&url, "wrong-secret"))
        .assert_refused(&[], &["token", "401 Unauthorized", "invalid_client", &url]);
    client(oauth("http://127.0.0.1:1/token", "client-secret"))
        .assert_refused(&[], &["token", "http://127.0.0.1:1/token", "refused"]);
    // One that takes the question and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = silent.local_addr().expect("it has an address");
    client(oauth(&format!("http://{address}/token"), "client-secret"))
        .assert_refused(&[], &["token", &address.to_string(), "timed out"]);
    // Not one that the broker takes.
    client(oauth(&format!("{url}?lasts=-600"), "client-secret"))
        .assert_refused(&[], &["token", "sasl.oauthbearer.client.id"]);
}

// --- tokens ------------------------------------------------------------------------------------

fn oauth(url: &str, secret: &str) -> Vec<String> {
    vec![
        format!("bootstrap.servers={}", required("FLEETSTORM_TEST_SASL_BOOTSTRAP")),
        "security.protocol=SASL_PLAINTEXT".to_owned(),
        "sasl.mechanism=OAUTHBEARER".to_owned(),
        format!("sasl.oauthbearer.token.endpoint.url={url}"),
        format!(
            "sasl.jaas.config={OAUTH} required clientId=\"fleet\" clientSecret=\"{secret}\" \
             scope=\"kafka\" extension_purpose=\"load\";"
        ),
    ]
}

/// A server that gives the client `fleet` with `client-secret` a token for the user `writer`, for
/// ten minutes or as many seconds as the URL says. It ends with the test's process.
fn authorisation_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/token", listener.local_addr().expect("it has an address"));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _hung_up = grant(stream);
        }
    });
    url
}

fn grant(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"scope=kafka") && stream.read(&mut byte)? == 1 {
        request.push(byte[0]);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let known = format!("Basic {}", STANDARD.encode("fleet:client-secret"));
    let is_known = request.contains(&known) && request.contains("grant_type=client_credentials");
    let (status, body) = if is_known {
        let now = now_ms() / 1000;
        let asked = request.split_once("?lasts=").and_then(|(_, rest)| rest.split(' ').next());
        let lasts: i64 = asked.map_or(600, |seconds| seconds.parse().expect("these are seconds"));
        let ends = now + lasts;
        let claims = format!(r#"{{"sub":"writer","iat":{},"exp":{ends}}}"#, now - 900);
        let token = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
            URL_SAFE_NO_PAD.encode(claims)
        );
        ("200 OK", format!(r#"{{"access_token":"{token}","expires_in":{lasts}}}"#))
    } else {
        ("401 Unauthorized", r#"{"error":"invalid_client"}"#.to_owned())
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

// --- secrets -----------------------------------------------------------------------------------

/// Asserts that a run writes none of `secrets` anywhere, with all that it can say.
#[track_caller]
fn assert_silent(client: &Client, more: &[&str], code: i32, secrets: &[&str]) {
    let (report, log) = (client.path("report.json"), client.path("latency.hlog"));
    let mut arguments = client.arguments(&[more, &["-vv", "--hdr-log", &log]].concat());
    let at = arguments.iter().position(|argument| argument == "-").expect("it reports to stdout");
    arguments[at].clone_from(&report);
    let ended = run(&arguments);
    ended.exits(code);
    assert!(ended.stderr.len() > 1000, "it says much:\n{}", ended.stderr);
    // A run that could not begin writes no report.
    let read = |path: &str| match fs::read_to_string(path) {
        Err(_) if code != 0 => String::new(),
        text => text.expect("what was asked for is written"),
    };
    for (what, text) in [
        ("stdout", &ended.stdout),
        ("stderr", &ended.stderr),
        ("the report", &read(&report)),
        ("the log of latencies", &read(&log)),
    ] {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret:?} is in {what}:\n{text}");
        }
    }
}

#[test]
fn secure_no_secret_is_written_anywhere() {
    let registry = required("FLEETSTORM_TEST_REGISTRY");
    for (password, code) in [("plain-secret", 0), ("wrong-secret", 11)] {
        let mut properties = sasl("PLAIN", PLAIN, "writer", password);
        properties.push(format!("schema.registry.url={registry}"));
        properties.push("basic.auth.credentials.source=USER_INFO".to_owned());
        properties.push("basic.auth.user.info=ann:registry-secret".to_owned());
        let secrets = [password, "registry-secret", &STANDARD.encode("ann:registry-secret")];
        let client = client(properties);
        assert_silent(&client, &["-X", "debug=all"], code, &secrets);
        // On the command line they are warned of, and no more shown.
        let given = format!("sasl.password={password}");
        let more = ["-X", &given, "--registry-token", "registry-secret"];
        assert_silent(&client, &more, code, &secrets);
        let ended = run(&client.arguments(&more));
        let warned = ended.stderr.lines().filter(|line| line.contains("list of processes"));
        let [warning] = warned.collect::<Vec<_>>()[..] else {
            panic!("one warning:\n{}", ended.stderr);
        };
        for word in ["-X sasl.password", "--registry-token", "--command-config"] {
            assert!(warning.contains(word), "{word:?} is in: {warning}");
        }
    }
}

#[test]
fn secure_no_client_secret_and_no_token_is_written_anywhere() {
    let url = authorisation_server();
    for (secret, code) in [("client-secret", 0), ("wrong-secret", 11)] {
        let secrets = [secret, &STANDARD.encode(format!("fleet:{secret}")), "eyJhbGciOiJub25lIn0"];
        let client = client(oauth(&url, secret));
        assert_silent(&client, &["--format", "json", "-X", "debug=all"], code, &secrets);
    }
}

#[test]
fn secure_no_password_of_a_key_is_written_anywhere() {
    let mut properties = mutual("writer.pem");
    properties.push("ssl.key.password=key-secret".to_owned());
    assert_silent(
        &client(properties),
        &["--format", "json", "-X", "debug=all"],
        0,
        &["key-secret", "PRIVATE KEY"],
    );
}
