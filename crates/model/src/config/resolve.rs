//! The configuration of a run, from layers of settings, and which of them wins: flag > `--set` > file >
//! scenario > default, key by key.

use serde_json::{Map, Value};

use super::Config;
use super::bounds;
use super::error::ConfigError;
use super::layer::Layer;
use super::notes;

/// The configuration of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// What holds.
    pub config: Config,
    /// What the user should hear about: settings that are ignored or have no effect.
    pub notes: Vec<String>,
}

/// Merges the layers over the defaults. Precedence goes by origin; of two layers with the same
/// kind of origin the later wins. Sections merge key by key, lists are replaced whole.
///
/// # Errors
/// [`ConfigError::Settings`] with every unknown key, wrong type and value out of bounds of every
/// layer, even where another layer would win; [`ConfigError::NotSettings`] for a layer that is
/// no object.
pub fn resolve(mut layers: Vec<Layer>) -> Result<Resolved, ConfigError> {
    layers.sort_by_key(|layer| layer.origin.rank());
    let defaults = serde_json::to_value(Config::default()).map_err(ConfigError::internal)?;
    let no_keys = Map::new();
    let keys = defaults.as_object().unwrap_or(&no_keys);

    let mut notes = Vec::new();
    let mut problems = Vec::new();
    for layer in &mut layers {
        let origin = layer.origin.clone();
        let settings = layer.settings()?;
        // A key of the package's own that a dump of its configuration carries.
        if settings.remove("output").is_some() {
            notes.push(format!(
                "`output` (from {origin}) is ignored: it chooses the return type of a Python \
                 function"
            ));
        }
        bounds::check(&origin, settings, keys, &mut problems);
    }
    if !problems.is_empty() {
        return Err(ConfigError::Settings(problems));
    }

    let mut merged = defaults.clone();
    for layer in &layers {
        merge(&mut merged, &layer.value);
    }
    notes.extend(notes::contradictions(&layers, &merged, &defaults));
    notes.extend(notes::undone(&layers, &merged, &defaults));
    let config = serde_json::from_value(merged).map_err(ConfigError::internal)?;
    notes.extend(notes::cut_maintenance(&config));
    Ok(Resolved { config, notes })
}

fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                merge(base.entry(name.as_str()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}
