//! Identifiers: small numbers, each of its own type, in order of first appearance in the run.

use super::shelf::Key;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl Key for $name {
            #[inline]
            fn number(self) -> u64 {
                self.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
    };
}

id!(
    /// A link: one accepted device leg and the hub leg dialled for it.
    LinkId(u64), "L");
id!(
    /// A device, followed across links by its client identifier.
    DeviceId(u32), "D");
id!(
    /// A listener with its upstream, in the order of the profile.
    ListenerId(u16), "P");
id!(
    /// A rule, in the order of the profile.
    RuleId(u16), "R");
id!(
    /// One firing of a rule, over all the devices it hits.
    FiringId(u64), "F");
id!(
    /// One fault window: one firing on one device.
    WindowId(u64), "W");
