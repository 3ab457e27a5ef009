//! Which of a job's columns are which.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::{Cell, Cells, Content, JobOutputError};

/// The job's names of columns, where they are others: `ours=theirs,...`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns(BTreeMap<String, String>);

/// A text that names no columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{0}`: write NAME=JOBS_NAME, as in zone=Z,readings=CNT")]
pub struct ColumnsError(String);

impl Columns {
    /// The names that were given.
    pub fn given(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// An error where a name was given that `has` lacks.
    ///
    /// # Errors
    /// [`JobOutputError::UnknownColumn`].
    pub fn must_be_of(&self, has: Vec<String>) -> Result<(), JobOutputError> {
        match self.given().find(|given| !has.iter().any(|name| name == given)) {
            Some(given) => Err(JobOutputError::UnknownColumn { name: given.to_owned(), has }),
            None => Ok(()),
        }
    }

    /// The cell of the column that is named `name` here: by the job's own name of it, or by the same
    /// name, in upper or lower case. A column of the value comes before one of the key, and a key
    /// without a name stands for `plain`.
    pub fn find<'a>(&self, content: &'a Content, name: &str, plain: bool) -> Option<&'a Cell> {
        let theirs = self.0.get(name).map_or(name, String::as_str);
        let own = if plain { content.plain_key.as_ref() } else { None };
        in_cells(&content.value, theirs).or_else(|| in_cells(&content.key, theirs)).or(own)
    }
}

fn in_cells<'a>(cells: &'a Cells, name: &str) -> Option<&'a Cell> {
    let same = cells.iter().find(|(other, _)| other == name);
    let alike = || cells.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
    same.or_else(alike).map(|(_, cell)| cell)
}

impl FromStr for Columns {
    type Err = ColumnsError;

    fn from_str(text: &str) -> Result<Columns, ColumnsError> {
        let pair = |pair: &str| {
            let (ours, theirs) = pair.split_once('=')?;
            let (ours, theirs) = (ours.trim(), theirs.trim());
            (!ours.is_empty() && !theirs.is_empty()).then(|| (ours.to_owned(), theirs.to_owned()))
        };
        let pairs = text.split(',').map(|each| pair(each).ok_or_else(|| ColumnsError(each.into())));
        pairs.collect::<Result<_, _>>().map(Columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_either_name() {
        let cells = |name: &str, number| vec![(name.to_owned(), Cell::Long(number))];
        let content = Content {
            value: [cells("CNT", 1), cells("ZONE", 2)].concat(),
            key: cells("zone", 3),
            plain_key: Some(Cell::Long(4)),
            window: None,
        };
        let columns: Columns = "readings=CNT".parse().unwrap();
        let find = |name, plain| columns.find(&content, name, plain);
        assert_eq!(find("readings", false), Some(&Cell::Long(1)));
        assert_eq!(find("zone", true), Some(&Cell::Long(2)));
        assert_eq!(find("machine_id", true), Some(&Cell::Long(4)));
        assert_eq!(find("machine_id", false), None);
        assert!("zone".parse::<Columns>().unwrap_err().to_string().contains("zone=Z"));
    }
}
