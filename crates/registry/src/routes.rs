//! The registry's paths.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;

use super::apicurio::{self, Api};
use super::confluent;
use super::request::BODY_LIMIT;

/// All routes, on one store: Confluent's API, also at Apicurio's path for it, and Apicurio's own.
pub(super) fn router() -> Router {
    let store = Arc::default();
    let apicurio = [(Api::V2, "/apis/registry/v2"), (Api::V3, "/apis/registry/v3")];
    let router = apicurio.into_iter().fold(Router::new(), |router, (api, path)| {
        router.nest(path, apicurio::router(&store, api))
    });
    router
        .nest("/apis/ccompat/v7", confluent::router().with_state(Arc::clone(&store)))
        .merge(confluent::router().with_state(store))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}
