//! The environment variables for brokers and registries. An empty variable counts as unset.

use std::env;

use secrecy::SecretString;

/// The brokers that the environment names.
pub(super) fn bootstrap_servers() -> Option<String> {
    first(["FLEETSTORM_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"])
}

/// The registry's URL that the environment names.
pub(super) fn registry_url() -> Option<String> {
    first(["FLEETSTORM_SCHEMA_REGISTRY", "SCHEMA_REGISTRY_URL"])
}

/// The registry's user and password that the environment names.
pub(super) fn registry_basic_auth() -> Option<SecretString> {
    first(["FLEETSTORM_REGISTRY_BASIC_AUTH"]).map(SecretString::from)
}

/// The registry's token that the environment names.
pub(super) fn registry_token() -> Option<SecretString> {
    first(["FLEETSTORM_REGISTRY_TOKEN"]).map(SecretString::from)
}

/// The first of these variables that is set and not empty.
fn first<const N: usize>(names: [&str; N]) -> Option<String> {
    names.iter().find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}
