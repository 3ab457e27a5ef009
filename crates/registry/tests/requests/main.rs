//! What clients ask of the registry, by HTTP.

mod apicurio;
mod hostile;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use fleetstorm_registry::{RegistryError, SchemaRegistry};
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

struct Fixture {
    registry: SchemaRegistry,
    client: Client,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture {
            registry: SchemaRegistry::start(LOCAL).unwrap(),
            client: Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// A request with a raw body: the answer's status and JSON.
    fn send(&self, method: Method, path: &str, body: impl Into<String>) -> (u16, Value) {
        let url = format!("{}{path}", self.registry.url());
        let request = self.client.request(method, url).body(body.into());
        let response = request.send().unwrap();
        assert_eq!(
            response.headers()["content-type"],
            "application/vnd.schemaregistry.v1+json",
            "{path}"
        );
        let status = response.status().as_u16();
        let body: Value = response.json().unwrap();
        if status >= 400 {
            assert!(body["error_code"].is_u64() && body["message"].is_string());
        }
        (status, body)
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, path, "")
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(Method::POST, path, body.to_string())
    }

    fn register(&self, subject: &str, schema: &str) -> (u16, Value) {
        let path = format!("/subjects/{subject}/versions");
        self.post(&path, &json!({ "schema": schema, "schemaType": "AVRO" }))
    }
}

fn error(answer: (u16, Value)) -> (u16, u64) {
    (answer.0, answer.1["error_code"].as_u64().unwrap())
}

/// A record R whose fields are given as JSON.
fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","namespace":"n","fields":[{fields}]}}"#)
}

const A: &str = r#"{"name":"a","type":"long"}"#;
const B: &str = r#"{"name":"b","type":"long"}"#;
const B_DEFAULT: &str = r#"{"name":"b","type":"long","default":0}"#;

#[test]
fn what_is_registered_is_read() {
    let fixture = Fixture::new();
    let id = |n: u32| (200, json!({ "id": n }));
    let schema = record(A);
    assert_eq!(fixture.register("t-value", &schema), id(1));
    assert_eq!(fixture.register("t-value", &schema), id(1));
    let other = record(B_DEFAULT);
    assert_eq!(fixture.register("u-value", &other), id(2));
    assert_eq!(fixture.register("u%2Fu-value", &schema), id(1));
    assert_eq!(error(fixture.register("u-value", "{")), (422, 42201));
    assert_eq!(error(fixture.register("t-value", &record(B))), (409, 409));
    assert_eq!(fixture.register("t-value", &record(B_DEFAULT)), id(2));

    assert_eq!(fixture.get("/"), (200, json!({})));
    let all = json!(["t-value", "u-value", "u/u-value"]);
    assert_eq!(fixture.get("/subjects"), (200, all.clone()));
    assert_eq!(fixture.get("/subjects?subjectPrefix=%3A%2A%3A"), (200, all));
    assert_eq!(fixture.get("/subjects?subjectPrefix=u-"), (200, json!(["u-value"])));
    assert_eq!(fixture.get("/subjects/t-value/versions"), (200, json!([1, 2])));
    let first = json!({ "subject": "t-value", "version": 1, "id": 1, "schema": schema });
    assert_eq!(fixture.get("/subjects/t-value/versions/1"), (200, first.clone()));
    let latest = json!({ "subject": "t-value", "version": 2, "id": 2, "schema": other });
    assert_eq!(fixture.get("/subjects/t-value/versions/latest"), (200, latest.clone()));
    assert_eq!(fixture.get("/subjects/t-value/versions/-1"), (200, latest));
    let text: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(fixture.get("/subjects/t-value/versions/1/schema"), (200, text.clone()));
    assert_eq!(fixture.get("/schemas/ids/1?deleted=true"), (200, json!({ "schema": schema })));
    assert_eq!(fixture.get("/schemas/ids/1/schema"), (200, text));
    assert_eq!(
        fixture.get("/schemas/ids/1/versions"),
        (
            200,
            json!([
                { "subject": "t-value", "version": 1 },
                { "subject": "u/u-value", "version": 1 },
            ])
        )
    );
    assert_eq!(fixture.get("/schemas/ids/1/subjects"), (200, json!(["t-value", "u/u-value"])));
    assert_eq!(fixture.get("/schemas/types"), (200, json!(["AVRO"])));
    assert_eq!(fixture.get("/mode"), (200, json!({ "mode": "READWRITE" })));
    assert_eq!(fixture.post("/subjects/t-value", &json!({ "schema": schema })), (200, first));
}

#[test]
fn whitespace_and_key_order_make_no_new_schema() {
    let fixture = Fixture::new();
    let same = r#"{ "name": "R", "namespace": "n",
        "fields": [ {"type": "long", "name": "a"} ], "type": "record" }"#;
    assert_eq!(fixture.register("s", &record(A)), (200, json!({ "id": 1 })));
    assert_eq!(fixture.register("s", same), (200, json!({ "id": 1 })));
    assert_eq!(fixture.get("/subjects/s/versions"), (200, json!([1])));
}

#[test]
fn what_is_absent_has_confluents_codes() {
    let fixture = Fixture::new();
    fixture.register("s", &record(A));
    for (path, expected) in [
        ("/subjects/x/versions", (404, 40401)),
        ("/subjects/x/versions/1", (404, 40401)),
        ("/subjects/x/versions/latest", (404, 40401)),
        ("/subjects/s/versions/2", (404, 40402)),
        ("/subjects/s/versions/0", (422, 42202)),
        ("/subjects/s/versions/2147483648", (422, 42202)),
        ("/subjects/s/versions/newest", (422, 42202)),
        ("/subjects/s/versions/newest/schema", (422, 42202)),
        ("/schemas/ids/0", (404, 40403)),
        ("/schemas/ids/2", (404, 40403)),
        ("/schemas/ids/4294967295/subjects", (404, 40403)),
        ("/schemas/ids/4294967296", (404, 404)),
        ("/schemas/ids/x", (404, 404)),
        ("/config/s", (404, 40408)),
        ("/nowhere", (404, 404)),
        ("/subjects/%ff/versions", (400, 400)),
        ("/compatibility/subjects/s/versions", (405, 405)),
    ] {
        assert_eq!(error(fixture.get(path)), expected, "{path}");
    }
    let schema = json!({ "schema": record(B) });
    assert_eq!(error(fixture.post("/subjects/s", &schema)), (404, 40403));
    assert_eq!(error(fixture.post("/subjects/x", &schema)), (404, 40401));
    let deletion = fixture.send(Method::DELETE, "/subjects/x", "");
    assert_eq!(error(deletion), (404, 40401));
    let deletion = fixture.send(Method::DELETE, "/schemas/ids/1", "");
    assert_eq!(error(deletion), (405, 405));
}

#[test]
fn bad_requests_are_refused() {
    let fixture = Fixture::new();
    let post = |body: &str| error(fixture.send(Method::POST, "/subjects/s/versions", body));
    for malformed in ["", "{", "[]", "null", "{\"schema\":1}", "\u{0}", "{} {}"] {
        assert_eq!(post(malformed), (400, 400), "{malformed}");
    }
    for invalid in [
        "{}",
        r#"{"schema":""}"#,
        r#"{"schema":"{"}"#,
        r#"{"schema":"{\"type\":\"recrod\"}"}"#,
        r#"{"schema":"{\"type\":\"record\",\"name\":\"1\",\"fields\":[]}"}"#,
        r#"{"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"Unknown\"}]}"}"#,
        // apache-avro panics on this one.
        r#"{"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":9223372036854775808},\"default\":null}]}"}"#,
        r#"{"schema":"\"string\"","schemaType":"PROTOBUF"}"#,
        r#"{"schema":"\"string\"","references":[{"name":"a","subject":"b","version":1}]}"#,
    ] {
        assert_eq!(post(invalid), (422, 42201), "{invalid}");
    }
    let deep =
        format!("{}\"long\"{}", r#"{"type":"array","items":"#.repeat(10_000), "}".repeat(10_000));
    assert_eq!(error(fixture.register("s", &deep)), (422, 42201));
    let deep = format!("{}\"long\"{}", r#"{"type":"array","items":"#.repeat(120), "}".repeat(120));
    assert_eq!(fixture.register("s", &deep).0, 200);
    let long = "x".repeat(2000);
    assert_eq!(error(fixture.register(&long, "\"string\"")), (422, 42208));
    assert_eq!(fixture.get("/subjects"), (200, json!(["s"])));
}

#[test]
fn a_request_that_is_too_large_is_refused() {
    let fixture = Fixture::new();
    let large = " ".repeat((1 << 20) + 1);
    let answer = fixture.send(Method::POST, "/subjects/s/versions", large);
    assert_eq!(error(answer), (413, 413));
    // Without a length it has to be noticed on the way.
    let mut stream = TcpStream::connect(fixture.registry.address()).unwrap();
    let head = "PUT /config HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 16, " ".repeat(1 << 16));
    for _ in 0..40 {
        if stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    let mut answer = [0; 12];
    // The connection may be reset before its answer is read, which is a refusal too.
    if stream.read_exact(&mut answer).is_ok() {
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
    assert_eq!(fixture.get("/").0, 200);
}

#[test]
fn it_keeps_a_bounded_amount() {
    let fixture = Fixture::new();
    let doc = "x".repeat(1_000_000);
    let large = |n: usize| format!(r#"{{"type":"enum","name":"E{n}","symbols":[],"doc":"{doc}"}}"#);
    let mut registered = 0;
    let refused = loop {
        let answer = fixture.register(&format!("s{registered}"), &large(registered));
        if answer.0 != 200 {
            break answer;
        }
        registered += 1;
        assert!(registered < 100);
    };
    assert_eq!(registered, 33);
    assert_eq!(error(refused), (500, 50001));
    assert_eq!(fixture.get("/schemas/ids/33").0, 200);
}

#[test]
fn levels_are_kept_and_enforced() {
    let fixture = Fixture::new();
    let put = |path: &str, level: &str| {
        let body = json!({ "compatibility": level }).to_string();
        fixture.send(Method::PUT, path, body)
    };
    let level = |level: &str| (200, json!({ "compatibilityLevel": level }));
    assert_eq!(fixture.get("/config"), level("BACKWARD"));
    assert_eq!(put("/config", "forward"), (200, json!({ "compatibility": "FORWARD" })));
    assert_eq!(fixture.get("/config"), level("FORWARD"));
    assert_eq!(fixture.get("/config/s?defaultToGlobal=true"), level("FORWARD"));
    assert_eq!(error(put("/config", "SIDEWARD")), (422, 42203));
    let nothing = fixture.send(Method::PUT, "/config/s", "{}");
    assert_eq!(error(nothing), (422, 42203));

    // Whether "a and b" may follow "a", and the other way round.
    let wide = record(&format!("{A},{B}"));
    for (level, widen, narrow) in [
        ("NONE", true, true),
        ("BACKWARD", false, true),
        ("BACKWARD_TRANSITIVE", false, true),
        ("FORWARD", true, false),
        ("FORWARD_TRANSITIVE", true, false),
        ("FULL", false, false),
        ("FULL_TRANSITIVE", false, false),
    ] {
        for (name, old, new, allowed) in
            [("widen", record(A), wide.clone(), widen), ("narrow", wide.clone(), record(A), narrow)]
        {
            let subject = format!("{level}-{name}");
            assert_eq!(put(&format!("/config/{subject}"), level).0, 200);
            assert_eq!(fixture.register(&subject, &old).0, 200);
            let path = format!("/compatibility/subjects/{subject}/versions/latest?verbose=true");
            let (status, verdict) = fixture.post(&path, &json!({ "schema": new }));
            assert_eq!((status, &verdict["is_compatible"]), (200, &json!(allowed)));
            assert_eq!(verdict["messages"].as_array().unwrap().is_empty(), allowed);
            let answer = fixture.register(&subject, &new);
            if allowed {
                assert_eq!(answer.0, 200, "{subject}");
            } else {
                assert_eq!(error(answer), (409, 409), "{subject}");
            }
        }
    }
}

#[test]
fn a_reader_must_read_all_that_is_written() {
    let fixture = Fixture::new();
    let nullable = record(r#"{"name":"a","type":["null","long"]}"#);
    fixture.register("s", &nullable);
    assert_eq!(error(fixture.register("s", &record(A))), (409, 409));
    fixture.register("t", &record(A));
    assert_eq!(fixture.register("t", &nullable).0, 200);
}

#[test]
fn transitive_levels_look_at_every_version() {
    let fixture = Fixture::new();
    let optional = record(&format!("{A},{B_DEFAULT}"));
    let required = record(&format!("{A},{B}"));
    fixture.register("s", &record(A));
    fixture.register("s", &optional);
    let check = |path: &str| {
        let path = format!("/compatibility/subjects/{path}");
        fixture.post(&path, &json!({ "schema": required })).1["is_compatible"].clone()
    };
    assert_eq!(check("s/versions"), json!(true));
    assert_eq!(check("s/versions/1"), json!(false));
    assert_eq!(check("none/versions/latest"), json!(true));
    let body = json!({ "compatibility": "BACKWARD_TRANSITIVE" }).to_string();
    fixture.send(Method::PUT, "/config", body);
    assert_eq!(check("s/versions"), json!(false));
    assert_eq!(error(fixture.register("s", &required)), (409, 409));
}

#[test]
fn deleting_is_soft_first() {
    let fixture = Fixture::new();
    fixture.register("s", &record(A));
    let delete = |path: &str| fixture.send(Method::DELETE, path, "");
    assert_eq!(error(delete("/subjects/s?permanent=true")), (404, 40405));
    assert_eq!(delete("/subjects/s"), (200, json!([1])));
    assert_eq!(error(delete("/subjects/s")), (404, 40401));
    assert_eq!(fixture.get("/subjects"), (200, json!([])));
    assert_eq!(error(fixture.get("/subjects/s/versions/1")), (404, 40401));
    assert_eq!(fixture.get("/schemas/ids/1").0, 200);
    // Nothing is left to be incompatible with.
    assert_eq!(fixture.register("s", &record(B)), (200, json!({ "id": 2 })));
    assert_eq!(fixture.get("/subjects/s/versions"), (200, json!([2])));
    assert_eq!(delete("/subjects/s"), (200, json!([2])));
    assert_eq!(delete("/subjects/s?permanent=true"), (200, json!([1, 2])));
    assert_eq!(fixture.register("s", &record(A)), (200, json!({ "id": 1 })));
    assert_eq!(fixture.get("/subjects/s/versions"), (200, json!([1])));
}

#[test]
fn many_clients_agree_on_ids() {
    let fixture = Fixture::new();
    let ids = thread::scope(|scope| {
        let client = || {
            (0..20)
                .map(|n| {
                    let schema = format!(r#"{{"type":"fixed","name":"F{n}","size":4}}"#);
                    fixture.register(&format!("s{n}"), &schema).1["id"].as_u64().unwrap()
                })
                .collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(client)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(ids.iter().all(|others| *others == ids[0]));
    let mut distinct = ids[0].clone();
    distinct.sort_unstable();
    assert_eq!(distinct, (1..=20).collect::<Vec<_>>());
}

#[test]
fn garbage_on_the_socket_is_survived() {
    let fixture = Fixture::new();
    let mut stream = TcpStream::connect(fixture.registry.address()).unwrap();
    stream.write_all(b"\x16\x03\x01 garbage \r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(fixture.get("/").0, 200);
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let registry = SchemaRegistry::start(LOCAL).unwrap();
    let error = SchemaRegistry::start(registry.address()).unwrap_err();
    assert!(matches!(error, RegistryError::PortTaken { .. }));
    assert_eq!(
        error.to_string(),
        format!("the schema registry can't listen on {}: the port is taken", registry.address())
    );
    let elsewhere = "192.0.2.1:0".parse().unwrap();
    let error = SchemaRegistry::start(elsewhere).unwrap_err();
    assert!(matches!(error, RegistryError::Listen { .. }));
}

#[test]
fn an_unspecified_address_has_a_url_to_use() {
    let registry = SchemaRegistry::start("0.0.0.0:0".parse().unwrap()).unwrap();
    let port = registry.address().port();
    assert_eq!(registry.url(), format!("http://127.0.0.1:{port}"));
}

#[test]
fn dropping_it_stops_it_soon() {
    let registry = SchemaRegistry::start(LOCAL).unwrap();
    let address = registry.address();
    // One connection is idle and one is amid a request that it never finishes.
    let mut idle = TcpStream::connect(address).unwrap();
    let mut amid = TcpStream::connect(address).unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    idle.read_exact(&mut [0; 12]).unwrap();
    amid.write_all(b"PUT /config HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{").unwrap();
    let begun = Instant::now();
    drop(registry);
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(TcpStream::connect(address).is_err());
    SchemaRegistry::start(address).unwrap();
}
