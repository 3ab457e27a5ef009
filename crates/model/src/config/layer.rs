//! Settings from one place: a scenario, a file, a `--set` or a flag.

use std::path::Path;

use serde_json::{Map, Value};

use super::error::ConfigError;
use super::origin::Origin;
use super::yaml;

/// Settings from one place: an object of keys and sections, as far as that place sets them.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Where they came from.
    pub origin: Origin,
    /// The settings. Not checked until they are resolved.
    pub value: Value,
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
        layer.settings()?;
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

    /// The settings as an object.
    ///
    /// # Errors
    /// [`ConfigError::NotSettings`] if they are something else.
    pub(super) fn settings(&mut self) -> Result<&mut Map<String, Value>, ConfigError> {
        let found = match &mut self.value {
            Value::Object(settings) => return Ok(settings),
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
        };
        Err(ConfigError::NotSettings { origin: self.origin.clone(), found })
    }
}
