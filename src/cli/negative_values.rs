//! Values that begin with a minus, as in `--rate -5` and `--start -7d`. They go to their option, whose
//! parser knows its bounds. Otherwise clap would look for an option of that name.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};

use clap::Command;

/// The arguments of a command line, with each value that begins with a minus joined to the option before
/// it.
pub fn joined(
    command: &Command,
    words: impl IntoIterator<Item = impl Into<OsString>>,
) -> Vec<OsString> {
    let names = Names::of(command);
    let mut joined: Vec<OsString> = Vec::new();
    let mut words = words.into_iter().map(Into::into);
    for word in words.by_ref() {
        if word == "--" {
            joined.push(word);
            break;
        }
        match joined.last_mut() {
            Some(option) if names.takes_value(option) && names.is_value(&word) => {
                option.push("=");
                option.push(word);
            }
            _ => joined.push(word),
        }
    }
    joined.extend(words);
    joined
}

/// The options of all commands.
struct Names {
    /// Those that take a value, with their dashes.
    with_value: HashSet<String>,
    /// The letters of all.
    letters: HashSet<char>,
}

impl Names {
    fn of(command: &Command) -> Names {
        let mut names = Names { with_value: HashSet::new(), letters: HashSet::from(['h', 'V']) };
        names.add(command);
        names
    }

    fn add(&mut self, command: &Command) {
        for option in command.get_arguments() {
            self.letters.extend(option.get_short());
            if option.get_action().takes_values() {
                self.with_value.extend(option.get_long().map(|name| format!("--{name}")));
                self.with_value.extend(option.get_short().map(|letter| format!("-{letter}")));
            }
        }
        command.get_subcommands().for_each(|sub| self.add(sub));
    }

    fn takes_value(&self, word: &OsStr) -> bool {
        word.to_str().is_some_and(|word| self.with_value.contains(word))
    }

    /// Whether a word begins with a minus and is not an option.
    fn is_value(&self, word: &OsStr) -> bool {
        let text = word.to_string_lossy();
        let first = text.strip_prefix('-').and_then(|rest| rest.chars().next());
        first.is_some_and(|first| first != '-' && !self.letters.contains(&first))
    }
}
