//! The client against a registry that answers what a test wants.

#[cfg(feature = "tls")]
mod tls;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fleetstorm_registry::SchemaRegistry;
use parking_lot::Mutex;

use super::{MOST_BYTES, Registry, RegistryAuth, RegistryError, RegistrySettings, SchemaId};

/// What the stub does with a connection.
#[derive(Clone)]
enum Reply {
    /// Status line and headers' remainder, then the body.
    Answer(&'static str, String),
    /// These bytes, whatever was asked.
    Raw(Vec<u8>),
    /// Nothing, for longer than any test's deadline.
    Hang,
}

fn json(status: &'static str, body: &str) -> Reply {
    Reply::Answer(status, body.to_owned())
}

fn ok(id: u32) -> Reply {
    json("200 OK", &format!(r#"{{"id":{id}}}"#))
}

/// What a registry says of a subject (40401), or of a schema in it (40403), that it doesn't have.
fn missing(code: u32) -> Reply {
    json("404 Not Found", &format!(r#"{{"error_code":{code},"message":"not found"}}"#))
}

/// A registry that gives its replies in turn, and the last one forever.
struct Stub {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    fn new(replies: Vec<Reply>) -> Stub {
        Stub::on(TcpListener::bind("127.0.0.1:0").unwrap(), replies)
    }

    /// Where nothing is registered yet: look-ups find nothing, and don't count.
    fn on(listener: TcpListener, replies: Vec<Reply>) -> Stub {
        Stub::answering(listener, replies, false)
    }

    /// One that gives its replies to look-ups as well.
    fn to_all(replies: Vec<Reply>) -> Stub {
        Stub::answering(TcpListener::bind("127.0.0.1:0").unwrap(), replies, true)
    }

    fn answering(listener: TcpListener, replies: Vec<Reply>, look_ups: bool) -> Stub {
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        thread::spawn(move || {
            let mut hung = Vec::new();
            let mut replies = replies.into_iter();
            let mut last = None;
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read_request(&mut stream);
                let line = request.lines().next().unwrap_or_default();
                let looks_up = line.starts_with("POST ") && !line.contains("/versions ");
                let reply = if looks_up && !look_ups {
                    missing(40403)
                } else {
                    last = replies.next().or(last);
                    seen.lock().push(request);
                    last.clone().unwrap()
                };
                match reply {
                    Reply::Answer(head, body) => {
                        let length = body.len();
                        let _ = write!(
                            stream,
                            "HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\
                             Connection: close\r\n\r\n{body}"
                        );
                    }
                    Reply::Raw(bytes) => drop(stream.write_all(&bytes)),
                    Reply::Hang => hung.push(stream),
                }
            }
        });
        Stub { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut request = String::new();
    let mut byte = [0];
    while !request.ends_with("\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        request.push(char::from(byte[0]));
    }
    let length = request
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    request + &String::from_utf8(body).unwrap()
}

fn registry(url: &str, deadline: Duration) -> Registry {
    let mut settings = RegistrySettings::new(url);
    settings.deadline = deadline;
    Registry::new(&settings).unwrap()
}

const SHORT: Duration = Duration::from_millis(600);
const LONG: Duration = Duration::from_secs(20);
const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[]}"#;

/// The error that a reply leads to at once, with the stub's address made `URL`.
fn error_of(reply: Reply) -> (RegistryError, String) {
    let stub = Stub::new(vec![reply]);
    let begun = Instant::now();
    let error = registry(&stub.url(), LONG).register("jobs-value", SCHEMA).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5), "{error}");
    let text = error.to_string().replace(&stub.url(), "URL");
    assert!(!text.contains('\n'), "{text}");
    (error, text)
}

#[test]
fn a_schema_is_registered() {
    let stub = Stub::new(vec![ok(7)]);
    let id = registry(&stub.url(), LONG).register("a/b c-value", SCHEMA);
    assert_eq!(id, Ok(SchemaId(7)));
    let request = stub.requests.lock()[0].clone();
    assert!(
        request.starts_with("POST /subjects/a%2Fb%20c-value/versions HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("application/vnd.schemaregistry.v1+json"));
    let body: serde_json::Value =
        serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["schema"], SCHEMA);
    assert_eq!(body["schemaType"], "AVRO");
    assert!(!request.to_lowercase().contains("authorization"));
}

/// The paths that were asked, without `subjects`, of the requests so far.
fn paths(stub: &Stub) -> Vec<String> {
    let path = |request: &String| {
        let path = request.split_whitespace().nth(1).unwrap();
        path.strip_prefix("/subjects/").unwrap().to_owned()
    };
    stub.requests.lock().iter().map(path).collect()
}

#[test]
fn the_embedded_registry_answers_the_client_as_others_do() {
    let embedded = SchemaRegistry::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let client = Registry::new(&RegistrySettings::new(embedded.url())).unwrap();
    let record = |fields: &str| format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
    let (a, b) = (r#"{"name":"a","type":"long"}"#, r#"{"name":"b","type":"long"}"#);
    assert_eq!(client.register("t-value", &record(a)), Ok(SchemaId(1)));
    assert_eq!(client.register("t-value", &record(a)), Ok(SchemaId(1)));
    assert_eq!(client.register("u/u-value", &record(a)), Ok(SchemaId(1)));
    assert!(matches!(client.register("u-value", "{"), Err(RegistryError::InvalidSchema { .. })));
    let refused = client.register("t-value", &record(b)).unwrap_err();
    assert!(matches!(refused, RegistryError::Incompatible { .. }), "{refused}");
}

#[test]
fn a_schema_that_is_there_is_looked_up_and_not_registered() {
    let stub = Stub::to_all(vec![ok(7)]);
    assert_eq!(registry(&stub.url(), LONG).register("s", SCHEMA), Ok(SchemaId(7)));
    assert_eq!(paths(&stub), ["s"]);
    // What was registered in another form is found by what it means.
    let stub = Stub::to_all(vec![missing(40403), ok(8)]);
    assert_eq!(registry(&stub.url(), LONG).register("s", SCHEMA), Ok(SchemaId(8)));
    assert_eq!(paths(&stub), ["s", "s?normalize=true"]);
    let stub = Stub::to_all(vec![missing(40401), missing(40401), ok(9)]);
    assert_eq!(registry(&stub.url(), LONG).register("s", SCHEMA), Ok(SchemaId(9)));
    assert_eq!(paths(&stub), ["s", "s?normalize=true", "s/versions"]);
    let stub = Stub::to_all(vec![missing(40401)]);
    assert_eq!(registry(&stub.url(), LONG).look_up("s", SCHEMA), Ok(None));
    assert_eq!(paths(&stub).len(), 2);
}

#[test]
fn who_may_not_look_up_may_register() {
    let refusal = json("403 Forbidden", "");
    let stub = Stub::to_all(vec![refusal.clone(), ok(7)]);
    assert_eq!(registry(&stub.url(), LONG).register("s", SCHEMA), Ok(SchemaId(7)));
    let stub = Stub::to_all(vec![refusal]);
    assert!(registry(&stub.url(), LONG).look_up("s", SCHEMA).is_err());
}

#[test]
fn a_schema_is_posted_as_avro_prints_it() {
    let stub = Stub::new(vec![ok(7)]);
    let text = "{\n  \"type\": \"record\", \"name\": \"R\",\n  \"fields\": []\n}\n";
    registry(&stub.url(), LONG).register("s", text).unwrap();
    let request = stub.requests.lock()[0].clone();
    let body: serde_json::Value =
        serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["schema"], SCHEMA);
}

#[test]
fn a_registry_that_takes_nothing_new_says_so() {
    let (error, text) = error_of(json(
        "422 Unprocessable Entity",
        r#"{"error_code":42205,"message":"Subject jobs-value is in read-only mode"}"#,
    ));
    assert!(matches!(error, RegistryError::ReadOnly { .. }), "{error:?}");
    assert!(text.contains("jobs-value") && text.contains("read-only mode"), "{text}");
}

#[test]
fn a_registry_without_its_leader_or_store_is_waited_for_until_the_deadline() {
    for code in 50_001..=50_004 {
        let body = format!(r#"{{"error_code":{code},"message":"Leader not known."}}"#);
        let starting = json("500 Internal Server Error", &body);
        // Longer than a registry that fails otherwise is asked again.
        let stub = Stub::to_all(vec![starting.clone(); 6].into_iter().chain([ok(3)]).collect());
        assert_eq!(registry(&stub.url(), LONG).register("s", SCHEMA), Ok(SchemaId(3)));
        let stub = Stub::to_all(vec![starting]);
        let error = registry(&stub.url(), SHORT).register("s", SCHEMA).unwrap_err();
        assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("Leader not known"), "{error}");
    }
}

#[test]
fn a_path_is_kept() {
    let stub = Stub::new(vec![ok(7)]);
    let url = format!("{}/apis/ccompat/v7/", stub.url());
    registry(&url, LONG).register("s", SCHEMA).unwrap();
    assert!(stub.requests.lock()[0].starts_with("POST /apis/ccompat/v7/subjects/s/versions "));
}

#[test]
fn credentials_are_sent() {
    let stub = Stub::new(vec![ok(7)]);
    let mut settings = RegistrySettings::new(stub.url());
    let send = |settings: &RegistrySettings| {
        let registry = Registry::new(settings).unwrap();
        registry.register("s", SCHEMA).unwrap();
        let request = stub.requests.lock().pop().unwrap();
        let header = request.lines().find(|line| line.to_lowercase().starts_with("authorization"));
        header.unwrap().split_once(' ').unwrap().1.to_owned()
    };
    settings.auth =
        RegistryAuth::Basic { user: "Aladdin".to_owned(), password: "open sesame".into() };
    assert_eq!(send(&settings), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    settings.auth = RegistryAuth::Bearer("a.b.c".into());
    assert_eq!(send(&settings), "Bearer a.b.c");
    settings.auth = RegistryAuth::None;
    settings.url = format!("http://Aladdin:open%20sesame@{}", stub.address);
    assert_eq!(send(&settings), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

#[test]
fn a_token_that_no_header_can_carry_is_an_error() {
    let mut settings = RegistrySettings::new("http://127.0.0.1:1");
    settings.auth = RegistryAuth::Bearer("a\nb".into());
    let registry = Registry::new(&settings).unwrap();
    let error = registry.register("s", SCHEMA).unwrap_err();
    assert!(matches!(error, RegistryError::Request { .. }), "{error:?}: {error}");
    assert!(!error.to_string().contains("a\nb"));
}

#[test]
fn unauthorized_says_what_to_check() {
    let (_, text) =
        error_of(json("401 Unauthorized", r#"{"error_code":401,"message":"Unauthorized"}"#));
    assert_eq!(
        text,
        "the schema registry at URL answered 401 Unauthorized: \
         it requires a user and password, or a token"
    );
    // Proxies and servers in front answer in HTML.
    let stub = Stub::new(vec![json("401 Unauthorized", "<html>")]);
    let url = format!("http://user:secret@{}", stub.address);
    let error = registry(&url, LONG).register("s", SCHEMA).unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with("check the user and password"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn forbidden_names_the_subject() {
    let (error, text) = error_of(json("403 Forbidden", ""));
    assert!(matches!(error, RegistryError::Forbidden { .. }));
    assert!(text.contains("jobs-value"), "{text}");
}

#[test]
fn incompatible_schemas_carry_the_registrys_reason() {
    let confluent = r#"{"error_code":409,"message":"Schema being registered is incompatible with\n\tan earlier schema for subject \"jobs-value\", details: [...]"}"#;
    let (error, text) = error_of(json("409 Conflict", confluent));
    assert!(matches!(error, RegistryError::Incompatible { .. }));
    assert_eq!(
        text,
        "the schema registry at URL refused the schema as incompatible with the subject \
         jobs-value: Schema being registered is incompatible with an earlier schema for subject \
         \"jobs-value\", details: [...]; use another topic prefix or subject, or relax the \
         subject's compatibility level"
    );
    let apicurio =
        r#"{"error_code":42201,"message":"Incompatible artifact: jobs-value [AVRO]","name":"x"}"#;
    let (error, _) = error_of(json("422 Unprocessable Entity", apicurio));
    assert!(matches!(error, RegistryError::Incompatible { .. }));
    let (error, _) = error_of(json("409 Conflict", "no JSON"));
    assert!(matches!(error, RegistryError::Incompatible { .. }));
}

#[test]
fn long_reasons_are_cut() {
    let body = format!(r#"{{"error_code":409,"message":"{}"}}"#, "x y ".repeat(100_000));
    let (_, text) = error_of(json("409 Conflict", &body));
    assert!(text.len() < 600, "{}", text.len());
}

#[test]
fn invalid_schemas_carry_the_registrys_reason() {
    let (error, text) = error_of(json(
        "422 Unprocessable Entity",
        r#"{"error_code":42201,"message":"Input schema is an invalid Avro schema"}"#,
    ));
    assert!(matches!(error, RegistryError::InvalidSchema { .. }));
    assert!(text.ends_with("jobs-value as invalid: Input schema is an invalid Avro schema"));
}

#[test]
fn other_refusals_carry_status_and_reason() {
    let (error, _) =
        error_of(json("413 Payload Too Large", r#"{"error_code":413,"message":"too much"}"#));
    assert!(matches!(error, RegistryError::Refused { status: 413, .. }));
}

#[test]
fn what_is_no_registry_is_called_so() {
    for (reply, problem) in [
        (json("200 OK", "<html>hello</html>"), "its answer isn't a registry's JSON"),
        (json("200 OK", ""), "its answer isn't a registry's JSON"),
        (json("200 OK", r#"["id"]"#), "its answer isn't a registry's JSON"),
        (json("200 OK", r#"{"id":-1}"#), "its answer isn't a registry's JSON"),
        (json("200 OK", r#"{"id":2147483648}"#), "its schema id is above 2147483647"),
        (json("200 OK", r#"{"id":99999999999}"#), "its schema id is above 2147483647"),
        (json("200 OK", r#"{"ok":true}"#), "its answer lacks a schema id"),
        (json("404 Not Found", "<html>"), "it answered 404 Not Found"),
        (
            json("404 Not Found", r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#),
            "it answered 404 Not Found",
        ),
        (json("400 Bad Request", "<html>"), "it answered 400 Bad Request"),
        (
            json("302 Found\r\nLocation: /login", ""),
            "it answered 302 Found, a redirect: use the URL that it leads to",
        ),
        (
            Reply::Raw(b"\x15\x03\x03\x00\x02\x02\x50 garbage \r\n\r\n".to_vec()),
            "it doesn't speak HTTP (is it https://, or a broker?)",
        ),
    ] {
        let (error, text) = error_of(reply);
        assert!(matches!(error, RegistryError::NotARegistry { .. }), "{text}");
        assert_eq!(
            text,
            format!(
                "what answers at URL is not a schema registry: {problem}; the URL's path may be \
                 wrong: Confluent and Redpanda serve at the root, Apicurio at /apis/ccompat/v7"
            )
        );
    }
}

#[test]
fn server_errors_are_retried_then_reported() {
    let error = json(
        "500 Internal Server Error",
        r#"{"error_code":500,"message":"Error in the backend data store"}"#,
    );
    let stub = Stub::new(vec![error.clone(), error.clone(), ok(3)]);
    let id = registry(&stub.url(), LONG).register("s", SCHEMA);
    assert_eq!(id, Ok(SchemaId(3)));

    let (error, text) = error_of(error);
    assert!(matches!(error, RegistryError::ServerError { status: 500, .. }));
    assert_eq!(
        text,
        "the schema registry at URL failed on the subject jobs-value: 500: \
         Error in the backend data store; check its log"
    );
}

#[test]
fn a_lost_race_is_retried() {
    let lost = json(
        "409 Conflict",
        r#"{"error_code":409,"message":"An artifact with ID 's' already exists."}"#,
    );
    let stub = Stub::new(vec![lost, ok(3)]);
    let id = registry(&stub.url(), LONG).register("s", SCHEMA);
    assert_eq!(id, Ok(SchemaId(3)));
}

#[test]
fn a_registry_that_comes_up_is_waited_for() {
    // Its port is free until the listener below takes it.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        let unready = json("503 Service Unavailable", "");
        let listener = TcpListener::bind(address).unwrap();
        Stub::on(listener, vec![unready.clone(), unready, ok(9)]);
    });
    let id = registry(&format!("http://{address}"), LONG).register("s", SCHEMA);
    assert_eq!(id, Ok(SchemaId(9)));
}

/// The error of a registry that never becomes usable, which must come soon after the deadline.
fn unreachable(url: &str) -> String {
    let begun = Instant::now();
    let error = registry(url, SHORT).register("s", SCHEMA).unwrap_err();
    assert!(begun.elapsed() < SHORT * 2 + Duration::from_millis(500), "{:?}", begun.elapsed());
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
    error.to_string()
}

#[test]
fn a_registry_that_is_absent_is_given_up() {
    let text = unreachable("http://127.0.0.1:1");
    assert!(
        text.starts_with("no usable answer from the schema registry at http://127.0.0.1:1 in 0."),
        "{text}"
    );
    assert!(
        text.ends_with(
            " s: connection refused (os error 111); check that it runs and that the URL is right"
        ) || !cfg!(target_os = "linux"),
        "{text}"
    );
}

#[test]
fn a_registry_that_hangs_is_given_up() {
    let stub = Stub::new(vec![Reply::Hang]);
    let text = unreachable(&stub.url());
    assert!(text.contains(" s: it did not answer in time; "), "{text}");
}

#[test]
fn a_registry_that_hangs_amid_its_answer_is_given_up() {
    // The stub's process keeps the socket, so the length promised never comes.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // An answer before its question would be another fault.
            read_request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\"");
            kept.push(stream);
        }
    });
    let text = unreachable(&url);
    assert!(text.contains(" s: it did not answer in time; "), "{text}");
}

#[test]
fn an_answer_that_is_cut_is_asked_for_again() {
    let cut = Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\"".to_vec());
    let stub = Stub::new(vec![cut.clone(), ok(4)]);
    let id = registry(&stub.url(), LONG).register("s", SCHEMA);
    assert_eq!(id, Ok(SchemaId(4)));

    let stub = Stub::new(vec![cut]);
    let text = unreachable(&stub.url());
    assert!(text.contains("end of file before message length reached"), "{text}");
}

/// A registry whose answer never ends, sent in `chunk`s with a pause after each; and how many bytes
/// of it were taken.
fn endless(chunk: Vec<u8>, pause: Duration) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            read_request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(&chunk).is_ok() {
                count.fetch_add(chunk.len(), Ordering::Relaxed);
                thread::sleep(pause);
            }
        }
    });
    (url, taken)
}

#[test]
fn an_answer_without_end_is_not_read_to_it() {
    let (url, taken) = endless(vec![b' '; 1 << 16], Duration::ZERO);
    let error = registry(&url, LONG).register("s", SCHEMA).unwrap_err();
    assert!(matches!(error, RegistryError::NotARegistry { .. }), "{error}");
    assert!(error.to_string().contains(": its answer has no end; "), "{error}");
    // The rest lay in the sockets' buffers, of which Linux gives no more than 6 MiB to one.
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken < MOST_BYTES + (16 << 20), "{taken}");
}

#[test]
fn an_answer_that_trickles_is_given_up() {
    let (url, _) = endless(vec![b' '], Duration::from_millis(10));
    let text = unreachable(&url);
    assert!(text.contains(" s: it did not answer in time; "), "{text}");
}

#[test]
fn a_registry_that_stays_unready_is_given_up() {
    let stub = Stub::new(vec![json("503 Service Unavailable", "")]);
    let text = unreachable(&stub.url());
    assert!(text.contains("it answered 503 Service Unavailable"), "{text}");
}

#[test]
fn an_unknown_host_is_given_up() {
    let text = unreachable("http://no-such-host.invalid:8081");
    assert!(text.contains("no-such-host.invalid"), "{text}");
    assert!(text.contains("lookup") || text.contains("known"), "{text}");
}

#[test]
fn the_next_address_is_tried_and_remembered() {
    let stub = Stub::new(vec![ok(5)]);
    let registry = registry(&format!("http://127.0.0.1:1,{}", stub.url()), LONG);
    for _ in 0..2 {
        assert_eq!(registry.register("s", SCHEMA), Ok(SchemaId(5)));
    }
    assert_eq!(registry.first.load(Ordering::Relaxed), 1);
    assert_eq!(registry.to_string(), format!("http://127.0.0.1:1, {}", stub.url()));
}

#[test]
fn a_wait_can_be_stopped() {
    let stop = Arc::new(AtomicBool::new(true));
    let registry = registry("http://127.0.0.1:1", LONG).with_stop(stop);
    let begun = Instant::now();
    let error = registry.register("s", SCHEMA).unwrap_err();
    assert!(matches!(error, RegistryError::Interrupted { .. }));
    assert!(begun.elapsed() < Duration::from_secs(2));
}
