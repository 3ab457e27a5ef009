//! What no client of a registry sends, by raw sockets: it is refused, and others are served on.

use super::*;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

fn connect(fixture: &Fixture) -> TcpStream {
    let stream = TcpStream::connect(fixture.registry.address()).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// What comes back for some bytes, up to the end of the connection, which may be cut.
fn answer(fixture: &Fixture, bytes: &[u8]) -> String {
    let mut stream = connect(fixture);
    // A registry that has refused already reads no further.
    let _cut = stream.write_all(bytes);
    let _cut = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _cut = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

#[test]
fn malformed_requests_are_refused() {
    let fixture = Fixture::new();
    let post = "POST /subjects/s/versions HTTP/1.1\r\nHost: x\r\n";
    for request in [
        "\r\n\r\n\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\nHost x\n\n".to_owned(),
        "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}".to_owned(),
        format!("{post}Content-Length: many\r\n\r\n{{}}"),
        format!("{post}Content-Length: -1\r\n\r\n{{}}"),
        format!("{post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{{}}\r\n"),
        format!("{post}Content-Length: 99\r\n\r\n{{\"schema\":"),
        format!("{post}Content-Length: 4\r\n\r\n\u{7f}\u{7f}\u{7f}\u{7f}"),
        format!("GET /subjects/{} HTTP/1.1\r\nHost: x\r\n\r\n", "%ff%fe%".repeat(100)),
        format!("GET /schemas/ids/{} HTTP/1.1\r\nHost: x\r\n\r\n", "9".repeat(400)),
    ] {
        let answered = answer(&fixture, request.as_bytes());
        let refused = status(&answered).is_none_or(|status| (400..500).contains(&status));
        assert!(refused, "{request:?} is refused: {answered}");
        assert_eq!(fixture.get("/").0, 200, "after {request:?}");
    }
}

#[test]
fn requests_that_do_not_end_or_nest_too_deep_are_refused() {
    let fixture = Fixture::new();
    let name = "x".repeat(2 << 20);
    let headers: String = (0..10_000).map(|n| format!("H{n}: x\r\n")).collect();
    let deep = |open: &str| {
        let schema = open.repeat(100_000).replace('"', "\\\"");
        let body = format!("{{\"schema\":\"{schema}\"}}");
        format!(
            "POST /subjects/s/versions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for request in [
        format!("GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {name}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{headers}\r\n"),
        deep("["),
        deep("{\"type\":"),
        "POST /subjects/s/versions HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\
         \r\n\r\n{}"
            .to_owned(),
    ] {
        let shown = &request[..60];
        let answered = answer(&fixture, request.as_bytes());
        let refused = status(&answered).is_none_or(|status| (400..500).contains(&status));
        assert!(refused, "{shown:?} is refused: {answered}");
        assert_eq!(fixture.get("/").0, 200, "after {shown:?}");
    }
}

#[test]
fn many_connections_at_once_keep_nobody_from_being_served() {
    const CONNECTIONS: usize = 200;
    let fixture = Fixture::new();
    // Silent, amid a request, and broken ones, all held open.
    let mut held: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(&fixture)).collect();
    for (index, stream) in held.iter_mut().enumerate() {
        let bytes: &[u8] = match index % 3 {
            0 => b"",
            1 => b"POST /subjects/s/versions HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
            _ => b"\xff\xfe\0\0",
        };
        let _cut = stream.write_all(bytes);
    }
    thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let fixture = &fixture;
                scope.spawn(move || {
                    for n in 0..10 {
                        let schema = format!(r#"{{"type":"fixed","name":"F{n}","size":4}}"#);
                        let (code, _) = fixture.register(&format!("s{client}-{n}"), &schema);
                        assert_eq!(code, 200);
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
    });
    let subjects = fixture.get("/subjects").1;
    assert_eq!(subjects.as_array().map(Vec::len), Some(80));
}
