//! The ids under which the registry has the run's schemas.

use super::options::KafkaOptions;
use super::plan::{Plan, unchanged};
use crate::exit::ProgramError;
use crate::registry::{Registry, RegistryError};

/// Completes the plan's manifest by the schema ids of its topics, registering what is missing unless
/// `options` say otherwise.
///
/// # Errors
/// [`ProgramError`] where the registry refuses, lacks a schema that may not be registered, or has
/// another id than the run that is resumed.
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
