//! Work on single packets as they pass: what stands between the framer and the way out.
//!
//! Owns what is known of packets between their head and their last byte. Invariant: with nothing to be done, what comes
//! out is what went in; what was done is told by what has passed, never by what was meant. Deliberately absent: sockets
//! and the engine (link/), and which packets are meant (engine/).

pub mod aliases;
pub mod operation;
pub mod reframe;
pub mod surgeon;

pub use aliases::Aliases;
pub use operation::{COPIES_LIMIT, Operation, Ruling};
pub use reframe::{Carried, Reframer};
pub use surgeon::{Output, Seen, Surgeon};

use crate::base::{Direction, Side, WindowId};
use crate::fault::{Alteration, MidCut};
use crate::mqtt::PacketKind;
use crate::net::pump::Note;
use crate::session::ledger::Message;
use crate::session::meter::Publish;
use std::collections::{BTreeSet, VecDeque};

/// How many PUBLISH of QoS 2 may be acknowledged falsely and wait for their PUBREL, a direction. The receive maximum of
/// common clients is far below.
pub const OWED_LIMIT: usize = 4096;

/// How many packets of brownout's own may wait for the end of a packet, a direction.
pub const WAITING_LIMIT: usize = 4096;

/// How many entries of books that are empty keep their memory.
const BOOKS_KEPT: usize = 64;

/// One direction, where packets may be worked on.
#[derive(Debug, Default)]
pub struct Theatre {
    /// Does the work.
    pub surgeon: Surgeon,
    /// MQTT in WebSocket: takes frames off and puts them on.
    pub reframer: Reframer,
    /// The packet under way.
    pub under: Under,
    /// The packet under way has the surgeon's eye on it, and not yet come whole.
    pub attends: bool,
    /// The first bytes of the packet under way went on before its head was there, since nobody asked about its kind: it
    /// goes on as it is.
    pub let_go: bool,
    /// What is to be told when the packet of that number has been passed on, in order.
    pub done: VecDeque<Done>,
    /// Packets of brownout's own that wait for their place between two others.
    pub waiting: VecDeque<Own>,
    /// Acknowledgements of brownout's own that came before the CONNACK that they are to follow, in order.
    pub early: Vec<Own>,
    /// What the first CONNACK of this direction came to for the device that gets it; `None` while there was none.
    pub greeted: Option<Greeted>,
    /// What is to be told when they have been passed on, in order.
    pub sent: VecDeque<Told>,
    /// What will never be passed on, still to be told.
    pub failed: Vec<Told>,
    /// PUBLISH of QoS 2 that were acknowledged falsely, whose PUBREL is still to come.
    pub owed: BTreeSet<u16>,
    /// What topic aliases stand for.
    pub aliases: Aliases,
    /// Bytes that wait to be passed on, and copies made since that was last looked at.
    pub copied: u64,
}

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

impl Theatre {
    /// Whether packets that nobody asks about may pass without the surgeon: there is none that is not through, none to put
    /// in between two others, and none to look out for.
    pub fn is_at_rest(&self) -> bool {
        !self.attends && self.surgeon.is_at_rest() && self.waiting.is_empty() && self.owed.is_empty()
    }

    /// Whether it would be at rest, were the packet under way through.
    pub fn has_one_packet(&self) -> bool {
        !self.surgeon.is_over() && self.waiting.is_empty() && self.owed.is_empty()
    }

    /// Has an acknowledgement wait for its place, which is behind the CONNACK [MQTT-3.2.0-1]. False where that will not come.
    pub fn acknowledge(&mut self, toward: Side, own: Own) -> bool {
        match (toward, self.greeted) {
            (Side::Hub, _) | (Side::Device, Some(Greeted::Accepted)) => self.wait(own),
            (Side::Device, None) if self.has_room_for(&own) => {
                self.early.push(own);
                true
            }
            (Side::Device, None | Some(Greeted::Refused)) => {
                self.failed.push(own.told);
                false
            }
        }
    }

    /// Has a packet wait for its place between two others. False where that will not come.
    pub fn wait(&mut self, own: Own) -> bool {
        let has_room = self.has_room_for(&own);
        if has_room {
            self.waiting.push_back(own);
        } else {
            self.failed.push(own.told);
        }
        has_room
    }

    fn has_room_for(&self, own: &Own) -> bool {
        !own.bytes.is_empty() && self.waiting.len() + self.early.len() < WAITING_LIMIT
    }

    /// A CONNACK has come whole. What was kept for it follows, or never will.
    pub fn greet(&mut self, greeted: Greeted) {
        let first = *self.greeted.get_or_insert(greeted);
        let early = std::mem::take(&mut self.early);
        match first {
            Greeted::Accepted => self.waiting.extend(early),
            Greeted::Refused => self.failed.extend(early.into_iter().map(|own| own.told)),
        }
    }

    /// Puts the packets that wait into the output, which ends between two packets.
    pub fn put_in(&mut self, frame: u64, out: &mut Output) {
        while let Some(own) = self.waiting.pop_front() {
            out.bytes.extend_from_slice(&own.bytes);
            out.mark(frame, Note { own: true, ..Note::default() }, std::time::Duration::ZERO);
            self.sent.push_back(own.told);
        }
    }

    /// What waits to be passed on is thrown away: how many bytes were held back.
    pub fn discard(&mut self) -> usize {
        self.never_passed();
        self.give_up();
        self.surgeon.discard()
    }

    /// What was on its way is thrown away: nothing of it is told as done.
    pub fn never_passed(&mut self) {
        self.done.clear();
        self.failed.extend(self.sent.drain(..));
    }

    /// What waits for its place will find none.
    pub fn give_up(&mut self) {
        self.failed.extend(self.early.drain(..).chain(self.waiting.drain(..)).map(|own| own.told));
    }

    /// What was done to the packet of that number, which has been passed on.
    pub fn passed(&mut self, seq: u64) -> Vec<Done> {
        let count = self.done.iter().take_while(|done| done.seq == seq).count();
        let passed = self.done.drain(..count).collect();
        if self.done.is_empty() && self.done.capacity() > BOOKS_KEPT {
            self.done = VecDeque::new();
        }
        passed
    }
}
