//! Values that must not be shown: printing one for debugging shows three stars.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;
use std::ops::Deref;
use std::sync::OnceLock;

/// A secret. It is read like what it holds, and shown as `***`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<T>(pub T);

impl<T> Deref for Secret<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Tells whether a secret is the same again, and nothing else: a hash under a random key of this process. It is never written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Print(NonZeroU64);

impl Print {
    /// Of this secret.
    pub fn of(secret: &[u8]) -> Print {
        static KEY: OnceLock<RandomState> = OnceLock::new();
        let hash = KEY.get_or_init(RandomState::new).hash_one(secret);
        Print(NonZeroU64::new(hash).unwrap_or(NonZeroU64::MAX))
    }
}

impl fmt::Debug for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Some(Secret(b"hunter2".to_vec()))), "Some(***)");
        assert_eq!(Secret(b"hunter2".to_vec()).len(), 7);
    }

    #[test]
    fn a_secret_is_known_again_by_its_print_which_is_not_shown() {
        assert_eq!(Print::of(b"hunter2"), Print::of(b"hunter2"));
        assert_ne!(Print::of(b"hunter2"), Print::of(b"hunter3"));
        assert_eq!(format!("{:?}", Print::of(b"hunter2")), "***");
    }
}
