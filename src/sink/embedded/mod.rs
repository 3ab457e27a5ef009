//! The embedded broker and registry: for a first try without Docker, for tests and demos.

pub mod broker;

use std::net::SocketAddr;

pub use broker::EmbeddedBroker;

/// A warning about the address on which the broker or the registry, `what`, listens, if it needs one.
pub fn exposure_warning(what: &str, address: SocketAddr) -> Option<String> {
    (!address.ip().is_loopback()).then(|| {
        format!(
            "the {what} listens on {address}, where other machines may reach it, without \
             authentication or encryption"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_is_warned_of() {
        for alone in ["127.0.0.1:8081", "127.9.9.9:8081", "[::1]:8081"] {
            assert_eq!(exposure_warning("registry", alone.parse().unwrap()), None, "{alone}");
        }
        for open in ["0.0.0.0:8081", "192.0.2.1:8081", "[::]:8081"] {
            let warning = exposure_warning("registry", open.parse().unwrap()).unwrap_or_default();
            assert!(warning.contains(open) && warning.contains("authentication"), "{warning}");
        }
    }
}
