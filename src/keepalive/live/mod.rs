//! A real device held against its prediction.
//!
//! Owns what a live run puts a device through ([`Case`]), on which sides of which thresholds ([`edges()`]), what the simulation
//! says of the very same outage ([`foretell()`]), whether the device goes by what it is told ([`Telling`]), whether the hub was
//! there all the while ([`Presence`]), and how far what was measured is from that ([`Held`]).
//!
//! ```text
//!  habits, hub ─▶ edges ─▶ Case ─┬─▶ brownout, the real device ─▶ events ─▶ Trail, WindowResults ─▶ Measured ─┐
//!                                └─▶ foretell: sim::run at the phase that the Trail saw ─▶ Foretold ──────────┴─▶ Row
//! ```
//!
//! Invariant: a difference is told only where both sides have evidence; what a bracket leaves open is no difference, and what
//! a hub did for reasons of its own is no evidence.
//! Deliberately absent: processes, sockets and files (cli/keepalive/live).

mod case;
mod edges;
mod foretell;
mod guess;
mod heed;
mod measured;
mod model;
mod presence;
mod text;
mod trail;

pub use case::{Case, probe};
pub use edges::{Edge, edges};
pub use foretell::{Beliefs, CLOSELY, Foretold, ROUGHLY, foretell};
pub use guess::Guess;
pub use heed::{Heeds, Telling, due, more_than};
pub use measured::{Measured, Seen};
pub use model::{Bare, Bounds, Held, Live, Mode, Row, VERSION, Verdict};
pub use presence::Presence;
pub use text::text;
pub use trail::{Connect, Struck, Trail};
