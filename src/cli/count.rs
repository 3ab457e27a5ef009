//! Whole numbers on the command line, with errors that name their bounds.

use fleetstorm_model::config;

/// A text that is not a whole number within its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be a whole number from {least} to {most}")]
pub struct WholeNumberError {
    least: u64,
    most: u64,
}

/// A parser of whole numbers from `least` to `most`.
pub fn whole<T: TryFrom<u64>>(
    least: u64,
    most: u64,
) -> impl Fn(&str) -> Result<T, WholeNumberError> + Clone + Send + Sync + 'static {
    move |text| {
        let number: Option<u64> = text.trim().parse().ok();
        let within = number.filter(|number| (least..=most).contains(number));
        within.and_then(|number| T::try_from(number).ok()).ok_or(WholeNumberError { least, most })
    }
}

/// A parser of whole numbers for the configuration's `key`. Its bounds are checked with the rest of the
/// configuration; the error for any other text names them too.
pub fn whole_of(
    key: &'static str,
) -> impl Fn(&str) -> Result<u64, WholeNumberError> + Clone + Send + Sync + 'static {
    let (least, most) = config::whole_bounds(key).unwrap_or((0, u64::MAX));
    move |text| text.trim().parse().map_err(|_| WholeNumberError { least, most })
}
