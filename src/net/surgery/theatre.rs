//! One direction of a link, where packets may be worked on: what that takes, and at a glance whether anything is under way.

use super::{Aliases, Done, Greeted, Output, Own, Reframer, Surgeon, Told, Under};
use crate::base::Side;
use crate::fault::Alteration;
use crate::net::pump::Note;
use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::ops::{Deref, DerefMut};

/// How many packets of brownout's own may wait for the end of a packet, a direction.
const WAITING_LIMIT: usize = 4096;

/// How many entries of books that are empty keep their memory.
const BOOKS_KEPT: usize = 64;

/// One direction, where packets may be worked on. Each read asks whether anything is under way, and mostly nothing is: so the
/// answer is kept here, beside what else a read looks at, until somebody has had the table to work on. Of a link whose
/// packets pass, the table's memory is not touched.
#[derive(Debug, Default)]
pub struct Theatre {
    /// The first bytes of the packet under way went on before its head was there, since nobody asked about its kind: it
    /// goes on as it is.
    pub let_go: bool,
    glance: Cell<Option<Glance>>,
    table: Box<Table>,
}

/// What work on packets takes.
#[derive(Debug, Default)]
pub struct Table {
    /// Does the work.
    pub surgeon: Surgeon,
    /// MQTT in WebSocket: takes frames off and puts them on.
    pub reframer: Reframer,
    /// The packet under way.
    pub under: Under,
    /// The packet under way has the surgeon's eye on it, and not yet come whole.
    pub attends: bool,
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

/// What each read asks of a table.
#[derive(Clone, Copy, Debug)]
struct Glance {
    at_rest: bool,
    is_over: bool,
    has_failed: bool,
}

impl Theatre {
    /// Whether packets that nobody asks about may pass without the surgeon: there is none that is not through, none to put
    /// in between two others, and none to look out for.
    pub fn is_at_rest(&self) -> bool {
        self.glance().at_rest
    }

    /// The same, and nothing is still to be told.
    pub fn is_out_of_the_way(&self) -> bool {
        let glance = self.glance();
        glance.at_rest && !glance.has_failed
    }

    /// Whether the stream was cut amid a packet.
    pub fn is_over(&self) -> bool {
        self.glance().is_over
    }

    fn glance(&self) -> Glance {
        self.glance.get().unwrap_or_else(|| {
            let glance = self.table.glance();
            self.glance.set(Some(glance));
            glance
        })
    }
}

impl Deref for Theatre {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.table
    }
}

impl DerefMut for Theatre {
    fn deref_mut(&mut self) -> &mut Table {
        self.glance.set(None);
        &mut self.table
    }
}

impl Table {
    fn glance(&self) -> Glance {
        let is_idle = !self.attends && self.surgeon.is_at_rest();
        Glance {
            at_rest: is_idle && self.waiting.is_empty() && self.owed.is_empty(),
            is_over: self.surgeon.is_over(),
            has_failed: !self.failed.is_empty(),
        }
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

    /// What was done to the packet of that number, which has been passed on, or its copies have.
    pub fn passed(&mut self, seq: u64, copies: bool) -> Vec<Done> {
        let is_it =
            |done: &&Done| done.seq == seq && matches!(done.what, Alteration::Duplicated { .. }) == copies;
        let count = self.done.iter().take_while(is_it).count();
        let passed = self.done.drain(..count).collect();
        if self.done.is_empty() && self.done.capacity() > BOOKS_KEPT {
            self.done = VecDeque::new();
        }
        passed
    }
}
