//! What `fleetstorm doctor` makes of brokers and registries that are not as they should be, all of
//! the test's own making: a tcp port that says what a test wants, an embedded broker, and a broker
//! behind a relay that turns what it says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use fleetstorm::sink::embedded::EmbeddedBroker;

use crate::support::{Finished, check, run};

/// No doctor of these tests may take longer: what it is given to connect, once for the brokers and
/// once for the registry, and what a client's end takes.
const BOUND: Duration = Duration::from_secs(20);

/// The doctor's exit code and report.
fn doctor(arguments: &[&str]) -> Finished {
    let common = ["doctor", "--report", "-", "--connect-timeout", "4s", "--registry-timeout", "4s"];
    let ended = run(&[&common[..], arguments].concat());
    assert!(ended.took < BOUND, "it took {:?}", ended.took);
    ended
}

/// Asserts that check `name` failed for `seen`, advises `fix`, and decides the exit code.
#[track_caller]
fn assert_fails(ended: &Finished, name: &str, code: i64, seen: &[&str], fix: &[&str]) {
    let check = check(ended, name);
    assert_eq!(check["state"], "fail", "{check}");
    assert_eq!(check["exit_code"], code, "{check}");
    let holds = |key: &str, words: &[&str]| {
        let text = check[key].as_str().unwrap_or_default();
        for word in words {
            assert!(text.contains(word), "{word:?} is in: {text}");
        }
    };
    holds("seen", seen);
    holds("fix", fix);
    assert_eq!(i64::from(ended.status.code().unwrap_or(-1)), code, "{}", ended.stderr);
    assert!(ended.stderr.contains("FAIL"), "{}", ended.stderr);
    assert_eq!(ended.report()["exit_code"], code);
}

/// Serves every connection to a free port by `serve`, on threads that end with the test's process.
fn port(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A port that says `bytes` to everybody, once it was asked something, and hangs up.
fn saying(bytes: impl Into<Vec<u8>>) -> String {
    let bytes = bytes.into();
    port(move |mut stream| {
        let mut asked = [0; 4096];
        let _hung_up = stream.read(&mut asked);
        let _hung_up = stream.write_all(&bytes);
    })
}

fn http(head: &str, body: &str) -> String {
    saying(format!(
        "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    ))
}

fn copy(mut from: TcpStream, mut to: TcpStream, turn: impl Fn(&mut [u8])) {
    let mut chunk = vec![0; 64 << 10];
    while let Ok(n) = from.read(&mut chunk) {
        if n == 0 {
            break;
        }
        turn(&mut chunk[..n]);
        if to.write_all(&chunk[..n]).is_err() {
            break;
        }
    }
    let _gone = to.shutdown(std::net::Shutdown::Both);
}

/// A relay to `broker` that turns what it answers.
fn relay(broker: &str, turn: impl Fn(&mut [u8]) + Send + Sync + Clone + 'static) -> String {
    let broker = broker.to_owned();
    port(move |client| {
        let Ok(server) = TcpStream::connect(&broker) else { return };
        let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else {
            return;
        };
        thread::spawn(move || copy(from_client, to_server, |_| {}));
        copy(server, client, turn.clone());
    })
}

// --- brokers -----------------------------------------------------------------------------------

#[test]
fn a_broker_and_a_registry_that_are_well_are_told_so() {
    let broker = EmbeddedBroker::start().expect("an embedded broker starts");
    let registry = http("200 OK", r#"["a-value","b-value"]"#);
    let url = format!("http://{registry}");
    let ended = doctor(&["-b", &broker.address(), "-r", &url]);
    ended.exits(0);
    let report = ended.report();
    assert_eq!(report["well"], true);
    for name in ["address", "protocol", "login", "listeners", "topics", "registry"] {
        assert_eq!(check(&ended, name)["state"], "ok", "{report}");
    }
    assert!(check(&ended, "registry")["seen"].as_str().unwrap_or_default().contains("2 subjects"));
    // Without a report, the lines are the output.
    let ended = run(&["doctor", "-r", &url]);
    ended.exits(0);
    assert!(ended.stdout.starts_with("ok    registry"), "{}", ended.stdout);
}

#[test]
fn nothing_to_examine_is_a_usage_error() {
    let ended = run(&["doctor"]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains("--bootstrap-server"), "{}", ended.stderr);
    for wrong in ["127.0.0.1:x", ":9092", ","] {
        assert_eq!(run(&["doctor", "-b", wrong]).status.code(), Some(2), "{wrong}");
    }
    assert_eq!(run(&["doctor", "-r", "localhost:8081"]).status.code(), Some(2));
}

#[test]
fn nobody_at_the_address_is_told_apart_from_an_unknown_name() {
    let ended = doctor(&["-b", "127.0.0.1:1"]);
    assert_fails(&ended, "address", 10, &["127.0.0.1:1", "refused"], &["start the broker"]);
    assert_eq!(check(&ended, "login")["state"], "skip");
    let ended = doctor(&["-b", "broker.invalid:9092"]);
    assert_fails(&ended, "address", 10, &["broker.invalid:9092", "name"], &["DNS"]);
}

#[test]
fn one_address_of_several_is_enough_with_a_warning() {
    let broker = EmbeddedBroker::start().expect("an embedded broker starts");
    let ended = doctor(&["-b", &format!("127.0.0.1:1,{}", broker.address())]);
    ended.exits(0);
    let check = check(&ended, "address");
    assert_eq!(check["state"], "warn", "{check}");
}

#[test]
fn an_advertised_listener_that_is_closed_is_named_with_the_setting() {
    let broker = EmbeddedBroker::start().expect("an embedded broker starts");
    let address = broker.address();
    let port: u16 = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap();
    // The port as metadata writes it: four bytes, of which the last two are turned into port 1.
    let (written, closed) = (u32::from(port).to_be_bytes(), 1u32.to_be_bytes());
    let bootstrap = relay(&address, move |bytes| {
        for at in 0..bytes.len().saturating_sub(3) {
            if bytes[at..at + 4] == written {
                bytes[at..at + 4].copy_from_slice(&closed);
            }
        }
    });
    let ended = doctor(&["-b", &bootstrap]);
    let seen = ["127.0.0.1:1", "refused", "can't be reached"];
    assert_fails(&ended, "listeners", 10, &seen, &["advertised.listeners", &bootstrap]);
    assert_eq!(check(&ended, "login")["state"], "ok");
}

#[test]
fn what_is_no_broker_is_called_what_it_is() {
    let ended = doctor(&["-b", &http("404 Not Found", "no")]);
    assert_fails(&ended, "protocol", 10, &["HTTP"], &["port"]);
    let ended = doctor(&["-b", &saying("220 mail.example ESMTP\r\n")]);
    assert_fails(&ended, "protocol", 10, &["not as a broker does"], &["port"]);
    let ended = doctor(&["-b", &port(drop)]);
    assert_fails(&ended, "protocol", 10, &["closes the connection"], &["listener"]);
    let ended = doctor(&["-b", &port(|_stream| thread::sleep(BOUND))]);
    assert_fails(&ended, "protocol", 10, &["never answers"], &["held up"]);
}

#[test]
fn garbage_after_a_right_beginning_is_survived_in_time() {
    // A right answer's beginning, and then what it likes: at once, drop by drop, and without an end.
    let mut begun = b"\0\0\x40\0fsdr".to_vec();
    begun.extend((0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8));
    let ended = doctor(&["-b", &saying(begun)]);
    assert_fails(&ended, "login", 10, &["nothing more"], &["security.protocol"]);
    let endless = port(|mut stream| {
        let _hung_up = stream.read(&mut [0; 4096]);
        let _hung_up = stream.write_all(b"\0\0\x40\0fsdr");
        while stream.write_all(&[0xa5; 4096]).is_ok() {}
    });
    assert_fails(&doctor(&["-b", &endless]), "login", 10, &["nothing more"], &[]);
    let dripping = port(|mut stream| {
        let _hung_up = stream.read(&mut [0; 4096]);
        while stream.write_all(b"\0").is_ok() {
            thread::sleep(Duration::from_millis(300));
        }
    });
    let ended = doctor(&["-b", &dripping]);
    assert_eq!(check(&ended, "protocol")["state"], "fail", "{}", ended.stderr);
}

#[test]
fn a_greeting_that_is_answered_and_nothing_more_suggests_a_login() {
    let broker = EmbeddedBroker::start().expect("an embedded broker starts");
    let address = broker.address();
    // Takes the first answer, as of a listener that wants a login, and hangs up on what follows.
    let guarded = port(move |mut client| {
        let Ok(mut server) = TcpStream::connect(&address) else { return };
        let mut chunk = [0; 64 << 10];
        for _ in 0..1 {
            let Ok(n) = client.read(&mut chunk) else { return };
            if server.write_all(&chunk[..n]).is_err() {
                return;
            }
            let Ok(n) = server.read(&mut chunk) else { return };
            if client.write_all(&chunk[..n]).is_err() {
                return;
            }
        }
        let _asked = client.read(&mut chunk);
    });
    let ended = doctor(&["-b", &guarded]);
    assert_fails(&ended, "login", 10, &["greeting"], &["SASL_PLAINTEXT", "sasl.username"]);
}

#[test]
fn settings_that_the_client_refuses_are_usage_errors() {
    let broker = EmbeddedBroker::start().expect("an embedded broker starts");
    let ended = doctor(&["-b", &broker.address(), "-X", "no.such=1"]);
    assert_fails(&ended, "login", 2, &["no.such"], &["CONFIGURATION.md"]);
}

// --- TLS ---------------------------------------------------------------------------------------

#[cfg(feature = "tls")]
mod tls {
    use std::sync::Arc;

    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use openssl::ssl::{SslAcceptor, SslMethod};
    use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
    use openssl::x509::{X509, X509NameBuilder};

    use super::*;

    /// A port that opens TLS with a certificate of its own making, and then hangs up. Returns the
    /// certificate as PEM, too.
    fn serve() -> (String, Vec<u8>) {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", "localhost").unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(10).unwrap()).unwrap();
        builder.append_extension(BasicConstraints::new().ca().build().unwrap()).unwrap();
        let names = SubjectAlternativeName::new()
            .dns("localhost")
            .ip("127.0.0.1")
            .build(&builder.x509v3_context(None, None))
            .unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build();
        let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls()).unwrap();
        acceptor.set_private_key(&key).unwrap();
        acceptor.set_certificate(&certificate).unwrap();
        let acceptor = Arc::new(acceptor.build());
        let address = port(move |stream| {
            if let Ok(mut stream) = acceptor.accept(stream) {
                let _hung_up = stream.read(&mut [0; 4096]);
            }
        });
        (address, certificate.to_pem().unwrap())
    }

    #[test]
    fn plain_words_to_tls_and_tls_to_plain_words_are_told() {
        let (address, _) = serve();
        let ended = doctor(&["-b", &address]);
        assert_fails(
            &ended,
            "protocol",
            10,
            &["speaks TLS", "PLAINTEXT"],
            &["security.protocol=SSL"],
        );
        let login = ["-X", "security.protocol=sasl_plaintext"];
        let ended = doctor(&[&["-b", &address][..], &login].concat());
        assert_fails(&ended, "protocol", 10, &["speaks TLS"], &["security.protocol=SASL_SSL"]);
        let broker = EmbeddedBroker::start().expect("an embedded broker starts");
        let ended = doctor(&["-b", &broker.address(), "-X", "security.protocol=ssl"]);
        let fix = ["security.protocol=PLAINTEXT"];
        assert_fails(&ended, "protocol", 11, &["without TLS", "SSL"], &fix);
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_with_the_property() {
        let (address, pem) = serve();
        let ended = doctor(&["-b", &address, "-X", "security.protocol=ssl"]);
        assert_fails(&ended, "login", 11, &["certificate"], &["ssl.ca.location"]);
        // Trusted, it is let in, and finds no broker behind it.
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        std::fs::write(&path, pem).unwrap();
        let authority = format!("ssl.ca.location={}", path.display());
        let ended = doctor(&["-b", &address, "-X", "security.protocol=ssl", "-X", &authority]);
        assert_fails(&ended, "login", 10, &["nothing more"], &[]);
    }

    #[test]
    fn a_run_ends_with_the_same_codes() {
        let (address, _) = serve();
        let broker = EmbeddedBroker::start().expect("an embedded broker starts").address();
        let codes = |arguments: &[&str]| {
            let ended =
                run(&[&["run", "--format", "json", "--connect-timeout", "2s"], arguments].concat());
            (ended.status.code(), doctor(arguments).status.code())
        };
        for arguments in [
            &["-b", "127.0.0.1:1"][..],
            &["-b", &address],
            &["-b", &broker, "-X", "security.protocol=ssl"],
            &["-b", &address, "-X", "security.protocol=ssl"],
        ] {
            let (of_run, of_doctor) = codes(arguments);
            assert_eq!(of_run, of_doctor, "{arguments:?}");
        }
    }
}

// --- registries --------------------------------------------------------------------------------

/// The doctor of a registry at `address`.
fn registry(address: &str, more: &[&str]) -> Finished {
    let url = format!("http://{address}");
    doctor(&[&["-r", &url], more].concat())
}

#[test]
fn a_registry_that_is_absent_or_refuses_is_told_so() {
    let ended = registry("127.0.0.1:1", &[]);
    assert_fails(&ended, "registry", 20, &["refused"], &["start the registry"]);
    let ended = registry("registry.invalid:80", &[]);
    assert_fails(&ended, "registry", 20, &["registry.invalid"], &["host"]);
    let guarded = http("401 Unauthorized", "{}");
    assert_fails(&registry(&guarded, &[]), "registry", 21, &["401"], &["--registry-basic-auth"]);
    let ended = registry(&guarded, &["--registry-basic-auth", "ann:wrong-secret"]);
    assert_fails(&ended, "registry", 21, &["401"], &["check the user"]);
    assert!(!ended.stderr.contains("wrong-secret") && !ended.stdout.contains("wrong-secret"));
    let ended = registry(&http("403 Forbidden", "{}"), &[]);
    assert_fails(&ended, "registry", 21, &["403"], &["right"]);
    let ended = registry(&http("503 Service Unavailable", ""), &[]);
    assert_fails(&ended, "registry", 20, &["503", "not ready"], &["log"]);
    let ended = registry(&http("500 Internal Server Error", "{}"), &[]);
    assert_fails(&ended, "registry", 23, &["500"], &["log"]);
}

#[test]
fn a_wrong_path_is_told_with_the_likely_one() {
    // A page at the root, and the registry where Apicurio has it.
    let address = port(|mut stream| {
        let mut asked = [0; 4096];
        let n = stream.read(&mut asked).unwrap_or(0);
        let here = asked[..n].starts_with(b"GET /apis/ccompat/v7/subjects ");
        let (status, body) = if here { ("200 OK", "[]") } else { ("404 Not Found", "<html>") };
        let _hung_up = write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
    });
    let likely = format!("http://{address}/apis/ccompat/v7");
    for path in ["", "/", "/api", "/apis/registry/v2"] {
        let ended = registry(&format!("{address}{path}"), &[]);
        assert_fails(&ended, "registry", 23, &["404", "page"], &[&likely]);
    }
    registry(&format!("{address}/apis/ccompat/v7"), &[]).exits(0);
    let ended = registry(&http("200 OK", "<html>It works!</html>"), &[]);
    assert_fails(&ended, "registry", 23, &["no registry"], &["/apis/ccompat/v7"]);
    let moved = http("302 Found\r\nLocation: http://127.0.0.1:1/login", "");
    assert_fails(&registry(&moved, &[]), "registry", 23, &["302", "/login"], &["path"]);
}

#[test]
fn a_registry_that_answers_garbage_or_without_an_end_is_survived_in_time() {
    let ended = registry(&saying(b"\x15\x03\x03\0\x02\x02\x50 \r\n\r\n".to_vec()), &[]);
    assert_fails(&ended, "registry", 23, &["HTTP"], &["https://"]);
    let ended = registry(&saying(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[".to_vec()), &[]);
    assert_eq!(check(&ended, "registry")["state"], "fail");
    for slowly in [false, true] {
        let endless = port(move |mut stream| {
            let _hung_up = stream.read(&mut [0; 4096]);
            let _hung_up = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[");
            while stream.write_all(b"1").is_ok() {
                if slowly {
                    thread::sleep(Duration::from_millis(200));
                }
            }
        });
        let ended = registry(&endless, &[]);
        assert_fails(&ended, "registry", 23, &["no registry"], &[]);
    }
    let silent = port(|_stream| thread::sleep(BOUND));
    assert_fails(&registry(&silent, &[]), "registry", 20, &["in time"], &[]);
}

#[test]
fn a_clock_that_differs_is_told_with_its_direction() {
    let at = |date: &str| http(&format!("200 OK\r\nDate: {date}"), "[]");
    let ended = registry(&at("Thu, 01 Jan 2099 00:00:00 GMT"), &[]);
    ended.exits(0);
    let told = check(&ended, "clock");
    assert_eq!(told["state"], "warn", "{told}");
    assert!(told["seen"].as_str().unwrap_or_default().contains("behind"), "{told}");
    let ended = registry(&at("Sat, 01 Jan 2000 00:00:00 GMT"), &[]);
    assert_fails(&ended, "clock", 12, &["ahead"], &["NTP"]);
    let ended = registry(&at("once upon a time"), &[]);
    ended.exits(0);
    assert_eq!(check(&ended, "clock")["state"], "skip");
}
