//! Reading untrusted YAML within bounds.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::error::ConfigError;
use super::origin::Origin;

/// The most that is read of a file, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How deep sections and lists may nest.
pub(super) const DEPTH_MAX: usize = 32;

/// Reads a file as text of at most [`FILE_BYTES_MAX`].
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    let mut bytes = Vec::new();
    // Not by the file's size, which a pipe hasn't.
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|source| ConfigError::Read { path: path.into(), source })?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge { path: path.into(), limit: FILE_BYTES_MAX });
    }
    String::from_utf8(bytes).map_err(|error| ConfigError::NotText {
        path: path.into(),
        at: error.utf8_error().valid_up_to(),
    })
}

/// Parses one YAML document (JSON is YAML); an empty one is null.
pub(super) fn parse(origin: &Origin, text: &str) -> Result<Value, ConfigError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_events: 200_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        // Only true and false: a zone called `no` stays a name.
        strict_booleans: true,
        // As text they fail the check of the key that they were meant for, which names it.
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let name = origin.to_string();
        let rendered = error.render_with_options(serde_saphyr::render_options! {
            formatter: &serde_saphyr::UserMessageFormatter,
            source_name: Some(&name),
        });
        let message = rendered.strip_prefix("error: ").unwrap_or(&rendered);
        ConfigError::Syntax { origin: origin.clone(), message: message.trim_end().to_owned() }
    })
}
