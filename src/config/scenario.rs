//! Scenarios: named presets over the configuration. What is set beside one wins over it.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::error::ConfigError;
use super::layers::{Layer, Origin};
use super::nearest::nearest;

/// A named preset.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What `--scenario` takes.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub description: &'static str,
    /// The settings that make it, as an object in the shape of [`super::Config`].
    pub settings: Value,
}

static SCENARIOS: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
    vec![Scenario {
        name: "baseline",
        description: "Normal operating conditions",
        settings: json!({}),
    }]
});

/// All scenarios, in the order in which they are listed.
pub fn all() -> &'static [Scenario] {
    &SCENARIOS
}

/// The scenario of this name.
///
/// # Errors
/// [`ConfigError::UnknownScenario`] with the nearest name, or all names where none is near.
pub fn find(name: &str) -> Result<&'static Scenario, ConfigError> {
    let known = || all().iter().map(|scenario| scenario.name);
    all().iter().find(|scenario| scenario.name == name).ok_or_else(|| {
        ConfigError::UnknownScenario {
            name: name.to_owned(),
            nearest: nearest(name, known()),
            known: known().collect(),
        }
    })
}

impl Scenario {
    /// The scenario's settings, to be resolved with what is set beside it.
    pub fn layer(&self) -> Layer {
        Layer { origin: Origin::Scenario(self.name.to_owned()), value: self.settings.clone() }
    }
}
