//! Bytes and names that are mostly few: they stand where they are held, without a place of their own on the heap.

use std::fmt;
use std::ops::Deref;

/// Bytes, up to `N` of them (255 at most) in place. Thousands of devices have several each: as boxes they would lie scattered
/// among what comes and goes with links, and keep the memory of that from being given back.
#[derive(Clone, PartialEq, Eq)]
pub enum Few<const N: usize> {
    /// So many, the others being 0.
    Here(u8, [u8; N]),
    /// More than have room in place.
    There(Box<[u8]>),
}

impl<const N: usize> Default for Few<N> {
    fn default() -> Few<N> {
        Few::Here(0, [0; N])
    }
}

impl<const N: usize> From<&[u8]> for Few<N> {
    fn from(bytes: &[u8]) -> Few<N> {
        let mut here = [0; N];
        match (u8::try_from(bytes.len()), here.get_mut(..bytes.len())) {
            (Ok(len), Some(room)) => {
                room.copy_from_slice(bytes);
                Few::Here(len, here)
            }
            (Ok(_) | Err(_), _) => Few::There(bytes.into()),
        }
    }
}

impl<const N: usize> Deref for Few<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Few::Here(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Few::There(bytes) => bytes,
        }
    }
}

impl<const N: usize> fmt::Debug for Few<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A name. Client identifiers of up to 22 bytes stand in place: every server takes those of up to 23, and many clients keep to
/// that [MQTT-3.1.3-5].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Name(Few<22>);

impl From<&str> for Name {
    fn from(name: &str) -> Name {
        Name(name.as_bytes().into())
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        // It was made of a string.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_it_was_made_of() {
        for name in
            ["", "pump-1", "twenty-two bytes, here", "twenty-three, so there.", "ä", "ö".repeat(300).as_str()]
        {
            assert_eq!(&*Name::from(name), name);
            assert_eq!(Name::from(name), Name::from(name));
            assert_eq!(format!("{:?} {0}", Name::from(name)), format!("{name:?} {name}"));
        }
        assert!(matches!(Name::from("twenty-two bytes, here"), Name(Few::Here(22, _))));
        assert_eq!((size_of::<Name>(), size_of::<Option<Name>>()), (24, 24));
    }
}
