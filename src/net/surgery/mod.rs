//! Work on single packets as they pass: what stands between the framer and the way out.
//!
//! Owns what is known of packets between their head and their last byte. Invariant: with nothing to be done, what comes
//! out is what went in; what was done is told by what has passed, never by what was meant. Deliberately absent: sockets
//! and the engine (link/), and which packets are meant (engine/).

pub mod aliases;
pub mod operation;
pub mod reframe;
pub mod surgeon;
mod theatre;

pub use aliases::Aliases;
pub use operation::{COPIES_LIMIT, Operation, Ruling};
pub use reframe::{Carried, Reframer};
pub use surgeon::{Output, Seen, Surgeon};
pub use theatre::Theatre;

use crate::base::{Direction, Side, WindowId};
use crate::fault::{Alteration, MidCut};
use crate::mqtt::PacketKind;
use crate::net::pump::Note;
use crate::session::ledger::Message;
use crate::session::meter::Publish;

/// How many PUBLISH of QoS 2 may be acknowledged falsely and wait for their PUBREL, a direction. The receive maximum of
/// common clients is far below.
pub const OWED_LIMIT: usize = 4096;

/// What a CONNACK, as it was passed on, said to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeted {
    /// It is accepted.
    Accepted,
    /// It is not: it was refused, or the CONNACK kept from it.
    Refused,
}

/// What is known of a packet between its head and its last byte.
#[derive(Debug, Default)]
pub struct Under {
    /// Of a CONNACK, what it says to the device if it is passed on.
    pub greets: Option<Greeted>,
    /// For the meter, when it is there whole; `None` once that was told.
    pub arrival: Option<Option<Publish>>,
    /// Of a PUBLISH, for the ledger, and whether it was there whole with its head.
    pub message: Option<(Message, bool)>,
    /// What to say when it has been passed on.
    pub note: Note,
    /// What will have been done then.
    pub done: Vec<(Option<WindowId>, Alteration)>,
    /// What to do when its last byte has been swallowed.
    pub swallowed: Option<Swallowed>,
    /// The cut that it ends with.
    pub cut: Option<(Option<WindowId>, MidCut)>,
}

/// A packet that is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swallowed {
    /// By a verdict.
    Dropped {
        /// The window.
        window: Option<WindowId>,
        /// The number of its event.
        seq: u64,
        /// What it is acknowledged with.
        answer: Option<(PacketKind, u16)>,
    },
    /// The PUBREL of a PUBLISH that was acknowledged falsely; it is answered with PUBCOMP.
    Owed {
        /// Its packet identifier.
        id: u16,
    },
}

/// Something done to a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    /// The number of the packet's event.
    pub seq: u64,
    /// The window.
    pub window: Option<WindowId>,
    /// What.
    pub what: Alteration,
}

/// A packet of brownout's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Own {
    /// Its bytes, at least one.
    pub bytes: Vec<u8>,
    /// What to tell when it has been passed on.
    pub told: Told,
}

/// What a packet of brownout's own is told as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A packet was put in.
    Injected {
        /// Its window.
        window: WindowId,
        /// Who gets it.
        toward: Side,
    },
    /// A packet was dropped and acknowledged falsely.
    Acknowledged {
        /// The number of the packet's event.
        seq: u64,
        /// The window.
        window: Option<WindowId>,
        /// Which way the packet went.
        direction: Direction,
        /// Its packet identifier.
        id: u16,
    },
    /// Nothing: it goes with something told before.
    Silent,
}
