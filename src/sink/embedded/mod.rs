//! The embedded broker and registry: first contact without Docker, tests and demos.

pub mod broker;
pub mod registry;

pub use broker::EmbeddedBroker;
pub use registry::EmbeddedRegistry;
