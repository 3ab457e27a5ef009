//! Responses and errors in the registry's own JSON.

use std::fmt::Display;

use axum::Extension;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

const JSON: HeaderValue = HeaderValue::from_static("application/vnd.schemaregistry.v1+json");

/// A JSON document with the registry's content type.
pub(super) struct Answer(pub(super) Value);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, JSON)], self.0.to_string()).into_response()
    }
}

/// A schema's text alone.
pub(super) struct SchemaText(pub(super) String);

impl IntoResponse for SchemaText {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, JSON)], self.0).into_response()
    }
}

/// An error with one of Confluent's codes: an HTTP status, and perhaps two more digits.
///
/// It is an extension of its response, so that another API can give it its own form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) code: u32,
    pub(super) message: String,
}

impl ApiError {
    fn new(code: u32, message: impl Into<String>) -> ApiError {
        ApiError { code, message: message.into() }
    }

    pub(super) fn not_found() -> ApiError {
        ApiError::new(404, "HTTP 404 Not Found")
    }

    pub(super) fn subject_not_found(subject: &str) -> ApiError {
        ApiError::new(40401, format!("Subject '{subject}' not found."))
    }

    pub(super) fn version_not_found(version: impl Display) -> ApiError {
        ApiError::new(40402, format!("Version {version} not found."))
    }

    pub(super) fn schema_not_found() -> ApiError {
        ApiError::new(40403, "Schema not found")
    }

    pub(super) fn id_not_found(id: u32) -> ApiError {
        ApiError::new(40403, format!("Schema {id} not found"))
    }

    pub(super) fn not_deleted_first(subject: &str) -> ApiError {
        ApiError::new(
            40405,
            format!("Subject '{subject}' was not deleted first before being permanently deleted"),
        )
    }

    pub(super) fn no_level(subject: &str) -> ApiError {
        ApiError::new(
            40408,
            format!("Subject '{subject}' does not have subject-level compatibility configured"),
        )
    }

    pub(super) fn malformed(message: impl Into<String>) -> ApiError {
        ApiError::new(400, message)
    }

    pub(super) fn incompatible(subject: &str, reason: &str) -> ApiError {
        ApiError::new(
            409,
            format!(
                "Schema being registered is incompatible with an earlier schema for subject \
                 \"{subject}\", details: [{reason}]"
            ),
        )
    }

    /// Not a Confluent error: there, registering an existing schema returns it.
    pub(super) fn already_exists(subject: &str) -> ApiError {
        ApiError::new(40901, format!("An artifact '{subject}' already exists."))
    }

    pub(super) fn invalid_schema(reason: impl Into<String>) -> ApiError {
        ApiError::new(42201, reason)
    }

    pub(super) fn invalid_version(version: &str) -> ApiError {
        ApiError::new(
            42202,
            format!(
                "The specified version '{version}' is not a valid version id. Allowed values are \
                 between [1, 2^31-1] and the string \"latest\""
            ),
        )
    }

    pub(super) fn invalid_level() -> ApiError {
        ApiError::new(
            42203,
            "Invalid compatibility level. Valid values are none, backward, forward, full, \
             backward_transitive, forward_transitive, and full_transitive",
        )
    }

    pub(super) fn invalid_subject() -> ApiError {
        ApiError::new(42208, "The subject's name is empty or too long")
    }

    pub(super) fn full() -> ApiError {
        ApiError::new(50001, "The embedded registry is full: it is meant for tests and demos")
    }

    pub(super) fn status(&self) -> StatusCode {
        let status = if self.code < 1000 { self.code } else { self.code / 100 };
        u16::try_from(status)
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "error_code": self.code, "message": self.message });
        (self.status(), Extension(self), Answer(body)).into_response()
    }
}

/// Turns the framework's own errors, which are plain text, into the registry's.
pub(super) async fn as_registry_error(response: Response) -> Response {
    let status = response.status();
    let ours = response.headers().get(header::CONTENT_TYPE) == Some(&JSON);
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let reason = status.canonical_reason().unwrap_or("error");
    let body = json!({
        "error_code": status.as_u16(),
        "message": format!("HTTP {} {reason}", status.as_u16()),
    });
    parts.headers.insert(header::CONTENT_TYPE, JSON);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(body.to_string()))
}
