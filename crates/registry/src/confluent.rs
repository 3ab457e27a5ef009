//! Confluent's API.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::middleware::map_response;
use axum::routing::{get, post};
use parking_lot::RwLock;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, SchemaText, as_registry_error};
use super::compatibility::Level;
use super::request::{Answered, Params, Shared, flag, id_in, parse};
use super::store::{Found, Parsed, Store, VersionName};

/// The routes of Confluent's API, on one store.
pub(super) fn router() -> Router<Arc<RwLock<Store>>> {
    Router::new()
        .route("/", get(async || Answer(json!({}))))
        .route("/subjects", get(subjects))
        .route("/subjects/{subject}", post(look_up).delete(delete))
        .route("/subjects/{subject}/versions", get(versions).post(register))
        .route("/subjects/{subject}/versions/{version}", get(version))
        .route("/subjects/{subject}/versions/{version}/schema", get(version_text))
        .route("/schemas/types", get(async || Answer(json!(["AVRO"]))))
        .route("/schemas/ids/{id}", get(schema))
        .route("/schemas/ids/{id}/schema", get(schema_text))
        .route("/schemas/ids/{id}/versions", get(schema_versions))
        .route("/schemas/ids/{id}/subjects", get(schema_subjects))
        .route("/compatibility/subjects/{subject}/versions", post(compatible))
        .route("/compatibility/subjects/{subject}/versions/{version}", post(compatible_with))
        .route("/config", get(level).put(set_level))
        .route("/config/{subject}", get(subject_level).put(set_subject_level))
        .route("/mode", get(async || Answer(json!({ "mode": "READWRITE" }))))
        .fallback(async || ApiError::not_found())
        .layer(map_response(as_registry_error))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaRequest {
    schema: Option<String>,
    schema_type: Option<String>,
    references: Option<Vec<Value>>,
}

/// The schema in a request's body, whatever its content type.
fn schema_in(body: &[u8]) -> Result<Parsed, ApiError> {
    let request: SchemaRequest = parse(body)?;
    match request.schema_type.as_deref() {
        None | Some("" | "AVRO") => {}
        Some(other) => {
            let problem = format!("Invalid schema type {other}: this registry supports AVRO only");
            return Err(ApiError::invalid_schema(problem));
        }
    }
    if request.references.is_some_and(|references| !references.is_empty()) {
        let problem = "Schema references are not supported by this registry";
        return Err(ApiError::invalid_schema(problem));
    }
    match request.schema {
        Some(text) if !text.trim().is_empty() => Parsed::parse(text),
        _ => Err(ApiError::invalid_schema("Empty schema")),
    }
}

fn version_name(name: &str) -> Result<VersionName, ApiError> {
    match name {
        "latest" | "-1" => Ok(VersionName::Latest),
        _ => match name.parse() {
            Ok(number @ 1..=0x7fff_ffff) => Ok(VersionName::Number(number)),
            _ => Err(ApiError::invalid_version(name)),
        },
    }
}

fn described(subject: &str, found: &Found<'_>) -> Value {
    json!({
        "subject": subject,
        "version": found.version,
        "id": found.id,
        "schema": found.text,
    })
}

async fn subjects(State(store): Shared, params: Params) -> Answer {
    let prefix = params.get("subjectPrefix").map_or("", String::as_str);
    // Clients may send Confluent's default, which means all contexts.
    let prefix = prefix.strip_prefix(":*:").unwrap_or(prefix);
    Answer(json!(store.read().subjects(prefix)))
}

async fn versions(State(store): Shared, Path(subject): Path<String>) -> Answered {
    Ok(Answer(json!(store.read().versions(&subject)?)))
}

async fn version(
    State(store): Shared,
    Path((subject, version)): Path<(String, String)>,
) -> Answered {
    let version = version_name(&version)?;
    let store = store.read();
    let found = store.version(&subject, version)?;
    Ok(Answer(described(&subject, &found)))
}

async fn version_text(
    State(store): Shared,
    Path((subject, version)): Path<(String, String)>,
) -> Result<SchemaText, ApiError> {
    let version = version_name(&version)?;
    let store = store.read();
    Ok(SchemaText(store.version(&subject, version)?.text.to_owned()))
}

async fn register(State(store): Shared, Path(subject): Path<String>, body: Bytes) -> Answered {
    let parsed = schema_in(&body)?;
    let registered = store.write().register(&subject, parsed)?;
    Ok(Answer(json!({ "id": registered.id })))
}

async fn look_up(State(store): Shared, Path(subject): Path<String>, body: Bytes) -> Answered {
    let store_has = store.read().versions(&subject);
    store_has?;
    let parsed = schema_in(&body)?;
    let store = store.read();
    let found = store.lookup(&subject, &parsed)?;
    let found = found.ok_or_else(ApiError::schema_not_found)?;
    Ok(Answer(described(&subject, &found)))
}

async fn delete(State(store): Shared, Path(subject): Path<String>, params: Params) -> Answered {
    let mut store = store.write();
    let versions = if flag(&params, "permanent") {
        store.delete_permanently(&subject)?
    } else {
        store.delete(&subject)?
    };
    Ok(Answer(json!(versions)))
}

async fn schema(State(store): Shared, Path(id): Path<String>) -> Answered {
    let store = store.read();
    let text = store.text(id_in(&id)?)?;
    Ok(Answer(json!({ "schema": text })))
}

async fn schema_text(State(store): Shared, Path(id): Path<String>) -> Result<SchemaText, ApiError> {
    let store = store.read();
    Ok(SchemaText(store.text(id_in(&id)?)?.to_owned()))
}

async fn schema_versions(State(store): Shared, Path(id): Path<String>) -> Answered {
    let store = store.read();
    let users = store.subjects_with(id_in(&id)?)?.into_iter();
    let users = users.map(|(subject, version)| json!({ "subject": subject, "version": version }));
    Ok(Answer(users.collect()))
}

async fn schema_subjects(State(store): Shared, Path(id): Path<String>) -> Answered {
    let store = store.read();
    let mut subjects: Vec<_> = store.subjects_with(id_in(&id)?)?;
    subjects.dedup_by_key(|(subject, _)| *subject);
    Ok(Answer(subjects.into_iter().map(|(subject, _)| subject).collect()))
}

async fn compatible(
    store: Shared,
    Path(subject): Path<String>,
    params: Params,
    body: Bytes,
) -> Answered {
    check(&store, &subject, None, &params, &body)
}

async fn compatible_with(
    store: Shared,
    Path((subject, version)): Path<(String, String)>,
    params: Params,
    body: Bytes,
) -> Answered {
    let version = version_name(&version)?;
    check(&store, &subject, Some(version), &params, &body)
}

fn check(
    State(store): &Shared,
    subject: &str,
    version: Option<VersionName>,
    params: &Params,
    body: &[u8],
) -> Answered {
    let parsed = schema_in(body)?;
    let incompatibility = store.read().compatibility(subject, version, &parsed)?;
    let mut answer = json!({ "is_compatible": incompatibility.is_none() });
    if flag(params, "verbose") {
        answer["messages"] = incompatibility.into_iter().collect();
    }
    Ok(Answer(answer))
}

#[derive(Deserialize)]
struct LevelRequest {
    compatibility: Option<String>,
}

fn level_in(body: &[u8]) -> Result<Level, ApiError> {
    let request: LevelRequest = parse(body)?;
    request.compatibility.unwrap_or_default().parse()
}

async fn level(State(store): Shared) -> Answered {
    let level = store.read().level(None)?;
    Ok(Answer(json!({ "compatibilityLevel": level.to_string() })))
}

async fn set_level(State(store): Shared, body: Bytes) -> Answered {
    let level = level_in(&body)?;
    store.write().set_level(None, level)?;
    Ok(Answer(json!({ "compatibility": level.to_string() })))
}

async fn subject_level(
    State(store): Shared,
    Path(subject): Path<String>,
    params: Params,
) -> Answered {
    let store = store.read();
    let level = match store.level(Some(&subject)) {
        Err(_) if flag(&params, "defaultToGlobal") => store.level(None)?,
        level => level?,
    };
    Ok(Answer(json!({ "compatibilityLevel": level.to_string() })))
}

async fn set_subject_level(
    State(store): Shared,
    Path(subject): Path<String>,
    body: Bytes,
) -> Answered {
    let level = level_in(&body)?;
    store.write().set_level(Some(&subject), level)?;
    Ok(Answer(json!({ "compatibility": level.to_string() })))
}
