//! Where settings come from, and which of them wins: flag > `--set` > file > scenario > default,
//! key by key.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Config;
use super::bounds;
use super::error::ConfigError;
use super::notes;
use super::yaml;

/// Where a setting came from. The order is that of precedence, the least first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A scenario, by its name.
    Scenario(String),
    /// A file, by its path.
    File(PathBuf),
    /// A `--set`, by its text (`key=value`).
    Set(String),
    /// A flag of its own, by its name with dashes (`--machines`).
    Flag(String),
}

/// Settings from one place: an object of keys and sections, as far as that place sets them.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Where they came from.
    pub origin: Origin,
    /// The settings. Not checked until [`resolve`].
    pub value: Value,
}

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
    for Layer { origin, value } in &mut layers {
        let settings = settings(origin, value)?;
        // A key of the package's own that a dump of its configuration carries.
        if settings.remove("output").is_some() {
            notes.push(format!(
                "`output` (from {origin}) is ignored: it chooses the return type of a Python \
                 function"
            ));
        }
        bounds::check(origin, settings, keys, &mut problems);
    }
    if !problems.is_empty() {
        return Err(ConfigError::Settings(problems));
    }

    let mut merged = defaults.clone();
    for layer in &layers {
        merge(&mut merged, &layer.value);
    }
    notes.extend(notes::contradictions(&layers, &merged, &defaults));
    let config = serde_json::from_value(merged).map_err(ConfigError::internal)?;
    notes.extend(notes::cut_maintenance(&config));
    Ok(Resolved { config, notes })
}

impl Layer {
    /// The settings in a YAML or JSON file of at most 1 MiB; an empty file sets nothing.
    ///
    /// # Errors
    /// If it can't be read, is too large, isn't UTF-8, isn't YAML (a key twice included), or holds
    /// something else than settings.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        Self::from_yaml(Origin::File(path.into()), &yaml::read(path)?)
    }

    /// The settings in a YAML or JSON text; an empty text sets nothing.
    ///
    /// # Errors
    /// If it isn't YAML (a key twice included), or holds something else than settings.
    pub fn from_yaml(origin: Origin, text: &str) -> Result<Self, ConfigError> {
        let value = match yaml::parse(&origin, text)? {
            Value::Null => Value::Object(Map::new()),
            value => value,
        };
        let mut layer = Self { origin, value };
        settings(&layer.origin, &mut layer.value)?;
        Ok(layer)
    }

    /// The setting in the text of a `--set`: a dotted key, `=`, and a value as YAML
    /// (`0.3`, `true`, `null`, `[a, b]`, `{enable: true}`).
    ///
    /// # Errors
    /// If the `=`, the key, a part of the key or the value is missing, or the value isn't YAML.
    pub fn from_set(text: &str) -> Result<Self, ConfigError> {
        let wrong = |reason| ConfigError::Set { text: text.to_owned(), reason };
        let Some((key, value)) = text.split_once('=') else {
            return Err(wrong("it has no `=` between key and value"));
        };
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err(wrong("it has no key before the `=`"));
        }
        if value.is_empty() {
            return Err(wrong("it has no value after the `=` (null unsets a key)"));
        }
        if key.split('.').any(str::is_empty) {
            return Err(wrong("its key has an empty part between dots"));
        }
        if key.split('.').count() > yaml::DEPTH_MAX {
            return Err(wrong("its key has too many parts"));
        }
        let origin = Origin::Set(text.to_owned());
        let value = yaml::parse(&origin, value)?;
        Ok(Self::nested(origin, key, value))
    }

    /// The setting of one flag: `flag` as the user writes it (`--machines`), `key` by its dotted
    /// path.
    pub fn from_flag(flag: &str, key: &str, value: impl Into<Value>) -> Self {
        Self::nested(Origin::Flag(flag.to_owned()), key, value.into())
    }

    fn nested(origin: Origin, key: &str, value: Value) -> Self {
        let value = key
            .rsplit('.')
            .fold(value, |value, name| Value::Object(Map::from_iter([(name.to_owned(), value)])));
        Self { origin, value }
    }
}

impl Origin {
    fn rank(&self) -> u8 {
        match self {
            Origin::Scenario(_) => 0,
            Origin::File(_) => 1,
            Origin::Set(_) => 2,
            Origin::Flag(_) => 3,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Scenario(name) => write!(f, "scenario {name}"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Set(text) => write!(f, "--set {text}"),
            Origin::Flag(name) => f.write_str(name),
        }
    }
}

fn settings<'a>(
    origin: &Origin,
    value: &'a mut Value,
) -> Result<&'a mut Map<String, Value>, ConfigError> {
    let found = match value {
        Value::Object(settings) => return Ok(settings),
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
    };
    Err(ConfigError::NotSettings { origin: origin.clone(), found })
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
