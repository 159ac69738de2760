//! A device's connection, from its SYN until nothing of it is left: two TCP legs, and what brownout keeps between them.

use super::tcp::{Kind, Segment, Tcp};
use crate::base::units::to_u64;
use crate::base::{Direction, Ends, LinkId, Side, Time, Ways, WindowId};
use crate::engine::PacketTicket;
use crate::event::{LastPackets, Packet};
use crate::fault::{Effects, IdleWatch, Lane};
use crate::mqtt::Version;
use crate::mqtt::framer::Framer;
use std::collections::VecDeque;

/// Which path: its place, and its number, which no other path has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PathId {
    pub place: u32,
    pub number: u64,
}

/// Which end of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// The device's, or the hub's.
    Peer,
    /// Brownout's.
    Own,
}

impl At {
    pub fn other(self) -> At {
        match self {
            At::Peer => At::Own,
            At::Own => At::Peer,
        }
    }
}

/// A segment on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub path: PathId,
    pub leg: Side,
    pub to: At,
    pub segment: Segment,
}

/// One TCP connection.
#[derive(Debug, Default)]
pub(super) struct Leg {
    pub peer: Tcp,
    pub own: Tcp,
    /// Bytes that the peer's program gave, and was not yet told are taken.
    pub untold: usize,
}

impl Leg {
    pub fn end(&self, at: At) -> &Tcp {
        match at {
            At::Peer => &self.peer,
            At::Own => &self.own,
        }
    }

    pub fn end_mut(&mut self, at: At) -> &mut Tcp {
        match at {
            At::Peer => &mut self.peer,
            At::Own => &mut self.own,
        }
    }
}

/// How far the device's connect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialling {
    /// SYN was sent then, after so many before; when it is due again.
    Syn {
        tries: u32,
        sent: Time,
        due: Time,
    },
    Up,
}

/// A connection of a device.
#[derive(Debug)]
pub(super) struct Path {
    pub id: PathId,
    pub device: usize,
    /// The device's machine speaks over it.
    pub is_current: bool,
    pub dialling: Dialling,
    /// When SYN-ACK was last sent, until the last of the handshake has come.
    pub answered: Option<Time>,
    pub legs: Ends<Leg>,
    /// Bytes of TLS's handshake that are still to come, each way.
    pub shakes: Ways<u64>,
    /// Where MQTT begins in the stream each way.
    pub greeted: Ways<u64>,
    /// The server's flight waits for the gate to open.
    pub flight_waits: bool,
    /// Its number, once brownout has accepted it.
    pub link: Option<LinkId>,
    /// Until brownout has closed it.
    pub relay: Option<Box<Relay>>,
    /// Messages that are under way up: where in MQTT's stream they end, and their number.
    pub messages: VecDeque<(u64, u64)>,
    /// Bytes of MQTT given by the device, and got by the hub.
    pub given: u64,
    pub arrived: u64,
    /// When it is to be looked at.
    pub armed: Option<Time>,
    pub touched: bool,
}

/// What brownout keeps of a link.
#[derive(Debug)]
pub(super) struct Relay {
    pub link: LinkId,
    pub hands: Ends<Hand>,
    pub lanes: Ways<Lane<PacketTicket>>,
    pub framers: Ways<Framer>,
    pub version: Option<Version>,
    pub effects: Effects,
    /// Packets so far, which delays are drawn for.
    pub frames: Ways<u64>,
    pub idle: IdleWatch,
    pub reset_senders: Option<WindowId>,
    pub last: Ends<LastPackets>,
    /// The hub's leg has come about, or never will.
    pub dialled: bool,
    pub drop_at: Option<Time>,
    pub lost: Ways<u64>,
    pub published: Ways<bool>,
    /// A packet whose end has not come.
    pub begun: Ways<Option<Box<Packet>>>,
}

/// Brownout's hand on a leg.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hand {
    /// There is a socket.
    pub open: bool,
    pub reading: bool,
    pub writing: bool,
    /// A fault has ended the link here.
    pub severed: bool,
    /// RST once its end sends something.
    pub trap: bool,
    pub lingering: bool,
    pub end_told: bool,
}

impl Hand {
    pub const UP: Hand = Hand {
        open: true,
        reading: true,
        writing: true,
        severed: false,
        trap: false,
        lingering: false,
        end_told: false,
    };

    /// Whether nothing can come or go any more.
    pub fn is_over(&self) -> bool {
        !self.open || (!self.reading && !self.writing)
    }

    pub fn drop_socket(&mut self) {
        (self.open, self.reading, self.writing, self.lingering) = (false, false, false, false);
    }
}

impl Relay {
    pub fn new(link: LinkId) -> Relay {
        Relay {
            link,
            hands: Ends { device: Hand::UP, hub: Hand::default() },
            lanes: Ways::default(),
            framers: Ways { up: Framer::new(Direction::Up), down: Framer::new(Direction::Down) },
            version: None,
            effects: Effects::default(),
            frames: Ways::default(),
            idle: IdleWatch::default(),
            reset_senders: None,
            last: Ends::default(),
            dialled: false,
            drop_at: None,
            lost: Ways::default(),
            published: Ways::default(),
            begun: Ways::default(),
        }
    }

    /// Whether what is sent now this way waits.
    pub fn would_hold(&self, direction: Direction) -> bool {
        *self.effects.closed.get(direction)
            || !self.effects.delays.get(direction).is_empty()
            || !self.lanes.get(direction).is_empty()
            || !self.hands.get(direction.to()).writing
    }

    /// Whether nothing at all passes between this end and brownout.
    pub fn is_dark(&self, side: Side) -> bool {
        *self.effects.mute.get(side) && *self.effects.closed.get(side.other().sends())
    }

    /// Throws away what waits.
    pub fn discard(&mut self, direction: Direction) {
        let lost = self.lanes.get_mut(direction).clear();
        self.lose(direction, lost);
    }

    pub fn lose(&mut self, direction: Direction, bytes: usize) {
        *self.lost.get_mut(direction) += to_u64(bytes);
    }

    /// Whether both ends have given it up and nothing can pass between them any more.
    pub fn is_forgotten_by_both(&self) -> bool {
        let is_forgotten =
            self.effects.closed == Ways { up: true, down: true } && self.effects.idle.is_none();
        let is_held = is_forgotten && self.effects.mute == Ends::default();
        is_held && self.hands.device.end_told && self.hands.hub.end_told
    }
}

impl Path {
    /// The device sends SYN.
    pub fn new(id: PathId, device: usize, dialling: Dialling) -> Path {
        let device_leg = Leg { own: Tcp::nobody(), ..Leg::default() };
        let hub_leg = Leg { peer: Tcp::nobody(), own: Tcp::nobody(), untold: 0 };
        Path {
            id,
            device,
            is_current: true,
            dialling,
            answered: None,
            legs: Ends { device: device_leg, hub: hub_leg },
            shakes: Ways::default(),
            greeted: Ways::default(),
            flight_waits: false,
            link: None,
            relay: None,
            messages: VecDeque::new(),
            given: 0,
            arrived: 0,
            armed: None,
            touched: false,
        }
    }

    /// When it is to be looked at, after `now`.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        let syn = match self.dialling {
            Dialling::Syn { due, .. } => Some(due),
            Dialling::Up => None,
        };
        let tcp = Side::BOTH.into_iter().flat_map(|side| {
            let leg = self.legs.get(side);
            [leg.peer.deadline(), leg.own.deadline()]
        });
        let of_relay = self.relay.as_ref().and_then(|relay| relay.deadline(now));
        tcp.chain([syn, of_relay]).flatten().min()
    }

    /// Whether a link stands with nobody at it: what its ends sent is dealt with, and none of them can send again. A real run
    /// keeps it to its end; here that would be one more for each outage of a day.
    pub fn is_deserted(&self) -> bool {
        let Some(relay) = &self.relay else { return false };
        let is_silent = |side| {
            let leg = self.legs.get(side);
            relay.hands.get(side).is_over() || (!leg.peer.is_there() && leg.own.is_settled())
        };
        relay.dialled
            && Side::BOTH.into_iter().all(is_silent)
            && Direction::BOTH.into_iter().all(|direction| relay.lanes.get(direction).is_empty())
    }

    /// Whether nothing of it is left.
    pub fn is_over(&self) -> bool {
        let dead = |side| !self.legs.get(side).peer.is_there() && !self.legs.get(side).own.is_there();
        if self.relay.is_some() {
            return false;
        }
        // Nobody has accepted it, and nobody is left who asked for it.
        let was_never = self.link.is_none() && !self.legs.device.peer.is_there();
        was_never || Side::BOTH.into_iter().all(dead)
    }
}

impl Relay {
    fn deadline(&self, now: Time) -> Option<Time> {
        let lanes = Direction::BOTH.into_iter().filter_map(|direction| {
            // What is due waits for its peer.
            self.lanes.get(direction).deadline().filter(|at| *at > now)
        });
        lanes.chain(self.idle.deadline()).chain(self.drop_at).min()
    }
}

impl Segment {
    /// Whether it says something beside what has arrived.
    pub fn is_ack(&self) -> bool {
        self.kind == Kind::Plain && self.len == 0 && !self.fin
    }
}
