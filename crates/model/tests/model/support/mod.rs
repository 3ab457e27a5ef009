//! Runs by words, what they make, and what may be said of it.

pub mod history;
pub mod made;
pub mod options;
pub mod parts;
pub mod statistics;
pub mod stream;
