//! Where a setting came from.

use std::fmt;
use std::path::PathBuf;

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

impl Origin {
    /// Its place in the order of precedence.
    pub(super) fn rank(&self) -> u8 {
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
