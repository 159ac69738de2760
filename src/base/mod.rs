//! Floor 0: the words everything else is written in.
//!
//! Owns time, spans (also in keep-alives), units, identifiers, the two ends and two directions of a link, and
//! keyed random numbers. Invariant: every type here is a plain value; nothing reads a clock, nor a global but the key that secrets are
//! known again by.
//! Deliberately absent: anything of MQTT, of faults, of sockets.

pub(crate) mod ends;
pub(crate) mod few;
pub(crate) mod id;
pub(crate) mod pack;
pub mod rand;
pub(crate) mod resting;
pub(crate) mod rules;
pub(crate) mod secret;
pub(crate) mod shelf;
pub(crate) mod span;
pub(crate) mod store;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod units;

pub use ends::{Direction, Ends, Side, Ways};
pub use few::{Few, Name};
pub use id::{DeviceId, FiringId, LinkId, ListenerId, RuleId, WindowId};
pub use resting::{Rest, Resting};
pub use rules::RuleSet;
pub use secret::{Print, Secret};
pub use shelf::Shelf;
pub use span::{MOST_KEEPALIVES, Span};
pub use store::Store;
pub use time::Time;
pub use units::{Chance, Rate};
