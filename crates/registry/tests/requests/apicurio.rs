//! What Apicurio's serializers and deserializers ask, and what none of them sends.

use super::*;

const V2: &str = "/apis/registry/v2";
const V3: &str = "/apis/registry/v3";
/// Version 2's content type of a schema within a document.
const CREATE: &str = "application/create.extended+json";

/// A request to Apicurio's API, with headers: the answer's status and JSON.
fn send(
    fixture: &Fixture,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<String>,
) -> (u16, Value) {
    let url = format!("{}{path}", fixture.registry.url());
    let mut request = fixture.client.request(method, url).body(body.into());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().unwrap();
    assert_eq!(response.headers()["content-type"], "application/json", "{path}");
    (response.status().as_u16(), response.json().unwrap())
}

fn get(fixture: &Fixture, path: &str) -> (u16, Value) {
    send(fixture, Method::GET, path, &[], "")
}

/// An error's status and name, after a look at its form.
fn refused(path: &str, (status, body): (u16, Value)) -> (u16, String) {
    let (code, message) = if path.starts_with(V3) {
        (&body["status"], &body["title"])
    } else {
        (&body["error_code"], &body["message"])
    };
    assert_eq!(*code, json!(status), "{path}: {body}");
    let name = body["name"].as_str().unwrap();
    let detail = format!("{name}: {}", message.as_str().unwrap());
    assert_eq!(body["detail"], json!(detail), "{path}");
    (status, name.to_owned())
}

/// Creates an artifact by version 3, its references given as JSON.
fn create(
    fixture: &Fixture,
    (group, artifact): (&str, &str),
    if_exists: &str,
    schema: &str,
    references: &Value,
) -> (u16, Value) {
    let content = json!({
        "content": schema, "contentType": "application/json", "references": references,
    });
    let body = json!({
        "artifactId": artifact, "artifactType": "AVRO", "firstVersion": { "content": content },
    });
    let path = format!("{V3}/groups/{group}/artifacts?ifExists={if_exists}&canonical=false");
    send(fixture, Method::POST, &path, &[], body.to_string())
}

fn find_or_create(fixture: &Fixture, artifact: &str, schema: &str) -> (u16, Value) {
    create(fixture, ("default", artifact), "FIND_OR_CREATE_VERSION", schema, &json!([]))
}

/// Creates an artifact by version 2.
fn create_v2(
    fixture: &Fixture,
    artifact: &str,
    if_exists: &str,
    content_type: &str,
    body: &str,
) -> (u16, Value) {
    let path = format!("{V2}/groups/default/artifacts?ifExists={if_exists}");
    let headers = [
        ("Content-Type", content_type),
        ("X-Registry-ArtifactId", artifact),
        ("X-Registry-ArtifactType", "AVRO"),
    ];
    send(fixture, Method::POST, &path, &headers, body)
}

fn v2(artifact: &str, version: &str, id: u32) -> Value {
    json!({
        "id": artifact, "type": "AVRO", "version": version, "globalId": id, "contentId": id,
        "state": "ENABLED", "createdBy": "", "createdOn": "1970-01-01T00:00:00+0000",
    })
}

fn v3(artifact: &str, version: &str, id: u32) -> Value {
    json!({
        "artifactId": artifact, "artifactType": "AVRO", "version": version, "globalId": id,
        "contentId": id, "state": "ENABLED", "owner": "", "createdOn": "1970-01-01T00:00:00Z",
    })
}

#[test]
fn what_one_api_registers_the_others_read() {
    let fixture = Fixture::new();
    let (first, second) = (record(A), record(B_DEFAULT));
    fixture.register("t-value", &first);
    assert_eq!(
        find_or_create(&fixture, "t-value", &first),
        (
            200,
            json!({
                "artifact": {
                    "artifactId": "t-value", "artifactType": "AVRO", "owner": "",
                    "createdOn": "1970-01-01T00:00:00Z",
                },
                "version": v3("t-value", "1", 1),
            })
        )
    );
    assert_eq!(find_or_create(&fixture, "t-value", &second).1["version"], v3("t-value", "2", 2));
    let document = json!({ "content": second, "references": [] }).to_string();
    let found = create_v2(&fixture, "t-value", "RETURN_OR_UPDATE", CREATE, &document);
    assert_eq!(found, (200, v2("t-value", "2", 2)));
    // Older clients send a schema by itself.
    let found = create_v2(&fixture, "t-value", "RETURN_OR_UPDATE", "application/json", &first);
    assert_eq!(found, (200, v2("t-value", "1", 1)));
    assert_eq!(fixture.get("/subjects/t-value/versions"), (200, json!([1, 2])));

    let text: Value = serde_json::from_str(&second).unwrap();
    let none = json!([]);
    let artifact = "/groups/default/artifacts/t-value";
    for (path, expected) in [
        (format!("{V3}/ids/contentIds/2"), &text),
        (format!("{V3}/ids/globalIds/2?references=DEREFERENCE"), &text),
        (format!("{V3}/ids/contentIds/2/references"), &none),
        (format!("{V3}/ids/globalIds/2/references"), &none),
        (format!("{V3}{artifact}/versions/1"), &v3("t-value", "1", 1)),
        (format!("{V3}{artifact}/versions/branch%3Dlatest"), &v3("t-value", "2", 2)),
        (format!("{V3}{artifact}/versions/2/content"), &text),
        (format!("{V3}{artifact}/versions/2/references"), &none),
        (format!("{V2}/ids/contentIds/2"), &text),
        (format!("{V2}/ids/globalIds/2?dereference=true"), &text),
        (format!("{V2}/ids/contentIds/2/references"), &none),
        (format!("{V2}/ids/globalIds/2/references"), &none),
        (format!("{V2}{artifact}"), &text),
        (format!("{V2}{artifact}/meta"), &v2("t-value", "2", 2)),
        (format!("{V2}{artifact}/versions/1/meta"), &v2("t-value", "1", 1)),
        (format!("{V2}{artifact}/versions/latest/meta"), &v2("t-value", "2", 2)),
        (format!("{V2}{artifact}/versions/2"), &text),
        (format!("{V2}{artifact}/versions/2/references"), &none),
    ] {
        assert_eq!(get(&fixture, &path), (200, expected.clone()), "{path}");
    }
    assert_eq!(get(&fixture, "/apis/registry/v3/system/info").1["version"], json!("3.0.0"));
    assert_eq!(get(&fixture, "/apis/registry/v2/system/info").1["version"], json!("2.6.0"));
}

#[test]
fn schemas_are_found_by_their_text() {
    let fixture = Fixture::new();
    fixture.register("s", &record(A));
    let search = |artifact: &str, schema: &str| {
        let path = format!("{V3}/search/versions?groupId=default&artifactId={artifact}&limit=100");
        send(&fixture, Method::POST, &path, &[], schema)
    };
    let none = (200, json!({ "count": 0, "versions": [] }));
    assert_eq!(
        search("s", &record(A)),
        (200, json!({ "count": 1, "versions": [v3("s", "1", 1)] }))
    );
    assert_eq!(search("s", &record(B)), none);
    assert_eq!(search("x", &record(A)), none);
    assert_eq!(search("s", "no schema"), none);

    let look_up = |artifact: &str, content_type: &str, body: &str| {
        let path = format!("{V2}/groups/default/artifacts/{artifact}/meta?canonical=true");
        send(&fixture, Method::POST, &path, &[("Content-Type", content_type)], body)
    };
    let document = |schema: String| json!({ "content": schema }).to_string();
    let extended = "application/get.extended+json";
    assert_eq!(look_up("s", "application/json", &record(A)), (200, v2("s", "1", 1)));
    assert_eq!(look_up("s", extended, &document(record(A))), (200, v2("s", "1", 1)));
    let absent = (404, "ArtifactNotFoundException".to_owned());
    assert_eq!(refused(V2, look_up("s", extended, &document(record(B)))), absent);
    assert_eq!(refused(V2, look_up("x", "application/json", &record(A))), absent);
}

#[test]
fn an_artifact_that_exists_is_treated_as_was_said() {
    let fixture = Fixture::new();
    let there = |artifact, if_exists, schema: &str| {
        create(&fixture, ("default", artifact), if_exists, schema, &json!([]))
    };
    assert_eq!(there("s", "FAIL", &record(A)).0, 200);
    let exists = (409, "ArtifactAlreadyExistsException".to_owned());
    assert_eq!(refused(V3, there("s", "FAIL", &record(A))), exists);
    assert_eq!(there("s", "CREATE_VERSION", &record(B_DEFAULT)).1["version"], v3("s", "2", 2));
    let incompatible = (409, "RuleViolationException".to_owned());
    let other = record(r#"{"name":"a","type":"string"}"#);
    let answer = there("s", "FIND_OR_CREATE_VERSION", &other);
    assert_eq!(refused(V3, answer), incompatible);
    let unknown = there("s", "OTHER", &record(A));
    assert_eq!(refused(V3, unknown), (400, "BadRequestException".to_owned()));
    let answer = create_v2(&fixture, "s", "RETURN", "application/json", &record(A));
    assert_eq!(answer, (200, v2("s", "2", 2)));
    let answer = create_v2(&fixture, "s", "FAIL", "application/json", &record(A));
    assert_eq!(refused(V2, answer), exists);
}

#[test]
fn a_group_is_a_part_of_the_subjects_name() {
    let fixture = Fixture::new();
    let none = json!([]);
    let created = create(&fixture, ("g", "s"), "FAIL", &record(A), &none).1;
    assert_eq!(created["version"]["groupId"], json!("g"));
    assert_eq!(created["artifact"]["groupId"], json!("g"));
    assert_eq!(fixture.get("/subjects"), (200, json!(["g:s"])));
    let path = format!("{V3}/groups/g/artifacts/s/versions/1");
    assert_eq!(get(&fixture, &path).1["groupId"], json!("g"));
    let path = format!("{V3}/groups/default/artifacts/s/versions/1");
    assert_eq!(get(&fixture, &path).0, 404);
}

fn reference(name: &str, artifact: &str) -> Value {
    json!({ "name": name, "groupId": null, "artifactId": artifact, "version": "1" })
}

#[test]
fn schemas_that_refer_to_others_are_made_whole() {
    let fixture = Fixture::new();
    let create = |artifact: &str, schema: &str, references: Value| {
        let answer = create(&fixture, ("default", artifact), "FAIL", schema, &references);
        assert_eq!(answer.0, 200, "{}", answer.1);
    };
    create("m.E", r#"{"type":"enum","name":"E","namespace":"m","symbols":["X"]}"#, json!([]));
    let inner = r#"{"type":"record","name":"In","namespace":"n","fields":[
        {"name":"e","type":"m.E"}]}"#;
    create("n.In", inner, json!([reference("m.E", "m.E")]));
    let outer = record(
        r#"{"name":"in","type":["null","In"]},{"name":"ins","type":{"type":"array","items":"In"}},
        {"name":"e","type":"m.E"},{"name":"map","type":{"type":"map","values":{"type":"long"}}}"#,
    );
    create("s", &outer, json!([reference("n.In", "n.In"), reference("m.E", "m.E")]));

    // As Avro's Java library prints it.
    let whole = record(
        r#"{"name":"in","type":["null",{"type":"record","name":"In","fields":[{"name":"e","type":
        {"type":"enum","name":"E","namespace":"m","symbols":["X"]}}]}]},
        {"name":"ins","type":{"type":"array","items":"In"}},{"name":"e","type":"m.E"},
        {"name":"map","type":{"type":"map","values":{"type":"long"}}}"#,
    );
    let whole: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(get(&fixture, &format!("{V3}/ids/contentIds/3")), (200, whole.clone()));
    let by_text = fixture.post("/subjects/s", &json!({ "schema": whole.to_string() }));
    assert_eq!(by_text.1["id"], json!(3));

    // The later of two definitions of a type is left out.
    let both = record(r#"{"name":"e","type":"m.E"},{"name":"in","type":"In"}"#);
    create("t", &both, json!([reference("n.In", "n.In"), reference("m.E", "m.E")]));
    let written = get(&fixture, &format!("{V3}/ids/contentIds/4")).1;
    assert_eq!(written["fields"][1]["type"]["fields"][0]["type"], json!("m.E"));
}

#[test]
fn references_that_lead_nowhere_are_refused() {
    let fixture = Fixture::new();
    find_or_create(&fixture, "E", r#"{"type":"enum","name":"E","symbols":["X"]}"#);
    let outer = record(r#"{"name":"e","type":"E"}"#);
    let post = |schema: &str, references: Value| {
        let answer = create(&fixture, ("default", "s"), "FAIL", schema, &references);
        refused(V3, answer)
    };
    let violation = (409, "RuleViolationException".to_owned());
    let bad = (400, "BadRequestException".to_owned());
    assert_eq!(post(&outer, json!([])), violation);
    assert_eq!(post(&outer, json!([reference("other", "E")])), violation);
    assert_eq!(post("{", json!([reference("n.E", "E")])), violation);
    assert_eq!(post("7", json!([reference("n.E", "E")])), violation);
    let deep = format!("{}\"E\"{}", r#"{"type":"array","items":"#.repeat(130), "}".repeat(130));
    assert_eq!(post(&deep, json!([reference("E", "E")])), violation);
    let absent = (404, "ArtifactNotFoundException".to_owned());
    assert_eq!(post(&outer, json!([reference("n.E", "none")])), absent);
    let version = json!([{ "name": "n.E", "artifactId": "E", "version": "2" }]);
    assert_eq!(post(&outer, version), (404, "VersionNotFoundException".to_owned()));
    assert_eq!(post(&outer, json!([{ "name": "n.E" }])), bad);
    assert_eq!(post(&outer, json!("n.E")), bad);

    // Many references to one large artifact would be as many copies of it.
    let doc = "x".repeat(100_000);
    let large = format!(r#"{{"type":"enum","name":"L","symbols":["X"],"doc":"{doc}"}}"#);
    find_or_create(&fixture, "L", &large);
    let many: Vec<Value> = (0..1000).map(|n| reference(&format!("n.E{n}"), "L")).collect();
    assert_eq!(post(&outer, json!(many)), bad);
    assert_eq!(fixture.get("/subjects"), (200, json!(["E", "L"])));
}

#[test]
fn what_is_absent_or_wrong_has_apicurios_form() {
    let fixture = Fixture::new();
    fixture.register("s", &record(A));
    for (path, name) in [
        ("/ids/contentIds/2", "ContentNotFoundException"),
        ("/ids/contentIds/0/references", "ContentNotFoundException"),
        ("/ids/globalIds/2/references", "ContentNotFoundException"),
        ("/ids/globalIds/99999999999999999999", "NotFoundException"),
        ("/ids/globalIds/x", "NotFoundException"),
        ("/groups/default/artifacts/x/versions/1", "ArtifactNotFoundException"),
        ("/groups/none/artifacts/s/versions/1", "ArtifactNotFoundException"),
        ("/groups/default/artifacts/s/versions/2", "VersionNotFoundException"),
        ("/groups/default/artifacts/s/versions/branch%3Dx", "VersionNotFoundException"),
        ("/groups/default/artifacts/s/versions/-1", "VersionNotFoundException"),
        ("/groups/default/artifacts/s/versions/2/references", "VersionNotFoundException"),
        ("/nowhere", "NotFoundException"),
    ] {
        for api in [V2, V3] {
            let path = format!("{api}{path}");
            assert_eq!(refused(&path, get(&fixture, &path)), (404, name.to_owned()), "{path}");
        }
    }
    let bad = (400, "BadRequestException".to_owned());
    for api in [V2, V3] {
        let path = format!("{api}/groups/%ff/artifacts/s/versions/1");
        assert_eq!(refused(&path, get(&fixture, &path)), bad);
        let path = format!("{api}/ids/contentIds/1");
        let answer = send(&fixture, Method::DELETE, &path, &[], "");
        assert_eq!(refused(&path, answer), (405, "NotAllowedException".to_owned()));
        let path = format!("{api}/groups/default/artifacts");
        let large = " ".repeat((1 << 20) + 1);
        assert_eq!(refused(&path, send(&fixture, Method::POST, &path, &[], large)).0, 413);
    }
    let search = format!("{V3}/search/versions");
    assert_eq!(refused(&search, send(&fixture, Method::POST, &search, &[], record(A))), bad);
}

#[test]
fn bad_artifacts_are_refused() {
    let fixture = Fixture::new();
    let path = format!("{V3}/groups/default/artifacts");
    let first = json!({ "content": { "content": "\"string\"" } });
    let named = json!({ "version": "one", "content": { "content": "\"string\"" } });
    for body in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "artifactId": "s" }),
        json!({ "artifactId": 7, "firstVersion": first }),
        json!({ "artifactId": "s", "firstVersion": {} }),
        json!({ "artifactId": "s", "firstVersion": named }),
        json!({ "artifactId": "s", "artifactType": "PROTOBUF", "firstVersion": first }),
        json!({ "artifactId": "", "firstVersion": first }),
        json!({ "artifactId": "x".repeat(2000), "firstVersion": first }),
    ] {
        let answer = send(&fixture, Method::POST, &path, &[], body.to_string());
        assert_eq!(refused(&path, answer), (400, "BadRequestException".to_owned()), "{body}");
    }
    let violation = (409, "RuleViolationException".to_owned());
    let deep =
        format!("{}\"long\"{}", r#"{"type":"array","items":"#.repeat(10_000), "}".repeat(10_000));
    for schema in ["", "{", "\"strin\"", &deep] {
        assert_eq!(refused(V3, find_or_create(&fixture, "s", schema)), violation);
        let document = json!({ "content": schema }).to_string();
        let answer = create_v2(&fixture, "s", "RETURN_OR_UPDATE", CREATE, &document);
        assert_eq!(refused(V2, answer), violation);
    }
    let malformed = create_v2(&fixture, "s", "RETURN_OR_UPDATE", CREATE, "{");
    assert_eq!(refused(V2, malformed).0, 400);
    let path = format!("{V2}/groups/default/artifacts");
    let nameless = send(&fixture, Method::POST, &path, &[], record(A));
    assert_eq!(refused(&path, nameless).0, 400);
    assert_eq!(fixture.get("/subjects"), (200, json!([])));
}

#[test]
fn confluents_api_is_there_under_apicurios_path_too() {
    let fixture = Fixture::new();
    let base = "/apis/ccompat/v7";
    let schema = json!({ "schema": record(A) });
    let registered = fixture.post(&format!("{base}/subjects/s/versions"), &schema);
    assert_eq!(registered, (200, json!({ "id": 1 })));
    assert_eq!(fixture.get("/subjects"), (200, json!(["s"])));
    assert_eq!(fixture.get(base), (200, json!({})));
    assert_eq!(fixture.get(&format!("{base}/schemas/ids/1")), fixture.get("/schemas/ids/1"));
    for path in ["/nowhere", "/subjects/x/versions", "/schemas/ids/x"] {
        assert_eq!(fixture.get(&format!("{base}{path}")), fixture.get(path));
    }
    assert_eq!(error(fixture.get("/apis/nowhere")), (404, 404));
}
