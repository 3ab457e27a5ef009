//! The embedded broker and registry: first contact without Docker, tests and demos.

pub mod broker;

use std::net::SocketAddr;

pub use broker::EmbeddedBroker;

/// What the user should know of where the broker or the registry, `what`, listens, if anything.
pub fn caution(what: &str, address: SocketAddr) -> Option<String> {
    (!address.ip().is_loopback()).then(|| {
        format!(
            "the {what} listens on {address}, where other machines may reach it: it asks nobody for a \
             password, and encrypts nothing"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_is_warned_of() {
        for alone in ["127.0.0.1:8081", "127.9.9.9:8081", "[::1]:8081"] {
            assert_eq!(caution("registry", alone.parse().unwrap()), None, "{alone}");
        }
        for open in ["0.0.0.0:8081", "192.0.2.1:8081", "[::]:8081"] {
            let caution = caution("registry", open.parse().unwrap()).unwrap_or_default();
            assert!(caution.contains(open) && caution.contains("password"), "{caution}");
        }
    }
}
