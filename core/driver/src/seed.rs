//! Randomness for what core is not to make up itself.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A number that nobody can guess, from the standard library's source of hash keys.
#[must_use]
pub fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
