//! The crate as a stranger uses it, on the broker of `crates/broker`.

mod delivery;
mod metadata;
mod support;
