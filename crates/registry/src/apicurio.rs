//! The part of Apicurio's own API that its Kafka serializers and deserializers use: versions 2 and 3.
//!
//! An artifact of group `default` is the subject of its name. One of another group is the subject
//! `GROUP:ARTIFACT`, as Apicurio names it to Confluent's clients. A schema has one id, which serves as
//! content id, global id and Confluent's id, so clients of either API read what the other's wrote.
//! Schemas with references are inlined (`references`). A subject keeps each schema once: registering an
//! earlier version's schema again returns that version.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use parking_lot::RwLock;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, SchemaText};
use super::references;
use super::request::{Answered, BODY_LIMIT, Params, id_in, parse};
use super::store::{Parsed, Registered, Store, VersionName};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The group whose artifacts are subjects by their id alone.
const DEFAULT_GROUP: &str = "default";

/// A version of Apicurio's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    /// The API of Apicurio Registry 2, which later releases serve too.
    V2,
    /// The API of Apicurio Registry 3.
    V3,
}

/// The state that handlers share.
#[derive(Clone)]
struct Served {
    store: Arc<RwLock<Store>>,
    api: Api,
}

/// One version of the API, without its base path.
pub(super) fn router(store: &Arc<RwLock<Store>>, api: Api) -> Router {
    let router = Router::new()
        .route("/system/info", get(info))
        .route("/ids/contentIds/{id}", get(content))
        .route("/ids/contentIds/{id}/references", get(no_references))
        .route("/ids/globalIds/{id}", get(content))
        .route("/ids/globalIds/{id}/references", get(no_references))
        .route("/groups/{group}/artifacts", post(create))
        .nest("/groups/{group}/artifacts/{artifact}", artifact(api));
    let router = match api {
        Api::V2 => router,
        Api::V3 => router.route("/search/versions", post(search)),
    };
    router
        .fallback(async || ApiError::not_found())
        .layer(map_response(move |response| async move { as_apicurio(response, api) }))
        .with_state(Served { store: Arc::clone(store), api })
}

/// The paths of one artifact.
fn artifact(api: Api) -> Router<Served> {
    let router = Router::new().route("/versions/{version}/references", get(version_references));
    match api {
        Api::V2 => router
            .route("/", get(latest_content))
            .route("/meta", get(latest).post(look_up))
            .route("/versions/{version}", get(version_content))
            .route("/versions/{version}/meta", get(version)),
        Api::V3 => router
            .route("/versions/{version}", get(version))
            .route("/versions/{version}/content", get(version_content)),
    }
}

/// An artifact, as requests name it.
struct Artifact<'a> {
    group: &'a str,
    id: &'a str,
}

impl Artifact<'_> {
    fn subject(&self) -> String {
        match self.group {
            DEFAULT_GROUP => self.id.to_owned(),
            group => format!("{group}:{}", self.id),
        }
    }

    /// The API's description of a version. The store keeps no authors and no times.
    fn described(&self, api: Api, registered: Registered) -> Value {
        let mut described = json!({
            "version": registered.version.to_string(),
            "globalId": registered.id,
            "contentId": registered.id,
            "state": "ENABLED",
        });
        let more = match api {
            Api::V2 => [
                ("id", self.id),
                ("type", "AVRO"),
                ("createdBy", ""),
                ("createdOn", "1970-01-01T00:00:00+0000"),
            ],
            Api::V3 => [
                ("artifactId", self.id),
                ("artifactType", "AVRO"),
                ("owner", ""),
                ("createdOn", "1970-01-01T00:00:00Z"),
            ],
        };
        for (name, value) in more {
            described[name] = value.into();
        }
        if self.group != DEFAULT_GROUP {
            described["groupId"] = self.group.into();
        }
        described
    }
}

/// A version number, or `latest`. Versions have no other names here.
fn version_name(name: &str) -> Result<VersionName, ApiError> {
    match name {
        "latest" | "branch=latest" => Ok(VersionName::Latest),
        _ => match name.parse() {
            Ok(number) => Ok(VersionName::Number(number)),
            Err(_) => Err(ApiError::version_not_found(name)),
        },
    }
}

async fn info(State(served): State<Served>) -> Answer {
    // Clients may choose their requests by the version.
    let version = match served.api {
        Api::V2 => "2.6.0",
        Api::V3 => "3.0.0",
    };
    let description = "The embedded registry, which answers Apicurio's serializers";
    Answer(
        json!({ "name": env!("CARGO_PKG_NAME"), "description": description, "version": version }),
    )
}

async fn content(
    State(served): State<Served>,
    Path(id): Path<String>,
) -> Result<SchemaText, ApiError> {
    let store = served.store.read();
    Ok(SchemaText(store.text(id_in(&id)?)?.to_owned()))
}

/// Schemas are stored with their references inlined, so none has references.
async fn no_references(State(served): State<Served>, Path(id): Path<String>) -> Answered {
    served.store.read().text(id_in(&id)?)?;
    Ok(Answer(json!([])))
}

type Version = Path<(String, String, String)>;

async fn version(State(served): State<Served>, Path((group, id, version)): Version) -> Answered {
    let artifact = Artifact { group: &group, id: &id };
    let store = served.store.read();
    let found = store.version(&artifact.subject(), version_name(&version)?)?;
    Ok(Answer(artifact.described(served.api, found.registered())))
}

async fn version_content(
    State(served): State<Served>,
    Path((group, id, version)): Version,
) -> Result<SchemaText, ApiError> {
    let artifact = Artifact { group: &group, id: &id };
    let store = served.store.read();
    let found = store.version(&artifact.subject(), version_name(&version)?)?;
    Ok(SchemaText(found.text.to_owned()))
}

async fn version_references(
    State(served): State<Served>,
    Path((group, id, version)): Version,
) -> Answered {
    let artifact = Artifact { group: &group, id: &id };
    served.store.read().version(&artifact.subject(), version_name(&version)?)?;
    Ok(Answer(json!([])))
}

async fn latest(served: State<Served>, Path((group, id)): Path<(String, String)>) -> Answered {
    version(served, Path((group, id, "latest".to_owned()))).await
}

async fn latest_content(
    served: State<Served>,
    Path((group, id)): Path<(String, String)>,
) -> Result<SchemaText, ApiError> {
    version_content(served, Path((group, id, "latest".to_owned()))).await
}

/// A schema within a JSON document, in both APIs.
#[derive(Deserialize)]
struct Content {
    content: Option<String>,
    references: Option<Vec<Reference>>,
}

/// A type that a schema refers to by full name, and the artifact version that defines it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    name: String,
    group_id: Option<String>,
    artifact_id: String,
    version: Option<String>,
}

impl Content {
    /// The schema, with its references inlined.
    fn parse(self, store: &Store) -> Result<Parsed, ApiError> {
        let text = self.content.unwrap_or_default();
        let references = self.references.unwrap_or_default();
        if references.is_empty() {
            return Parsed::parse(text);
        }
        let mut bytes = text.len();
        let mut referred = HashMap::new();
        for reference in references {
            let group = reference.group_id.as_deref().unwrap_or(DEFAULT_GROUP);
            let artifact = Artifact { group, id: &reference.artifact_id };
            let version = version_name(reference.version.as_deref().unwrap_or("latest"))?;
            let definition = store.version(&artifact.subject(), version)?.text;
            bytes += definition.len();
            if bytes > BODY_LIMIT {
                return Err(ApiError::malformed("The schema with its references is too large"));
            }
            referred.insert(reference.name, parse(definition.as_bytes())?);
        }
        // Text that is not JSON gets the parser's own error.
        Parsed::parse(references::inline(&text, &referred).unwrap_or(text))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateArtifact {
    artifact_id: Option<String>,
    artifact_type: Option<String>,
    first_version: Option<CreateVersion>,
}

#[derive(Deserialize)]
struct CreateVersion {
    version: Option<String>,
    content: Option<Content>,
}

/// The document of version 3, built from the headers and body of version 2.
fn create_request_v2(headers: &HeaderMap, body: &[u8]) -> Result<CreateArtifact, ApiError> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(CreateArtifact {
        artifact_id: header("X-Registry-ArtifactId"),
        artifact_type: header("X-Registry-ArtifactType"),
        first_version: Some(CreateVersion {
            version: header("X-Registry-Version"),
            content: Some(content_v2(headers, body)?),
        }),
    })
}

/// A body of version 2: a schema's text, or a JSON document with it.
fn content_v2(headers: &HeaderMap, body: &[u8]) -> Result<Content, ApiError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type.is_some_and(|content_type| content_type.contains(".extended+json")) {
        return parse(body);
    }
    Ok(Content { content: Some(text_in(body)?), references: None })
}

fn text_in(body: &[u8]) -> Result<String, ApiError> {
    let text = str::from_utf8(body).map_err(|_| ApiError::malformed("The schema isn't UTF-8"))?;
    Ok(text.to_owned())
}

async fn create(
    State(served): State<Served>,
    Path(group): Path<String>,
    params: Params,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let request: CreateArtifact = match served.api {
        Api::V2 => create_request_v2(&headers, &body)?,
        Api::V3 => parse(&body)?,
    };
    if let Some(other) = request.artifact_type.filter(|name| !name.is_empty() && name != "AVRO") {
        let problem = format!("Invalid artifact type {other}: this registry supports AVRO only");
        return Err(ApiError::malformed(problem));
    }
    let id = request.artifact_id.ok_or_else(|| ApiError::malformed("An artifact needs an id"))?;
    let artifact = Artifact { group: &group, id: &id };
    let version = request.first_version;
    if version.as_ref().is_some_and(|version| version.version.is_some()) {
        return Err(ApiError::malformed("This registry numbers versions itself"));
    }
    let content = version.and_then(|version| version.content);
    let content =
        content.ok_or_else(|| ApiError::malformed("An artifact needs a first version"))?;

    let registered = {
        let mut store = served.store.write();
        let parsed = content.parse(&store)?;
        if let Some(there) = existing(&store, &artifact, &params)? {
            there
        } else {
            store.register(&artifact.subject(), parsed)?
        }
    };
    let version = artifact.described(served.api, registered);
    Ok(Answer(match served.api {
        Api::V2 => version,
        Api::V3 => {
            let mut whole = version.clone();
            for name in ["version", "globalId", "contentId", "state"] {
                whole.as_object_mut().map(|whole| whole.remove(name));
            }
            json!({ "artifact": whole, "version": version })
        }
    }))
}

/// The version to return if the artifact exists, when the request says so.
fn existing(
    store: &Store,
    artifact: &Artifact<'_>,
    params: &Params,
) -> Result<Option<Registered>, ApiError> {
    let subject = artifact.subject();
    let latest = store.version(&subject, VersionName::Latest).ok();
    match params.get("ifExists").map_or("FAIL", String::as_str) {
        "FAIL" if latest.is_some() => Err(ApiError::already_exists(&subject)),
        "RETURN" => Ok(latest.map(|found| found.registered())),
        "FAIL" | "UPDATE" | "RETURN_OR_UPDATE" | "CREATE_VERSION" | "FIND_OR_CREATE_VERSION" => {
            Ok(None)
        }
        other => Err(ApiError::malformed(format!("Invalid value of ifExists: {other}"))),
    }
}

/// Finds a schema by its text, in version 2.
async fn look_up(
    State(served): State<Served>,
    Path((group, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let artifact = Artifact { group: &group, id: &id };
    let content = content_v2(&headers, &body)?;
    let store = served.store.read();
    let found = found_by_content(&store, &artifact, content)?;
    let found = found.ok_or_else(|| ApiError::subject_not_found(&artifact.subject()))?;
    Ok(Answer(artifact.described(served.api, found)))
}

/// Finds a schema by its text, in version 3.
async fn search(
    State(served): State<Served>,
    Query(params): Query<Search>,
    body: Bytes,
) -> Answered {
    let group = params.group_id.as_deref().unwrap_or(DEFAULT_GROUP);
    let artifact = Artifact { group, id: &params.artifact_id };
    let content = Content { content: Some(text_in(&body)?), references: None };
    let found = found_by_content(&served.store.read(), &artifact, content)?;
    let found = found.map(|found| artifact.described(served.api, found));
    let versions: Vec<Value> = found.into_iter().collect();
    Ok(Answer(json!({ "count": versions.len(), "versions": versions })))
}

/// Text that is not a schema, such as one with undeclared references, is not found.
fn found_by_content(
    store: &Store,
    artifact: &Artifact<'_>,
    content: Content,
) -> Result<Option<Registered>, ApiError> {
    let Ok(parsed) = content.parse(store) else {
        return Ok(None);
    };
    let found = store.lookup(&artifact.subject(), &parsed)?;
    Ok(found.map(|found| found.registered()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Search {
    group_id: Option<String>,
    artifact_id: String,
}

/// Gives a response Apicurio's content type, and an error its form.
fn as_apicurio(response: Response, api: Api) -> Response {
    let mut status = response.status();
    let (mut parts, mut body) = response.into_parts();
    if status.is_client_error() || status.is_server_error() {
        // The framework's own errors are plain text, and say little.
        let error = parts.extensions.remove::<ApiError>();
        let code = error.as_ref().map_or(u32::from(status.as_u16()), |error| error.code);
        let message = error.map_or_else(|| format!("HTTP {status}"), |error| error.message);
        let name = match code {
            404 => "NotFoundException",
            405 => "NotAllowedException",
            40401 => "ArtifactNotFoundException",
            40402 => "VersionNotFoundException",
            40403 => "ContentNotFoundException",
            40901 => "ArtifactAlreadyExistsException",
            // Apicurio's errors when its validity and compatibility rules are on.
            409 | 42201 => "RuleViolationException",
            500.. if status.is_server_error() => "RegistryStorageException",
            _ => "BadRequestException",
        };
        status = match code {
            42201 => StatusCode::CONFLICT,
            42202.. if status == StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            _ => status,
        };
        let detail = format!("{name}: {message}");
        let code = status.as_u16();
        let document = match api {
            Api::V2 => json!({
                "error_code": code, "message": message, "detail": detail, "name": name,
            }),
            Api::V3 => json!({ "status": code, "title": message, "detail": detail, "name": name }),
        };
        parts.status = status;
        parts.headers.remove(header::CONTENT_LENGTH);
        body = Body::from(document.to_string());
    }
    parts.headers.insert(header::CONTENT_TYPE, JSON);
    Response::from_parts(parts, body)
}
