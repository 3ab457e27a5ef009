//! The embedded broker and registry: first contact without Docker, and quick tests.

pub mod broker;
pub mod registry;

pub use broker::EmbeddedBroker;
pub use registry::EmbeddedRegistry;
