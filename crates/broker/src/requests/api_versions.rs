//! ApiVersions: the supported APIs and versions.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use super::{APIS, Context};

pub(super) fn answer(cx: &Context, request: &ApiVersionsRequest) -> ApiVersionsResponse {
    let named = is_name(&request.client_software_name) && is_name(&request.client_software_version);
    if cx.version >= 3 && !named {
        return ApiVersionsResponse::default()
            .with_error_code(ResponseError::InvalidRequest.code());
    }
    versions_answer(None)
}

/// All APIs. A client that is newer than the broker gets an error beside them, in version 0.
pub(crate) fn versions_answer(error: Option<ResponseError>) -> ApiVersionsResponse {
    let all = APIS.iter().map(|&(api, min, max)| {
        // librdkafka assumes a broker without the oldest Produce version to have no record batches. Kafka
        // claims that version for the same reason.
        let min = if matches!(api, ApiKey::Produce) { 0 } else { min };
        ApiVersion::default().with_api_key(api as i16).with_min_version(min).with_max_version(max)
    });
    ApiVersionsResponse::default()
        .with_error_code(error.map_or(0, |e| e.code()))
        .with_api_keys(all.collect())
}

/// Letters and digits, with dots and hyphens between them.
fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let outer = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    outer(bytes.first()) && outer(bytes.last()) && bytes.iter().copied().all(inner)
}
