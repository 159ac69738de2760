//! Floor 1: MQTT 3.1, 3.1.1 and 5 as bytes.
//!
//! Two ways to read, for two needs:
//!
//! | for | modules | manner |
//! |---|---|---|
//! | the proxy, which forwards what it does not understand | [`framer`], `peek` | borrowed, lenient, bounded memory |
//! | the embedded hub and the simulated devices | [`packet`], `inlet`, `outbox` | owned, strict, complete |
//!
//! Both stand on `wire` (the primitive fields), `property` (the one table of MQTT 5 properties) and `kind`;
//! `topic` matches names against filters, `filters` against many at once.
//!
//! Invariant: no byte of a peer's can panic or allocate without bound. Versions differ by a branch or a table
//! row, never by a second decoder.
//!
//! Deliberately absent: sessions and timers (the hub's and devices' own machines), and
//! anything that changes traffic on its own.

pub(crate) mod error;
pub(crate) mod filters;
pub(crate) mod flaw;
pub mod framer;
pub(crate) mod inlet;
pub(crate) mod kind;
pub(crate) mod outbox;
pub mod packet;
pub(crate) mod peek;
pub(crate) mod property;
pub(crate) mod topic;
pub(crate) mod wire;

pub use error::{DecodeError, EncodeError};
pub use filters::FilterTree;
pub use flaw::Flaw;
pub use framer::{Framer, Piece};
pub use kind::{KindSet, PacketKind, QoS, Version};
pub use packet::{Packet, decode, encode};
pub use property::{Properties, Property};
