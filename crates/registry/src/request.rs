//! What requests of both APIs share: bodies, ids and flags.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use parking_lot::RwLock;
use serde::Deserialize;

use super::answer::{Answer, ApiError};
use super::store::Store;

/// The largest body of a request, in bytes.
pub(super) const BODY_LIMIT: usize = 1 << 20;

pub(super) type Shared = State<Arc<RwLock<Store>>>;
pub(super) type Params = Query<HashMap<String, String>>;
pub(super) type Answered = Result<Answer, ApiError>;

/// A body of JSON.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::malformed(format!("The request's JSON can't be read: {error}")))
}

/// An id in a path.
pub(super) fn id_in(path: &str) -> Result<u32, ApiError> {
    path.parse().map_err(|_| ApiError::not_found())
}

/// Whether a parameter is set.
pub(super) fn flag(params: &Params, name: &str) -> bool {
    params.get(name).is_some_and(|value| value == "true")
}
