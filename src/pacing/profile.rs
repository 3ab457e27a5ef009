//! Rate profiles: how many records are due by when.

use serde::{Deserialize, Serialize};

use crate::config::units::Rate;

/// The course of a rate over time, known by the inverse of its integral.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// One rate throughout.
    Constant(Rate),
}

impl Profile {
    /// The instant at which the integral of the rate reaches `records`, in seconds from the
    /// schedule's zero. Grows with `records`.
    #[inline]
    pub fn instant(&self, records: f64) -> f64 {
        match self {
            Profile::Constant(rate) => records / rate.per_second(),
        }
    }
}
