//! What a link writes into the ledger of its device: entries are gathered as packets pass, and taken in with one lock for
//! all that one read brought.

use super::Link;
use super::doubts::{Passed, Recent};
use crate::base::{DeviceId, Direction, Time, Ways};
use crate::engine::Input;
use crate::event::Packet;
use crate::mqtt::framer::Frame;
use crate::mqtt::topic::Shared;
use crate::mqtt::{PacketKind, QoS, Version, peek};
use crate::session::Ledger;
use crate::session::ledger::{Ack, Entry, Line, Message, News, Sight, ack};
use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

/// How many entries an empty list keeps memory for; a worker keeps one for all its links.
const ENTRIES_KEPT: usize = 4096;

thread_local! {
    static ENTRIES: Cell<Vec<Entry>> = const { Cell::new(Vec::new()) };
}

/// A link's part of the books.
#[derive(Debug, Default)]
pub(super) struct Books {
    open: Option<Box<Open>>,
    /// Those of the last read, until the ledger takes them in.
    pub(super) entries: Vec<Entry>,
    pub(super) sight: Sight,
    /// What was passed on so far.
    passed: Passed,
    /// Whether messages, of whatever quality of service, or acknowledgements were passed on since that was last taken.
    has_passed: bool,
    pub(super) recent: Ways<Recent>,
    /// A fault makes what passes wait or vanish.
    disturbed: bool,
    /// The device is a bridge between hubs, as its CONNECT says.
    pub(super) is_bridge: bool,
}

#[derive(Debug)]
struct Open {
    device: DeviceId,
    ledger: Arc<Mutex<Ledger>>,
    line: Line,
}

/// What to write down when a packet has been passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// A PUBLISH, as it arrived.
    Publish {
        /// Which way.
        direction: Direction,
        /// Its quality of service.
        qos: QoS,
        /// Its packet identifier; 0 at QoS 0.
        id: u16,
    },
    /// So many copies of it, which a fault made.
    Copies {
        /// Which way.
        direction: Direction,
        /// Its quality of service.
        qos: QoS,
        /// Its packet identifier; 0 at QoS 0.
        id: u16,
        /// How many.
        copies: u32,
    },
    /// An acknowledgement, or a PUBREL, as it is passed on.
    Ack(Ack),
    /// A CONNACK that accepts, as it is passed on.
    Accepted {
        /// Session Present.
        session_present: bool,
        /// Receive Maximum.
        receive_maximum: Option<u16>,
    },
}

impl Passing {
    /// Of a PUBLISH.
    pub(super) fn of(direction: Direction, message: &Message) -> Passing {
        Passing::Publish { direction, qos: message.qos, id: message.id }
    }

    /// Of so many copies of the packet that this is of; nothing where it is no PUBLISH.
    pub(super) fn copies(self, copies: u32) -> Option<Passing> {
        match self {
            Passing::Publish { direction, qos, id } => Some(Passing::Copies { direction, qos, id, copies }),
            Passing::Copies { .. } | Passing::Ack(_) | Passing::Accepted { .. } => None,
        }
    }
}

impl Books {
    pub(super) fn write(&mut self, entry: Entry) {
        if self.open.is_none() {
            return;
        }
        self.passed.messages += entry.passed_plain();
        self.passed.acks += entry.acks_passed();
        self.has_passed |= entry.has_passed();
        if self.entries.capacity() == 0 {
            self.entries = ENTRIES.take();
        }
        if self.entries.last_mut().is_some_and(|last| last.absorb(&entry)) {
            return;
        }
        self.entries.push(entry);
    }

    /// A PUBLISH arrived whole.
    pub(super) fn write_message(&mut self, direction: Direction, message: Message) {
        let is_plain = message.is_plain();
        let plain = Entry::ArrivedPlain { direction, messages: 1 };
        self.write(if is_plain { plain } else { Entry::Arrived(direction, message) });
    }

    /// A SUBSCRIBE arrived whole: what it asks for that tells how to read what the hub sends.
    fn write_subscribe(&mut self, version: Version, head: &[u8]) {
        let Some(view) = peek::subscribe_view(version, head) else { return };
        if view.filters.iter().any(|(filter, _)| Shared::parse(filter).is_some()) {
            self.write(Entry::Shares);
        }
        if view.as_published {
            self.write(Entry::AsPublished);
        }
        if view.bridges {
            self.write(Entry::Bridges);
        }
    }

    /// How much was passed on so far.
    pub(super) fn passed(&self) -> Passed {
        self.passed
    }

    /// Whether messages, of whatever quality of service, or acknowledgements were passed on since this was last asked.
    pub(super) fn take_has_passed(&mut self) -> bool {
        std::mem::take(&mut self.has_passed)
    }

    /// Whether there is a ledger to write for.
    pub(super) fn are_open(&self) -> bool {
        self.open.is_some()
    }

    fn settle(&mut self, now: Time) -> Vec<News> {
        let Some(open) = &mut self.open else { return Vec::new() };
        let news = open.ledger.lock().unwrap_or_else(PoisonError::into_inner).take(
            now,
            &mut open.line,
            &self.entries,
        );
        self.entries.clear();
        self.entries.shrink_to(ENTRIES_KEPT);
        ENTRIES.set(std::mem::take(&mut self.entries));
        news
    }
}

impl Link {
    /// A CONNECT was told, and so the link's device is known.
    pub(super) fn open_books(&mut self, connect: &Packet) {
        let Packet::Connect { clean, version, terms, .. } = connect else { return };
        if self.books.open.is_some() {
            return;
        }
        let Some((device, ledger)) = self.core.ledger(self.id) else { return };
        let line = Line::new(self.id);
        self.books.open = Some(Box::new(Open { device, ledger, line }));
        let receive_maximum = terms.receive_maximum;
        self.books.write(Entry::Connect { clean: *clean, version: *version, receive_maximum });
        if self.books.is_bridge {
            self.books.write(Entry::AsPublished);
            self.books.write(Entry::Bridges);
        }
    }

    /// Looks at a packet whose head is there. `message`: what it is, if it is a PUBLISH; what it answers is written down.
    pub(super) fn look(&mut self, direction: Direction, frame: &Frame<'_>) -> Option<Message> {
        self.books.open.as_ref()?;
        let version = self.version.unwrap_or(Version::V311);
        match frame.kind {
            PacketKind::Publish => self.books.sight.look(direction, version, frame, self.core.sequence()),
            PacketKind::Puback | PacketKind::Pubrec | PacketKind::Pubrel | PacketKind::Pubcomp => {
                if let Some(ack) = ack(direction, version, frame.kind, frame.head) {
                    self.books.write(Entry::AckArrived(ack));
                }
                None
            }
            PacketKind::Subscribe => {
                if direction == Direction::Up {
                    self.books.write_subscribe(version, frame.head);
                }
                None
            }
            PacketKind::Connect
            | PacketKind::Connack
            | PacketKind::Suback
            | PacketKind::Unsubscribe
            | PacketKind::Unsuback
            | PacketKind::Pingreq
            | PacketKind::Pingresp
            | PacketKind::Disconnect
            | PacketKind::Auth => None,
        }
    }

    /// The last byte of a PUBLISH has come that was not there with its head.
    pub(super) fn looked(&mut self, direction: Direction, message: &mut Message) {
        self.books.sight.finish(direction, message, self.core.sequence());
    }

    /// What to write down when a packet with this head has been passed on, if it is no PUBLISH.
    pub(super) fn passing(&self, direction: Direction, kind: PacketKind, head: &[u8]) -> Option<Passing> {
        self.books.open.as_ref()?;
        let version = self.version.unwrap_or(Version::V311);
        if kind != PacketKind::Connack {
            return ack(direction, version, kind, head).map(Passing::Ack);
        }
        let view = peek::connack_view(version, head).filter(|view| view.code == 0)?;
        Some(Passing::Accepted {
            session_present: view.session_present,
            receive_maximum: view.receive_maximum,
        })
    }

    /// A packet was passed on.
    pub(super) fn write_passed(&mut self, passing: Passing) {
        let entry = match passing {
            Passing::Publish { direction, qos: QoS::AtMostOnce, .. } => {
                Entry::PassedPlain { direction, messages: 1 }
            }
            Passing::Publish { direction, qos, id } => Entry::Passed { direction, qos, id },
            Passing::Copies { direction, qos, id, copies } => Entry::Copied { direction, qos, id, copies },
            Passing::Ack(ack) => Entry::AckPassed(ack),
            Passing::Accepted { session_present, receive_maximum } => {
                Entry::Accepted { session_present, receive_maximum }
            }
        };
        self.books.write(entry);
        if let (Passing::Accepted { .. }, true) = (passing, self.books.disturbed) {
            self.books.write(Entry::Disturbed(true));
        }
    }

    /// A fault makes what passes wait or vanish, or no more.
    pub(super) fn disturb_books(&mut self, disturbed: bool) {
        if std::mem::replace(&mut self.books.disturbed, disturbed) != disturbed {
            self.books.write(Entry::Disturbed(disturbed));
        }
    }

    /// Has the ledger take in what was gathered.
    pub(super) fn settle_books(&mut self, now: Time) {
        if self.books.entries.is_empty() {
            return;
        }
        let news = self.books.settle(now);
        self.tell_news(news);
    }

    /// The same, for what was gathered since; as a rule nothing.
    pub(super) fn settle_rest(&mut self) {
        if !self.books.entries.is_empty() {
            self.settle_books(self.now());
        }
    }

    /// Tells what was counted since the last time.
    pub(super) fn flush_books(&mut self, now: Time) {
        self.settle_books(now);
        let Some(open) = &self.books.open else { return };
        let counts = open.ledger.lock().unwrap_or_else(PoisonError::into_inner).flush();
        if let Some(counts) = counts {
            self.core.tell(Input::Delivery { device: open.device, counts: Box::new(counts) });
        }
    }

    /// The link is over.
    pub(super) fn close_books(&mut self, now: Time) {
        self.settle_books(now);
        let last = self.meter.ends();
        let Some(open) = &mut self.books.open else { return };
        let news = open.ledger.lock().unwrap_or_else(PoisonError::into_inner).link_ended(
            now,
            &mut open.line,
            last,
            self.stopped,
        );
        self.tell_news(news);
        self.flush_books(now);
        self.books.open = None;
    }

    fn tell_news(&self, news: Vec<News>) {
        let Some(open) = self.books.open.as_ref().filter(|_| !news.is_empty()) else { return };
        for news in news {
            self.core.tell(Input::Message { device: open.device, news: Box::new(news) });
        }
    }
}
