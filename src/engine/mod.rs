//! Floor 4: the one state machine that decides which fault holds on which link, and when.
//!
//! Owns firings, windows, triggers, the composition of effects, and the numbering of events: it is the only source
//! of [`Event`](crate::event::Event)s. Time and inputs come in as arguments. Invariant: what is desired on a link is a function of the
//! windows open on its device; what is reported is only what [`Input::Applied`] and its like confirmed.
//! Deliberately absent: sockets, clocks, threads (net/), and every figure (measure/).
//!
//! ```text
//!            handle(now, Input)                    poll() until None
//!  net/  ─────────────────────────▶  Engine  ─────────────────────────▶  Event      → log, measures, live view
//!        ◀── Order to a link ──────          ──▶ deadline(): call tick() then
//! ```

mod arrival;
mod asked;
mod clocked;
mod compose;
mod control;
mod cuts;
mod dark;
mod doors;
mod fire;
mod firing;
mod flags;
mod handshake;
mod identity;
mod idle;
mod io;
mod level;
mod machine;
mod means;
mod moments;
mod packets;
mod pick;
mod refuse;
mod rival;
mod through;
mod tokens;
mod trigger;
mod verdict;
mod wills;

pub use io::{Beside, Door, Granted, Input, Order, Output, PacketTicket};
pub use machine::Engine;

#[cfg(test)]
mod tests;
