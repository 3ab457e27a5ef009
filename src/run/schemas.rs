//! The schema ids of the run.

use super::options::KafkaOptions;
use super::plan::{Plan, unchanged};
use crate::exit::ProgramError;
use crate::registry::{Registry, RegistryError};

/// Fills in the schema ids of the plan's topics. Registers missing schemas unless `options` say
/// otherwise.
///
/// # Errors
/// [`ProgramError`] if the registry rejects a schema, lacks one that may not be registered, or has
/// another id than the resumed run.
pub(super) fn take(
    client: &Registry,
    options: &KafkaOptions,
    plan: &mut Plan,
) -> Result<(), ProgramError> {
    let mut missing = Vec::new();
    for entry in &mut plan.run.manifest.topics {
        let schema = entry.topic.schema();
        let strategy = &options.registry.subject_strategy;
        let subject = strategy.subject(&entry.name, schema.full_name);
        let id = if options.register_schemas {
            Some(client.register(&subject, schema.text)?)
        } else {
            client.look_up(&subject, schema.text)?
        };
        let Some(id) = id else {
            missing.push(subject);
            continue;
        };
        if plan.resumed {
            let before = entry.schema_id.map(|id| id.0);
            unchanged("a schema id", &entry.name, before, Some(id.0))?;
        }
        entry.schema_id = Some(id);
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(RegistryError::Missing { url: client.to_string(), subjects: missing }.into())
}
