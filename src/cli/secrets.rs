//! Secrets on the command line, which other users of the machine can read in its list of processes.

use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error};

use crate::sink::property::{Property, PropertyError};

/// Reads a [`Property`]. Its errors don't repeat the value, as clap's own do, since it may be a secret.
#[derive(Debug, Clone, Copy)]
pub struct PropertyParser;

impl TypedValueParser for PropertyParser {
    type Value = Property;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, value: &OsStr) -> Result<Property, Error> {
        let wrong = |problem: &str| {
            Error::raw(ErrorKind::ValueValidation, format!("invalid value for -X: {problem}\n"))
        };
        let text = value.to_str().ok_or_else(|| wrong("it is not valid UTF-8"))?;
        text.parse().map_err(|error: PropertyError| wrong(&error.to_string()))
    }
}

/// The options that expose secrets on the command line, without their values.
pub fn secrets(matches: &ArgMatches) -> Vec<String> {
    let mut innermost = matches;
    while let Some((_, sub)) = innermost.subcommand() {
        innermost = sub;
    }
    let mut found: Vec<String> = Vec::new();
    if let Ok(Some(properties)) = innermost.try_get_many::<Property>("properties") {
        let secrets = properties.filter(|property| property.is_secret());
        found.extend(secrets.map(|property| format!("-X {}", property.key)));
    }
    for (id, option) in
        [("registry_basic_auth", "--registry-basic-auth"), ("registry_token", "--registry-token")]
    {
        let given = innermost.try_contains_id(id).unwrap_or(false)
            && innermost.value_source(id) == Some(ValueSource::CommandLine);
        if given {
            found.push(option.to_owned());
        }
    }
    for (id, option) in [("schema_registry", "--schema-registry"), ("bootstrap_server", "-b")] {
        if let Ok(Some(value)) = innermost.try_get_one::<String>(id)
            && innermost.value_source(id) == Some(ValueSource::CommandLine)
            && value.split_once('@').is_some_and(|(before, _)| {
                before.rsplit("//").next().is_some_and(|user| user.contains(':'))
            })
        {
            found.push(format!("{option} with a password in it"));
        }
    }
    found
}

/// A warning about such secrets; `None` if there are none.
pub fn warning(matches: &ArgMatches) -> Option<String> {
    let found = secrets(matches);
    (!found.is_empty()).then(|| {
        format!(
            "other users of this machine can read {} in its list of processes: give secrets by \
             --command-config FILE, or those of the registry by FLEETSTORM_REGISTRY_BASIC_AUTH or \
             FLEETSTORM_REGISTRY_TOKEN",
            found.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn warned(arguments: &[&str]) -> Option<String> {
        let arguments = [&["fleetstorm"], arguments].concat();
        warning(&Cli::command().get_matches_from(arguments))
    }

    #[test]
    fn secrets_on_the_command_line_are_named_and_not_shown() {
        for (arguments, named) in [
            (&["run", "-X", "sasl.password=hidden"][..], "-X sasl.password"),
            (&["run", "-X", "linger.ms=5", "-X", "ssl.key.password=hidden"], "-X ssl.key.password"),
            (&["run", "--registry-basic-auth", "ann:hidden"], "--registry-basic-auth"),
            (&["schemas", "register", "--registry-token", "hidden"], "--registry-token"),
            (&["run", "-r", "https://ann:hidden@host:8081"], "--schema-registry"),
        ] {
            let warning = warned(arguments).unwrap_or_default();
            assert!(warning.contains(named) && !warning.contains("hidden"), "{warning}");
        }
    }

    #[test]
    fn a_property_that_cannot_be_read_is_not_shown() {
        let arguments = ["fleetstorm", "run", "-X", "sasl.password:hidden"];
        let error = Cli::command().try_get_matches_from(arguments).unwrap_err().to_string();
        assert!(error.contains("-X") && error.contains("KEY=VALUE"), "{error}");
        assert!(!error.contains("hidden"), "{error}");
    }

    #[test]
    fn a_command_line_without_secrets_is_not_warned_of() {
        let run = ["run", "-X", "linger.ms=5", "-r", "https://host:8081", "-b", "a:1,b:2"];
        assert_eq!(warned(&run), None);
        assert_eq!(warned(&["scenarios", "list"]), None);
    }
}
