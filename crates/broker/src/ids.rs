//! Ids of topics and of members of groups.

use uuid::Uuid;

/// An id that nothing else has.
pub(crate) fn random() -> Uuid {
    use std::hash::{BuildHasher, RandomState};
    let half = || u128::from(RandomState::new().hash_one(0_u8));
    Uuid::from_u128(half() << 64 | half())
}
