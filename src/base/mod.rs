//! Floor 0: the words everything else is written in.
//!
//! Owns time, spans (also in keep-alives), units, identifiers, the two ends and two directions of a link, and
//! keyed random numbers. Invariant: every type here is a plain value; nothing reads a clock or a global.
//! Deliberately absent: anything of MQTT, of faults, of sockets.

pub mod ends;
pub mod few;
pub mod id;
pub mod pack;
pub mod rand;
pub mod resting;
pub mod rules;
pub mod secret;
pub mod shelf;
pub mod span;
pub mod store;
pub mod text;
pub mod time;
pub mod units;

pub use ends::{Direction, Ends, Side, Ways};
pub use few::{Few, Name};
pub use id::{DeviceId, FiringId, LinkId, ListenerId, RuleId, WindowId};
pub use resting::{Rest, Resting};
pub use rules::RuleSet;
pub use secret::Secret;
pub use shelf::Shelf;
pub use span::Span;
pub use store::Store;
pub use time::Time;
pub use units::{Chance, Rate};
