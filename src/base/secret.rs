//! Values that must not be shown: printing one for debugging shows three stars.

use std::fmt;
use std::ops::Deref;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Some(Secret(b"hunter2".to_vec()))), "Some(***)");
        assert_eq!(Secret(b"hunter2".to_vec()).len(), 7);
    }
}
